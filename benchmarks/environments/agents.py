"""An agent's seat at a node: a planner that shows what the agent wants, as far as minimum greens and transitions let it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, Protocol

from benchmarks.environments.views import green_stages, may_change
from controller.junction import Junction, Node
from controller.plan import Plan, PlanStep
from controller.planner import Mailbox
from controller.snapshot import Snapshot

CHANGES_S: Final = (-5, 0, 5)  # what one split change does to the green of one stage
SHORTEST_S: Final = 5
LONGEST_S: Final = 60
FIRST_S: Final = 20  # of each stage, where the node has no programme


class Actions(StrEnum):
    """What an agent decides: the stage to show next, or by how much the greens of a fixed order change."""

    STAGE = "stage"
    SPLITS = "splits"


class Agent(Protocol):
    """Takes actions in place of a planner. The simulation asks for the plan after `act`, in the same tick."""

    def mask(self) -> Sequence[Sequence[bool]]:
        """Return, for each choice of the action, which values would be followed now."""
        ...

    def act(self, action: Sequence[int]) -> bool:
        """Take an action; return whether all of it was followed. What would not be is held back: everything stays as it is."""
        ...


class _Seat(Mailbox):
    """What both kinds share: the snapshot as of which the agent decides. No plan is made until the agent has acted."""

    name = "agent"

    def __init__(self, node: Node) -> None:
        self._names = tuple(stage.id for stage in node.stages)
        self._stages = green_stages(node)
        self.seen: Snapshot | None = None

    def submit(self, snapshot: Snapshot) -> None:
        """Keep the snapshot for the agent."""
        self.seen = snapshot

    def _now(self) -> Snapshot:
        if self.seen is None:
            raise RuntimeError("expected a tick before the first action")
        return self.seen

    def _show(self, stage: int, until_ms: int | None = None, then: int | None = None) -> None:
        steps = (PlanStep(stage, until_ms),) if then is None else (PlanStep(stage, until_ms), PlanStep(then, None))
        self._plan = Plan(self.name, self._now().now_ms, steps, f"the agent wants stage {self._names[stage]}")


class StageAgent(_Seat):
    """Shows the stage that the agent names."""

    def mask(self) -> Sequence[Sequence[bool]]:
        """Return which stages may be chosen: the present one always, the others once minimum greens and the transition are over."""
        seen = self._now()
        free = may_change(seen)
        return ([free or stage == seen.signals.stage for stage in self._stages],)

    def act(self, action: Sequence[int]) -> bool:
        """Show the stage; one that is masked is held back."""
        (choice,) = action
        followed = self.mask()[0][choice]
        self._show(self._stages[choice] if followed else self._now().signals.stage)
        return followed


class SplitAgent(_Seat):
    """Shows the stages in their order, each for a green that the agent's actions lengthen and shorten."""

    def __init__(self, junction: Junction, node: Node) -> None:
        super().__init__(node)
        least_ms = {group.id: group.min_green_ms for group in junction.groups}
        self._least_s = [max([SHORTEST_S, *(-(-least_ms[group] // 1000) for group in node.stages[stage].green)]) for stage in self._stages]
        self.green_s = [max(FIRST_S, least_s) for least_s in self._least_s]

    def submit(self, snapshot: Snapshot) -> None:
        """Go on to the next stage by the greens in force."""
        super().submit(snapshot)
        self._follow()

    def mask(self) -> Sequence[Sequence[bool]]:
        """Return which changes leave each green between the stage's minimum and the longest."""
        return [
            [least_s <= green_s + change_s <= max(LONGEST_S, least_s) or change_s == 0 for change_s in CHANGES_S]
            for green_s, least_s in zip(self.green_s, self._least_s, strict=True)
        ]

    def act(self, action: Sequence[int]) -> bool:
        """Change the greens; a change beyond the bounds is held back."""
        followed = True
        for stage, (choice, allowed) in enumerate(zip(action, self.mask(), strict=True)):
            followed &= allowed[choice]
            self.green_s[stage] += CHANGES_S[choice] if allowed[choice] else 0
        self._follow()
        return followed

    def _follow(self) -> None:
        signals = self._now().signals
        stage = signals.stage if signals.stage in self._stages else self._stages[0]
        place = self._stages.index(stage)
        self._show(stage, signals.settled_ms + 1000 * self.green_s[place], self._stages[(place + 1) % len(self._stages)])


def make_agent(actions: Actions, junction: Junction, node: Node) -> StageAgent | SplitAgent:
    """Return the agent's seat at a node."""
    return StageAgent(node) if actions is Actions.STAGE else SplitAgent(junction, node)


def choices(actions: Actions, stages: int) -> tuple[int, ...]:
    """Return how many values each choice of an action has."""
    return (stages,) if actions is Actions.STAGE else (len(CHANGES_S),) * stages
