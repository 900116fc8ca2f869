"""Who follows whom: a loop that misses every second vehicle never sees two that follow each other closely.

Wherever vehicles come soon after one another, in a queue that discharges, in a platoon or by chance, a part of them comes so soon that nobody fits
between: among random arrivals a seventh, among platoons half and more. That part depends on the street and the hour, and hardly on how many
drive. So it is learned for each loop and never taken for higher than what all loops of the junction show at the time; at night both sink. A sequential
test (Wald, Sequential Analysis, 1947) asks whether the part may have become that of a loop which misses half. It needs no other loop, and a few
vehicles that follow closely clear a loop again.
"""

from __future__ import annotations

from math import log
from typing import Final

from controller.detector_rules import EVIDENCE

FOLLOWS_MS: Final = 2_000  # free between two vehicles of which one follows the other: headways of queues less the time on the loop
SOON_MS: Final = 10_000  # longer gaps tell how many drive, and nothing else
HALF_RATIO: Final = 0.02  # of those who come soon, who follow over a loop that misses every second vehicle: nobody but for merged pulses
FIRST_RATIO: Final = 0.3  # and over a whole one, until it is learned
FIRST_VEH: Final = 20.0  # what is known at first weighs like so many
MEMORY_VEH: Final = 200.0  # of a loop
NOW_VEH: Final = 100.0  # of all loops together: a few minutes by day
MOST_RATIO: Final = 1.5 * EVIDENCE.no_follower_ratio  # a loop that is mended is cleared by a few followers
KNOWN_FOLLOWERS: Final = 5  # a street where nobody ever followed closely may have a gate


class Platoons:
    """The part of all who come soon after another one that follows closely, over all loops of a junction, at the time."""

    __slots__ = ("_weight_veh", "ratio")

    def __init__(self) -> None:
        self.ratio = FIRST_RATIO
        self._weight_veh = FIRST_VEH

    def take(self, *, follows: bool) -> None:
        """Take one vehicle that came soon after another one."""
        self._weight_veh = min(self._weight_veh + 1.0, NOW_VEH)
        self.ratio += (follows - self.ratio) / self._weight_veh


class Followers:
    """One loop's test. ``charge_ratio``: the log-likelihood ratio for every second vehicle missed."""

    __slots__ = ("_followers", "_now", "_soon", "_without", "charge_ratio", "seen")

    def __init__(self, now: Platoons) -> None:
        self._now = now
        self._followers, self._soon = FIRST_RATIO * FIRST_VEH, FIRST_VEH
        self.charge_ratio = 0.0
        self.seen = 0  # followers since the start
        self._without = 0  # who came soon since the last one

    @property
    def known(self) -> bool:
        """Return whether vehicles have followed each other closely over this loop."""
        return self.seen >= KNOWN_FOLLOWERS

    def take(self, gap_ms: int, *, learns: bool) -> None:
        """Take a vehicle that came ``gap_ms`` after the last one had left. ``learns``: the loop is trusted."""
        if gap_ms >= SOON_MS:
            return
        follows = gap_ms < FOLLOWS_MS
        usual_ratio = max(min(self._followers / self._soon, self._now.ratio), HALF_RATIO)
        if follows:
            # However few followed before, a loop that misses half sees next to none.
            self.charge_ratio = max(0.0, self.charge_ratio + log(HALF_RATIO / max(usual_ratio, FIRST_RATIO)))
            self.seen += 1
            self._learn()
        else:
            self.charge_ratio = min(self.charge_ratio + log((1.0 - HALF_RATIO) / (1.0 - usual_ratio)), MOST_RATIO)
            self._without += 1
        if learns:
            self._now.take(follows=follows)

    def _learn(self) -> None:
        """Learn from all who came since the last follower: those after whom none came may be the fault's."""
        self._followers += 1.0
        self._soon += self._without + 1.0
        self._without = 0
        if self._soon > MEMORY_VEH:
            self._followers *= MEMORY_VEH / self._soon
            self._soon = MEMORY_VEH
