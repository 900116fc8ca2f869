"""Detector buses to test: a driver on a real pseudo-terminal or on a wire in memory, and cards at its far end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple, Protocol

from controller.clock import ManualClock, monotonic_ms
from hardware.loops.ab3418 import Ab3418Options, Ab3418Unit, ab3418_inputs
from hardware.loops.canoga import CanogaOptions, CanogaUnit, canoga_inputs
from hardware.loops.modbus import ModbusOptions, ModbusUnit, modbus_inputs
from hardware.loops.serial_bus import DetectorInputs
from hardware.ports import InputEvent, PortError
from hardware.virtual.ab3418_box import Ab3418Box
from hardware.virtual.canoga_card import CanogaCard, CanogaSlave
from hardware.virtual.card_lines import Device, MemoryWire, PtyLine
from hardware.virtual.loop_cards import DigitalCard, Ld120Card, ModbusSlave

UNITS = (1, 2, 3)


class Coverable(Protocol):
    """A card whose loops can be covered."""

    def cover(self, occupied: bool, channel: int = 1) -> None: ...


class Kind(NamedTuple):
    """A driver with its far end: three detectors D1 to D3."""

    options: Callable[[str], Any]
    open: Callable[..., DetectorInputs]
    device: Callable[[Callable[[], int]], tuple[Device, Callable[[int, bool], None]]]


def _modbus(profile: Any) -> Callable[[str], ModbusOptions]:
    def options(port: str) -> ModbusOptions:
        if profile == "ld120":
            units = tuple(ModbusUnit(unit=unit, detectors={1: f"D{unit}"}) for unit in UNITS)
        else:
            units = (ModbusUnit(unit=5, profile="digital", detectors={u: f"D{u}" for u in UNITS}, counters={u: 2 * u - 2 for u in UNITS}),)
        return ModbusOptions(port=port, units=units, interval_ms=0, baud=115_200)

    return options


def _ld120(now: Callable[[], int]) -> tuple[Device, Callable[[int, bool], None]]:
    cards = {unit: Ld120Card() for unit in UNITS}
    return ModbusSlave(cards), lambda number, occupied: cards[number].cover(occupied)


def _digital(now: Callable[[], int]) -> tuple[Device, Callable[[int, bool], None]]:
    card = DigitalCard()
    return ModbusSlave({5: card}), lambda number, occupied: card.cover(occupied, number)


def _canoga(now: Callable[[], int]) -> tuple[Device, Callable[[int, bool], None]]:
    card = CanogaCard(now)
    return CanogaSlave({2: card}), lambda number, occupied: card.cover(occupied, number)


def _box(now: Callable[[], int]) -> tuple[Device, Callable[[int, bool], None]]:
    box = Ab3418Box()
    return box, lambda number, occupied: box.cover(occupied, 9 * number)


KINDS = {
    "ld120": Kind(_modbus("ld120"), modbus_inputs, _ld120),
    "digital": Kind(_modbus("digital"), modbus_inputs, _digital),
    "canoga": Kind(
        lambda port: CanogaOptions(port=port, units=(CanogaUnit(unit=2, detectors={u: f"D{u}" for u in UNITS}),), interval_ms=0, baud=115_200),
        canoga_inputs,
        _canoga,
    ),
    "ab3418": Kind(
        lambda port: Ab3418Options(port=port, units=(Ab3418Unit(detectors={9 * u: f"D{u}" for u in UNITS}),), interval_ms=0, baud=115_200),
        ab3418_inputs,
        _box,
    ),
}


class Rig:
    """A port, the means to cover its loops, and the line between."""

    def __init__(self, port: DetectorInputs, cover: Callable[[int, bool], None], line: PtyLine | MemoryWire, now: Callable[[], int]) -> None:
        self.port, self.cover, self.line, self.now = port, cover, line, now

    def sweeps(self, count: int = 2) -> None:
        """Wait until the bus has been swept so often from now on: then the port knows what the cards tell. Raises `TimeoutError`."""
        wanted = self.port.stats().sweeps + count
        self.until(lambda: self.port.stats().sweeps >= wanted)

    def until(self, reached: Callable[[], bool], timeout_s: float = 10.0) -> None:
        """Wait for something. Raises `TimeoutError`."""
        for _ in range(int(timeout_s / 0.002)):
            if reached():
                return
            Event().wait(0.002)
        raise TimeoutError("what was waited for did not come")

    def poll(self) -> list[InputEvent]:
        """Return what the port has by now."""
        return list(self.port.poll(self.now()))

    def lost(self) -> bool:
        """Return whether the link is lost. Events on the way are not looked at."""
        try:
            self.port.poll(self.now())
        except PortError:
            return True
        return False


@contextmanager
def pty_rig(kind: str, folder: Path, **line: Any) -> Iterator[Rig]:
    """Open a driver on a pseudo-terminal with its cards at the far end."""
    device, cover = KINDS[kind].device(monotonic_ms)
    pty = PtyLine(device, folder / f"tty-{kind}", **line)
    port = KINDS[kind].open(KINDS[kind].options(pty.port), monotonic_ms)
    try:
        port.poll(monotonic_ms())
        yield Rig(port, cover, pty, monotonic_ms)
    finally:
        port.close()
        pty.close()


class MemoryRig(Rig):
    """The same without threads, on a clock that is moved by hand."""

    def __init__(self, kind: str) -> None:
        self.clock = ManualClock(1_000)
        self.device, cover = KINDS[kind].device(self.clock.now_ms)
        self.wire = MemoryWire(self.device)
        super().__init__(KINDS[kind].open(KINDS[kind].options("memory"), self.clock.now_ms, self.wire), cover, self.wire, self.clock.now_ms)

    def step(self, ms: int = 100) -> list[InputEvent]:
        """Let time pass and return what the port tells then."""
        self.clock.wait_until(self.clock.now_ms() + ms)
        return self.poll()
