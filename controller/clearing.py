"""Letting a locked junction go: when green lanes stay full and nobody leaves, everything is red for some seconds.

Vehicles inside a junction can wait for each other and for those that stand at a green stop line with the right of way. No choice
of stage ends that, for each keeps some stop line green; all red does, because then nobody outside has the right of way.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, Final

from controller.junction import Junction, Node, Stage
from controller.lane_model import NEVER_MS
from controller.plan import Plan, PlanStep
from controller.snapshot import Snapshot

ALL_RED: Final = "all-red"
STUCK_MS: Final = 20_000  # green time with a full stop line and no departure; a queue that discharges needs some two seconds
SLOW_MS: Final = 12_000  # likewise, but not yet stuck: something stands in the way for longer than a queue needs
CLEAR_MS: Final = 10_000  # enough to cross a wide junction from a standstill
PAUSE_MS: Final = 20_000  # between two clearings: the stages must have had a chance; twice as long after each that may not have helped
LONGEST_PAUSE_MS: Final = 320_000
FORGET_MS: Final = 120_000  # a clearing so long after the last pause begins anew
MARGIN_STEP_MS: Final = 1_000
MARGIN_MEMORY_MS: Final = 300_000  # without a near lock the margin gives back one step in this time
MOST_MARGIN_MS: Final = 3_000


def with_all_red(junction: Junction) -> Junction:
    """Return the junction with an all-red stage as the last of each node."""
    return replace(junction, nodes=tuple(_add(node) for node in junction.nodes))


def _add(node: Node) -> Node:
    if any(not s.green for s in node.stages):
        return node
    return replace(node, stages=(*node.stages, Stage(ALL_RED, ())))


class ClearingMargin:
    """How much longer than its model says a junction needs until those who waited inside for a gap are out, learned from near locks."""

    def __init__(self, lanes: Collection[str]) -> None:
        """Take the ids of the node's own lanes; what happens on others is no sign of who waits inside."""
        self._lanes = tuple(lanes)
        self.ms = 0
        self._slow = False
        self._since_ms = 0

    def memory(self) -> list[Any]:
        """Return what it remembers, as JSON data."""
        return [self.ms, self._slow, self._since_ms]

    def recall(self, memory: Sequence[Any]) -> None:
        """Go on from what `memory` returned."""
        self.ms, self._slow, self._since_ms = memory

    def watch(self, snapshot: Snapshot) -> None:
        """Take one more second whenever a full green lane begins to stand still, though its exits are free (`LaneModel.wait` counts no other standing).

        It must be locked at this moment, and nobody wait for a gap: who does stands still without anybody in the way.
        """
        beliefs = [snapshot.lanes[x] for x in self._lanes]
        slow = any(SLOW_MS <= b.stuck_ms < STUCK_MS and b.blocked_ms > snapshot.now_ms and not b.head_yields for b in beliefs)
        if slow and not self._slow:
            self.ms, self._since_ms = min(self.ms + MARGIN_STEP_MS, MOST_MARGIN_MS), snapshot.now_ms
        elif self.ms and snapshot.now_ms - self._since_ms >= MARGIN_MEMORY_MS:
            self.ms, self._since_ms = self.ms - MARGIN_STEP_MS, snapshot.now_ms
        self._slow = slow


class Clearing:
    """Watches one node and takes over while it clears, also from a programme that runs by the clock."""

    name: Final = "clearing"
    over_clock: Final = True

    def __init__(self, junction: Junction, node: Node) -> None:
        groups = set(node.groups)
        self._exits = {x.id: frozenset(m.exit for m in junction.movements if m.lane == x.id and m.group in groups) for x in junction.lanes}
        self._exits = {lane: exits for lane, exits in self._exits.items() if exits}
        self._stage = next(i for i, s in enumerate(node.stages) if not s.green)
        self._until_ms: int | None = None
        self._rest_ms = -NEVER_MS
        self._pause_ms = PAUSE_MS
        self._waited: dict[str, int] = {}  # lanes that waited for a gap when the last clearing began, and when

    def active(self, now_ms: int) -> bool:
        """Return whether the node is being cleared."""
        return self._until_ms is not None and now_ms < self._until_ms

    def plan(self, snapshot: Snapshot) -> Plan | None:
        """Return the plan that clears the node where that is due now."""
        now_ms = snapshot.now_ms
        if self.active(now_ms) or now_ms < self._rest_ms:
            return None
        stuck = [lane for lane, exits in self._exits.items() if snapshot.lanes[lane].stuck_ms >= STUCK_MS and not exits <= snapshot.blocked_exits]
        if not stuck:
            return None
        self._until_ms = max(now_ms, snapshot.signals.earliest_leave_ms) + CLEAR_MS
        helped = self._released(snapshot) or now_ms - self._rest_ms > FORGET_MS
        self._pause_ms = PAUSE_MS if helped else min(2 * self._pause_ms, LONGEST_PAUSE_MS)
        self._waited = {lane: now_ms for lane in stuck if snapshot.lanes[lane].head_yields}
        self._rest_ms = self._until_ms + self._pause_ms
        why = f"clears the junction, all red for {CLEAR_MS // 1000} s: {stuck[0]} is green and full, and nobody has left it for {STUCK_MS // 1000} s of green"
        return Plan(self.name, now_ms, (PlanStep(self._stage, None),), why, {"lanes": list(stuck)})

    def _released(self, snapshot: Snapshot) -> bool:
        """Return whether the last clearing let somebody go who had waited for a gap: where others never leave one, only that helps, every time."""
        return any(snapshot.lanes[lane].last_leave_ms > begun_ms for lane, begun_ms in self._waited.items())
