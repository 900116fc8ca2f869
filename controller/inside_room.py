"""How many who wait for a gap find room in a wide junction, where they hold up nobody who goes another way."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from controller.junction import Movement

CAR_M: Final = 7.5  # one who waits, with the gap behind him
APART_M: Final = 4.5  # farther than his own length a car must be in, until those behind get past him: measured (docs/decisions/0067-room-inside.md)


def room_veh(moves: Sequence[Movement], gives_way_to: Sequence[Collection[object]]) -> int:
    """Return how many of a lane's turners can wait while others of the lane pass them.

    ``gives_way_to``: for each of the lane's movements, whom it must let pass. None where all of them must yield: there is nobody to let past.
    """
    yielding = [m for m, first in zip(moves, gives_way_to, strict=True) if first]
    if not yielding or len(yielding) == len(moves):
        return 0
    usual = max(yielding, key=lambda m: m.share_ratio)
    return int(max(usual.wait_m - APART_M, 0.0) // CAR_M)
