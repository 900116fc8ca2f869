"""How far into the amber a queue discharges, learned from queues that the end of green has cut."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from support_control import SPEED_M_S, STOP_M, VEHICLE_M, Road, Watch, junction

from controller.lane_model import AMBER_USE_MS, REAR_MS, LaneModel

pytestmark = pytest.mark.quick

MOVE = next(m for m in junction().movements if m.lane == "e1")
END_MS, HEADWAY_MS = 30_000, 2_000
QUEUE_MS = tuple(END_MS - 9_000 + HEADWAY_MS * k for k in range(5))  # the last rear leaves 1 s before the end of green
LOW_MS, HIGH_MS, RATE = -1_500.0, 3_000.0, 0.1


def green_ends(
    leaves_ms: Sequence[int] = QUEUE_MS,
    stops_ms: int = END_MS + 1_500,
    *,
    waited: bool = True,
    red_ms: int = 20_000,
    model: LaneModel | None = None,
) -> LaneModel:
    """Let rears leave the stop loop at these times around the end of a green, and the next vehicle stand on it from ``stops_ms`` on."""
    model = model or LaneModel((MOVE,), (frozenset(),))
    left = list(leaves_ms)
    for now_ms in range(END_MS - 20_000, END_MS + red_ms, 1_000):
        green = END_MS - 20_000 if now_ms <= END_MS else None
        model.follow({MOVE.group: green}, frozenset(), now_ms, before_ms=now_ms - 1_000)
        while left and left[0] <= now_ms:
            model.leave(left.pop(0), waited=waited)
        if now_ms >= stops_ms:
            model.wait(stops_ms, now_ms)
    return model


@pytest.mark.parametrize("late_ms", [-1_000, 0, 1_600])
def test_a_queue_that_is_cut_went_on_half_a_headway_beyond_its_last_front(late_ms: int) -> None:
    last_ms = END_MS + late_ms
    model = green_ends([*QUEUE_MS[:-1], last_ms], last_ms + 1_500)
    seen_ms = late_ms - REAR_MS + model.headway_ms / 2
    assert model.amber_use_ms == pytest.approx(AMBER_USE_MS + RATE * (seen_ms - AMBER_USE_MS))


@pytest.mark.parametrize(("last_ms", "bound_ms"), [(END_MS - 6_000, LOW_MS), (END_MS + 9_000, HIGH_MS)])
def test_one_that_is_far_off_teaches_no_more_than_the_bound(last_ms: int, bound_ms: float) -> None:
    """A first vehicle that did not move in the last seconds of green, and one that drove on red."""
    model = LaneModel((MOVE,), (frozenset(),))
    leaves_ms = [*(END_MS - 14_000 + HEADWAY_MS * k for k in range(4)), last_ms]
    for _ in range(60):
        green_ends(leaves_ms, last_ms + 1_000, model=model)
        assert LOW_MS <= model.amber_use_ms <= HIGH_MS
    assert model.amber_use_ms == pytest.approx(bound_ms, abs=10.0)


@pytest.mark.parametrize(
    "changed",
    [
        {"stops_ms": QUEUE_MS[-1] + 4_001},
        {"stops_ms": END_MS + 90_000},
        {"leaves_ms": QUEUE_MS[-3:]},
        {"leaves_ms": ()},
        {"waited": False},
        {"red_ms": 3_000},
    ],
    ids=["the next one came later", "nobody came", "too few to be a queue", "nobody left", "they drove through", "amber may still be used"],
)
def test_nothing_is_learned_where_the_queue_was_over_or_cannot_be_told(changed: dict[str, object]) -> None:
    assert green_ends().amber_use_ms != AMBER_USE_MS
    assert green_ends(**changed).amber_use_ms == AMBER_USE_MS  # type: ignore[arg-type]


def test_one_end_of_green_teaches_once() -> None:
    assert green_ends(red_ms=60_000).amber_use_ms == green_ends(red_ms=10_000).amber_use_ms


@pytest.mark.parametrize("use_ms", [-1_000, 0, 1_500])
def test_the_use_of_the_amber_is_learned_from_the_loops(use_ms: int) -> None:
    """Sixty greens that cut a queue, each at another place between two vehicles."""
    shown, used, entries, at_ms = [], [], [], 20_000
    for k in range(60):
        end_ms = at_ms + 20_000 + 500 * (k % 4)
        shown.append((at_ms, end_ms))
        used.append((at_ms, end_ms + use_ms))
        entries += range(at_ms - 20_000, end_ms - 20_000, HEADWAY_MS)
        at_ms = end_ms + 20_000
    road = Road(tuple(sorted(entries)), greens_ms=tuple(used), headway_ms=HEADWAY_MS, startup_ms=2_250)
    watch = Watch(events=road.events("e0"), tick_ms=500)
    # As in the product, a tick first looks at what the last one showed, and then ends a green.
    watch.green_of = lambda now_ms: {g.id: next((a for a, b in shown if a < now_ms <= b and g.id == "EW"), None) for g in watch.junction.groups}
    rear_ms = 1000 * (VEHICLE_M - STOP_M) / SPEED_M_S  # these drive over the line at full speed
    assert watch.until(at_ms)["e0"].amber_use_ms == pytest.approx(use_ms + rear_ms - REAR_MS, abs=250)
