"""Canoga C800 and C900 loop cards on a serial bus.

A card tells of each channel's newest vehicle once that has left the loop: how long it was there, and a count. So there is no presence
before a vehicle leaves: right for loops that vehicles pass (entry, advance), while one that waits at the stop line is not seen waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from hardware.loops.options import checked_bus, checked_detectors
from hardware.loops.serial_bus import Bus, DetectorInputs, Emit, inputs_on
from hardware.loops.serial_line import Line, Wire
from hardware.loops.tracks import HEADWAY_MS, OLD_MS, LoopTrack
from hardware.loops.units import Unit, UnitCards
from hardware.ports import DetectorFault, InputEvent
from hardware.wire.canoga import CHANNELS, DETECTION, VERSION, DetectionReader, Message, ReplyReader, Vehicle

# The rules of IRIS for what a card's reply can be; its sum of one octet lets too many errors pass.
_MOST_DURATION_MS: Final = 120_000
_MOST_MISSED: Final = 16
_MOST_HEADWAY_MS: Final = 12 * 3_600_000
_COUNT_MODULUS: Final = 256
_CLOCK_MODULUS_MS: Final = 1 << 32


@dataclass(frozen=True, slots=True, kw_only=True)
class CanogaUnit:
    """One card: its address (0 to 15 by backplane, 128 to 255 by its memory), and detector ids by channel, 1 to 4."""

    unit: int
    detectors: Mapping[int, str]

    def __post_init__(self) -> None:
        """Raise `ValueError` for what no card can be."""
        if not (0 <= self.unit <= 15 or 128 <= self.unit <= 255):
            raise ValueError(f"unit {self.unit}: expected an address of 0 to 15 or 128 to 255")
        checked_detectors(f"unit {self.unit}", self.detectors, CHANNELS)


@dataclass(frozen=True, slots=True, kw_only=True)
class CanogaOptions(Line):
    """A bus of Canoga cards. ``interval_ms``: from one sweep to the next at least; ``silent_sweeps``: after so many a card's detectors are faulty."""

    units: tuple[CanogaUnit, ...]
    interval_ms: int = 100
    timeout_ms: int = 200
    silent_sweeps: int = 5

    def __post_init__(self) -> None:
        """Raise `ValueError` for what no bus can be."""
        Line.__post_init__(self)
        checked_bus(self.units, self.interval_ms, self.timeout_ms, self.silent_sweeps)

    def sources(self) -> tuple[str, ...]:
        """Return the detectors that the units name."""
        return tuple(name for unit in self.units for name in unit.detectors.values())

    def unit_of(self, detector: str) -> int | None:
        """Return the number of the unit that names a detector, None where none does."""
        return next((unit.unit for unit in self.units if detector in unit.detectors.values()), None)


def canoga_inputs(options: CanogaOptions, now: Callable[[], int], wire: Wire | None = None) -> DetectorInputs:
    """Return the detectors of a bus; on a given wire, which answers at once, all is done inside ``poll``. Raises `PortError` without pyserial."""
    units = [_Card(unit, options.silent_sweeps) for unit in options.units]
    cards = UnitCards(options.port, units, now)
    return inputs_on(options, cards, now, wire, interval_ms=options.interval_ms, timeout_ms=options.timeout_ms)


@dataclass(slots=True)
class _Channel:
    track: LoopTrack
    known: Vehicle | None = None  # the newest that is believed
    doubted: Vehicle | None = None  # breaks the rules; believed where the next reply repeats it


class _Card(Unit):
    """One card: asked for its version first, then for its newest vehicles."""

    def __init__(self, options: CanogaUnit, silent_sweeps: int) -> None:
        super().__init__(options.unit, options.detectors, silent_sweeps)
        self._channels = {channel: _Channel(track) for channel, track in self.tracks.items()}
        self._present = False
        self._heard_ms: int | None = None

    def ask(self, bus: Bus, emit: Emit, *, counters: bool) -> bool:
        """Read the newest vehicles."""
        del counters  # they come with every reply
        if not (self._present or self._identify(bus)):
            return False
        answer = bus.exchange(self.number, Message(self.number, DETECTION).encode(), DetectionReader())
        if answer is None:
            return False
        late = self._heard_ms is not None and answer.at_ms - self._heard_ms > OLD_MS
        self._heard_ms = answer.at_ms
        events: list[InputEvent] = []
        doubts = [_take(at, answer.value.vehicles[channel - 1], answer.at_ms, events.append, late=late) for channel, at in self._channels.items()]
        bus.note(self.number, next((doubt for doubt in doubts if doubt), ""))
        for event in sorted(events, key=lambda event: event.at_ms):
            emit(event)
        return True

    def forget(self) -> None:
        """Ask again whether it is there. What it counted stays known, so that its next reply tells how many passed."""
        self._present = False

    def _identify(self, bus: Bus) -> bool:
        request = Message(self.number, VERSION)
        self._present = bus.exchange(self.number, request.encode(), ReplyReader(request)) is not None
        return self._present


def _take(channel: _Channel, vehicle: Vehicle, at_ms: int, emit: Emit, *, late: bool) -> str:
    """Take one channel of a reply. Return what is wrong with it."""
    channel.track.set_fault(DetectorFault.WHOLE, at_ms, emit)
    before, doubted = channel.known, channel.doubted
    channel.doubted = None
    if vehicle == before:
        return ""
    doubt = _doubt(vehicle, before)
    if doubt and vehicle != doubted:
        channel.doubted = vehicle
        return f"{channel.track.detector}: {doubt}"
    channel.known = vehicle
    if before is None or vehicle.is_reset or vehicle.start_ms == before.start_ms:
        return ""
    follows = before.is_reset or 0 < (vehicle.start_ms - before.start_ms) % _CLOCK_MODULUS_MS < _MOST_HEADWAY_MS
    passed = (vehicle.count - before.count) % _COUNT_MODULUS if follows else 1
    if late:
        channel.track.add_count(passed, at_ms, emit)
        return ""
    gap = passed > _MOST_MISSED  # so many can only mean that replies or a reset were lost
    begin_ms = at_ms - min(vehicle.duration_ms, _MOST_DURATION_MS)
    channel.track.add_vehicles(0 if gap else passed - 1, begin_ms - HEADWAY_MS, emit)
    channel.track.see(True, begin_ms, emit)
    channel.track.see(False, at_ms, emit)
    return f"{channel.track.detector}: the count leapt by {passed}" if gap else ""


def _doubt(vehicle: Vehicle, before: Vehicle | None) -> str:
    """Return why a reply may be an error of transmission."""
    if vehicle.duration_ms > _MOST_DURATION_MS:
        return f"a vehicle of {vehicle.duration_ms // 1_000} s"
    if before is None or vehicle.is_reset:
        return ""
    if vehicle.start_ms == before.start_ms or vehicle.count == before.count:
        return "the same vehicle with other values"
    if vehicle.duration_ms >> 8 == before.duration_ms and not 0 < (vehicle.start_ms - before.start_ms) % _CLOCK_MODULUS_MS < _MOST_HEADWAY_MS:
        return "octets that are shifted by one"
    return ""
