"""The `adaptive` planner: every second, the stage sequence that costs the believed vehicles least over a rolling horizon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from controller.capacity import CapacityWatch, EvidenceOf, capacity_words
from controller.gating import gate_words
from controller.green_limit import GreenLimit
from controller.horizon_model import HorizonModel
from controller.junction import Junction, Lane, Node
from controller.neighbours import SURE_FOR_MS
from controller.plan import Plan, PlanStep
from controller.planner import Mailbox, Note, Predicted
from controller.reasons import clearing_of, clearing_words, costs_by_stage, reason_of, sentence
from controller.snapshot import Snapshot
from controller.solver import HorizonProblem, HorizonResult, Solver, digest
from controller.transitions import TransitionTable


@dataclass(frozen=True, slots=True)
class AdaptiveSettings:
    """The one parameter set for all junctions."""

    fine_s: int = 10  # decisions every second up to here
    middle_s: int = 30  # then every 2 s
    horizon_s: int = 50  # then every 4 s
    beam: int = 12
    stop_cost_ms: int = 2_000
    switch_cost_ms: int = 1_000
    gap_ms: int = 4_500  # critical gap of a permitted turn, HCM 2010 exhibit 18-B: 4.5 s for left turns
    patience_s: int = 60  # beyond, a waiting lane's weight grows
    patience_milli: int = 1_000  # by this at most
    max_red_s: int = 150  # an occupied stop line is served by then

    def grid_ms(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Return the decision times."""
        fine = list(range(self.fine_s))
        middle = list(range(self.fine_s, self.middle_s, 2))
        coarse = list(range(self.middle_s, self.horizon_s + 1, 4))
        return np.array([1000 * s for s in [*fine, *middle, *coarse]], dtype=np.int64)


SETTINGS: Final = AdaptiveSettings()


class AdaptivePlanner(Mailbox):
    """Plans one node with the beam search of `optimizer.horizon`."""

    name = "adaptive"

    def __init__(self, junction: Junction, node: Node, transitions: TransitionTable, solver: Solver, settings: AdaptiveSettings = SETTINGS) -> None:
        self._model = HorizonModel(junction, node, transitions, settings)
        self._node, self._solver, self._settings = node, solver, settings
        self._green_limit = GreenLimit(self._model.model)
        self.capacity, self._evidence = CapacityWatch(), EvidenceOf(self._model.model)
        self.problem: HorizonProblem | None = None  # what was solved last, for `controller.explain`
        self._solved: tuple[int, HorizonResult] | None = None  # when, and what
        served = self._model.model.service
        self._served = tuple(tuple(tuple(s.movement for s in row[lane]) for row in served) for lane in range(len(self.lanes)))

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """Return the lanes in the order of the arrays."""
        return self._model.model.lanes

    def caught_by(self, snapshot: Snapshot, stage: int) -> list[Lane]:
        """Return the lanes whose vehicles inside the junction the way to the stage waits for."""
        return self._model.caught_by(snapshot, stage)

    def exits_told(self, snapshot: Snapshot) -> tuple[list[str], list[str], list[str]]:
        """Return the exits that are full, those that are gated, and those before a near red, as a decision's reason names them."""
        mine, full = self._model.model.exits, snapshot.blocked_exits
        return sorted(mine & full), sorted(self._model.gates.lanes - full), sorted(mine & snapshot.shut_exits - full)

    def memory(self) -> dict[str, Any]:
        """Return what it remembers from one snapshot to the next, as JSON data."""
        return self._model.memory() | {"capacity": self.capacity.memory()}

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Go on from what `memory` returned. Raises `LookupError`, `TypeError` or `ValueError` where it is none."""
        self._model.recall(memory)
        self.capacity.recall(memory["capacity"])

    def submit(self, snapshot: Snapshot) -> None:
        """Build the arrays and solve."""
        self._model.margin.watch(snapshot)
        self._watch_capacity(snapshot)
        forced = self._model.red_limit.stage(snapshot)
        self._solved = None
        problem = self._model.problem(snapshot)
        self.last_solve_ms = None
        if forced is not None:
            self.problem, self.last_digest = problem, digest(problem)
            self._plan = self._forced(snapshot, forced)
            return
        result = self._search(problem)
        self.problem, self.last_digest = problem, digest(problem)
        if result is not None and result.status == 0:
            self._solved = snapshot.now_ms, result
            plan = self._to_plan(snapshot, problem, result)
            self._plan = self._within_longest_green(snapshot, problem, plan)

    def predicted(self) -> Sequence[Predicted]:
        """Return who leaves when by the newest plan; nothing where none was made."""
        if self._solved is None or self.problem is None:
            return ()
        now_ms, result = self._solved
        found = self._solver.departures(self.problem, result, SURE_FOR_MS)
        return [
            Predicted(lane.id, now_ms, times, stages, served)
            for lane, times, stages, served in zip(self.lanes, found.at_ms, found.stage, self._served, strict=True)
            if times
        ]

    def _watch_capacity(self, snapshot: Snapshot) -> None:
        evidence = self._evidence(snapshot)
        change = self.capacity.watch(snapshot.now_ms, evidence)
        notes = [] if change is None else [Note("objective", capacity_words(change), asdict(change))]
        for closes, lane, covered in self._model.gates.watch(snapshot, active=self.capacity.active):
            notes.append(Note("gate", gate_words(closes, lane, covered), {"lane": lane, "gated": closes, "covered_ratio": covered}))
        self.notes = tuple(notes)

    def _search(self, problem: HorizonProblem) -> HorizonResult | None:
        result = self._solver.horizon(problem)
        self.last_solve_ms = (self.last_solve_ms or 0.0) + 1000.0 * self._solver.solve_s
        return result

    def _within_longest_green(self, snapshot: Snapshot, problem: HorizonProblem, plan: Plan) -> Plan:
        """Return the plan, or the cheapest that ends those who have had their longest green."""
        over = self._green_limit.overdue(snapshot)
        first = plan.steps[0].stage
        endings = self._green_limit.ending(over) if over & self._model.model.green[first] else []
        if not endings or first in endings:
            return plan
        rivals = ((s, self._solver.horizon(problem, s)) for s in endings)
        costs = [(r.cost_ms, s) for s, r in rivals if r is not None and r.status == 0]
        return self._forced(snapshot, min(costs)[1], ended=sorted(over)) if costs else plan

    def _forced(self, snapshot: Snapshot, stage: int, ended: Sequence[str] = ()) -> Plan:
        name = self._node.stages[stage].id
        if stage == snapshot.signals.stage:
            why = f"keeps {name}: its stop line had waited too long, and some who stood there are still to go"
            return Plan(self.name, snapshot.now_ms, (PlanStep(stage, None),), why, {"forced": name})
        step = PlanStep(stage, None, self._model.clear_to(snapshot, stage))
        why = (
            f"{', '.join(ended)} had the longest green that is allowed, and somebody waits"
            if ended
            else "its stop line has waited for the longest time that is allowed"
        )
        reason = f"serves {name}: {why}"
        clears = clearing_of(step, self.caught_by(snapshot, stage))
        if clears is not None:
            reason += f"; {clearing_words(clears)}"
        return Plan(self.name, snapshot.now_ms, (step,), reason, {"forced": name, **({"ended": list(ended)} if ended else {})})

    def _to_plan(self, snapshot: Snapshot, problem: HorizonProblem, result: HorizonResult) -> Plan:
        now_ms = snapshot.now_ms
        stages, begins = result.stages.tolist(), result.begin_ms.tolist()
        untils = [now_ms + b for b in begins[1:]] + [None]
        clears = [0, self._model.clear_to(snapshot, stages[1]), *[0] * len(stages)] if len(stages) > 1 else [0]
        steps = [PlanStep(s, until_ms, clear_ms) for s, until_ms, clear_ms in zip(stages, untils, clears, strict=False)]
        if len(steps) > 1 and begins[1] <= 0:
            steps = steps[1:]
        costs, rival_s = costs_by_stage(problem, result, self._solver)
        self.last_solve_ms = (self.last_solve_ms or 0.0) + 1000.0 * rival_s
        caught = self.caught_by(snapshot, steps[0].stage)
        reason = sentence(self._node, reason_of(self.lanes, snapshot, problem, steps, costs, caught, *self.exits_told(snapshot)))
        detail: dict[str, object] = {"cost_ms": result.cost_ms, "alternatives_ms": {self._node.stages[s].id: c for s, c in sorted(costs.items())}}
        return Plan(self.name, now_ms, tuple(steps), reason, detail)
