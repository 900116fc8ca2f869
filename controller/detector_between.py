"""What two sets of loops on the way over a loop agree on, for which nothing must have been learned.

Who has passed the loops before and those behind has passed the one between them. At a stop line, where nothing is behind, the two sets are the
loops before it on its own lane, and those of the whole road less whom its mates on the other lanes have let pass. Either set may have seen
vehicles that changed lanes; the smaller number of the two is of those who passed. So a loop is found that was broken from its first day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from controller.detector_rules import EVIDENCE, MISCOUNTS
from controller.detector_witness import PASSED_LOOKS, Counted, Witness
from controller.junction import Junction, Purpose

HALF_VEH: Final = 30  # counts are judged each time when so many have passed, over the last two times so many
ARRIVED_LOOKS: Final = PASSED_LOOKS - 1  # before a free stop loop nobody stands who came so long ago: no red lasts longer


class Between:
    """Two witnesses of one loop, the same one twice where its lane is the whole road. ``at_stop``: both are before it."""

    def __init__(self, one: Witness, two: Witness, *, at_stop: bool) -> None:
        self._one, self._two, self._at_stop = one, two, at_stop
        self.loops = tuple(dict.fromkeys((*one.loops, *two.loops)))
        self.ahead = one.loops  # those that vehicles pass first
        self.few: tuple[int, int] | None = None  # what it counted of how many who passed, where those were too few
        self._from = self._middle = (0, 0, 0)

    def proof_ratio(self, loop: Counted) -> float:
        """Return how many have passed the loop since it last changed, against what proves it broken."""
        one, two = self._one, self._two
        if not (one.heard and two.heard):
            return 0.0
        mates = two.looked_own - loop.count - two.mates_from
        if not self._at_stop or loop.occupied:
            room_veh = one.room_veh if self._at_stop else 0.0
            return (min(one.since(0), two.since(0) - mates) - room_veh) / EVIDENCE.between_veh
        return min(one.since(ARRIVED_LOOKS), two.since(ARRIVED_LOOKS) - mates) / EVIDENCE.arrived_veh

    def queue_ms(self, loop: Counted, loops: Mapping[str, Counted], now_ms: int) -> int:
        """Return for how long all loops before a free stop loop have been covered: no queue ends before an empty stop line.

        Unless it is another lane's: a queue of those who turn left also stands where the lanes part.
        """
        if not self._at_stop or not self._one.closed or loop.occupied or not self._one.heard or not all(loops[x].occupied for x in self.ahead):
            return 0
        return now_ms - max(loop.changed_ms, *(loops[x].changed_ms for x in self.ahead))

    def look(self, loop: Counted) -> None:
        """Compare its counts with theirs, where it lies between the two; before a stop line some may have turned off into a yard."""
        if self._at_stop:
            return
        now = loop.count, self._one.looked_seen, self._two.looked_seen
        if not (self._one.heard and self._two.heard and (loop.trusted or loop.fault in MISCOUNTS)):
            self.few, self._from, self._middle = None, now, now
            return
        if min(now[1] - self._middle[1], now[2] - self._middle[2]) < HALF_VEH:
            return
        counted, passed = now[0] - self._from[0], min(now[1] - self._from[1], now[2] - self._from[2])
        if passed >= 2 * HALF_VEH:
            self.few = (counted, passed) if counted < EVIDENCE.few_ratio * passed else None
        self._from, self._middle = self._middle, now


def between_of(witnesses: Mapping[str, Sequence[Witness]], junction: Junction) -> dict[str, Between]:
    """Return, by loop, the two sets that tell of it without others joining or leaving; those loops that have them."""
    found: dict[str, Between] = {}
    for d in junction.detectors:
        before, behind, road = (
            next((w for w in witnesses[d.id] if w.behind == after and bool(w.mates) == mates), None)
            for after, mates in ((False, False), (True, False), (False, True))
        )
        if d.purpose is Purpose.STOP:
            whole = road or before
            if before is not None and whole is not None and whole.road and whole.closed:
                found[d.id] = Between(before, whole, at_stop=True)
        elif d.purpose is not Purpose.EXIT and before is not None and behind is not None and before.closed and behind.closed:
            found[d.id] = Between(before, behind, at_stop=False)
    return found
