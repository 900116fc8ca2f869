"""Loop cards without loops: slaves on a Modbus line that tell what a virtual junction, or a test, says of the traffic.

A card is a plain object; `ModbusSlave` turns octets into questions to the cards and back. What carries the octets stands in
`hardware.virtual.card_lines`: a wire in memory, or a thread behind a pseudo-terminal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from hardware.wire.modbus import MOST_VALUES, Fault, Function, Refusal, Reply, Request, RequestReader

LD120_VERSION: Final = 3
LD120_TYPE: Final = 34
_MOST_REGISTERS: Final = 8  # in one message of an LD120
_COUNT_MODULUS: Final = 1 << 32
_FUNCTIONS: Final = frozenset(Function)


class Card(Protocol):
    """What a slave can be asked: its values by function and address."""

    def values(self, function: Function) -> Mapping[int, int]:
        """Return the values that can be read with this function, by address from 0."""
        ...


class Ld120Card:
    """A Procon LD120: one loop. ``most`` registers of a message as in its manual; ``count`` may be set to provoke a wrap."""

    def __init__(self, count: int = 0) -> None:
        self.count = count
        self.occupied = False
        self.open_circuit = False
        self.short_circuit = False

    def cover(self, occupied: bool, channel: int = 1) -> None:
        """Let a vehicle come (counted) or leave. Raises `IndexError` for a channel that it does not have."""
        if channel != 1:
            raise IndexError(f"an LD120 has channel 1 alone, found {channel}")
        self.count = (self.count + (occupied and not self.occupied)) % _COUNT_MODULUS
        self.occupied = occupied

    def break_loop(self, *, open_circuit: bool = False, short_circuit: bool = False) -> None:
        """Break the loop, or mend it; a broken loop detects nothing."""
        self.open_circuit, self.short_circuit = open_circuit, short_circuit

    def values(self, function: Function) -> Mapping[int, int]:
        """Return coils, inputs and registers as the manual lists them."""
        broken = self.open_circuit or self.short_circuit
        detect = int(self.occupied and not broken)
        bits = {0: int(broken), 1: detect, 4: int(self.open_circuit), 5: int(self.short_circuit)}
        match function:
            case Function.COILS:
                return dict.fromkeys(range(10), 0) | {8: detect, 9: int(broken)}
            case Function.DISCRETE_INPUTS:
                return dict.fromkeys(range(8), 0) | bits
            case Function.INPUT_REGISTERS:
                state = sum(bit << place for place, bit in {**bits, 8: detect, 9: int(broken)}.items())
                return {0: LD120_VERSION << 8 | LD120_TYPE, 1: state}
            case Function.HOLDING_REGISTERS:
                return dict.fromkeys(range(14), 0) | {9: self.count >> 16, 10: self.count & 0xFFFF}


class DigitalCard:
    """A module with inputs from address ``first`` on, and a 32-bit counter for each in the holding registers from 0, high word first."""

    def __init__(self, channels: int = 8, first: int = 0) -> None:
        self._first = first
        self._inputs = [False] * channels
        self.counts = [0] * channels

    def cover(self, occupied: bool, channel: int = 1) -> None:
        """Let a vehicle come (counted) or leave at a channel, from 1. Raises `IndexError` for one that it does not have."""
        if channel < 1:
            raise IndexError(f"channels begin at 1, found {channel}")
        self.counts[channel - 1] += occupied and not self._inputs[channel - 1]
        self._inputs[channel - 1] = occupied

    def values(self, function: Function) -> Mapping[int, int]:
        """Return the inputs as bits (coils and discrete inputs) and the counters as registers."""
        if function in (Function.COILS, Function.DISCRETE_INPUTS):
            return dict(enumerate(map(int, self._inputs), self._first))
        words = (word for count in self.counts for word in (count >> 16 & 0xFFFF, count & 0xFFFF))
        return dict(enumerate(words))


class ModbusSlave:
    """All cards of one line, by unit number. A unit in ``mute`` does not answer."""

    def __init__(self, cards: Mapping[int, Card], mute: Iterable[int] = ()) -> None:
        self.cards = dict(cards)
        self.mute = set(mute)
        self._reader = RequestReader()

    def feed(self, data: bytes) -> bytes:
        """Return the answers to the requests that these octets complete."""
        return b"".join(self._answer(request) for request in self._reader.feed(data))

    def _answer(self, request: Request) -> bytes:
        card = self.cards.get(request.unit)
        if card is None or request.unit in self.mute:
            return b""
        found = _read(card, request)
        if isinstance(found, Fault):
            return Refusal(request.unit, request.function, found).encode()
        return Reply(request.unit, request.function, found).encode()


def _read(card: Card, request: Request) -> tuple[int, ...] | Fault:
    """Return what is asked for, or why it cannot be (application protocol, 6.1 to 6.4: function, then count, then address)."""
    if request.function not in _FUNCTIONS:
        return Fault.ILLEGAL_FUNCTION
    function = Function(request.function)
    registers = function in (Function.HOLDING_REGISTERS, Function.INPUT_REGISTERS)
    most = _MOST_REGISTERS if registers and isinstance(card, Ld120Card) else MOST_VALUES[function]
    if not 1 <= request.count <= most:
        return Fault.ILLEGAL_VALUE
    values = card.values(function)
    try:
        return tuple([values[address] for address in range(request.first, request.first + request.count)])
    except KeyError:
        return Fault.ILLEGAL_ADDRESS
