"""A serial line: what its settings are, and how its octets come and go. pyserial is imported when a line is opened."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from threading import Event
from typing import Any, Final, Protocol

from hardware.ports import PortError

PARITIES: Final = ("N", "E", "O")
STOP_BITS: Final = (1, 2)
_SLICE_MS: Final = 10  # how long one read of the device waits at most; a line that is closed meanwhile is left within it
_QUIET_CHARACTERS: Final = 3.5  # between frames ("MODBUS over serial line", V1.02, 2.5.1.1)
_LEAST_QUIET_MS: Final = 1.75  # above 19 200 baud, by the same source


@dataclass(frozen=True, slots=True)
class Line:
    """Where and how to talk: a device (``/dev/ttyUSB0``) or a URL that pyserial knows (``socket://10.0.0.7:4001``)."""

    port: str
    baud: int = 9_600
    parity: str = "N"
    stop_bits: int = 1

    def __post_init__(self) -> None:
        """Raise `ValueError` for what no line can be."""
        if not self.port:
            raise ValueError("port: expected a device such as /dev/ttyUSB0 or a URL such as socket://host:4001, found nothing")
        if not 50 <= self.baud <= 4_000_000:
            raise ValueError(f"baud: expected 50 to 4000000, found {self.baud}")
        if self.parity not in PARITIES:
            raise ValueError(f"parity: expected one of {', '.join(PARITIES)}, found {self.parity!r}")
        if self.stop_bits not in STOP_BITS:
            raise ValueError(f"stop_bits: expected 1 or 2, found {self.stop_bits}")

    @property
    def character_ms(self) -> float:
        """Return how long one octet takes: start bit, eight bits, parity, stop bits."""
        return (9 + (self.parity != "N") + self.stop_bits) * 1_000 / self.baud


class Wire(Protocol):
    """Octets to and from whatever hangs on a line. All of it raises `PortError` once the line is lost."""

    def write(self, data: bytes) -> None:
        """Send."""
        ...

    def read(self, timeout_ms: int) -> bytes:
        """Return what has come, at least one octet; nothing, where nothing comes within the time."""
        ...

    def drain(self) -> None:
        """Throw away what has come."""
        ...

    def close(self) -> None:
        """Let go of the line."""
        ...


Opener = Callable[[], Wire]


def serial_opener(line: Line) -> Opener:
    """Return what opens the line on pyserial. Raises `PortError` where pyserial is not installed."""
    if find_spec("serial") is None:
        raise PortError(f"{line.port}: needs pyserial, which is not installed; install it with: pip install 'umlauf[serial]'")
    return lambda: SerialWire(line)


def _terminal_errors() -> tuple[type[Exception], ...]:
    """Return what termios raises, which is no `OSError`; nothing where there is no termios."""
    try:
        import termios
    except ModuleNotFoundError:
        return ()
    return (termios.error,)


# What pyserial raises: wrong settings, a lost device, a closed descriptor, and what it lets through of the terminal layer.
_ERRORS: Final[tuple[type[Exception], ...]] = (OSError, ValueError, TypeError, *_terminal_errors())


class SerialWire:
    """A `Wire` on pyserial. Raises `PortError` where the line cannot be opened as asked for."""

    def __init__(self, line: Line) -> None:
        import serial

        self._line = line
        self._quiet_s = max(_QUIET_CHARACTERS * line.character_ms, _LEAST_QUIET_MS) / 1_000
        self._never = Event()  # waits; nobody sets it
        try:
            self._serial: Any = serial.serial_for_url(
                line.port, line.baud, parity=line.parity, stopbits=line.stop_bits, timeout=_SLICE_MS / 1_000, write_timeout=1.0, exclusive=True
            )
        except _ERRORS as error:
            raise PortError(_why_not(line, error)) from error

    def write(self, data: bytes) -> None:
        """Send after the silence that parts two frames. Raises `PortError`."""
        self._never.wait(self._quiet_s)
        try:
            self._serial.write(data)
            self._serial.flush()
        except _ERRORS as error:
            raise self._lost(error) from error

    def read(self, timeout_ms: int) -> bytes:
        """Return what has come; nothing after the time. Raises `PortError`."""
        try:
            for _ in range(max(1, -(-timeout_ms // _SLICE_MS))):
                data: bytes = self._serial.read(1)
                if data:
                    return data + bytes(self._serial.read(self._serial.in_waiting))
        except _ERRORS as error:
            raise self._lost(error) from error
        return b""

    def drain(self) -> None:
        """Throw away what has come. Raises `PortError`."""
        try:
            while self._serial.in_waiting:
                self._serial.read(self._serial.in_waiting)
        except _ERRORS as error:
            raise self._lost(error) from error

    def close(self) -> None:
        """Let go of the device, whatever state it is in."""
        connection = getattr(self._serial, "_socket", None)  # pyserial lets go of a socket whose other side is gone without closing it
        with suppress(*_ERRORS):
            self._serial.close()
        if connection is not None:
            connection.close()

    def _lost(self, error: Exception) -> PortError:
        return PortError(f"{self._line.port}: the line was lost ({error}); plug the device in again, it will be opened by itself")


def _why_not(line: Line, error: Exception) -> str:
    text = str(error)
    if re.search(r"exclusively lock|Resource temporarily unavailable", text):
        return f"{line.port}: another program uses it; stop that (is umlauf run or umlauf bringup running?)"
    if "No such file" in text:
        return f"{line.port}: there is no such device; plug it in, or correct port in the site file"
    if "Permission denied" in text:
        return f"{line.port}: permission denied; add this user to the device's group (usually dialout)"
    if "Invalid argument" in text:
        setting = f"{line.baud} baud, parity {line.parity}, {line.stop_bits} stop bit{'s' * (line.stop_bits > 1)}"
        return f"{line.port}: the device refuses {setting}; a pseudo-terminal takes no parity but N, a real device may not know the baud rate"
    return f"{line.port}: cannot be opened ({text})"
