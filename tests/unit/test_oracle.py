"""The perfect view: beliefs made of true positions, with what only loops can learn."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from support_control import SPEED_M_S, cover, junction

from controller.detection import Detection
from controller.junction import Junction
from controller.oracle import RANGE_M, OracleEstimator
from controller.snapshot import LaneBelief
from hardware.sumo_view import SeenVehicle, VehicleView

if TYPE_CHECKING:
    from hardware.sumo import SumoWorld

pytestmark = pytest.mark.quick

NS, NSL, EW, EWL = range(4)  # the links of the groups
NOW_MS = 100_000


@dataclass
class Car:
    link: int
    lane: str
    distance_m: float
    speed_m_s: float = SPEED_M_S
    waiting_s: float = 0.0


def beliefs(*cars: Car, of: Junction | None = None) -> dict[str, LaneBelief]:
    one = OracleEstimator(of or junction(), NOW_MS - 1_000, lambda: cars)
    one.update(NOW_MS, [], Detection(junction(), 0).states(), {})
    return one.beliefs(NOW_MS)


def test_a_free_vehicle_arrives_after_its_way_at_free_speed() -> None:
    (arrival_ms,) = beliefs(Car(EW, "e0", 125.0))["e0"].arrival_ms
    assert arrival_ms == NOW_MS + 10_000


def test_a_slow_vehicle_loses_time_to_accelerate() -> None:
    (arrival_ms,) = beliefs(Car(EW, "e0", 125.0, 5.0))["e0"].arrival_ms
    assert arrival_ms == pytest.approx(NOW_MS + 10_000 + 1000 * 7.5**2 / (2 * 2.6 * 12.5), abs=2)


def test_a_standing_vehicle_is_queue_since_it_stands() -> None:
    one = beliefs(Car(EW, "e0", 1.0, 0.0, 20.0), Car(EW, "e0", 125.0))["e0"]
    assert one.arrival_ms == (NOW_MS - 20_000, NOW_MS + 10_000)
    assert one.queue_veh == 1.0
    assert one.weight == (1.0, 1.0)


def test_vehicles_are_in_order_from_the_stop_line() -> None:
    one = beliefs(*(Car(EW, "e0", d) for d in (120.0, 20.0, 70.0)))["e0"]
    assert list(one.arrival_ms) == sorted(one.arrival_ms)


def test_a_vehicle_on_a_lane_that_does_not_lead_there_counts_once_on_those_that_do() -> None:
    one = beliefs(Car(EWL, "e0", 100.0))
    assert sum(one["e0"].weight) == 0.0
    assert sum(one["e1"].weight) + sum(one["w1"].weight) == pytest.approx(1.0)


def test_what_is_far_or_goes_elsewhere_is_not_seen() -> None:
    assert all(not b.arrival_ms for b in beliefs(Car(EW, "e0", RANGE_M + 1.0), Car(77, "e0", 10.0)).values())


def test_shares_are_those_of_the_first_vehicles() -> None:
    one = beliefs(Car(NSL, "n1", 5.0), Car(NS, "n0", 5.0))
    assert one["n1"].movement_ratio == (1.0,)
    assert sum(one["n0"].movement_ratio) == pytest.approx(1.0)


def test_the_first_vehicle_s_way_is_known_whatever_the_others_do() -> None:
    one = junction()
    turn = replace(one.movements[1], group="NSL")
    both = replace(one, movements=(one.movements[0], turn, *one.movements[2:]))
    cars = [Car(NSL, "n0", 5.0), *(Car(NS, "n0", 20.0 * k) for k in (1, 2, 3))]
    found = beliefs(*cars, of=both)["n0"]
    assert found.head_ratio == (0.0, 1.0)
    assert found.movement_ratio == pytest.approx((0.75, 0.25))
    assert beliefs(of=both)["n0"].head_ratio == pytest.approx((0.8, 0.2)), "nobody there: the learned shares"


def test_all_is_known_up_to_the_range_of_the_view() -> None:
    """So expected flow is added only beyond it, and nobody is counted twice."""
    assert beliefs()["n0"].known_ms == 1000 * RANGE_M / SPEED_M_S


class Vehicles:
    """SUMO's vehicle domain with vehicles that stand and have these lights ahead: (light, link, distance, letter)."""

    def __init__(self, **ahead: tuple[tuple[str, int, float, str], ...]) -> None:
        self._ahead = ahead

    def getIDList(self) -> tuple[str, ...]:
        return tuple(self._ahead)

    def getNextTLS(self, name: str) -> tuple[tuple[str, int, float, str], ...]:
        return self._ahead[name]

    def getLaneID(self, name: str) -> str:
        return f"lane of {name}"

    def getSpeed(self, name: str) -> float:
        return 0.0

    getWaitingTime = getSpeed  # noqa: N815 - SUMO's name


def test_a_vehicle_before_another_light_is_not_seen() -> None:
    """When it will pass that one nobody can know; to take its free travel time for it would promise vehicles that do not come."""
    near, far = ("A", 3, 40.0, "r"), ("B", 1, 140.0, "G")
    world = SimpleNamespace(now_ms=1_000, link=nullcontext, api=SimpleNamespace(vehicle=Vehicles(first=(near, far), second=(far,), free=())))
    view = VehicleView(cast("SumoWorld", world))
    assert view.before("A", RANGE_M) == [SeenVehicle(3, "lane of first", 40.0, 0.0, 0.0)]
    assert [seen.lane for seen in view.before("B", RANGE_M)] == ["lane of second"]


def test_an_empty_lane_has_the_learned_shares() -> None:
    assert beliefs()["n0"].movement_ratio == pytest.approx((0.8, 0.2))


def test_blocked_exits_come_from_the_loops() -> None:
    one = OracleEstimator(junction(), 0, list)
    detection = Detection(junction(), 0)
    edges, _ = detection.feed(cover("wout/x", 1_000, 90_000)[:1], 10_000)
    one.update(10_000, edges, detection.states(), {})
    assert one.blocked_exits() == {"wout"}
