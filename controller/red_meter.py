"""Measures how long each signal group was red at a stretch while somebody stood at its stop line, though his exit was free.

By lamps and loops alone: no belief is asked, so that what is believed wrongly is measured all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from controller.junction import Junction, Node, Purpose
from controller.snapshot import Snapshot

TOO_LONG_MS: Final = 180_000  # longer than drivers believe in a light; each such red is told once


class LongRed(NamedTuple):
    """A red that has just become too long."""

    group: str
    loop: str
    since_ms: int


@dataclass(slots=True)
class _Watched:
    """A stop loop and one group that its lane's vehicles may wait for."""

    group: str
    loop: str
    exits: frozenset[str]
    free_since_ms: int = -(1 << 40)  # since when not all its exits are full
    told_ms: int | None = None


class RedMeter:
    """Watches one node. Groups that no stage shows green are left out: nothing that is chosen could help them."""

    def __init__(self, junction: Junction, node: Node) -> None:
        served = {g for stage in node.stages for g in stage.green}
        self.longest_ms = {g: 0 for g in node.groups if g in served}
        self._watched = tuple(
            _Watched(group, d.id, frozenset(m.exit for m in junction.movements if m.group == group and m.lane in d.lanes))
            for group in self.longest_ms
            for d in junction.detectors
            if d.purpose is Purpose.STOP and any(m.group == group and m.lane in d.lanes for m in junction.movements)
        )

    def watch(self, snapshot: Snapshot) -> list[LongRed]:
        """Measure at one tick; return the reds that have just become too long."""
        now_ms, reds_ms, found = snapshot.now_ms, snapshot.signals.red_since_ms, []
        for one in self._watched:
            if snapshot.blocked_exits and one.exits <= snapshot.blocked_exits:
                one.free_since_ms = now_ms
            red_ms = reds_ms.get(one.group)
            if red_ms is None:
                continue
            state = snapshot.detectors[one.loop]
            if not (state.trusted and state.occupied):
                continue
            since_ms = max(red_ms, state.changed_ms, one.free_since_ms)
            self.longest_ms[one.group] = max(self.longest_ms[one.group], now_ms - since_ms)
            if now_ms - since_ms > TOO_LONG_MS and one.told_ms != since_ms:
                one.told_ms = since_ms
                found.append(LongRed(one.group, one.loop, since_ms))
        return found
