"""The `actuated` planner: minimum green, extension lane by lane until the queue's end, maximum green, skipped stages.

A lane that has had its queue's end is over, whoever comes later: nobody waits until all lanes are quiet at once (NEMA TS 2 without
simultaneous gap out). Where stages overlap it goes on as a dual ring does: from 1+5 to 1+6 while 1 still runs, each lane with a maximum green
of its own. Which stage comes next is `controller.stage_order`'s to say.

Needs detectors only, no numba; an estimate only where a lane's stop loop is not trusted. It is what every other mode falls back to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from controller.junction import Junction, Node, Purpose
from controller.node_model import NodeModel
from controller.plan import Plan, PlanStep
from controller.planner import Mailbox
from controller.snapshot import SignalState, Snapshot
from controller.stage_order import StageOrder


@dataclass(frozen=True, slots=True)
class ActuatedSettings:
    """The one parameter set for all junctions."""

    max_green_s: int = 50  # where the group has none of its own
    stop_gap_ms: int = 2_000  # a lane has ended its queue when its stop loop stays free this long
    advance_gap_ms: int = 1_000  # beyond the travel time from the advance loop to the stop line
    advance_reach_m: float = 60.0  # farther loops do not extend
    dead_lane_ms: int = 8_000  # green, covered, nobody leaves: the lane no longer extends


SETTINGS: Final = ActuatedSettings()


@dataclass(frozen=True, slots=True)
class _Loop:
    id: str
    gap_ms: int
    stop: bool


class ActuatedPlanner(Mailbox):
    """Plans one node, stage by stage."""

    name = "actuated"

    def __init__(self, junction: Junction, node: Node, settings: ActuatedSettings = SETTINGS) -> None:
        self._model = NodeModel(junction, node)
        self._node, self._settings = node, settings
        self._loops = tuple(self._extension_loops(i) for i in range(len(self._model.lanes)))
        self._max_green_ms = tuple(
            min([junction.group_by_id[g].max_green_ms or settings.max_green_s * 1000 for g in stage.green], default=settings.max_green_s * 1000)
            for stage in node.stages
        )
        self._min_green_ms = {g: junction.group_by_id[g].min_green_ms for g in node.groups}
        self._order = StageOrder(self._model, *self._turns())
        self._over: set[int] = set()  # lanes that have had their queue's end in this green
        self._called = [False] * len(self._model.lanes)
        self._counts: dict[str, int] = {}
        self._rival_since_ms: int | None = None
        self._begun = False

    def _extension_loops(self, lane: int) -> tuple[_Loop, ...]:
        found = []
        approach = self._model.lanes[lane]
        for d in self._model.detectors(approach.id, Purpose.STOP, Purpose.ADVANCE, Purpose.ENTRY):
            if d.distance_m <= self._settings.advance_reach_m:
                stop = d.purpose is Purpose.STOP
                travel_ms = 0 if stop else int(1000 * d.distance_m / approach.speed_m_s)
                found.append(_Loop(d.id, self._settings.stop_gap_ms if stop else travel_ms + self._settings.advance_gap_ms, stop))
        return tuple(found)

    def _turns(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the stages that have a turn, the programme's first, and those that serve nobody whom these do not serve as well."""
        index = {s.id: i for i, s in enumerate(self._node.stages)}
        programme = self._node.programmes[0].steps if self._node.programmes else ()
        turns, others = list(dict.fromkeys(index[p.stage] for p in programme)), list[int]()
        ways, free = self._model.ways, self._model.free_ways
        for k, stage in enumerate(self._node.stages):
            if k not in turns and stage.green and not stage.free:
                known = ways[k] <= frozenset().union(*(ways[t] for t in turns)) and free[k] <= frozenset().union(*(free[t] for t in turns))
                (others if known else turns).append(k)
        return tuple(turns), tuple(others)

    def submit(self, snapshot: Snapshot) -> None:
        """Update the calls, then keep, end or skip."""
        signals, now_ms = snapshot.signals, snapshot.now_ms
        stage = signals.stage
        self._order.see(stage)
        self._update_calls(snapshot)
        if not self._begun:
            self._begun = True
            self._plan = Plan(self.name, now_ms, (PlanStep(stage, None),), f"begins with {self._node.stages[stage].id}")
        rivals = self._rivals(stage)
        if not rivals:
            self._rival_since_ms = None
            return
        if self._rival_since_ms is None:
            self._rival_since_ms = now_ms
        if now_ms >= signals.settled_ms:
            self._decide(rivals, self._rival_since_ms, snapshot)

    def _decide(self, rivals: list[int], rival_since_ms: int, snapshot: Snapshot) -> None:
        """Keep the stage, end it, or end a part of it."""
        signals, now_ms = snapshot.signals, snapshot.now_ms
        stage, young = signals.stage, self._young(snapshot.signals, now_ms)
        extending = self._extending(stage, young, snapshot)
        running = [i for i in extending if now_ms - max(rival_since_ms, self._since_ms(i, signals)) < self._max_green_ms[stage]]
        keep = young.union(*(self._model.lane_groups[i] & self._model.green[stage] for i in running))
        if running or now_ms < signals.earliest_leave_ms:
            target = self._order.part(rivals, keep)
        else:
            target, keep = self._order.step(rivals), frozenset()
            self._rival_since_ms = None
        if target is None:
            return
        name, to = self._node.stages[stage].id, self._node.stages[target].id
        why, ended = ("its maximum green is over", "max_out") if len(extending) > len(running) else ("its queues have ended", "gap_out")
        if keep:
            why = f"{why}, but {', '.join(sorted(keep))} goes on"
        self._plan = Plan(self.name, now_ms, (PlanStep(target, None),), f"ends {name}: {why}; {to} is called", {"ended": ended})

    def _since_ms(self, lane: int, signals: SignalState) -> int:
        """Return since when the lane's maximum green counts: where it went on from stage to stage, since its own begin."""
        begun_ms = [signals.green_since_ms.get(g) for g in self._model.lane_groups[lane] & self._model.green[signals.stage]]
        return max((ms for ms in begun_ms if ms is not None), default=signals.settled_ms) if self._order.in_part else signals.settled_ms

    def _young(self, signals: SignalState, now_ms: int) -> frozenset[str]:
        """Return the stage's groups that have not had their minimum green."""
        begun_ms = {g: signals.green_since_ms.get(g) for g in self._model.green[signals.stage]}
        return frozenset(g for g, since_ms in begun_ms.items() if since_ms is None or now_ms < since_ms + self._min_green_ms[g])

    def _extending(self, stage: int, young: frozenset[str], snapshot: Snapshot) -> list[int]:
        """Return the lanes whose queues have not ended; an end is final after the minimum green."""
        extending = [i for i in range(len(self._model.lanes)) if self._extends(i, stage, snapshot)]
        old = {i for i, groups in enumerate(self._model.lane_groups) if (now := groups & self._model.green[stage]) and not now & young}
        self._over = (self._over & old) | old.difference(extending)
        return [i for i in extending if i not in self._over]

    def _update_calls(self, snapshot: Snapshot) -> None:
        """Set and clear the calls: a vehicle seen while its lane is not served calls, until the lane was served and its loops are free."""
        stage = snapshot.signals.stage
        for i, loops in enumerate(self._loops):
            served = bool(self._model.service[stage][i]) and snapshot.now_ms >= snapshot.signals.settled_ms
            occupied = False
            for loop in loops:
                state = snapshot.detectors[loop.id]
                occupied = occupied or (state.occupied if state.trusted else loop.stop)
                moved = state.count != self._counts.get(loop.id, 0)
                self._counts[loop.id] = state.count
                if not served and not loop.stop and moved:
                    self._called[i] = True
            if occupied:
                self._called[i] = True
            elif served and self._covers(stage, i):
                self._called[i] = False

    def _covers(self, stage: int, lane: int) -> bool:
        """Return whether the stage serves every movement of the lane."""
        return len(self._model.service[stage][lane]) == len(self._model.movements[lane])

    def _rivals(self, stage: int) -> list[int]:
        """Return the lanes that call and are not wholly served now."""
        return [i for i, called in enumerate(self._called) if called and not self._covers(stage, i)]

    def _blind(self, lane: int, snapshot: Snapshot) -> bool:
        """Return whether no stop loop of the lane is trusted: what is believed of its queue stands in."""
        stops = [loop.id for loop in self._loops[lane] if loop.stop]
        return bool(stops) and not any(snapshot.detectors[x].trusted for x in stops)

    def _extends(self, lane: int, stage: int, snapshot: Snapshot) -> bool:
        if not self._model.service[stage][lane]:
            return False
        if self._blind(lane, snapshot):
            return snapshot.lanes[self._model.lanes[lane].id].queue_veh >= 0.5
        for loop in self._loops[lane]:
            state = snapshot.detectors[loop.id]
            since_ms = snapshot.now_ms - state.changed_ms
            if not state.trusted:
                continue
            if state.occupied and since_ms < self._settings.dead_lane_ms:
                return True
            if not state.occupied and state.count > 0 and since_ms < loop.gap_ms:
                return True
        return False
