"""The last gate before the wire: a `HeadPort` that wraps one, trusts nobody and only says no.

The rules stand in `hardware.interlock_rules`; this module adds the frame, the clock, the read-back and the device. It is
not a certified safety device (see docs/SAFETY.md).
"""

from __future__ import annotations

from typing import Final

from hardware.interlock_limits import compile_rules
from hardware.interlock_rules import (
    Decision,
    Phase,
    Refusal,
    Rule,
    State,
    attached,
    decide,
    doubtful,
    ready,
    resumed,
    shown,
)
from hardware.ports import FrameRefusedError, HeadPort, Observation
from hardware.signals import Aspect, Frame, SiteSpec

STALE_MS: Final = 500  # a frame older than half a tick of one second was computed for another tick


class Interlock:
    """Guard one junction's signal heads.

    A lawful frame goes to the wrapped port unchanged. A refused one raises `FrameRefusedError`, and the port is driven
    towards red instead: running minimum greens, ambers and intergreens are finished, nothing turns green until
    `resume`. At start, while latched and when leaving dark or flashing signals, frames that ask for red only are
    answered with that same safe way to red. A device that fails is as at a start when it answers again. Raises `SiteSpecError` where the limits are incomplete.
    """

    def __init__(self, port: HeadPort, spec: SiteSpec, *, now_ms: int, stale_ms: int = STALE_MS) -> None:
        self._port = port
        self._rules = compile_rules(spec)
        self._site = spec.id
        self._stale_ms = stale_ms
        self._now_ms = now_ms
        self._shown_ms: int | None = None
        self._state = attached(self._rules, None, now_ms)
        self.refusals = 0
        self.last_refusal: Refusal | None = None

    @property
    def phase(self) -> Phase:
        """Return where the interlock stands."""
        return self._state.phase

    @property
    def aspects(self) -> tuple[Aspect, ...]:
        """Return what the heads show as far as the interlock knows; a group in doubt counts as green."""
        return self._state.aspects

    def ready(self, now_ms: int) -> bool:
        """Tell whether all groups have been red for the longest intergreen: a start or a switch-off is lawful."""
        return ready(self._rules, self._state, now_ms)

    def show(self, frame: Frame, now_ms: int) -> None:
        """Show the frame, or the safe way to red. Raises `FrameRefusedError`; the device's `PortError` passes through."""
        found = self._judge_frame(frame, now_ms)
        if found is None or found.rule is not Rule.CLOCK:
            self._now_ms = now_ms
        asked = self._read_back() or found or frame.aspects
        decision = decide(self._rules, self._state, asked, self._now_ms)
        if decision.refusal is not None:
            self._count(decision.refusal)
        self._drive(decision)
        if decision.refusal is not None:
            raise self._error(decision.refusal)

    def observe(self, now_ms: int) -> Observation:
        """Return what the wrapped port observes."""
        return self._port.observe(now_ms)

    def resume(self, now_ms: int) -> None:
        """Leave the latched phase after a refusal; the longest intergreen runs anew. Raises `FrameRefusedError` while any group is not at rest."""
        found = self._judge_clock(now_ms)
        state = found or resumed(self._rules, self._state, now_ms)
        if isinstance(state, Refusal):
            self._count(state)
            raise self._error(state)
        self._now_ms, self._state = now_ms, state

    def stop(self, now_ms: int) -> bool:
        """Leave control on purpose, by one step a call on the safe way to red; tell whether all have been red for the longest intergreen.

        Until `resume` nothing but red is lawful any more. Raises as `show` does.
        """
        self._state = self._state._replace(phase=Phase.LATCHED)
        self.show(Frame(now_ms, (Aspect.RED,) * len(self._rules.groups)), now_ms)
        return self.ready(now_ms)

    def _drive(self, decision: Decision) -> None:
        """Show the decided aspects; until the device has taken them, they are in doubt, whatever error it leaves with."""
        before, now_ms = self._state, self._now_ms
        if decision.aspects == before.aspects:
            self._state = before._replace(phase=decision.phase)
        else:
            self._state = doubtful(self._rules, before, decision, now_ms)
        try:
            self._port.show(Frame(now_ms, decision.aspects), now_ms)
        except BaseException:  # also when the program is being ended: the device may have taken the frame or not
            self._lose(self._state.aspects)
            raise
        self._state = shown(before, decision, now_ms)
        self._shown_ms = now_ms

    def _judge_clock(self, now_ms: int) -> Refusal | None:
        if type(now_ms) is not int or now_ms < self._now_ms:
            return Refusal(Rule.CLOCK, "-", f"a whole number of milliseconds, at least {self._now_ms}", f"{now_ms!r}")
        return None

    def _judge_frame(self, frame: Frame, now_ms: int) -> Refusal | None:
        """Judge everything about a frame but its aspects' meaning."""
        clock = self._judge_clock(now_ms)
        if clock is not None:
            return clock
        if type(frame) is not Frame or type(frame.aspects) is not tuple or type(frame.at_ms) is not int:
            return Refusal(Rule.FRAME, "-", "a Frame with a tuple of aspects and a whole number of milliseconds", repr(frame))
        if len(frame.aspects) != len(self._rules.groups):
            return Refusal(Rule.FRAME, "-", f"{len(self._rules.groups)} aspects for site {self._site}", f"{len(frame.aspects)}")
        for group, aspect in zip(self._rules.groups, frame.aspects, strict=True):
            if type(aspect) is not Aspect:
                return Refusal(Rule.FRAME, group.id, "an Aspect", repr(aspect))
        age_ms = now_ms - frame.at_ms
        if not 0 <= age_ms <= self._stale_ms:
            return Refusal(Rule.STALE, "-", f"a frame 0 to {self._stale_ms} ms old", f"{age_ms} ms")
        return None

    def _read_back(self) -> Refusal | None:
        """Compare what the device shows with what it was given; on a difference believe the device (the refusal then latches)."""
        seen, state = self._seen(), self._state
        if seen.mode != "remote":
            self._state = attached(self._rules, seen.aspects, self._now_ms)
            return Refusal(Rule.MODE, "-", "mode remote", f"mode {seen.mode}")
        if seen.aspects is None or seen.aspects == state.aspects:
            return None
        if self._shown_ms is None:  # in doubt since the start or a failure: the device knows better
            self._state = attached(self._rules, seen.aspects, self._now_ms, state.phase)
            return None
        if self._shown_ms is not None and seen.at_ms <= self._shown_ms:  # seen before the last frame was shown
            return None
        self._state = attached(self._rules, seen.aspects, self._now_ms)
        return Refusal(Rule.READ_BACK, "-", _names(state.aspects), _names(seen.aspects))

    def _seen(self) -> Observation:
        """Ask the device what it shows. One that does not answer may show anything by the time it does."""
        try:
            return self._port.observe(self._now_ms)
        except Exception:
            self._lose(None)
            raise

    def _lose(self, aspects: tuple[Aspect, ...] | None) -> None:
        """Begin again as at a start: a device that failed shows these aspects or, where they are None, anything."""
        phase = Phase.LATCHED if self._state.phase is Phase.LATCHED else Phase.START
        self._state, self._shown_ms = attached(self._rules, aspects, self._now_ms, phase), None

    def _error(self, refusal: Refusal) -> FrameRefusedError:
        return FrameRefusedError(f"interlock of {self._site} at {self._now_ms} ms: {refusal}")

    def _count(self, refusal: Refusal) -> None:
        self.refusals += 1
        self.last_refusal = refusal


def _names(aspects: tuple[Aspect, ...]) -> str:
    return " ".join(str(getattr(a, "name", a)) for a in aspects)


__all__ = ["STALE_MS", "Interlock", "Phase", "Refusal", "Rule", "State"]
