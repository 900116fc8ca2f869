"""The longest red: a stop line that has waited for it is served, and long enough for all who stood there when its green began.

A minimum green alone lets one or two vehicles go every time, and where more come the last of them waits for ever. How long
a red lasts is told by two witnesses, the stop loop and the belief, so that neither a lost vehicle nor a queue that stops short
of the loop is forgotten. A red towards a full exit does not count: green would help nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from controller.junction import Purpose
from controller.lane_model import LOCKED_AFTER_MS
from controller.node_model import NodeModel
from controller.snapshot import LaneBelief, Snapshot

SERVICE_MS: Final = 20_000  # at most, from the begin of green: some eight vehicles; more have their share in the search
GAP_MS: Final = 3_000  # a stop loop that stays free for so long has nobody left who stood there, whatever is believed
OVER_MS: Final = 20_000  # a stop line that has waited so much longer than its limit ends another one's service
_STANDS_VEH: Final = 0.5
_HEAD_RATIO: Final = 0.5  # beside a green for others, the first vehicle must be seen to want the red group


@dataclass(slots=True)
class _Service:
    lane: int
    stage: int
    begun_ms: int | None = None


class RedLimit:
    """Says which stage one node must show because a stop line has waited too long. ``limit_ms``: for groups without a limit of their own."""

    def __init__(self, model: NodeModel, limit_ms: int) -> None:
        self._model = model
        self._limit_ms = {g: model.junction.group_by_id[g].max_red_ms or limit_ms for g in model.node.groups}
        self._loops = tuple(tuple(d.id for d in model.detectors(lane.id, Purpose.STOP)) for lane in model.lanes)
        ways = zip(model.movements, model.lane_groups, strict=True)
        self._exits = tuple({g: frozenset(m.exit for m in moves if m.group == g) for g in groups} for moves, groups in ways)
        self._service: _Service | None = None

    def memory(self) -> list[Any] | None:
        """Return what it remembers, as JSON data."""
        service = self._service
        return None if service is None else [service.lane, service.stage, service.begun_ms]

    def recall(self, memory: Sequence[Any] | None) -> None:
        """Go on from what `memory` returned."""
        self._service = None if memory is None else _Service(*memory)

    def stage(self, snapshot: Snapshot) -> int | None:
        """Return the stage to show now, None where nobody has waited too long."""
        reds = snapshot.signals.red_since_ms.items()
        old = [g for g, ms in reds if ms is not None and snapshot.now_ms - ms > self._limit_ms[g]]  # nobody else can have waited too long
        overdue = {lane: over for lane in range(len(self._loops)) if (over := self._over_ms(lane, snapshot))} if old else {}
        if self._service is not None and self._goes_on(self._service, snapshot, overdue):
            return self._service.stage
        self._service = None
        for lane in sorted(overdue, key=lambda i: (-max(overdue[i].values()), i)):
            stage = self._serving(lane, overdue[lane])
            if stage is not None:
                self._service = _Service(lane, stage)
                return stage
        return None

    def _goes_on(self, service: _Service, snapshot: Snapshot, overdue: Mapping[int, Mapping[str, int]]) -> bool:
        """Return whether the stage has yet to come, or is there and those who stood at its begin have not all left."""
        signals, now_ms = snapshot.signals, snapshot.now_ms
        if signals.stage != service.stage:
            return service.begun_ms is None and service.lane in overdue
        if signals.settled_ms > now_ms:
            return True
        belief = snapshot.lanes[self._model.lanes[service.lane].id]
        if service.begun_ms is None:
            service.begun_ms = now_ms
        rivals = any(ms > OVER_MS for over in overdue.values() for ms in over.values())
        if now_ms >= service.begun_ms + SERVICE_MS or rivals or belief.stuck_ms >= LOCKED_AFTER_MS:
            return False
        stood = belief.queue_veh >= _STANDS_VEH and belief.waiting_since_ms <= service.begun_ms
        return stood or self._busy(service.lane, snapshot)

    def _serving(self, lane: int, groups: Mapping[str, int]) -> int | None:
        """Return the stage that serves most of the lane's ways, one of these groups among them; the first of equals."""
        served = [
            (len(row[lane]), -s)
            for s, row in enumerate(self._model.service)
            if not self._model.node.stages[s].free and any(x.group in groups for x in row[lane])
        ]
        return -max(served)[1] if served else None

    def _over_ms(self, lane: int, snapshot: Snapshot) -> dict[str, int]:
        """Return by how much each red group of the lane has been red for longer than allowed while somebody waited for it."""
        signals, belief = snapshot.signals, snapshot.lanes[self._model.lanes[lane].id]
        since_ms = self._since_ms(lane, belief, snapshot)
        red_ms = {g: ms for g in self._model.lane_groups[lane] if (ms := signals.red_since_ms.get(g)) is not None}
        if since_ms is None or not red_ms:
            return {}
        if len(red_ms) < len(self._model.lane_groups[lane]):
            # Others of the lane have green: only a first vehicle that stands all the same waits, and since the one before it left.
            red_ms = {g: max(ms, belief.last_leave_ms) for g, ms in red_ms.items() if self._head_wants(lane, g, belief)}
        waited_ms = {g: snapshot.now_ms - max(ms, since_ms) for g, ms in red_ms.items() if not self._exits[lane][g] <= snapshot.blocked_exits}
        return {g: over_ms for g, ms in waited_ms.items() if (over_ms := ms - self._limit_ms[g]) > 0}

    def _head_wants(self, lane: int, group: str, belief: LaneBelief) -> bool:
        moves = self._model.movements[lane]
        return sum(ratio for m, ratio in zip(moves, belief.head_ratio, strict=True) if m.group == group) >= _HEAD_RATIO

    def _since_ms(self, lane: int, belief: LaneBelief, snapshot: Snapshot) -> int | None:
        """Return since when somebody waits at the stop line, by its loop or by the belief, whichever says more."""
        told = [belief.waiting_since_ms] if belief.queue_veh >= _STANDS_VEH and belief.arrival_ms else []
        occupied_ms = self._occupied_since_ms(lane, snapshot)
        return min([*told, *([occupied_ms] if occupied_ms is not None else [])], default=None)

    def _occupied_since_ms(self, lane: int, snapshot: Snapshot) -> int | None:
        states = [snapshot.detectors[loop] for loop in self._loops[lane]]
        return min((s.changed_ms for s in states if s.trusted and s.occupied), default=None)

    def _busy(self, lane: int, snapshot: Snapshot) -> bool:
        """Return whether the lane's queue still flows over its stop loop."""
        states = [snapshot.detectors[loop] for loop in self._loops[lane]]
        return any(s.trusted and (s.occupied or snapshot.now_ms - s.changed_ms < GAP_MS) for s in states)
