"""Modbus RTU, functions 1 to 4, for both ends of the line: requests and replies to octets and back.

Source: "MODBUS Application Protocol Specification", V1.1b3, 6.1 to 6.4 and 7; "MODBUS over serial line", V1.02, 2.5.1.
RTU marks its frames by silence alone, which no operating system reports well. So both readers look for a frame instead: the master knows
the shape of the one reply that it waits for, the slave the few shapes of requests, and the check sum decides where the frame begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from hardware.wire.checks import crc_modbus

MOST_OCTETS: Final = 256  # of one frame
_FAILED: Final = 0x80  # added to the function of an exception's reply


class Function(IntEnum):
    """What can be read."""

    COILS = 1
    DISCRETE_INPUTS = 2
    HOLDING_REGISTERS = 3
    INPUT_REGISTERS = 4


MOST_VALUES: Final = {Function.COILS: 2000, Function.DISCRETE_INPUTS: 2000, Function.HOLDING_REGISTERS: 125, Function.INPUT_REGISTERS: 125}
_BITS: Final = (Function.COILS, Function.DISCRETE_INPUTS)


class Fault(IntEnum):
    """Why a slave refuses."""

    ILLEGAL_FUNCTION = 1
    ILLEGAL_ADDRESS = 2
    ILLEGAL_VALUE = 3
    DEVICE_FAILURE = 4


@dataclass(frozen=True, slots=True)
class Request:
    """Read ``count`` values from ``first`` on; addresses begin at 0 (register 30001 is input register 0)."""

    unit: int
    function: int
    first: int
    count: int

    def encode(self) -> bytes:
        """Return the frame."""
        return _sealed(bytes((self.unit, self.function)) + self.first.to_bytes(2, "big") + self.count.to_bytes(2, "big"))


@dataclass(frozen=True, slots=True)
class Reply:
    """The values read, in order; bits are 0 or 1."""

    unit: int
    function: int
    values: tuple[int, ...]

    def encode(self) -> bytes:
        """Return the frame. Raises `OverflowError` for a register beyond 16 bits."""
        data = _packed(self.values) if self.function in _BITS else b"".join(value.to_bytes(2, "big") for value in self.values)
        return _sealed(bytes((self.unit, self.function, len(data))) + data)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A slave's exception; ``code`` is a `Fault` or a number beyond the table."""

    unit: int
    function: int
    code: int

    def encode(self) -> bytes:
        """Return the frame."""
        return _sealed(bytes((self.unit, self.function | _FAILED, self.code)))


class ReplyReader:
    """The master's ear: finds the answer to one request among whatever arrives."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._octets = (request.count + 7) // 8 if request.function in _BITS else 2 * request.count
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Reply | Refusal | None:
        """Return the answer once it is complete. What belongs to no answer is passed over."""
        self._buffer += data
        for start in range(len(self._buffer) - 4):
            found = self._at(start)
            if found is not None:
                return found
        del self._buffer[: -2 * MOST_OCTETS]
        return None

    def _at(self, start: int) -> Reply | Refusal | None:
        unit, function, size = self._buffer[start : start + 3]
        request = self._request
        if unit != request.unit:
            return None
        if function == request.function | _FAILED:
            return Refusal(unit, request.function, size) if _intact(self._buffer, start, 5) else None
        if function != request.function or size != self._octets or not _intact(self._buffer, start, self._octets + 5):
            return None
        return Reply(unit, function, _values(request, bytes(self._buffer[start + 3 : start + 3 + size])))


class RequestReader:
    """The slave's ear: requests for any unit. A request of another function comes as one, so that it can be refused."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Request]:
        """Return the requests that have become complete; noise before and between them is passed over."""
        self._buffer += data
        found: list[Request] = []
        start = 0
        while start <= len(self._buffer) - 8:
            size = _request_octets(self._buffer, start)
            if _intact(self._buffer, start, size):
                unit, function = self._buffer[start : start + 2]
                first, count = (int.from_bytes(self._buffer[start + at : start + at + 2], "big") for at in (2, 4))
                found.append(Request(unit, function, first, count))
                del self._buffer[: start + size]
                start = 0
            else:
                start += 1
        del self._buffer[: -2 * MOST_OCTETS]
        return found


def _request_octets(buffer: bytearray, start: int) -> int:
    """Return how long a request at this place would be: writes of several values (functions 15 and 16) carry a length of their own."""
    return 9 + buffer[start + 6] if buffer[start + 1] in (15, 16) else 8


def _sealed(body: bytes) -> bytes:
    return body + crc_modbus(body).to_bytes(2, "little")


def _intact(buffer: bytearray, start: int, size: int) -> bool:
    """Return whether a whole frame of this size stands there with the right check sum."""
    end = start + size
    return len(buffer) >= end and crc_modbus(bytes(buffer[start : end - 2])) == int.from_bytes(buffer[end - 2 : end], "little")


def _packed(bits: Sequence[int]) -> bytes:
    """Return bits as octets, the first value in the lowest bit."""
    whole = sum([1 << place for place, bit in enumerate(bits) if bit])
    return whole.to_bytes((len(bits) + 7) // 8, "little")


def _values(request: Request, data: bytes) -> tuple[int, ...]:
    if request.function in _BITS:
        whole = int.from_bytes(data, "little")
        return tuple([whole >> place & 1 for place in range(request.count)])
    return tuple([int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)])
