"""The follower: stands in the sequencer's place where a controller owns its aspects, and says what it was seen to show.

Theory of operation. A stage stands when the vehicles' groups that are seen green are those of the stage; pedestrians come and go within it,
for the controller ends their walk by itself. Anything else is on the way: to the stage that the plan wants, once a group that this does not
have has ended; else to the stage that comes nearest to what is green, for a controller may also do what nobody asked it to. What the plan
wants is read by `controller.cabinet.controller_heads`, which asks the controller for it. All-red stages cannot be asked for; where one is
wanted, the controller goes on as it does.

Plans are made anew each second, and steps end on these seconds, so what was asked at that very moment is answered a tick after a green was
asked to end, and may want it longer. By then the controller may have ended it: a way that was asked for is stood by until it is seen to have begun.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from controller.cabinet.controller_view import ControllerView
from controller.errors import PlanError
from controller.junction import Junction, Node
from controller.off import FLASHES
from controller.plan import OFF, Plan, PlanStep
from controller.snapshot import SignalState
from controller.transitions import TransitionTable, transition_table
from hardware.signals import Aspect, GroupKind

BEGIN_MS: Final = 500  # within which a controller that may end a green is seen to do so


class Follower:
    """Follows one node of a controller through a view that all its nodes share."""

    def __init__(self, junction: Junction, node: Node, view: ControllerView, shared: Callable[[], object] = dict) -> None:
        self.node, self._view, self._shared = node, view, shared
        self.table: TransitionTable = transition_table(junction, node)
        self._min_green_ms = {g.id: g.min_green_ms for g in junction.groups}  # also of other nodes, whose groups may be foes of ours
        walks = {g.id for g in junction.groups if g.kind is GroupKind.PEDESTRIAN}
        self._cores = tuple(frozenset(s.green) - walks or frozenset(s.green) for s in node.stages)
        self._vehicles = frozenset(node.groups) - walks
        self._stage = self._from_stage = 0
        self._settled_ms: int | None = None
        self._updated_ms: int | None = None
        self.plan: Plan | None = None
        self._index = 0
        self._planned_before: int | None = None
        self._begun: tuple[int, int, list[str]] | None = None  # the stage that was asked for, until when that stands, and which groups were to end

    def restart(self, now_ms: int) -> None:
        """Forget the plan, but one to let go; what the controller shows is not ours to begin again."""
        del now_ms
        if not self.off:
            self.plan, self._index = None, 0

    def memory(self) -> dict[str, object]:
        """Return all that it remembers, and all nodes together, as JSON data, for a journal that begins while it runs."""
        plan = self.plan
        return {
            "stage": [self._stage, self._from_stage, self._settled_ms],
            "begun": [self._planned_before, self._begun],
            "plan": None if plan is None else [plan.planner, plan.made_ms, [list(step) for step in plan.steps], plan.detail, self._index],
            "shared": self._shared(),
        }

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Go on from what `memory` returned, but for what all nodes share. Raises `LookupError`, `TypeError` or `ValueError` where it is none."""
        self._stage, self._from_stage, self._settled_ms = memory["stage"]
        self._planned_before, begun = memory["begun"]
        self._begun = None if begun is None else (begun[0], begun[1], list(begun[2]))
        if memory["plan"] is not None:
            planner, made_ms, steps, detail, self._index = memory["plan"]
            self.plan = Plan(planner, made_ms, tuple(PlanStep(*step) for step in steps), "", detail)

    def adopt(self, plan: Plan) -> None:
        """Want this plan's steps from now on. Raises `PlanError` where it is empty or names an unknown stage."""
        count = len(self.node.stages)
        if not plan.steps or not all(s.stage == OFF or 0 <= s.stage < count for s in plan.steps):
            found = [s.stage for s in plan.steps]
            raise PlanError(f"node {self.node.id}: expected at least one step with stages 0 to {count - 1}, found {found} from planner {plan.planner}")
        self.plan, self._index = plan, 0

    @property
    def off(self) -> bool:
        """Tell whether the controller is to be let go: to run its own plan, or to flash."""
        return self.plan is not None and self.plan.steps[self._index].stage == OFF

    @property
    def flashes(self) -> bool:
        """Tell whether the controller is to flash."""
        return self.off and self.plan is not None and bool(self.plan.detail.get(FLASHES))

    @property
    def wanted(self) -> int | None:
        """Return the stage that is to be asked for now, None where the plan wants none that can be."""
        return self._begun[0] if self._begun is not None and not self.off else self._planned

    @property
    def _planned(self) -> int | None:
        """Return the stage that the plan wants now."""
        if self.plan is None or self.off:
            return None
        stage = self.plan.steps[self._index].stage
        return stage if self.node.stages[stage].green else None

    @property
    def stage(self) -> int:
        """Return the stage that stands, or is on the way."""
        return self._stage

    @property
    def settled(self) -> bool:
        """Tell whether the stage stands."""
        return self._settled_ms is not None

    def step(self, now_ms: int) -> Mapping[str, Aspect]:
        """Return what the node's groups are seen to show."""
        self._update(now_ms)
        return {g: self._view.aspects[g] for g in self.node.groups}

    def state(self, now_ms: int) -> SignalState:
        """Return where the node stands; times that lie ahead are predictions by the site's own times."""
        self._update(now_ms)
        view, greens = self._view, [g for g in self.node.groups if self._view.green(g)]
        starts = self._starts(now_ms)
        settled_ms = self._settled_ms
        if settled_ms is None:
            settled_ms = max([now_ms, *(ms for g, ms in starts.items() if g in self._cores[self._stage])])
        return SignalState(
            stage=self._stage,
            from_stage=self._from_stage,
            settled_ms=settled_ms,
            earliest_leave_ms=max([settled_ms, *(self._min_green_end(g) for g in greens)]),
            green_since_ms={g: view.since_ms[g] if view.green(g) else None for g in self.node.groups},
            red_since_ms={g: view.since_ms[g] if view.aspects[g] is Aspect.RED else None for g in self.node.groups},
            earliest_green_ms=starts,
        )

    def _update(self, now_ms: int) -> None:
        if self._updated_ms == now_ms:
            return
        self._updated_ms = now_ms
        self._view.look(now_ms)
        self._go_on(now_ms)
        self._stand_by(now_ms)
        greens = frozenset(g for g in self._vehicles if self._view.green(g))
        stands = [k for k, core in enumerate(self._cores) if core and core == greens]
        if stands:
            self._move(next((k for k in (self.wanted, self._stage) if k in stands), stands[0]), stands=True, now_ms=now_ms)
            return
        wanted = self.wanted
        if wanted is not None and wanted != self._stage and self._leaving(wanted):
            self._move(wanted, stands=False, now_ms=now_ms)
        elif greens and not greens & self._cores[self._stage]:
            self._move(self._nearest(greens), stands=False, now_ms=now_ms)
        else:
            self._settled_ms = None

    def _go_on(self, now_ms: int) -> None:
        """Go on to the plan's next step where the present one stands and its time has come."""
        plan = self.plan
        if plan is None or self._index + 1 >= len(plan.steps):
            return
        step = plan.steps[self._index]
        if step.until_ms is not None and now_ms >= step.until_ms and step.stage == self._stage and self.settled:
            self._index += 1

    def _stand_by(self, now_ms: int) -> None:
        """Stand by a way that was asked for, until all have ended that were asked to, or the controller is seen not to end them yet."""
        planned, before = self._planned, self._planned_before
        self._planned_before = planned
        if self._begun is not None and (now_ms >= self._begun[1] or not any(map(self._view.green, self._begun[2]))):
            self._begun = None
        if self._begun is None and planned is not None and planned not in (before, self._stage) and self.settled:
            self._begun = planned, now_ms + BEGIN_MS, sorted(self._cores[self._stage] - self._cores[planned])

    def _leaving(self, wanted: int) -> bool:
        """Tell whether a group that the wanted stage does not have has ended, so that the way there has begun."""
        return any(not self._view.green(g) for g in self._cores[self._stage] - self._cores[wanted])

    def _nearest(self, greens: frozenset[str]) -> int:
        """Return the stage that shares most with what is green, of several the first."""
        stages = [k for k, core in enumerate(self._cores) if core]
        return max(stages, key=lambda k: (len(self._cores[k] & greens) - len(self._cores[k] ^ greens), -k))

    def _move(self, stage: int, *, stands: bool, now_ms: int) -> None:
        if stage != self._stage:
            self._from_stage, self._stage, self._settled_ms = self._stage, stage, None
        if not stands:
            self._settled_ms = None
        elif self._settled_ms is None:
            self._settled_ms = min(now_ms, max((self._view.since_ms[g] for g in self._cores[stage]), default=now_ms))

    def _starts(self, now_ms: int) -> dict[str, int]:
        """Return when each group that is not green may be so at the earliest, once all that conflict with it have ended as soon as they may."""
        view = self._view
        ends = view.ended_ms | {g: max(now_ms, self._min_green_end(g)) for g in view.aspects if view.green(g)}
        return {g: max([now_ms, *[ends[foe] + ms for foe, ms in self.table.rules[g].foes if foe in ends]]) for g in self.node.groups if not view.green(g)}

    def _min_green_end(self, group: str) -> int:
        return self._view.since_ms[group] + self._min_green_ms[group]
