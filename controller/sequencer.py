"""The sequencer: turns a node's plan into aspects, tick by tick.

Theory of operation. The node either stands in a stage or runs a transition to one. ``plan.steps[0].stage`` is to be shown
now; when it stands and ``until_ms`` has come, the next step's transition begins. A transition begins as soon as every
group that must end will have had its minimum green, and once begun it settles; plans that arrive meanwhile act then.
Every wait is compared with what really was shown at which tick, so that long or uneven ticks lengthen and never shorten.

At the start everything is red for the longest amber and the longest intergreen, which is what the interlock needs to
bring heads of unknown state to red and to clear the junction. A plan of `OFF` switches the signals off once all are red, which
another plan must have brought about; whatever plan comes next begins again from red.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final, Protocol

from controller.errors import PlanError
from controller.junction import Junction, Node
from controller.plan import OFF, Plan, PlanStep
from controller.snapshot import SignalState
from controller.transitions import StagePair, TransitionTable, transition_table
from hardware.signals import Aspect

# What it remembers as plain data, without the underscore; aspects, the running transition and the plan are kept apart.
_KEPT: Final = ("index", "since_ms", "ended_ms", "stage", "from_stage", "begin_ms", "clear_ms", "first_ms", "red_ms", "started", "off", "settled_ms")


class Sequencing(Protocol):
    """What `controller.decide.NodeControl` needs: the sequencer where we own the aspects, a follower where a controller does."""

    @property
    def off(self) -> bool:
        """Tell whether the signals are off, or given back to the controller."""
        ...

    def memory(self) -> dict[str, object]:
        """Return all that a replay must know to go on from here, as JSON data."""
        ...

    def adopt(self, plan: Plan) -> None:
        """Follow this plan from the next step on. Raises `PlanError` where it is empty or names an unknown stage."""
        ...

    def step(self, now_ms: int) -> Mapping[str, Aspect]:
        """Return the aspects of the node's groups at this tick."""
        ...

    def state(self, now_ms: int) -> SignalState:
        """Return where the node stands."""
        ...

    def restart(self, now_ms: int) -> None:
        """Forget the plan and begin again."""
        ...


class Sequencer:
    """Show one node's plan. Raises `ConfigError` where its stages cannot be reached."""

    def __init__(self, junction: Junction, node: Node, start_ms: int) -> None:
        self._node = node
        self.table: TransitionTable = transition_table(junction, node)
        self._first_ends_ms = [self._first_ends(stage) for stage in range(len(node.stages))]
        self.restart(start_ms)

    def _first_ends(self, stage: int) -> dict[str, int]:
        """Return, for each group that any way out of the stage ends, how soon after the begin of the way that may be."""
        ways = {self.table.next_stage[stage][b] for b in range(len(self._node.stages)) if b != stage}
        first: dict[str, int] = {}
        for b in sorted(ways):
            for group, end_ms in self.table.pairs[stage][b].ends_ms.items():
                first[group] = min(first.get(group, end_ms), end_ms)
        return first

    def restart(self, now_ms: int) -> None:
        """Begin again from red, as after a refusal, a lost device or flashing signals; the plan must come anew."""
        self._plan: Plan | None = None
        self._index = 0
        self._aspects: dict[str, Aspect] = dict.fromkeys(self._node.groups, Aspect.RED)
        self._since_ms: dict[str, int] = dict.fromkeys(self._node.groups, now_ms)
        self._shown: tuple[dict[str, int | None], dict[str, int | None]] | None = None  # what `_since` has found, until a lamp changes
        self._ended_ms: dict[str, int] = {}
        self._stage = 0
        self._from_stage = 0
        self._pair: StagePair | None = None
        self._begin_ms = now_ms
        self._clear_ms = 0
        self._first_ms: int | None = None
        self._red_ms: int | None = None
        self._started = False
        self._off = False
        self._settled_ms = now_ms + self.table.amber_ms + self.table.clear_ms

    def memory(self) -> dict[str, object]:
        """Return all that it remembers, as JSON data, for a journal that begins while it runs."""
        plan, pair = self._plan, self._pair
        kept: dict[str, object] = {name: getattr(self, f"_{name}") for name in _KEPT}
        return kept | {
            "aspects": {g: int(a) for g, a in self._aspects.items()},
            "pair": asdict(pair) if pair is not None else None,
            "plan": [plan.planner, plan.made_ms, [[s.stage, s.until_ms, s.clear_ms] for s in plan.steps]] if plan is not None else None,
        }

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Go on from what `memory` returned. Raises `KeyError` or `TypeError` where it is none."""
        for name in _KEPT:
            value = memory[name]
            setattr(self, f"_{name}", dict(value) if isinstance(value, dict) else value)
        self._aspects = {g: Aspect(a) for g, a in memory["aspects"].items()}
        self._shown = None
        pair, plan = memory["pair"], memory["plan"]
        self._pair = StagePair(**pair) if pair is not None else None
        self._plan = Plan(plan[0], plan[1], tuple(PlanStep(*step) for step in plan[2])) if plan is not None else None

    def adopt(self, plan: Plan) -> None:
        """Follow this plan from the next step on. Raises `PlanError` where it is empty or names an unknown stage."""
        count = len(self._node.stages)
        off = len(plan.steps) == 1 and plan.steps[0].stage == OFF
        if not off and (not plan.steps or not all(0 <= s.stage < count for s in plan.steps)):
            found = [s.stage for s in plan.steps]
            raise PlanError(f"node {self._node.id}: expected at least one step with stages 0 to {count - 1}, found {found} from planner {plan.planner}")
        self._plan, self._index = plan, 0

    def step(self, now_ms: int) -> Mapping[str, Aspect]:
        """Return the aspects of the node's groups at this tick, in the order of the node's groups."""
        if self._off:
            if self._plan is not None and self._plan.steps[0].stage == OFF:
                return dict(self._aspects)
            self._begin_anew(now_ms)
        for group, aspect in self._aspects.items():
            if aspect is Aspect.AMBER and now_ms - self._since_ms[group] >= self.table.rules[group].group.amber_ms:
                self._set(group, Aspect.RED, now_ms)
        if self._pair is not None:
            self._advance(self._pair, now_ms)
        if self._pair is None:
            self._begin(now_ms)
        return dict(self._aspects)

    def state(self, now_ms: int) -> SignalState:
        """Return where the node stands after the step at ``now_ms``; times that lie ahead are predictions without tick rounding."""
        starts = self._predict_starts(now_ms)
        settled_ms = self._settled_ms
        if self._pair is not None:
            pending = [self._begin_ms + ms for g, ms in self._pair.ends_ms.items() if self._aspects[g] is Aspect.GREEN]
            settled_ms = max([now_ms, *starts.values(), *pending])
        elif not self._started:
            settled_ms = self._predict_red_end(now_ms) + self.table.start[self._stage].settle_ms
        leave_ms = self._earliest_leave(self._first_ends_ms[self._stage], settled_ms, starts)
        green_ms, red_ms = self._since()
        return SignalState(self._stage, self._from_stage, settled_ms, leave_ms, green_ms, red_ms, self._earliest_greens(now_ms, starts))

    def _since(self) -> tuple[Mapping[str, int | None], Mapping[str, int | None]]:
        """Return since when each group is green, and red, None where it is not; made anew when a lamp changes."""
        if self._shown is None:
            green = {g: self._since_ms[g] if a is Aspect.GREEN else None for g, a in self._aspects.items()}
            red = {g: self._since_ms[g] if a is Aspect.RED else None for g, a in self._aspects.items()}
            self._shown = green, red
        return self._shown

    def earliest_leave_to(self, stage: int, now_ms: int) -> int:
        """Return the earliest time at which a transition to ``stage`` may begin; unlike ``earliest_leave_ms``, groups that stay green do not count."""
        settled_ms = self.state(now_ms).settled_ms
        ends_ms = self.table.pairs[self._stage][self.table.next_stage[self._stage][stage]].ends_ms if stage != self._stage else {}
        return self._earliest_leave(ends_ms, settled_ms, self._predict_starts(now_ms))

    @property
    def off(self) -> bool:
        """Tell whether the signals are off."""
        return self._off

    @property
    def running(self) -> bool:
        """Tell whether a transition runs."""
        return self._pair is not None

    def _set(self, group: str, aspect: Aspect, now_ms: int) -> None:
        if self._aspects[group] is Aspect.GREEN:
            self._ended_ms[group] = now_ms
        self._aspects[group] = aspect
        self._since_ms[group] = now_ms
        self._shown = None

    def _begin_anew(self, now_ms: int) -> None:
        """Leave the signals-off state as after a restart, with the plan that has come."""
        plan = self._plan
        self.restart(now_ms)
        self._plan = plan

    def _switch_off(self, now_ms: int) -> None:
        if all(aspect is Aspect.RED for aspect in self._aspects.values()):
            self._off, self._stage, self._from_stage = True, 0, 0  # as after a restart, for whoever comes next
            for group in self._aspects:
                self._set(group, Aspect.FLASHING_AMBER if self.table.rules[group].group.amber_ms else Aspect.DARK, now_ms)

    def _begin(self, now_ms: int) -> None:
        """Begin the next transition where one is wanted and lawful."""
        plan = self._plan
        if plan is not None and plan.steps[0].stage == OFF:
            self._switch_off(now_ms)
            return
        if plan is None or not self._started:
            self._begin_first(plan, now_ms)
            return
        wanted = self._wanted(plan, now_ms)
        if wanted == self._stage:
            return
        hop = self.table.next_stage[self._stage][wanted]
        pair = self._pair_to(hop, now_ms)
        if all(now_ms + end_ms >= self._min_green_end(g) for g, end_ms in pair.ends_ms.items()):
            self._run(hop, pair, now_ms, plan.steps[self._index].clear_ms)

    def _pair_to(self, stage: int, now_ms: int) -> StagePair:
        """Return the transition to ``stage`` that begins now; groups that ended before, and still clear, may delay its starts and with them its ends."""
        reach_ms = self.table.clear_ms + self.table.amber_ms
        late = {g: ms - now_ms for g, ms in self._ended_ms.items() if now_ms - ms < reach_ms and self._aspects[g] is not Aspect.GREEN}
        return self.table.pair_after(self._stage, stage, late) if late else self.table.pairs[self._stage][stage]

    def _begin_first(self, plan: Plan | None, now_ms: int) -> None:
        """Stay red as long as heads in an unknown state need, then show the plan's first stage."""
        if self._first_ms is None:
            self._first_ms = now_ms
        if self._red_ms is None and now_ms - self._first_ms >= self.table.amber_ms:
            self._red_ms = now_ms
        if plan is None:
            return
        self._stage = self._from_stage = plan.steps[0].stage
        if self._red_ms is not None and self._red_ms < now_ms and now_ms - self._red_ms >= self.table.clear_ms:
            self._started = True
            self._run(self._stage, self.table.start[self._stage], now_ms)

    def _run(self, stage: int, pair: StagePair, now_ms: int, clear_ms: int = 0) -> None:
        self._from_stage, self._stage = self._stage, stage
        self._pair, self._begin_ms, self._clear_ms = pair, now_ms, clear_ms
        self._advance(pair, now_ms)

    def _wanted(self, plan: Plan, now_ms: int) -> int:
        """Return the stage that the plan wants now, going on to its next step where the time has come."""
        steps = plan.steps
        step: PlanStep = steps[self._index]
        if step.stage == self._stage and step.until_ms is not None and now_ms >= step.until_ms and self._index + 1 < len(steps):
            self._index += 1
        return steps[self._index].stage

    def _advance(self, pair: StagePair, now_ms: int) -> None:
        """End and start the groups of the running transition whose time has come."""
        for group, end_ms in pair.ends_ms.items():
            green = self._aspects[group] is Aspect.GREEN and self._since_ms[group] < now_ms
            if green and now_ms >= max(self._begin_ms + end_ms, self._min_green_end(group)):
                self._set(group, Aspect.AMBER if self.table.rules[group].group.amber_ms else Aspect.RED, now_ms)
        for group in pair.starts_ms:
            self._start(pair, group, now_ms)
        ended = all(self._aspects[g] is not Aspect.GREEN for g in pair.ends_ms)
        if ended and all(self._aspects[g] is Aspect.GREEN for g in pair.starts_ms):
            self._pair, self._settled_ms = None, now_ms

    def _start(self, pair: StagePair, group: str, now_ms: int) -> None:
        """Move one group towards green. A red is shown for at least one tick, even between two greens."""
        aspect, since_ms = self._aspects[group], self._since_ms[group]
        red_amber_ms = self.table.rules[group].group.red_amber_ms
        start_ms = self._start_bound(pair, group)
        if start_ms is None or aspect is Aspect.GREEN:
            return
        if aspect is Aspect.RED_AMBER and now_ms >= max(start_ms, since_ms + red_amber_ms):
            self._set(group, Aspect.GREEN, now_ms)
        elif aspect is Aspect.RED and since_ms < now_ms and now_ms >= start_ms - red_amber_ms:
            self._set(group, Aspect.RED_AMBER if red_amber_ms else Aspect.GREEN, now_ms)

    def _start_bound(self, pair: StagePair, group: str) -> int | None:
        """Return the earliest start of green by what really happened, None while a foe is green or a priority group is not."""
        rules = self.table.rules[group]
        bound_ms = self._begin_ms + max(pair.delays_ms.get(group, 0), self._clear_ms)
        for foe, intergreen_ms in rules.foes:
            if self._aspects.get(foe) is Aspect.GREEN:
                return None
            if foe in self._ended_ms:
                bound_ms = max(bound_ms, self._ended_ms[foe] + intergreen_ms)
        for priority, head_ms in rules.heads:
            if self._aspects.get(priority) is Aspect.GREEN:
                bound_ms = max(bound_ms, self._since_ms[priority] + head_ms)
            elif priority in pair.starts_ms:
                return None
        for yielding, head_ms in rules.tails:
            if self._aspects.get(yielding) is Aspect.GREEN:
                bound_ms = max(bound_ms, self._since_ms[yielding] + head_ms)
        return bound_ms

    def _min_green_end(self, group: str) -> int:
        return self._since_ms[group] + self.table.rules[group].group.min_green_ms

    def _predict_starts(self, now_ms: int) -> dict[str, int]:
        """Return for each group that the running transition has yet to start when its green will begin."""
        if self._pair is None:
            return {}
        starts: dict[str, int] = {}
        for group, offset_ms in self._pair.starts_ms.items():
            if self._aspects[group] is Aspect.GREEN:
                continue
            rules = self.table.rules[group]
            waits = [now_ms, self._begin_ms + max(offset_ms, self._clear_ms)]
            waits += [self._ended_ms[foe] + ms for foe, ms in rules.foes if foe in self._ended_ms]
            waits += [starts[p] + ms if p in starts else self._since_ms[p] + ms for p, ms in rules.heads if p in self._pair.starts_ms]
            waits += [self._since_ms[y] + ms for y, ms in rules.tails if self._aspects.get(y) is Aspect.GREEN]
            if self._aspects[group] is Aspect.AMBER:
                waits.append(self._since_ms[group] + rules.group.amber_ms + rules.group.red_amber_ms)
            starts[group] = max(waits)
        return starts

    def _earliest_greens(self, now_ms: int, starts: Mapping[str, int]) -> dict[str, int]:
        """Return when each group that is not green may be so at the earliest, for what ended before and what the running transition will end."""
        if not self._started:
            red_ms, first = self._predict_red_end(now_ms), self.table.start[self._stage].starts_ms
            return {g: red_ms + first.get(g, 0) for g in self._aspects}
        ends = {g: max(now_ms, self._begin_ms + ms, self._min_green_end(g)) for g, ms in self._pair.ends_ms.items()} if self._pair else {}
        ended = self._ended_ms | {g: ms for g, ms in ends.items() if self._aspects[g] is Aspect.GREEN}
        found: dict[str, int] = {}
        for group, aspect in self._aspects.items():
            if aspect is not Aspect.GREEN:
                rules = self.table.rules[group]
                start_ms = starts.get(group)
                found[group] = max([now_ms, *[ended[foe] + ms for foe, ms in rules.foes if foe in ended]]) if start_ms is None else start_ms
        return found

    def _predict_red_end(self, now_ms: int) -> int:
        """Return when the first transition may begin."""
        if self._red_ms is not None:
            return max(now_ms, self._red_ms + self.table.clear_ms)
        first_ms = now_ms if self._first_ms is None else self._first_ms
        return max(now_ms, first_ms + self.table.amber_ms + self.table.clear_ms)

    def _earliest_leave(self, ends_ms: Mapping[str, int], settled_ms: int, starts: Mapping[str, int]) -> int:
        """Return when groups that end so long after the begin of a transition will have had their minimum greens."""
        first = {} if self._started else self.table.start[self._stage].starts_ms
        begin_ms = settled_ms - max(first.values(), default=0)
        leave_ms = settled_ms
        for group, end_ms in ends_ms.items():
            green_ms = begin_ms + first[group] if group in first else starts.get(group, self._since_ms[group])
            leave_ms = max(leave_ms, green_ms + self.table.rules[group].group.min_green_ms - end_ms)
        return leave_ms
