"""A planner whose work is done in the optimizer process: it hands the snapshot over, and has the plan some ticks later."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from controller.cabinet.codec import Answer
from controller.plan import Plan
from controller.planner import Note, Predicted
from controller.snapshot import Snapshot
from controller.supervisor import Mode


class Link(Protocol):
    """Where questions go and answers come from, without waiting."""

    def ask(self, node: str, mode: Mode, snapshot: Snapshot) -> None:
        """Send a question."""
        ...

    def take(self, node: str, mode: Mode) -> Answer | None:
        """Return the answer to the newest question, once."""
        ...


class RemotePlanner:
    """Plans one node in one mode."""

    def __init__(self, link: Link, node: str, mode: Mode) -> None:
        self.name = str(mode)
        self.last_digest: bytes = b""
        self.last_solve_ms: float | None = None
        self.notes: tuple[Note, ...] = ()
        self._link, self._node, self._mode = link, node, mode
        self._predicted: tuple[Predicted, ...] = ()

    def submit(self, snapshot: Snapshot) -> None:
        """Send the snapshot; what was said before it is said no more. Raises `ValueError` where it holds a NaN."""
        self.last_digest, self.last_solve_ms, self.notes = b"", None, ()
        self._link.ask(self._node, self._mode, snapshot)

    def poll(self) -> Plan | None:
        """Return the plan once it is there, with what goes with it."""
        answer = self._link.take(self._node, self._mode)
        if answer is None:
            return None
        self.last_digest, self.last_solve_ms, self.notes, self._predicted = answer.digest, answer.solve_ms, answer.notes, answer.predicted
        return answer.plan

    def predicted(self) -> Sequence[Predicted]:
        """Return who leaves when by the newest plan that has come."""
        return self._predicted
