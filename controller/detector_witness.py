"""What the loops before and behind a loop say of it: that vehicles must have passed, or that it counts too many or too few.

Vehicles are conserved. Those that pass a loop have passed the one before it or will pass the one behind it, but for those that turn off
or change lanes, whose share is learned, and those that stand between, who are no more than there is room for. A witness is one of these
neighbouring sets of loops; it says nothing while one of its loops is not trusted itself. Where drivers may change lanes, whether somebody
is missing is asked of the whole road: of the loop together with its mates, those at its height on the other lanes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import log, sqrt
from typing import Final, Protocol

from controller.detector_followers import Followers
from controller.detector_rules import EVIDENCE, LOOK_MS, MISCOUNTS, Fault
from controller.junction import Detector, Junction, Purpose

SPACING_M: Final = 6.0  # of standing vehicles, the shortest ones
ROOM_VEH: Final = 3.0  # those on the loops themselves, and one that is counted in the next second
PASSED_MS: Final = 180_000  # who has not passed a free loop after this time has not come
PASSED_LOOKS: Final = PASSED_MS // LOOK_MS
CROSSING_M: Final = 40.0
HEIGHT_M: Final = 10.0  # loops of one road so near to each other are mates
MEMORY_VEH: Final = 600.0  # of a witness; the learned ratio is that of the last so many
PRIOR_VEH: Final = 10.0  # what is known at first weighs like so many vehicles
PRIOR_RATIO: Final = 0.5  # at least, of a whole road
MOST_CHARGE: Final = 1.5  # times what convicts: a loop that counts rightly again is to be cleared in finite time
DOUBT: Final = 5.0
OPEN_CUT: Final = 0.5
CHUNK_VEH: Final = 30
SPREAD_RATE: Final = 0.4
FIRST_SPREAD_RATIO: Final = 0.5  # two chunks without a difference prove it wrong
WHOLE_SPREAD_RATIO: Final = 0.2
STRONG_RATIO: Final = (0.75, 1.33)  # counts are compared only where most of the vehicles pass both
WHOLE_RATIO: Final = (0.85, 1.2)  # and somebody is missing only where all pass both, but for chance
_LOG2: Final = log(2.0)


class Counted(Protocol):
    """What a witness asks of a loop."""

    @property
    def count(self) -> int:
        """Return its vehicles since the start."""
        ...

    @property
    def occupied(self) -> bool:
        """Return whether it is covered."""
        ...

    @property
    def changed_ms(self) -> int:
        """Return since when."""
        ...

    @property
    def trusted(self) -> bool:
        """Return whether it is believed."""
        ...

    @property
    def fault(self) -> Fault | None:
        """Return why it is not."""
        ...

    @property
    def followers(self) -> Followers:
        """Return who of its vehicles follow each other."""
        ...


@dataclass(slots=True)
class Witness:
    """One set of neighbouring loops. ``own_veh`` and ``seen_veh``: the vehicles of the loop with its mates, and of the set; their ratio is learned."""

    loops: tuple[str, ...]
    room_veh: float
    prior_ratio: float  # of the loop's vehicles to those of the set, at least
    behind: bool = False  # vehicles pass the set after the loop
    closed: bool = True  # no other way joins or leaves between the two
    mates: tuple[str, ...] = ()
    road: bool = False  # it speaks of the whole road at the loop's height
    own_veh: float = 0.0
    seen_veh: float = 0.0
    quiet_from: int = 0  # the set's count when the loop last changed
    quiet_ms: int = 0  # and when that was
    late_from: int = 0  # the set's count when those had gone who were then between
    mates_from: int = 0  # the mates' count then, or when the loop last changed
    past: deque[int] = field(default_factory=lambda: deque(maxlen=PASSED_LOOKS))  # the set's counts at the last looks
    spread_ratio: float = FIRST_SPREAD_RATIO  # how far the counts of a few dozen vehicles were from the ratio, in the mean, against these
    chunk_own: int = 0
    chunk_seen: int = 0
    pending_own: int = 0  # counts not yet learned from: those of a loop that does not change may be the fault's
    pending_seen: int = 0
    looked_own: int = 0  # the counts at the last look, the mates' among the loop's own
    looked_seen: int = 0
    heard: bool = True  # all of its loops and mates are trusted
    over_ratio: float = 0.0  # log-likelihood of twice, and of half as many vehicles
    under_ratio: float = 0.0
    # What follows from the vehicles learned from; each look asks for it, and it seldom changes.
    strong: bool = False  # the ratio is known and most vehicles pass both
    whole: bool = False  # and all pass both, but for chance
    least_ratio: float = 0.0  # the ratio, less what it may be off by chance and, where other ways join or leave between the two, by a change of demand

    def __post_init__(self) -> None:
        self._conclude()

    def _conclude(self) -> None:
        self.strong = self._within(STRONG_RATIO)
        self.whole = self.spread_ratio <= WHOLE_SPREAD_RATIO and self._within(WHOLE_RATIO)
        own = self.own_veh + PRIOR_VEH * self.prior_ratio
        ratio = max(own - 2.0 * sqrt(self.own_veh), 0.0) / (self.seen_veh + PRIOR_VEH)
        self.least_ratio = ratio if self.closed and self.spread_ratio <= WHOLE_SPREAD_RATIO else OPEN_CUT * ratio

    def beyond_veh(self, seen: int) -> float:
        """Return how many vehicles must have passed the loop since it last changed, were all the room between full."""
        return self.least_ratio * (seen - self.quiet_from) - self.room_veh

    def passed_veh(self, seen: int, mates: int) -> float:
        """Return how many vehicles must have passed the free loop since it last changed; before a free one nobody stands for minutes."""
        if not self.whole:
            return 0.0
        passed = seen - self.late_from if self.behind else self.past[0] - self.quiet_from if len(self.past) == PASSED_LOOKS else 0
        return self.least_ratio * passed - (mates - self.mates_from)

    def since(self, looks: int) -> int:
        """Return how many the set had seen so many looks ago since the loop last changed; less than nothing where that was before."""
        return (self.looked_seen if not looks else self.past[-1 - looks] if len(self.past) > looks else self.quiet_from) - self.quiet_from

    def watch(self, seen: int, mates: int, now_ms: int, *, changed: bool) -> None:
        """Take the counts at one look; ``changed``: the loop has changed since the last one, or the set cannot be heard."""
        self.past.append(seen)
        if changed:
            self.quiet_from, self.quiet_ms, self.mates_from = seen, now_ms, mates
        if changed or now_ms - self.quiet_ms <= PASSED_MS:
            self.late_from = seen
            if self.behind:
                self.mates_from = mates

    @property
    def over_charge(self) -> float:
        """Return what speaks for twice as many vehicles, beyond what those who may have stood between explain."""
        return self.over_ratio - _LOG2 * self.room_veh

    @property
    def under_charge(self) -> float:
        """Return what speaks for half as many vehicles, likewise."""
        return self.under_ratio - self.room_veh / 2.0

    @property
    def doubts(self) -> bool:
        """Return whether the counts may differ for another reason than chance; then nothing is learned from them."""
        return max(self.over_ratio, self.under_ratio) >= DOUBT

    def _within(self, ratios: tuple[float, float]) -> bool:
        low, high = ratios
        return self.closed and self.seen_veh >= EVIDENCE.learned_veh and low * self.seen_veh <= self.own_veh <= high * self.seen_veh

    def compare(self, own: int, seen: int, *, learns: bool, changed: bool) -> None:
        """Take the counts since the last look: test them against the ratio, then learn from them, once the loop changes."""
        more_own, more_seen = own - self.looked_own, seen - self.looked_seen
        if not self.strong:
            self.over_ratio = self.under_ratio = 0.0
        elif more_own or more_seen:
            due = more_seen * self.own_veh / self.seen_veh
            self.over_ratio = min(max(0.0, self.over_ratio + more_own * _LOG2 - due), MOST_CHARGE * EVIDENCE.over_ratio + _LOG2 * self.room_veh)
            self.under_ratio = min(max(0.0, self.under_ratio - more_own * _LOG2 + due / 2.0), MOST_CHARGE * EVIDENCE.under_ratio + self.room_veh / 2.0)
        self.skip(own, seen)
        self.pending_own += more_own
        self.pending_seen += more_seen
        if changed:
            if learns and not self.doubts:
                self._learn(self.pending_own, self.pending_seen)
            self.pending_own = self.pending_seen = 0

    def skip(self, own: int, seen: int) -> None:
        """Pass over what was counted since the last look."""
        self.looked_own, self.looked_seen = own, seen

    def restart(self) -> None:
        """Forget what spoke against the loop."""
        self.over_ratio = self.under_ratio = 0.0
        self.pending_own = self.pending_seen = 0

    def _learn(self, own: int, seen: int) -> None:
        self.chunk_own += own
        self.chunk_seen += seen
        if self.chunk_seen >= CHUNK_VEH and self.seen_veh >= CHUNK_VEH:
            off_ratio = abs(self.chunk_own - self.chunk_seen * self.own_veh / self.seen_veh) / self.chunk_seen
            self.spread_ratio += SPREAD_RATE * (off_ratio - self.spread_ratio)
            self.chunk_own = self.chunk_seen = 0
        self.own_veh += own
        self.seen_veh += seen
        if self.seen_veh > MEMORY_VEH:
            keep = MEMORY_VEH / self.seen_veh
            self.own_veh *= keep
            self.seen_veh *= keep
        self._conclude()


def witnesses_of(junction: Junction) -> dict[str, tuple[Witness, ...]]:
    """Return each loop's witnesses: the loops before it, those behind it, and where it has mates both once more for the whole road."""
    ways = _Ways(junction)
    found: dict[str, tuple[Witness, ...]] = {}
    for d in junction.detectors:
        if d.purpose is Purpose.EXIT:
            feeders = _feeders(junction, d)
            room_veh = (CROSSING_M + d.distance_m) / SPACING_M + ROOM_VEH
            found[d.id] = (Witness(tuple(o.id for o in feeders), room_veh, 0.0),) if feeders else ()
        else:
            mates = ways.mates(d)
            both = [ways.witness(d, (), behind=behind) for behind in (False, True)]
            both += [ways.witness(d, mates, behind=behind) for behind in (False, True) if mates]
            found[d.id] = tuple(w for w in both if w is not None)
    return found


class _Ways:
    """Which loop leads to which."""

    def __init__(self, junction: Junction) -> None:
        self._loops = {d.id: d for d in junction.detectors if d.purpose is not Purpose.EXIT}
        self._approach = {lane.id: lane.approach or lane.id for lane in junction.lanes}
        self._before = {i: tuple(u for u in d.upstream if u in self._loops) for i, d in self._loops.items()}
        self._after: dict[str, list[str]] = {i: [] for i in self._loops}
        for i, before in self._before.items():
            for u in before:
                self._after[u].append(i)

    def mates(self, d: Detector) -> tuple[str, ...]:
        """Return the loops of the other lanes at the same height."""
        mine = {self._approach[x] for x in d.lanes}
        return tuple(
            o.id
            for o in self._loops.values()
            if o.id != d.id and abs(o.distance_m - d.distance_m) < HEIGHT_M and mine.intersection(self._approach[x] for x in o.lanes)
        )

    def witness(self, d: Detector, mates: tuple[str, ...], *, behind: bool) -> Witness | None:
        """Return what the loops on one side say of a loop, or of it and its mates; None where there are none, or the road is the lane."""
        road = (d.id, *mates)
        there, back = (self._after, self._before) if behind else (self._before, self._after)
        others = tuple(dict.fromkeys(o for x in road for o in there[x]))
        alone = not self.mates(d)
        if not others or (mates and any(not there[x] for x in road)):
            return None
        closed = all(x in road for o in others for x in back[o])
        way_m = max(abs(self._loops[o].distance_m - d.distance_m) for o in others)
        room_veh = way_m / SPACING_M * max(len(others), len({x for o in others for x in self._loops[o].lanes})) + ROOM_VEH
        # Of a lane among others nothing is known at first: nobody may ever use it.
        return Witness(others, room_veh, PRIOR_RATIO if mates or alone else 0.0, behind, closed, mates, road=bool(mates) or alone)


def _feeders(junction: Junction, exit_loop: Detector) -> list[Detector]:
    """Return the stop loops of the lanes from which vehicles come to an exit; none where drivers choose or a lane has none."""
    lanes = {m.lane for m in junction.movements if m.exit in exit_loop.lanes}
    choice = any(m.lane in lanes and m.exit not in exit_loop.lanes for m in junction.movements)
    stops = [d for d in junction.detectors if d.purpose is Purpose.STOP and lanes.intersection(d.lanes)]
    return [] if choice or lanes - {lane for d in stops for lane in d.lanes} else stops


class Witnesses:
    """All witnesses of a junction's loops."""

    def __init__(self, junction: Junction) -> None:
        self.of = witnesses_of(junction)

    def look(self, loops: Mapping[str, Counted], changed: Mapping[str, bool], now_ms: int) -> None:
        """Compare all counts. ``changed``: the loops that have changed since the last look."""
        counts = {name: loop.count for name, loop in loops.items()}
        trusted = {name for name, loop in loops.items() if loop.trusted}
        all_trusted = len(trusted) == len(loops)
        for name, witnesses in self.of.items():
            own = loops[name]
            for w in witnesses:
                seen = mates = 0
                for x in w.loops:
                    seen += counts[x]
                for x in w.mates:
                    mates += counts[x]
                w.heard = all_trusted or (trusted.issuperset(w.loops) and trusted.issuperset(w.mates))
                w.watch(seen, mates, now_ms, changed=changed[name] or not w.heard)
                if w.heard and (own.trusted or own.fault in MISCOUNTS):
                    w.compare(own.count + mates, seen, learns=own.trusted, changed=changed[name])
                    continue
                w.skip(own.count + mates, seen)
                if not own.trusted:
                    w.restart()
