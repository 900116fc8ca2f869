"""Lines: the input sources that loops hang on. When all loops of one fall silent together it is the bus and not the traffic."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp
from typing import Final

from controller.detector_rules import EVIDENCE
from controller.detector_words import why
from controller.junction import Junction

MEMORY_MS: Final = 600_000
LEAST_LOOPS: Final = 3  # fewer may well be silent together


class Lines:
    """The lines of a junction's loops.

    ``line_of``: by detector; those not named hang on their junction's own line, or on that of the neighbour that relays them.
    """

    def __init__(self, junction: Junction, line_of: Mapping[str, str], start_ms: int) -> None:
        self.line_of = {d.id: line_of.get(d.id, d.relayed_by) for d in junction.detectors}
        names = set(self.line_of.values())
        self._edges = dict.fromkeys(self.line_of, 0)
        self._lines = {name: _Line(sum(1 for x in self.line_of.values() if x == name), start_ms) for name in sorted(names)}

    def look(self, edges: Mapping[str, int], trusted: Mapping[str, bool], now_ms: int) -> dict[str, str]:
        """Take the edges of each loop since the start; return the silent lines, and why.

        The edges of loops without trust show that a line is alive, but are not its usual rate: a loop that chatters gives more than all others.
        """
        more = {name: [0, 0] for name in self._lines}
        for loop, count in edges.items():
            if count != self._edges[loop]:
                more[self.line_of[loop]][trusted[loop]] += count - self._edges[loop]
                self._edges[loop] = count
        for name, line in self._lines.items():
            others, heard = more[name]
            line.look(others, heard, now_ms)
        return {name: why for name, line in self._lines.items() if (why := line.why(now_ms))}


class _Line:
    def __init__(self, loops: int, start_ms: int) -> None:
        self._loops = loops
        self._rate_ms = 0.0  # edges in a millisecond
        self._watched_ms = 0
        self._heard_ms = self._at_ms = start_ms
        self._due_edges = 0.0  # since something was heard

    def look(self, others: int, more: int, now_ms: int) -> None:
        elapsed_ms, self._at_ms = now_ms - self._at_ms, now_ms
        if more or others:
            # A silence that has ended is learned from with the look that ended it: it was the traffic's.
            since_ms = now_ms - self._heard_ms
            self._watched_ms += since_ms
            self._rate_ms += max(1.0 - exp(-since_ms / MEMORY_MS), since_ms / max(self._watched_ms, 1)) * (more / max(since_ms, 1) - self._rate_ms)
            self._heard_ms, self._due_edges = now_ms, 0.0
        else:
            self._due_edges += self._rate_ms * elapsed_ms

    def why(self, now_ms: int) -> str:
        silent_ms = now_ms - self._heard_ms
        if self._loops < LEAST_LOOPS or silent_ms < EVIDENCE.line_ms or self._watched_ms < EVIDENCE.line_learned_ms or self._due_edges < EVIDENCE.line_edges:
            return ""
        return why("line", loops=self._loops, long=silent_ms // 1000, edges=round(self._due_edges))
