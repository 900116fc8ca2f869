"""Detectors of a 170 or 2070 controller over AB3418: presence of 28 detectors, and volume and faults of eight system detectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from hardware.loops.options import checked_bus, checked_detectors, checked_once
from hardware.loops.serial_bus import Bus, DetectorInputs, Emit, Reader, inputs_on
from hardware.loops.serial_line import Line, Wire
from hardware.loops.tracks import LoopTrack
from hardware.loops.units import Unit, UnitCards
from hardware.ports import DetectorFault
from hardware.wire.ab3418 import CONTROLLER, GET_LONG_STATUS8, PRESENCES, SYSTEM_DETECTORS, LongStatus8, LoopFault, Message, StatusReader

_FAULTS: Final[Mapping[LoopFault, DetectorFault]] = {
    LoopFault.STUCK_ON: DetectorFault.OTHER,
    LoopFault.STUCK_OFF: DetectorFault.OTHER,
    LoopFault.OPEN: DetectorFault.OPEN,
    LoopFault.SHORT: DetectorFault.SHORT,
    LoopFault.EXCESSIVE_INDUCTANCE: DetectorFault.EXCESSIVE_CHANGE,
    LoopFault.OVERCOUNT: DetectorFault.OTHER,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ab3418Unit:
    """One controller: its address octet, detector ids by its presence detectors 1 to 28 and by its system detectors 1 to 8.

    A loop that is both stands in both with the same id; then it has edges, counts and the faults that the controller finds.
    """

    unit: int = CONTROLLER
    detectors: Mapping[int, str]
    system_detectors: Mapping[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raise `ValueError` for what no controller can be."""
        if not 0 <= self.unit <= 255:
            raise ValueError(f"unit {self.unit}: expected an address octet of 0 to 255")
        checked_detectors(f"unit {self.unit}", self.detectors, PRESENCES)
        if self.system_detectors:
            checked_detectors(f"unit {self.unit}: system_detectors", self.system_detectors, SYSTEM_DETECTORS)

    def names(self) -> tuple[str, ...]:
        """Return the detectors that it names, each once."""
        return tuple(dict.fromkeys((*self.detectors.values(), *self.system_detectors.values())))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ab3418Options(Line):
    """A line with AB3418 controllers. ``interval_ms``: from one sweep to the next at least; ``silent_sweeps``: after so many all of it is faulty."""

    units: tuple[Ab3418Unit, ...]
    interval_ms: int = 100
    timeout_ms: int = 300
    silent_sweeps: int = 5

    def __post_init__(self) -> None:
        """Raise `ValueError` for what no line can be."""
        Line.__post_init__(self)
        checked_bus(self.units, self.interval_ms, self.timeout_ms, self.silent_sweeps)
        checked_once("detector", self.sources())

    def sources(self) -> tuple[str, ...]:
        """Return the detectors that the units name."""
        return tuple(name for unit in self.units for name in unit.names())

    def unit_of(self, detector: str) -> int | None:
        """Return the number of the unit that names a detector, None where none does."""
        return next((unit.unit for unit in self.units if detector in unit.names()), None)


def ab3418_inputs(options: Ab3418Options, now: Callable[[], int], wire: Wire | None = None) -> DetectorInputs:
    """Return the detectors of a line; on a given wire, which answers at once, all is done inside ``poll``. Raises `PortError` without pyserial."""
    units = [_Controller(unit, options.silent_sweeps) for unit in options.units]
    cards = UnitCards(options.port, units, now)
    return inputs_on(options, cards, now, wire, interval_ms=options.interval_ms, timeout_ms=options.timeout_ms)


class _Controller(Unit):
    """One controller. ``status`` is its newest answer, signals included."""

    def __init__(self, options: Ab3418Unit, silent_sweeps: int) -> None:
        super().__init__(options.unit, options.detectors, silent_sweeps)
        by_name = {track.detector: track for track in self.tracks.values()}
        self._system = {number: by_name.get(name) or LoopTrack(name) for number, name in options.system_detectors.items()}
        own = [track for track in self._system.values() if track.detector not in by_name]
        self.all_tracks += own
        self._sequence: int | None = None
        self.status: LongStatus8 | None = None

    def ask(self, bus: Bus, emit: Emit, *, counters: bool) -> bool:
        """Read the status."""
        del counters  # they come with every reply
        reader: Reader[LongStatus8] = StatusReader(self.number)
        answer = bus.exchange(self.number, Message(self.number, GET_LONG_STATUS8).encode(), reader)
        if answer is None:
            return False
        self.status = status = answer.value
        faults = dict.fromkeys((track.detector for track in self.all_tracks), DetectorFault.WHOLE)
        for number, track in self._system.items():
            fault = status.system[number - 1].fault
            faults[track.detector] = _FAULTS[fault] if fault is not None else DetectorFault.WHOLE
        for track in self.all_tracks:
            track.set_fault(faults[track.detector], answer.at_ms, emit)
        for channel, track in self.tracks.items():
            track.see(status.present(channel), answer.at_ms, emit)
        self._count(status, answer.at_ms, emit)
        return True

    def forget(self) -> None:
        """Count no sample until a new one begins, for those between are unknown."""
        self._sequence = None

    def _count(self, status: LongStatus8, at_ms: int, emit: Emit) -> None:
        """Tell the volumes of a new sample."""
        before, self._sequence = self._sequence, status.sequence
        if before is None or before == status.sequence:
            return
        for number, track in self._system.items():
            sample = status.system[number - 1]
            if sample.occupancy_pct is not None and sample.volume_veh:
                track.add_count(sample.volume_veh, at_ms, emit)
