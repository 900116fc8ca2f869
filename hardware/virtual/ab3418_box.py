"""The detector side of a 2070 controller without a controller, for tests: an AB3418 slave whose status is set from outside."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from hardware.wire.ab3418 import (
    CONTROLLER,
    GET_LONG_STATUS8,
    LONG_STATUS8,
    PRESENCES,
    SYSTEM_DETECTORS,
    Interval,
    LongStatus8,
    Message,
    MessageReader,
    SystemDetector,
)

AT_REST: Final = LongStatus8(
    *(0, 0, 255, 0, 0, 0, 0, 0),
    intervals=(Interval.RED_REST, Interval.RED_REST),
    presence=0,
    master_clock_s=0,
    local_clock_s=0,
    sequence=0,
    system=(SystemDetector(0, 0),) * SYSTEM_DETECTORS,
)


class Ab3418Box:
    """A controller at an address. ``status`` may be set as a whole; `cover` and `sample` change what detectors tell."""

    def __init__(self, address: int = CONTROLLER) -> None:
        self._address = address
        self._reader = MessageReader()
        self.status = AT_REST
        self.mute = False

    def cover(self, occupied: bool, channel: int = 1) -> None:
        """Let a vehicle come or leave at a presence detector. Raises `IndexError` for a number that is none."""
        if not 1 <= channel <= PRESENCES:
            raise IndexError(f"expected detector 1 to {PRESENCES}, found {channel}")
        bit = 1 << (channel - 1)
        self.status = replace(self.status, presence=self.status.presence | bit if occupied else self.status.presence & ~bit)

    def sample(self, number: int, volume_veh: int, occupancy: int) -> None:
        """Begin a new sample with these values of one system detector, from 1."""
        system = list(self.status.system)
        system[number - 1] = SystemDetector(volume_veh, occupancy)
        self.status = replace(self.status, system=tuple(system), sequence=(self.status.sequence + 1) % 256)

    def feed(self, data: bytes) -> bytes:
        """Return the answers to the requests that these octets complete."""
        asked = [message for message in self._reader.feed(data) if (message.address, message.type) == (self._address, GET_LONG_STATUS8)]
        return b"" if self.mute else Message(self._address, LONG_STATUS8, self.status.encode()).encode() * len(asked)
