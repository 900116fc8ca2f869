"""Intergreens by geometry against examples computed by hand from RiLSA 2015, section 2.5, and ambers by speed (VwV-StVO, section 37)."""

from __future__ import annotations

from pathlib import Path

import pytest
from support_nets import tiny_net

from hardware.signals import GroupKind
from scenarios.geometry import conflict_point, nearest_approach
from scenarios.importer import import_lights
from scenarios.intergreens import amber_by_speed_ms, clearance_ms, intergreen_s

CAR, BIKE, TRAM, WALK = GroupKind.VEHICLE, GroupKind.BICYCLE, GroupKind.TRANSIT, GroupKind.PEDESTRIAN


def test_straight_clears_before_straight_enters() -> None:
    """20 m to the conflict and 6 m of vehicle at 10 m/s: 2.6 s after 3 s of crossing; 15 m to enter at 40 km/h: 1.35 s."""
    assert intergreen_s((CAR, "s"), 20.0, CAR, 15.0) == pytest.approx(3.0 + 2.6 - 1.35)


def test_turning_clears_before_straight_enters() -> None:
    """(14 m + 6 m) at 7 m/s: 2.857 s after 2 s; 25 m to enter: 2.25 s."""
    assert intergreen_s((CAR, "l"), 14.0, CAR, 25.0) == pytest.approx(2.0 + 20.0 / 7.0 - 2.25)


def test_straight_clears_before_pedestrians_enter_at_once() -> None:
    """Pedestrians may step onto the conflict point: no entering time. (24 + 6) / 10 + 3."""
    assert intergreen_s((CAR, "s"), 24.0, WALK, 9.0) == pytest.approx(6.0)


def test_pedestrians_clear_the_whole_crossing() -> None:
    """12 m at 1.2 m/s, no crossing time, no length; 5 m to enter by car: 0.45 s."""
    assert intergreen_s((WALK, "s"), 12.0, CAR, 5.0) == pytest.approx(10.0 - 0.45)
    assert clearance_ms(12.0) == 10_000
    assert clearance_ms(12.1) == 11_000


def test_bicycles_clear_and_enter() -> None:
    """20 m at 4 m/s after 1 s, no length; a bicycle enters at 5 m/s."""
    assert intergreen_s((BIKE, "s"), 20.0, CAR, 10.0) == pytest.approx(1.0 + 5.0 - 0.9)
    assert intergreen_s((CAR, "s"), 20.0, BIKE, 10.0) == pytest.approx(3.0 + 2.6 - 2.0)


def test_trams_are_fifteen_metres_long() -> None:
    assert intergreen_s((TRAM, "s"), 15.0, CAR, 0.0) == pytest.approx(3.0 + 3.0)


@pytest.mark.parametrize(
    ("speed_km_h", "amber_s"), [(30, 3), (50, 3), (50.04, 3), (54, 3), (56, 4), (60, 4), (64.9, 4), (65.1, 5), (70, 5), (79.99, 5), (100, 5)]
)
def test_amber_by_speed(speed_km_h: float, amber_s: int) -> None:
    assert amber_by_speed_ms(speed_km_h / 3.6) == 1000 * amber_s


def test_conflict_point_of_two_bent_ways() -> None:
    """The second leg (6 m east at height 4) crosses the vertical way at (3, 4): 4 + 3 along the one, 6 along the other."""
    assert conflict_point([(0, 0), (0, 4), (6, 4)], [(3, -2), (3, 10)]) == pytest.approx((7.0, 6.0))


def test_ways_that_merge_meet_at_their_ends() -> None:
    assert conflict_point([(0, 0), (10, 0)], [(5, -5), (10, 0)]) == pytest.approx((10.0, 50.0**0.5))


def test_parallel_ways_do_not_meet() -> None:
    assert conflict_point([(0, 0), (10, 0)], [(0, 3), (10, 3)]) is None
    assert nearest_approach([(0, 0), (10, 0)], [(12, 3), (20, 3)]) == pytest.approx((10.0, 0.0))


def test_street_intergreens_of_a_junction_by_hand(tmp_path: Path) -> None:
    """W -> E and S -> N cross at the origin, 10 m after each stop line: 3 + 16/10 - 10/11.11 = 3.7, rounded up 4 s.

    W -> N is a straight line from (-10, 0) to (0, 10), a left turn of 14.14 m that ends where S -> N has run 20 m:
    it clears in 2 + 20.14/7 - 20/11.11 = 3.08, so 4 s; S -> N clears before it in 3 + 26/10 - 14.14/11.11 = 4.33, so 5 s.
    """
    net = tiny_net(tmp_path / "n.net.xml", ["30 Grr", "3 yrr", "20 rGr", "3 ryr", "9 rrG", "3 rry"])
    (junction,) = import_lights(net, rules="street").junctions
    link = {g.links[0]: g.id for g in junction.groups}
    assert junction.intergreen_ms[link[0], link[1]] == 4000
    assert junction.intergreen_ms[link[1], link[0]] == 4000
    assert junction.intergreen_ms[link[2], link[1]] == 4000
    assert junction.intergreen_ms[link[1], link[2]] == 5000
    assert {g.min_green_ms for g in junction.groups} == {7000}
    assert {g.amber_ms for g in junction.groups} == {3000}
