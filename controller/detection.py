"""Edges to trusted detector states. A loop that breaks a rule of `controller.detector_rules` loses trust; it is replaced, never read as "no demand".

Every second a loop is judged by what it shows itself, every few seconds by what others have seen. One that has lost its trust gets it back
when nothing has spoken against it for its fault's hold-down, longer after a relapse.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from controller.detector_followers import Followers, Platoons
from controller.detector_lines import Lines
from controller.detector_rules import HOLD_DOWN_MS, LIMITS, LONGEST_HOLD_DOWN_MS, LOOK_MS, MISCOUNTS, OF_DEVICE, RELAPSE_MS, Fault, Limits
from controller.detector_verdicts import Finding, Verdicts
from controller.detector_witness import Witnesses
from controller.detector_words import why
from controller.junction import Detector, Junction
from controller.profile import Profile
from controller.requests import Requests
from controller.snapshot import DetectorState, SignalState
from controller.stand_in import Flows
from hardware.ports import DetectorFault, InputEvent, InputKind

JUDGE_MS: Final = 1_000
_MINUTE_MS: Final = 60_000
_MOVES_MS: Final = 1_500  # a car that drives at 5 m/s or more covers a loop of 2 m for less
_FOLLOWS_MS: Final = 400  # and the next one leaves the loop free for longer: drivers keep some 0.6 s at least, of which the loop takes little
_ECHO_RATE: Final = 0.05  # about the last twenty pulses
_CHATTER_MEMORY_MS: Final = HOLD_DOWN_MS[Fault.CHATTER]
_MUST_CHANGE: Final = frozenset({Fault.STUCK_ON, Fault.STUCK_OFF})  # without a change nothing shows that they are over


class Edge(NamedTuple):
    """One trusted change of one loop."""

    at_ms: int
    detector: Detector
    on: bool
    occupied_ms: int  # how long it had been covered, at a falling edge; 0 at a rising one


class HealthEvent(NamedTuple):
    """A detector lost or regained trust; ``fault`` says which one it was."""

    at_ms: int
    detector: str
    trusted: bool
    why: str
    fault: Fault


@dataclass(slots=True)
class _Loop:
    detector: Detector
    limits: Limits
    followers: Followers
    occupied: bool = False
    changed_ms: int = 0
    count: int = 0
    edges: int = 0
    burst_start_ms: int = 0
    burst_edges: int = 0
    minute_ms: int = 0  # when the present minute of counting began, and the count then
    minute_count: int = 0
    chatter_ms: int | None = None  # when it chattered last
    pulse_ms: int = 0  # how long the last pulse was
    longest_ms: int = 0  # and the longest of a time when it was trusted
    echo_ratio: float = 0.0
    device: int = 0  # what the device says: see `DetectorFault`
    charged: Finding | None = None  # what others say
    trusted: bool = True
    fault: Fault | None = None
    why: str = ""
    instead_veh_s: float = 0.0
    back_ms: int = 0  # when its trust came back last; what it showed before, nobody knows for how long
    lost_edges: int = 0
    hold_down_ms: int = 0
    bad_ms: int = 0  # when something spoke against it last
    due_ms: int = 0  # when it must be judged again, if nothing is heard of it before


class Detection:
    """Keeps the state and the health of every loop of a junction, and who has asked by a button.

    ``line_of``: by detector, the input source that it hangs on. ``limits``: by detector, those that are not its purpose's.
    ``week_ms``: the time since Monday 0:00, as the site's clocks show it, when the monotonic clock was zero; the profile needs it.
    """

    def __init__(
        self, junction: Junction, start_ms: int, *, line_of: Mapping[str, str] | None = None, limits: Mapping[str, Limits] | None = None, week_ms: int = 0
    ) -> None:
        own = limits or {}
        now = Platoons()
        self._loops = {d.id: _Loop(d, own.get(d.id, LIMITS[d.purpose]), Followers(now), changed_ms=start_ms, minute_ms=start_ms) for d in junction.detectors}
        self.requests = Requests(junction, start_ms)
        self._states = {i: _state(loop) for i, loop in self._loops.items()}
        self._told: Mapping[str, DetectorState] | None = None  # the states as they were told, until one changes
        self._flows = Flows(junction, Profile(self._loops, week_ms), start_ms)
        self._witnesses = Witnesses(junction)
        self._verdicts = Verdicts(junction, self._witnesses, self._flows)
        self._lines = Lines(junction, line_of or {}, start_ms)
        self._looked_edges = dict.fromkeys(self._loops, 0)
        self._next_check_ms = start_ms
        self._next_look_ms = start_ms + LOOK_MS

    def feed(self, events: Sequence[InputEvent], now_ms: int) -> tuple[list[Edge], list[HealthEvent]]:
        """Take the events of one tick; return the edges of trusted loops in order, and what changed in trust.

        Events of unknown sources or other kinds are left to others. A repeated value (ON while on) is dropped: it carries nothing.
        """
        edges: list[Edge] = []
        self.requests.feed(events)
        for event in events:
            loop = self._loops.get(event.source)
            if loop is None:
                continue
            loop.due_ms = now_ms
            if event.kind is InputKind.PRESENCE:
                edge = _presence(loop, event)
                self._set(loop)
                if edge is not None and loop.trusted:
                    edges.append(edge)
            elif event.kind is InputKind.DETECTOR_FAULT:
                loop.device = event.value
        if now_ms < self._next_check_ms:
            return edges, []
        self._next_check_ms = now_ms + JUDGE_MS
        if now_ms >= self._next_look_ms:
            self._next_look_ms = now_ms + LOOK_MS
            self._look(now_ms)
        health = [change for loop in self._loops.values() if loop.due_ms <= now_ms and (change := _judge(loop, now_ms)) is not None]
        for change in health:
            self._set(self._loops[change.detector])
        return edges, health

    def asked_ms(self, signals: Iterable[SignalState], now_ms: int) -> Mapping[str, int]:
        """Return since when which groups that are not green have been asked for by a button."""
        return self.requests.stand({g for s in signals for g, since in s.green_since_ms.items() if since is not None}, now_ms)

    def states(self) -> Mapping[str, DetectorState]:
        """Return every detector's state; the same mapping as long as none changes."""
        if self._told is None:
            self._told = dict(self._states)
        return self._told

    def state(self, detector_id: str) -> DetectorState:
        """Return one detector's state. Raises KeyError for an unknown id."""
        return self._states[detector_id]

    def why(self, detector_id: str) -> str:
        """Return why a detector is not trusted, "" where it is. Raises KeyError for an unknown id."""
        return self._loops[detector_id].why

    def learned(self) -> dict[str, Any]:
        """Return the profile as plain JSON data."""
        return self._flows.profile.learned()

    def recall(self, data: Mapping[str, Any]) -> None:
        """Take back what `learned` gave. Raises `ValueError` for other data."""
        self._flows.profile.recall(data)

    def _look(self, now_ms: int) -> None:
        """Compare the loops with each other; find what stands in for those without trust."""
        loops = self._loops
        trusted = {name: loop.trusted for name, loop in loops.items()}
        changed = {name: loop.edges != self._looked_edges[name] for name, loop in loops.items()}
        self._flows.look({name: loop.count for name, loop in loops.items()}, trusted, changed, self._verdicts.doubted, now_ms)
        self._witnesses.look(loops, changed, now_ms)
        self._verdicts.look(loops, changed)
        silent = self._lines.look({name: loop.edges for name, loop in loops.items()}, trusted, now_ms)
        for name, loop in loops.items():
            self._looked_edges[name] = loop.edges
            loop.charged = self._charge(name, loop, silent, now_ms)
            if loop.charged is not None:
                loop.due_ms = now_ms
            if not loop.trusted:
                loop.instead_veh_s = self._flows.instead_veh_s(name, trusted, now_ms)
                self._set(loop)

    def _set(self, loop: _Loop) -> None:
        """Tell of a loop as it is now."""
        self._states[loop.detector.id], self._told = _state(loop), None

    def _charge(self, name: str, loop: _Loop, silent: Mapping[str, str], now_ms: int) -> Finding | None:
        """Return what speaks against a loop by what others have seen."""
        line = self._lines.line_of[name]
        if line in silent:
            return Finding(Fault.SILENT_LINE, silent[line])
        found = self._verdicts.stuck(name, self._loops, now_ms)
        if found is None and loop.occupied:
            found = self._verdicts.covered(now_ms - max(loop.changed_ms, loop.back_ms), loop.longest_ms)
        return found or self._verdicts.miscounts(name, self._loops)


def _state(loop: _Loop) -> DetectorState:
    return DetectorState(loop.trusted, loop.occupied, loop.changed_ms, loop.count, loop.instead_veh_s)


def _presence(loop: _Loop, event: InputEvent) -> Edge | None:
    on = bool(event.value)
    if on == loop.occupied:
        return None
    occupied_ms = 0 if on else event.at_ms - loop.changed_ms
    before_ms, loop.occupied, loop.changed_ms = loop.changed_ms, on, event.at_ms
    loop.edges += 1
    if on:
        _follow(loop, event.at_ms - before_ms)
    else:
        loop.count += 1
        loop.pulse_ms = occupied_ms
        if loop.trusted and occupied_ms > loop.longest_ms:
            loop.longest_ms = occupied_ms
    if event.at_ms - loop.burst_start_ms > loop.limits.chatter_ms:
        loop.burst_start_ms, loop.burst_edges = event.at_ms, 0
    loop.burst_edges += 1
    if event.at_ms - loop.minute_ms > _MINUTE_MS:
        loop.minute_ms, loop.minute_count = event.at_ms, loop.count
    if loop.burst_edges > loop.limits.chatter_edges or loop.count - loop.minute_count > loop.limits.most_per_minute:
        loop.chatter_ms, loop.echo_ratio = event.at_ms, 0.0  # what chatters is no vehicle that is counted twice
    return Edge(event.at_ms, loop.detector, on, occupied_ms)


def _follow(loop: _Loop, gap_ms: int) -> None:
    """Learn how often a pulse comes soon after the one before, and sooner than a vehicle can follow: where that one drove."""
    if loop.trusted or loop.fault in MISCOUNTS:
        loop.followers.take(gap_ms, learns=loop.trusted)
    if 0 < loop.pulse_ms < _MOVES_MS:
        loop.echo_ratio += _ECHO_RATE * ((gap_ms < _FOLLOWS_MS) - loop.echo_ratio)


def _finding(loop: _Loop, now_ms: int) -> Finding | None:
    """Return what speaks against a loop now."""
    since_ms = now_ms - loop.changed_ms
    if loop.device == DetectorFault.WATCHDOG:
        return Finding(OF_DEVICE[loop.device], why("unanswered"))
    if loop.device:
        said = DetectorFault(loop.device).name.lower().replace("_", " ") if loop.device in OF_DEVICE else f"code {loop.device}"
        return Finding(OF_DEVICE.get(loop.device, Fault.DEVICE), why("device", said=said))
    if loop.chatter_ms is not None and now_ms - loop.chatter_ms < _CHATTER_MEMORY_MS:
        limits = loop.limits
        return Finding(Fault.CHATTER, why("chatter", edges=limits.chatter_edges, ms=limits.chatter_ms, most=limits.most_per_minute))
    if loop.echo_ratio > loop.limits.echo_ratio:
        return Finding(Fault.OVERCOUNT, why("echo", percent=round(100 * loop.echo_ratio)))
    if loop.charged is not None:
        return loop.charged
    if loop.occupied and since_ms > loop.limits.max_occupied_ms:
        return Finding(Fault.STUCK_ON, why("covered", long=since_ms // 1000, most=loop.limits.max_occupied_ms // 1000))
    if not loop.occupied and since_ms > loop.limits.max_silence_ms:
        return Finding(Fault.STUCK_OFF, why("silent", long=since_ms // 1000, most=loop.limits.max_silence_ms // 1000))
    return None


def _judge(loop: _Loop, now_ms: int) -> HealthEvent | None:
    """Take the trust of a loop or give it back."""
    found = _finding(loop, now_ms)
    if loop.trusted and found is None:
        loop.due_ms = loop.changed_ms + (loop.limits.max_occupied_ms if loop.occupied else loop.limits.max_silence_ms) + 1
        return None
    loop.due_ms = now_ms
    if loop.trusted and found is not None:
        return _lose(loop, found, now_ms)
    if found is not None or (loop.fault in _MUST_CHANGE and loop.edges == loop.lost_edges):
        loop.bad_ms = now_ms
        return None
    if now_ms - loop.bad_ms < loop.hold_down_ms or loop.fault is None:
        return None
    fault, loop.trusted, loop.fault, loop.why, loop.back_ms = loop.fault, True, None, "", now_ms
    return HealthEvent(now_ms, loop.detector.id, True, why("plausible"), fault)


def _lose(loop: _Loop, found: Finding, now_ms: int) -> HealthEvent:
    relapse = loop.hold_down_ms > 0 and now_ms - loop.bad_ms < RELAPSE_MS + loop.hold_down_ms
    usual_ms = HOLD_DOWN_MS[found.fault]
    loop.hold_down_ms = min(max(2 * loop.hold_down_ms, usual_ms), LONGEST_HOLD_DOWN_MS) if relapse else usual_ms
    loop.trusted, loop.fault, loop.why = False, found.fault, found.why
    loop.bad_ms = now_ms
    loop.lost_edges = loop.edges
    return HealthEvent(now_ms, loop.detector.id, False, found.why, found.fault)
