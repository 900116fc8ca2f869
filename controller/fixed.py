"""The `fixed` planner: the node's own programme, stage by stage, for ever. The last mode before flashing."""

from __future__ import annotations

from controller.junction import Node, Programme, ProgrammeStep
from controller.plan import Plan, PlanStep
from controller.planner import Mailbox
from controller.snapshot import Snapshot

_DEFAULT_GREEN_MS = 20_000


class FixedPlanner(Mailbox):
    """Plans one node from its first programme; where it has none, every stage in turn for 20 s."""

    name = "fixed"

    def __init__(self, node: Node) -> None:
        stages = [s for s in node.stages if s.green and not s.free]
        programme = node.programmes[0] if node.programmes else Programme("default", tuple(ProgrammeStep(s.id, _DEFAULT_GREEN_MS) for s in stages))
        index = {s.id: i for i, s in enumerate(node.stages)}
        self._steps = tuple((index[s.stage], s.green_ms) for s in programme.steps)
        self._names = tuple(s.stage for s in programme.steps)
        self._at = 0
        self._since_ms: int | None = None
        self._begun = False

    def submit(self, snapshot: Snapshot) -> None:
        """Go on with the next step when the present one has had its green."""
        stage, green_ms = self._steps[self._at]
        if snapshot.signals.stage != stage or not self._begun:
            self._begun = True
            self._since_ms = None
            self._plan = self._show(snapshot.now_ms)
            return
        if self._since_ms is None and snapshot.now_ms >= snapshot.signals.settled_ms:
            self._since_ms = snapshot.signals.settled_ms
        if self._since_ms is not None and snapshot.now_ms - self._since_ms >= green_ms:
            self._at = (self._at + 1) % len(self._steps)
            self._since_ms = None
            self._plan = self._show(snapshot.now_ms)

    def _show(self, now_ms: int) -> Plan:
        return Plan(self.name, now_ms, (PlanStep(self._steps[self._at][0], None),), f"programme: {self._names[self._at]} is due")
