"""The interface that all planners share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from controller.plan import Plan
from controller.snapshot import Snapshot


class Note(NamedTuple):
    """What a planner wants to have journalled beside its plan."""

    kind: str
    text: str
    detail: Mapping[str, object]


class Predicted(NamedTuple):
    """The departures that a plan makes likely on one lane: how long after ``made_ms``, in order, and under which stage.

    ``served``: by stage, which of the lane's movements are green.
    """

    lane: str
    made_ms: int
    after_ms: Sequence[int]
    stage: Sequence[int]
    served: Sequence[Sequence[int]]


class Planner(Protocol):
    """Decides for one node. It is given a snapshot and asked for a plan; the answer may come ticks later."""

    name: str
    last_digest: bytes  # of the arrays given to the solver; empty where none were
    last_solve_ms: float | None  # how long the solver took; None where none ran
    notes: tuple[Note, ...]  # of the last submission

    def submit(self, snapshot: Snapshot) -> None:
        """Take the node's state at one tick."""
        ...

    def poll(self) -> Plan | None:
        """Return a new plan, or None where there is none yet (the old one stays in force)."""
        ...

    def predicted(self) -> Sequence[Predicted]:
        """Return who leaves when by the newest plan, as far as the planner can tell."""
        ...


class Remembering(Planner, Protocol):
    """A planner of the optimizer, whose decisions can be made again from what it remembered and what it was told."""

    def memory(self) -> dict[str, Any]:
        """Return what it remembers from one snapshot to the next, as JSON data."""
        ...

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Go on from what `memory` returned. Raises `LookupError`, `TypeError` or `ValueError` where it is none."""
        ...


class Mailbox:
    """What planners that answer at once share: the newest plan, handed out once."""

    last_digest: bytes = b""
    last_solve_ms: float | None = None
    notes: tuple[Note, ...] = ()
    _plan: Plan | None = None

    def poll(self) -> Plan | None:
        """Return the newest plan once, then None until there is a newer one."""
        plan, self._plan = self._plan, None
        return plan

    def predicted(self) -> Sequence[Predicted]:
        """Return nothing: the planner does not look ahead."""
        return ()
