"""Which stop line those who pass a loop will reach, told by counts and not by who was taken for whom.

Who is taken for whom confirms itself: while lanes side by side are full, a vehicle of one is taken for one of the other, and the oftener that
happened, the oftener it will. Counts cannot be led astray so. Where loops side by side see all who come to the stop lines of an approach, the
shares are those of the table between both rows that has the counted sums and is nearest to what is known beforehand, which is that few
drivers change lanes so late (iterative proportional fitting: W. E. Deming and F. F. Stephan, Annals of Mathematical Statistics 11, 1940).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from controller.junction import Detector, Purpose

_CHANGE_RATIO_PER_M: Final = 0.0007  # prior chance of a lane change, per metre
LEAST_SHARE: Final = 0.03  # what was never seen may still happen
_MOST_CHANGE_RATIO: Final = 0.2
_PRIOR_VEH: Final = 20.0  # the prior weighs like so many vehicles at each loop
_MEMORY_VEH: Final = 300.0  # beyond, all counts are halved
_EVERY_VEH: Final = 10  # counts between two fits
_SWEEPS: Final = 15
_WHOLE_RATIO: Final = 0.1  # the sums of both rows may differ by this: some stand between them
SAME_HEIGHT_M: Final = 10.0


def row_before(d: Detector, loops: Mapping[str, Detector], approach: Mapping[str, str]) -> tuple[str, ...]:
    """Return the loops side by side before ``d``, one of which all pass who come to it; nothing where there is a way around them.

    ``loops``: all but those at exits, in whose order the row is; ``approach``: by lane.
    """
    before = [loops[x].distance_m for x in d.upstream if x in loops]
    if not before:
        return ()
    mine = _lanes_of(approach, approach[d.lanes[0]])
    row = [i for i, o in loops.items() if abs(o.distance_m - min(before)) < SAME_HEIGHT_M and mine.issuperset(o.lanes)]
    return tuple(row) if mine == {x for i in row for x in loops[i].lanes} else ()


def first_shares(fed: Sequence[str], others: Sequence[str], way_m: float) -> dict[str, float]:
    """Return how likely a loop's vehicles reach which lane, as far as is known beforehand: those it feeds are equally likely, few change to others.

    ``way_m``: over which they may change.
    """
    change = min(_CHANGE_RATIO_PER_M * way_m, _MOST_CHANGE_RATIO) if others else 0.0
    return {x: (1.0 - change) / len(fed) for x in fed} | {x: change / len(others) for x in others}


class LaneShares:
    """One approach: its stop lines, the row of loops before them, and who went from which loop to which lane."""

    def __init__(self, before: Sequence[Detector], stop: Sequence[Detector]) -> None:
        self._lanes = {d.id: d.lanes[0] for d in stop}
        way_m = min(d.distance_m for d in before) - max(d.distance_m for d in stop)
        self._prior = {d.id: first_shares(d.lanes, [x for x in self._lanes.values() if x not in d.lanes], way_m) for d in before}
        self.loops = frozenset([*self._prior, *self._lanes])
        self._heard, self._counts = True, 0
        self.reset()

    def reset(self) -> None:
        """Forget what was counted: a loop was broken meanwhile."""
        self._passed = dict.fromkeys(self._prior, _PRIOR_VEH)
        self._reached = {loop: _PRIOR_VEH * sum(line[lane] for line in self._prior.values()) for loop, lane in self._lanes.items()}

    def hear(self, untrusted: frozenset[str]) -> None:
        """Count no more while one of the loops is not trusted, for then the sums say nothing."""
        self._heard = self.loops.isdisjoint(untrusted)

    def count(self, loop: str) -> bool:
        """Take a vehicle over one of the loops; return whether it is time to look at the shares again."""
        if not self._heard:
            return False
        counts = self._passed if loop in self._passed else self._reached
        counts[loop] += 1.0
        self._counts += 1
        if sum(self._passed.values()) > _MEMORY_VEH:
            self._passed, self._reached = _halved(self._passed), _halved(self._reached)
        return self._counts % _EVERY_VEH == 0

    def by_loop(self) -> dict[str, dict[str, float]]:
        """Return for each loop before the stop lines how likely its vehicles reach which lane; nothing where many turn off or in on the way."""
        passed_veh, reached_veh = sum(self._passed.values()), sum(self._reached.values())
        if abs(reached_veh - passed_veh) > _WHOLE_RATIO * passed_veh:
            return {}
        scale = passed_veh / reached_veh
        table = {loop: {lane: share * self._passed[loop] for lane, share in line.items()} for loop, line in self._prior.items()}
        for _ in range(_SWEEPS):
            for loop, lane in self._lanes.items():
                factor = scale * self._reached[loop] / max(sum(line[lane] for line in table.values()), 1e-9)
                for line in table.values():
                    line[lane] *= factor
            for loop, line in table.items():
                factor = self._passed[loop] / max(sum(line.values()), 1e-9)
                for lane in line:
                    line[lane] *= factor
        return {loop: _with_least({lane: veh / self._passed[loop] for lane, veh in line.items()}) for loop, line in table.items()}


def lane_shares(loops: Mapping[str, Detector], approach: Mapping[str, str]) -> list[LaneShares]:
    """Return the approaches whose shares can be counted: each lane has one stop loop of its own, and one row before them sees all."""
    found = []
    for name in dict.fromkeys(approach.values()):
        lanes = _lanes_of(approach, name)
        stop = [d for d in loops.values() if d.purpose is Purpose.STOP and lanes.issuperset(d.lanes)]
        if len(lanes) < 2 or any(len(d.lanes) > 1 for d in stop) or sorted(d.lanes[0] for d in stop) != sorted(lanes):
            continue
        rows = {row_before(d, loops, approach) for d in stop}
        row = rows.pop()
        if row and not rows:
            found.append(LaneShares([loops[x] for x in row], stop))
    return found


def _lanes_of(approach: Mapping[str, str], name: str) -> set[str]:
    return {lane for lane, other in approach.items() if other == name}


def _halved(counts: Mapping[str, float]) -> dict[str, float]:
    return {loop: veh / 2.0 for loop, veh in counts.items()}


def _with_least(shares: Mapping[str, float]) -> dict[str, float]:
    """Return the shares, none much below the least one, with the sum that they had."""
    raised = {lane: max(share, LEAST_SHARE) for lane, share in shares.items()}
    scale = sum(shares.values()) / sum(raised.values())
    return {lane: share * scale for lane, share in raised.items()}
