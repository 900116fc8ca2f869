"""From a snapshot to the arrays of the rolling horizon: what is fixed is worked out once, the rest every tick."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from controller.clearing import ClearingMargin
from controller.expected import LEAST_MILLI, expected
from controller.gating import Gates
from controller.junction import Junction, Lane, Node
from controller.lane_model import REAR_MS
from controller.near_reds import NearReds
from controller.node_model import NodeModel, Service
from controller.red_limit import RedLimit
from controller.served_shares import phase_milli, served_milli, yield_milli
from controller.snapshot import Coming, LaneBelief, SignalState, Snapshot
from controller.solver import NEVER_MS, HorizonProblem, Ints
from controller.spillback import LIKELY_RATIO, FullExits, blocked_ratio
from controller.stage_choice import StageChoice
from controller.transitions import TransitionTable
from controller.work_price import CHANGE_MS, LONGEST_MS, WorkPrice

if TYPE_CHECKING:
    from controller.adaptive import AdaptiveSettings

_MAX_VEHICLES: Final = 64
_NOBODY: Final = [bytes(8 * (_MAX_VEHICLES - taken)) for taken in range(_MAX_VEHICLES + 1)]  # the free places of a lane
_INSIDE_VEH: Final = 0.5  # expected vehicles inside from which they are waited for
_MORE_INSIDE_MS: Final = 2_000  # for each one after the first
_UNSURE_MS: Final = 1_000
_MOST_INSIDE_VEH: Final = 3.0  # no junction holds more of one lane
_RELEASE_MS: Final = 3_000  # two vehicles that wait inside are out this long after the others' amber
_LONGEST_WAIT_MS: Final = 600_000  # longer waits count as this long
_REMEMBER: Final = ("margin", "exits", "gates", "red_limit")
_NO_GAP_MS: Final = 20_000  # in place of the critical gap where none is to be expected
_WAY_STAGES: Final = 62  # a vehicle's own way is told for at most so many stages, a bit each


class HorizonModel:
    """One node's arrays."""

    def __init__(self, junction: Junction, node: Node, transitions: TransitionTable, settings: AdaptiveSettings) -> None:
        self._settings = settings
        self.model = model = NodeModel(junction, node)
        self._on_red = {g.id for g in junction.groups if g.turn_on_red}
        self._mine = tuple(groups.intersection(node.groups) for groups in model.lane_groups)
        self.margin = ClearingMargin([x.id for x in model.lanes])
        self.exits, self.gates = FullExits(), Gates(model)
        self._near_reds = NearReds(model)
        self.red_limit = RedLimit(model, 1000 * settings.max_red_s)
        self._choice = StageChoice(model)
        ways = {x.id: [junction.gives_way_to(m) for m in moves] for x, moves in zip(model.lanes, model.movements, strict=True)}
        self._first = {lane: {group for way in found for _, group in way} for lane, found in ways.items()}  # groups that turns of the lane let pass
        self._shared = {lane for lane, found in ways.items() if not all(found)}  # it is not sure how many of those who left such a lane turn
        self._persons_milli = [round(1000 * x.person_weight) for x in model.lanes]
        lanes, stages = len(model.lanes), len(node.stages)
        self._grid = settings.grid_ms()
        self._horizon_ms = int(self._grid[-1])
        self._amber_ms = transitions.amber_ms
        self._ends_ms = tuple(tuple(pair.ends_ms for pair in row) for row in transitions.pairs)
        self._foes = self._foe_table(lanes, stages)
        self._ways = self._way_bits()
        self._end = np.zeros((stages, stages, lanes), np.int64)
        self._ends_here = np.zeros((stages, stages, lanes), np.int64)  # 1 where the lane's green ends in the transition
        self._start = np.zeros((stages, stages, lanes), np.int64)
        self._begins = np.zeros((stages, stages, lanes), np.int64)  # 1 where the lane's green begins in the transition
        self._starts_up = np.zeros((stages, stages, lanes), np.int64)  # 1 there, and where a red lane's green has to wait for what ends in the transition
        self._stay = np.zeros((stages, stages), np.int64)
        self._allowed = np.zeros((stages, stages), np.int64)
        self._extra = np.zeros((stages, stages), np.int64)  # how much longer than its transition a stage must stay
        self._stop_cost = np.full(lanes, settings.stop_cost_ms, np.int64)
        self._gap = np.full(lanes, settings.gap_ms, np.int64)
        self._turning = [self._turning_lanes(s) for s in range(stages)]
        self._groups = [[[s.group for s in serves] for serves in row] for row in self.model.service]
        self._no_ways = np.zeros((lanes, _MAX_VEHICLES), np.int64)
        self._work_price = WorkPrice(model, self._horizon_ms)
        self._ratios: list[tuple[object, ...]] = [()] * lanes  # of which the two tables below are made
        self._served, self._yielding = np.zeros((stages, lanes), np.int64), np.zeros((stages, lanes), np.int64)
        for a in range(stages):
            for b in range(stages):
                self._fill_pair(junction, transitions, a, b)
        self._amber_use_ms: list[int] = []  # with which the next table was made
        self._green_end = self._end
        self._startup_ms: list[int] = []  # and the one after that, where nothing has to be cleared
        self._green_start = self._start

    def _turning_lanes(self, stage: int) -> list[tuple[Lane, frozenset[str]]]:
        """Return the lanes from which the stage lets vehicles turn that must yield, with the groups of these turns."""
        turning = [(x, frozenset(s.group for s in serves if s.foes)) for x, serves in zip(self.model.lanes, self.model.service[stage], strict=True)]
        return [(x, groups) for x, groups in turning if groups]

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
                self._end[a, b, lane] = max(step.ends_ms.get(g, 0) for g in before)
                self._ends_here[a, b, lane] = 1
            if after and not before & after:
                self._start[a, b, lane] = min(step.starts_ms.get(g, 0) for g in after)
                self._begins[a, b, lane] = self._starts_up[a, b, lane] = 1
            if not after:
                clear_ms = min(transitions.cleared_ms(a, b, g) for g in self._mine[lane])
                self._start[a, b, lane], self._starts_up[a, b, lane] = clear_ms, int(clear_ms > 0)

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

    def _way_bits(self) -> list[list[tuple[int, int]]]:
        """Return for each lane and movement of it the stages that let it pass, and those under which it yields, as bits."""
        found = [[(0, 0)] * len(moves) for moves in self.model.movements]
        for stage, row in enumerate(self.model.service[:_WAY_STAGES]):
            for bits, serves in zip(found, row, strict=True):
                for s in serves:
                    passes, yields = bits[s.movement]
                    bits[s.movement] = (passes | 1 << stage, yields | (1 << stage if s.foes else 0))
        return found

    def _foe_lanes(self, stage: int, lane: int) -> list[int]:
        """Return the lanes that any of this lane's traffic must yield to under the stage."""
        return sorted({x for s in self.model.service[stage][lane] for x in s.foes})

    def memory(self) -> dict[str, Any]:
        """Return what it remembers from one tick to the next, as JSON data."""
        return {name: getattr(self, name).memory() for name in _REMEMBER}

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Go on from what `memory` returned. Raises `LookupError`, `TypeError` or `ValueError` where it is none."""
        for name in _REMEMBER:
            getattr(self, name).recall(memory[name])

    def problem(self, snapshot: Snapshot) -> HorizonProblem:
        """Return the arrays of one tick."""
        settings, signals, now_ms = self._settings, snapshot.signals, snapshot.now_ms
        self.exits.watch(snapshot)
        lanes = len(self.model.lanes)
        beliefs = [snapshot.lanes[x.id] for x in self.model.lanes]
        shut = self._choice.shut(snapshot) - {signals.stage} | self._near_reds.feeding(beliefs, snapshot)
        lasts_ms = self._lasts_ms(snapshot)
        gapless = self._gapless(beliefs, now_ms) if lasts_ms >= LONGEST_MS else []
        service, yields = self._shares(beliefs, snapshot, shut, gapless)
        yielding = yields[signals.stage].tolist()
        arrival, weight, numbers = array("q"), array("q"), array("q")
        for lane, belief in zip(self.model.lanes, beliefs, strict=True):
            times, weights = self._packets(belief, snapshot.coming.get(lane.id), now_ms)
            arrival.extend(times)
            weight.extend(weights)
            arrival.frombytes(_NOBODY[len(times)])
            weight.frombytes(_NOBODY[len(times)])
            numbers.append(len(times))
        numbers.extend([belief.headway_ms for belief in beliefs])
        numbers.extend([self._person_milli(i, belief, now_ms) for i, belief in enumerate(beliefs)])
        numbers.extend([self._ready_ms(i, belief, snapshot) for i, belief in enumerate(beliefs)])
        numbers.extend([self.exits.blocked_ms(moves, belief) for moves, belief in zip(self.model.movements, beliefs, strict=True)])
        numbers.extend([phase_milli(belief, milli) for belief, milli in zip(beliefs, yielding, strict=True)])
        count, headway, person, ready, blocked, phase = np.frombuffer(numbers, np.int64).reshape(6, lanes)
        passes, gives_way = self._ways_of(beliefs)
        price_milli = self._work_price.milli(snapshot.lanes, lasts_ms)
        start, stay = self._with_clearing(snapshot, beliefs)
        return HorizonProblem(
            arrival_ms=np.frombuffer(arrival, np.int64).reshape(lanes, _MAX_VEHICLES),
            weight_milli=np.frombuffer(weight, np.int64).reshape(lanes, _MAX_VEHICLES),
            passes=passes,
            gives_way=gives_way,
            vehicles=count,
            headway_ms=headway,
            stop_cost_ms=self._stop_cost,
            person_milli=person,
            ready_ms=ready,
            blocked_ms=blocked,
            service_milli=service,
            foes=self._foes,
            yield_milli=yields,
            yield_phase_milli=phase,
            gap_ms=self._gaps(gapless),
            green_end_ms=self._ends(beliefs),
            green_start_ms=start,
            min_stay_ms=stay,
            allowed=self._open(shut),
            grid_ms=self._grid,
            stage=signals.stage,
            leave_ms=self._leave_ms(signals, now_ms),
            switch_cost_ms=settings.switch_cost_ms + price_milli * CHANGE_MS // 1000,
            work_price_milli=price_milli,
            beam=settings.beam,
        )

    def _lasts_ms(self, snapshot: Snapshot) -> float:
        """Return how long the queues last; not at all where an exit is full or gated, for then the bottleneck is behind this junction."""
        return 0.0 if self.gates.lanes or self.model.exits & snapshot.closed_exits else self._work_price.lasts_ms(snapshot.lanes)

    def _gapless(self, beliefs: list[LaneBelief], now_ms: int) -> list[int]:
        """Return the lanes whose first vehicle has long found no gap: where queues never end there is none, and he leaves as the green ends."""
        return [i for i, belief in enumerate(beliefs) if belief.head_yields and belief.blocked_ms > now_ms]

    def _gaps(self, gapless: list[int]) -> Ints:
        """Return the critical gaps, on these lanes so long that it will not be found."""
        if not gapless:
            return self._gap
        gap = self._gap.copy()
        gap[gapless] = _NO_GAP_MS
        return gap

    def _open(self, shut: frozenset[int]) -> Ints:
        """Return the transitions that may be chosen, none to the stages that are shut."""
        if not shut:
            return self._allowed
        allowed = self._allowed.copy()
        allowed[:, sorted(shut)] = 0
        return allowed

    def _ends(self, beliefs: list[LaneBelief]) -> Ints:
        """Return until when the lanes discharge in each transition, made anew where the use of an amber has changed."""
        amber_use_ms = [belief.amber_use_ms for belief in beliefs]
        if amber_use_ms != self._amber_use_ms:
            self._amber_use_ms = amber_use_ms
            self._green_end = np.maximum(self._end + self._ends_here * np.array(amber_use_ms, np.int64), 0)
        return self._green_end

    def _with_clearing(self, snapshot: Snapshot, beliefs: list[LaneBelief]) -> tuple[Ints, Ints]:
        """Return the starts and stays of the transitions, start-up inside, those out of the present stage as late as clearing needs."""
        startup_ms = [belief.startup_ms for belief in beliefs]
        if startup_ms != self._startup_ms:
            self._startup_ms, self._green_start = startup_ms, self._start + self._starts_up * np.array(startup_ms, np.int64)
        now, start, stay = snapshot.signals.stage, self._green_start, self._stay
        if not self._caught(snapshot):
            return start, stay
        for b in range(len(self.model.green)):
            clear_ms = self.clear_to(snapshot, b)
            if clear_ms:
                if start is self._green_start:
                    start, stay = start.copy(), stay.copy()
                late_ms = np.maximum(clear_ms - self._start[now, b], 0)
                start[now, b] += late_ms * self._begins[now, b]
                stay[now, b] += int(late_ms[self._begins[now, b] > 0].max(initial=0))
        return start, stay

    def clear_to(self, snapshot: Snapshot, stage: int) -> int:
        """Return how long after the begin of a transition to the stage nothing may turn green, for vehicles wait inside the junction for a gap.

        Their turn loses its green with those they yield to; they leave when these have stopped at their amber's end. The intergreen
        is enough for that, unless the junction was seen to be near a lock (`ClearingMargin`).
        """
        lanes = self.caught_by(snapshot, stage) if self.margin.ms else []
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
        if stage == snapshot.signals.stage:
            return []
        return [lane for lane, turning in self._caught(snapshot) if turning - self.model.green[stage]]

    def _caught(self, snapshot: Snapshot) -> list[tuple[Lane, frozenset[str]]]:
        """Return the lanes whose vehicles wait inside the junction, or are about to, with the groups of their turns."""
        turning = [(lane, groups, snapshot.lanes[lane.id]) for lane, groups in self._turning[snapshot.signals.stage]]
        return [(lane, groups) for lane, groups, belief in turning if belief.head_yields or belief.inside_veh >= _INSIDE_VEH]

    def _packets(self, belief: LaneBelief, coming: Coming | None, now_ms: int) -> tuple[list[int], list[int]]:
        """Return the lane's vehicles as packets, those appended that are expected from beyond what the loops have seen.

        These are the ones that the neighbours tell of, and an even flow of those that nobody tells of.
        """
        oldest_ms = now_ms - _LONGEST_WAIT_MS
        times = [a - now_ms if a > oldest_ms else -_LONGEST_WAIT_MS for a in belief.arrival_ms]
        if len(times) > 1 and times != sorted(times):
            times = list(accumulate(times, max))
        weights = [int(1000 * w) for w in belief.weight]
        hidden = max(int(1000 * belief.hidden_veh), coming.held_milli if coming is not None else 0)
        if hidden >= LEAST_MILLI:
            weights += [1000] * (hidden // 1000) + ([rest] if (rest := hidden % 1000) >= LEAST_MILLI else [])
            times += [max(times[-1] if times else 0, 0)] * (len(weights) - len(times))
        later_ms, later_milli = expected(belief, coming, max(belief.known_ms, times[-1] if times else 0), now_ms, self._horizon_ms)
        times += later_ms
        weights += later_milli
        return times[:_MAX_VEHICLES], weights[:_MAX_VEHICLES]

    def _person_milli(self, lane: int, belief: LaneBelief, now_ms: int) -> int:
        weight_milli = self._persons_milli[lane] * self.gates.weight_milli(self.model.movements[lane], belief) // 1000
        if not belief.arrival_ms or belief.queue_veh < 0.5:
            return weight_milli
        over_ms = min(now_ms - belief.arrival_ms[0], _LONGEST_WAIT_MS) - 1000 * self._settings.patience_s
        return weight_milli * (1000 + min(max(0, over_ms) // 30, self._settings.patience_milli)) // 1000

    def _ready_ms(self, lane: int, belief: LaneBelief, snapshot: Snapshot) -> int:
        signals, now_ms = snapshot.signals, snapshot.now_ms
        groups = self._groups[signals.stage][lane]
        begun = [since_ms for g in groups if (since_ms := signals.green_since_ms.get(g)) is not None]
        if begun:
            start_ms = min(begun) + belief.startup_ms
        elif not self._on_red.isdisjoint(groups):
            start_ms = now_ms
        else:
            # Red: for its own stage, or for another one that may come before all that has ended is cleared.
            start_ms = min([signals.earliest_green_ms.get(g, now_ms) for g in groups or self._mine[lane]]) + belief.startup_ms
        return max(start_ms, belief.last_leave_ms - REAR_MS + belief.headway_ms) - now_ms

    def _leave_ms(self, signals: SignalState, now_ms: int) -> int:
        extra_ms = int(self._extra[signals.from_stage, signals.stage])
        return max(signals.earliest_leave_ms - now_ms, signals.settled_ms + extra_ms - now_ms if extra_ms else 0, 0)

    def _shares(self, beliefs: list[LaneBelief], snapshot: Snapshot, shut: frozenset[int], gapless: list[int]) -> tuple[Ints, Ints]:
        """Return the share of each lane's vehicles that each stage lets pass, and which share of those must yield.

        None pass where the stage is shut, or the lane, not one of `gapless`, was seen to be locked. Both are made anew where a lane's ratios have changed.
        """
        changed = [i for i, belief in enumerate(beliefs) if self._ratios[i] != (belief.movement_ratio, belief.head_ratio, bool(belief.ways))]
        if changed:
            self._served, self._yielding = self._served.copy(), self._yielding.copy()  # earlier problems keep theirs
        for i in changed:
            told = int(bool(beliefs[i].ways))  # each vehicle tells for itself
            self._ratios[i] = (beliefs[i].movement_ratio, beliefs[i].head_ratio, bool(told))
            for s, row in enumerate(self.model.service):
                self._served[s, i] = max(served_milli(row[i], beliefs[i]), told) if row[i] else 0
                self._yielding[s, i] = max(yield_milli(row[i], beliefs[i]), told if any(x.foes for x in row[i]) else 0)
        closed = snapshot.closed_exits
        served = self._with_room(beliefs, closed) if closed else self._served
        locked = [i for i, belief in enumerate(beliefs) if belief.blocked_ms > snapshot.now_ms and i not in gapless]
        if not locked and not shut:
            return served, self._yielding
        served = served.copy()
        served[sorted(shut)] = 0
        served[snapshot.signals.stage, locked] = 0
        return served, self._yielding

    def _ways_of(self, beliefs: list[LaneBelief]) -> tuple[Ints, Ints]:
        """Return in which stages each vehicle whose way is known passes, and in which it gives way."""
        if not any(belief.ways for belief in beliefs):
            return self._no_ways, self._no_ways
        passes, gives_way = np.zeros((2, len(beliefs), _MAX_VEHICLES), np.int64)
        for i, belief in enumerate(beliefs):
            for v, way in enumerate(belief.ways[:_MAX_VEHICLES]):
                if way >= 0:
                    passes[i, v], gives_way[i, v] = self._ways[i][way]
        return passes, gives_way

    def _with_room(self, beliefs: list[LaneBelief], closed: frozenset[str]) -> Ints:
        """Return the shares that pass, without those who go to exits that take nobody."""
        served = self._served.copy()
        for i, belief in enumerate(beliefs):
            if any(m.exit in closed for m in self.model.movements[i]):
                for s, row in enumerate(self.model.service):
                    open_ways = self._open_ways(i, row[i], belief, closed)
                    served[s, i] = served_milli(open_ways, belief) if open_ways else 0
        return served

    def _open_ways(self, lane: int, serves: tuple[Service, ...], belief: LaneBelief, closed: frozenset[str]) -> tuple[Service, ...]:
        """Return the ways with room behind; all where the lane is held anyway (`FullExits.blocked_ms`), for it goes on as soon as there is room."""
        moves = self.model.movements[lane]
        if blocked_ratio(moves, belief, closed) >= LIKELY_RATIO:
            return serves
        return tuple(s for s in serves if moves[s.movement].exit not in closed)
