"""Full exits: how long each is expected to stay full, and what that means for the vehicles that would go there.

Green into a full exit serves nobody, and who enters all the same stands inside the junction and locks it. How long the exit stays
full depends on lights that are not seen from here; what has lasted for some time is expected to last as long again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from controller.junction import Movement
from controller.snapshot import LaneBelief, Snapshot

LEAST_FULL_MS: Final = 6_000
MOST_FULL_MS: Final = 30_000  # about half a red; later the road is looked at anew
LIKELY_RATIO: Final = 0.5  # from this chance on the first vehicle is taken to stand for its exit


class FullExits:
    """The exits that one node sees full, and since when."""

    def __init__(self) -> None:
        self._since_ms: dict[str, int] = {}
        self._now_ms = 0

    def memory(self) -> dict[str, Any]:
        """Return what it remembers, as JSON data."""
        return dict(self._since_ms)

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Go on from what `memory` returned."""
        self._since_ms = dict(memory)

    def watch(self, snapshot: Snapshot) -> None:
        """Take the exits that take nobody at this tick."""
        self._now_ms = snapshot.now_ms
        self._since_ms = {x: self._since_ms.get(x, snapshot.now_ms) for x in sorted(snapshot.closed_exits)}

    def free_in_ms(self, exit_lane: str) -> int:
        """Return in how many milliseconds the exit is expected to take vehicles again; 0 where it does now."""
        since_ms = self._since_ms.get(exit_lane)
        return 0 if since_ms is None else min(max(self._now_ms - since_ms, LEAST_FULL_MS), MOST_FULL_MS)

    def blocked_ms(self, moves: Sequence[Movement], belief: LaneBelief) -> int:
        """Return for how long nobody is expected to leave the lane with these movements: its first vehicle goes to a full exit."""
        if not self._since_ms or blocked_ratio(moves, belief, self._since_ms) < LIKELY_RATIO:
            return 0
        return max(self.free_in_ms(m.exit) for m, r in zip(moves, belief.head_ratio, strict=True) if r > 0.0)


def blocked_ratio(moves: Sequence[Movement], belief: LaneBelief, full: Collection[str]) -> float:
    """Return how likely the lane's first vehicle goes to a full exit; ``moves``: the movements of the lane."""
    return sum(r for m, r in zip(moves, belief.head_ratio, strict=True) if m.exit in full)
