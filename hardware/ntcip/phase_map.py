"""What the site's signal groups are to the controller: vehicles or pedestrians of a phase, or an overlap."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from hardware.ntcip.objects import PHASES_PER_GROUP
from hardware.ntcip.timing import Served
from hardware.ports import Actuation, PortError
from hardware.signals import Aspect, SiteSpec


class Kind(StrEnum):
    """What a place of the map names."""

    PHASE = "phase"
    PED = "ped"
    OVERLAP = "overlap"
    DETECTOR = "detector"
    PED_DETECTOR = "ped detector"


class Place(NamedTuple):
    """A phase's vehicles or pedestrians, an overlap, or a virtual detector, by number from 1 on."""

    kind: Kind
    number: int


class Lamps(NamedTuple):
    """What is lit, by number: the phases' vehicle and pedestrian signals and the overlaps."""

    reds: frozenset[int]
    ambers: frozenset[int]
    greens: frozenset[int]
    walks: frozenset[int]
    ped_clears: frozenset[int]
    overlap_reds: frozenset[int] = frozenset()
    overlap_ambers: frozenset[int] = frozenset()
    overlap_greens: frozenset[int] = frozenset()


_PLACE: Final = re.compile(r"(phase|ped|overlap|detector|ped detector) ([1-9]\d{0,2})")
SIGNALS: Final = (Kind.PHASE, Kind.PED, Kind.OVERLAP)


def parse_place(text: str) -> Place:
    """Return what a text such as "phase 2" names. Raises `PortError`."""
    found = _PLACE.fullmatch(text.strip())
    if found is None or int(found[2]) > 255:
        raise PortError(f"expected a place such as {', '.join(f'{k} 2' for k in Kind)}, found {text!r}")
    return Place(Kind(found[1]), int(found[2]))


class PhaseMap:
    """The map of one site. Raises `PortError` where a group has no place, or a place no group."""

    def __init__(self, spec: SiteSpec, places: Mapping[str, str], detectors: Mapping[str, Iterable[str]] | None = None) -> None:
        self.ids = tuple(g.id for g in spec.groups)
        self.places = {group: parse_place(text) for group, text in places.items()}
        self.detectors = {group: tuple(map(parse_place, texts)) for group, texts in (detectors or {}).items()}
        missing = [g for g in self.ids if g not in self.places]
        unknown = sorted({*self.places, *self.detectors} - set(self.ids))
        if missing or unknown:
            raise PortError(
                f"site {spec.id}: expected a phase for each group out of {', '.join(self.ids)}, missing {missing}, unknown {unknown}; correct phases"
            )

    def groups_of_eight(self, *kinds: Kind) -> int:
        """Return how many groups of eight hold the phases, or the overlaps."""
        most = max((p.number for p in self.places.values() if p.kind in kinds), default=0)
        return -(-most // PHASES_PER_GROUP)

    def numbers(self, groups: Iterable[str], kind: Kind) -> frozenset[int]:
        """Return the numbers of the groups that are of this kind."""
        return frozenset(self.places[g].number for g in groups if self.places[g].kind is kind)

    def detector_numbers(self, groups: Iterable[str], kind: Kind) -> frozenset[int]:
        """Return the virtual detectors of this kind that call the groups."""
        return frozenset(d.number for g in groups for d in self.detectors.get(g, ()) if d.kind is kind)

    def drivable(self, actuation: Actuation) -> frozenset[str]:
        """Return the groups that commands may name: with detectors for calls, with a phase of their own for phase control."""
        if actuation is Actuation.CALLS:
            return frozenset(g for g, many in self.detectors.items() if many)
        overlaps = actuation is Actuation.SPLITS
        return frozenset(g for g, place in self.places.items() if overlaps or place.kind is not Kind.OVERLAP)

    def served(self) -> dict[str, Served]:
        """Return the phase of each group that is not an overlap, to compare timing tables."""
        return {g: Served(p.number, p.kind is Kind.PED) for g, p in self.places.items() if p.kind is not Kind.OVERLAP}

    def aspects(self, lamps: Lamps) -> tuple[Aspect, ...]:
        """Return what the groups show, in the site's order. Pedestrians whose clearance runs may not begin to walk any more: red."""
        return tuple(_aspect(self.places[g], lamps) for g in self.ids)

    def shown(self, lamps: Lamps, flash: frozenset[Aspect]) -> tuple[Aspect, ...]:
        """Return what the groups are seen to show, in the site's order; ``flash``: as what a flash is reported, nothing where the signals do not flash.

        Nothing that is read tells the colour of a flash. A green that is reported is always believed.
        """
        return tuple(self._flashing(group, aspect, flash) for group, aspect in zip(self.ids, self.aspects(lamps), strict=True))

    def _flashing(self, group: str, aspect: Aspect, flash: frozenset[Aspect]) -> Aspect:
        """Return what a group shows; nobody tells of pedestrians who may not walk while the others flash."""
        if self.places[group].kind is Kind.PED:
            return Aspect.DARK if flash and aspect is Aspect.RED else aspect
        return Aspect.FLASHING_AMBER if aspect in flash else aspect

    def doubled(self, lamps: Lamps) -> list[str]:
        """Return the groups of which two lamps of different colours are lit."""
        return [g for g in self.ids if self.places[g].kind is not Kind.PED and sum(self.places[g].number in s for s in _sets(self.places[g], lamps)) > 1]


def _sets(place: Place, lamps: Lamps) -> tuple[frozenset[int], frozenset[int], frozenset[int]]:
    if place.kind is Kind.OVERLAP:
        return lamps.overlap_reds, lamps.overlap_ambers, lamps.overlap_greens
    return lamps.reds, lamps.ambers, lamps.greens


def _aspect(place: Place, lamps: Lamps) -> Aspect:
    """Return one group's aspect, the most permissive where several are lit, so that no conflict is overlooked."""
    if place.kind is Kind.PED:
        return Aspect.GREEN if place.number in lamps.walks else Aspect.RED
    reds, ambers, greens = _sets(place, lamps)
    for lit, aspect in ((greens, Aspect.GREEN), (ambers, Aspect.AMBER), (reds, Aspect.RED)):
        if place.number in lit:
            return aspect
    return Aspect.DARK
