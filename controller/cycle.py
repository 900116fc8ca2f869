"""The `cycle` planner: once per cycle, greens and cycle length that minimise delay for the measured flows.

Predictable: the stages keep the programme's order, and the greens move in small bounded steps. A stage that serves lanes of
its own is left out of a cycle in which none of them holds a vehicle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from controller.junction import Junction, Node
from controller.node_model import NodeModel
from controller.plan import Plan, PlanStep
from controller.planner import Mailbox
from controller.snapshot import Snapshot
from controller.solver import Solver, SplitProblem, SplitResult, digest
from controller.transitions import TransitionTable


@dataclass(frozen=True, slots=True)
class CycleSettings:
    """The one parameter set for all junctions."""

    min_cycle_s: float = 30.0
    max_cycle_s: float = 120.0
    max_step_s: float = 10.0  # a green changes by at most this much from cycle to cycle
    period_s: float = 600.0
    amber_use_s: float = 1.5
    yielding_ratio: float = 0.5  # saturation flow of a movement that yields, HCM 2010 ch. 31 gives 0.1 to 0.7 by opposing flow


SETTINGS: Final = CycleSettings()
_PAUSE_MS: Final = 3_000  # not asked for this long: another planner has ruled meanwhile, and the cycle begins anew


class CyclePlanner(Mailbox):
    """Plans one node, cycle by cycle."""

    name = "cycle"

    def __init__(self, junction: Junction, node: Node, transitions: TransitionTable, solver: Solver, settings: CycleSettings = SETTINGS) -> None:
        self._model = NodeModel(junction, node)
        self._node, self._transitions, self._solver, self._settings = node, transitions, solver, settings
        groups = junction.group_by_id
        self._min_green_s = [max([groups[g].min_green_ms for g in s.green], default=0) / 1000 for s in node.stages]
        self._max_green_s = [min([groups[g].max_green_ms or 10**9 for g in s.green], default=10**9) / 1000 for s in node.stages]
        self._order = self._programme_order()
        self._last: dict[int, float] = {}
        self._end_ms: int | None = None
        self._seen_ms: int | None = None

    def _programme_order(self) -> tuple[int, ...]:
        index = {s.id: i for i, s in enumerate(self._node.stages)}
        programme = self._node.programmes[0].steps if self._node.programmes else ()
        return tuple(dict.fromkeys(index[p.stage] for p in programme)) or tuple(i for i, s in enumerate(self._node.stages) if s.green and not s.free)

    def submit(self, snapshot: Snapshot) -> None:
        """Make the next cycle's plan when the present one is about to end."""
        self.last_digest, self.last_solve_ms = b"", None
        resumed = self._seen_ms is None or snapshot.now_ms - self._seen_ms > _PAUSE_MS
        self._seen_ms = snapshot.now_ms
        if not resumed and self._end_ms is not None and snapshot.now_ms < self._end_ms:
            return
        order = self._present_stages(snapshot)
        problem = self._problem(snapshot, order)
        self.last_digest = digest(problem)
        result = self._solver.splits(problem)
        self.last_solve_ms = 1000.0 * self._solver.solve_s
        if result is not None:
            self._plan = self._to_plan(snapshot, order, result)

    def _present_stages(self, snapshot: Snapshot) -> tuple[int, ...]:
        keep = [s for s in self._order if self._needed(snapshot, s)]
        if len(keep) < 2:
            keep = list(self._order)
        here = snapshot.signals.stage
        if here in keep:
            cut = keep.index(here)
            return (*keep[cut + 1 :], *keep[: cut + 1])
        return tuple(keep)

    def _needed(self, snapshot: Snapshot, stage: int) -> bool:
        """Return whether a lane with vehicles depends on the stage for one of its movements, or a turning lane's queue for not having to yield.

        In a shared lane those who turn find their gaps with the others; a stage of their own every cycle costs more than it brings.
        """
        for i, lane in enumerate(self._model.lanes):
            served = {s.movement for s in self._model.service[stage][i]}
            elsewhere = {s.movement for k in self._order if k != stage for s in self._model.service[k][i]}
            if served - elsewhere and (sum(snapshot.lanes[lane.id].weight) > 0.3):
                return True
            protected = {s.movement for s in self._model.service[stage][i] if not s.foes}
            protected_elsewhere = {s.movement for k in self._order if k != stage for s in self._model.service[k][i] if not s.foes}
            turning_lane = len(protected - protected_elsewhere) == len(self._model.movements[i])
            if turning_lane and snapshot.lanes[lane.id].queue_veh > 1.5:
                return True
        return False

    def _problem(self, snapshot: Snapshot, order: tuple[int, ...]) -> SplitProblem:
        beliefs = [snapshot.lanes[x.id] for x in self._model.lanes]
        service = np.zeros((len(order), len(beliefs)))
        for k, stage in enumerate(order):
            for i, belief in enumerate(beliefs):
                for s in self._model.service[stage][i]:
                    service[k, i] += belief.movement_ratio[s.movement] * (self._settings.yielding_ratio if s.foes else 1.0)
        lost = []
        for k, stage in enumerate(order):
            step = self._transitions.pairs[order[k - 1]][stage]
            startup_s = max([b.startup_ms for b in beliefs], default=0) / 1000
            lost.append(max(step.settle_ms / 1000 - self._settings.amber_use_s + startup_s, 0.0))
        return SplitProblem(
            flow_veh_h=np.array([3600 * b.flow_veh_s for b in beliefs], dtype=np.float64),
            saturation_veh_h=np.array([3_600_000 / b.headway_ms for b in beliefs]),
            queue_veh=np.array([b.queue_veh for b in beliefs], dtype=np.float64),
            service_ratio=np.ascontiguousarray(np.minimum(service, 1.0)),
            min_green_s=np.array([self._min_green_s[s] for s in order], dtype=np.float64),
            max_green_s=np.array([min(self._max_green_s[s], self._settings.max_cycle_s) for s in order]),
            lost_s=np.array(lost),
            min_cycle_s=self._settings.min_cycle_s,
            max_cycle_s=self._settings.max_cycle_s,
            period_s=self._settings.period_s,
        )

    def _to_plan(self, snapshot: Snapshot, order: tuple[int, ...], result: SplitResult) -> Plan:
        steps, at_ms = [], snapshot.now_ms
        previous = snapshot.signals.stage
        shown = []
        for stage, wanted_s in zip(order, result.green_s.tolist(), strict=True):
            before_s = self._last.get(stage, wanted_s)
            green_s = min(max(wanted_s, before_s - self._settings.max_step_s), before_s + self._settings.max_step_s)
            green_s = max(green_s, self._min_green_s[stage])
            self._last[stage] = green_s
            settle_ms = self._transitions.pairs[previous][stage].settle_ms if previous != stage else 0
            at_ms += settle_ms + int(1000 * green_s)
            steps.append(PlanStep(stage, at_ms))
            shown.append(f"{self._node.stages[stage].id} {green_s:.0f} s")
            previous = stage
        self._end_ms = at_ms
        steps[-1] = PlanStep(steps[-1].stage, None)
        text = f"next cycle {(at_ms - snapshot.now_ms) / 1000:.0f} s: " + ", ".join(shown)
        detail: dict[str, object] = {"cycle_s": result.cycle_s, "delay_s": result.delay_s, "greens_s": result.green_s.tolist(), "status": result.status}
        return Plan(self.name, snapshot.now_ms, tuple(steps), text, detail)
