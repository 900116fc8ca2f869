"""Edges in, trusted states out: repeated values, order, and how a loop loses and regains trust."""

from __future__ import annotations

import pytest
from support_control import cover, drive, junction

from controller.detection import Detection, Edge, HealthEvent
from controller.detector_rules import HOLD_DOWN_MS, LIMITS, Fault, limits_of
from controller.junction import Purpose
from hardware.ports import InputEvent, InputKind

pytestmark = pytest.mark.quick

LOOP = "e0/45"
LIMIT = LIMITS[Purpose.ADVANCE]


def presence(at_ms: int, value: int, loop: str = LOOP) -> InputEvent:
    return InputEvent(at_ms, InputKind.PRESENCE, loop, value)


def fault(at_ms: int, value: int) -> InputEvent:
    return InputEvent(at_ms, InputKind.DETECTOR_FAULT, LOOP, value)


def detection() -> Detection:
    return Detection(junction(), 0)


def advance(one: Detection, from_ms: int, to_ms: int, step_ms: int = 1_000) -> list[HealthEvent]:
    """Feed ticks without events; return what changed in trust."""
    return [h for now_ms in range(from_ms, to_ms + 1, step_ms) for h in one.feed([], now_ms)[1]]


def brief(edges: list[Edge]) -> list[tuple[int, str, bool, int]]:
    return [(e.at_ms, e.detector.id, e.on, e.occupied_ms) for e in edges]


def test_an_edge_tells_time_loop_and_how_long_it_was_covered() -> None:
    edges, health = detection().feed(cover(LOOP, 1_234, 1_801), 2_000)
    assert brief(edges) == [(1_234, LOOP, True, 0), (1_801, LOOP, False, 567)]
    assert health == []


def test_repeated_values_are_dropped_and_do_not_disturb_the_occupied_time() -> None:
    one = detection()
    events = [presence(500, 0), presence(1_000, 1), presence(1_200, 1), presence(1_500, 0), presence(1_600, 0)]
    edges, _ = one.feed(events, 2_000)
    assert brief(edges) == [(1_000, LOOP, True, 0), (1_500, LOOP, False, 500)]
    assert one.state(LOOP).count == 1


def test_edges_of_several_loops_keep_their_order() -> None:
    events = sorted([*drive("e0/45", 1_100), *drive("n/300", 1_050), *drive("e1/1", 1_300)])
    edges, _ = detection().feed(events, 3_000)
    assert [e.at_ms for e in edges] == [e.at_ms for e in events]
    assert [e.detector.id for e in edges] == [e.source for e in events]


def test_the_state_is_that_of_the_last_edge() -> None:
    one = detection()
    one.feed([*cover(LOOP, 1_000, 1_500), presence(1_900, 1)], 2_000)
    state = one.state(LOOP)
    assert (state.trusted, state.occupied, state.changed_ms, state.count) == (True, True, 1_900, 1)
    assert one.states()[LOOP] == state
    assert set(one.states()) == {d.id for d in junction().detectors}


def test_unknown_sources_and_other_inputs_are_left_to_others() -> None:
    one = detection()
    before = one.states()
    edges, health = one.feed([presence(900, 1, "elsewhere"), InputEvent(950, InputKind.PUSH_BUTTON, LOOP, 1), InputEvent(960, InputKind.COUNT, LOOP, 3)], 1_000)
    assert (edges, health) == ([], [])
    assert one.states() == before
    with pytest.raises(KeyError):
        one.state("elsewhere")


def test_a_device_fault_takes_the_trust_and_gives_it_back() -> None:
    one = detection()
    _, lost = one.feed([fault(900, 1)], 1_000)
    assert [(h.detector, h.trusted) for h in lost] == [(LOOP, False)]
    assert "fault" in lost[0].why
    edges, again = one.feed(cover(LOOP, 1_500, 1_900), 2_000)
    assert (edges, again) == ([], []), "an untrusted loop gives no edges, and is reported once"
    assert not one.state(LOOP).trusted
    _, regained = one.feed([fault(2_500, 0)], 3_000)
    assert [(h.detector, h.trusted) for h in regained] == [(LOOP, True)]
    edges, _ = one.feed(cover(LOOP, 3_200, 3_700), 4_000)
    assert brief(edges) == [(3_200, LOOP, True, 0), (3_700, LOOP, False, 500)]


def test_no_other_loop_suffers_with_a_faulty_one() -> None:
    one = detection()
    edges, _ = one.feed([fault(900, 1), *cover("e1/45", 950, 990)], 1_000)
    one.feed([], 2_000)
    assert [e.detector.id for e in edges] == ["e1/45", "e1/45"]
    assert [i for i, s in one.states().items() if not s.trusted] == [LOOP]


def test_a_stuck_loop_loses_trust_and_regains_it_when_it_is_left() -> None:
    one = detection()
    one.feed([presence(1_000, 1)], 1_000)
    assert advance(one, 2_000, 1_000 + LIMIT.max_occupied_ms, 30_000) == []
    (lost,) = advance(one, 3_000 + LIMIT.max_occupied_ms, 8_000 + LIMIT.max_occupied_ms)
    assert (lost.detector, lost.trusted) == (LOOP, False)
    assert "covered" in lost.why
    assert lost.fault is Fault.STUCK_ON
    free_ms = 20_000 + LIMIT.max_occupied_ms
    edges, health = one.feed([presence(free_ms, 0)], free_ms)
    assert edges == [], "how long the last vehicle stood is unknown"
    assert health == [], "it must have been plausible for some time"
    again = advance(one, free_ms + 1_000, free_ms + HOLD_DOWN_MS[Fault.STUCK_ON] + 2_000)
    assert [(h.trusted, h.fault) for h in again] == [(True, Fault.STUCK_ON)]


def test_a_silent_loop_loses_trust() -> None:
    one = detection()
    assert advance(one, 0, LIMIT.max_silence_ms, 600_000) == []
    lost = advance(one, LIMIT.max_silence_ms + 1_000, LIMIT.max_silence_ms + 4_000)
    assert LOOP in {h.detector for h in lost}
    assert all("silent" in h.why for h in lost)


def chatter(start_ms: int) -> list[InputEvent]:
    return [presence(start_ms + 50 * k, (k + 1) % 2) for k in range(30)]


def test_a_chattering_loop_loses_trust_for_a_while_and_regains_it() -> None:
    one = detection()
    one.feed(chatter(1_000), 2_500)
    lost = advance(one, 3_000, 6_000)
    assert not one.state(LOOP).trusted
    assert len(lost) <= 1
    assert one.feed(drive(LOOP, 10_000), 11_000)[0] == []
    regained = advance(one, 12_000, 300_000)
    assert [h.trusted for h in regained] == [True]
    assert len(one.feed(drive(LOOP, 301_000), 302_000)[0]) == 2


def test_one_vehicle_in_the_middle_does_not_end_the_distrust_of_chatter() -> None:
    """The last burst counts, not the last edge: a chattering loop is not healed by an edge a moment later."""
    one = detection()
    one.feed(chatter(1_000), 2_500)
    one.feed([], 3_500)
    one.feed(drive(LOOP, 6_000), 7_000)
    advance(one, 8_000, 20_000)
    assert not one.state(LOOP).trusted


def test_dense_traffic_is_no_chatter() -> None:
    one = detection()
    health = []
    for k in range(300):
        events = [e for loop in ("n/300", LOOP, "e0/1") for e in cover(loop, 1_000 * k + 100, 1_000 * k + 600)]
        _, found = one.feed(sorted(events), 1_000 * k + 1_000)
        health += [h for h in found if h.detector == LOOP]
    assert health == []
    assert one.state(LOOP).count == 300


def test_health_is_judged_with_the_clock_of_the_ticks() -> None:
    """Whatever the tick, a fault is told within about a second."""
    for step_ms in (100, 500, 1_000):
        one = detection()
        lost = [h for now_ms in range(0, 5_000, step_ms) for h in one.feed([fault(1_900, 1)] if now_ms == 2_000 else [], now_ms)[1]]
        assert len(lost) == 1
        assert 2_000 <= lost[0].at_ms <= 3_000


def test_a_loop_may_be_silent_for_as_long_as_its_site_says() -> None:
    own = Detection(junction(), 0, limits={LOOP: limits_of(Purpose.ADVANCE, 72, 3_600)})
    day_ms = LIMIT.max_silence_ms
    lost = {h.detector for h in advance(own, day_ms, day_ms + 60_000, 10_000)}
    assert lost == {d.id for d in junction().detectors} - {LOOP}
    assert {h.detector for h in advance(own, 3 * day_ms, 3 * day_ms + 60_000, 10_000)} == {LOOP}


def test_bicycles_side_by_side_are_no_chatter_where_the_site_says_so() -> None:
    # 2 in a second, each over the loop for 300 ms and 200 ms behind the one before, for four minutes
    crowd = [e for at_ms in range(1_000, 241_000, 500) for e in cover(LOOP, at_ms, at_ms + 300)]
    _, usual = detection().feed(crowd, 242_000)
    assert [h.fault for h in usual] == [Fault.CHATTER]
    _, own = Detection(junction(), 0, limits={LOOP: limits_of(Purpose.ADVANCE, 24, 9_000)}).feed(crowd, 242_000)
    assert own == []


def test_the_usual_limits_are_those_of_a_site_that_gives_none() -> None:
    assert limits_of(Purpose.ADVANCE, 24, 3_600) == LIMIT
