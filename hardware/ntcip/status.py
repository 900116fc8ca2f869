"""What the controller says of itself, read sweep by sweep: lamps, who chooses the plan, flash, alarms, up time; and its timing tables, once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from hardware.ntcip.objects import ObjectTable, Oid, Value
from hardware.ntcip.phase_map import Kind, Lamps, PhaseMap
from hardware.ntcip.states import RELAYED, ShortAlarm, UnitFlash, numbers_of
from hardware.ntcip.timing import PhaseTiming, TimingTables
from hardware.ntcip.transport import ErrorStatus, ObjectError, Transport
from hardware.ports import PortError
from hardware.signals import Aspect

PHASE_LAMPS: Final = ("Reds", "Yellows", "Greens", "Walks", "PedClears")
OVERLAP_LAMPS: Final = ("Reds", "Yellows", "Greens")
PHASE_ROW: Final = (
    *("phaseRing", "phaseOptions", "phaseWalk", "phasePedestrianClear", "phaseMinimumGreen"),
    *("phaseMaximum1", "phasePassage", "phaseYellowChange", "phaseRedClear"),
)
ENABLED: Final = 1  # bit 0 of phaseOptions
NOTHING: Final[frozenset[Aspect]] = frozenset()
UNLIT: Final = frozenset((Aspect.DARK,))
RELAYED_AS: Final = frozenset((Aspect.DARK, Aspect.RED, Aspect.AMBER))
NEEDED: Final = ("sysUpTime", "unitControlStatus", "unitFlashStatus")
WELCOME: Final = ("shortAlarmStatus", "unitAlarmStatus2", "coordPatternStatus", "systemPatternControl")  # some controllers lack one


@dataclass(frozen=True, slots=True)
class ControllerStatus:
    """One sweep, asked for at ``sent_ms`` and complete at ``at_ms``. ``atomic``: all lamps came in one answer. -1: the controller lacks the object."""

    sent_ms: int
    at_ms: int
    atomic: bool
    lamps: Lamps
    up_time_ms: int
    control: int
    flash: int
    short_alarm: int
    alarm2: int
    pattern: int
    system_pattern: int

    @property
    def flashes(self) -> bool:
        """Tell whether the signals flash, whatever the lamps' masks say: these know no flash."""
        return self.flash != UnitFlash.NOT_FLASH or bool(max(self.short_alarm, 0) & ShortAlarm.FLASH)

    @property
    def flash_as(self) -> frozenset[Aspect]:
        """Return as what the lamps' masks, which know no flash, report signals that flash."""
        return NOTHING if not self.flashes else RELAYED_AS if self.flash in RELAYED else UNLIT


class StatusReader:
    """Reads one controller's status. Everything raises `PortError` without an answer or where a value makes no sense."""

    def __init__(self, table: ObjectTable, transport: Transport, places: PhaseMap, now: Callable[[], int]) -> None:
        self._table, self._transport, self._now = table, transport, now
        self._phase_groups = max(places.groups_of_eight(Kind.PHASE, Kind.PED), 1)
        self._overlap_groups = places.groups_of_eight(Kind.OVERLAP)
        self._welcome: tuple[str, ...] = ()

    def probe(self) -> None:
        """Learn which of the objects that some controllers lack there are."""
        self._welcome = tuple(name for name in WELCOME if self.get_or_none(self._table.oid(name)) is not None)

    def get_or_none(self, oid: Oid) -> Value | None:
        """Return one value, None where the controller has no such object."""
        try:
            return self._transport.get_many([oid])[0]
        except ObjectError as error:
            if error.status is ErrorStatus.NO_SUCH_NAME:
                return None
            raise

    def read(self) -> ControllerStatus:
        """Return one sweep."""
        lamps = [(f"phaseStatusGroup{name}", g) for name in PHASE_LAMPS for g in range(1, self._phase_groups + 1)]
        lamps += [(f"overlapStatusGroup{name}", g) for name in OVERLAP_LAMPS for g in range(1, self._overlap_groups + 1)]
        scalars = (*NEEDED, *self._welcome)
        oids = [self._table.oid(name, g) for name, g in lamps] + [self._table.oid(name) for name in scalars]
        sent_ms = self._now()
        values = [self.number(oid, value) for oid, value in zip(oids, self._transport.get_many(oids), strict=True)]
        state = {**dict.fromkeys(WELCOME, -1), **dict(zip(scalars, values[len(lamps) :], strict=True))}
        return ControllerStatus(
            sent_ms=sent_ms,
            at_ms=self._now(),
            atomic=len(lamps) <= self._transport.most_per_request,
            lamps=self._lamps(values),
            up_time_ms=state["sysUpTime"] * 10,
            control=state["unitControlStatus"],
            flash=state["unitFlashStatus"],
            short_alarm=state["shortAlarmStatus"],
            alarm2=state["unitAlarmStatus2"],
            pattern=state["coordPatternStatus"],
            system_pattern=state["systemPatternControl"],
        )

    def _lamps(self, values: Sequence[int]) -> Lamps:
        count, overlaps = self._phase_groups, self._overlap_groups
        phases = [numbers_of(values[k * count : (k + 1) * count]) for k in range(len(PHASE_LAMPS))]
        rest = values[len(PHASE_LAMPS) * count :]
        return Lamps(*phases, *(numbers_of(rest[k * overlaps : (k + 1) * overlaps]) for k in range(len(OVERLAP_LAMPS))))

    def number(self, oid: Oid, value: Value) -> int:
        """Return a value that is a number within its object's range."""
        found = self._table.find(oid)
        if not isinstance(value, int) or (found is not None and not found[0].low <= value <= found[0].high):
            bounds = f"a number of {found[0].low} to {found[0].high}" if found else "a number"
            raise PortError(f"controller: object {self._table.name(oid)}: expected {bounds}, found {value!r}")
        return value

    def numbers(self, *places: tuple[str, int] | str) -> list[int]:
        """Return several objects' values: scalars by name, rows by name and number."""
        oids = [self._table.oid(p) if isinstance(p, str) else self._table.oid(p[0], p[1]) for p in places]
        return [self.number(oid, value) for oid, value in zip(oids, self._transport.get_many(oids), strict=True)]

    def tables(self) -> TimingTables:
        """Return the controller's timing tables."""
        backup_s, most = self.numbers("unitBackupTime", "maxPhases")
        numbers = self.numbers(*((name, p) for p in range(1, most + 1) for name in PHASE_ROW))
        beside = self._octets(*(("phaseConcurrency", p) for p in range(1, most + 1)))
        rows = [numbers[k : k + len(PHASE_ROW)] for k in range(0, len(numbers), len(PHASE_ROW))]
        phases = tuple(_phase(p, row, beside[p - 1]) for p, row in enumerate(rows, start=1))
        rings = max((p.ring for p in phases), default=0)
        return TimingTables(phases, tuple(self._ring(r, phases) for r in range(1, rings + 1)), backup_s * 1000)

    def _ring(self, ring: int, phases: Sequence[PhaseTiming]) -> tuple[int, ...]:
        """Return the ring's phases in use in the order of sequence 1, by number where the controller does not tell."""
        used = [p.phase for p in phases if p.ring == ring]
        try:
            order = [p for p in self._octets(("sequenceData", 1, ring))[0] if p in used]
        except ObjectError:
            order = []
        return tuple(order) if sorted(order) == used else tuple(used)

    def _octets(self, *places: tuple[str, *tuple[int, ...]]) -> list[tuple[int, ...]]:
        """Return the numbers that octet strings hold, one per octet; zeros fill up."""
        oids = [self._table.oid(name, *index) for name, *index in places]
        found = []
        for oid, value in zip(oids, self._transport.get_many(oids), strict=True):
            if not isinstance(value, bytes):
                raise PortError(f"controller: object {self._table.name(oid)}: expected octets, found {value!r}")
            found.append(tuple(b for b in value if b))
        return found


def _phase(number: int, row: Sequence[int], concurrent: tuple[int, ...]) -> PhaseTiming:
    """Return one phase of the columns of `PHASE_ROW`, which are in seconds and tenths of them."""
    ring, options, walk_s, ped_clear_s, min_green_s, max_green_s, passage, amber, red_clear = row
    return PhaseTiming(
        phase=number,
        ring=ring if options & ENABLED else 0,
        walk_ms=walk_s * 1000,
        ped_clear_ms=ped_clear_s * 1000,
        min_green_ms=min_green_s * 1000,
        max_green_ms=max_green_s * 1000,
        passage_ms=passage * 100,
        amber_ms=amber * 100,
        red_clear_ms=red_clear * 100,
        concurrent=concurrent,
    )
