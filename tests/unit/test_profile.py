"""The stored profile, and what stands in for a loop without trust: by this time of the week, by its neighbours, never nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from support_control import Road, Watch, cover, junction, lane_loops

from controller.blind_lanes import RECALL_MS
from controller.clock import ManualClock
from controller.profile import DAY, QUARTER_MS, Profile, week_ms_of
from controller.stand_in import LEAST_VEH_S, Flows
from hardware.ports import DetectorFault, InputEvent, InputKind

pytestmark = pytest.mark.quick

LOOPS = ("a", "b")
NINE = 9 * 4
SECOND_MS = 1_000


def test_a_quarter_is_told_from_what_was_counted_then() -> None:
    one = Profile(LOOPS)
    one.learn("a", NINE, 90)
    assert one.rate_veh_s("a", NINE * QUARTER_MS + 5_000) == pytest.approx(0.1)
    assert one.rate_veh_s("b", NINE * QUARTER_MS) is None


def test_one_unusual_day_moves_it_little() -> None:
    one = Profile(LOOPS)
    one.learn("a", NINE, 90)
    for _ in range(20):
        one.learn("a", NINE, 100)
    usual = one.rate_veh_s("a", NINE * QUARTER_MS)
    one.learn("a", NINE, 100_000)
    moved = one.rate_veh_s("a", NINE * QUARTER_MS)
    assert usual is not None
    assert moved is not None
    assert usual < moved < 1.7 * usual


def test_other_days_of_the_kind_tell_of_a_quarter_never_seen_and_the_quarters_before_of_a_first_day() -> None:
    one = Profile(LOOPS)
    one.learn("a", NINE, 90)
    assert one.rate_veh_s("a", (DAY + NINE) * QUARTER_MS) == pytest.approx(0.1), "Tuesday is like Monday"
    assert one.rate_veh_s("a", (5 * DAY + NINE) * QUARTER_MS) is None, "Saturday is not"
    assert one.rate_veh_s("a", (NINE + 1) * QUARTER_MS) == pytest.approx(0.1)
    assert one.rate_veh_s("a", (NINE + 20) * QUARTER_MS) is None


def test_what_is_learned_goes_through_json_and_other_data_is_refused() -> None:
    one, two = Profile(LOOPS), Profile(("a",))
    one.learn("a", NINE, 90)
    one.learn("b", 3, 7)
    two.recall(json.loads(json.dumps(one.learned())))
    assert two.learned()["quarters"] == {"a": {str(NINE): 90.0}}, "a loop that is no longer there is passed over"
    for wrong in ({}, [], {"format": 9, "quarters": {}}, {"format": 1, "quarters": {"a": {"700": 1}}}, {"format": 1, "quarters": {"a": {"1": "x"}}}):
        with pytest.raises(ValueError, match="detector profile"):
            two.recall(wrong)  # type: ignore[arg-type]
    assert two.learned()["quarters"] == {"a": {str(NINE): 90.0}}


def test_the_week_begins_on_monday() -> None:
    clock = ManualClock()
    one = Profile(LOOPS, week_ms_of(clock))
    now = clock.utc()
    monday = datetime(2024, 1, 1, tzinfo=UTC)
    assert one.quarter(clock.now_ms()) == int((now - monday).total_seconds() // 900) % (7 * DAY)


def test_a_profile_is_scaled_by_what_healthy_neighbours_see() -> None:
    """The lane beside has a third of its profile's traffic today: so has the broken one."""
    one = junction()
    profile = Profile([d.id for d in one.detectors])
    flows = Flows(one, profile, 0)
    for loop, veh in (("e0/1", 90), ("e1/1", 180)):
        profile.learn(loop, 0, veh)
    trusted = {d.id: d.id != "e0/1" for d in one.detectors}
    counts = dict.fromkeys(trusted, 0)
    changed = dict.fromkeys(trusted, True)
    for now_ms in range(5_000, 600_000, 5_000):
        counts["e1/1"] = now_ms // 10_000  # 0.1 a second, half of 180 in a quarter hour
        flows.look(counts, trusted, changed, (), now_ms)
    assert flows.instead_veh_s("e0/1", trusted, 600_000) == pytest.approx(0.05, rel=0.1)


def test_where_nothing_is_known_demand_is_assumed() -> None:
    one = junction()
    flows = Flows(one, Profile([d.id for d in one.detectors]), 0)
    assert flows.instead_veh_s("e0/1", {d.id: False for d in one.detectors}, 0) == LEAST_VEH_S


def broken(*names: str) -> list[InputEvent]:
    return [InputEvent(2_000, InputKind.DETECTOR_FAULT, name, DetectorFault.OPEN) for name in names]


def test_a_lane_without_any_trusted_loop_fills_at_red_and_empties_at_green() -> None:
    """Half as busy again as it was: 400 an hour before, so some 10 wait after a minute of red, and nobody after a green long enough."""
    road = Road(tuple(range(1_000, 600_000, 9_000)))
    names = lane_loops("e0")
    events = [e for e in road.events(names) if e.at_ms < 600_000]
    lost = [InputEvent(600_000, InputKind.DETECTOR_FAULT, name, DetectorFault.OPEN) for name in names.values()]
    watch = Watch(events=sorted([*events, *lost]), tick_ms=1_000, greens={"EW": ((0, 640_000), (700_000, 760_000))})
    watch.until(640_000)
    red = watch.until(700_000)["e0"].queue_veh
    assert 8.0 <= red <= 12.0
    assert watch.until(758_000)["e0"].queue_veh <= 1.0


def test_who_was_not_served_is_recalled_and_after_a_green_not_at_once() -> None:
    watch = Watch(events=broken(*lane_loops("e0").values()), tick_ms=1_000, greens={"EW": ((10_000, 30_000),)})
    assert watch.until(5_000)["e0"].queue_veh >= 1.0
    assert watch.until(29_000)["e0"].queue_veh < 1.0
    assert watch.until(30_000 + RECALL_MS + 2_000)["e0"].queue_veh >= 1.0


def test_vehicles_that_a_loop_farther_out_has_seen_leave_under_green() -> None:
    events = sorted([*broken("e0/1"), *(e for k in range(4) for e in cover("e0/45", 10_000 + 2_500 * k, 10_600 + 2_500 * k))])
    watch = Watch(events=events, tick_ms=1_000, greens={"EW": ((30_000, 60_000),)})
    assert watch.until(29_000)["e0"].queue_veh >= 3.5
    assert watch.until(59_000)["e0"].queue_veh < 1.0


def test_how_far_ahead_is_known_reaches_to_the_farthest_trusted_loop() -> None:
    whole = Watch(tick_ms=1_000).until(5_000)["e0"].known_ms
    assert Watch(events=broken("e0/300"), tick_ms=1_000).until(5_000)["e0"].known_ms < 0.5 * whole
