"""The NTCIP objects that are read and written here, by name: where they stand, how many indices they take, their range and unit.

Numbers of NTCIP 1202 v02 and v03 (v04 is not confirmed to keep them), sysUpTime of RFC 3418; 1202 clause numbers are left out because
the text is not free. A controller that puts an object elsewhere gets an override in the site file. ``system`` marks the system control
parameters: each SET of one restarts unitBackupTime, and the controller zeroes them all in backup mode.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from hardware.ports import PortError

Oid = tuple[int, ...]
Value = int | bytes

BYTE_MOST: Final = 255
WORD_MOST: Final = 65_535
TICKS_MOST: Final = 2**32 - 1
PHASES_PER_GROUP: Final = 8  # status and control objects hold eight phases, detectors or overlaps in one byte, the first in bit 0


@dataclass(frozen=True, slots=True)
class ObjectSpec:
    """One object: ``oid`` without its instance, ``indices`` how many index numbers follow (0: a scalar, instance 0).

    ``low`` and ``high`` bound the value; an octet string's bytes are not bounded. ``unit``: s, 0.1 s, 0.01 s, mask, or empty.
    """

    name: str
    oid: Oid
    indices: int
    low: int = 0
    high: int = BYTE_MOST
    unit: str = ""
    writable: bool = False
    system: bool = False
    octets: bool = False


def parse_oid(text: str) -> Oid:
    """Return the numbers of a dotted OID. Raises `PortError` where ``text`` is none."""
    parts = text.strip().strip(".").split(".")
    if len(parts) < 2 or not all(p.isascii() and p.isdigit() for p in parts):
        raise PortError(f"object id {text!r}: expected numbers with dots between them, such as 1.3.6.1.4.1.1206.4.2.1.3.3")
    return tuple(int(p) for p in parts)


def dotted(oid: Oid) -> str:
    """Return an OID as people write it."""
    return ".".join(map(str, oid))


_ASC: Final = (1, 3, 6, 1, 4, 1, 1206, 4, 2, 1)
_GLOBAL: Final = (1, 3, 6, 1, 4, 1, 1206, 4, 2, 6)


def _column(name: str, place: tuple[int, ...], indices: int = 1, **more: object) -> ObjectSpec:
    return replace(ObjectSpec(name, (*_ASC, *place), indices), **more)  # type: ignore[arg-type]


def _scalar(name: str, place: tuple[int, ...], **more: object) -> ObjectSpec:
    return _column(name, place, 0, **more)


def _masks(prefix: str, place: tuple[int, ...], names: Mapping[int, str], *, control: bool) -> list[ObjectSpec]:
    return [_column(prefix + n, (*place, c), unit="mask", writable=control, system=control) for c, n in names.items()]


_PHASE_COLUMNS: Final = (
    ("phaseNumber", 1, 1, BYTE_MOST, ""),
    ("phaseWalk", 2, 0, BYTE_MOST, "s"),
    ("phasePedestrianClear", 3, 0, BYTE_MOST, "s"),
    ("phaseMinimumGreen", 4, 0, BYTE_MOST, "s"),
    ("phasePassage", 5, 0, BYTE_MOST, "0.1 s"),
    ("phaseMaximum1", 6, 0, BYTE_MOST, "s"),
    ("phaseMaximum2", 7, 0, BYTE_MOST, "s"),
    ("phaseYellowChange", 8, 0, BYTE_MOST, "0.1 s"),
    ("phaseRedClear", 9, 0, BYTE_MOST, "0.1 s"),
    ("phaseRedRevert", 10, 0, BYTE_MOST, "0.1 s"),
    ("phaseStartup", 20, 1, 6, ""),
    ("phaseOptions", 21, 0, WORD_MOST, "mask"),
    ("phaseRing", 22, 0, BYTE_MOST, ""),
)

STANDARD: Final[tuple[ObjectSpec, ...]] = (
    ObjectSpec("sysUpTime", (1, 3, 6, 1, 2, 1, 1, 3), 0, high=TICKS_MOST, unit="0.01 s"),
    ObjectSpec("dbCreateTransaction", (*_GLOBAL, 2, 1), 0, 1, 6, writable=True),
    ObjectSpec("globalTime", (*_GLOBAL, 3, 1), 0, high=TICKS_MOST, unit="s", writable=True),
    _scalar("maxPhases", (1, 1)),
    *(_column(name, (1, 2, 1, c), low=low, high=high, unit=unit, writable=c != 1) for name, c, low, high, unit in _PHASE_COLUMNS),
    _column("phaseConcurrency", (1, 2, 1, 23), octets=True, writable=True),
    _scalar("maxPhaseGroups", (1, 3)),
    *_masks(
        "phaseStatusGroup",
        (1, 4, 1),
        {
            2: "Reds",
            3: "Yellows",
            4: "Greens",
            5: "DontWalks",
            6: "PedClears",
            7: "Walks",
            8: "VehCalls",
            9: "PedCalls",
            10: "PhaseOns",
            11: "PhaseNexts",
        },
        control=False,
    ),
    *_masks("phaseControlGroup", (1, 5, 1), {2: "PhaseOmit", 3: "PedOmit", 4: "Hold", 5: "ForceOff", 6: "VehCall", 7: "PedCall"}, control=True),
    _scalar("maxVehicleDetectors", (2, 1)),
    _column("vehicleDetectorCallPhase", (2, 2, 1, 4), writable=True),
    *_masks("vehicleDetectorStatusGroup", (2, 4, 1), {2: "Active", 3: "Alarms"}, control=False),
    _column("vehicleDetectorControlGroupActuation", (2, 12, 1, 2), unit="mask", writable=True),
    _column("pedestrianDetectorControlGroupActuation", (2, 13, 1, 2), unit="mask", writable=True),
    _scalar("unitBackupTime", (3, 3), high=WORD_MOST, unit="s", writable=True),
    _scalar("unitControlStatus", (3, 5), low=1, high=8),
    _scalar("unitFlashStatus", (3, 6), low=1, high=8),
    _scalar("unitAlarmStatus2", (3, 7), unit="mask"),
    _scalar("unitAlarmStatus1", (3, 8), unit="mask"),
    _scalar("shortAlarmStatus", (3, 9), unit="mask"),
    _scalar("unitControl", (3, 10), unit="mask", writable=True, system=True),
    _scalar("coordOperationalMode", (4, 1), writable=True),
    _scalar("coordForceMode", (4, 4), low=1, high=4, writable=True),
    _scalar("maxPatterns", (4, 5)),
    _column("patternCycleTime", (4, 7, 1, 2), unit="s", writable=True),
    _column("patternOffsetTime", (4, 7, 1, 3), unit="s", writable=True),
    _column("patternSplitNumber", (4, 7, 1, 4), writable=True),
    _column("patternSequenceNumber", (4, 7, 1, 5), writable=True),
    _scalar("maxSplits", (4, 8)),
    _column("splitTime", (4, 9, 1, 3), 2, unit="s", writable=True),
    _column("splitMode", (4, 9, 1, 4), 2, low=1, high=7, writable=True),
    _column("splitCoordPhase", (4, 9, 1, 5), 2, high=1, writable=True),
    _scalar("coordPatternStatus", (4, 10)),
    _scalar("localFreeStatus", (4, 11), low=1, high=11),
    _scalar("coordCycleStatus", (4, 12), high=WORD_MOST, unit="s"),
    _scalar("coordSyncStatus", (4, 13), high=WORD_MOST, unit="s"),
    _scalar("systemPatternControl", (4, 14), writable=True, system=True),
    _scalar("systemSyncControl", (4, 15), writable=True, system=True),
    _column("preemptControlState", (6, 3, 1, 2), high=1, writable=True, system=True),
    _scalar("maxPreempts", (6, 1)),
    _column("sequenceData", (7, 3, 1, 3), 2, octets=True, writable=True),
    _scalar("maxRings", (7, 1)),
    *_masks(
        "ringControlGroup",
        (7, 5, 1),
        {2: "StopTime", 3: "ForceOff", 4: "Max2", 5: "MaxInhibit", 6: "PedRecycle", 7: "RedRest", 8: "OmitRedClear"},
        control=True,
    ),
    *_masks("overlapStatusGroup", (9, 4, 1), {2: "Reds", 3: "Yellows", 4: "Greens"}, control=False),
)


class ObjectTable:
    """The objects of one controller: the standard's places, and ``overrides`` (name to dotted OID without instance) where it differs.

    Raises `PortError` for an override of an unknown object, or one that is no OID.
    """

    def __init__(self, overrides: Mapping[str, str] | None = None) -> None:
        self._specs = {spec.name: spec for spec in STANDARD}
        for name, text in (overrides or {}).items():
            self._specs[name] = replace(self.spec(name), oid=parse_oid(text))
        self._by_oid = {spec.oid: spec for spec in self._specs.values()}

    def __iter__(self) -> Iterator[ObjectSpec]:
        return iter(self._specs.values())

    def spec(self, name: str) -> ObjectSpec:
        """Return one object. Raises `PortError` for an unknown name."""
        if name not in self._specs:
            raise PortError(f"object {name}: expected one of {', '.join(sorted(self._specs))}")
        return self._specs[name]

    def oid(self, name: str, *index: int) -> Oid:
        """Return where an instance stands. Raises `PortError` for an unknown name or another number of indices than it takes."""
        spec = self.spec(name)
        if len(index) != spec.indices:
            raise PortError(f"object {name}: expected {spec.indices} index numbers, found {len(index)}")
        return (*spec.oid, *(index or (0,)))

    def find(self, oid: Oid) -> tuple[ObjectSpec, tuple[int, ...]] | None:
        """Return which object an instance belongs to and its index numbers (none for a scalar), None where it belongs to none."""
        for tail in (1, 2):
            spec = self._by_oid.get(oid[:-tail])
            if spec is not None and max(spec.indices, 1) == tail:
                index = oid[-tail:]
                return (spec, index if spec.indices else ()) if spec.indices or index == (0,) else None
        return None

    def name(self, oid: Oid) -> str:
        """Return an instance as people say it: its object's name and index numbers, the dotted OID where it is unknown."""
        found = self.find(oid)
        return ".".join((found[0].name, *map(str, found[1]))) if found else dotted(oid)
