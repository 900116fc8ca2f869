"""``--detector-faults``: which loops of a simulation break, how and when; read from one line of text.

Items are separated by semicolons. ``LOOP=KIND@FROM[-TO]`` breaks one loop, or with * and ? in it all that match, between two times in
seconds of simulation. ``SHARE=KINDS@FROM[-TO]`` breaks that share of all other loops, each at a time between the two, for good; the
KINDS (joined by +, or ``mixed`` for all of the first six) go round. Which loops, and when, depends on the run's seed alone.
"""

from __future__ import annotations

import difflib
import random
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Final

from controller.errors import ConfigError
from controller.junction import Junction
from hardware.faulty_inputs import FaultKind, LoopFault

MIXED: Final = (FaultKind.STUCK_ON, FaultKind.STUCK_OFF, FaultKind.CHATTER, FaultKind.SILENT, FaultKind.DOUBLE, FaultKind.HALF)
EXAMPLES: Final = "0.25=mixed@0-1800 or 'A0/*=silent@600-900;0.1=chatter+double@0-60'"


@dataclass(frozen=True, slots=True)
class FaultItem:
    """One item: ``pattern`` of loops, or a ``share_ratio`` of all, the other one empty."""

    pattern: str
    share_ratio: float
    kinds: tuple[FaultKind, ...]
    begin_ms: int
    end_ms: int | None


def parse_faults(text: str) -> tuple[FaultItem, ...]:
    """Return the items of a specification. Raises `ConfigError` naming the item and what was expected."""
    return tuple(_item(part.strip()) for part in text.split(";") if part.strip())


def _item(text: str) -> FaultItem:
    head, at, times = text.rpartition("@")
    which, equals, kinds = head.rpartition("=")
    if not at or not equals or not which:
        raise ConfigError(f"--detector-faults: item {text!r}: expected LOOP=KIND@FROM[-TO] or SHARE=KINDS@FROM[-TO], for example {EXAMPLES}")
    begin_ms, end_ms = _times_ms(times, text)
    share_ratio = _share_ratio(which, text)
    if share_ratio is None:
        return FaultItem(which, 0.0, _kinds(kinds, text)[:1], begin_ms, end_ms)
    return FaultItem("", share_ratio, _kinds(kinds, text), begin_ms, end_ms)


def _share_ratio(text: str, item: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    if not 0.0 < value <= 1.0:
        raise ConfigError(f"--detector-faults: item {item!r}: found share {text}, expected more than 0 and at most 1")
    return value


def _kinds(text: str, item: str) -> tuple[FaultKind, ...]:
    if text == "mixed":
        return MIXED
    known = {str(kind): kind for kind in FaultKind}
    unknown = [name for name in text.split("+") if name not in known]
    if unknown:
        raise ConfigError(f"--detector-faults: item {item!r}: unknown kind {unknown[0]!r}; expected mixed, or one or more of {', '.join(known)} joined by +")
    return tuple(known[name] for name in text.split("+"))


def _times_ms(text: str, item: str) -> tuple[int, int | None]:
    begin, dash, end = text.partition("-")
    try:
        begin_s, end_s = float(begin), float(end) if dash else None
    except ValueError:
        begin_s, end_s = -1.0, None
    if not 0.0 <= begin_s < 1e9 or (end_s is not None and not begin_s < end_s < 1e9):
        raise ConfigError(f"--detector-faults: item {item!r}: found times {text!r}, expected seconds of simulation, FROM before TO, such as 600-900")
    return round(1000 * begin_s), None if end_s is None else round(1000 * end_s)


def faults_of(items: Iterable[FaultItem], loops: Collection[str], seed: int) -> tuple[LoopFault, ...]:
    """Return which of the loops break. Raises `ConfigError` for a pattern that matches none."""
    names = sorted(set(loops))
    found: dict[str, LoopFault] = {}
    chance = random.Random(f"detector faults {seed}")
    for item in sorted(items, key=lambda one: not one.pattern):  # named loops first: a share is one of the others
        if item.pattern:
            for name in _matching(item.pattern, names):
                found.setdefault(name, LoopFault(name, item.kinds[0], item.begin_ms, item.end_ms))
            continue
        free = [name for name in names if name not in found]
        chosen = chance.sample(free, min(round(item.share_ratio * len(names)), len(free)))
        first = chance.randrange(len(item.kinds))
        for k, name in enumerate(chosen, first):
            at_ms = item.begin_ms if item.end_ms is None else chance.randint(item.begin_ms, item.end_ms)
            found[name] = LoopFault(name, item.kinds[k % len(item.kinds)], at_ms)
    return tuple(found[name] for name in sorted(found))


def faults_at(text: str, junctions: Iterable[Junction], seed: int) -> tuple[LoopFault, ...]:
    """Return the faults of all detectors; two that are the same loop on the street break together. Raises `ConfigError`."""
    first: dict[object, str] = {}
    twins: dict[str, list[str]] = {}
    for d in (d for junction in junctions for d in junction.detectors):
        twins.setdefault(first.setdefault(d.place or d.id, d.id), []).append(d.id)
    return tuple(replace(fault, loop=twin) for fault in faults_of(parse_faults(text), twins, seed) for twin in twins[fault.loop])


def _matching(pattern: str, names: Sequence[str]) -> list[str]:
    matching = [name for name in names if name == pattern or fnmatchcase(name, pattern)]
    if not matching:
        near = difflib.get_close_matches(pattern, names, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ConfigError(f"--detector-faults: no loop matches {pattern!r}; {hint}there are {len(names)}, such as {', '.join(names[:3])}")
    return matching
