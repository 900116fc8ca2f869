"""A plan: what one node shows for the next seconds, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

OFF: Final = -1  # in place of a stage: signals off, which for vehicles is flashing amber and for pedestrians dark; a controller that owns its aspects is let go


class PlanStep(NamedTuple):
    """Show ``stage`` (index into the node's stages, or `OFF`) and begin the transition to the next step at ``until_ms`` (None: stay).

    ``clear_ms``: on the way into the stage, nothing turns green earlier than this after the transition's begin.
    """

    stage: int
    until_ms: int | None
    clear_ms: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in order. The sequencer shows ``steps[0]`` at once (after minimum greens) and follows until a newer plan arrives.

    ``reason`` is one plain sentence; ``detail`` carries its numbers (JSON types only) for the journal and `umlauf explain`.
    """

    planner: str
    made_ms: int
    steps: tuple[PlanStep, ...]
    reason: str = ""
    detail: dict[str, object] = field(default_factory=dict)
