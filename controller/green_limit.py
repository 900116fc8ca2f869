"""The longest green: a group that has had it gives way as soon as somebody waits for another one.

It is the engineer's own limit (``max_green_s`` of a group), counted from the begin of its green. Where nobody waits, green goes on:
ending it would help nobody. Where a detector has lost trust, somebody may wait.
"""

from __future__ import annotations

from collections.abc import Collection

from controller.junction import Purpose
from controller.node_model import NodeModel
from controller.snapshot import Snapshot

_STANDS_VEH = 0.5


class GreenLimit:
    """Says which groups of one node must end, and which stages would end them."""

    def __init__(self, model: NodeModel) -> None:
        self._model = model
        longest_ms = {g: model.junction.group_by_id[g].max_green_ms for g in model.node.groups}
        self._longest_ms = {g: ms for g, ms in longest_ms.items() if ms is not None}
        self._loops = tuple(tuple(d.id for d in model.detectors(lane.id, Purpose.STOP)) for lane in model.lanes)

    def overdue(self, snapshot: Snapshot) -> frozenset[str]:
        """Return the groups that have been green for their longest time while somebody waits at a red group."""
        since_ms = snapshot.signals.green_since_ms
        over = {g for g, ms in self._longest_ms.items() if (begun_ms := since_ms.get(g)) is not None and snapshot.now_ms - begun_ms >= ms}
        return frozenset(over) if over and self._somebody_waits(snapshot) else frozenset()

    def ending(self, groups: Collection[str]) -> list[int]:
        """Return the stages of the programme that end all of these groups; where none does, those that end some of them."""
        stages = [(s, len(self._model.green[s] & set(groups))) for s, stage in enumerate(self._model.node.stages) if stage.green and not stage.free]
        least = min((kept for _, kept in stages), default=0)
        return [s for s, kept in stages if kept == least < len(groups)]

    def _somebody_waits(self, snapshot: Snapshot) -> bool:
        green = {g for g, ms in snapshot.signals.green_since_ms.items() if ms is not None}
        for lane, groups, loops in zip(self._model.lanes, self._model.lane_groups, self._loops, strict=True):
            states = [snapshot.detectors[loop] for loop in loops]
            waits = snapshot.lanes[lane.id].queue_veh >= _STANDS_VEH or any(s.occupied or not s.trusted for s in states)
            if not groups & green and waits:
                return True
        return False
