"""The perfect view: beliefs made of true positions, with what only loops can learn."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from support_control import SPEED_M_S, cover, junction

from controller.detection import Detection
from controller.oracle import RANGE_M, OracleEstimator
from controller.snapshot import LaneBelief

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


def beliefs(*cars: Car) -> dict[str, LaneBelief]:
    one = OracleEstimator(junction(), NOW_MS - 1_000, lambda: cars)
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


def test_an_empty_lane_has_the_learned_shares() -> None:
    assert beliefs()["n0"].movement_ratio == pytest.approx((0.8, 0.2))


def test_blocked_exits_come_from_the_loops() -> None:
    one = OracleEstimator(junction(), 0, list)
    detection = Detection(junction(), 0)
    edges, _ = detection.feed(cover("wout/x", 1_000, 90_000)[:1], 10_000)
    one.update(10_000, edges, detection.states(), {})
    assert one.blocked_exits() == {"wout"}
