"""Whether a loop counts half of those whom the loops before and behind it count.

The counts are tested against the share of the others' vehicles that passes the loop. Between a set of loops before it and one behind it whose
vehicles pass nowhere else that share is one, and nothing need be learned; the set that says less is believed. Elsewhere it is taken for one until it
is learned, and learned only from times that ended with a vehicle which followed another one closely: a loop that misses every second never
sees one (`controller.detector_followers`), so it cannot teach that half is usual. The less is known of the share, the more must the gaps say, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log, sqrt
from typing import Final

from controller.detector_rules import EVIDENCE, MISCOUNTS
from controller.detector_witness import Counted, Witness
from controller.junction import Junction, Purpose

FIRST_VEH: Final = 20.0  # a share of one that is known at first weighs like so many vehicles
LEARNED_VEH: Final = 30.0  # and one of which nothing is known must be learned from so many
MEMORY_VEH: Final = 600.0
MOST_RATIO: Final = 1.5 * EVIDENCE.half_ratio  # a loop that is mended is to be cleared in finite time
_LOG2: Final = log(2.0)


class _Comparison:
    """One loop against one witness, less the vehicles of its mates. ``charge_ratio``: the log-likelihood ratio for half as many as usual."""

    __slots__ = ("_own", "_own_veh", "_pending_own", "_pending_seen", "_seen", "_seen_veh", "_whole", "charge_ratio", "witness")

    def __init__(self, witness: Witness, *, whole: bool) -> None:
        self.witness, self._whole = witness, whole
        self.charge_ratio = 0.0
        self._own_veh = self._seen_veh = FIRST_VEH if whole else 0.0
        self._own = self._seen = self._pending_own = self._pending_seen = 0

    @property
    def learned(self) -> bool:
        """Return whether the share of the witness's vehicles that passes the loop is known."""
        return self._seen_veh >= LEARNED_VEH

    @property
    def tells(self) -> bool:
        """Return whether the witness can be heard, and its vehicles, as far as is known, pass the loop."""
        return self.witness.heard and (self._whole or self.learned or self.witness.closed)

    def look(self, own: int, *, judged: bool, learns: bool) -> None:
        """Compare the counts since the last look. ``learns``: vehicles have followed each other over the loop since then."""
        w = self.witness
        seen = w.looked_seen - (w.looked_own - own)
        more_own, more_seen = own - self._own, seen - self._seen
        self._own, self._seen = own, seen
        if not (judged and w.heard):
            self.charge_ratio, self._pending_own, self._pending_seen = 0.0, 0, 0
            return
        due_veh = self._share_ratio() * more_seen
        self.charge_ratio = min(max(0.0, self.charge_ratio + due_veh / 2.0 - more_own * _LOG2), MOST_RATIO)
        self._pending_own += more_own
        self._pending_seen += more_seen
        if learns:
            self._learn()

    def _share_ratio(self) -> float:
        """Return the share of the witness's vehicles that passes the loop, a learned one less what it may be off by chance."""
        if not (self._whole or self.learned):
            return 1.0
        share_ratio = min(self._own_veh / self._seen_veh, 1.0)
        return share_ratio if self._whole else max(share_ratio - sqrt(share_ratio * (1.0 - share_ratio) / self._seen_veh), 0.0)

    def _learn(self) -> None:
        self._own_veh += self._pending_own
        self._seen_veh += max(self._pending_seen, 0)
        self._pending_own = self._pending_seen = 0
        if self._seen_veh > MEMORY_VEH:
            self._own_veh *= MEMORY_VEH / self._seen_veh
            self._seen_veh = MEMORY_VEH


class Halves:
    """What all its witnesses say of one loop. ``whole``: all of their vehicles pass it."""

    def __init__(self, witnesses: Sequence[Witness], *, whole: bool) -> None:
        self._whole = whole
        self.charge_ratio = 0.0  # of the witness that says least
        self._followers = 0
        self._comparisons = tuple(_Comparison(w, whole=whole) for w in witnesses)

    @property
    def loops(self) -> tuple[str, ...]:
        """Return the loops of those who tell."""
        return tuple(dict.fromkeys(x for one in self._comparisons if one.tells for x in one.witness.loops))

    @property
    def known(self) -> bool:
        """Return whether somebody can say how many should have passed."""
        return any(one.tells and (self._whole or one.learned) for one in self._comparisons)

    @property
    def gaps_ratio(self) -> float:
        """Return how much the gaps must say besides: the more, the less is known of the share that passes."""
        e, told = EVIDENCE, [one for one in self._comparisons if one.tells]
        if self._whole and len(told) == len(self._comparisons):
            return e.half_gaps_ratio
        return e.half_learned_gaps_ratio if all(one.learned for one in told) else e.half_unknown_gaps_ratio

    def look(self, loop: Counted) -> None:
        """Compare the loop's counts with those of its witnesses."""
        judged, followers = loop.trusted or loop.fault in MISCOUNTS, loop.followers.seen
        for one in self._comparisons:
            one.look(loop.count, judged=judged, learns=loop.trusted and followers != self._followers)
        self._followers = followers
        self.charge_ratio = min((one.charge_ratio for one in self._comparisons if one.tells), default=0.0)


def halves_of(witnesses: Mapping[str, Sequence[Witness]], junction: Junction) -> dict[str, Halves]:
    """Return, by loop, who tells whether it counts half."""
    return {d.id: _halves(witnesses[d.id], d.purpose) for d in junction.detectors}


def _halves(witnesses: Sequence[Witness], purpose: Purpose) -> Halves:
    if purpose is Purpose.EXIT:
        return Halves((), whole=False)  # drivers choose their lane before it, and otherwise from one minute to the next
    closed = [w for w in witnesses if w.closed]
    lane = [w for w in closed if not w.mates]
    return Halves(lane, whole=True) if len(lane) > 1 else Halves(closed or witnesses, whole=False)
