"""Which NTCIP objects a virtual controller has: its tables from the set-up, its status from what it does, and what the system asks of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final, Protocol

from hardware.ntcip.objects import PHASES_PER_GROUP, ObjectTable, Value
from hardware.virtual.coordinator import FreeStatus, Pattern, Split, SplitMode
from hardware.virtual.rings import NONE, Phases, Rings, Walk
from hardware.virtual.setup import ControllerSetup, PhaseSetup
from hardware.virtual.store import Index, ObjectStore

STANDBY: Final = 0
FREE: Final = 254
FLASH: Final = 255
MAX_PATTERNS: Final = 48
MAX_SPLITS: Final = 20
MASKS: Final = ("PhaseOmit", "PedOmit", "Hold", "ForceOff", "VehCall", "PedCall")
FLASHING: Final = {"flash": 3, "fault": 6}  # unitFlashStatus: automatic, mmu
NOT_FLASHING: Final = 2
STARTING: Final = 7
SYSTEM, BACKUP, TIMEBASE = 2, 4, 6  # unitControlStatus
VERIFY, DONE = 3, 6  # dbCreateTransaction


class Told(Protocol):
    """What the status objects are read from."""

    setup: ControllerSetup
    now_ms: int
    booted_ms: int
    backup: bool
    free_status: FreeStatus

    @property
    def rings(self) -> Rings:
        """Return the rings."""
        ...

    @property
    def unit(self) -> str:
        """Return the unit's state."""
        ...

    @property
    def pattern(self) -> Pattern | None:
        """Return the pattern in effect."""
        ...

    @property
    def system_control(self) -> bool:
        """Tell whether the system asks for anything."""
        ...

    @property
    def in_preempt(self) -> bool:
        """Tell whether a preempt runs."""
        ...

    @property
    def occupied(self) -> frozenset[int]:
        """Return the detectors that are occupied."""
        ...

    def waiting(self) -> tuple[Phases, Phases]:
        """Return the phases that vehicles and pedestrians call."""
        ...


def build_store(setup: ControllerSetup, table: ObjectTable, told: Told) -> ObjectStore:
    """Return the objects of one controller."""
    return ObjectStore(table, _stored(setup), _status(setup, told))


def phases_in(store: ObjectStore, name: str) -> Phases:
    """Return the phases whose bits are set in a control object."""
    return numbers_in((group, store.value(name, group)) for (group,) in store.indices(name))


def numbers_in(masks: Iterable[tuple[int, int]]) -> frozenset[int]:
    """Return the numbers, from 1, whose bits are set in the masks of groups of eight."""
    return frozenset(PHASES_PER_GROUP * (group - 1) + bit + 1 for group, mask in masks for bit in range(PHASES_PER_GROUP) if mask >> bit & 1)


def mask_of(numbers: Iterable[int], group: int) -> int:
    """Return the mask of one group of eight, its first number in bit 0."""
    return sum(1 << (n - 1) % PHASES_PER_GROUP for n in numbers if (n - 1) // PHASES_PER_GROUP + 1 == group)


def phase_of(store: ObjectStore, phase: PhaseSetup) -> PhaseSetup:
    """Return a phase with the times that the objects hold."""
    return replace(
        phase,
        walk_s=store.value("phaseWalk", phase.phase),
        ped_clear_s=store.value("phasePedestrianClear", phase.phase),
        min_green_s=store.value("phaseMinimumGreen", phase.phase),
        max_green_s=store.value("phaseMaximum1", phase.phase),
        passage_ms=100 * store.value("phasePassage", phase.phase),
        amber_ms=100 * store.value("phaseYellowChange", phase.phase),
        red_clear_ms=100 * store.value("phaseRedClear", phase.phase),
    )


def pattern_of(store: ObjectStore, setup: ControllerSetup, number: int) -> Pattern | None:
    """Return the pattern that the objects hold under a number, None where they hold none."""
    if number > MAX_PATTERNS or not 1 <= (split := store.value("patternSplitNumber", number)) <= MAX_SPLITS:
        return None
    splits = {
        p.phase: Split(
            p.phase,
            1000 * store.value("splitTime", split, p.phase),
            SplitMode(store.value("splitMode", split, p.phase)),
            bool(store.value("splitCoordPhase", split, p.phase)),
        )
        for p in setup.phases
    }
    return Pattern(number, 1000 * store.value("patternCycleTime", number), 1000 * store.value("patternOffsetTime", number), splits)


def _groups(count: int) -> list[Index]:
    return [(g + 1,) for g in range(-(-count // PHASES_PER_GROUP))]


def _highest(setup: ControllerSetup) -> int:
    return max(p.phase for p in setup.phases)


def _stored(setup: ControllerSetup) -> dict[tuple[str, Index], Value]:
    """Return what the database holds at first."""
    highest, values = _highest(setup), dict[tuple[str, Index], Value]()
    scalars = {"dbCreateTransaction": 1, "globalTime": 0, "unitBackupTime": setup.backup_s, "unitControl": 0, "coordOperationalMode": 0, "coordForceMode": 2}
    scalars |= {"systemPatternControl": 0, "systemSyncControl": 0}
    values |= {(name, ()): value for name, value in scalars.items()}
    for number in range(1, highest + 1):
        values |= {(name, (number,)): value for name, value in _phase_row(setup, number).items()}
    values |= {(f"phaseControlGroup{name}", g): 0 for name in MASKS for g in _groups(highest)}
    values |= {("vehicleDetectorCallPhase", (d + 1,)): phase for d, phase in enumerate(setup.detectors)}
    values |= {("vehicleDetectorControlGroupActuation", g): 0 for g in _groups(len(setup.detectors))}
    values |= {("pedestrianDetectorControlGroupActuation", g): 0 for g in _groups(highest)}
    values |= {("preemptControlState", (n,)): 0 for n in setup.preempts}
    values |= {("sequenceData", (1, r)): bytes(p for side in setup.sides for p in setup.ring(r, side)) for r in setup.rings}
    return values | _pattern_rows(setup)


def _phase_row(setup: ControllerSetup, number: int) -> dict[str, Value]:
    phase = next((p for p in setup.phases if p.phase == number), PhaseSetup(number, 0, 0))
    beside = bytes(p.phase for p in setup.phases if phase.ring and p.side == phase.side and p.ring != phase.ring)
    return {
        "phaseNumber": number,
        "phaseWalk": phase.walk_s,
        "phasePedestrianClear": phase.ped_clear_s,
        "phaseMinimumGreen": phase.min_green_s,
        "phasePassage": phase.passage_ms // 100,
        "phaseMaximum1": phase.max_green_s,
        "phaseMaximum2": phase.max_green_s,
        "phaseYellowChange": phase.amber_ms // 100,
        "phaseRedClear": phase.red_clear_ms // 100,
        "phaseRedRevert": 20,
        "phaseStartup": 2,
        "phaseOptions": 1 if phase.ring else 0,
        "phaseRing": phase.ring,
        "phaseConcurrency": beside,
    }


def _pattern_rows(setup: ControllerSetup) -> dict[tuple[str, Index], Value]:
    values: dict[tuple[str, Index], Value] = {}
    known = {p.pattern: p for p in setup.patterns}
    for n in range(1, MAX_PATTERNS + 1):
        one = known.get(n)
        values["patternCycleTime", (n,)] = one.cycle_s if one else 0
        values["patternOffsetTime", (n,)] = one.offset_s if one else 0
        values["patternSplitNumber", (n,)] = n if one else 0
        values["patternSequenceNumber", (n,)] = 1
    for n in range(1, MAX_SPLITS + 1):
        one = known.get(n)
        for phase in range(1, _highest(setup) + 1):
            values["splitTime", (n, phase)] = one.splits_s.get(phase, 0) if one else 0
            values["splitMode", (n, phase)] = int(SplitMode.NONE)
            values["splitCoordPhase", (n, phase)] = int(one is not None and phase in one.coordinated)
    return values


def _status(setup: ControllerSetup, told: Told) -> Mapping[str, tuple[Sequence[Index], Callable[..., Value]]]:
    """Return the objects that are worked out when they are read."""
    groups, scalar, every = _groups(_highest(setup)), [()], frozenset(p.phase for p in setup.phases)
    walks = frozenset(p.phase for p in setup.phases if p.walk_s)

    def masks(read: Callable[[], Iterable[int]]) -> tuple[Sequence[Index], Callable[..., Value]]:
        return groups, lambda group: mask_of(read(), group)

    def lit(read: Callable[[], Iterable[int]]) -> tuple[Sequence[Index], Callable[..., Value]]:
        return masks(lambda: NONE if told.unit in FLASHING else read())

    def walking(what: Walk) -> Phases:
        return frozenset(p for p, walk in told.rings.walking.items() if walk is what)

    def number(read: Callable[[], int]) -> tuple[Sequence[Index], Callable[..., Value]]:
        return scalar, read

    def fixed(value: int) -> tuple[Sequence[Index], Callable[..., Value]]:
        return scalar, lambda: value

    return {
        "sysUpTime": number(lambda: (told.now_ms - told.booted_ms) // 10 % 2**32),
        "maxPhases": fixed(_highest(setup)),
        "maxPhaseGroups": fixed(len(groups)),
        "maxVehicleDetectors": fixed(len(setup.detectors)),
        "maxPatterns": fixed(MAX_PATTERNS),
        "maxSplits": fixed(MAX_SPLITS),
        "maxPreempts": fixed(len(setup.preempts)),
        "maxRings": fixed(len(setup.rings)),
        "phaseStatusGroupReds": lit(lambda: every - told.rings.green - told.rings.yellow),
        "phaseStatusGroupYellows": lit(lambda: told.rings.yellow),
        "phaseStatusGroupGreens": lit(lambda: told.rings.green),
        "phaseStatusGroupDontWalks": lit(lambda: walks - walking(Walk.WALK) - walking(Walk.CLEAR)),
        "phaseStatusGroupPedClears": lit(lambda: walking(Walk.CLEAR)),
        "phaseStatusGroupWalks": lit(lambda: walking(Walk.WALK)),
        "phaseStatusGroupVehCalls": masks(lambda: told.waiting()[0]),
        "phaseStatusGroupPedCalls": masks(lambda: told.waiting()[1]),
        "phaseStatusGroupPhaseOns": masks(lambda: told.rings.green | told.rings.yellow),
        "phaseStatusGroupPhaseNexts": masks(lambda: told.rings.nexts),
        "vehicleDetectorStatusGroupActive": (_groups(len(setup.detectors)), lambda group: mask_of(told.occupied, group)),
        "vehicleDetectorStatusGroupAlarms": (_groups(len(setup.detectors)), lambda group: 0),  # noqa: ARG005 - its loops are not ours to fail
        "unitControlStatus": number(lambda: BACKUP if told.backup else SYSTEM if told.system_control else TIMEBASE),
        "unitFlashStatus": number(lambda: _flash_status(told)),
        "unitAlarmStatus2": fixed(0),
        "unitAlarmStatus1": number(lambda: _alarms(told)),
        "shortAlarmStatus": number(lambda: int(told.in_preempt) | (2 if told.unit in FLASHING else 0)),
        "coordPatternStatus": number(lambda: FLASH if told.unit in FLASHING else told.pattern.number if told.pattern else FREE),
        "localFreeStatus": number(lambda: int(told.free_status)),
        "coordCycleStatus": number(lambda: (told.pattern.cycle_ms - told.pattern.local_ms(told.now_ms)) // 1000 if told.pattern else 0),
        "coordSyncStatus": number(lambda: told.pattern.local_ms(told.now_ms) // 1000 if told.pattern else 0),
    }


def _flash_status(told: Told) -> int:
    starting = told.unit == "flash" and told.now_ms - told.booted_ms < 1000 * told.setup.startup_flash_s
    return STARTING if starting else FLASHING.get(told.unit, NOT_FLASHING)


def _alarms(told: Told) -> int:
    """Return unitAlarmStatus1: bit 4 conflict monitor, bit 5 local flash, bit 6 local free, bit 7 coordinated (NTCIP 1202)."""
    return (16 if told.unit == "fault" else 0) | (32 if told.unit == "flash" else 0) | (128 if told.pattern else 64)
