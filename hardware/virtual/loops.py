"""The loops of the virtual junction: vehicles over each, what its card says of them, and how it fails."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from hardware.ports import InputEvent, InputKind

CHATTER_MS: Final = 150  # a loose splice switches some times a second


class LoopFault(StrEnum):
    """How a loop fails."""

    STUCK_ON = "stuck on"
    STUCK_OFF = "stuck off"
    CHATTER = "chatter"
    OPEN = "open"  # the card notices: an open or shorted loop reports a fault and stays off


class _Loop:
    __slots__ = ("count", "fault", "shown", "switched_ms", "vehicles")

    def __init__(self) -> None:
        self.vehicles, self.shown, self.count, self.switched_ms = 0, 0, 0, 0
        self.fault: LoopFault | None = None


class LoopBank:
    """All loops by id. A card reads `presence`, `count` and `fault_of`; an input port takes the edges."""

    def __init__(self, ids: Sequence[str]) -> None:
        self._loops = {loop: _Loop() for loop in ids}
        self._events: list[InputEvent] = []
        self._loose: set[str] = set()  # loops that chatter
        self.edges = 0

    @property
    def ids(self) -> tuple[str, ...]:
        """Return the loops in the order of the street."""
        return tuple(self._loops)

    def presence(self, loop: str) -> bool:
        """Tell whether the loop's card says that it is occupied."""
        return bool(self._loops[loop].shown)

    def count(self, loop: str) -> int:
        """Return how many times the card has said so."""
        return self._loops[loop].count

    def fault_of(self, loop: str) -> LoopFault | None:
        """Return the loop's fault."""
        return self._loops[loop].fault

    def fail(self, loop: str, fault: LoopFault | None, at_ms: int) -> None:
        """Let a loop fail, or mend it with None. Raises `KeyError` on an unknown loop."""
        one = self._loops[loop]
        was, one.fault = one.fault, fault
        (self._loose.add if fault is LoopFault.CHATTER else self._loose.discard)(loop)
        if LoopFault.OPEN in (was, fault) and was is not fault:
            self._events.append(InputEvent(at_ms, InputKind.DETECTOR_FAULT, loop, int(fault is LoopFault.OPEN)))
        self._say(loop, at_ms)

    def drive(self, loop: str, change: int, at_ms: int) -> None:
        """Let a vehicle come onto the loop (1) or leave it (-1)."""
        self._loops[loop].vehicles += change
        self._say(loop, at_ms)

    def chatter(self, now_ms: int) -> None:
        """Let loops with a loose splice switch up to ``now_ms``."""
        for loop in self._loose:
            one = self._loops[loop]
            if one.fault is LoopFault.CHATTER:
                while one.switched_ms + CHATTER_MS <= now_ms:
                    self._switch(loop, one, 1 - one.shown, one.switched_ms + CHATTER_MS)

    def take(self) -> Sequence[InputEvent]:
        """Return the edges since the last call, in the order of time."""
        events, self._events = sorted(self._events, key=lambda e: e.at_ms), []
        return events

    def _say(self, loop: str, at_ms: int) -> None:
        """Show what the card makes of the loop as it is now."""
        one = self._loops[loop]
        match one.fault:
            case None:
                wanted = int(one.vehicles > 0)
            case LoopFault.STUCK_ON:
                wanted = 1
            case LoopFault.STUCK_OFF | LoopFault.OPEN:
                wanted = 0
            case LoopFault.CHATTER:
                if one.switched_ms < at_ms - 2 * CHATTER_MS:
                    one.switched_ms = at_ms
                return
        if wanted != one.shown:
            self._switch(loop, one, wanted, at_ms)

    def _switch(self, loop: str, one: _Loop, value: int, at_ms: int) -> None:
        one.shown, one.switched_ms = value, at_ms
        one.count += value
        self.edges += 1
        self._events.append(InputEvent(at_ms, InputKind.PRESENCE, loop, value))
