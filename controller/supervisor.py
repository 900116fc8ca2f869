"""The supervisor: which mode controls the junction, and what happens when something fails.

Theory of operation. The modes form a chain from best to safest, and each names the mode it degrades to:

    ADAPTIVE -> CYCLE -> ACTUATED -> FIXED -> FLASH -> RELEASE

An event moves the mode as `TRANSITIONS` says; a pair that is not in the table is an error in the program, not a mode. Some
events leave a *fault* that stands until its counterpart is reported; a standing fault is a ceiling in the chain, and so is the
mode that the site or an operator wants. After `hold_down_ms` without a new adverse event the mode climbs, step by step
through the table, as far as the ceiling allows. PREEMPT and MANUAL stand beside the chain: they are entered from any mode
that controls, and left to ACTUATED, from where the climb goes on at once if nothing adverse happened meanwhile.

After a refusal of the interlock the mode is FLASH until somebody has looked and resets it (RESET). FLASH means: red
first, then flashing, by frames that pass the interlock. RELEASE means: the controller runs its own plan; nothing is sent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from controller.errors import ConfigError, ModeError


class Mode(StrEnum):
    """Who decides."""

    ADAPTIVE = "adaptive"
    CYCLE = "cycle"
    ACTUATED = "actuated"
    FIXED = "fixed"
    FLASH = "flash"
    RELEASE = "release"
    PREEMPT = "preempt"
    MANUAL = "manual"


class Event(StrEnum):
    """What may move the mode."""

    LATE_TICK = "late_tick"
    PLANNER_FAILED = "planner_failed"
    OPTIMIZER_LOST = "optimizer_lost"
    OPTIMIZER_RECOVERED = "optimizer_recovered"
    DETECTORS_LOST = "detectors_lost"
    DETECTORS_RECOVERED = "detectors_recovered"
    LINK_LOST = "link_lost"
    LINK_RECOVERED = "link_recovered"
    REFUSAL = "refusal"
    RESET = "reset"
    PREEMPT_BEGIN = "preempt_begin"
    PREEMPT_END = "preempt_end"
    MANUAL_BEGIN = "manual_begin"
    MANUAL_END = "manual_end"
    OVERRIDE = "override"  # in records only: an operator wants another mode, or no longer
    RECOVERED = "recovered"  # the supervisor's own: hold-down is over and the ceiling allows the next better mode


A, C, L, X, F, R, P, M = Mode.ADAPTIVE, Mode.CYCLE, Mode.ACTUATED, Mode.FIXED, Mode.FLASH, Mode.RELEASE, Mode.PREEMPT, Mode.MANUAL

CHAIN: Final = (A, C, L, X, F, R)

FALLBACK: Final[Mapping[Mode, Mode]] = {A: C, C: L, L: X, X: F, F: R, R: R, P: F, M: L}

# Where all modes agree. Links break and interlocks refuse in every mode; recoveries only lift ceilings.
_ALWAYS: Final[Mapping[Event, Mode]] = {Event.LINK_LOST: R, Event.REFUSAL: F}


def _row(mode: Mode, moves: Mapping[Event, Mode], stays: tuple[Event, ...] = ()) -> Mapping[Event, Mode]:
    lifts = (Event.OPTIMIZER_RECOVERED, Event.DETECTORS_RECOVERED, Event.LINK_RECOVERED)
    return {**dict.fromkeys((*lifts, *stays), mode), **_ALWAYS, **moves}


_NOTED: Final = (Event.OPTIMIZER_LOST, Event.DETECTORS_LOST, Event.LATE_TICK)
_ASIDE: Final = (Event.PREEMPT_BEGIN, Event.PREEMPT_END, Event.MANUAL_BEGIN, Event.MANUAL_END)  # remembered until the mode controls again

TRANSITIONS: Final[Mapping[Mode, Mapping[Event, Mode]]] = {
    A: _row(
        A,
        {
            Event.LATE_TICK: L,
            Event.PLANNER_FAILED: FALLBACK[A],
            Event.OPTIMIZER_LOST: L,  # not CYCLE, which needs the optimizer too
            Event.DETECTORS_LOST: X,
            Event.PREEMPT_BEGIN: P,
            Event.MANUAL_BEGIN: M,
        },
    ),
    C: _row(
        C,
        {
            Event.LATE_TICK: L,
            Event.PLANNER_FAILED: FALLBACK[C],
            Event.OPTIMIZER_LOST: L,
            Event.DETECTORS_LOST: X,
            Event.PREEMPT_BEGIN: P,
            Event.MANUAL_BEGIN: M,
            Event.RECOVERED: A,
        },
    ),
    L: _row(
        L,
        {
            Event.LATE_TICK: X,
            Event.PLANNER_FAILED: FALLBACK[L],
            Event.DETECTORS_LOST: X,
            Event.PREEMPT_BEGIN: P,
            Event.MANUAL_BEGIN: M,
            Event.RECOVERED: C,
        },
        stays=(Event.OPTIMIZER_LOST,),
    ),
    X: _row(
        X,
        {Event.PLANNER_FAILED: FALLBACK[X], Event.PREEMPT_BEGIN: P, Event.MANUAL_BEGIN: M, Event.RECOVERED: L},
        stays=_NOTED,  # a late fixed programme is still better than none
    ),
    F: _row(
        F,
        {Event.RESET: F, Event.RECOVERED: X},
        stays=(*_NOTED, *_ASIDE),
    ),
    R: _row(
        R,
        {Event.REFUSAL: R, Event.RESET: R, Event.RECOVERED: F},
        stays=(*_NOTED, *_ASIDE),
    ),
    P: _row(P, {Event.PLANNER_FAILED: FALLBACK[P], Event.PREEMPT_END: L}, stays=(*_NOTED, Event.PREEMPT_BEGIN, Event.MANUAL_BEGIN, Event.MANUAL_END)),
    M: _row(M, {Event.PLANNER_FAILED: FALLBACK[M], Event.MANUAL_END: L, Event.PREEMPT_BEGIN: P}, stays=(*_NOTED, Event.MANUAL_BEGIN)),
}

# The best mode that a standing fault allows, and what lifts it.
FAULTS: Final[Mapping[Event, tuple[Event, Mode]]] = {
    Event.OPTIMIZER_LOST: (Event.OPTIMIZER_RECOVERED, L),
    Event.DETECTORS_LOST: (Event.DETECTORS_RECOVERED, X),
    Event.LINK_LOST: (Event.LINK_RECOVERED, R),
    Event.REFUSAL: (Event.RESET, F),
}
ADVERSE: Final = frozenset((*FAULTS, Event.LATE_TICK, Event.PLANNER_FAILED))

HOLD_DOWN_MS: Final = 60_000
LATE_LIMIT: Final = 3  # one late tick is a hiccup; three within the window are a sick host
LATE_WINDOW_MS: Final = 10_000


@dataclass(frozen=True, slots=True)
class ModeChange:
    """One change of mode, for the journal."""

    at_ms: int
    before: Mode
    after: Mode
    event: Event
    why: str


@dataclass(frozen=True, slots=True)
class Override:
    """An operator's wish, limited in time."""

    mode: Mode
    until_ms: int
    who: str
    why: str = ""


class Supervisor:
    """Keep the mode. ``wanted`` is the site's own mode; ``refuge`` is FLASH, or RELEASE where the controller has a plan of its own.

    ``faults``: those that stand from the start, such as an optimizer that is not up yet; nothing has happened, so nothing is held down.
    Raises `ConfigError` where either cannot be, and `ModeError` for an event that the mode cannot have.
    """

    def __init__(self, wanted: Mode, *, refuge: Mode = Mode.FLASH, hold_down_ms: int = HOLD_DOWN_MS, faults: Collection[Event] = ()) -> None:
        if wanted not in CHAIN:
            raise ConfigError(f"mode {wanted}: expected one of {', '.join(CHAIN)} as the wanted mode")
        if refuge not in (Mode.FLASH, Mode.RELEASE):
            raise ConfigError(f"refuge {refuge}: expected flash or release")
        self.mode = wanted
        self.override_now: Override | None = None
        self.wanted = wanted
        self._refuge = refuge
        self._hold_down_ms = hold_down_ms
        self._adverse_ms: int | None = None
        self._faults = set(faults)
        self._late_ms: deque[int] = deque(maxlen=LATE_LIMIT)
        self._preempting = False
        self._panel = False  # somebody has taken over by hand
        self._settle(0)

    @property
    def faults(self) -> frozenset[Event]:
        """Return the faults that stand, each named by the event that raised it."""
        return frozenset(self._faults)

    def report(self, event: Event, now_ms: int, why: str) -> ModeChange | None:
        """Tell of an event; return the change of mode, if any. Raises `ModeError` for an event that the mode cannot have."""
        old, new = self.mode, self._look_up(event)
        if event is Event.LATE_TICK and not self._late_too_often(now_ms):
            return None
        if event in ADVERSE:
            self._adverse_ms = now_ms
        if event in FAULTS:
            self._faults.add(event)
        self._faults -= {fault for fault, (lift, _) in FAULTS.items() if lift is event}
        if event in (Event.PREEMPT_BEGIN, Event.PREEMPT_END):
            self._preempting = event is Event.PREEMPT_BEGIN
        if event in (Event.MANUAL_BEGIN, Event.MANUAL_END):
            self._panel = event is Event.MANUAL_BEGIN
        if old is Mode.MANUAL and new is Mode.ACTUATED:
            self._panel, self.override_now = False, None
        self.mode = self._refuge if new is Mode.FLASH and old is not Mode.FLASH else new
        self._settle(now_ms)
        return self._changed(old, event, why, now_ms)

    def tick(self, now_ms: int) -> ModeChange | None:
        """Let time pass: overrides expire, and after the hold-down the mode climbs."""
        old, why, event = self.mode, "the hold-down is over", Event.RECOVERED
        override = self.override_now
        if override is not None and now_ms >= override.until_ms:
            self.override_now, event = None, Event.OVERRIDE
            why = f"override of {override.who} to {override.mode} has expired"
            if self.mode is Mode.MANUAL:
                self.mode = self._look_up(Event.MANUAL_END)
        self._settle(now_ms)
        return self._changed(old, event, why, now_ms)

    def override(self, mode: Mode, until_ms: int, who: str, why: str, now_ms: int) -> ModeChange | None:
        """Want another mode for a time. Faults still limit it; pre-emption goes before. Raises `ConfigError` where it has no end or no such mode."""
        if mode is Mode.PREEMPT:
            raise ConfigError(f"override by {who}: expected a mode of {', '.join((*CHAIN, Mode.MANUAL))}, found {mode}")
        if until_ms <= now_ms:
            raise ConfigError(f"override by {who}: expected an end after {now_ms} ms, found {until_ms} ms")
        old = self.mode
        if old is Mode.MANUAL and mode is not Mode.MANUAL:
            self.mode = self._look_up(Event.MANUAL_END)
        self.override_now = Override(mode, until_ms, who, why)
        self._settle(now_ms)
        return self._changed(old, Event.OVERRIDE, f"override by {who}: {why}", now_ms)

    def end_override(self, who: str, why: str, now_ms: int) -> ModeChange | None:
        """Want the site's own mode again, before the override has expired."""
        old = self.mode
        self.override_now = None
        if self.mode is Mode.MANUAL:
            self.mode = self._look_up(Event.MANUAL_END)
        self._settle(now_ms)
        return self._changed(old, Event.OVERRIDE, f"override ended by {who}: {why}", now_ms)

    def _look_up(self, event: Event) -> Mode:
        row = TRANSITIONS[self.mode]
        if event not in row:
            raise ModeError(f"mode {self.mode} has no transition for event {event!s}: expected one of {', '.join(sorted(row))}")
        return row[event]

    def _late_too_often(self, now_ms: int) -> bool:
        self._late_ms.append(now_ms)
        if len(self._late_ms) < LATE_LIMIT or now_ms - self._late_ms[0] > LATE_WINDOW_MS:
            return False
        self._late_ms.clear()
        return True

    def _ceiling(self) -> int:
        """Return the place in the chain of the best mode that is wanted and that no standing fault forbids."""
        override = self.override_now
        wanted = override.mode if override is not None and override.mode in CHAIN else self.wanted
        limits = [self._refuge if FAULTS[f][1] is Mode.FLASH else FAULTS[f][1] for f in self._faults]
        return max(CHAIN.index(m) for m in (wanted, *limits))

    def _by_hand(self) -> bool:
        return self._panel or (self.override_now is not None and self.override_now.mode is Mode.MANUAL)

    def _settle(self, now_ms: int) -> None:
        """Go down to the ceiling at once, up to it after the hold-down, then beside the chain where that is asked for."""
        if self.mode not in CHAIN:
            return
        ceiling = self._ceiling()
        if CHAIN.index(self.mode) < ceiling:
            self.mode = CHAIN[ceiling]
        held = self._adverse_ms is not None and now_ms - self._adverse_ms < self._hold_down_ms
        while CHAIN.index(self.mode) > ceiling and not held:
            self.mode = self._look_up(Event.RECOVERED)
        if self._preempting and Event.PREEMPT_BEGIN in TRANSITIONS[self.mode]:
            self.mode = self._look_up(Event.PREEMPT_BEGIN)
        elif self._by_hand() and Event.MANUAL_BEGIN in TRANSITIONS[self.mode]:
            self.mode = self._look_up(Event.MANUAL_BEGIN)

    def _changed(self, old: Mode, event: Event, why: str, now_ms: int) -> ModeChange | None:
        return None if self.mode is old else ModeChange(now_ms, old, self.mode, event, why)


def diagram() -> str:
    """Return the table as a mermaid state diagram; what does not move the mode is left out."""
    lines = ["stateDiagram-v2"]
    for mode, row in TRANSITIONS.items():
        targets: dict[Mode, list[str]] = {}
        for event, new in sorted(row.items()):
            if new is not mode:
                targets.setdefault(new, []).append(str(event))
        lines += [f"    {mode.name} --> {new.name}: {', '.join(events)}" for new, events in targets.items()]
    return "\n".join(lines)
