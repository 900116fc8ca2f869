"""What is learned of a lane from its loops: headway, flow, blockage, exits; recall where the stop line is not seen."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support_control import ENTRY_M, SPEED_M_S, Road, Watch, belief, cover, drive, junction, lane_loops, shared_left, total, without

from controller.junction import Purpose
from controller.snapshot import LaneBelief
from hardware.ports import InputEvent, InputKind

pytestmark = pytest.mark.quick

EAST = ("e0", "e1")
FAULT = InputKind.DETECTOR_FAULT


def cycles(count: int, *, red_ms: int = 50_000, green_ms: int = 40_000) -> tuple[tuple[int, int], ...]:
    return tuple((t + red_ms, t + red_ms + green_ms) for t in range(0, count * (red_ms + green_ms), red_ms + green_ms))


def saturated(headway_ms: int, startup_ms: int = 1_200, count: int = 8) -> Watch:
    """Return a lane whose queue of 14 vehicles discharges in every green."""
    greens = cycles(count)
    entries = tuple(90_000 * k + 2_500 * i for k in range(count) for i in range(14))
    road = Road(entries, greens_ms=greens, headway_ms=headway_ms, startup_ms=startup_ms)
    return Watch(events=road.events("e0"), greens={"EW": greens}, tick_ms=1_000)


@pytest.mark.parametrize("headway_ms", [1_700, 2_100, 2_600])
def test_the_saturation_headway_is_learned_from_a_discharging_queue(headway_ms: int) -> None:
    watch = saturated(headway_ms)
    assert watch.until(720_000)["e0"].headway_ms == pytest.approx(headway_ms, rel=0.05)


def test_sparse_traffic_teaches_no_headway() -> None:
    """Vehicles that drive through on green, 3.2 s apart, do not show what the lane could carry."""
    watch = Watch(events=Road(tuple(range(1_000, 300_000, 3_200))).events("e0"), greens={"EW": ((0, 400_000),)}, tick_ms=1_000)
    before = watch.until(0)["e0"].headway_ms
    assert watch.until(340_000)["e0"].headway_ms == before


def test_what_one_lane_learns_stays_with_it() -> None:
    watch = saturated(2_600, count=4)
    before = watch.until(0)
    after = watch.until(360_000)
    assert after["e0"].headway_ms > before["e0"].headway_ms
    assert after["w0"] == before["w0"]


def test_the_flow_is_that_of_the_last_minutes() -> None:
    rate_s = 6
    watch = Watch(events=Road(tuple(range(1_000, 900_000, 1_000 * rate_s))).events("e0"), tick_ms=1_000)
    beliefs = watch.until(900_000)
    assert beliefs["e0"].flow_veh_s + beliefs["e1"].flow_veh_s == pytest.approx(1 / rate_s, rel=0.15)
    watch.tick_ms = 10_000
    watch.add(Road(tuple(range(900_000, 2_100_000, 20_000))).events("n0"))  # elsewhere traffic goes on: it is not the line that is silent
    later = watch.until(2_100_000)
    assert later["e0"].flow_veh_s < 0.01


def test_an_entry_counts_once_in_the_flow() -> None:
    """One vehicle passes four loops, and is one arrival."""
    one = Watch(events=Road((1_000,)).events("e0")).until(60_000)
    two = Watch(events=drive("e0/300", 1_000)).until(60_000)
    assert sum(one[x].flow_veh_s for x in EAST) == pytest.approx(sum(two[x].flow_veh_s for x in EAST))


def test_the_last_departure_is_told() -> None:
    road = Road((1_000, 5_000))
    watch = Watch(events=road.events("e0"))
    assert watch.until(60_000)["e0"].last_leave_ms == road.at(1, -4.0)


def test_arrivals_are_in_order_from_the_stop_line() -> None:
    watch = Watch(events=Road((1_000, 4_000, 9_000, 15_000, 20_000)).events("e0"))
    for now_ms in range(5_000, 45_000, 1_000):
        arrivals = watch.until(now_ms)["e0"].arrival_ms
        assert list(arrivals) == sorted(arrivals)


def lock_in(released_ms: int) -> Watch:
    """Return a lane whose first vehicle stands on its stop loop from 5 s on, through green from 20 s on, and leaves at last."""
    return Watch(events=cover("e0/1", 5_000, released_ms), greens={"EW": ((20_000, 100_000),)})


def test_a_lock_in_is_seen_after_eight_seconds_of_green() -> None:
    watch = lock_in(90_000)
    assert watch.until(27_500)["e0"].blocked_ms < 27_500, "the last vehicles of a long start-up"
    assert watch.until(28_500)["e0"].blocked_ms > 28_500
    assert watch.until(80_000)["e0"].blocked_ms > 80_000, "it lasts as long as nothing moves"
    assert watch.until(99_000)["e0"].blocked_ms < 99_000, "and ends when the lane discharges"


def test_a_red_lane_is_not_locked() -> None:
    watch = Watch(events=cover("e0/1", 5_000, 190_000), greens={"NS": ((20_000, 180_000),)})
    assert watch.until(180_000)["e0"].blocked_ms < 0


def test_a_discharging_queue_is_not_locked() -> None:
    watch = saturated(2_600, count=2)
    for now_ms in range(0, 180_000, 2_000):
        assert watch.until(now_ms)["e0"].blocked_ms < now_ms


@pytest.mark.parametrize(("from_ms", "expected"), [(4_000, frozenset({"wout"})), (9_700, frozenset())])
def test_an_exit_under_a_standing_vehicle_is_blocked(from_ms: int, expected: frozenset[str]) -> None:
    watch = Watch(events=cover("wout/x", from_ms, 30_000))
    watch.until(10_000)
    assert watch.estimator.blocked_exits() == expected
    watch.until(31_000)
    assert watch.estimator.blocked_exits() == frozenset()


def test_an_exit_loop_that_is_not_trusted_blocks_nothing() -> None:
    watch = Watch(events=[*cover("wout/x", 2_000, 60_000), InputEvent(3_000, FAULT, "wout/x", 1)])
    watch.until(20_000)
    assert watch.estimator.blocked_exits() == frozenset()


def waits(one: LaneBelief) -> bool:
    return one.queue_veh >= 1.0 and len(one.arrival_ms) >= 1


def test_a_lane_without_a_trusted_stop_loop_is_recalled() -> None:
    """Never read as "no demand": one vehicle is taken to wait until the loop is whole again."""
    watch = Watch(events=[InputEvent(2_000, FAULT, "e0/1", 1), InputEvent(50_000, FAULT, "e0/1", 0)])
    assert not waits(watch.until(1_000)["e0"])
    for now_ms in (5_000, 40_000):
        assert waits(watch.until(now_ms)["e0"])
        assert not waits(watch.until(now_ms)["e1"])
    assert not waits(watch.until(53_000)["e0"])


@pytest.mark.parametrize("stuck", [False, True])
def test_a_lane_with_a_dead_stop_loop_does_not_fill_for_ever(stuck: bool) -> None:
    """Vehicles that nobody sees leave: what is believed of the lane stays within what stands between its loops and the line."""
    road = Road(tuple(range(5_000, 800_000, 6_000)))
    names = {d: name for d, name in lane_loops("e0").items() if d > 1.0}
    stop = [InputEvent(1_000, InputKind.PRESENCE, "e0/1", 1)] if stuck else []
    watch = Watch(events=sorted([*road.events(names), *stop, InputEvent(2_000, FAULT, "e0/1", 1)]), tick_ms=1_000)
    most = max(len(watch.until(now_ms)["e0"].arrival_ms) for now_ms in range(0, 800_000, 10_000))
    assert 2 <= most <= 20


def test_a_stuck_stop_loop_that_is_still_trusted_does_not_fill_the_lane_beyond_its_storage() -> None:
    road = Road(tuple(range(5_000, 600_000, 3_000)))
    names = {d: name for d, name in lane_loops("e0").items() if d > 1.0}
    watch = Watch(events=sorted([*road.events(names), InputEvent(1_000, InputKind.PRESENCE, "e0/1", 1)]), tick_ms=1_000)
    most = max(total(watch.until(now_ms), EAST) for now_ms in range(0, 600_000, 10_000))
    assert most <= ENTRY_M / 5.0 + 4


def test_how_far_ahead_arrivals_are_known_is_the_travel_time_from_the_farthest_loop() -> None:
    assert Watch().until(1_000)["e0"].known_ms == pytest.approx(1000 * ENTRY_M / SPEED_M_S, rel=0.05)


def test_movement_shares_begin_with_the_junction_s_own() -> None:
    beliefs = Watch().until(1_000)
    assert beliefs["e0"].movement_ratio == pytest.approx((0.8, 0.2))
    assert beliefs["e1"].movement_ratio == (1.0,)


def test_the_same_edges_give_the_same_belief() -> None:
    first, second = saturated(2_100, count=2), saturated(2_100, count=2)
    for now_ms in range(0, 180_000, 5_000):
        assert first.until(now_ms) == second.until(now_ms)


def test_a_belief_made_by_hand_is_like_one_of_the_estimator() -> None:
    """The planners' tests build beliefs; they must have the shape of the product's."""
    real = Watch(events=Road((1_000,)).events("e0")).until(3_000)["e0"]
    assert set(type(real).__slots__) == set(type(belief([25_000])).__slots__)
    assert belief([25_000], 3_000).queue_veh == real.queue_veh == 0.0


@pytest.mark.parametrize(("groups", "waits"), [(("EW", "EWL"), True), (("EWL",), False)])
def test_a_first_vehicle_waits_for_a_gap_only_where_those_with_the_right_of_way_are_green(groups: tuple[str, ...], waits: bool) -> None:
    """In the stage of the left turns the opposite lane is green too, and vehicles stand on it, but its straight traffic is red."""
    watch = Watch(junction=shared_left(), greens=dict.fromkeys(groups, ((0, 60_000),)), tick_ms=1_000)
    watch.add(cover("e0/1", 2_000, 60_000), cover("w0/1", 2_000, 60_000))
    assert watch.until(8_000)["e0"].head_yields is waits


@pytest.mark.parametrize(("distance_m", "full_ms"), [(30.0, 4_000), (11.0, 500)])
def test_the_nearer_an_exit_loop_the_sooner_the_exit_counts_as_full(distance_m: float, full_ms: int) -> None:
    one = junction()
    near = replace(one, detectors=tuple(replace(d, distance_m=distance_m) if d.id == "wout/x" else d for d in one.detectors))
    watch = Watch(near, events=cover("wout/x", 4_000, 30_000))
    for now_ms, expected in ((4_000 + full_ms - 100, frozenset()), (4_000 + full_ms, frozenset({"wout"}))):
        watch.until(now_ms)
        assert watch.estimator.blocked_exits() == expected


@pytest.mark.parametrize(("short", "expected_veh"), [(True, 2.1), (False, 0.0)])
def test_who_comes_to_a_short_lane_that_is_full_stands_where_nobody_sees_it(short: bool, expected_veh: float) -> None:
    """Twenty vehicles in 300 s, then one stands on the only loop; others are expected behind it. A memory of 300 s knows 63 % of
    the rate by then, and less after a minute without anybody. A longer lane's loops see them."""
    one = junction()
    if short:
        one = without(one, *(d.id for d in one.detectors if "e0" in d.lanes and d.purpose in (Purpose.ADVANCE, Purpose.ENTRY)))
    passing = [event for k in range(20) for event in cover("e0/1", 5_000 + 15_000 * k, 6_000 + 15_000 * k)]
    watch = Watch(one, events=[*passing, *cover("e0/1", 305_000, 400_000)], greens={"EW": ((0, 304_000),)})
    assert watch.until(304_000)["e0"].hidden_veh == 0.0
    assert watch.until(365_000)["e0"].hidden_veh == pytest.approx(expected_veh, abs=0.3)
    assert watch.until(402_000)["e0"].hidden_veh == 0.0
