"""Fit wanted durations of phases into what a ring-and-barrier controller can run: whole seconds, equal sums, aligned barriers, small steps.

Nothing is decided here: the wanted durations come from the plan. What is changed is only what the controller's structure demands. All rings
cross a barrier together, so the phases between two barriers last as long in every ring; the cycle is the sum of these lengths. A step towards
new splits is a straight line between two lawful sets, of which each point keeps sums and minimums; so the rounding alone must take care.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from hardware.ntcip.timing import TimingTables
from hardware.ports import PortError

CYCLE_S: Final = (30, 255)  # NEMA TS 2's range of patternCycleTime, which 1202 quotes
SPLIT_MOST_S: Final = 255

Sections = tuple[tuple[tuple[int, ...], ...], ...]  # per barrier group, per ring that has phases in it, these phases in order


def sections_of(tables: TimingTables) -> Sections:
    """Return the phases between barriers: those that are concurrent, directly or through others, lie between the same two."""
    used = [p for ring in tables.rings for p in ring]
    home = {p: p for p in used}

    def root(p: int) -> int:
        while home[p] != p:
            p = home[p]
        return p

    for phase in tables.phases:
        for other in phase.concurrent:
            if phase.phase in home and other in home:
                home[root(other)] = root(phase.phase)
    order = list(dict.fromkeys(root(p) for p in used))
    return tuple(tuple(part for ring in tables.rings if (part := tuple(p for p in ring if root(p) == r))) for r in order)


def fit(wanted_ms: Mapping[int, int], tables: TimingTables, *, before_s: Mapping[int, int] | None = None, step_s: int = SPLIT_MOST_S) -> dict[int, int]:
    """Return each phase's split in s, amber and red clearance inside, nearest to the wanted ones within what the controller can run.

    ``before_s``: the splits that run now, from which none departs by more than ``step_s``. Raises `PortError` where a phase in use has no
    wanted duration, or the cycle is out of range.
    """
    sections = sections_of(tables)
    least_s = {p.phase: -(-p.least_ms // 1000) for p in tables.phases}
    phases = [p for section in sections for part in section for p in part]
    missing = [p for p in phases if wanted_ms.get(p, 0) <= 0]
    if missing or not phases:
        raise PortError(f"splits: expected a duration above 0 for each phase in use out of {sorted(phases)}, missing {missing}")
    target = _shares(sections, wanted_ms, least_s)
    if before_s is not None and _lawful(sections, before_s, least_s):
        change = max((abs(target[p] - before_s[p]) for p in phases), default=0.0)
        part = min(1.0, step_s / change) if change > 0 else 0.0
        target = {p: before_s[p] + part * (target[p] - before_s[p]) for p in phases}
    splits = _rounded(sections, target)
    cycle_s = sum(max(sum(splits[p] for p in part) for part in section) for section in sections)
    if not CYCLE_S[0] <= cycle_s <= CYCLE_S[1] or max(splits.values()) > SPLIT_MOST_S:
        raise PortError(f"splits: expected a cycle of {CYCLE_S[0]} to {CYCLE_S[1]} s, found {cycle_s} s")
    return splits


def cycle_of(splits_s: Mapping[int, int], tables: TimingTables) -> int:
    """Return the cycle in s that these splits make: all sections one after the other."""
    return sum(max(sum(splits_s[p] for p in part) for part in section) for section in sections_of(tables))


def _shares(sections: Sections, wanted_ms: Mapping[int, int], least_s: Mapping[int, int]) -> dict[int, float]:
    """Return real splits in s: each section as long as its longest ring, whose rings share out what is above their minimums."""
    found: dict[int, float] = {}
    for section in sections:
        length_s = max(max(sum(max(wanted_ms[p] / 1000, least_s[p]) for p in part), sum(least_s[p] for p in part)) for part in section)
        for part in section:
            extra = {p: max(wanted_ms[p] / 1000 - least_s[p], 0.0) for p in part}
            rest_s, total_s = length_s - sum(least_s[p] for p in part), sum(extra.values())
            found |= {p: least_s[p] + (rest_s * extra[p] / total_s if total_s > 0 else rest_s / len(part)) for p in part}
    return found


def _lawful(sections: Sections, splits_s: Mapping[int, int], least_s: Mapping[int, int]) -> bool:
    """Return whether these splits keep minimums and barriers, so that a line may begin at them."""
    parts = [part for section in sections for part in section]
    if not all(splits_s.get(p, 0) >= least_s[p] for part in parts for p in part):
        return False
    return all(len({sum(splits_s[p] for p in part) for part in section}) == 1 for section in sections)


def _rounded(sections: Sections, splits_s: Mapping[int, float]) -> dict[int, int]:
    """Return whole seconds, each split rounded up or down so that every ring's part of a section has the section's rounded length."""
    lengths = _whole([sum(splits_s[p] for p in section[0]) for section in sections])
    found: dict[int, int] = {}
    for section, length_s in zip(sections, lengths, strict=True):
        for part in section:
            found |= dict(zip(part, _whole([splits_s[p] for p in part], length_s), strict=True))
    return found


def _whole(values: Sequence[float], total: int | None = None) -> list[int]:
    """Return each value rounded up or down so that the sum is ``total`` (else the rounded sum): the largest remainders go up."""
    values = [round(v, 6) for v in values]
    floors = [int(v) for v in values]
    up = (round(sum(values)) if total is None else total) - sum(floors)
    order = sorted(range(len(values)), key=lambda k: (floors[k] - values[k], k))
    return [floor + (k in order[:up]) for k, floor in enumerate(floors)]
