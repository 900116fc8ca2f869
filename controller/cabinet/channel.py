"""The way to the optimizer process: pipes to a child of our own, or a socket behind which systemd starts one. Nothing in it waits."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

READ_BYTES: Final = 1 << 20  # at most so much a call: a flood must not eat the tick
_CHUNK_BYTES: Final = 1 << 16
_PIPE_BYTES: Final = 1 << 20
_DYING: Final[list[subprocess.Popen[bytes]]] = []
COMMAND: Final = (sys.executable, "-m", "controller.cabinet.optimizer_process")


class Channel(Protocol):
    """One process at the other end, as long as it lives."""

    def send(self, data: bytes) -> int:
        """Send what can be sent at once; return how much that was. Raises `OSError` where nobody reads any more."""
        ...

    def receive(self) -> bytes | None:
        """Return what has come, b"" where nothing has, None at the end. Raises `OSError` as `send` does."""
        ...

    def close(self) -> str:
        """Kill or leave the process; return how it ended, as far as that is known."""
        ...


class ChildChannel:
    """A child process; it lives no longer than this object is open. Raises `OSError` where it cannot be started."""

    def __init__(self, command: Sequence[str] = COMMAND) -> None:
        _fetch()
        environment = {name: value for name, value in os.environ.items() if name not in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env=environment, start_new_session=True)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._sink, self._source = self.process.stdin.fileno(), self.process.stdout.fileno()
        for descriptor in (self._sink, self._source):
            os.set_blocking(descriptor, False)
            _widen(descriptor)

    def send(self, data: bytes) -> int:
        """Send what the pipe takes."""
        try:
            return os.write(self._sink, data)
        except BlockingIOError:
            return 0

    def receive(self) -> bytes | None:
        """Return what is in the pipe."""
        _fetch()
        return _drain(lambda: os.read(self._source, _CHUNK_BYTES))

    def close(self) -> str:
        """Kill the child; it is fetched once it is gone."""
        code = self.process.poll()
        if code is None:
            self.process.kill()
            _DYING.append(self.process)  # it may take a while to go, and nothing here waits
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        return "it was killed" if code is None else f"it was ended by signal {-code}" if code < 0 else f"it ended with code {code}"


class SocketChannel:
    """A connection to a UNIX socket. Raises `OSError` where nobody listens."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)
        try:
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise

    def send(self, data: bytes) -> int:
        """Send what the socket takes."""
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0

    def receive(self) -> bytes | None:
        """Return what has come."""
        return _drain(lambda: self._socket.recv(_CHUNK_BYTES))

    def close(self) -> str:
        """Hang up; a process that reads sees the end."""
        self._socket.close()
        return "the connection has ended"


def _fetch() -> None:
    """Take the killed children that are gone by now, so that no zombie stays."""
    _DYING[:] = [process for process in _DYING if process.poll() is None]


class _Read(Protocol):
    def __call__(self) -> bytes: ...


def _drain(read: _Read) -> bytes | None:
    """Read on until nothing is left, or too much has come; None where the very first read meets the end."""
    found = bytearray()
    while len(found) < READ_BYTES:
        try:
            data = read()
        except BlockingIOError:
            break
        if not data:
            return bytes(found) or None
        found += data
    return bytes(found)


def _widen(pipe: int) -> None:
    """Let a whole snapshot fit into the pipe, where the system can."""
    import fcntl

    with suppress(OSError, AttributeError):
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
