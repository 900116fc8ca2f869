"""The perfect view: beliefs made of true positions, with what only loops can learn."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from itertools import count
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from support_control import ENTRY_M, SPEED_M_S, cover, junction

from controller.detection import Detection
from controller.estimate import LoopEstimator
from controller.junction import Junction
from controller.oracle import RANGE_M, SEEN, Foresight, OracleEstimator, Part
from controller.snapshot import LaneBelief
from hardware.sumo_view import SeenVehicle, VehicleView

if TYPE_CHECKING:
    from hardware.sumo import SumoWorld

pytestmark = pytest.mark.quick

NOW_MS = 100_000
NUMBERS = count()


@dataclass
class Car:
    stop_lane: str
    distance_m: float
    speed_m_s: float = SPEED_M_S
    waiting_s: float = 0.0
    exit: str = ""
    name: str = field(default_factory=lambda: f"car {next(NUMBERS)}")


def beliefs(*cars: Car, of: Junction | None = None, parts: frozenset[Part] = SEEN, foresight: Foresight | None = None) -> dict[str, LaneBelief]:
    one = OracleEstimator(of or junction(), NOW_MS - 1_000, lambda: cars, parts, foresight)
    one.update(NOW_MS, [], Detection(junction(), 0).states(), {})
    return one.beliefs(NOW_MS)


def test_a_free_vehicle_arrives_after_its_way_at_free_speed() -> None:
    (arrival_ms,) = beliefs(Car("e0", 125.0))["e0"].arrival_ms
    assert arrival_ms == NOW_MS + 10_000


def test_a_slow_vehicle_loses_time_to_accelerate() -> None:
    (arrival_ms,) = beliefs(Car("e0", 125.0, 5.0))["e0"].arrival_ms
    assert arrival_ms == pytest.approx(NOW_MS + 10_000 + 1000 * 7.5**2 / (2 * 2.6 * 12.5), abs=2)


def test_a_standing_vehicle_is_queue_since_it_stands() -> None:
    one = beliefs(Car("e0", 1.0, 0.0, 20.0), Car("e0", 125.0))["e0"]
    assert one.arrival_ms == (NOW_MS - 20_000, NOW_MS + 10_000)
    assert one.queue_veh == 1.0
    assert one.weight == (1.0, 1.0)


def test_a_vehicle_that_something_holds_up_is_late_since_it_last_drove_freely() -> None:
    free = Car("e0", 125.0)
    held = [free]
    one = OracleEstimator(junction(), NOW_MS - 1_000, lambda: held, SEEN)
    one.update(NOW_MS, [], Detection(junction(), 0).states(), {})
    assert one.beliefs(NOW_MS)["e0"].arrival_ms == (NOW_MS + 10_000,)
    held[0] = replace(free, distance_m=112.5)
    assert one.beliefs(NOW_MS + 2_000)["e0"].arrival_ms == (NOW_MS + 11_000,), "it was a little slower than thought"
    held[0] = replace(free, distance_m=60.0, speed_m_s=2.0)
    assert one.beliefs(NOW_MS + 12_000)["e0"].arrival_ms == (NOW_MS + 11_000,)
    assert one.beliefs(NOW_MS + 12_000)["e0"].queue_veh == 1.0


def test_vehicles_are_in_order_from_the_stop_line() -> None:
    one = beliefs(*(Car("e0", d) for d in (120.0, 20.0, 70.0)))["e0"]
    assert list(one.arrival_ms) == sorted(one.arrival_ms)


def test_what_is_far_or_goes_elsewhere_is_not_seen() -> None:
    assert all(not b.arrival_ms for b in beliefs(Car("e0", RANGE_M + 1.0), Car("", 10.0)).values())


def test_each_vehicle_s_way_is_known_and_the_shares_are_those_of_the_first() -> None:
    cars = [Car("n0", 5.0, exit="wout"), *(Car("n0", 20.0 * k, exit="sout") for k in (1, 2, 3, 4))]
    one = beliefs(*cars)["n0"]
    assert one.ways == (1, 0, 0, 0, 0)
    assert one.head_ratio == (0.0, 1.0)
    assert one.movement_ratio == (0.75, 0.25)
    assert beliefs(Car("n0", 5.0, exit="nowhere"))["n0"].ways == ()


def test_an_empty_lane_has_the_learned_shares() -> None:
    one = beliefs()["n0"]
    assert one.movement_ratio == pytest.approx((0.8, 0.2))
    assert one.head_ratio == pytest.approx((0.8, 0.2))


def test_flow_is_expected_from_where_the_loops_end() -> None:
    """What is farther out stands before another light or is not there yet: the perfect view does not know of it either."""
    assert beliefs()["n0"].known_ms == 1000 * ENTRY_M / SPEED_M_S


def test_only_those_inside_who_must_yield_are_waited_for() -> None:
    one = beliefs(Car("e1", -5.0, exit="sout"), Car("e0", -5.0, exit="wout"))
    assert (one["e1"].inside_veh, one["e0"].inside_veh) == (1.0, 0.0)
    assert one["e1"].arrival_ms == ()
    assert beliefs(Car("e1", -5.0, exit="sout"), parts=frozenset({Part.POSITIONS}))["e1"].inside_veh == 0.0


def passed(one: OracleEstimator, *loops: str) -> None:
    """Let one vehicle after the other pass the loops, a second apart."""
    detection = Detection(junction(), 0)
    events = [e for k, loop in enumerate(loops) for e in cover(loop, 1_000 + 1_000 * k, 1_400 + 1_000 * k)]
    edges, _ = detection.feed(events, 4_000)
    one.update(4_000, edges, detection.states(), {})


def test_the_lane_split_moves_the_vehicles_that_the_loops_know_of() -> None:
    cars = [Car("n1", 100.0), Car("n0", 150.0)]
    one = OracleEstimator(junction(), 0, lambda: cars, frozenset({Part.LANES}))
    passed(one, "n/300", "n/300", "n/300")
    found, learned = one.beliefs(4_000), loops_of("n/300", "n/300", "n/300")
    assert found["n1"].arrival_ms[0] == learned["n1"].arrival_ms[0]
    assert found["n1"].weight[0] == pytest.approx(1.0)
    assert found["n0"].arrival_ms[0] == learned["n0"].arrival_ms[1]
    assert sum(found["n0"].weight) + sum(found["n1"].weight) == pytest.approx(3.0), "who is not seen keeps its shares"
    assert found["n0"].ways == ()


def loops_of(*loops: str) -> dict[str, LaneBelief]:
    one = OracleEstimator(junction(), 0, list, frozenset())
    passed(one, *loops)
    return one.beliefs(4_000)


def test_without_parts_it_is_the_estimator_from_loops() -> None:
    one = LoopEstimator(junction(), 0)
    detection = Detection(junction(), 0)
    edges, _ = detection.feed([*cover("n/300", 1_000, 1_400), *cover("e0/45", 2_000, 2_400)], 4_000)
    one.update(4_000, edges, detection.states(), {})
    assert loops_of("n/300", "e0/45") == one.beliefs(4_000)


def test_ways_alone_are_told_of_the_vehicles_that_the_loops_know_of() -> None:
    one = OracleEstimator(junction(), 0, lambda: [Car("e0", 30.0, exit="nout")], frozenset({Part.WAYS}))
    passed(one, "e0/45")
    found = one.beliefs(4_000)["e0"]
    assert found.ways == (1,)
    assert found.arrival_ms == loops_of("e0/45")["e0"].arrival_ms


def test_what_a_run_before_tells() -> None:
    later = Foresight({"e0": (1_800, 900), "lane of another light": (1_700, 800)}, {"e0/300": [NOW_MS - 1, NOW_MS + 5_000, NOW_MS + 10**6]})
    found = beliefs(parts=frozenset({Part.DISCHARGE, Part.COMING}), foresight=later)
    assert (found["e0"].headway_ms, found["e0"].startup_ms) == (1_800, 900)
    assert found["e0"].arrival_ms == (NOW_MS + 5_000 + 24_000,)
    assert found["e0"].weight[0] + found["e1"].weight[0] == pytest.approx(1.0)
    assert found["n0"].flow_veh_s == 0.0
    learned = beliefs(parts=frozenset())
    assert (found["n0"].headway_ms, found["n0"].startup_ms) == (learned["n0"].headway_ms, learned["n0"].startup_ms)


class Vehicles:
    """SUMO's vehicle domain with vehicles that stand and have these lights ahead: (light, link, distance, letter)."""

    def __init__(self, **ahead: tuple[tuple[str, int, float, str], ...]) -> None:
        self._ahead = ahead

    def getIDList(self) -> tuple[str, ...]:
        return tuple(self._ahead)

    def getNextTLS(self, name: str) -> tuple[tuple[str, int, float, str], ...]:
        return self._ahead[name]

    def getLaneID(self, name: str) -> str:
        return ":A_0" if name == "turning" else f"lane of {name}"

    def getLanePosition(self, name: str) -> float:
        return 7.0

    def getSpeed(self, name: str) -> float:
        return 0.0

    getWaitingTime = getSpeed  # noqa: N815 - SUMO's name


def test_a_vehicle_before_another_light_is_not_seen() -> None:
    """When it will pass that one nobody can know; to take its free travel time for it would promise vehicles that do not come."""
    near, far = ("A", 3, 40.0, "r"), ("B", 1, 140.0, "G")
    view = view_of(Vehicles(first=(near, far), second=(far,), free=()))
    assert view.before("A", RANGE_M) == [SeenVehicle(3, "lane of first", 40.0, 0.0, 0.0, "a", "x", "first")]
    assert [seen.lane for seen in view.before("B", RANGE_M)] == ["lane of second"]


class Lights:
    """SUMO's lights: B has one way per link but none for its crossing; of A's link 3 two lanes may use one."""

    def getIDList(self) -> tuple[str, ...]:
        return "A", "B"

    def getControlledLinks(self, name: str) -> list[list[tuple[str, str, str]]]:
        if name == "B":
            return [[(":walk", "w", ":B_9")], [("b", "y", ":B_1")]]
        return [[], [], [], [("a", "x", ":A_0"), ("lane of beside", "z", ":A_1")]]


def view_of(vehicles: Vehicles) -> VehicleView:
    world = SimpleNamespace(now_ms=1_000, link=nullcontext, api=SimpleNamespace(vehicle=vehicles, trafficlight=Lights()))
    return VehicleView(cast("SumoWorld", world))


def test_the_way_over_the_junction_is_that_of_the_vehicle_s_own_lane() -> None:
    view = view_of(Vehicles(beside=(("A", 3, 5.0, "r"),), walks=(("B", 0, 5.0, "r"),)))
    assert [(v.stop_lane, v.exit) for v in view.before("A", RANGE_M)] == [("lane of beside", "z")]
    assert [(v.stop_lane, v.exit) for v in view.before("B", RANGE_M)] == [("", "")]
    assert view.inside("A") == []


def test_who_is_on_the_junction_is_told_apart() -> None:
    view = view_of(Vehicles(turning=(("B", 1, 90.0, "r"),)))
    assert view.inside("A") == [SeenVehicle(3, ":A_0", -7.0, 0.0, 0.0, "a", "x", "turning")]
    assert len(view.before("B", RANGE_M)) == 1


def test_blocked_exits_come_from_the_loops() -> None:
    one = OracleEstimator(junction(), 0, list)
    detection = Detection(junction(), 0)
    edges, _ = detection.feed(cover("wout/x", 1_000, 90_000)[:1], 10_000)
    one.update(10_000, edges, detection.states(), {})
    assert one.blocked_exits() == {"wout"}
