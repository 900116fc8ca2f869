"""What more of the present green is worth: vehicles that still pass, against those who wait meanwhile.

Who misses the green waits for the rest of the cycle. Who waits at red does so for as long as the green is held; but what a queue takes
from the others now it would take from them in the next cycle too, so only that time counts in which its lane does not run at saturation
flow. (The reasoning of MOVA: Vincent and Peirce, TRRL Research Report 170, 1988.)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from controller.snapshot import LaneBelief

STOP_S: Final = 4.0  # what a stop costs beyond the waiting: braking and getting up to speed again
_LIKELY: Final = 0.3  # expected vehicles from which somebody is taken to be there


@dataclass(frozen=True, slots=True)
class OpenLane:
    """A lane that loses its green, or some of it. ``open_ratio``: share of its vehicles that may pass now; ``headway_ms``: at which they do."""

    belief: LaneBelief
    open_ratio: float
    headway_ms: float


@dataclass(frozen=True, slots=True)
class ClosedLane:
    """A lane, and the share of its vehicles that may not pass now."""

    belief: LaneBelief
    closed_ratio: float


def departures(lane: OpenLane, now_ms: int, until_ms: int) -> Iterator[tuple[int, float]]:
    """Yield when each believed vehicle passes, if the green is held, and its weight: vehicles by which the waiting is saved."""
    belief = lane.belief
    if belief.blocked_ms > now_ms:
        return
    at_ms = max(now_ms, belief.last_leave_ms + lane.headway_ms)
    for arrival_ms, weight in zip(belief.arrival_ms, belief.weight, strict=True):
        at_ms = max(at_ms, arrival_ms)
        if at_ms > until_ms:
            return
        yield int(at_ms), weight * lane.open_ratio
        at_ms += lane.headway_ms * weight


def waiting_veh(closed: Iterable[ClosedLane], at_ms: int) -> float:
    """Return how many vehicles will wait at red then."""
    return sum(x.closed_ratio * sum(w for a, w in zip(x.belief.arrival_ms, x.belief.weight, strict=True) if a <= at_ms) for x in closed)


def worth_holding(lanes: Sequence[OpenLane], closed: Sequence[ClosedLane], red_s: float, now_ms: int, until_ms: int) -> tuple[float, int] | None:
    """Return how many vehicles a longer green serves, and until when, where it saves more than it costs; None where it does not.

    ``red_s``: how long who misses the green waits for the next; ``until_ms``: the latest end of the green.
    """
    passing = sorted((at_ms, i, weight) for i, lane in enumerate(lanes) for at_ms, weight in departures(lane, now_ms, until_ms))
    saved_veh, needs_ms = 0.0, [0.0] * len(lanes)
    best: tuple[float, float, int] | None = None
    for at_ms, i, weight in passing:
        saved_veh += weight
        needs_ms[i] += weight * lanes[i].headway_ms
        if saved_veh < _LIKELY:
            continue
        idle_s = max(at_ms - now_ms - max(needs_ms), 0.0) / 1000
        gain = saved_veh * (red_s + STOP_S) - idle_s * waiting_veh(closed, (now_ms + at_ms) // 2)
        if gain > 0.0 and (best is None or gain > best[0]):
            best = (gain, saved_veh, at_ms)
    return None if best is None else (best[1], best[2])
