"""Which stages of a fixed order somebody needs: the demand that the present stage does not serve, by movement."""

from __future__ import annotations

from typing import Final

from controller.node_model import NodeModel, Way
from controller.snapshot import LaneBelief, Snapshot
from controller.transitions import TransitionTable

_LIKELY: Final = 0.3  # expected vehicles from which somebody is taken to be there
_LIKELY_WAY: Final = 0.15  # likewise of one way that they may go
_QUEUE_VEH: Final = 1.5  # so many turners that stand call for a stage in which they need not yield
_SHORT_MS: Final = 1_500  # a lane that is seen no farther holds two vehicles at most: one that stands fills it
_PATIENCE_MS: Final = 60_000  # and so does one who has waited for a gap this long
_AHEAD_MS: Final = 2_000  # beyond the transition: who comes so soon after it calls for it now


class Calls:
    """The calls at one node, whose stages come in ``order``."""

    def __init__(self, model: NodeModel, order: tuple[int, ...], transitions: TransitionTable) -> None:
        self._model, self._order, self._transitions = model, order, transitions
        self._open, self._free = model.ways, model.free_ways

    def needed(self, snapshot: Snapshot) -> list[int]:
        """Return the stages that are needed, in their order from the present one on; the present stage is not among them.

        A stage whose calls a later one serves with others is left out, unless turners would have to yield there and are too many for that.
        """
        calls = [(k, self._calls_for(k, snapshot)) for k in self._after(snapshot.signals.stage)]
        kept = []
        for at, (stage, ways) in enumerate(calls):
            if ways and not any(ways < more and not self._freer(ways, stage, later, snapshot) for later, more in calls[at + 1 :]):
                kept.append(stage)
        return kept

    def _freer(self, ways: frozenset[Way], stage: int, other: int, snapshot: Snapshot) -> bool:
        """Return whether some of the ways need the stage because they would yield in the other one."""
        return any(self._yields_long(way, stage, other, snapshot) for way in ways & (self._free[stage] - self._free[other]))

    def releases(self, before: int, stage: int) -> bool:
        """Return whether turners who had to yield in the stage before go on in this one and need not."""
        return bool((self._free[stage] - self._free[before]) & self._open[before])

    def wanted_order(self, snapshot: Snapshot) -> tuple[int, ...]:
        """Return the stages of the next cycle: those that have vehicles coming for them, all where these are fewer than two."""
        far_ms = 1 << 40
        now = snapshot.signals.stage
        wanted = [k for k in self._order if k == now or any(self._demands(way, snapshot, far_ms) for way in self._only(k))]
        return tuple(wanted) if len(wanted) > 1 else self._order

    def _only(self, stage: int) -> frozenset[Way]:
        elsewhere = frozenset().union(*(self._free[k] for k in self._order if k != stage))
        return self._free[stage] - elsewhere

    def _after(self, stage: int) -> tuple[int, ...]:
        if stage not in self._order:
            return self._order
        cut = self._order.index(stage)
        return (*self._order[cut + 1 :], *self._order[:cut])

    def _calls_for(self, stage: int, snapshot: Snapshot) -> frozenset[Way]:
        now = snapshot.signals.stage
        ahead_ms = snapshot.now_ms + self._transitions.pairs[now][stage].settle_ms + _AHEAD_MS
        calling = {way for way in self._open[stage] - self._open[now] if self._demands(way, snapshot, ahead_ms)}
        calling |= {way for way in self._free[stage] - self._free[now] if way in self._open[now] and self._yields_long(way, stage, now, snapshot)}
        return frozenset(calling)

    def _belief(self, way: Way, snapshot: Snapshot) -> LaneBelief:
        return snapshot.lanes[self._model.lanes[way[0]].id]

    def _demands(self, way: Way, snapshot: Snapshot, until_ms: int) -> bool:
        belief, movement = self._belief(way, snapshot), way[1]
        moves = self._model.movements[way[0]][movement]
        if moves.exit in snapshot.blocked_exits:
            return False
        due = [w for a, w in zip(belief.arrival_ms, belief.weight, strict=True) if a <= until_ms]
        if not due:
            return False
        first = min(due[0], 1.0) * belief.head_ratio[movement]
        rest = sum(due) - min(due[0], 1.0)
        return sum(due) > _LIKELY and first + rest * belief.movement_ratio[movement] > _LIKELY_WAY

    def _yields_long(self, way: Way, stage: int, other: int, snapshot: Snapshot) -> bool:
        """Return whether a lane's turners are worth a stage in which they need not yield, as they must in the other one."""
        lane, belief = way[0], self._belief(way, snapshot)
        if not belief.arrival_ms or self._model.movements[lane][way[1]].exit in snapshot.blocked_exits:
            return False
        turning_lane = all((lane, m) in self._free[stage] - self._free[other] for m in range(len(self._model.movements[lane])))
        waited_ms = snapshot.now_ms - belief.arrival_ms[0]
        many_veh = _QUEUE_VEH if belief.known_ms > _SHORT_MS else _QUEUE_VEH - 1.0
        return (turning_lane and belief.queue_veh > many_veh) or (belief.head_yields and waited_ms > _PATIENCE_MS)
