"""What stands in for a loop that is not trusted: a flow, from its profile, from how it was before, from its neighbours, or assumed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Set
from math import exp
from typing import Final

from controller.detector_witness import HEIGHT_M
from controller.junction import Detector, Junction, Purpose
from controller.profile import QUARTER_MS, Profile

RECENT_MS: Final = 180_000  # memory of the present flow
USUAL_MS: Final = 1_200_000  # memory of the usual one
LEARNED_MS: Final = 300_000  # a loop watched for less has no usual flow yet
LEARNED_VEH: Final = 5  # and one that has counted fewer tells nothing by its silence
SCALE_RANGE: Final = (0.3, 3.0)  # so far may traffic be from its profile
MOST_DUE_RATIO: Final = 5.0  # times the usual flow: more is one neighbour's platoon
LEAST_VEH_S: Final = 1.0 / 120.0  # recall: where nothing is known, and at least, so much demand is assumed


class Flows:
    """The flow over every loop: the present one, the usual one, and what stands in for it."""

    def __init__(self, junction: Junction, profile: Profile, start_ms: int) -> None:
        self.profile = profile
        self._recent = {d.id: 0.0 for d in junction.detectors}
        self._usual = dict(self._recent)
        self._watched_ms = {d.id: 0 for d in junction.detectors}
        self._near = {d.id: _near(d, junction) for d in junction.detectors}
        everywhere = tuple(d.id for d in junction.detectors if d.purpose is not Purpose.EXIT)
        self._telling = {d.id: (_own_ways(d, junction), self._near[d.id], tuple(x for x in everywhere if x != d.id)) for d in junction.detectors}
        self._counted = {d.id: 0 for d in junction.detectors}
        self._usual_counted = dict(self._counted)
        self._usual_ms = {d.id: start_ms for d in junction.detectors}
        self._at_ms = start_ms
        self.due_veh = dict(self._recent)  # vehicles that were due since the loop last changed, by its usual share of what its neighbours have seen
        self._quarter_from: dict[str, int] | None = None  # counts when the present quarter began, of loops trusted since then

    def look(self, counts: Mapping[str, int], trusted: Mapping[str, bool], changed: Mapping[str, bool], doubted: Collection[str], now_ms: int) -> None:
        """Take the counts up to ``now_ms``, and which loops have changed since the last look; from those in doubt nothing usual is learned."""
        elapsed_ms = now_ms - self._at_ms
        if elapsed_ms <= 0:
            return
        more: dict[str, int] = {}
        recent = 1.0 - exp(-elapsed_ms / RECENT_MS)
        for name, count in counts.items():
            more[name] = count - self._counted[name]
            if trusted[name]:
                flow_veh_s = 1000.0 * more[name] / elapsed_ms
                watched_ms = self._watched_ms[name] = self._watched_ms[name] + elapsed_ms
                # In the beginning the memory is as long as the loop is watched: the mean of all that was seen.
                self._recent[name] += max(recent, elapsed_ms / watched_ms) * (flow_veh_s - self._recent[name])
                if name in doubted:
                    self._usual_ms[name], self._usual_counted[name] = now_ms, count
                elif changed[name]:
                    self._learn_usual(name, count, now_ms)
            else:
                self._usual_ms[name], self._usual_counted[name] = now_ms, count
            self._counted[name] = count
        known = {name: rate for name in counts if trusted[name] and (rate := self._known_veh_s(name, now_ms))}
        moved = {name for name, count in more.items() if count}
        for name in counts:
            self.due_veh[name] = 0.0 if changed[name] else self.due_veh[name] + self._more_due_veh(name, more, moved, known, elapsed_ms, now_ms)
        self._end_quarter(counts, trusted, now_ms)
        self._at_ms = now_ms

    def _learn_usual(self, name: str, count: int, now_ms: int) -> None:
        """Learn from the time since the loop changed last: one that does not change any more may be broken, and its silence is not learned."""
        since_ms, self._usual_ms[name] = now_ms - self._usual_ms[name], now_ms
        more, self._usual_counted[name] = count - self._usual_counted[name], count
        weight = max(1.0 - exp(-since_ms / USUAL_MS), since_ms / max(self._watched_ms[name], 1))
        self._usual[name] += min(weight, 1.0) * (1000.0 * more / since_ms - self._usual[name])

    def change(self, names: Iterable[str]) -> float | None:
        """Return how the present flow over some loops compares with the usual one, None where too little is known."""
        known = [name for name in names if self._watched_ms[name] >= LEARNED_MS]
        usual = sum(self._usual[name] for name in known)
        return sum(self._recent[name] for name in known) / usual if usual > 0.0 else None

    def instead_veh_s(self, name: str, trusted: Mapping[str, bool], now_ms: int) -> float:
        """Return the flow that stands in for the loop's: of its profile, of the time before, or of its neighbours; never less than a recall."""
        base = self.profile.rate_veh_s(name, now_ms)
        near = [x for x in self._near[name] if trusted[x] and self._watched_ms[x] >= LEARNED_MS]
        if base is not None:
            usual = {x: rate for x in near if (rate := self.profile.rate_veh_s(x, now_ms)) is not None}
            return max(base * self._scale(usual), LEAST_VEH_S)
        if self._is_learned(name):
            return max(self._usual[name] * self._scale({x: self._usual[x] for x in near}), LEAST_VEH_S)
        alike = [self._usual[x] for x in self._telling[name][0] if self._is_learned(x)]
        if alike:
            return max(sum(alike) / len(alike), LEAST_VEH_S)
        if near:
            return max(sum(self._recent[x] for x in near) / len(near), LEAST_VEH_S)
        return LEAST_VEH_S

    def _known_veh_s(self, name: str, now_ms: int) -> float:
        """Return the usual flow over a loop, or that of its profile at first; 0 where neither is known."""
        return self._usual[name] if self._is_learned(name) else self.profile.rate_veh_s(name, now_ms) or 0.0

    def _is_learned(self, name: str) -> bool:
        return self._watched_ms[name] >= LEARNED_MS and self._counted[name] >= LEARNED_VEH

    def _more_due_veh(self, name: str, more: Mapping[str, int], moved: Set[str], known: Mapping[str, float], elapsed_ms: int, now_ms: int) -> float:
        """Return how many vehicles were due over a loop since the last look: its usual share of those that the loops have seen that tell most of it.

        ``moved``: the loops that have seen any.
        """
        own_veh_s = known.get(name) or self._known_veh_s(name, now_ms)
        for telling in self._telling[name] if own_veh_s else ():
            heard = [x for x in telling if x in known]
            if heard and moved.isdisjoint(heard):
                return 0.0
            if heard:
                share = own_veh_s / sum([known[x] for x in heard])
                return min(share * sum([more[x] for x in heard]), MOST_DUE_RATIO * own_veh_s * elapsed_ms / 1000.0)
        return 0.0

    def _scale(self, usual: Mapping[str, float]) -> float:
        total = sum(usual.values())
        low, high = SCALE_RANGE
        return min(max(sum(self._recent[x] for x in usual) / total, low), high) if total > 0.0 else 1.0

    def _end_quarter(self, counts: Mapping[str, int], trusted: Mapping[str, bool], now_ms: int) -> None:
        """Learn the quarter that has ended, from loops that were trusted and watched through all of it."""
        before, began = self.profile.quarter(self._at_ms), self._quarter_from
        if began is not None:
            for name in [x for x in began if not trusted[x]]:
                del began[name]
        if before == self.profile.quarter(now_ms):
            return
        if began is not None and now_ms - self._at_ms < QUARTER_MS:
            for name, count in began.items():
                self.profile.learn(name, before, counts[name] - count)
        self._quarter_from = {name: count for name, count in counts.items() if trusted[name]}


def _own_ways(d: Detector, junction: Junction) -> tuple[str, ...]:
    """Return the loops that tell most of a loop's flow: those before and behind it on its lanes, and the stop loops that feed an exit."""
    if d.purpose is Purpose.EXIT:
        lanes = {m.lane for m in junction.movements if m.exit in d.lanes}
        return tuple(o.id for o in junction.detectors if o.purpose is Purpose.STOP and lanes.intersection(o.lanes))
    others = [o for o in junction.detectors if o.purpose is not Purpose.EXIT and set(d.lanes).intersection(o.lanes)]
    return tuple(o.id for o in others if abs(o.distance_m - d.distance_m) >= HEIGHT_M)


def _near(d: Detector, junction: Junction) -> tuple[str, ...]:
    """Return the loops whose flow tells of this one's: those of the lanes of its approach; where there are none, all of its purpose."""
    approach = {lane.id: lane.approach or lane.id for lane in junction.lanes}
    mine = {approach[x] for x in d.lanes if x in approach}
    others = [o for o in junction.detectors if o.id != d.id and (o.purpose is Purpose.EXIT) == (d.purpose is Purpose.EXIT)]
    near = [o.id for o in others if mine.intersection(approach[x] for x in o.lanes if x in approach)]
    return tuple(near or [o.id for o in others if o.purpose is d.purpose])
