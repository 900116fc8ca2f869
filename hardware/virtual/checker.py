"""An independent judge of what the heads showed. It shares no code and no tables with the interlock, and looks at lamps, not at requests.

Theory of operation. The checker is given every state of the lamps with its time. It keeps, per group, the aspect and since when, and when the
group last stopped being green. Each state that breaks a rule counts as one unsafe frame, however many rules it breaks, and goes on counting
while a conflict lasts; each break is kept as a `Fault` in words. What was shown before the first state is not known: an aspect that was
there from the beginning is not blamed for being short.

    conflict           two conflicting groups both let traffic go (green, red-amber), or one is green while the other clears (amber)
    intergreen         a green begins too early after a conflicting vehicle green ended
    pedestrian         the same after a pedestrian green: its clearance was cut
    minimum green      a green ended too early
    amber              a vehicle green ended without amber, or the amber was too short or lasted far too long
    order              any other change that no signal may make
    missing            a lamp shows nothing, or fewer lamps are there than groups
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from hardware.signals import Aspect, GroupKind, GroupSpec, SiteSpec

TOLERANCE_MS: Final = 100  # the lamps are looked at this often, so that a time is known to this
LONG_AMBER_FACTOR: Final = 2
KEPT: Final = 200  # faults that are kept in words; all are counted


class FaultKind(StrEnum):
    """What was wrong."""

    CONFLICT = "conflict"
    INTERGREEN = "intergreen"
    PEDESTRIAN = "pedestrian clearance"
    MINIMUM_GREEN = "minimum green"
    AMBER = "amber"
    ORDER = "order"
    MISSING = "missing aspect"


class Fault(NamedTuple):
    """One break of a rule."""

    at_ms: int
    kind: FaultKind
    group: str
    text: str


class _Group:
    """One group's recent past; ``begun_ms`` and ``ended_ms`` are None where it is not known."""

    __slots__ = ("aspect", "begun_ms", "ended_ms", "spec")

    def __init__(self, spec: GroupSpec) -> None:
        self.spec = spec
        self.aspect: Aspect | None = None
        self.begun_ms: int | None = None
        self.ended_ms: int | None = None


class Checker:
    """Judge lamps. ``unsafe_frames`` counts the states that broke a rule, ``counts`` the breaks by kind."""

    def __init__(self, spec: SiteSpec, *, tolerance_ms: int = TOLERANCE_MS) -> None:
        self._groups = [_Group(g) for g in spec.groups]
        self._gaps_ms: Mapping[tuple[str, str], int] = dict(spec.intergreen_ms)
        ids = [g.id for g in spec.groups]
        self._foes = [[j for j, b in enumerate(ids) if i != j and ((a, b) in self._gaps_ms or (b, a) in self._gaps_ms)] for i, a in enumerate(ids)]
        self._tolerance_ms = tolerance_ms
        self.frames = self.unsafe_frames = 0
        self.counts: dict[FaultKind, int] = {}
        self.faults: list[Fault] = []

    def look(self, at_ms: int, lamps: Sequence[Aspect | None]) -> Sequence[Fault]:
        """Judge the lamps as they are from ``at_ms`` on, in the order of the site's groups, and return what is wrong."""
        found = self._missing(at_ms, lamps)
        if not found:
            aspects = [a for a in lamps if a is not None]
            found = self._changes(at_ms, aspects) + self._together(at_ms, aspects)
            self._remember(at_ms, aspects)
        self.frames += 1
        self.unsafe_frames += bool(found)
        for fault in found:
            self.counts[fault.kind] = self.counts.get(fault.kind, 0) + 1
        self.faults += found[: max(0, KEPT - len(self.faults))]
        return found

    def forget(self) -> None:
        """Forget the past, as after a power failure: what is shown next is a beginning."""
        self._groups = [_Group(g.spec) for g in self._groups]

    def _missing(self, at_ms: int, lamps: Sequence[Aspect | None]) -> list[Fault]:
        if len(lamps) != len(self._groups):
            return [Fault(at_ms, FaultKind.MISSING, "-", f"expected {len(self._groups)} lamps, found {len(lamps)}")]
        off = [a in (Aspect.DARK, Aspect.FLASHING_AMBER) for a in lamps]
        if all(off) and not any(a is None for a in lamps):
            return []
        return [
            Fault(at_ms, FaultKind.MISSING, g.spec.id, f"expected a lit lamp as others are, found {'none' if a is None else a.name}")
            for g, a, dark in zip(self._groups, lamps, off, strict=True)
            if dark or a is None
        ]

    def _changes(self, at_ms: int, aspects: Sequence[Aspect]) -> list[Fault]:
        found = []
        for group, new in zip(self._groups, aspects, strict=True):
            if group.aspect is new:
                found += self._lasting(at_ms, group)
            elif group.aspect is not None:
                found += self._ending(at_ms, group, group.aspect, new)
                if new is Aspect.GREEN:
                    found += self._beginning(at_ms, group)
        return found

    def _lasting(self, at_ms: int, group: _Group) -> list[Fault]:
        limit_ms = LONG_AMBER_FACTOR * group.spec.amber_ms + self._tolerance_ms
        if group.aspect is Aspect.AMBER and group.begun_ms is not None and at_ms - group.begun_ms > limit_ms:
            return [Fault(at_ms, FaultKind.AMBER, group.spec.id, f"expected amber for {group.spec.amber_ms} ms, found {at_ms - group.begun_ms} ms and no end")]
        return []

    def _ending(self, at_ms: int, group: _Group, old: Aspect, new: Aspect) -> list[Fault]:
        """Judge what follows what in one group, and how long the old aspect lasted."""
        spec, found = group.spec, []
        lasted_ms = None if group.begun_ms is None else at_ms - group.begun_ms
        if old is Aspect.GREEN and lasted_ms is not None and lasted_ms + self._tolerance_ms < spec.min_green_ms and not _off(new):
            found.append(Fault(at_ms, FaultKind.MINIMUM_GREEN, spec.id, f"expected green for {spec.min_green_ms} ms, found {lasted_ms} ms"))
        if old is Aspect.AMBER and lasted_ms is not None and lasted_ms + self._tolerance_ms < spec.amber_ms and not _off(new):
            found.append(Fault(at_ms, FaultKind.AMBER, spec.id, f"expected amber for {spec.amber_ms} ms, found {lasted_ms} ms"))
        if old is Aspect.GREEN and new in (Aspect.RED, Aspect.RED_AMBER) and spec.amber_ms:
            found.append(Fault(at_ms, FaultKind.AMBER, spec.id, f"expected amber after green, found {new.name}"))
        elif not _may_follow(spec, old, new):
            found.append(Fault(at_ms, FaultKind.ORDER, spec.id, f"expected no {new.name} after {old.name}"))
        return found

    def _beginning(self, at_ms: int, group: _Group) -> list[Fault]:
        """Judge the begin of a green against the ends of all greens that conflict with it."""
        found = []
        for other in self._groups:
            gap_ms = self._gaps_ms.get((other.spec.id, group.spec.id))
            if gap_ms is None or other.ended_ms is None or other.aspect is Aspect.GREEN:
                continue
            since_ms = at_ms - other.ended_ms
            if since_ms + self._tolerance_ms < gap_ms:
                kind = FaultKind.PEDESTRIAN if other.spec.kind is GroupKind.PEDESTRIAN else FaultKind.INTERGREEN
                found.append(Fault(at_ms, kind, group.spec.id, f"expected green {gap_ms} ms after the green of {other.spec.id}, found {since_ms} ms"))
        return found

    def _together(self, at_ms: int, aspects: Sequence[Aspect]) -> list[Fault]:
        going = (Aspect.GREEN, Aspect.RED_AMBER)
        found = []
        for i, one in enumerate(aspects):
            for j in self._foes[i] if one in going else ():
                other = aspects[j]
                if (other in going and i < j) or (one is Aspect.GREEN and other is Aspect.AMBER):
                    text = f"expected no {one.name} beside {self._groups[j].spec.id}, found it {other.name}"
                    found.append(Fault(at_ms, FaultKind.CONFLICT, self._groups[i].spec.id, text))
        return found

    def _remember(self, at_ms: int, aspects: Sequence[Aspect]) -> None:
        for group, new in zip(self._groups, aspects, strict=True):
            if group.aspect is new:
                continue
            if group.aspect is Aspect.GREEN:
                group.ended_ms = at_ms
            group.begun_ms = None if group.aspect is None else at_ms
            group.aspect = new


def _off(aspect: Aspect) -> bool:
    return aspect in (Aspect.DARK, Aspect.FLASHING_AMBER)


def _may_follow(spec: GroupSpec, old: Aspect, new: Aspect) -> bool:
    """Tell whether a signal of this kind may change so. Into and out of flashing or dark it may from and to anything but green."""
    if _off(old) or _off(new):
        return new is not Aspect.GREEN
    lawful = {(Aspect.RED_AMBER, Aspect.GREEN), (Aspect.GREEN, Aspect.AMBER if spec.amber_ms else Aspect.RED), (Aspect.AMBER, Aspect.RED)}
    lawful.add((Aspect.RED, Aspect.RED_AMBER if spec.red_amber_ms else Aspect.GREEN))
    lawful.add((Aspect.RED_AMBER, Aspect.RED))  # a start that is called off
    return (old, new) in lawful
