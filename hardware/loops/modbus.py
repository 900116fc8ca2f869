"""Loop detectors and input modules on Modbus RTU: the Procon LD120, and the inputs of any module.

LD120 (single loop; manual V3.0, 2005): input register 30001 holds the module type 34 in its low octet, 30002 the state (bit 0 fault, 1 detect,
4 open, 5 short), the holding registers 40010 and 40011 a 32-bit counter, high word first. RS-485, 9 600 baud, 8N1.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from hardware.loops.options import checked_bus, checked_detectors
from hardware.loops.serial_bus import Answer, Bus, DetectorInputs, Emit, Reader, inputs_on
from hardware.loops.serial_line import Line, Wire
from hardware.loops.tracks import CounterTrack
from hardware.loops.units import Unit, UnitCards
from hardware.ports import DetectorFault
from hardware.wire.modbus import Function, Refusal, Reply, ReplyReader, Request

LD120_TYPE: Final = 34
_FAULT, _DETECT, _OPEN, _SHORT = 1 << 0, 1 << 1, 1 << 4, 1 << 5
_TYPE_REGISTER, _STATE_REGISTER, _COUNTER_REGISTER = 0, 1, 9  # 30001, 30002, 40010


@dataclass(frozen=True, slots=True, kw_only=True)
class ModbusUnit:
    """One unit (slave) of the bus.

    ``detectors``: channel, from 1, to detector id; an LD120 has channel 1 alone. The rest is for ``profile = "digital"``: channel 1 is the input
    at address ``first`` (from 0), ``inverted`` names the channels whose input is 0 while a vehicle is there, ``counters`` gives the
    address (from 0) of a channel's counter, ``counter_words`` its size in registers, high word first.
    """

    unit: int
    detectors: Mapping[int, str]
    profile: Literal["ld120", "digital"] = "ld120"
    inputs: Literal["discrete", "coils"] = "discrete"
    first: int = 0
    inverted: tuple[int, ...] = ()
    counters: Mapping[int, int] = field(default_factory=dict)
    counter_registers: Literal["holding", "input"] = "holding"
    counter_words: Literal[1, 2] = 2

    def __post_init__(self) -> None:
        """Raise `ValueError` for what no unit can be."""
        where = f"unit {self.unit}"
        if not 1 <= self.unit <= 254:
            raise ValueError(f"{where}: expected a number of 1 to 254")
        checked_detectors(where, self.detectors, 1 if self.profile == "ld120" else 2_000)
        for name, channels in (("inverted", self.inverted), ("counters", tuple(self.counters))):
            if unknown := sorted(set(channels) - set(self.detectors)):
                raise ValueError(f"{where}: {name}: expected channels out of {sorted(self.detectors)}, found {unknown}")
            if channels and self.profile == "ld120":
                raise ValueError(f'{where}: {name} is for profile "digital"; an LD120 needs none')
        last = self.first + max(self.detectors)
        if not (self.first >= 0 and last <= 1 << 16 and all(0 <= address < 1 << 16 for address in self.counters.values())):
            raise ValueError(f"{where}: expected addresses of 0 to 65535, found first = {self.first}, counters = {dict(self.counters)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModbusOptions(Line):
    """A bus of Modbus units. ``interval_ms``: from one sweep to the next at least; ``silent_sweeps``: after so many a unit's detectors are faulty."""

    units: tuple[ModbusUnit, ...]
    interval_ms: int = 50
    timeout_ms: int = 100
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


def modbus_inputs(options: ModbusOptions, now: Callable[[], int], wire: Wire | None = None) -> DetectorInputs:
    """Return the detectors of a bus; on a given wire, which answers at once, all is done inside ``poll``. Raises `PortError` without pyserial."""
    units = [_PROFILES[unit.profile](unit, options.silent_sweeps) for unit in options.units]
    cards = UnitCards(options.port, units, now)
    return inputs_on(options, cards, now, wire, interval_ms=options.interval_ms, timeout_ms=options.timeout_ms)


class _ModbusUnit(Unit):
    """What all profiles have in common: reading, and counters by channel."""

    def __init__(self, options: ModbusUnit, silent_sweeps: int, counter_bits: int, counted: Collection[int]) -> None:
        super().__init__(options.unit, options.detectors, silent_sweeps)
        self._counters = {channel: CounterTrack(counter_bits) for channel in counted}

    def _read(self, bus: Bus, function: Function, first: int, count: int) -> Answer[Reply] | None:
        request = Request(self.number, function, first, count)
        reader: Reader[Reply | Refusal] = ReplyReader(request)
        answer = bus.exchange(self.number, request.encode(), reader)
        if answer is None:
            return None
        value = answer.value
        if isinstance(value, Refusal):
            bus.note(self.number, f"refuses function {int(function)} at address {first}, count {count}: exception {value.code}")
            return None
        return Answer(value, answer.at_ms)

    def _see(self, channel: int, occupied: bool, at_ms: int, emit: Emit) -> None:
        """Take a loop's state: first the vehicles that came and went unseen, then the present."""
        track = self.tracks[channel]
        if (counter := self._counters.get(channel)) is not None:
            track.add_missed(counter, occupied, at_ms, emit)
        track.see(occupied, at_ms, emit)

    def _count(self, bus: Bus, channel: int, function: Function, first: int, words: int) -> None:
        """Read one channel's counter, right after its state. Without an answer it is read again when its turn comes."""
        answer = self._read(bus, function, first, words)
        if answer is not None:
            value = sum(word << 16 * place for place, word in enumerate(reversed(answer.value.values)))
            track = self.tracks[channel]
            self._counters[channel].read(value, track.rises, track.occupied, answer.at_ms)


class _Ld120(_ModbusUnit):
    """A Procon LD120: first asked what it is, then for its state, now and then for its counter."""

    def __init__(self, options: ModbusUnit, silent_sweeps: int) -> None:
        super().__init__(options, silent_sweeps, counter_bits=32, counted=options.detectors)
        self._known = False

    def ask(self, bus: Bus, emit: Emit, *, counters: bool) -> bool:
        """Read the state, and the counter where it is due."""
        first = not self._known
        if first and not self._identify(bus):
            return False
        answer = self._read(bus, Function.INPUT_REGISTERS, _STATE_REGISTER, 1)
        if answer is None:
            return False
        state = answer.value.values[0]
        for channel, track in self.tracks.items():
            track.set_fault(_fault_of(state), answer.at_ms, emit)
            self._see(channel, bool(state & _DETECT), answer.at_ms, emit)
            if counters or first:
                self._count(bus, channel, Function.HOLDING_REGISTERS, _COUNTER_REGISTER, 2)
        return True

    def forget(self) -> None:
        """Ask again what it is before anything is believed."""
        self._known = False

    def _identify(self, bus: Bus) -> bool:
        answer = self._read(bus, Function.INPUT_REGISTERS, _TYPE_REGISTER, 1)
        if answer is None:
            return False
        found = answer.value.values[0] & 0xFF
        self._known = found == LD120_TYPE
        bus.note(self.number, "" if self._known else f"expected module type {LD120_TYPE} (LD120) in register 30001, found {found}; correct profile or unit")
        return self._known


def _fault_of(state: int) -> DetectorFault:
    if state & _OPEN:
        return DetectorFault.OPEN
    if state & _SHORT:
        return DetectorFault.SHORT
    return DetectorFault.OTHER if state & _FAULT else DetectorFault.WHOLE


class _Digital(_ModbusUnit):
    """Inputs of any module: all in one message."""

    def __init__(self, options: ModbusUnit, silent_sweeps: int) -> None:
        super().__init__(options, silent_sweeps, counter_bits=16 * options.counter_words, counted=options.counters)
        self._options = options
        self._channels = tuple((channel, track, int(channel not in options.inverted)) for channel, track in self.tracks.items())
        self._known = False
        self._function = Function.DISCRETE_INPUTS if options.inputs == "discrete" else Function.COILS
        self._registers = Function.HOLDING_REGISTERS if options.counter_registers == "holding" else Function.INPUT_REGISTERS

    def ask(self, bus: Bus, emit: Emit, *, counters: bool) -> bool:
        """Read the inputs, and the counters where they are due."""
        answer = self._read(bus, self._function, self._options.first, max(self.tracks))
        if answer is None:
            return False
        bus.note(self.number, "")
        values, at_ms = answer.value.values, answer.at_ms
        for channel, track, covered in self._channels:
            track.set_fault(DetectorFault.WHOLE, at_ms, emit)
            self._see(channel, values[channel - 1] == covered, at_ms, emit)
        if counters or not self._known:
            self._known = True
            for channel, address in self._options.counters.items():
                self._count(bus, channel, self._registers, address, self._options.counter_words)
        return True

    def forget(self) -> None:
        """Read the counters with the next state."""
        self._known = False


_PROFILES: Final[Mapping[str, Callable[[ModbusUnit, int], Unit]]] = {"ld120": _Ld120, "digital": _Digital}
