"""Modbus against what others wrote: our master and a slave of modbus_tk, our slave and mbpoll, over pairs of pseudo-terminals that socat makes."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import modbus_tk.defines as tk
import pytest
import serial
from modbus_tk.modbus_rtu import RtuServer

from controller.clock import monotonic_ms
from hardware.loops.modbus import ModbusOptions, ModbusUnit, modbus_inputs
from hardware.loops.serial_bus import DetectorInputs
from hardware.ports import DetectorFault, InputKind
from hardware.virtual.card_lines import PtyLine
from hardware.virtual.loop_cards import DigitalCard, Ld120Card, ModbusSlave

pytestmark = pytest.mark.filterwarnings("ignore:isSet.. is deprecated:DeprecationWarning")  # modbus_tk's own
PRESENCE, FAULT = InputKind.PRESENCE, InputKind.DETECTOR_FAULT


@pytest.fixture
def cable(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Yield the two ends of a cable."""
    ends = tmp_path / "master", tmp_path / "slave"
    with subprocess.Popen(["socat", *(f"pty,raw,echo=0,link={end}" for end in ends)]) as socat:
        try:
            for _ in range(500):
                if all(end.exists() for end in ends):
                    break
                Event().wait(0.01)
            yield str(ends[0]), str(ends[1])
        finally:
            socat.terminate()


@pytest.fixture
def foreign(cable: tuple[str, str]) -> Iterator[tuple[str, RtuServer]]:
    """Yield the master's end, and a server of modbus_tk at the other."""
    server = RtuServer(serial.Serial(cable[1], 9600, timeout=0.01), interchar_multiplier=1)
    server.start()
    try:
        yield cable[0], server
    finally:
        server.stop()
        server._serial.close()


def ld120_of(server: RtuServer, unit: int) -> Any:
    """Give the foreign server the registers of an LD120."""
    slave = server.add_slave(unit)
    slave.add_block("state", tk.ANALOG_INPUTS, 0, 2)
    slave.add_block("counter", tk.HOLDING_REGISTERS, 0, 14)
    slave.set_values("state", 0, [3 << 8 | 34, 0])
    return slave


def until(port: DetectorInputs, count: int) -> list[tuple[str, InputKind, int]]:
    """Poll until so many events have come, and a little longer."""
    events: list[tuple[str, InputKind, int]] = []
    for _ in range(1_000):
        events += [(event.source, event.kind, event.value) for event in port.poll(monotonic_ms())]
        if len(events) >= count:
            break
        Event().wait(0.01)
    wanted = port.stats().sweeps + 3
    for _ in range(1_000):
        if port.stats().sweeps >= wanted:
            break
        Event().wait(0.01)
    else:
        raise TimeoutError(str(port.stats()))
    return events + [(event.source, event.kind, event.value) for event in port.poll(monotonic_ms())]


@pytest.mark.tools("socat")
def test_our_master_reads_ld120s_that_modbus_tk_plays(foreign: tuple[str, RtuServer]) -> None:
    path, server = foreign
    slaves = {unit: ld120_of(server, unit) for unit in (1, 2)}
    units = tuple(ModbusUnit(unit=unit, detectors={1: f"D{unit}"}) for unit in slaves)
    port = modbus_inputs(ModbusOptions(port=path, units=units, timeout_ms=1_000), monotonic_ms)
    try:
        assert until(port, 0) == []
        slaves[1].set_values("counter", 9, [0, 1])
        slaves[1].set_values("state", 1, [0x102])
        assert until(port, 1) == [("D1", PRESENCE, 1)]
        slaves[1].set_values("state", 1, [0])
        assert until(port, 1) == [("D1", PRESENCE, 0)]
        slaves[2].set_values("counter", 9, [0, 2])
        assert until(port, 4) == [("D2", PRESENCE, 1), ("D2", PRESENCE, 0)] * 2
        slaves[2].set_values("state", 1, [0x21])
        assert until(port, 1) == [("D2", FAULT, DetectorFault.SHORT)]
        assert [(unit.silent, unit.refused) for unit in port.stats().units.values()] == [(0, 0), (0, 0)]
    finally:
        port.close()


@pytest.mark.tools("socat")
def test_our_master_reads_inputs_and_refusals_of_modbus_tk(foreign: tuple[str, RtuServer]) -> None:
    path, server = foreign
    slave = server.add_slave(17)
    slave.add_block("inputs", tk.DISCRETE_INPUTS, 100, 12)
    units = (
        ModbusUnit(unit=17, profile="digital", detectors={1: "A", 11: "B"}, first=100, inverted=(11,)),
        ModbusUnit(unit=18, profile="digital", detectors={1: "C"}),
    )
    server.add_slave(18)
    port = modbus_inputs(ModbusOptions(port=path, units=units, timeout_ms=1_000, silent_sweeps=2), monotonic_ms)
    try:
        assert until(port, 2) == [("B", PRESENCE, 1), ("C", FAULT, DetectorFault.WATCHDOG)]
        assert port.stats().units[18].note == "refuses function 2 at address 0, count 1: exception 2"
        slave.set_values("inputs", 100, [1] * 12)
        assert until(port, 2) == [("A", PRESENCE, 1), ("B", PRESENCE, 0)]
    finally:
        port.close()


@pytest.fixture
def ours(tmp_path: Path) -> Iterator[PtyLine]:
    """Yield a line with an LD120 as unit 1 and a digital module as unit 254."""
    loop, module = Ld120Card(count=0x0001_0002), DigitalCard(first=16)
    loop.cover(True)
    module.cover(True, 3)
    line = PtyLine(ModbusSlave({1: loop, 247: module}), tmp_path / "slave")
    yield line
    line.close()


def mbpoll(line: PtyLine, *arguments: str) -> tuple[int, dict[int, int], str]:
    """Return mbpoll's exit code, the values that it read by its reference from 1, and all that it said."""
    command = ["mbpoll", "-m", "rtu", "-b", "9600", "-P", "none", "-1", "-q", *arguments, line.port]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    values = {int(number): int(value) for number, value in re.findall(r"^\[(\d+)\]:\s+(-?\d+)", done.stdout, re.MULTILINE)}
    return done.returncode, values, done.stdout + done.stderr


@pytest.mark.tools("mbpoll")
@pytest.mark.parametrize(
    ("arguments", "values"),
    [
        (("-a", "1", "-t", "3", "-r", "1", "-c", "2"), {1: 3 << 8 | 34, 2: 0x102}),
        (("-a", "1", "-t", "4", "-r", "10", "-c", "2"), {10: 1, 11: 3}),
        (("-a", "1", "-t", "1", "-r", "1", "-c", "6"), {1: 0, 2: 1, 3: 0, 4: 0, 5: 0, 6: 0}),
        (("-a", "1", "-t", "0", "-r", "9", "-c", "2"), {9: 1, 10: 0}),
        (("-a", "247", "-t", "1", "-r", "17", "-c", "8"), {17: 0, 18: 0, 19: 1, 20: 0, 21: 0, 22: 0, 23: 0, 24: 0}),
    ],
    ids=["input registers", "holding registers", "discrete inputs", "coils", "digital module"],
)
def test_mbpoll_reads_our_cards(ours: PtyLine, arguments: tuple[str, ...], values: dict[int, int]) -> None:
    code, found, said = mbpoll(ours, *arguments)
    assert (code, found) == (0, values), said


@pytest.mark.tools("mbpoll")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-a", "1", "-t", "3", "-r", "100", "-c", "1"), "Illegal data address"),
        (("-a", "1", "-t", "4", "-r", "1", "-c", "9"), "Illegal data value"),
        (("-a", "9", "-t", "3", "-r", "1", "-c", "1"), "Connection timed out"),
        (("-a", "1", "-t", "4", "-r", "1", "7"), "Illegal function"),
    ],
    ids=["no such address", "more than eight registers", "no such unit", "writing"],
)
def test_our_cards_refuse_as_mbpoll_understands(ours: PtyLine, arguments: tuple[str, ...], message: str) -> None:
    code, _, said = mbpoll(ours, *arguments) if arguments[-1] != "7" else writing(ours, arguments)
    assert message in said
    assert code != 0 or "failed" in said


def writing(line: PtyLine, arguments: tuple[str, ...]) -> tuple[int, dict[int, int], str]:
    """Have mbpoll write a value: that stands behind the device."""
    command = ["mbpoll", "-m", "rtu", "-b", "9600", "-P", "none", *arguments[:-1], line.port, arguments[-1]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    return done.returncode, {}, done.stdout + done.stderr
