"""Agents that others wrote, with the objects of a table: net-snmp's snmpd and snmpsim; and a proxy that spoils datagrams on their way."""

from __future__ import annotations

import contextlib
import os
import random
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from support_tools import found

from controller.clock import SystemClock
from hardware.ntcip.access import Community, User, place_of
from hardware.ntcip.objects import Oid, Value, dotted
from hardware.ntcip.quirks import Quirks
from hardware.ntcip.snmp import SnmpTransport
from hardware.ports import PortError

SYS_UP_TIME: Oid = (1, 3, 6, 1, 2, 1, 1, 3, 0)
COMMUNITY = "administrator"
USER = User("umlauf", "SHA-256", "authentication it is", "privacy it is")


def free_port(host: str = "127.0.0.1") -> int:
    """Return a UDP port that is free now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind((host, 0))
        return int(one.getsockname()[1])


def wait_for(host: str, port: int, oid: Oid, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return when the agent answers; tell its log where it does not within half a minute."""
    clock = SystemClock()
    transport = SnmpTransport(host, Community(COMMUNITY), Quirks(port=port), timeout_ms=300, retries=0)
    end_ms = clock.now_ms() + 30_000
    try:
        while clock.now_ms() < end_ms and process.poll() is None:
            with contextlib.suppress(PortError):
                transport.get_many([oid])
                return
    finally:
        transport.close()
    raise AssertionError(f"no answer from {process.args!r}:\n{log.read_text(errors='replace')}")


@contextlib.contextmanager
def running(command: list[str], port: int, oid: Oid, folder: Path, host: str = "127.0.0.1", **environment: str) -> Iterator[int]:
    """Run an agent until the block ends; yield its port."""
    log = folder / "agent.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ, **environment}, cwd=folder)
        try:
            wait_for(host, port, oid, process, log)
            yield port
        finally:
            process.terminate()
            process.wait(10)


@contextlib.contextmanager
def snmpd(
    values: Mapping[Oid, Value], folder: Path, host: str = "127.0.0.1", port: int = 0, user: User = USER, engine: str = "80001f880301", boots: int = 0
) -> Iterator[int]:
    """Run net-snmp's agent with these objects, all of them writable by community and by user; it has its own sysUpTime.

    ``boots``: how often its engine has booted before.
    """
    port = port or free_port(host)
    lines = [
        f"rwcommunity{'6' if ':' in host else ''} {COMMUNITY} {host}",
        f"agentaddress {'udp6' if ':' in host else 'udp'}:{place_of(host, port)}",
        f"exactEngineID 0x{engine}",
        *((f"oldEngineID 0x{engine}", f"engineBoots {boots}") if boots else ()),
        f'createUser {user.name} {user.auth_protocol} "{user.auth_secret}" AES "{user.priv_secret}"',
        f"rwuser {user.name} authPriv",
    ]
    for oid, value in sorted(values.items()):
        if oid != SYS_UP_TIME:
            lines.append(f"override -rw .{dotted(oid)} " + (f"integer {value}" if isinstance(value, int) else f"octet_str 0x{value.hex()}"))
    config = folder / "snmpd.conf"
    config.write_text("\n".join(lines) + "\n")
    daemon = found("snmpd")
    assert daemon is not None
    command = [daemon, "-f", "-Lo", "-C", "-c", str(config), "-p", str(folder / "pid"), "-I", "-smux"]
    with running(command, port, next(iter(sorted(values))), folder, host, MIBS="", SNMP_PERSISTENT_DIR=str(folder)):
        yield port


@contextlib.contextmanager
def snmpsim(values: Mapping[Oid, Value], folder: Path) -> Iterator[int]:
    """Run snmpsim with these objects, all of them writable."""
    port, data = free_port(), folder / "data"
    data.mkdir()
    lines = [
        f"{dotted(oid)}|2:writecache|value={value}" if isinstance(value, int) and oid != SYS_UP_TIME else _fixed(oid, value)
        for oid, value in sorted(values.items())
    ]
    (data / f"{COMMUNITY}.snmprec").write_text("\n".join(lines) + "\n")
    program = Path(sys.executable).with_name("snmpsim-command-responder")
    start = [str(program)] if program.exists() else [sys.executable, "-c", "from snmpsim.commands.responder import main; main()"]
    command = [*start, f"--data-dir={data}", f"--agent-udpv4-endpoint=127.0.0.1:{port}", f"--cache-dir={folder / 'cache'}"]
    if os.geteuid() == 0:
        command += ["--process-user=root", "--process-group=root"]  # it refuses to run as root unless told so; elsewhere its files would not be ours
    with running(command, port, next(iter(sorted(values))), folder, HOME=str(folder)):
        yield port


def _fixed(oid: Oid, value: Value) -> str:
    return f"{dotted(oid)}|67|{value}" if isinstance(value, int) else f"{dotted(oid)}|4x|{value.hex()}"


Spoil = Callable[[bytes, random.Random], list[tuple[float, bytes]]]
"""What becomes of an answer: datagrams, each with the seconds after which it is sent."""


class Proxy:
    """Passes datagrams on to an agent, and its answers back as ``spoil`` says."""

    def __init__(self, agent_port: int, spoil: Spoil) -> None:
        self._agent, self.spoil, self._random = ("127.0.0.1", agent_port), spoil, random.Random(1)
        self._front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._front.bind(("127.0.0.1", 0))
        self._back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._back.bind(("127.0.0.1", 0))
        self.port = int(self._front.getsockname()[1])
        self._client: tuple[str, int] | None = None
        self._timers: list[threading.Timer] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._ended.is_set():
            for one in select.select([self._front, self._back], [], [], 0.05)[0]:
                data, address = one.recvfrom(65_535)
                if one is self._front:
                    self._client = address
                    self._back.sendto(data, self._agent)
                else:
                    self._answer(data)

    def _answer(self, data: bytes) -> None:
        for after_s, datagram in self.spoil(data, self._random):
            timer = threading.Timer(after_s, self._send, (datagram,))
            self._timers.append(timer)
            timer.start()

    def _send(self, datagram: bytes) -> None:
        if self._client is not None and not self._ended.is_set():
            with contextlib.suppress(OSError):
                self._front.sendto(datagram, self._client)

    def close(self) -> None:
        """Stop."""
        self._ended.set()
        self._thread.join()
        for timer in self._timers:
            timer.cancel()
            timer.join()
        self._front.close()
        self._back.close()
