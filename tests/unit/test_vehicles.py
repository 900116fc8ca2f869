"""Vehicles from loop to loop: born, moved, corrected, doubted; counted once whatever they do between the loops."""

from __future__ import annotations

import pytest
from support_control import SPEED_M_S, Road, Watch, drive, junction, lane_loops, total, without

from hardware.ports import DetectorFault, InputEvent, InputKind

pytestmark = pytest.mark.quick

EAST = ("e0", "e1")
NORTH = ("n0", "n1")
LEAST = 0.02


def certain(watch: Watch, end_ms: int, lanes: tuple[str, ...] = EAST) -> dict[str, int]:
    """Return per lane how many vehicles are believed there with some weight."""
    beliefs = watch.until(end_ms)
    return {x: round(sum(beliefs[x].weight)) for x in lanes}


def test_one_vehicle_is_followed_from_the_entry_to_the_stop_line() -> None:
    road = Road((10_000,))
    watch = Watch(events=road.events("e0"))
    assert total(watch.until(9_500), EAST) == 0.0
    line_ms = road.at(0, 0.0)
    for distance_m in (300.0, 120.0, 45.0, 1.0):
        on_ms = road.at(0, distance_m + 2.0)
        beliefs = watch.until(on_ms + 500)
        assert total(beliefs, EAST) == pytest.approx(1.0, abs=LEAST)
        (arrival_ms,) = beliefs["e0"].arrival_ms
        assert arrival_ms == pytest.approx(line_ms, abs=300)
    assert total(watch.until(road.at(0, -4.0) + 500), EAST) == 0.0


def test_the_nearer_the_surer() -> None:
    watch = Watch(events=Road((10_000,)).events("e0"))
    weights = [sum(watch.until(t)["e0"].weight) for t in (11_000, 26_000, 32_000)]
    assert weights == sorted(weights)
    assert 0.5 < weights[0] < 1.0, "at 300 m it may still change its lane"
    assert weights[-1] == pytest.approx(1.0, abs=LEAST)


def test_a_vehicle_is_no_queue_before_its_arrival() -> None:
    road = Road((10_000,), greens_ms=((90_000, 120_000),))
    watch = Watch(events=road.events("e0"))
    free_ms = road.at(0, 2.0)
    assert watch.until(free_ms - 1_000)["e0"].queue_veh == 0.0
    assert watch.until(free_ms + 5_000)["e0"].queue_veh == pytest.approx(1.0, abs=LEAST)
    assert watch.until(85_000)["e0"].queue_veh == pytest.approx(1.0, abs=LEAST), "it stands on its loop for a whole red"


def test_an_unseen_vehicle_is_created_at_the_stop_loop() -> None:
    watch = Watch(events=drive("e1/1", 10_000))
    beliefs = watch.until(10_300 + 200)
    assert total(beliefs, EAST) == 1.0
    assert beliefs["e1"].queue_veh + len(beliefs["e1"].arrival_ms) >= 1
    assert total(watch.until(12_000), EAST) == 0.0


@pytest.mark.parametrize("lost_at_m", [300.0, 120.0, 45.0])
def test_a_ghost_is_purged_when_the_loops_stay_quiet(lost_at_m: float) -> None:
    """A vehicle that turns into a yard never reaches the next loop."""
    road = Road((10_000,))
    names = {d: name for d, name in lane_loops("e0").items() if d >= lost_at_m}
    watch = Watch(events=road.events(names))
    seen_ms = road.at(0, lost_at_m)
    assert total(watch.until(seen_ms + 1_500), EAST) == pytest.approx(1.0, abs=LEAST)
    assert total(watch.until(seen_ms + 60_000), EAST) == 0.0


def test_a_waiting_queue_is_no_ghost() -> None:
    """Ten vehicles stand through a red of two minutes; nobody passes the loop that the last ones wait before."""
    red_ms = 140_000
    road = Road(tuple(range(0, 20_000, 2_000)), greens_ms=((red_ms, red_ms + 60_000),))
    watch = Watch(events=road.events("e0"))
    assert total(watch.until(red_ms), EAST) == pytest.approx(10.0, abs=0.2)


def test_a_queue_astride_a_loop_is_no_ghost() -> None:
    """Two vehicles stand before and behind the 45 m loop: it is free, though four more wait for it."""
    red_ms = 140_000
    road = Road(tuple(range(0, 20_000, 2_000)), greens_ms=((red_ms, red_ms + 60_000),))
    standing_ms = road.at(6, 47.0)
    watch = Watch(events=[e for e in road.events("e0") if e.source != "e0/45" or e.at_ms < standing_ms])
    assert total(watch.until(120_000), EAST) == pytest.approx(10.0, abs=0.2)


@pytest.mark.parametrize(("count", "red_ms"), [(3, 50_000), (10, 60_000), (20, 100_000), (32, 150_000)])
def test_the_count_stays_true_while_a_queue_grows_and_discharges(count: int, red_ms: int) -> None:
    """Every vehicle of a lane is passed on in order: none is left behind as a ghost, none is counted twice."""
    green = (red_ms, red_ms + 120_000)
    road = Road(tuple(range(0, 2_000 * count, 2_000)), greens_ms=(green,))
    watch = Watch(events=road.events("e0"), greens={"EW": (green,)})
    for now_ms in range(1_000, red_ms + 2_000 * count + 20_000, 1_000):
        assert total(watch.until(now_ms), EAST) == pytest.approx(road.inside(now_ms), abs=0.3), f"at {now_ms} ms"


def test_the_count_stays_true_over_many_cycles() -> None:
    greens = tuple((t, t + 25_000) for t in range(30_000, 600_000, 60_000))
    entries = tuple(t for k in range(9) for t in range(60_000 * k, 60_000 * k + 45_000, 4_500))
    road = Road(entries, greens_ms=greens)
    watch = Watch(events=road.events("e0"), greens={"EW": greens})
    for now_ms in range(1_000, 600_000, 5_000):
        assert total(watch.until(now_ms), EAST) == pytest.approx(road.inside(now_ms), abs=0.6), f"at {now_ms} ms"


def test_a_lane_change_is_counted_once() -> None:
    """Seen in lane 0 at 300 m, it turns up in lane 1 at 120 m."""
    straight = Road((10_000,))
    names = {300.0: "e0/300", 120.0: "e1/120", 45.0: "e1/45", 1.0: "e1/1"}
    watch = Watch(events=straight.events(names))
    assert certain(watch, 11_000) == {"e0": 1, "e1": 0}
    assert certain(watch, straight.at(0, 118.0) + 500) == {"e0": 0, "e1": 1}
    assert total(watch.until(straight.at(0, 118.0) + 500), EAST) == pytest.approx(1.0, abs=LEAST)
    assert total(watch.until(straight.at(0, -4.0) + 500), EAST) == 0.0


def test_a_lane_takes_its_own_vehicle_rather_than_a_neighbour() -> None:
    watch = Watch(events=sorted([*Road((10_000,)).events("e0"), *Road((10_400,)).events("e1")]))
    assert certain(watch, 27_000) == {"e0": 1, "e1": 1}
    assert certain(watch, 33_000) == {"e0": 1, "e1": 1}
    assert total(watch.until(40_000), EAST) == 0.0


def test_a_queue_that_moves_up_takes_nobody_from_the_lane_beside_it() -> None:
    """Ten vehicles have stood for a minute; that others come in time on the lane beside them makes these no likelier to have changed."""
    red_ms = 90_000
    queue = Road(tuple(range(0, 20_000, 2_000)), greens_ms=((red_ms, red_ms + 60_000),))
    beside = Road(tuple(range(0, 150_000, 5_000)))
    watch = Watch(events=sorted([*queue.events("e0"), *beside.events("e1")]), greens={"EW": ((red_ms, red_ms + 60_000),)})
    for now_ms in range(60_000, 125_000, 1_000):
        beliefs = watch.until(now_ms)
        for lane, road in (("e0", queue), ("e1", beside)):
            assert sum(beliefs[lane].weight) == pytest.approx(road.inside(now_ms), abs=1.2), f"{lane} at {now_ms} ms"


def test_a_shared_loop_before_a_widening_feeds_both_lanes() -> None:
    road = Road((10_000,))
    watch = Watch(events=road.events({300.0: "n/300"}))
    beliefs = watch.until(11_000)
    assert [sum(beliefs[x].weight) for x in NORTH] == pytest.approx([0.5, 0.5])


@pytest.mark.parametrize("lane", NORTH)
def test_the_lane_is_known_after_a_widening(lane: str) -> None:
    road = Road((10_000,))
    watch = Watch(events=road.events({**lane_loops(lane), 300.0: "n/300"}))
    other = next(x for x in NORTH if x != lane)
    assert certain(watch, road.at(0, 115.0) + 500, NORTH) == {lane: 1, other: 0}
    assert total(watch.until(road.at(0, -4.0) + 500), NORTH) == 0.0


def shares_after(count: int, every: int) -> list[float]:
    """Return the weights of a new vehicle at the shared loop after ``count`` of which every ``every``-th took the left lane."""
    watch = Watch(tick_ms=1_000)
    for k in range(count):
        lane = "n1" if k % every == 0 else "n0"
        watch.add(Road((20_000 * k + 1_000,)).events({**lane_loops(lane), 300.0: "n/300"}))
    last_ms = 20_000 * count + 60_000
    watch.add(drive("n/300", last_ms))
    beliefs = watch.until(last_ms + 1_500)
    return [sum(beliefs[x].weight) for x in NORTH]


def test_shares_are_learned_from_where_vehicles_turn_up() -> None:
    right, left = shares_after(80, 5)
    assert left == pytest.approx(0.2, abs=0.12)
    assert right + left == pytest.approx(1.0, abs=0.05)
    assert shares_after(60, 1)[1] > 0.9


def test_a_lane_whose_dead_stop_loop_said_that_nobody_uses_it_is_used_again_once_it_is_known() -> None:
    """And those who are seen in the lane beside it do not say so once more."""
    watch = Watch(tick_ms=1_000)
    dead = [d for d in lane_loops("n1").values() if d != "n/300"]
    for k in range(160):
        watch.add(Road((20_000 * k + 1_000,)).events({**lane_loops("n0"), 300.0: "n/300"} if k % 2 else {300.0: "n/300"}))
    lost_ms = 20_000 * 80
    watch.add([InputEvent(lost_ms, InputKind.DETECTOR_FAULT, name, DetectorFault.OPEN) for name in dead])
    watch.add(drive("n/300", lost_ms - 5_000))
    before = watch.until(lost_ms - 3_500)
    assert sum(before["n1"].weight) < 0.1
    last_ms = 20_000 * 160 + 60_000
    watch.add(drive("n/300", last_ms))
    after = watch.until(last_ms + 1_500)
    assert after["n1"].weight[-1] > 0.3


def test_vehicles_that_turn_off_before_the_stop_line_lower_the_expectation() -> None:
    watch = Watch(tick_ms=1_000)
    for k in range(80):
        watch.add(Road((20_000 * k + 1_000,)).events({**(lane_loops("n0") if k % 2 else {}), 300.0: "n/300"}))
    last_ms = 20_000 * 80 + 60_000
    watch.add(drive("n/300", last_ms))
    assert total(watch.until(last_ms + 1_500), NORTH) == pytest.approx(0.5, abs=0.2)


def test_farther_loops_learn_of_vehicles_that_turn_off_behind_the_next_one() -> None:
    """Three of four turn off behind the 45 m loop: so a vehicle at 300 m is expected as one fourth, though nearly all come as far as 45 m."""
    watch = Watch(tick_ms=1_000)
    for k in range(160):
        road, end_m = Road((20_000 * k + 1_000,)), 0.0 if k % 4 == 0 else 45.0
        watch.add(road.events({d: name for d, name in lane_loops("e0").items() if d >= end_m}))
    last_ms = 20_000 * 160 + 60_000
    watch.add(drive("e0/300", last_ms))
    assert total(watch.until(last_ms + 1_500), EAST) == pytest.approx(0.25, abs=0.2)


def test_the_pace_is_learned() -> None:
    """On a lane where all drive at 10 m/s instead of 12.5, arrivals are predicted for 10 m/s after a while."""

    def error_ms(count: int) -> int:
        roads = [Road((40_000 * k + 1_000,), speed_m_s=0.8 * SPEED_M_S) for k in range(count + 1)]
        watch = Watch(events=sorted(e for r in roads for e in r.events("e0")), tick_ms=1_000)
        last = roads[-1]
        beliefs = watch.until(last.at(0, 300.0) + 1_000)
        return abs(beliefs["e0"].arrival_ms[-1] - last.at(0, 0.0))

    assert error_ms(0) > 3_000
    assert error_ms(60) < 1_500


def test_a_slow_vehicle_is_expected_later() -> None:
    fast, slow = Watch(events=drive("e0/45", 10_000)), Watch(events=drive("e0/45", 10_000, 4.0))
    (fast_ms,), (slow_ms,) = (w.until(13_000)["e0"].arrival_ms for w in (fast, slow))
    # It accelerates at 2.6 m/s2 from 4 to 12.5 m/s within the 45 m left, and loses (12.5 - 4)2 / (2 * 2.6 * 12.5) = 1.1 s.
    assert slow_ms - fast_ms == pytest.approx(1_100, abs=300)


def test_two_vehicles_in_one_lane_stay_two() -> None:
    road = Road((10_000, 11_700))
    watch = Watch(events=road.events("e0"))
    for now_ms in range(12_500, road.at(0, -4.0), 500):
        assert certain(watch, now_ms)["e0"] == 2


def test_a_dead_advance_loop_costs_no_vehicle() -> None:
    """Without any edge from the 45 m loop, vehicles seen at 120 m are still counted out one by one at the stop line."""
    one = without(junction(), "e0/45")
    greens = ((60_000, 90_000),)
    road = Road(tuple(range(0, 12_000, 3_000)), greens_ms=greens)
    watch = Watch(junction=one, events=[e for e in road.events("e0") if e.source != "e0/45"], greens={"EW": greens})
    assert certain(watch, 100_000)["e0"] == 0
