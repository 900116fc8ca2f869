"""Which stages may be chosen at a tick.

Of the free stages few, and only where the loops are sure who would gain: freedom helps where it is known who wants to go where, and hurts
where that is guessed; and the search's work grows with its stages. And no stage in which those who have pressed a button stay
red though there is one like it in which they walk: else the shorter one would always be cheaper for the vehicles. Where nobody has pressed,
a walk begins with the vehicles' green and not in its midst: no vehicle gains by it, so only chance would choose it, and take it back.
"""

from __future__ import annotations

from typing import Final

from controller.junction import Purpose
from controller.node_model import NodeModel, Service
from controller.snapshot import LaneBelief, Snapshot
from hardware.signals import GroupKind

MOST_OPEN: Final = 3
SURE_VEH: Final = 0.9  # who is believed to be on a lane with this weight is counted
UNSURE_RATIO: Final = 0.25  # of a lane's vehicles, so much may be guesses
SOON_MS: Final = 10_000  # who arrives within this time counts as waiting


class StageChoice:
    """The stages of one node."""

    def __init__(self, model: NodeModel) -> None:
        stages = model.node.stages
        self._model = model
        self._free = tuple(k for k, s in enumerate(stages) if s.free)
        self._own = tuple(k for k, s in enumerate(stages) if not s.free)
        self._loops = tuple(tuple(d.id for d in model.detectors(x.id, Purpose.STOP, Purpose.ADVANCE, Purpose.ENTRY)) for x in model.lanes)
        greens = {k: frozenset(stages[k].green) for k in self._own if stages[k].green}
        richer = [(a, b, greens[b] - greens[a]) for a in greens for b in greens if greens[a] < greens[b]]
        buttons = {g for button in model.junction.buttons for g in button.groups}
        self._lacking = [(a, b, more) for a, b, more in richer if more <= buttons]  # what b serves beside all that a does
        walks = {g.id for g in model.junction.groups if g.kind is GroupKind.PEDESTRIAN}
        self._walking = [(a, b, more) for a, b, more in richer if more <= walks]
        self._forbidden = model.node.forbidden()
        self._whole = tuple(frozenset(i for i, row in enumerate(served) if _protects(row, len(model.movements[i]))) for served in model.service)

    def shut(self, snapshot: Snapshot) -> frozenset[int]:
        """Return the stages that should not be chosen now."""
        walks = self._of_walks(snapshot) if self._walking or self._lacking else frozenset()
        return (self._free_without_gain(snapshot) | walks) if self._free else walks

    def _of_walks(self, snapshot: Snapshot) -> frozenset[int]:
        """Return the stages that lack the green of those who asked alone, and those that would add a walk to the present one for nobody."""
        now, asked = snapshot.signals.stage, snapshot.requests.keys()
        lacking = [a for a, b, more in self._lacking if more & asked and b != now and (now, b) not in self._forbidden]
        return frozenset([*lacking, *(b for a, b, more in self._walking if a == now and not more & asked)])

    def _free_without_gain(self, snapshot: Snapshot) -> frozenset[int]:
        """Return the free stages without a gain that is sure, and all but the few with the largest."""
        wanting = [self._sure_veh(i, snapshot) for i in range(len(self._model.lanes))]
        waiting = {i for i, veh in enumerate(wanting) if veh is None or veh > 0}
        gains = {}
        for stage in self._free:
            mine = self._whole[stage] & waiting
            veh = [wanting[i] for i in sorted(mine)]
            if mine and None not in veh and not any(mine <= self._whole[own] for own in self._own):
                gains[stage] = sum(v for v in veh if v is not None)
        best = sorted(gains, key=lambda s: (-gains[s], s))[:MOST_OPEN]
        return frozenset(self._free).difference(best)

    def _sure_veh(self, lane: int, snapshot: Snapshot) -> float | None:
        """Return how many vehicles surely wait on the lane or soon will, None where that is not sure."""
        if not all(snapshot.detectors[x].trusted for x in self._loops[lane]):
            return None
        belief: LaneBelief = snapshot.lanes[self._model.lanes[lane].id]
        there = [w for a, w in zip(belief.arrival_ms, belief.weight, strict=True) if a <= snapshot.now_ms + SOON_MS]
        sure = sum(w for w in there if w >= SURE_VEH)
        return sure if sum(there) - sure <= UNSURE_RATIO * sum(there) else None


def _protects(serves: tuple[Service, ...], movements: int) -> bool:
    """Return whether all movements of a lane are served and none has to yield."""
    return len(serves) == movements and not any(s.foes for s in serves)
