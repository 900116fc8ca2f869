"""AB3418, as Californian 170 and 2070 controllers speak it on an asynchronous line: frames, and the status that tells detectors and signals.

Facts as the University of California's PATH programme uses them in the field. Frame: 7E, address, 13 (unnumbered information), C0 (protocol),
type, data, frame check sequence of X.25 with the low octet first, 7E; inside, 7E travels as 7D 5E and 7D as 7D 5D.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from hardware.wire.checks import crc_x25

GET_LONG_STATUS8: Final = 0x8C
LONG_STATUS8: Final = 0xCC
CONTROLLER: Final = 0x05  # the address octet in the field
PRESENCES: Final = 28
SYSTEM_DETECTORS: Final = 8
MOST_OCTETS: Final = 1_024  # of one frame; what grows longer is noise
_FLAG, _ESCAPE, _FLIP = 0x7E, 0x7D, 0x20
_CONTROL, _PROTOCOL = 0x13, 0xC0
_STATUS_OCTETS: Final = 32


@dataclass(frozen=True, slots=True)
class Message:
    """One frame's content."""

    address: int
    type: int
    data: bytes = b""

    def encode(self) -> bytes:
        """Return the octets."""
        body = bytes((self.address, _CONTROL, _PROTOCOL, self.type)) + self.data
        body += crc_x25(body).to_bytes(2, "little")
        stuffed = b"".join(bytes((_ESCAPE, octet ^ _FLIP)) if octet in (_FLAG, _ESCAPE) else bytes((octet,)) for octet in body)
        return bytes((_FLAG,)) + stuffed + bytes((_FLAG,))


class MessageReader:
    """Finds frames among whatever arrives; ``spoilt`` counts those whose check sequence, header or stuffing was wrong."""

    def __init__(self) -> None:
        self._body = bytearray()
        self._escaped = False
        self._broken = False
        self.spoilt = 0

    def feed(self, data: bytes) -> list[Message]:
        """Return the frames that have become complete. The flag that ends one may begin the next."""
        found: list[Message] = []
        for octet in data:
            if octet == _FLAG:
                message = self._end()
                if message is not None:
                    found.append(message)
            elif len(self._body) >= MOST_OCTETS:
                self._broken = True
            elif octet == _ESCAPE:
                self._broken |= self._escaped
                self._escaped = True
            else:
                self._body.append(octet ^ (_FLIP if self._escaped else 0))
                self._escaped = False
        return found

    def _end(self) -> Message | None:
        body, broken = bytes(self._body), self._broken or self._escaped
        self._body.clear()
        self._escaped = self._broken = False
        if not body and not broken:
            return None
        whole = len(body) >= 6 and crc_x25(body[:-2]) == int.from_bytes(body[-2:], "little")
        if broken or not whole or body[1:3] != bytes((_CONTROL, _PROTOCOL)):
            self.spoilt += 1
            return None
        return Message(body[0], body[3], body[4:-2])


class Interval(IntEnum):
    """What a ring is doing."""

    WALK = 0
    DONT_WALK = 1
    MIN_GREEN = 2
    UNUSED = 3
    ADDED_INITIAL = 4
    PASSAGE = 5
    MAX_GAP = 6
    MIN_GAP = 7
    RED_REST = 8
    PREEMPTION = 9
    STOP_TIME = 10
    RED_REVERT = 11
    MAX_TERMINATION = 12
    GAP_TERMINATION = 13
    FORCE_OFF = 14
    RED_CLEARANCE = 15


class Alarm(IntEnum):
    """Bits of the status octet."""

    PREEMPT = 0
    CABINET_FLASH = 1
    PASSED_LOCAL_ZERO = 2
    LOCAL_OVERRIDE = 3
    COORDINATION = 4
    DETECTOR_FAULT = 5
    NON_CRITICAL = 6
    CRITICAL = 7


class LoopFault(IntEnum):
    """What stands in place of an occupancy where a system detector is broken."""

    STUCK_ON = 210
    STUCK_OFF = 211
    OPEN = 212
    SHORT = 213
    EXCESSIVE_INDUCTANCE = 214
    OVERCOUNT = 215


MOST_OCCUPANCY: Final = 200  # in half percents


@dataclass(frozen=True, slots=True)
class SystemDetector:
    """One of eight detectors that the controller counts: vehicles and occupancy (half percents, or a `LoopFault`) of the newest sample."""

    volume_veh: int
    occupancy: int

    @property
    def occupancy_pct(self) -> float | None:
        """Return the occupancy; None where the octet is none."""
        return self.occupancy / 2 if self.occupancy <= MOST_OCCUPANCY else None

    @property
    def fault(self) -> LoopFault | None:
        """Return what is wrong with the loop."""
        return LoopFault(self.occupancy) if self.occupancy in list(LoopFault) else None


@dataclass(frozen=True, slots=True)
class LongStatus8:
    """The answer to `GET_LONG_STATUS8`. Masks have phase 1, overlap A or detector 1 in their lowest bit; rings are 0 and 1 as on the wire."""

    flags: int
    status: int
    pattern: int  # 254 flash, 255 free
    overlaps: int  # 0-3 green A-D, 4-7 yellow A-D
    preemption: int
    phase_calls: int
    ped_calls: int
    active_phases: int
    intervals: tuple[Interval, Interval]
    presence: int  # 28 bits
    master_clock_s: int
    local_clock_s: int
    sequence: int  # of the samples of the system detectors
    system: tuple[SystemDetector, ...]

    def present(self, detector: int) -> bool:
        """Return whether a vehicle is on a detector, from 1 to 28."""
        return bool(self.presence >> (detector - 1) & 1)

    def alarms(self) -> frozenset[Alarm]:
        """Return the bits that are set."""
        return frozenset(alarm for alarm in Alarm if self.status >> alarm & 1)

    def phases_on(self) -> tuple[int, ...]:
        """Return the numbers of the active phases."""
        return tuple(phase for phase in range(1, 9) if self.active_phases >> (phase - 1) & 1)

    def encode(self) -> bytes:
        """Return the data octets of a message of type `LONG_STATUS8`."""
        head = (self.flags, self.status, self.pattern, self.overlaps, self.preemption, self.phase_calls, self.ped_calls, self.active_phases)
        tail = (self.master_clock_s, self.local_clock_s, self.sequence)
        samples = (octet for detector in self.system for octet in (detector.volume_veh, detector.occupancy))
        return bytes((*head, self.intervals[0] | self.intervals[1] << 4, *self.presence.to_bytes(4, "little"), *tail, *samples))


def decode_long_status8(data: bytes) -> LongStatus8 | None:
    """Return the status that a message's data hold; None where they do not have its length."""
    if len(data) != _STATUS_OCTETS:
        return None
    flags, status, pattern, overlaps, preemption, phase_calls, ped_calls, active_phases = data[:8]
    return LongStatus8(
        *(flags, status, pattern, overlaps, preemption, phase_calls, ped_calls, active_phases),
        intervals=(Interval(data[8] & 0xF), Interval(data[8] >> 4)),
        presence=int.from_bytes(data[9:13], "little") & (1 << PRESENCES) - 1,
        master_clock_s=data[13],
        local_clock_s=data[14],
        sequence=data[15],
        system=tuple(SystemDetector(data[at], data[at + 1]) for at in range(16, _STATUS_OCTETS, 2)),
    )


class StatusReader:
    """The ear of whoever asked a controller for its status."""

    def __init__(self, address: int = CONTROLLER) -> None:
        self._address = address
        self._reader = MessageReader()

    def feed(self, data: bytes) -> LongStatus8 | None:
        """Return the status once it is complete. Other frames, and those of other addresses, are passed over."""
        for message in self._reader.feed(data):
            if message.address == self._address and message.type == LONG_STATUS8:
                status = decode_long_status8(message.data)
                if status is not None:
                    return status
        return None
