"""Detector buses on real pseudo-terminals: unplugged and plugged in again, silent, paced, in use, missing, and never waited for."""

from __future__ import annotations

import builtins
import os
import socket
import socketserver
import threading
from collections.abc import Callable
from contextlib import suppress
from importlib import util
from pathlib import Path
from typing import Any

import pytest
from support_serial import KINDS, Rig, pty_rig

from controller.clock import elapsed_s, monotonic_ms
from hardware.loops import serial_line
from hardware.loops.serial_line import Line, SerialWire
from hardware.ports import DetectorFault, InputEvent, InputKind, PortError
from hardware.registry import INPUTS, open_inputs
from hardware.virtual.card_lines import PtyLine

PRESENCE, FAULT = InputKind.PRESENCE, InputKind.DETECTOR_FAULT


def edges_of(events: list[InputEvent], source: str) -> list[int]:
    return [event.value for event in events if event.kind is PRESENCE and event.source == source]


def gather(rig: Rig, into: list[InputEvent], reached: Callable[[], bool]) -> None:
    """Poll as a guard does, through lost links, until something is reached."""

    def polled() -> bool:
        with suppress(PortError):
            into.extend(rig.poll())
        return reached()

    rig.until(polled, 20.0)


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def why_lost(rig: Rig) -> str:
    try:
        rig.poll()
    except PortError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("kind", KINDS)
def test_unplugged_and_plugged_in_again_loses_and_doubles_nothing(kind: str, tmp_path: Path) -> None:
    seen: list[InputEvent] = []
    with pty_rig(kind, tmp_path) as rig:
        assert isinstance(rig.line, PtyLine)
        rig.sweeps(4)
        for number, occupied in ((1, True), (1, False), (2, True)):
            rig.cover(number, occupied)
            rig.sweeps()
        rig.line.unplug()  # what was seen before has not been polled yet
        gather(rig, seen, rig.lost)
        assert [event.value for event in seen if event.kind is FAULT] == [DetectorFault.WATCHDOG] * 3
        rig.until(lambda: "there is no such device; plug it in" in why_lost(rig))
        rig.cover(2, False)  # while nobody looks
        rig.cover(3, True)
        rig.line.plug()
        gather(rig, seen, lambda: rig.port.stats().opened >= 2 and not rig.lost())
        rig.sweeps()
        rig.cover(3, False)
        rig.sweeps()
        seen += rig.poll()
    for number in (1, 2, 3):
        assert edges_of(seen, f"D{number}") == [1, 0], f"D{number}"
    for number in (1, 2, 3):
        assert [event.value for event in seen if event.kind is FAULT and event.source == f"D{number}"] == [DetectorFault.WATCHDOG, DetectorFault.WHOLE]
    assert [event.at_ms for event in seen] == sorted(event.at_ms for event in seen)
    assert rig.port.stats().lost == 1


def test_many_plugs_leave_no_descriptor_and_no_thread(tmp_path: Path) -> None:
    with pty_rig("ld120", tmp_path) as rig:
        assert isinstance(rig.line, PtyLine)
        rig.sweeps()
        descriptors, threads = open_files(), threading.active_count()
        for _ in range(4):
            rig.line.unplug()
            rig.until(rig.lost)
            rig.line.plug()
            opened = rig.port.stats().opened
            rig.until(lambda opened=opened: rig.port.stats().opened > opened)  # type: ignore[misc]
            rig.sweeps()
        assert (open_files(), threading.active_count()) == (descriptors, threads)
    assert threading.active_count() == threads - 2


@pytest.mark.parametrize("kind", KINDS)
def test_poll_never_waits_for_a_device_that_is_silent(kind: str, tmp_path: Path) -> None:
    with pty_rig(kind, tmp_path, spoil=lambda answer: b"") as rig:
        begin_s = elapsed_s()
        for _ in range(2_000):
            rig.lost()
        assert elapsed_s() - begin_s < 1.0
        rig.until(rig.lost)


def test_a_paced_line_answers_in_the_time_that_its_octets_take(tmp_path: Path) -> None:
    with pty_rig("ld120", tmp_path, baud=9600) as rig:
        rig.sweeps(3)
        assert rig.port.stats().sweep_ms >= 3 * 15 * 10 / 9.6, "three units of 15 octets each"


def test_a_device_in_use_is_named(tmp_path: Path) -> None:
    with pty_rig("ld120", tmp_path) as rig:
        assert isinstance(rig.line, PtyLine)
        rig.sweeps()
        with pytest.raises(PortError, match="tty-ld120: another program uses it; stop that"):
            SerialWire(Line(rig.line.port))


def test_a_parity_that_a_pseudo_terminal_refuses_is_named(tmp_path: Path) -> None:
    """A pseudo-terminal has no parity: where that alone would change, the terminal layer says that nothing did."""
    with pty_rig("ld120", tmp_path) as rig:
        assert isinstance(rig.line, PtyLine)
        rig.sweeps()
        other = os.open(rig.line.port, os.O_RDWR | os.O_NOCTTY)
        rig.port.close()
        try:
            SerialWire(Line(rig.line.port)).close()
            with pytest.raises(PortError, match="refuses 9600 baud, parity E, 1 stop bit; a pseudo-terminal takes no parity but N"):
                SerialWire(Line(rig.line.port, parity="E"))
        finally:
            os.close(other)


@pytest.mark.parametrize(
    ("port", "message"),
    [
        ("{folder}/absent", "absent: there is no such device; plug it in, or correct port in the site file"),
        ("{folder}/file", "file: .*refuses|file: cannot be opened"),
        ("nonsense://x", "nonsense://x: cannot be opened"),
        ("socket://127.0.0.1:1", "socket://127.0.0.1:1: cannot be opened"),
    ],
)
def test_a_line_that_cannot_be_opened_says_why(port: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no terminal")
    with pytest.raises(PortError, match=message):
        SerialWire(Line(port.format(folder=tmp_path)))


@pytest.mark.parametrize("driver", ["modbus", "canoga", "ab3418"])
def test_a_device_that_is_missing_at_the_start_is_a_lost_link_until_it_comes(driver: str, tmp_path: Path) -> None:
    kind = {"modbus": "ld120"}.get(driver, driver)
    path = tmp_path / "late"
    port = open_inputs(driver, KINDS[kind].options(str(path)), monotonic_ms)
    device, cover = KINDS[kind].device(monotonic_ms)
    assert type(KINDS[kind].options("x")) is INPUTS[driver].load_options()
    rig = Rig(port, cover, None, monotonic_ms)  # type: ignore[arg-type]
    try:
        rig.until(rig.lost)
        line = PtyLine(device, path)
        try:
            seen: list[InputEvent] = []
            gather(rig, seen, lambda: port.stats().sweeps >= 2)
            cover(1, True)
            rig.sweeps()
            cover(1, False)
            rig.sweeps()
            seen += rig.poll()
            assert edges_of(seen, "D1") == [1, 0]
        finally:
            line.close()
    finally:
        port.close()


def test_without_pyserial_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = util.find_spec
    monkeypatch.setattr(serial_line, "find_spec", lambda name: None if name == "serial" else real(name))
    with pytest.raises(PortError, match=r"needs pyserial, which is not installed; install it with: pip install 'umlauf\[serial\]'"):
        open_inputs("modbus", KINDS["ld120"].options("/dev/null"), monotonic_ms)


def test_the_options_need_no_pyserial(monkeypatch: pytest.MonkeyPatch) -> None:
    real: Any = builtins.__import__

    def importing(name: str, *arguments: Any) -> Any:
        assert name.split(".", maxsplit=1)[0] != "serial"
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", importing)
    for driver in ("modbus", "canoga", "ab3418"):
        assert INPUTS[driver].load_options()


def test_a_terminal_server_is_a_line_too() -> None:
    """By pyserial's URL: cards behind a socket, which is closed once by the other side."""
    device, cover = KINDS["ld120"].device(monotonic_ms)

    class Terminal(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            sessions.append(self.request)
            with suppress(OSError):
                while data := self.request.recv(256):
                    self.request.sendall(device.feed(data))

    sessions: list[socket.socket] = []
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Terminal) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        port = open_inputs("modbus", KINDS["ld120"].options(f"socket://127.0.0.1:{server.server_address[1]}"), monotonic_ms)
        rig = Rig(port, cover, None, monotonic_ms)  # type: ignore[arg-type]
        seen: list[InputEvent] = []
        try:
            gather(rig, seen, lambda: port.stats().sweeps >= 1)
            cover(1, True)
            rig.sweeps()
            sessions[0].shutdown(socket.SHUT_RDWR)
            gather(rig, seen, lambda: port.stats().opened >= 2)
            rig.sweeps()
            cover(1, False)
            rig.sweeps()
            seen += rig.poll()
        finally:
            port.close()
            server.shutdown()
    assert edges_of(seen, "D1") == [1, 0]
    assert port.stats().lost == 1
