"""A locked junction is cleared by some seconds of all red."""

from dataclasses import replace
from itertools import pairwise

import pytest
import support_control as support

from controller.clearing import (
    ALL_RED,
    CLEAR_MS,
    FORGET_MS,
    LONGEST_PAUSE_MS,
    MARGIN_MEMORY_MS,
    MARGIN_STEP_MS,
    MOST_MARGIN_MS,
    PAUSE_MS,
    SLOW_MS,
    STUCK_MS,
    Clearing,
    ClearingMargin,
    with_all_red,
)
from controller.lane_model import LaneModel

JUNCTION = with_all_red(support.junction())
NODE = JUNCTION.nodes[0]
LANE = JUNCTION.lanes[0].id


def snapshot(stuck_ms, now_ms=100_000, blocked=frozenset()):
    made = support.Scene(JUNCTION).snapshot()
    lanes = dict(made.lanes)
    lanes[LANE] = replace(lanes[LANE], stuck_ms=stuck_ms, blocked_ms=now_ms + 4_000)
    signals = replace(made.signals, earliest_leave_ms=0)
    return replace(made, now_ms=now_ms, lanes=lanes, blocked_exits=blocked, signals=signals)


def test_the_all_red_stage_comes_last_and_only_once() -> None:
    assert NODE.stages[-1].id == ALL_RED
    assert NODE.stages[-1].green == ()
    assert with_all_red(JUNCTION) == JUNCTION


def test_a_full_green_lane_that_nobody_leaves_is_cleared() -> None:
    one = Clearing(JUNCTION, NODE)
    assert one.plan(snapshot(STUCK_MS - 1)) is None
    plan = one.plan(snapshot(STUCK_MS))
    assert plan is not None
    assert [s.stage for s in plan.steps] == [len(NODE.stages) - 1]
    assert LANE in plan.reason
    assert one.active(100_000 + CLEAR_MS - 1)
    assert not one.active(100_000 + CLEAR_MS)


def test_between_two_clearings_the_stages_have_their_chance() -> None:
    one = Clearing(JUNCTION, NODE)
    assert one.plan(snapshot(STUCK_MS)) is not None
    over_ms = 100_000 + CLEAR_MS
    assert one.plan(snapshot(STUCK_MS, over_ms + PAUSE_MS - 1)) is None
    assert one.plan(snapshot(STUCK_MS, over_ms + PAUSE_MS)) is not None


def pauses_ms(one: Clearing, from_ms: int, count: int) -> list[int]:
    """Return how long the node rests after each of some clearings, while the lane stays stuck."""
    begun: list[int] = []
    for now_ms in range(from_ms, from_ms + 2_000_000, 1_000):
        if len(begun) <= count and one.plan(snapshot(STUCK_MS, now_ms)) is not None:
            begun.append(now_ms)
    return [later - earlier - CLEAR_MS for earlier, later in pairwise(begun)]


@pytest.mark.parametrize("begin_ms", [0, 21_600_000])
def test_clearings_that_do_not_help_come_ever_less_often(begin_ms: int) -> None:
    """The first pause is the short one whether the clock begins at 0 or in the morning."""
    one = Clearing(JUNCTION, NODE)
    assert pauses_ms(one, begin_ms, 6) == [PAUSE_MS, 2 * PAUSE_MS, 4 * PAUSE_MS, 8 * PAUSE_MS, LONGEST_PAUSE_MS, LONGEST_PAUSE_MS]


@pytest.mark.parametrize(("quiet_ms", "expected_ms"), [(FORGET_MS, 2 * PAUSE_MS), (FORGET_MS + 1_000, PAUSE_MS)])
def test_a_lock_long_after_the_last_one_is_another_one(quiet_ms: int, expected_ms: int) -> None:
    one = Clearing(JUNCTION, NODE)
    assert one.plan(snapshot(STUCK_MS, 0)) is not None
    assert pauses_ms(one, CLEAR_MS + PAUSE_MS + quiet_ms, 1) == [expected_ms]


def test_each_near_lock_adds_a_second_to_the_margin_up_to_a_bound() -> None:
    one = ClearingMargin([LANE])
    assert one.ms == 0
    for expected_ms in (1_000, 2_000, MOST_MARGIN_MS, MOST_MARGIN_MS):
        for stuck_ms in (0, SLOW_MS - 1, SLOW_MS, SLOW_MS + 1_000, STUCK_MS - 1):
            one.watch(snapshot(stuck_ms))
        assert one.ms == expected_ms, "a near lock counts once, however long it lasts"
        one.watch(snapshot(STUCK_MS))


def test_who_waits_for_a_gap_is_no_near_lock() -> None:
    one, seen = ClearingMargin([LANE]), snapshot(SLOW_MS)
    for seen_otherwise in ({"head_yields": True}, {"blocked_ms": seen.now_ms}):
        one.watch(replace(seen, lanes=seen.lanes | {LANE: replace(seen.lanes[LANE], **seen_otherwise)}))
        assert one.ms == 0
    one.watch(seen)
    assert one.ms == MARGIN_STEP_MS


def test_without_a_near_lock_the_margin_shrinks_again() -> None:
    one = ClearingMargin([LANE])
    one.watch(snapshot(SLOW_MS, 0))
    one.watch(snapshot(0, MARGIN_MEMORY_MS - 1))
    assert one.ms == MARGIN_STEP_MS
    one.watch(snapshot(0, MARGIN_MEMORY_MS))
    assert one.ms == 0


def test_what_happens_on_the_lanes_of_other_nodes_is_no_near_lock() -> None:
    one = ClearingMargin([x.id for x in JUNCTION.lanes if x.id != LANE])
    one.watch(snapshot(SLOW_MS))
    assert one.ms == 0


def test_a_full_exit_is_no_lock() -> None:
    exits = frozenset(m.exit for m in JUNCTION.movements if m.lane == LANE)
    assert Clearing(JUNCTION, NODE).plan(snapshot(STUCK_MS, blocked=exits)) is None


@pytest.mark.parametrize(("busy", "expected_ms"), [(frozenset(), 9_000), (frozenset({("opposite", "T")}), 2_997), (frozenset({("opposite", "L")}), 9_000)])
def test_green_time_without_departure_adds_up_slower_where_a_gap_is_needed(busy, expected_ms) -> None:
    move = replace(next(m for m in JUNCTION.movements if m.lane == LANE), share_ratio=1.0, yields_to=("opposite",))
    model = LaneModel((move,), (frozenset({("opposite", "T")}),))
    for now_ms in range(0, 10_000, 1_000):
        model.follow({move.group: 0}, busy, now_ms)
        model.wait(0, now_ms)
    assert model.stuck_ms == expected_ms
    model.leave(10_000, waited=True)
    assert model.stuck_ms == 0


@pytest.mark.parametrize(("full", "expected_ms"), [((), 9_000), (("a",), 2_000), (("b",), 2_000), (("a", "b"), 0)])
def test_who_stands_for_a_full_exit_is_not_locked(full, expected_ms) -> None:
    """By share: half of the vehicles go to each exit. After 5 s it is known that the first one wants the full one, for it could have gone."""
    first = next(m for m in JUNCTION.movements if m.lane == LANE)
    moves = tuple(replace(first, exit=to, share_ratio=0.5) for to in ("a", "b"))
    model = LaneModel(moves, (frozenset(), frozenset()))
    for now_ms in range(0, 10_000, 1_000):
        model.follow({first.group: 0}, frozenset(), now_ms, frozenset(full))
        model.wait(0, now_ms)
    assert model.stuck_ms == expected_ms


@pytest.mark.parametrize(("full", "closed"), [(frozenset(), True), (frozenset({"a"}), False)])
def test_a_full_exit_does_not_tell_that_the_first_vehicle_goes_another_way(full, closed) -> None:
    """Of two ways with groups of their own one is green; who stands before it goes the other way, or has no room."""
    first = next(m for m in JUNCTION.movements if m.lane == LANE)
    moves = replace(first, exit="a", share_ratio=0.5), replace(first, exit="b", group="other", share_ratio=0.5)
    model = LaneModel(moves, (frozenset(), frozenset()))
    for now_ms in range(0, 8_000, 1_000):
        model.follow({first.group: 0}, frozenset(), now_ms, full)
        model.wait(0, now_ms)
    assert bool(model.closed) is closed


def test_who_stands_although_one_way_is_free_goes_the_full_way() -> None:
    first = next(m for m in JUNCTION.movements if m.lane == LANE)
    moves = tuple(replace(first, exit=to, share_ratio=share) for to, share in (("a", 0.25), ("b", 0.75)))
    model = LaneModel(moves, (frozenset(), frozenset()))
    for now_ms in range(0, 8_000, 1_000):
        model.follow({first.group: 0}, frozenset(), now_ms, frozenset({"a"}))
        model.wait(0, now_ms)
        assert model.head_ratio() == ((1.0, 0.0) if now_ms >= 5_000 else (0.25, 0.75))
    model.leave(8_000, waited=True)
    assert model.head_ratio()[0] > 0.25, "and the lane learns it"


def test_turners_inside_the_junction_are_counted_until_a_gap_lets_them_go() -> None:
    move = replace(next(m for m in JUNCTION.movements if m.lane == LANE), share_ratio=1.0, yields_to=("opposite",))
    model = LaneModel((move,), (frozenset({("opposite", "T")}),))
    model.follow({move.group: 0}, frozenset({("opposite", "T")}), 1_000)
    model.leave(1_500, waited=False)
    assert model.inside_veh == pytest.approx(1.0)
    model.follow({move.group: 0}, frozenset(), 3_000)
    assert model.inside_veh == pytest.approx(1.0)
    model.follow({move.group: 0}, frozenset(), 6_000)
    assert model.inside_veh == 0.0


def test_where_only_clearings_release_turners_they_do_not_become_rare() -> None:
    """Others never leave a gap; each clearing lets somebody go."""
    one = Clearing(JUNCTION, NODE)
    begun: list[int] = []
    for now_ms in range(0, 400_000, 1_000):
        made = snapshot(STUCK_MS, now_ms)
        left_ms = begun[-1] + 1_000 if begun else 0
        lanes = {**made.lanes, LANE: replace(made.lanes[LANE], head_yields=True, last_leave_ms=left_ms)}
        if one.plan(replace(made, lanes=lanes)) is not None:
            begun.append(now_ms)
    assert {later - earlier for earlier, later in pairwise(begun)} == {CLEAR_MS + PAUSE_MS}


def test_a_lane_is_not_locked_when_its_exit_becomes_free() -> None:
    """It had stood for long, but could not have gone."""
    move = replace(next(m for m in JUNCTION.movements if m.lane == LANE), share_ratio=1.0)
    for full, expected in ((frozenset({move.exit}), False), (frozenset(), True)):
        model = LaneModel((move,), (frozenset(),))
        for now_ms in range(0, 20_000, 1_000):
            model.follow({move.group: 0}, frozenset(), now_ms, full if now_ms < 15_000 else frozenset())
            model.wait(0, now_ms)
        assert (model.blocked_ms > 19_000) is expected
