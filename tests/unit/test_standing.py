"""A queue at rest has no gaps: covered loops prove who stands between them and the stop line, whoever was seen to come."""

from __future__ import annotations

import pytest
from support_control import Watch, cover, junction, lane_loops, without

from hardware.ports import InputEvent

pytestmark = pytest.mark.quick

LONG_MS = 110_000
LOOPS = lane_loops("e0")


def covered(*from_ms: tuple[float, int]) -> list[InputEvent]:
    """Return the edges of loops that one vehicle each stands on from then on."""
    return [event for distance_m, at_ms in from_ms for event in cover(LOOPS[distance_m], at_ms, LONG_MS)]


def queue_veh(events: list[InputEvent], end_ms: int = 40_000) -> float:
    """Return the queue believed on the lane by then."""
    return Watch(events=events).until(end_ms)["e0"].queue_veh


@pytest.mark.parametrize(("farthest_m", "least_veh", "most_veh"), [(45.0, 5.9, 7.0), (120.0, 14.9, 17.0)])
def test_a_queue_nobody_was_seen_to_join_reaches_back_to_the_last_covered_loop(farthest_m: float, least_veh: float, most_veh: float) -> None:
    loops = [(m, 10_000 + round(100 * m)) for m in (1.0, 45.0, 120.0) if m <= farthest_m]
    watch = Watch(events=covered(*loops))
    assert watch.until(14_000)["e0"].queue_veh <= 1.0, "no vehicle has been at rest for long enough"
    assert least_veh <= watch.until(40_000)["e0"].queue_veh <= most_veh
    assert least_veh <= watch.until(100_000)["e0"].queue_veh <= most_veh, "nobody is added twice"


def test_a_gap_before_the_loop_proves_nothing() -> None:
    """At the stop line, or at a loop between: who stands farther out may wait to change lanes."""
    assert queue_veh(covered((45.0, 12_000), (120.0, 14_000))) < 3.0
    assert queue_veh(covered((1.0, 10_000), (120.0, 14_000))) < 3.0


def test_where_nothing_is_seen_of_the_stop_line_nothing_is_proven() -> None:
    watch = Watch(without(junction(), LOOPS[1.0]), events=covered((45.0, 12_000), (120.0, 14_000)))
    assert watch.until(40_000)["e0"].queue_veh < 3.0


def test_a_queue_that_somebody_has_left_may_have_gaps() -> None:
    """Until the loop is covered anew: whoever stands on it then came up behind the others."""
    first = cover(LOOPS[1.0], 10_000, 20_000)
    assert queue_veh([*first, *covered((1.0, 21_000), (45.0, 19_000))]) < 3.0
    assert queue_veh([*first, *covered((1.0, 21_000), (45.0, 26_000))]) >= 5.9


def test_a_queue_that_is_known_is_not_added_again() -> None:
    seen = [event for k in range(8) for event in cover(LOOPS[45.0], 2_000 + 2_000 * k, 2_600 + 2_000 * k)]
    assert queue_veh([*seen, *covered((1.0, 10_000), (45.0, 20_000))]) == pytest.approx(queue_veh([*seen, *covered((1.0, 10_000))]) + 1.0, abs=0.3)


def test_those_added_leave_one_by_one() -> None:
    leaving = [event for k in range(3) for event in cover(LOOPS[1.0], 40_000 + 2_000 * k, 41_000 + 2_000 * k)]
    events = [*cover(LOOPS[1.0], 10_000, 39_000), *cover(LOOPS[45.0], 12_000, 42_000), *leaving]
    watch = Watch(events=events)
    before_veh = watch.until(38_500)["e0"].queue_veh
    assert watch.until(46_000)["e0"].queue_veh == pytest.approx(before_veh - 4.0, abs=0.6)
