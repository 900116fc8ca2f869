"""The planners of the modes in which nobody optimizes: signals off (FLASH, RELEASE), all red (PREEMPT), and the stage as it is (MANUAL)."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Final

from controller.junction import Node
from controller.plan import OFF, Plan, PlanStep
from controller.planner import Mailbox
from controller.snapshot import Snapshot
from hardware.signals import Aspect

SHOWN_OFF: Final = frozenset((Aspect.DARK, Aspect.FLASHING_AMBER))
FLASHES: Final = "flashes"  # in a plan's detail, where a controller that owns its aspects is to flash


class Off(StrEnum):
    """What signals off means, in the words of the plan's reason."""

    HEADS = "signals off: the junction is cleared"
    FLASH = "the controller is asked to flash"
    OWN_PLAN = "left to the controller's own plan"


class OffPlanner(Mailbox):
    """Plans one node whose stages include an all-red one. ``ready`` tells whether all of the junction has been red for long enough, or is off."""

    name = "off"

    def __init__(self, node: Node, ready: Callable[[int], bool], off: Off = Off.HEADS) -> None:
        self._red = next(at for at, stage in enumerate(node.stages) if not stage.green)
        self._ready, self._off = ready, off

    def submit(self, snapshot: Snapshot) -> None:
        """Ask for red until the last gate is content, then for signals off; every second anew, so that a restart leads here again."""
        if self._ready(snapshot.now_ms):
            detail: dict[str, object] = {FLASHES: True} if self._off is Off.FLASH else {}
            self._plan = Plan(self.name, snapshot.now_ms, (PlanStep(OFF, None),), str(self._off), detail)
        else:
            self._plan = Plan(self.name, snapshot.now_ms, (PlanStep(self._red, None),), "red for all before the signals go off")


class RedPlanner(Mailbox):
    """Keeps everything red: what a train or an emergency vehicle needs where nobody has said more."""

    name = "all red"

    def __init__(self, node: Node) -> None:
        self._red = next(at for at, stage in enumerate(node.stages) if not stage.green)

    def submit(self, snapshot: Snapshot) -> None:
        """Go to red by the lawful way, unless that is where the signals stand."""
        if snapshot.signals.stage != self._red:
            self._plan = Plan(self.name, snapshot.now_ms, (PlanStep(self._red, None),), "all red while somebody pre-empts")


class HoldPlanner(Mailbox):
    """Plans nothing, so that the stage stays: a person has taken over, or has stopped the time."""

    name = "hold"

    def submit(self, snapshot: Snapshot) -> None:
        """Leave all as it is."""
