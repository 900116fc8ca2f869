"""The supervisor: which mode a node is in, and what happens when something fails.

Theory of operation. Every mode names the mode it degrades to (`FALLBACK`), and `TRANSITIONS` says for each mode where each
event leads. A loss leads down at once; the way back up to the wanted mode is taken only when every loss is mended and has
stayed mended for the hold-down, so that a flickering fault does not make the signals flicker. An operator's override wins
over everything but pre-emption, and ends by itself. A pair that the table lacks is an error that names both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from controller.errors import ConfigError


class Mode(StrEnum):
    """What decides the signals."""

    ADAPTIVE = "adaptive"
    CYCLE = "cycle"
    ACTUATED = "actuated"
    FIXED = "fixed"
    FLASH = "flash"
    RELEASE = "release"
    MANUAL = "manual"
    PREEMPT = "preempt"


class Event(StrEnum):
    """What can happen to a mode."""

    OPTIMIZER_LOST = "optimizer_lost"
    DETECTORS_LOST = "detectors_lost"
    LATE_TICKS = "late_ticks"
    LINK_LOST = "link_lost"
    REFUSED = "refused"  # by the interlock
    MENDED = "mended"  # no loss is left, and the hold-down is over
    OVERRIDE = "override"
    OVERRIDE_END = "override_end"
    PREEMPT_BEGIN = "preempt_begin"
    PREEMPT_END = "preempt_end"


WANTED: Final = "wanted"  # in the table: the mode that the site file or the operator asks for

FALLBACK: Final[Mapping[Mode, Mode]] = {
    Mode.ADAPTIVE: Mode.CYCLE,
    Mode.CYCLE: Mode.ACTUATED,
    Mode.ACTUATED: Mode.FIXED,
    Mode.FIXED: Mode.FLASH,
    Mode.FLASH: Mode.RELEASE,
    Mode.RELEASE: Mode.RELEASE,
    Mode.MANUAL: Mode.ACTUATED,
    Mode.PREEMPT: Mode.FIXED,
}

_COMMON: Final[Mapping[Event, Mode | str]] = {
    Event.LINK_LOST: Mode.RELEASE,
    Event.REFUSED: Mode.FIXED,
    Event.OVERRIDE: WANTED,
    Event.OVERRIDE_END: WANTED,
    Event.PREEMPT_BEGIN: Mode.PREEMPT,
    Event.PREEMPT_END: WANTED,
    Event.MENDED: WANTED,
}

TRANSITIONS: Final[Mapping[Mode, Mapping[Event, Mode | str]]] = {
    # `cycle` needs the optimizer too, so its loss leads past it.
    Mode.ADAPTIVE: {**_COMMON, Event.OPTIMIZER_LOST: Mode.ACTUATED, Event.DETECTORS_LOST: Mode.FIXED, Event.LATE_TICKS: FALLBACK[Mode.ADAPTIVE]},
    Mode.CYCLE: {**_COMMON, Event.OPTIMIZER_LOST: Mode.ACTUATED, Event.DETECTORS_LOST: Mode.FIXED, Event.LATE_TICKS: FALLBACK[Mode.CYCLE]},
    Mode.ACTUATED: {**_COMMON, Event.OPTIMIZER_LOST: Mode.ACTUATED, Event.DETECTORS_LOST: Mode.FIXED, Event.LATE_TICKS: FALLBACK[Mode.ACTUATED]},
    Mode.FIXED: {**_COMMON, Event.OPTIMIZER_LOST: Mode.FIXED, Event.DETECTORS_LOST: Mode.FIXED, Event.LATE_TICKS: Mode.FIXED, Event.REFUSED: Mode.FLASH},
    Mode.FLASH: {**_COMMON, Event.OPTIMIZER_LOST: Mode.FLASH, Event.DETECTORS_LOST: Mode.FLASH, Event.LATE_TICKS: Mode.FLASH, Event.REFUSED: Mode.RELEASE},
    Mode.RELEASE: {
        **_COMMON,
        Event.OPTIMIZER_LOST: Mode.RELEASE,
        Event.DETECTORS_LOST: Mode.RELEASE,
        Event.LATE_TICKS: Mode.RELEASE,
        Event.REFUSED: Mode.RELEASE,
    },
    Mode.MANUAL: {**_COMMON, Event.OPTIMIZER_LOST: Mode.MANUAL, Event.DETECTORS_LOST: Mode.MANUAL, Event.LATE_TICKS: Mode.MANUAL, Event.MENDED: Mode.MANUAL},
    Mode.PREEMPT: {
        **_COMMON,
        Event.OPTIMIZER_LOST: Mode.PREEMPT,
        Event.DETECTORS_LOST: Mode.PREEMPT,
        Event.LATE_TICKS: Mode.PREEMPT,
        Event.OVERRIDE: Mode.PREEMPT,
        Event.OVERRIDE_END: Mode.PREEMPT,
        Event.MENDED: Mode.PREEMPT,
    },
}

LOSSES: Final = frozenset({Event.OPTIMIZER_LOST, Event.DETECTORS_LOST, Event.LATE_TICKS, Event.LINK_LOST, Event.REFUSED})
HOLD_DOWN_MS: Final = 30_000


@dataclass(frozen=True, slots=True)
class ModeChange:
    """One step from mode to mode, and why."""

    at_ms: int
    before: Mode
    after: Mode
    event: Event
    why: str


class Supervisor:
    """Keeps the mode of one node."""

    def __init__(self, wanted: Mode, hold_down_ms: int = HOLD_DOWN_MS) -> None:
        self.mode = wanted
        self._site_mode = wanted
        self._hold_down_ms = hold_down_ms
        self._losses: dict[Event, int] = {}  # loss -> when it was reported last
        self._override: tuple[Mode, int] | None = None
        self._preempt = False

    @property
    def wanted(self) -> Mode:
        """Return the mode to be in when nothing is lost."""
        return self._override[0] if self._override else self._site_mode

    def report(self, event: Event, now_ms: int, why: str) -> ModeChange | None:
        """Take an event; return the change of mode, None where the mode stays. Raises `ConfigError` for a pair that the table lacks."""
        if event in LOSSES:
            self._losses[event] = now_ms
        if event is Event.PREEMPT_BEGIN:
            self._preempt = True
        elif event is Event.PREEMPT_END:
            self._preempt = False
        table = TRANSITIONS[self.mode]
        if event not in table:
            raise ConfigError(f"supervisor: mode {self.mode} knows no event {event}; add the pair to TRANSITIONS")
        target = table[event]
        return self._go(self._best() if target == WANTED else Mode(target), event, now_ms, why)

    def tick(self, now_ms: int) -> ModeChange | None:
        """End an override that is over, and go back up when the hold-down has passed."""
        if self._override is not None and now_ms >= self._override[1]:
            self._override = None
            change = self.report(Event.OVERRIDE_END, now_ms, "the override is over")
            if change is not None:
                return change
        mended = [e for e, at_ms in self._losses.items() if now_ms - at_ms >= self._hold_down_ms]
        if not mended:
            return None
        for event in mended:
            del self._losses[event]
        return self.report(Event.MENDED, now_ms, f"no {', '.join(mended)} for {self._hold_down_ms // 1000} s")

    def override(self, mode: Mode, until_ms: int, who: str, why: str, now_ms: int) -> ModeChange | None:
        """Put an operator's mode in force until ``until_ms``. Raises `ConfigError` where that is not in the future."""
        if until_ms <= now_ms:
            raise ConfigError(f"override to {mode}: expected an end in the future, found {(until_ms - now_ms) / 1000:.0f} s from now")
        self._override = (mode, until_ms)
        return self.report(Event.OVERRIDE, now_ms, f"{who}: {why}")

    def _best(self) -> Mode:
        """Return the wanted mode, led down by every loss that still counts."""
        mode = Mode.PREEMPT if self._preempt else self.wanted
        for event in sorted(self._losses):
            target = TRANSITIONS[mode][event]
            mode = mode if target == WANTED else Mode(target)
        return mode

    def _go(self, mode: Mode, event: Event, now_ms: int, why: str) -> ModeChange | None:
        if mode is self.mode:
            return None
        change = ModeChange(now_ms, self.mode, mode, event, why)
        self.mode = mode
        return change


def diagram() -> str:
    """Return the table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2"]
    for mode, table in TRANSITIONS.items():
        targets: dict[str, list[str]] = {}
        for event, target in table.items():
            if target != mode:
                targets.setdefault(str(target), []).append(event)
        lines += [f"    {mode} --> {target}: {', '.join(events)}" for target, events in targets.items()]
    return "\n".join(lines)
