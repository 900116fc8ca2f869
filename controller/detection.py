"""Edges to trusted detector states. A loop that breaks a limit of `LIMITS` loses trust; it is replaced, never read as "no demand"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from controller.junction import Detector, Junction, Purpose
from controller.snapshot import DetectorState
from hardware.ports import InputEvent, InputKind


class Limits(NamedTuple):
    """When a detector loses trust."""

    max_occupied_ms: int  # covered without a break
    max_silence_ms: int  # no edge at all
    chatter_edges: int  # edges within chatter_ms
    chatter_ms: int


_HOUR_MS: Final = 3_600_000
_CHATTER_MEMORY_MS: Final = 60_000  # a loop that chattered must be steady for this long

# A stop loop may be covered through a long red or a blocked exit; the others only by a queue that reaches them. Side roads
# may stay empty for half a day, so silence alone is a weak sign.
LIMITS: Final[Mapping[Purpose, Limits]] = {
    Purpose.STOP: Limits(_HOUR_MS // 2, 24 * _HOUR_MS, 12, 2_000),
    Purpose.ADVANCE: Limits(_HOUR_MS // 2, 24 * _HOUR_MS, 12, 2_000),
    Purpose.ENTRY: Limits(_HOUR_MS // 2, 24 * _HOUR_MS, 12, 2_000),
    Purpose.EXIT: Limits(_HOUR_MS // 2, 24 * _HOUR_MS, 12, 2_000),
}


class Edge(NamedTuple):
    """One trusted change of one loop."""

    at_ms: int
    detector: Detector
    on: bool
    occupied_ms: int  # how long it had been covered, at a falling edge; 0 at a rising one


class HealthEvent(NamedTuple):
    """A detector lost or regained trust."""

    at_ms: int
    detector: str
    trusted: bool
    why: str


@dataclass(slots=True)
class _Loop:
    detector: Detector
    limits: Limits
    occupied: bool = False
    changed_ms: int = 0
    count: int = 0
    burst_start_ms: int = 0
    burst_edges: int = 0
    chatter_ms: int | None = None  # when it chattered last
    trusted: bool = True
    why: str = ""  # it is not trusted
    faulty: bool = False  # by the device's own word
    due_ms: int = 0  # when its trust must be judged again, if nothing is heard of it before


class Detection:
    """Keeps the state and the health of every loop of a junction."""

    def __init__(self, junction: Junction, start_ms: int) -> None:
        self._loops = {d.id: _Loop(d, LIMITS[d.purpose], changed_ms=start_ms) for d in junction.detectors}
        self._states = {i: _state(loop) for i, loop in self._loops.items()}
        self._next_check_ms = start_ms

    def feed(self, events: Iterable[InputEvent], now_ms: int) -> tuple[list[Edge], list[HealthEvent]]:
        """Take the events of one tick; return the edges of trusted loops in order, and what changed in trust.

        Events of unknown sources or other kinds are left to others. A repeated value (ON while on) is dropped: it carries nothing.
        """
        edges: list[Edge] = []
        health: list[HealthEvent] = []
        for event in events:
            loop = self._loops.get(event.source)
            if loop is None:
                continue
            loop.due_ms = now_ms
            if event.kind is InputKind.PRESENCE:
                edge = _presence(loop, event)
                self._states[event.source] = _state(loop)
                if edge is not None and loop.trusted:
                    edges.append(edge)
            elif event.kind is InputKind.DETECTOR_FAULT:
                loop.faulty = bool(event.value)
        if now_ms >= self._next_check_ms:
            self._next_check_ms = now_ms + 1_000
            health.extend(filter(None, [_judge(loop, now_ms) for loop in self._loops.values() if loop.due_ms <= now_ms]))
            for change in health:
                self._states[change.detector] = _state(self._loops[change.detector])
        return edges, health

    def states(self) -> dict[str, DetectorState]:
        """Return every detector's state."""
        return dict(self._states)

    def state(self, detector_id: str) -> DetectorState:
        """Return one detector's state. Raises KeyError for an unknown id."""
        return self._states[detector_id]

    def why(self, detector_id: str) -> str:
        """Return why a detector is not trusted, "" where it is. Raises KeyError for an unknown id."""
        return self._loops[detector_id].why


def _state(loop: _Loop) -> DetectorState:
    return DetectorState(loop.trusted, loop.occupied, loop.changed_ms, loop.count)


def _presence(loop: _Loop, event: InputEvent) -> Edge | None:
    on = bool(event.value)
    if on == loop.occupied:
        return None
    occupied_ms = 0 if on else event.at_ms - loop.changed_ms
    loop.occupied, loop.changed_ms = on, event.at_ms
    if not on:
        loop.count += 1
    if event.at_ms - loop.burst_start_ms > loop.limits.chatter_ms:
        loop.burst_start_ms, loop.burst_edges = event.at_ms, 0
    loop.burst_edges += 1
    if loop.burst_edges > loop.limits.chatter_edges:
        loop.chatter_ms = event.at_ms
    return Edge(event.at_ms, loop.detector, on, occupied_ms)


def _judge(loop: _Loop, now_ms: int) -> HealthEvent | None:
    since_ms = now_ms - loop.changed_ms
    why = ""
    if loop.faulty:
        why = "the device reports a fault"
    elif loop.occupied and since_ms > loop.limits.max_occupied_ms:
        why = f"covered for {since_ms // 1000} s, at most {loop.limits.max_occupied_ms // 1000} s are plausible"
    elif not loop.occupied and since_ms > loop.limits.max_silence_ms:
        why = f"silent for {since_ms // 1000} s, at most {loop.limits.max_silence_ms // 1000} s are plausible"
    elif loop.chatter_ms is not None and now_ms - loop.chatter_ms < _CHATTER_MEMORY_MS:
        why = f"more than {loop.limits.chatter_edges} edges within {loop.limits.chatter_ms} ms"
    steady = why == "" and loop.chatter_ms is None
    loop.due_ms = loop.changed_ms + (loop.limits.max_occupied_ms if loop.occupied else loop.limits.max_silence_ms) + 1 if steady else now_ms
    if loop.trusted == (why == ""):
        return None
    loop.trusted, loop.why = why == "", why
    return HealthEvent(now_ms, loop.detector.id, loop.trusted, why or "plausible again")
