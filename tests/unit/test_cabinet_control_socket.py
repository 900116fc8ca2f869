"""The operator's socket under clients that are slow, silent, flooding or mad: no poll of the guard takes long, and others are served."""

from __future__ import annotations

import getpass
import grp
import json
import os
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from support_cabinet import PlayedGuard, status_of_day

from controller.cabinet import desk as desk_module
from controller.cabinet.audit_log import AuditLog
from controller.cabinet.control_socket import BUDGET_S, MOST_CLIENTS, MOST_NEW, MOST_REQUESTS, ControlSocket
from controller.cabinet.conversation import MOST_OUT_BYTES
from controller.cabinet.desk import Desk
from controller.clock import ManualClock, elapsed_s
from controller.errors import ConfigError
from controller.words import Lang

LONGEST_POLL_S = 0.03  # the budget is 4 ms; a machine under test may stop us for longer, never for a third of a tick on the median


class Bench:
    """A served socket whose time is moved by hand."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.clock, self.guard = ManualClock(1_000), PlayedGuard()
        self.audit = AuditLog(folder / "state", self.clock.utc)
        self.desk = Desk(self.guard, self.audit, self.clock, site="test", longest_override_ms=86_400_000, language=Lang.EN)
        self.path = folder / "control.sock"
        self.server = ControlSocket(self.path, self.desk, **options)
        self.took_s: list[float] = []
        self.clients: list[socket.socket] = []

    def client(self, *, waiting: bool = True) -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        self.clients.append(client)
        client.settimeout(5 if waiting else 0)
        client.connect(str(self.path))
        return client

    def ticks(self, count: int, step_ms: int = 100) -> None:
        for _ in range(count):
            self.clock.wait_until(self.clock.now_ms() + step_ms)
            begun_s = elapsed_s()
            self.server.poll(self.clock.now_ms())
            self.took_s.append(elapsed_s() - begun_s)

    def ask(self, client: socket.socket, request: object) -> dict[str, Any]:
        client.sendall(json.dumps(request).encode() + b"\n")
        return self.read(client)

    def read(self, client: socket.socket) -> dict[str, Any]:
        """Return the next line; the guard ticks meanwhile."""
        data = b""
        client.setblocking(False)
        until_s = elapsed_s() + 10
        while elapsed_s() < until_s:
            self.ticks(1, step_ms=10)
            try:
                data += client.recv(1_000_000)
            except BlockingIOError:
                threading.Event().wait(0.002)  # the audit log's thread writes
            if data.endswith(b"\n"):
                found: dict[str, Any] = json.loads(data.splitlines()[-1])
                return found
        raise AssertionError(f"no answer, only {data!r}")

    def close(self) -> None:
        for client in self.clients:
            client.close()
        self.server.close()
        self.audit.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()


def test_the_kernel_says_who_asks(bench: Bench) -> None:
    answer = bench.ask(bench.client(), {"do": "ping"})
    assert answer["you"] == getpass.getuser()
    answer = bench.ask(bench.client(), {"do": "override", "mode": "fixed", "for_s": 60, "reason": "test", "who": "somebody"})
    assert answer["ok"] is True
    assert bench.guard.calls == [("override", getpass.getuser(), "test")]


def test_the_socket_file_is_closed_to_others(bench: Bench) -> None:
    assert stat.S_IMODE(bench.path.stat().st_mode) == 0o660


def test_a_subscriber_gets_every_status(bench: Bench) -> None:
    bench.desk.publish(status_of_day())
    client = bench.client()
    assert bench.ask(client, {"do": "subscribe"})["status"]["ticks"] == 7230
    for ticks in (1, 2, 3):
        bench.desk.publish(status_of_day(ticks=ticks))
        bench.server.publish()
        assert bench.read(client)["status"]["ticks"] == ticks


def test_a_request_in_pieces_is_one_request(bench: Bench) -> None:
    client = bench.client()
    for byte in b'{"do":"ping"':
        client.sendall(bytes([byte]))
        bench.ticks(1)
    client.sendall(b"}\n")
    assert bench.read(client)["ok"]


def flood(bench: Bench) -> None:
    client = bench.client()
    client.setblocking(False)
    for _ in range(20):
        try:
            client.send(b'{"do":"status"}\n' * 2_000)
        except BlockingIOError:
            break


def garbage(bench: Bench) -> None:
    bench.client().sendall(bytes(range(256)) * 200)


def endless_line(bench: Bench) -> None:
    bench.client().sendall(b"x" * 100_000)


def silent(bench: Bench) -> None:
    with suppress(BlockingIOError):  # the kernel's queue of newcomers is full
        for _ in range(3 * MOST_CLIENTS):
            bench.client()


def reads_nothing(bench: Bench) -> None:
    client = bench.client()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
    client.sendall(b'{"do":"subscribe"}\n')


def half_a_line(bench: Bench) -> None:
    bench.client().sendall(b'{"do":')


def leaves_at_once(bench: Bench) -> None:
    for _ in range(4):
        client = bench.client()
        client.sendall(b'{"do":"status"}\n')
        client.close()


@pytest.mark.parametrize("attack", [flood, garbage, endless_line, silent, reads_nothing, half_a_line, leaves_at_once])
def test_no_client_delays_a_tick_or_keeps_others_out(bench: Bench, attack: Callable[[Bench], None]) -> None:
    detectors = status_of_day().detectors * 50
    bench.desk.publish(status_of_day(detectors=detectors))
    for second in range(12):
        if second in (0, 5):
            attack(bench)
        bench.desk.publish(status_of_day(detectors=detectors, ticks=second))
        bench.server.publish()
        bench.ticks(10)
    assert bench.ask(bench.client(), {"do": "status"})["status"]["ticks"] == 11
    took_s = sorted(bench.took_s)
    assert took_s[len(took_s) // 2] < 0.005
    assert took_s[int(0.98 * len(took_s))] < LONGEST_POLL_S


def crowd(bench: Bench, data: bytes) -> None:
    """Fill the house with clients who all send the same."""
    for k in range(MOST_CLIENTS):
        bench.client().sendall(data)
        if k % MOST_NEW == MOST_NEW - 1:
            bench.ticks(1)


def knocks(bench: Bench) -> None:
    """Knock as often as the kernel's queue of newcomers takes it."""
    with suppress(BlockingIOError):
        while True:
            bench.client(waiting=False)


class Work:
    """What a poll does, counted where it is done."""

    def __init__(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        self.newcomers = self.requests = self.statuses = 0
        welcome, handle = bench.server._welcome, bench.desk.handle

        def counted_welcome(*arguments: Any) -> None:
            self.newcomers += 1
            welcome(*arguments)

        def counted_handle(*arguments: Any) -> Any:
            self.requests += 1
            return handle(*arguments)

        def counted_json(data: object) -> bytes:
            self.statuses += isinstance(data, dict) and "detectors" in data
            return json_of(data)

        json_of = desk_module.json_of
        monkeypatch.setattr(bench.server, "_welcome", counted_welcome)
        monkeypatch.setattr(bench.desk, "handle", counted_handle)
        monkeypatch.setattr(desk_module, "json_of", counted_json)


def test_a_poll_does_so_much_and_no_more(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.desk.publish(status_of_day())
    crowd(bench, b'{"do":"status"}\n' * 200)
    most = {"newcomers": 0, "requests": 0}
    work = Work(bench, monkeypatch)
    for _ in range(50):
        knocks(bench)
        work.newcomers = work.requests = 0
        bench.ticks(1)
        most = {name: max(count, getattr(work, name)) for name, count in most.items()}
    assert most == {"newcomers": MOST_NEW, "requests": MOST_REQUESTS}


def test_a_status_is_put_into_words_once_however_many_ask(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    work = Work(bench, monkeypatch)
    crowd(bench, b'{"do":"subscribe"}\n' * 20)
    for second in range(3):
        bench.desk.publish(status_of_day(ticks=second))
        bench.server.publish()
        bench.ticks(10)
    assert work.requests > 100
    assert work.statuses == 3


def test_what_takes_long_is_put_off_and_nobody_is_forgotten(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Newcomers cost more than the budget here: one of them is dealt with in each poll, and one client is served all the same."""
    spent_s = 0.0
    monkeypatch.setattr(bench.server, "_elapsed", lambda: spent_s)
    crowd(bench, b"")
    work = Work(bench, monkeypatch)
    turn_away = bench.server._welcome

    def slow(*arguments: Any) -> None:
        nonlocal spent_s
        spent_s += 2 * BUDGET_S
        turn_away(*arguments)

    monkeypatch.setattr(bench.server, "_welcome", slow)
    for client in bench.clients[:MOST_CLIENTS]:
        client.sendall(b'{"do":"ping"}\n')
    for polls in range(1, MOST_CLIENTS + 1):
        knocks(bench)
        bench.ticks(1)
        assert (work.newcomers, work.requests) == (polls, polls)
    assert all(client.recv(4_096).endswith(b"}\n") for client in bench.clients[:MOST_CLIENTS])


def test_a_flood_is_answered_at_its_rate_only(bench: Bench) -> None:
    bench.desk.publish(status_of_day())
    flood(bench)
    bench.ticks(50)
    client = bench.clients[0]
    answers = client.recv(10_000_000).count(b"\n")
    assert 20 <= answers <= 61  # ten at once, then ten a second for five seconds; as far as the socket's buffer takes them


def test_a_flood_of_status_questions_stays_within_its_memory(bench: Bench) -> None:
    bench.desk.publish(status_of_day(detectors=status_of_day().detectors * 500))
    flood(bench)
    bench.ticks(300)
    longest = len(desk_module.finished(bench.desk.newest()))
    assert all(len(client.out) <= MOST_OUT_BYTES + longest for _, client in bench.server._clients)


def test_a_client_that_takes_nothing_or_asks_nothing_is_let_go(bench: Bench) -> None:
    bench.desk.publish(status_of_day(detectors=status_of_day().detectors * 3_000))
    reads_nothing(bench)
    idle = bench.client()
    bench.ticks(20)
    assert len(bench.server._clients) == 2
    bench.ticks(150)
    assert len(bench.server._clients) == 1
    bench.ticks(600)
    assert bench.server._clients == []
    assert bench.read(idle)["error"] == "the daemon has closed the connection: the client asks nothing for 60 s. Connect again."


def test_whoever_makes_room_is_told(bench: Bench) -> None:
    first = bench.client()
    bench.ticks(60)
    for _ in range(MOST_CLIENTS):
        bench.client()
        bench.ticks(1, step_ms=1)
    assert "it was needed for another client, after 5 s without a word" in bench.read(first)["error"]
    assert len(bench.server._clients) == MOST_CLIENTS


def test_a_full_house_tells_the_newcomer(bench: Bench) -> None:
    for _ in range(MOST_CLIENTS):
        bench.client()
        bench.ticks(1, step_ms=1)
    client = bench.client()
    assert "expected at most 16 clients" in bench.read(client)["error"]


def test_a_dead_daemons_socket_is_replaced_a_living_ones_is_not(bench: Bench, tmp_path: Path) -> None:
    dead = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(dead))
    ControlSocket(dead, bench.desk).close()
    assert not dead.exists()
    with pytest.raises(ConfigError, match="found another daemon"):
        ControlSocket(bench.path, bench.desk)
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="found another file"):
        ControlSocket(tmp_path / "file", bench.desk)


def test_an_unknown_group_leaves_the_socket_to_the_daemons_user_until_there_is_one(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.sock"
    server = ControlSocket(path, bench.desk, group="no-such-group")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(ConfigError, match=r"operator\.group: .*addgroup --system no-such-group.* only the daemon's own user"):
        server.entrust()
    assert not server.entrusted
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    given = []
    monkeypatch.setattr(grp, "getgrnam", lambda name: grp.struct_group((name, "x", 4711, [])))
    monkeypatch.setattr(os, "chown", lambda *to: given.append(to))
    server.entrust()
    assert (server.entrusted, given) == (True, [(path, -1, 4711)])
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    server.close()
