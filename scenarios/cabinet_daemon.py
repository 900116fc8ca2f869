"""The cabinet's daemon as a process of its own, started and watched as systemd would, and read through the operator's socket."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final

from controller.errors import UmlaufError
from scenarios.cabinet_site import DemoSite

RUN: Final = "import sys; from controller.cli import main; sys.exit(main(sys.argv[1:]))"
OPTIMIZER: Final = b"controller.cabinet.optimizer_process"
STOP_S: Final = 75.0  # the guard may take a minute for its way out
ASK_POLLS: Final = 5  # the status is asked for at every so many polls
LOG: Final = "daemon.log"
NOTIFY: Final = "notify.sock"


class DaemonFailedError(UmlaufError, RuntimeError):
    """The daemon did not start, or ended by itself; the message holds the last it said."""


class Daemon:
    """One process of `umlauf run`. ``clock_file``: where the wall clock's offset is read from, for the fault clock-step only."""

    def __init__(self, site: DemoSite, clock_file: Path | None = None) -> None:
        self._site = site
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.setblocking(False)
        address = site.folder / NOTIFY
        address.unlink(missing_ok=True)
        self._notify.bind(str(address))
        self._log: IO[bytes] = (site.folder / LOG).open("ab")
        launcher = ["-c", RUN] if clock_file is None else ["-m", "scenarios.cabinet_clock", str(clock_file)]
        environment = {**os.environ, "NOTIFY_SOCKET": str(address)}
        self.process = subprocess.Popen(
            [sys.executable, *launcher, "run", str(site.site_file)], stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT, env=environment
        )
        self.is_ready = False  # with its first tick
        self.status: dict[str, Any] = {}
        self._client: socket.socket | None = None
        self._rest = b""
        self._polls = 0

    def poll(self) -> None:
        """Take what the daemon tells. Raises `DaemonFailedError` where it has ended by itself."""
        with suppress(BlockingIOError):
            while True:
                self.is_ready |= b"READY=1" in self._notify.recv(4096)
        self._read_status()
        if self.process.poll() is not None:
            raise DaemonFailedError(f"umlauf run ended with code {self.process.returncode}; it said:\n{self.last_words()}")

    def last_words(self) -> str:
        """Return the end of what it logged."""
        text = (self._site.folder / LOG).read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-12:])

    def optimizers(self) -> Sequence[int]:
        """Return the process ids of its optimizer."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text(encoding="ascii").split()
        return [int(pid) for pid in children if OPTIMIZER in _command(int(pid))]

    def hit_optimizer(self, number: signal.Signals) -> int:
        """Send a signal to the optimizer; return to how many processes."""
        found = self.optimizers()
        for pid in found:
            os.kill(pid, number)
        return len(found)

    def limit_files(self, full: bool) -> None:
        """Let the kernel refuse every further byte to every file of the daemon (EFBIG), as a full disk does (ENOSPC), or let it write again."""
        _, hard = resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (1 if full else hard, hard))

    def kill(self) -> None:
        """End it with kill -9; its optimizer goes with it."""
        self._read_status()
        self.process.kill()
        self.process.wait()
        self._close()

    def stop(self) -> str:
        """End it as systemd does, and return how it ended."""
        self._read_status()
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self._close()
        return "stopped in order" if code == 0 else f"ended with code {code}:\n{self.last_words()}"

    def _close(self) -> None:
        self._notify.close()
        (self._site.folder / NOTIFY).unlink(missing_ok=True)
        self._log.close()
        self._hang_up()

    def _read_status(self) -> None:
        """Ask for the status now and then, and take the newest that has come; connect where there is no connection."""
        if self._client is None:
            self._client, self._rest = _connected(self._site.socket), b""
        self._polls += 1
        try:
            if self._client is not None and self._polls % ASK_POLLS == 0:
                self._client.sendall(b'{"do": "status"}\n')
            while self._client is not None:
                data = self._client.recv(1 << 16)
                if not data:
                    raise ConnectionResetError
                self._rest += data
        except BlockingIOError:
            pass
        except OSError:
            self._hang_up()
        *lines, self._rest = self._rest.split(b"\n")
        for line in lines:
            self.status = json.loads(line).get("status", self.status)

    def _hang_up(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


def _connected(path: Path) -> socket.socket | None:
    """Return a connection to the operator's socket, None where nobody listens yet."""
    client = socket.socket(socket.AF_UNIX)
    client.setblocking(False)
    try:
        client.connect(str(path))
    except OSError:
        client.close()
        return None
    return client


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
