"""A detector driver on a wire in memory, the device at its far end, and a clock that is moved by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from controller.clock import ManualClock
from hardware.loops.modbus import ModbusOptions, ModbusUnit, modbus_inputs
from hardware.loops.serial_bus import DetectorInputs
from hardware.ports import InputEvent, InputKind, PortError
from hardware.virtual.card_lines import MemoryWire
from hardware.virtual.loop_cards import Card, Ld120Card, ModbusSlave

FAULT, PRESENCE, COUNT = InputKind.DETECTOR_FAULT, InputKind.PRESENCE, InputKind.COUNT


class Bench:
    """A driver, the device at its far end, and time."""

    def __init__(self, device: Any, opened: Callable[[Callable[[], int], MemoryWire], DetectorInputs]) -> None:
        self.clock = ManualClock(1_000)
        self.device = device
        self.wire = MemoryWire(device)
        self.port = opened(self.clock.now_ms, self.wire)

    def step(self, ms: int = 100, times: int = 1) -> list[tuple[str, InputKind, int]]:
        """Let time pass, so often, and return who told what."""
        return [(event.source, event.kind, event.value) for event in self.events(ms, times)]

    def events(self, ms: int = 100, times: int = 1) -> list[InputEvent]:
        seen: list[InputEvent] = []
        for _ in range(times):
            self.clock.wait_until(self.clock.now_ms() + ms)
            seen += self.port.poll(self.clock.now_ms())
        assert [event.at_ms for event in seen] == sorted(event.at_ms for event in seen)
        return seen

    def lost(self, ms: int = 100) -> str:
        """Let time pass and return why the link is lost."""
        self.clock.wait_until(self.clock.now_ms() + ms)
        with pytest.raises(PortError) as caught:
            self.port.poll(self.clock.now_ms())
        return str(caught.value)


def modbus_bench(cards: dict[int, Card], *units: ModbusUnit, **options: Any) -> Bench:
    chosen = ModbusOptions(port="memory", units=units, **options)
    return Bench(ModbusSlave(cards), lambda now, wire: modbus_inputs(chosen, now, wire))


def ld120_bench(card: Ld120Card) -> Bench:
    bench = modbus_bench({1: card}, ModbusUnit(unit=1, detectors={1: "D"}))
    assert bench.step() == []
    return bench


def pulses(events: list[tuple[str, InputKind, int]]) -> list[int]:
    assert all(kind is PRESENCE for _, kind, _ in events)
    return [value for _, _, value in events]
