"""The `cycle` planner: once per cycle, greens and cycle length that minimise delay for the measured flows; within it, the traffic trims them.

Predictable: the stages keep the programme's order, and the greens move in small bounded steps from cycle to cycle. Within a cycle it does
what an actuated controller with a pattern can do: a stage that nobody needs is left out, a green ends when its queue is gone and no more
vehicles are worth waiting for, and it goes on, up to a bounded part beyond its share, where they are. So the offset of each green follows
the platoons that are seen to come.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from controller.adaptive import SETTINGS as ADAPTIVE
from controller.calls import Calls
from controller.green_worth import ClosedLane, OpenLane, worth_holding
from controller.horizon_model import HorizonModel
from controller.junction import Junction, Node
from controller.node_model import NodeModel
from controller.plan import Plan, PlanStep
from controller.planner import Mailbox
from controller.snapshot import SignalState, Snapshot
from controller.solver import Solver, SplitProblem, digest
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
    longer_ratio: float = 1.5  # the longest green over its share; FHWA Signal Timing Manual (2008) 5.4.2: 1.25 to 1.5
    least_max_s: float = 20.0  # no green's limit is below this, or chance queues of a weak lane are never served at once
    look_ahead_s: float = 20.0  # vehicles farther away do not hold a green


SETTINGS: Final = CycleSettings()
_RELEASE_MS: Final = 3_000  # two vehicles that wait inside are out this long after the others' amber
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
        self._calls = Calls(self._model, self._order, transitions)
        self._horizon = HorizonModel(junction, node, transitions, ADAPTIVE)  # it knows for how long those who wait inside must be let out
        self._greens_s: dict[int, float] = {}
        self._result: dict[str, object] = {}  # what the newest splits promise, for the plan's detail
        self._rival_since_ms: int | None = None
        self._seen_ms: int | None = None

    def _programme_order(self) -> tuple[int, ...]:
        index = {s.id: i for i, s in enumerate(self._node.stages)}
        programme = self._node.programmes[0].steps if self._node.programmes else ()
        return tuple(dict.fromkeys(index[p.stage] for p in programme)) or tuple(i for i, s in enumerate(self._node.stages) if s.green and not s.free)

    def memory(self) -> dict[str, Any]:
        """Return what it remembers from one snapshot to the next, as JSON data."""
        own = {"greens_s": list(self._greens_s.items()), "result": self._result, "rival_since_ms": self._rival_since_ms, "seen_ms": self._seen_ms}
        return self._horizon.memory() | own

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Go on from what `memory` returned. Raises `LookupError`, `TypeError` or `ValueError` where it is none."""
        self._horizon.recall(memory)
        self._greens_s = {int(stage): float(green_s) for stage, green_s in memory["greens_s"]}
        self._result, self._rival_since_ms, self._seen_ms = dict(memory["result"]), memory["rival_since_ms"], memory["seen_ms"]

    def submit(self, snapshot: Snapshot) -> None:
        """Keep the stage, or go on to the next one that is needed; share out the greens anew where a cycle begins."""
        self.last_digest, self.last_solve_ms = b"", None
        now_ms, signals = snapshot.now_ms, snapshot.signals
        self._horizon.margin.watch(snapshot)
        resumed = self._seen_ms is None or now_ms - self._seen_ms > _PAUSE_MS
        self._seen_ms = now_ms
        if resumed:
            self._rival_since_ms = None
            self._share_out(snapshot)
            text = f"begins with {self._node.stages[signals.stage].id}; {self._shares()}"
            self._plan = Plan(self.name, now_ms, (PlanStep(signals.stage, None),), text, self._detail())
        needed = self._calls.needed(snapshot)
        if not needed:
            self._rival_since_ms = None
            return
        if self._rival_since_ms is None:
            self._rival_since_ms = now_ms
        if now_ms < self._leave_ms(signals):
            return
        why = self._why_end(snapshot, needed)
        if why is not None:
            self._go_on(snapshot, needed[0], why)

    def _leave_ms(self, signals: SignalState) -> int:
        """Return when the stage may be left: after its minimum green, and where it lets turners go only when those they yielded to have stopped."""
        leave_ms = max(signals.earliest_leave_ms, signals.settled_ms)
        if signals.from_stage != signals.stage and self._calls.releases(signals.from_stage, signals.stage):
            leave_ms = max(leave_ms, signals.settled_ms + self._transitions.amber_ms + _RELEASE_MS)
        return leave_ms

    def _why_end(self, snapshot: Snapshot, needed: list[int]) -> str | None:
        """Return why the present green ends now, None where it is worth holding."""
        now_ms, stage = snapshot.now_ms, snapshot.signals.stage
        since_ms = max(self._rival_since_ms or now_ms, snapshot.signals.settled_ms)
        end_ms = since_ms + int(1000 * self._limit_s(stage))
        if now_ms >= end_ms:
            return "its longest green is over"
        red_s = self._red_s(stage, needed)
        until_ms = min(end_ms, now_ms + int(1000 * self._settings.look_ahead_s))
        held = worth_holding(self._losing(snapshot, needed[0]), self._closed(snapshot), red_s, now_ms, until_ms)
        return "its queues are gone" if held is None else None

    def _limit_s(self, stage: int) -> float:
        share_s = self._greens_s.get(stage, self._min_green_s[stage])
        return max(min(max(self._settings.longer_ratio * share_s, self._settings.least_max_s), self._max_green_s[stage]), self._min_green_s[stage])

    def _red_s(self, stage: int, needed: list[int]) -> float:
        """Return how long the stage will be red: the shares of those that are needed, and the transitions."""
        total, before = 0.0, stage
        for k in (*needed, stage):
            total += self._transitions.pairs[before][k].settle_ms / 1000
            total += self._greens_s.get(k, self._min_green_s[k]) if k != stage else 0.0
            before = k
        return total

    def _losing(self, snapshot: Snapshot, target: int) -> list[OpenLane]:
        """Return the lanes that the present stage serves and the target does not serve as far."""
        lanes = []
        for i, lane in enumerate(self._model.lanes):
            belief = snapshot.lanes[lane.id]
            now = self._model.service[snapshot.signals.stage][i]
            later = {s.movement for s in self._model.service[target][i]}
            lost = [s for s in now if s.movement not in later]
            if not lost or self._blocked(i, snapshot):
                continue
            ratio = sum(belief.movement_ratio[s.movement] for s in now)
            yields = all(s.foes for s in now)
            if sum(belief.head_ratio[s.movement] for s in now) > 0.02:
                lanes.append(OpenLane(belief, ratio, belief.headway_ms / (self._settings.yielding_ratio if yields else 1.0)))
        return lanes

    def _closed(self, snapshot: Snapshot) -> list[ClosedLane]:
        """Return the lanes that the present stage does not serve, or not all of."""
        found = []
        for i, lane in enumerate(self._model.lanes):
            belief = snapshot.lanes[lane.id]
            open_ratio = sum(belief.movement_ratio[s.movement] for s in self._model.service[snapshot.signals.stage][i])
            if open_ratio < 0.98 and not self._blocked(i, snapshot):
                found.append(ClosedLane(belief, 1.0 - open_ratio))
        return found

    def _blocked(self, lane: int, snapshot: Snapshot) -> bool:
        return bool(snapshot.blocked_exits) and all(m.exit in snapshot.blocked_exits for m in self._model.movements[lane])

    def _go_on(self, snapshot: Snapshot, target: int, why: str) -> None:
        stage, names = snapshot.signals.stage, self._node.stages
        text = f"ends {names[stage].id}: {why}; {names[target].id} is next"
        detail: dict[str, object] = {}
        if self._place(target) <= self._place(stage):
            self._share_out(snapshot)
            text, detail = f"{text}; {self._shares()}", self._detail()
        self._plan = Plan(self.name, snapshot.now_ms, (PlanStep(target, None, self._horizon.clear_to(snapshot, target)),), text, detail)
        self._rival_since_ms = None

    def _place(self, stage: int) -> int:
        return self._order.index(stage) if stage in self._order else -1

    def _share_out(self, snapshot: Snapshot) -> None:
        """Solve the splits of the next cycle and move the greens towards them."""
        order = self._calls.wanted_order(snapshot)
        problem = self._problem(snapshot, order)
        self.last_digest = digest(problem)
        result = self._solver.splits(problem)
        self.last_solve_ms = 1000.0 * self._solver.solve_s
        if result is None:
            return
        self._result = {"cycle_s": result.cycle_s, "delay_s": result.delay_s, "greens_s": {}, "status": result.status}
        for stage, wanted_s in zip(order, result.green_s.tolist(), strict=True):
            before_s, step_s = self._greens_s.get(stage, wanted_s), self._settings.max_step_s
            self._greens_s[stage] = max(min(max(wanted_s, before_s - step_s), before_s + step_s), self._min_green_s[stage])

    def _shares(self) -> str:
        return "greens of the cycle: " + ", ".join(f"{self._node.stages[s].id} {g:.0f} s" for s, g in sorted(self._greens_s.items()))

    def _detail(self) -> dict[str, object]:
        greens = {self._node.stages[s].id: g for s, g in sorted(self._greens_s.items())}
        return self._result | {"greens_s": greens} if self._result else {}

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
