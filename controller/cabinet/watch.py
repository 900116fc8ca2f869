"""What the guard sees of its ports, told to the supervisors as events: links, refusals, detectors, panels, pre-emption, the monitor.

A link is lost when it has failed for a second: a single lost answer costs a start from red, as the interlock demands, and no mode.
At the start a device has ten seconds for its first answer.
Inputs are lost when they have been silent for ten seconds, or when fewer than half of the approaches' loops are trusted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from controller.junction import Junction, Purpose
from controller.snapshot import DetectorState
from controller.supervisor import Event
from hardware.ports import FrameRefusedError, InputEvent, InputKind, PortError

SIGNALS_LOST_MS: Final = 1_000
FIRST_ANSWER_MS: Final = 10_000  # a controller's tables are read first, in many requests
INPUTS_LOST_MS: Final = 10_000
TRUSTED_RATIO: Final = 0.5

Report = Callable[[Event, str], None]
"""Tells every supervisor of an event, and why."""


class Switch(NamedTuple):
    """The events that an input begins (value 1) and ends (value 0); None: only a person's reset ends it."""

    begins: Event
    ends: Event | None
    words: str


SWITCHES: Final[Mapping[InputKind, Switch]] = {
    InputKind.PREEMPT_RAIL: Switch(Event.PREEMPT_BEGIN, Event.PREEMPT_END, "a train pre-empts"),
    InputKind.PREEMPT_EMERGENCY: Switch(Event.PREEMPT_BEGIN, Event.PREEMPT_END, "an emergency vehicle pre-empts"),
    InputKind.POLICE_PANEL: Switch(Event.MANUAL_BEGIN, Event.MANUAL_END, "the police panel has taken over"),
    InputKind.STOP_TIME: Switch(Event.MANUAL_BEGIN, Event.MANUAL_END, "stop time"),
    InputKind.MONITOR_FAULT: Switch(Event.REFUSAL, None, "the signal monitor has tripped"),
}


class Watch:
    """Remembers what is lost and which switches are on."""

    def __init__(self, junction: Junction, report: Report) -> None:
        self._report = report
        self._loops = frozenset(d.id for d in junction.detectors if d.purpose is not Purpose.EXIT)
        self._failing_ms: int | None = None  # since when the signals do not answer
        self._allowed_ms = FIRST_ANSWER_MS
        self._silent_ms: int | None = None
        self._on: dict[Event, set[str]] = {}  # by the event that began it: the inputs that are on
        self._distrusted: set[str] = set()
        self.signals_lost = False
        self.detectors_lost = False

    def signals(self, error: PortError | FrameRefusedError | None, now_ms: int) -> None:
        """Take what the tick's frame met: None where it was shown."""
        if isinstance(error, FrameRefusedError):
            self._report(Event.REFUSAL, str(error))
        elif error is not None:
            self._failing_ms = now_ms if self._failing_ms is None else self._failing_ms
            if not self.signals_lost and now_ms - self._failing_ms >= self._allowed_ms:
                self.signals_lost = True
                self._report(Event.LINK_LOST, str(error))
            return
        self._failing_ms, self._allowed_ms = None, SIGNALS_LOST_MS
        if self.signals_lost:
            self.signals_lost = False
            self._report(Event.LINK_RECOVERED, "the signals answer again")

    def inputs(self, lost: PortError | None, states: Mapping[str, DetectorState], now_ms: int) -> None:
        """Take whether the inputs answer, and what is trusted of the loops."""
        self._silent_ms = None if lost is None else now_ms if self._silent_ms is None else self._silent_ms
        why = ""
        if self._silent_ms is not None and now_ms - self._silent_ms >= INPUTS_LOST_MS:
            why = f"no inputs for {INPUTS_LOST_MS // 1000} s: {lost}"
        trusted = sum(states[loop].trusted for loop in self._loops)
        if not why and trusted < TRUSTED_RATIO * len(self._loops):
            why = f"{trusted} of {len(self._loops)} loops are trusted, expected at least {TRUSTED_RATIO:.0%}"
        if bool(why) == self.detectors_lost:
            return
        self.detectors_lost = bool(why)
        self._report(Event.DETECTORS_LOST if why else Event.DETECTORS_RECOVERED, why or f"{trusted} of {len(self._loops)} loops are trusted")

    def changes_of_trust(self, states: Mapping[str, DetectorState]) -> list[str]:
        """Return the detectors that have lost or regained trust since the last call."""
        distrusted = {name for name, state in states.items() if not state.trusted}
        changed, self._distrusted = distrusted ^ self._distrusted, distrusted
        return sorted(changed)

    def switches(self, events: Iterable[InputEvent]) -> None:
        """Take the inputs that are no detectors. What several of one kind begin lasts until the last of them ends."""
        for event in events:
            switch = SWITCHES.get(event.kind)
            if switch is None:
                continue
            on = self._on.setdefault(switch.begins, set())
            before = bool(on)
            if event.value:
                on.add(event.source)
            else:
                on.discard(event.source)
            if on and not before:
                self._report(switch.begins, f"{event.source}: {switch.words}")
            elif before and not on and switch.ends is not None:
                self._report(switch.ends, f"{event.source}: over")
