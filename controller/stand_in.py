"""What stands in for a loop that is not trusted: a flow, from its profile, from how it was before, from its neighbours, or assumed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from math import exp
from typing import Final

from controller.junction import Detector, Junction, Purpose
from controller.profile import QUARTER_MS, Profile

RECENT_MS: Final = 180_000  # memory of the present flow
USUAL_MS: Final = 1_200_000  # memory of the usual one
LEARNED_MS: Final = 300_000  # a loop watched for less has no usual flow yet
SCALE_RANGE: Final = (0.3, 3.0)  # so far may traffic be from its profile
_NOTHING_VEH_S: Final = 1e-4
LEAST_VEH_S: Final = 1.0 / 120.0  # recall: where nothing is known, and at least, so much demand is assumed


class Flows:
    """The flow over every loop: the present one, the usual one, and what stands in for it."""

    def __init__(self, junction: Junction, profile: Profile, start_ms: int) -> None:
        self.profile = profile
        self._recent = {d.id: 0.0 for d in junction.detectors}
        self._usual = dict(self._recent)
        self._watched_ms = {d.id: 0 for d in junction.detectors}
        self._near = {d.id: _near(d, junction) for d in junction.detectors}
        self._groups = {name: frozenset((name, *near)) for name, near in self._near.items()}
        self._totals: dict[frozenset[str], tuple[float, float]] = {}  # per group: the present and the usual flow over its trusted loops
        self._counted = {d.id: 0 for d in junction.detectors}
        self._usual_counted = dict(self._counted)
        self._usual_ms = {d.id: start_ms for d in junction.detectors}
        self._at_ms = start_ms
        self.due_veh = dict(self._recent)  # vehicles that were due since the loop last changed, by its usual flow and what its neighbours see now
        self._quarter_from: dict[str, int] | None = None  # counts when the present quarter began, of loops trusted since then

    def look(self, counts: Mapping[str, int], trusted: Mapping[str, bool], changed: Mapping[str, bool], doubted: Collection[str], now_ms: int) -> None:
        """Take the counts up to ``now_ms``, and which loops have changed since the last look; from those in doubt nothing usual is learned."""
        elapsed_ms = now_ms - self._at_ms
        if elapsed_ms <= 0:
            return
        self._totals.clear()
        recent = 1.0 - exp(-elapsed_ms / RECENT_MS)
        for name, count in counts.items():
            if trusted[name]:
                flow_veh_s = 1000.0 * (count - self._counted[name]) / elapsed_ms
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
        for name in counts:
            self.due_veh[name] = 0.0 if changed[name] else self.due_veh[name] + self._due_veh_s(name, trusted, now_ms) * elapsed_ms / 1000.0
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
        if self._watched_ms[name] >= LEARNED_MS:
            return max(self._usual[name] * self._scale({x: self._usual[x] for x in near}), LEAST_VEH_S)
        if near:
            return max(sum(self._recent[x] for x in near) / len(near), LEAST_VEH_S)
        return LEAST_VEH_S

    def _due_veh_s(self, name: str, trusted: Mapping[str, bool], now_ms: int) -> float:
        """Return the flow that is due over a loop: the usual one, or that of its profile at first, as far as its neighbours flow as they do usually."""
        usual_veh_s = self._usual[name] if self._watched_ms[name] >= LEARNED_MS else self.profile.rate_veh_s(name, now_ms)
        if not usual_veh_s:
            return 0.0
        recent, usual = self._total(self._groups[name], trusted)
        if trusted[name] and self._watched_ms[name] >= LEARNED_MS:
            recent, usual = recent - self._recent[name], usual - self._usual[name]
        return usual_veh_s * min(recent / usual, 1.0) if usual > _NOTHING_VEH_S else 0.0

    def _total(self, group: frozenset[str], trusted: Mapping[str, bool]) -> tuple[float, float]:
        total = self._totals.get(group)
        if total is None:
            known = [name for name in sorted(group) if trusted[name] and self._watched_ms[name] >= LEARNED_MS]
            total = self._totals[group] = sum([self._recent[x] for x in known]), sum([self._usual[x] for x in known])
        return total

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


def _near(d: Detector, junction: Junction) -> tuple[str, ...]:
    """Return the loops whose flow tells of this one's: those of the lanes of its approach; where there are none, all of its purpose."""
    approach = {lane.id: lane.approach or lane.id for lane in junction.lanes}
    mine = {approach[x] for x in d.lanes if x in approach}
    others = [o for o in junction.detectors if o.id != d.id and (o.purpose is Purpose.EXIT) == (d.purpose is Purpose.EXIT)]
    near = [o.id for o in others if mine.intersection(approach[x] for x in o.lanes if x in approach)]
    return tuple(near or [o.id for o in others if o.purpose is d.purpose])
