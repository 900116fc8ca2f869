"""The operator's UNIX socket: polled by the guard within a budget, so that no client can delay a tick. Who asks is what the kernel says."""

from __future__ import annotations

import grp
import os
import socket
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

from controller.cabinet.conversation import Conversation, line_of
from controller.cabinet.desk import Desk, finished
from controller.cabinet.operated import Caller
from controller.cabinet.site_models import Role
from controller.clock import elapsed_s
from controller.errors import ConfigError

BUDGET_S: Final = 0.004  # of a tick of 100 ms
MOST_CLIENTS: Final = 16
MOST_NEW: Final = 4  # clients taken in, or turned away, in one poll
OWNER: Final = 0o700  # of a mode
MOST_REQUESTS: Final = 16  # answered in one poll: all clients at the rate that each may keep up
EVICT_MS: Final = 5_000  # a client silent for so long makes room for a newcomer
CHUNK_BYTES: Final = 4_096
_CREDENTIALS: Final = struct.Struct("3i")  # pid, uid, gid (unix(7), SO_PEERCRED)


class Budget:
    """What one poll may cost: time, and requests answered."""

    def __init__(self, elapsed: Callable[[], float]) -> None:
        self._elapsed, self._until_s = elapsed, elapsed() + BUDGET_S
        self.requests = 0

    @property
    def is_over(self) -> bool:
        """Tell whether the time is over."""
        return self._elapsed() >= self._until_s

    @property
    def is_spent(self) -> bool:
        """Tell whether nobody may be answered any more."""
        return self.requests >= MOST_REQUESTS or self.is_over


class ControlSocket:
    """Serves the socket ``path``, and sockets that others have accepted (`adopt`). `poll` neither blocks nor raises."""

    def __init__(self, path: Path, desk: Desk, *, group: str = "", mode: int = 0o660, elapsed: Callable[[], float] = elapsed_s) -> None:
        """Open the socket. Raises `ConfigError` where another daemon serves it, `OSError` where it cannot be made.

        For a ``group`` it is open to the daemon's own user alone until `entrust` has given it away.
        """
        self._path, self._desk, self._elapsed = path, desk, elapsed
        self._group, self._mode, self.entrusted = group, mode, not group
        self._names = user_names()
        self._clients: list[tuple[socket.socket, Conversation]] = []
        self._adopted: SimpleQueue[tuple[socket.socket, Caller]] = SimpleQueue()
        self._news: bytes | None = None
        self._listener = _listen(path, mode if self.entrusted else mode & OWNER)

    def entrust(self) -> None:
        """Give the socket to its group. Raises `ConfigError` where there is no such group, `OSError` where we may not."""
        try:
            number = grp.getgrnam(self._group).gr_gid
        except KeyError as error:
            mend = f"Make it with: addgroup --system {self._group}. Until then only the daemon's own user and root may operate"
            raise ConfigError(f"operator.group: expected a group of this machine, found {self._group!r}. {mend}") from error
        os.chown(self._path, -1, number)
        self._path.chmod(self._mode)
        self.entrusted = True

    def poll(self, now_ms: int) -> None:
        """Accept, read, answer and send what there is, within the budget; who came last is first in the next poll."""
        budget = Budget(self._elapsed)
        self._accept(now_ms, budget)
        served = 0
        for connection, client in self._clients:
            if served and budget.is_spent:
                break
            served += 1
            self._serve(connection, client, now_ms, budget)
        self._clients = self._clients[served:] + self._clients[:served]
        for connection, client in [pair for pair in self._clients if pair[1].over]:
            self._part(connection, client)

    def publish(self) -> None:
        """Send the desk's newest status to the subscribers that have taken the last one."""
        if any(client.subscribed for _, client in self._clients):
            text = finished(self._desk.newest())
            for _, client in self._clients:
                if client.subscribed:
                    client.tell(text)

    def adopt(self, connection: socket.socket, caller: Caller) -> None:
        """Serve a connected socket that another door has accepted. May be called from any thread."""
        connection.setblocking(False)
        self._adopted.put((connection, caller))

    def close(self) -> None:
        """Close all, and remove the socket file."""
        for connection, _ in self._clients:
            connection.close()
        self._clients.clear()
        self._listener.close()
        self._path.unlink(missing_ok=True)

    def _accept(self, now_ms: int, budget: Budget) -> None:
        """Take newcomers in: each costs calls of the system at which another thread may take its turn, so that few can take long."""
        for _ in range(MOST_NEW):
            if budget.is_over or (newcomer := self._adopt_one() or self._accept_one()) is None:
                return
            self._welcome(*newcomer, now_ms)

    def _adopt_one(self) -> tuple[socket.socket, Caller] | None:
        try:
            return self._adopted.get_nowait()
        except Empty:
            return None

    def _accept_one(self) -> tuple[socket.socket, Caller] | None:
        try:
            connection, _ = self._listener.accept()
        except OSError:  # nobody waits, or the process has no file handles left; both pass
            return None
        connection.setblocking(False)
        _, uid, _ = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
        return connection, Caller(self._names.get(uid, f"uid {uid}"), "unix", Role.ENGINEER)

    def _welcome(self, connection: socket.socket, caller: Caller, now_ms: int) -> None:
        if len(self._clients) >= MOST_CLIENTS and not self._make_room(now_ms):
            try:
                connection.send(line_of({"ok": False, "error": f"expected at most {MOST_CLIENTS} clients, found as many; try again"}))
            except OSError:
                pass
            finally:
                connection.close()
            return
        self._clients.append((connection, Conversation(caller, now_ms)))

    def _make_room(self, now_ms: int) -> bool:
        connection, client = min(self._clients, key=lambda pair: pair[1].heard_ms)
        if now_ms - client.heard_ms < EVICT_MS:
            return False
        client.over = f"it was needed for another client, after {EVICT_MS // 1000} s without a word"
        self._part(connection, client)
        return True

    def _part(self, connection: socket.socket, client: Conversation) -> None:
        """Let a client go, and tell it why, where it is there to be told."""
        self._clients.remove((connection, client))
        with suppress(OSError):
            connection.send(client.farewell())
        connection.close()

    def _serve(self, connection: socket.socket, client: Conversation, now_ms: int, budget: Budget) -> None:
        try:
            if client.hungry:
                client.feed(connection.recv(CHUNK_BYTES))
        except BlockingIOError:
            pass
        except OSError:
            client.over = "the connection is lost"
        while client.step(self._desk, now_ms):
            budget.requests += 1
            if budget.is_spent:
                break
        try:
            if client.out:
                client.sent(connection.send(client.out[:65_536]), now_ms)
        except BlockingIOError:
            pass
        except OSError:
            client.over = "the connection is lost"
        client.judge(now_ms)


def user_names() -> Mapping[int, str]:
    """Return the local users' names by number, read once from the file: the name service may ask the network, and block."""
    names: dict[int, str] = {}
    try:
        lines = Path("/etc/passwd").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return names
    for line in lines:
        name, *rest = line.split(":")
        if len(rest) > 1 and rest[1].isdecimal():
            names.setdefault(int(rest[1]), name)
    return names


def _listen(path: Path, mode: int) -> socket.socket:
    path.parent.mkdir(parents=True, exist_ok=True)
    _clear_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        listener.bind(str(path))
        path.chmod(mode)  # nobody can connect before `listen`
        listener.listen(MOST_CLIENTS)
    except BaseException:
        listener.close()
        raise
    return listener


def _clear_stale(path: Path) -> None:
    """Remove a socket that nobody serves any more. Raises `ConfigError` where somebody does, or where it is another file."""
    if not path.exists() and not path.is_symlink():
        return
    if not path.is_socket():
        raise ConfigError(f"{path}: expected a socket or nothing, found another file; remove it or choose another operator.socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except BlockingIOError:  # its queue of newcomers is full
            pass
    raise ConfigError(f"{path}: expected nobody to serve this socket, found another daemon; stop it, or give this site another operator.socket")
