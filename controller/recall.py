"""Green for those whom no loop sees: pedestrians, and lanes without a loop, after some time of red, or some time after they have pressed a button.

No detector tells that somebody waits there, so no planner calls a stage for them, and where no vehicles ask for it either they would stand at red
for ever. So their waiting has a limit, whoever else is there: after it the stage is shown that serves most of them. Where there is a button, who
has pressed it waits for a shorter time; but somebody may always wait, for a button may be dead, which no contact tells. Traffic engineers call
that a recall (FHWA Traffic Signal Timing Manual, 2008, chapter 5). Programmes that run by the clock serve everybody by themselves.
"""

from __future__ import annotations

from typing import Final

from controller.junction import Junction, Node, Purpose
from controller.plan import Plan, PlanStep
from controller.snapshot import Snapshot

LIMIT_MS: Final = 150_000  # of groups without a limit of their own: as long as the longest red of those who are seen
ASKED_MS: Final = 60_000  # after a press; with the change of stages some 70 s, up to which HBS 2015 calls the waiting of those on foot sufficient (level D)
GIVE_UP_MS: Final = 60_000  # a stage that has not come after this does not come: a controller that owns its aspects may have reasons


class Recall:
    """Watches one node and takes over until the groups have their green."""

    name: Final = "recall"
    over_clock: Final = False

    def __init__(self, junction: Junction, node: Node) -> None:
        seen = {lane for d in junction.detectors if d.purpose is not Purpose.EXIT for lane in d.lanes}
        told = {m.group for m in junction.movements if m.lane in seen}
        served = {g for stage in node.stages for g in stage.green}
        told -= {g for button in junction.buttons for g in button.groups}
        self._limit_ms = {g: junction.group_by_id[g].max_red_ms or LIMIT_MS for g in node.groups if g in served and g not in told}
        self._stages = [(k, frozenset(s.green)) for k, s in enumerate(node.stages) if s.green and not s.free]
        self._names = [s.id for s in node.stages]
        self._forbidden = node.forbidden()
        self._stage: int | None = None
        self._plan: Plan | None = None
        self._until_ms = 0
        self._rest_ms: int | None = None  # until then nothing is tried again

    def active(self, now_ms: int) -> bool:
        """Return whether the stage has been asked for and has yet to come."""
        return self._stage is not None and now_ms < self._until_ms

    def plan(self, snapshot: Snapshot) -> Plan | None:
        """Return the plan that serves those who have been red for too long, where that is due; once more where something else came between."""
        if not self._limit_ms:
            return None
        now_ms, signals = snapshot.now_ms, snapshot.signals
        if self._stage is not None:
            if signals.stage == self._stage and now_ms >= signals.settled_ms:
                self._stage = None
            elif now_ms >= self._until_ms:
                self._stage, self._rest_ms = None, now_ms + LIMIT_MS
        if self._rest_ms is not None and now_ms < self._rest_ms:
            return None
        if self._stage is not None:
            return self._plan if signals.stage != self._stage else None
        reds_ms = {g: ms for g in self._limit_ms if (ms := signals.red_since_ms.get(g)) is not None}
        asked_ms = {g: max(snapshot.requests[g], ms) for g, ms in reds_ms.items() if g in snapshot.requests}
        overdue = frozenset(g for g, ms in reds_ms.items() if now_ms - ms >= self._limit_ms[g] or now_ms - asked_ms.get(g, now_ms) >= ASKED_MS)
        stage = self._serving(overdue, signals.stage) if overdue else None
        if stage is None:
            return None
        self._stage, self._until_ms = stage, max(now_ms, signals.earliest_leave_ms) + GIVE_UP_MS
        served = sorted(overdue & dict(self._stages)[stage])
        why = "; ".join(
            f"the button for {g} was pressed {(now_ms - asked_ms[g]) // 1000} s ago"
            if g in asked_ms
            else f"nobody can be seen to wait for {g}, and it has been red for {(now_ms - reds_ms[g]) // 1000} s"
            for g in served
        )
        self._plan = Plan(self.name, now_ms, (PlanStep(stage, None),), f"serves {self._names[stage]}: {why}", {"recall": served})
        return self._plan

    def _serving(self, groups: frozenset[str], now: int) -> int | None:
        """Return the stage that serves most of the groups and ends the fewest others; the first of equals, None where none may follow the present one."""
        green = dict(self._stages).get(now, frozenset())
        ranked = [(len(mine & groups), len(mine & green), -k) for k, mine in self._stages if mine & groups and k != now and (now, k) not in self._forbidden]
        return -max(ranked)[2] if ranked else None
