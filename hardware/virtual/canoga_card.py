"""Canoga cards without loops, for a virtual junction and for tests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final

from hardware.wire.canoga import CHANNELS, DETECTION, SERIAL_NUMBER, VERSION, Detection, Message, MessageReader, Vehicle

_REPLIES: Final[Mapping[bytes, bytes]] = {VERSION: b"BVIRTUAL001", SERIAL_NUMBER: b"aVIRTUAL00001"}  # 18 and 20 octets with their frames


class CanogaCard:
    """A card with four channels that remembers each channel's newest vehicle; ``now`` returns milliseconds."""

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._reset_ms = now()
        self._came_ms: dict[int, int] = {}
        self._newest = [Vehicle(0, 0, 0, 0)] * CHANNELS

    def cover(self, occupied: bool, channel: int = 1) -> None:
        """Let a vehicle come or leave at a channel, from 1; it is told of once it has left. Raises `IndexError` for a channel that is none."""
        if not 1 <= channel <= CHANNELS:
            raise IndexError(f"expected channel 1 to {CHANNELS}, found {channel}")
        if occupied:
            self._came_ms.setdefault(channel, self._now())
        elif channel in self._came_ms:
            came_ms = self._came_ms.pop(channel)
            before = self._newest[channel - 1]
            start_ms = came_ms - self._reset_ms or 1
            self._newest[channel - 1] = replace(before, duration_ms=self._now() - came_ms, start_ms=start_ms, count=(before.count + 1) % 256)

    def reset(self) -> None:
        """Forget all, as after a loss of power."""
        self._reset_ms = self._now()
        self._came_ms.clear()
        self._newest = [Vehicle(0, 0, 0, 0)] * CHANNELS

    def detection(self) -> Detection:
        """Return the newest vehicles."""
        return Detection(tuple(self._newest))


class CanogaSlave:
    """All cards of one line, by address. A card in ``mute`` does not answer."""

    def __init__(self, cards: Mapping[int, CanogaCard], mute: Iterable[int] = ()) -> None:
        self.cards = dict(cards)
        self.mute = set(mute)
        self._reader = MessageReader()

    def feed(self, data: bytes) -> bytes:
        """Return the answers to the requests that these octets complete."""
        return b"".join(self._answer(message) for message in self._reader.feed(data))

    def _answer(self, message: Message) -> bytes:
        card = self.cards.get(message.address)
        if card is None or message.address in self.mute:
            return b""
        if message.payload == DETECTION:
            return card.detection().encode()
        reply = _REPLIES.get(message.payload)
        return b"" if reply is None else Message(message.address, reply).encode()
