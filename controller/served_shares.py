"""Shares in thousandths: which part of a lane's vehicles a stage lets pass, and which part of those must yield."""

from __future__ import annotations

from typing import Final

from controller.node_model import Service
from controller.snapshot import LaneBelief

_WHOLE_MILLI: Final = 985  # a lane served this far counts as served whole


def yield_milli(serves: tuple[Service, ...], belief: LaneBelief) -> int:
    """Return which part of those that these ways let pass must yield."""
    served = sum(belief.movement_ratio[s.movement] for s in serves)
    yielding = [s for s in serves if s.foes]
    if len(yielding) == len(serves):
        return 1000 if yielding else 0
    if served <= 0.0:
        return 0
    milli = int(1000 * sum(belief.movement_ratio[s.movement] for s in yielding) / served)
    return 1000 if milli >= _WHOLE_MILLI else 0 if milli <= 1000 - _WHOLE_MILLI else milli


def phase_milli(belief: LaneBelief, yielding_milli: int) -> int:
    """Return where the pattern of yielding vehicles begins: half way, or so that the first vehicle yields where it is seen to."""
    return min(1000 - yielding_milli, 999) if belief.head_yields else 500


def served_milli(serves: tuple[Service, ...], belief: LaneBelief) -> int:
    """Return which part of the lane's vehicles these ways let pass; nothing where the first one goes another way."""
    if sum(belief.head_ratio[s.movement] for s in serves) < 0.02:
        return 0
    milli = int(1000 * sum(belief.movement_ratio[s.movement] for s in serves))
    return 1000 if milli >= _WHOLE_MILLI else milli
