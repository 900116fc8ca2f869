"""From a snapshot to the arrays of the rolling horizon: what is fixed is worked out once, the rest every tick."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from controller.clearing import ClearingMargin
from controller.expected import expected
from controller.junction import Junction, Lane, Node
from controller.node_model import NodeModel, Service
from controller.snapshot import Coming, LaneBelief, SignalState, Snapshot
from controller.solver import NEVER_MS, HorizonProblem, Ints
from controller.transitions import TransitionTable

if TYPE_CHECKING:
    from controller.adaptive import AdaptiveSettings

_MAX_VEHICLES: Final = 64
_WHOLE_MILLI: Final = 985  # a lane served this far counts as served whole
_INSIDE_VEH: Final = 0.5  # expected vehicles inside from which they are waited for
_MORE_INSIDE_MS: Final = 2_000  # for each one after the first
_UNSURE_MS: Final = 1_000
_MOST_INSIDE_VEH: Final = 3.0  # no junction holds more of one lane
_RELEASE_MS: Final = 3_000  # two vehicles that wait inside are out this long after the others' amber
_LONGEST_WAIT_MS: Final = 600_000  # longer waits count as this long


class HorizonModel:
    """One node's arrays."""

    def __init__(self, junction: Junction, node: Node, transitions: TransitionTable, settings: AdaptiveSettings) -> None:
        self._settings = settings
        self.model = model = NodeModel(junction, node)
        self._groups = node.groups
        self.margin = ClearingMargin()
        ways = {x.id: [junction.gives_way_to(m) for m in moves] for x, moves in zip(model.lanes, model.movements, strict=True)}
        self._first = {lane: {group for way in found for _, group in way} for lane, found in ways.items()}  # groups that turns of the lane let pass
        self._shared = {lane for lane, found in ways.items() if not all(found)}  # it is not sure how many of those who left such a lane turn
        lanes, stages = len(model.lanes), len(node.stages)
        self._grid = settings.grid_ms()
        self._horizon_ms = int(self._grid[-1])
        self._amber_ms = transitions.amber_ms
        self._ends_ms = tuple(tuple(pair.ends_ms for pair in row) for row in transitions.pairs)
        self._foes = self._foe_table(lanes, stages)
        self._end = np.zeros((stages, stages, lanes), np.int64)
        self._start = np.zeros((stages, stages, lanes), np.int64)
        self._begins = np.zeros((stages, stages, lanes), np.int64)  # 1 where the lane's green begins in the transition
        self._stay = np.zeros((stages, stages), np.int64)
        self._allowed = np.zeros((stages, stages), np.int64)
        self._extra = np.zeros((stages, stages), np.int64)  # how much longer than its transition a stage must stay
        for a in range(stages):
            for b in range(stages):
                self._fill_pair(junction, transitions, a, b)

    def _fill_pair(self, junction: Junction, transitions: TransitionTable, a: int, b: int) -> None:
        self._end[a, b, :] = NEVER_MS
        if a == b:
            return
        step = transitions.pairs[a][b]
        # An all-red stage is for clearing; nothing is gained by choosing it.
        self._allowed[a, b] = int(step.allowed and bool(self.model.green[b]))
        begun = [junction.group_by_id[g].min_green_ms + s for g, s in step.starts_ms.items()]
        self._stay[a, b] = max([step.settle_ms, *begun])
        if not begun and self._releases(a, b):
            # Who waited inside for a gap can leave once those with the right of way have stopped.
            self._stay[a, b] = max(e + junction.group_by_id[g].amber_ms for g, e in step.ends_ms.items()) + _RELEASE_MS
        self._extra[a, b] = self._stay[a, b] - step.settle_ms if not begun else 0
        for lane in range(len(self.model.lanes)):
            before = {s.group for s in self.model.service[a][lane]}
            after = {s.group for s in self.model.service[b][lane]}
            if before and not before & after:
                self._end[a, b, lane] = max(step.ends_ms.get(g, 0) for g in before) + self._settings.amber_use_ms
            if after and not before & after:
                self._start[a, b, lane] = min(step.starts_ms.get(g, 0) for g in after)
                self._begins[a, b, lane] = 1

    def _releases(self, a: int, b: int) -> bool:
        """Return whether b goes on to serve a turn that had to yield in a and need no longer."""
        for before, after in zip(self.model.service[a], self.model.service[b], strict=True):
            free = {s.movement for s in after if not s.foes}
            if any(s.foes and s.movement in free for s in before):
                return True
        return False

    def _foe_table(self, lanes: int, stages: int) -> Ints:
        rows: dict[tuple[int, int], list[int]] = {}
        for s in range(stages):
            for lane in range(lanes):
                rows[s, lane] = self._foe_lanes(s, lane)
        width = max([1, *(len(r) for r in rows.values())])
        table = np.full((stages, lanes, width), -1, np.int64)
        for (s, lane), row in rows.items():
            table[s, lane, : len(row)] = row
        return table

    def _foe_lanes(self, stage: int, lane: int) -> list[int]:
        """Return the lanes that any of this lane's traffic must yield to under the stage."""
        return sorted({x for s in self.model.service[stage][lane] for x in s.foes})

    def problem(self, snapshot: Snapshot) -> HorizonProblem:
        """Return the arrays of one tick."""
        settings, signals, now_ms = self._settings, snapshot.signals, snapshot.now_ms
        lanes = len(self.model.lanes)
        beliefs = [snapshot.lanes[x.id] for x in self.model.lanes]
        yields = self._yields(beliefs)
        arrival = np.zeros((lanes, _MAX_VEHICLES), np.int64)
        weight = np.zeros((lanes, _MAX_VEHICLES), np.int64)
        count = np.zeros(lanes, np.int64)
        for i, belief in enumerate(beliefs):
            times, weights = self._packets(belief, snapshot.coming.get(self.model.lanes[i].id), now_ms)
            n = count[i] = len(times)
            arrival[i, :n] = times
            weight[i, :n] = weights
        startup = np.array([b.startup_ms for b in beliefs], np.int64)
        start, stay = self._with_clearing(snapshot)
        return HorizonProblem(
            arrival_ms=arrival,
            weight_milli=weight,
            vehicles=count,
            headway_ms=np.array([b.headway_ms for b in beliefs], np.int64),
            stop_cost_ms=np.full(lanes, settings.stop_cost_ms, np.int64),
            person_milli=np.array([self._person_milli(b, now_ms) for b in beliefs], np.int64),
            ready_ms=np.array([self._ready_ms(i, b, snapshot) for i, b in enumerate(beliefs)], np.int64),
            blocked_ms=np.array([self._blocked_ms(i, snapshot) for i in range(lanes)], np.int64),
            service_milli=self._service(beliefs, snapshot),
            foes=self._foes,
            yield_milli=yields,
            yield_phase_milli=np.array([_phase_milli(b, int(y)) for b, y in zip(beliefs, yields[signals.stage], strict=True)], np.int64),
            gap_ms=np.full(lanes, settings.gap_ms, np.int64),
            green_end_ms=self._end,
            green_start_ms=start + self._begins * startup,
            min_stay_ms=stay,
            allowed=self._allowed,
            grid_ms=self._grid,
            stage=signals.stage,
            leave_ms=self._leave_ms(signals, now_ms),
            switch_cost_ms=settings.switch_cost_ms,
            beam=settings.beam,
        )

    def _with_clearing(self, snapshot: Snapshot) -> tuple[Ints, Ints]:
        """Return the starts and stays of the transitions, those out of the present stage as late as clearing needs."""
        now, start, stay = snapshot.signals.stage, self._start, self._stay
        for b in range(len(self.model.green)):
            clear_ms = self.clear_to(snapshot, b)
            if clear_ms:
                if start is self._start:
                    start, stay = start.copy(), stay.copy()
                late_ms = np.maximum(clear_ms - start[now, b], 0)
                start[now, b] += late_ms * self._begins[now, b]
                stay[now, b] += int(late_ms[self._begins[now, b] > 0].max(initial=0))
        return start, stay

    def overdue_stage(self, snapshot: Snapshot) -> int | None:
        """Return a stage that serves a stop line which has waited for the longest allowed red, None where none has."""
        limit_ms = self._settings.max_red_s * 1000
        worst: tuple[int, int] | None = None
        for i, lane in enumerate(self.model.lanes):
            belief = snapshot.lanes[lane.id]
            if belief.queue_veh < 0.5 or not belief.arrival_ms:
                continue
            reds = [r for g in self.model.lane_groups[i] if (r := snapshot.signals.red_since_ms.get(g)) is not None]
            if len(reds) < len(self.model.lane_groups[i]):
                continue
            waited_ms = snapshot.now_ms - max([*reds, belief.arrival_ms[0]])
            if waited_ms > limit_ms and (worst is None or waited_ms > worst[0]):
                worst = (waited_ms, i)
        if worst is None:
            return None
        serving = [s for s in range(len(self.model.green)) if self.model.service[s][worst[1]]]
        return max(serving, key=lambda s: (len(self.model.service[s][worst[1]]), -s), default=None)

    def clear_to(self, snapshot: Snapshot, stage: int) -> int:
        """Return how long after the begin of a transition to the stage nothing may turn green, for vehicles wait inside the junction for a gap.

        Their turn loses its green with those they yield to; they leave when these have stopped at their amber's end.
        """
        lanes = self.caught_by(snapshot, stage)
        if not lanes:
            return 0
        stop_ms = self._last_end_ms(lanes, snapshot.signals.stage, stage) + self._amber_ms
        return stop_ms + self.margin.ms + max(self._leaving_ms(snapshot, lane) for lane in lanes)

    def _leaving_ms(self, snapshot: Snapshot, lane: Lane) -> int:
        """Return how long those inside need beyond the first one, who is out by the time the others have stopped."""
        inside_veh = min(snapshot.lanes[lane.id].inside_veh, _MOST_INSIDE_VEH)
        return (_UNSURE_MS if lane.id in self._shared else 0) + int(_MORE_INSIDE_MS * max(inside_veh - 1.0, 0.0))

    def _last_end_ms(self, lanes: list[Lane], a: int, b: int) -> int:
        """Return when the last of those ends, on the way from a to b, whom turns from these lanes let pass; greens may end late in a transition."""
        first = {group for lane in lanes for group in self._first[lane.id]}
        return max((ms for group, ms in self._ends_ms[a][b].items() if group in first), default=0)

    def caught_by(self, snapshot: Snapshot, stage: int) -> list[Lane]:
        """Return the lanes whose vehicles wait inside the junction, or are about to, and would lose their green to the stage."""
        now = snapshot.signals.stage
        found = []
        for i, lane in enumerate(self.model.lanes):
            belief = snapshot.lanes[lane.id]
            turning = {s.group for s in self.model.service[now][i] if s.foes}
            if now != stage and turning - self.model.green[stage] and (belief.head_yields or belief.inside_veh >= _INSIDE_VEH):
                found.append(lane)
        return found

    def _packets(self, belief: LaneBelief, coming: Coming | None, now_ms: int) -> tuple[list[int], list[int]]:
        """Return the lane's vehicles as packets, those appended that are expected from beyond what the loops have seen.

        These are the ones that the neighbours tell of, and an even flow of those that nobody tells of.
        """
        times = [max(a - now_ms, -_LONGEST_WAIT_MS) for a in belief.arrival_ms]
        weights = [int(1000 * w) for w in belief.weight]
        for i in range(1, len(times)):
            times[i] = max(times[i], times[i - 1])
        later_ms, later_milli = expected(belief, coming, max(belief.known_ms, times[-1] if times else 0), now_ms, self._horizon_ms)
        times += later_ms
        weights += later_milli
        return times[:_MAX_VEHICLES], weights[:_MAX_VEHICLES]

    def _person_milli(self, belief: LaneBelief, now_ms: int) -> int:
        if not belief.arrival_ms or belief.queue_veh < 0.5:
            return 1000
        over_ms = min(now_ms - belief.arrival_ms[0], _LONGEST_WAIT_MS) - 1000 * self._settings.patience_s
        return 1000 + min(max(0, over_ms) // 30, self._settings.patience_milli)

    def _ready_ms(self, lane: int, belief: LaneBelief, snapshot: Snapshot) -> int:
        signals, now_ms = snapshot.signals, snapshot.now_ms
        begun = [g for s in self.model.service[signals.stage][lane] if (g := signals.green_since_ms.get(s.group)) is not None]
        if begun:
            start_ms = min(begun) + belief.startup_ms
        elif self.model.service[signals.stage][lane] and signals.settled_ms > now_ms:
            start_ms = signals.settled_ms + belief.startup_ms
        else:
            start_ms = now_ms
        return max(start_ms, belief.last_leave_ms + belief.headway_ms // 2) - now_ms

    def _leave_ms(self, signals: SignalState, now_ms: int) -> int:
        extra_ms = int(self._extra[signals.from_stage, signals.stage])
        return max(signals.earliest_leave_ms - now_ms, signals.settled_ms + extra_ms - now_ms if extra_ms else 0, 0)

    def _blocked_ms(self, lane: int, snapshot: Snapshot) -> int:
        moves = self.model.movements[lane]
        if snapshot.blocked_exits and all(m.exit in snapshot.blocked_exits for m in moves):
            return 6_000
        return 0

    def _yields(self, beliefs: list[LaneBelief]) -> Ints:
        """Return which share of the vehicles that a stage serves on a lane must yield."""
        table = np.zeros((len(self.model.green), len(beliefs)), np.int64)
        for s, row in enumerate(self.model.service):
            for i, serves in enumerate(row):
                table[s, i] = _yield_milli(serves, beliefs[i])
        return table

    def _service(self, beliefs: list[LaneBelief], snapshot: Snapshot) -> Ints:
        """Return the share of each lane's vehicles that each stage lets pass; nothing where the lane was seen to be locked."""
        table = np.zeros((len(self.model.green), len(beliefs)), np.int64)
        for s, row in enumerate(self.model.service):
            for i, serves in enumerate(row):
                if serves:
                    table[s, i] = _served_milli(serves, beliefs[i])
        for i, belief in enumerate(beliefs):
            if belief.blocked_ms > snapshot.now_ms:
                table[snapshot.signals.stage, i] = 0
        return table


def _yield_milli(serves: tuple[Service, ...], belief: LaneBelief) -> int:
    served = sum(belief.movement_ratio[s.movement] for s in serves)
    yielding = [s for s in serves if s.foes]
    if len(yielding) == len(serves):
        return 1000 if yielding else 0
    if served <= 0.0:
        return 0
    milli = int(1000 * sum(belief.movement_ratio[s.movement] for s in yielding) / served)
    return 1000 if milli >= _WHOLE_MILLI else 0 if milli <= 1000 - _WHOLE_MILLI else milli


def _phase_milli(belief: LaneBelief, yield_milli: int) -> int:
    """Return where the pattern of yielding vehicles begins: half way, or so that the first vehicle yields where it is seen to."""
    return min(1000 - yield_milli, 999) if belief.head_yields else 500


def _served_milli(serves: tuple[Service, ...], belief: LaneBelief) -> int:
    if sum(belief.head_ratio[s.movement] for s in serves) < 0.02:
        return 0
    milli = int(1000 * sum(belief.movement_ratio[s.movement] for s in serves))
    return 1000 if milli >= _WHOLE_MILLI else milli
