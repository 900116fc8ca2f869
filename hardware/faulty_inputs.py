"""Broken loops for simulations: an input port around another one that spoils the events of some loops as real faults do.

What comes out is what a control would see, so a journal of it replays like any other. The same faults and seed give the same events.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hardware.ports import DetectorFault, InputEvent, InputKind, InputPort

CHATTER_MS: Final = (30, 200)  # how long a chattering relay stays on or off
ECHO_MS: Final = (150, 350)  # after a vehicle has left: when its second pulse begins and ends


class FaultKind(StrEnum):
    """How a loop is broken."""

    STUCK_ON = "stuck-on"
    STUCK_OFF = "stuck-off"
    CHATTER = "chatter"
    SILENT = "silent"  # nothing more is heard; the state stays as it was
    DOUBLE = "double"  # each vehicle counts twice
    HALF = "half"  # every second vehicle is missed
    OPEN = "open"  # the card says so, and reports a vehicle as cards do for safety
    SHORT = "short"


_CODES: Final = {FaultKind.OPEN: DetectorFault.OPEN, FaultKind.SHORT: DetectorFault.SHORT}
_HELD: Final = {FaultKind.STUCK_ON: 1, FaultKind.OPEN: 1, FaultKind.SHORT: 1, FaultKind.STUCK_OFF: 0}


@dataclass(frozen=True, slots=True)
class LoopFault:
    """One loop is broken from ``begin_ms`` on and whole again at ``end_ms``; None: never."""

    loop: str
    kind: FaultKind
    begin_ms: int
    end_ms: int | None = None


class _BrokenLoop:
    """One loop: what it really tells, and what comes out."""

    def __init__(self, fault: LoopFault, seed: int) -> None:
        self._fault = fault
        self._chance = random.Random(f"{seed}/{fault.loop}")
        self._true = self._told = 0
        self._pulses = 0
        self._echo: list[tuple[int, int]] = []  # (when, value) of the second pulse still to come
        self._next_ms = fault.begin_ms  # of chatter
        self._begun = self._ended = False

    def feed(self, events: Sequence[InputEvent], now_ms: int) -> list[InputEvent]:
        """Return what the broken loop tells up to ``now_ms``."""
        out: list[InputEvent] = []
        for event in events:
            self._pass_time(event.at_ms, out)
            self._true = int(event.value != 0)
            self._take(event.at_ms, out)
        self._pass_time(now_ms, out)
        return out

    def _pass_time(self, at_ms: int, out: list[InputEvent]) -> None:
        """Tell what happens by itself until then: begin, echoes, chatter, end."""
        fault, end_ms = self._fault, self._fault.end_ms
        if not self._begun and at_ms >= fault.begin_ms:
            self._begun = True
            self._begin(out)
        until_ms = at_ms if end_ms is None else min(at_ms, end_ms - 1)
        if self._begun and not self._ended:
            while fault.kind is FaultKind.CHATTER and self._next_ms <= until_ms:
                self._tell(self._next_ms, 1 - self._told, out)
                self._next_ms += self._chance.randint(*CHATTER_MS)
            while self._echo and self._echo[0][0] <= until_ms:
                self._tell(*self._echo.pop(0), out)
        if end_ms is not None and at_ms >= end_ms and not self._ended:
            self._ended = True
            if fault.kind in _CODES:
                out.append(InputEvent(end_ms, InputKind.DETECTOR_FAULT, fault.loop, DetectorFault.WHOLE))
            self._tell(end_ms, self._true, out)

    def _begin(self, out: list[InputEvent]) -> None:
        fault = self._fault
        if fault.kind in _CODES:
            out.append(InputEvent(fault.begin_ms, InputKind.DETECTOR_FAULT, fault.loop, _CODES[fault.kind]))
        if fault.kind in _HELD:
            self._tell(fault.begin_ms, _HELD[fault.kind], out)

    def _take(self, at_ms: int, out: list[InputEvent]) -> None:
        """Tell of a true edge what the fault leaves of it."""
        if not self._begun or self._ended:
            self._tell(at_ms, self._true, out)
        elif self._fault.kind is FaultKind.DOUBLE:
            self._double(at_ms, out)
        elif self._fault.kind is FaultKind.HALF:
            self._pulses += self._true
            self._tell(at_ms, self._true if self._pulses % 2 else 0, out)

    def _double(self, at_ms: int, out: list[InputEvent]) -> None:
        if self._true:
            if self._told:  # the next vehicle comes before the second pulse of the last one has ended
                self._tell(at_ms, 0, out)
            self._echo.clear()
        self._tell(at_ms, self._true, out)
        if not self._true:
            begin_ms, end_ms = ECHO_MS
            self._echo = [(at_ms + begin_ms, 1), (at_ms + end_ms, 0)]

    def _tell(self, at_ms: int, value: int, out: list[InputEvent]) -> None:
        if value != self._told:
            self._told = value
            out.append(InputEvent(at_ms, InputKind.PRESENCE, self._fault.loop, value))


class FaultyInputs:
    """An input port around another one in which some loops are broken."""

    def __init__(self, port: InputPort, faults: Sequence[LoopFault], seed: int) -> None:
        """Take at most one fault a loop."""
        self._port = port
        self._broken: Mapping[str, _BrokenLoop] = {fault.loop: _BrokenLoop(fault, seed) for fault in faults}

    def poll(self, now_ms: int) -> Sequence[InputEvent]:
        """Return the port's events with those of broken loops as these tell them. Raises `PortError` as the port does."""
        events = self._port.poll(now_ms)
        if not self._broken:
            return events
        spoiled = [event for event in events if event.source not in self._broken or event.kind is not InputKind.PRESENCE]
        for name, loop in self._broken.items():
            spoiled += loop.feed([e for e in events if e.source == name and e.kind is InputKind.PRESENCE], now_ms)
        return sorted(spoiled, key=lambda event: event.at_ms)
