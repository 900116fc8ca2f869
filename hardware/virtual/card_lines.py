"""The line before a virtual device: a wire in memory, or a thread behind a pseudo-terminal that can be unplugged and replugged."""

from __future__ import annotations

import os
import select
import tty
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from typing import Final, Protocol

from hardware.ports import PortError

_WAKE_S: Final = 0.05  # how soon the thread notices that it is to end


class Device(Protocol):
    """Whatever hangs on a line."""

    def feed(self, data: bytes) -> bytes:
        """Return what it answers to these octets."""
        ...


class MemoryWire:
    """A `hardware.loops.serial_line.Wire` in memory: the answer is there at once. ``plugged`` False is a lost line; the device may be changed."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self._received = bytearray()
        self.plugged = True

    def write(self, data: bytes) -> None:
        """Send to the device. Raises `PortError` while unplugged."""
        self._check()
        self._received += self.device.feed(data)

    def read(self, timeout_ms: int) -> bytes:
        """Return the answer. Raises `PortError` while unplugged."""
        del timeout_ms
        self._check()
        data = bytes(self._received)
        self._received.clear()
        return data

    def drain(self) -> None:
        """Throw away what has come. Raises `PortError` while unplugged."""
        self._check()
        self._received.clear()

    def close(self) -> None:
        """Throw away what has come; the wire can be used again."""
        self._received.clear()

    def _check(self) -> None:
        if not self.plugged:
            raise PortError("the wire in memory is unplugged")


class PtyLine:
    """A device behind a pseudo-terminal, under the name ``link``, as a udev rule names an adapter.

    ``baud`` paces both directions as a real line would, ten bits an octet (8N1); 0: as fast as it goes. ``spoil`` may change every answer
    on its way; ``sent`` is told of each once its last octet is on the wire.
    """

    def __init__(self, device: Device, link: Path, *, baud: int = 0, spoil: Callable[[bytes], bytes] | None = None) -> None:
        self._device, self._link, self._octet_s = device, link, 10 / baud if baud else 0.0
        self.spoil = spoil
        self.sent: Callable[[bytes], None] | None = None
        self._stop = Event()
        self._thread: Thread | None = None
        self._ends: tuple[int, int] = (-1, -1)
        self.plug()

    @property
    def port(self) -> str:
        """Return the name that a driver opens."""
        return str(self._link)

    def plug(self) -> None:
        """Plug in: a new pseudo-terminal appears under the name."""
        self._ends = os.openpty()
        tty.setraw(self._ends[1])
        self._link.unlink(missing_ok=True)
        self._link.symlink_to(os.ttyname(self._ends[1]))
        self._stop.clear()
        self._thread = Thread(target=self._run, args=(self._ends[0],), name="virtual line", daemon=True)
        self._thread.start()

    def unplug(self) -> None:
        """Pull the plug: whoever has it open sees the line hang up, and the name is gone."""
        if self._thread is None:
            return
        self._stop.set()
        self._thread.join()
        self._thread = None
        self._link.unlink(missing_ok=True)
        for end in self._ends:
            os.close(end)

    def close(self) -> None:
        """End the thread and remove the name."""
        self.unplug()

    def _run(self, end: int) -> None:
        while not self._stop.is_set():
            ready, _, _ = select.select([end], [], [], _WAKE_S)
            if not ready:
                continue
            data = os.read(end, 4096)
            self._stop.wait(len(data) * self._octet_s)
            answer = self._device.feed(data)
            if self.spoil is not None and answer:
                answer = self.spoil(answer)
            self._stop.wait(len(answer) * self._octet_s)
            if answer:
                os.write(end, answer)
                if self.sent is not None:
                    self.sent(answer)
