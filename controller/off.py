"""The `off` planner: brings everything to red, then switches the signals off (flashing amber, pedestrians dark), in the modes FLASH and RELEASE."""

from __future__ import annotations

from collections.abc import Callable

from controller.junction import Node
from controller.plan import OFF, Plan, PlanStep
from controller.planner import Mailbox
from controller.snapshot import Snapshot


class OffPlanner(Mailbox):
    """Plans one node whose stages include an all-red one. ``ready`` tells whether all of the junction has been red for long enough, or is off."""

    name = "off"

    def __init__(self, node: Node, ready: Callable[[int], bool]) -> None:
        self._red = next(at for at, stage in enumerate(node.stages) if not stage.green)
        self._ready = ready

    def submit(self, snapshot: Snapshot) -> None:
        """Ask for red until the last gate is content, then for signals off; every second anew, so that a restart leads here again."""
        off = self._ready(snapshot.now_ms)
        why = "signals off: the junction is cleared" if off else "red for all before the signals go off"
        self._plan = Plan(self.name, snapshot.now_ms, (PlanStep(OFF if off else self._red, None),), why)
