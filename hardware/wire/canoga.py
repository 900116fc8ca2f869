"""Canoga C800 and C900 loop cards with four channels: requests and replies to octets and back, for both ends of the line.

Facts as the Minnesota Department of Transportation's IRIS uses them in the field. A request is ``<``, the whole length as two hexadecimal
digits, the address octet, the payload, the exclusive or of all of that as two hexadecimal digits, ``>``; most replies have the same frame. The
reply to ``*`` has none: four times nine octets and their exclusive or. One octet of exclusive or misses one error in 256, and
a window that slides over noise would soon find a sum that fits. So such a reply must begin right after the silence and be whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hardware.wire.checks import xor_sum

CHANNELS: Final = 4
DETECTION: Final = b"*"
SERIAL_NUMBER: Final = b"a"
VERSION: Final = b"B"
DETECTION_OCTETS: Final = 37
_EVENT_OCTETS: Final = 9
_FRAME_OCTETS: Final = 7  # of a frame without payload
_MOST_OCTETS: Final = 255  # two hexadecimal digits


@dataclass(frozen=True, slots=True)
class Message:
    """A frame. Addresses 0 to 15 are set by the backplane, 128 to 255 in the card's memory."""

    address: int
    payload: bytes

    def encode(self) -> bytes:
        """Return the octets. Raises `ValueError` for a payload that no frame can hold."""
        size = _FRAME_OCTETS + len(self.payload)
        if size > _MOST_OCTETS:
            raise ValueError(f"expected a payload of at most {_MOST_OCTETS - _FRAME_OCTETS} octets, found {len(self.payload)}")
        body = f"<{size:02X}".encode("ascii") + bytes((self.address,)) + self.payload
        return body + f"{xor_sum(body):02X}>".encode("ascii")


class MessageReader:
    """Finds frames among whatever arrives."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """Return the frames that have become complete; noise before and between them is passed over."""
        self._buffer += data
        found: list[Message] = []
        start = self._buffer.find(b"<")
        while start >= 0:
            message = _message_at(bytes(self._buffer), start)
            if message is not None:
                found.append(message)
                del self._buffer[: start + _FRAME_OCTETS + len(message.payload)]
                start = -1
            start = self._buffer.find(b"<", start + 1)
        del self._buffer[: -2 * _MOST_OCTETS]
        return found


class ReplyReader:
    """The master's ear for a framed reply: same address, payload beginning with what was asked."""

    def __init__(self, request: Message) -> None:
        self._request = request
        self._reader = MessageReader()

    def feed(self, data: bytes) -> Message | None:
        """Return the reply once it is complete. An echo of the request, as two-wire lines give it, is none."""
        for message in self._reader.feed(data):
            if message.address == self._request.address and message.payload[:1] == self._request.payload[:1] and message != self._request:
                return message
        return None


@dataclass(frozen=True, slots=True)
class Vehicle:
    """The newest vehicle of one channel: how long it covered the loop, when it came (since the card's reset), how many there were (modulo 256)."""

    duration_ms: int
    start_ms: int
    count: int
    state: int  # what its bits mean is not published

    @property
    def is_reset(self) -> bool:
        """Return whether the channel has seen nothing since the card was reset."""
        return self.duration_ms == self.start_ms == self.count == 0


@dataclass(frozen=True, slots=True)
class Detection:
    """The answer to `DETECTION`: the newest vehicle of each channel."""

    vehicles: tuple[Vehicle, ...]

    def encode(self) -> bytes:
        """Return the octets. Raises `OverflowError` for a number that does not fit."""
        body = b"".join(
            v.duration_ms.to_bytes(3, "big") + v.start_ms.to_bytes(4, "big") + v.count.to_bytes(1, "big") + v.state.to_bytes(1, "big") for v in self.vehicles
        )
        return body + bytes((xor_sum(body),))


class DetectionReader:
    """The master's ear for the answer to `DETECTION`: 37 octets and no more, with the right sum."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Detection | None:
        """Return the answer once it is complete; never again, once an octet too many or a wrong one has come."""
        self._buffer += data[: DETECTION_OCTETS + 1]
        if len(self._buffer) != DETECTION_OCTETS or xor_sum(bytes(self._buffer)) != 0:
            return None
        return Detection(tuple(_vehicle(bytes(self._buffer[at : at + _EVENT_OCTETS])) for at in range(0, CHANNELS * _EVENT_OCTETS, _EVENT_OCTETS)))


def _vehicle(data: bytes) -> Vehicle:
    return Vehicle(int.from_bytes(data[:3], "big"), int.from_bytes(data[3:7], "big"), data[7], data[8])


def _message_at(buffer: bytes, start: int) -> Message | None:
    """Return the frame that begins at this place, None where there is none, or not yet all of it."""
    size = _number(buffer[start + 1 : start + 3])
    end = start + size if size is not None else 0
    if size is None or size < _FRAME_OCTETS or end > len(buffer) or buffer[end - 1 : end] != b">":
        return None
    if _number(buffer[end - 3 : end - 1]) != xor_sum(buffer[start : end - 3]):
        return None
    return Message(buffer[start + 3], buffer[start + 4 : end - 3])


def _number(digits: bytes) -> int | None:
    """Return the number that two hexadecimal digits stand for."""
    text = digits.decode("ascii", "replace")
    return int(text, 16) if len(text) == 2 and all(c in "0123456789ABCDEFabcdef" for c in text) else None
