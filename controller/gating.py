"""Gating: where a link behind the junction is nearly full, the greens that feed it count for less, so that queues wait where they block least.

A vehicle let onto a link that hardly moves gains nothing, for it stands there instead of here; but there it takes the place of others
and, once the link is full, blocks ways that do not use it: the gating that SCOOT does from its centre, here by each junction for
the links behind it. How full a link is, its exit loop tells by the share of a minute for which it is covered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from controller.junction import Movement
from controller.node_model import NodeModel
from controller.snapshot import LaneBelief, Snapshot
from controller.words import Lang, text_of

MEMORY_MS: Final = 60_000
GATE_RATIO: Final = 0.5  # covered for so much of the time: vehicles pass at walking pace; a queue that flows covers a loop for a third of its green
OPEN_RATIO: Final = 0.3
GATED_MILLI: Final = 500  # what a vehicle counts that would go onto a gated link

TEXTS: Final = {
    "gate": (
        "holds back traffic to {lane}: its loop was covered for {share} of the last minute",
        "drosselt den Zufluss zu {lane}: die Schleife war {share} der letzten Minute belegt",
    ),
    "open": (
        "holds back nothing more to {lane}: its loop was covered for {share} of the last minute",
        "drosselt den Zufluss zu {lane} nicht mehr: die Schleife war {share} der letzten Minute belegt",
    ),
}


class Gates:
    """The links behind one node that are nearly full."""

    def __init__(self, model: NodeModel) -> None:
        self._loops = model.exit_loops()
        self._covered = dict.fromkeys((loop for loop, _ in self._loops), 0.0)
        self._seen_ms: int | None = None
        self._gated: dict[str, tuple[str, ...]] = {}
        self.lanes: frozenset[str] = frozenset()  # the exits that are gated now

    def watch(self, snapshot: Snapshot, *, active: bool) -> list[tuple[bool, str, float]]:
        """Take one tick; return what changed: whether the exit is gated, its lane, and how much of the time its loop was covered.

        Gates close only while ``active`` (the objective CAPACITY); they open at any time.
        """
        elapsed_ms = 0 if self._seen_ms is None else min(snapshot.now_ms - self._seen_ms, MEMORY_MS)
        self._seen_ms = snapshot.now_ms
        changes: list[tuple[bool, str, float]] = []
        for loop, lanes in self._loops:
            state = snapshot.detectors[loop]
            self._covered[loop] += ((state.trusted and state.occupied) - self._covered[loop]) * elapsed_ms / MEMORY_MS
            covered, gated = self._covered[loop], loop in self._gated
            if not gated and active and covered >= GATE_RATIO:
                self._gated[loop] = lanes
            elif gated and (covered < OPEN_RATIO or not active):
                del self._gated[loop]
            else:
                continue
            changes += [(not gated, lane, covered) for lane in lanes]
        if changes:
            self.lanes = self._gated_lanes()
        return changes

    def memory(self) -> list[Any]:
        """Return what it remembers, as JSON data."""
        return [dict(self._covered), self._seen_ms, sorted(self._gated)]

    def recall(self, memory: Sequence[Any]) -> None:
        """Go on from what `memory` returned. Raises `KeyError` for a loop that is none of this node's."""
        covered, self._seen_ms, gated = memory
        loops = dict(self._loops)
        self._covered = {loop: covered[loop] for loop in loops}
        self._gated = {loop: loops[loop] for loop in gated}
        self.lanes = self._gated_lanes()

    def _gated_lanes(self) -> frozenset[str]:
        return frozenset(lane for lanes in self._gated.values() for lane in lanes)

    def weight_milli(self, moves: Sequence[Movement], belief: LaneBelief) -> int:
        """Return what the vehicles of a lane with these movements count, 1000 where none of them goes onto a gated link."""
        if not self.lanes:
            return 1000
        return 1000 - int((1000 - GATED_MILLI) * sum(r for m, r in zip(moves, belief.movement_ratio, strict=True) if m.exit in self.lanes))


def gate_words(closes: bool, lane: str, covered_ratio: float, lang: Lang = Lang.EN) -> str:
    """Return a change in words."""
    return text_of(TEXTS, "gate" if closes else "open", lang, lane=lane, share=f"{round(100 * covered_ratio)} %")
