"""Room for those who wait for a gap in a wide junction."""

from __future__ import annotations

import pytest

from controller.inside_room import room_veh
from controller.junction import Direction, Movement

AHEAD = Movement("a", "x", "V", Direction.STRAIGHT, 0.6)
FOES = frozenset({("b", "W")})


def left(wait_m: float, share_ratio: float = 0.3) -> Movement:
    return Movement("a", "y", "V", Direction.LEFT, share_ratio, yields_to=("b",), wait_m=wait_m)


@pytest.mark.parametrize(("wait_m", "veh"), [(0.0, 0), (8.7, 0), (11.9, 0), (12.0, 1), (19.4, 1), (19.6, 2)])
def test_a_car_needs_its_own_room_and_must_be_out_of_the_way(wait_m: float, veh: int) -> None:
    assert room_veh([AHEAD, left(wait_m)], [frozenset(), FOES]) == veh


def test_where_all_must_yield_nobody_is_to_be_let_past() -> None:
    assert room_veh([left(30.0)], [FOES]) == 0
    assert room_veh([AHEAD], [frozenset()]) == 0


def test_of_several_turns_the_usual_one_counts() -> None:
    back = left(30.0, 0.05)
    assert room_veh([AHEAD, left(12.0, 0.25), back], [frozenset(), FOES, FOES]) == 1
