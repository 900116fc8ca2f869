"""The daemon as a process of its own, on dry heads, as systemd would start it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from support_control import junction

from controller.clock import elapsed_s
from controller.site import write_junction

PROGRAM: Final = "import sys; from controller.cli import main; sys.exit(main())"
SITE: Final = """
id = "corner"
junction = "junction.toml"
mode = "{mode}"
[signals]
driver = "dry"
[journal]
folder = "journal"
[state]
folder = "state"
[operator]
socket = "control.sock"
"""


class Notified:
    """The socket on which systemd listens to a service."""

    def __init__(self, folder: Path) -> None:
        self.address = str(folder / "notify.sock")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.address)
        self.heard: list[str] = []

    def wait_for(self, word: str, most_s: float) -> float:
        """Return after how many seconds a message with this word came."""
        begin_s = elapsed_s()
        while True:
            self._socket.settimeout(max(0.01, begin_s + most_s - elapsed_s()))
            text = self._socket.recv(4_096).decode()
            self.heard.append(text)
            if word in text:
                return elapsed_s() - begin_s

    def close(self) -> None:
        self._socket.close()


class Daemon:
    """``umlauf run`` in a folder; it is killed where the test leaves it running."""

    def __init__(self, folder: Path, *options: str, mode: str = "actuated") -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        (folder / "site.toml").write_text(SITE.format(mode=mode))
        write_junction(replace(junction(), detectors=()), folder / "junction.toml")  # no input is there to feed any
        self.notified = Notified(folder) if not (folder / "notify.sock").exists() else None
        environment = {**os.environ, "NOTIFY_SOCKET": str(folder / "notify.sock")}
        command = [sys.executable, "-c", PROGRAM, "run", str(folder / "site.toml"), *options]
        self.begin_s = elapsed_s()
        self.process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def stop(self, how: signal.Signals = signal.SIGTERM, most_s: float = 60.0) -> tuple[int, str]:
        """Send a signal; return the exit code and what was logged."""
        self.process.send_signal(how)
        _, log = self.process.communicate(timeout=most_s)
        return self.process.returncode, log

    def kill(self) -> None:
        """End it, if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        if self.notified is not None:
            self.notified.close()

    def wait_for(self, true: Callable[[], bool], most_s: float) -> None:
        """Wait until something is so."""
        import threading

        end_s = elapsed_s() + most_s
        while not true():
            assert elapsed_s() < end_s, f"not within {most_s} s"
            assert self.process.poll() is None, self.process.communicate()[1]
            threading.Event().wait(0.05)
