"""The gate before a controller that owns its aspects: command rules that no planner can talk its way around.

The controller itself keeps minimum greens, ambers and clearances; this gate keeps us from asking for what it should never
be asked, and stops asking when what it reports is unsafe. HOLD, FORCE_OFF, OMIT and CALL each name the whole set of
groups that is to be in force from now on; an empty set clears it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hardware.interlock import STALE_MS
from hardware.interlock_limits import AMBER, GREEN, compile_rules
from hardware.interlock_rules import Refusal, Rule
from hardware.ports import CommandKind, ControllerCommand, ControllerPort, FrameRefusedError, Observation
from hardware.signals import Aspect, SiteSpec

HOLD_LIMIT_MS: Final = 120_000  # a hold that nobody renews deliberately within two minutes has been forgotten
VALUE_LIMIT: Final = 255  # NTCIP 1202 v03 numbers patterns in one byte
LETTING_GO: Final = frozenset((CommandKind.RELEASE, CommandKind.FLASH))  # always lawful in form: they give control away
SETS: Final = frozenset((CommandKind.HOLD, CommandKind.FORCE_OFF, CommandKind.OMIT, CommandKind.CALL))


class ControllerInterlock:
    """Guard one controller's commands. Raises `FrameRefusedError` on a refusal and sends nothing; `PortError` passes through."""

    def __init__(self, port: ControllerPort, spec: SiteSpec, *, now_ms: int, stale_ms: int = STALE_MS, hold_limit_ms: int = HOLD_LIMIT_MS) -> None:
        self._port = port
        self._rules = compile_rules(spec)
        self._site = spec.id
        self._ids = {g.id: i for i, g in enumerate(spec.groups)}
        self._stale_ms = stale_ms
        self._hold_limit_ms = hold_limit_ms
        self._now_ms = now_ms
        self._green_ms: dict[str, int] = {}  # since when each group is seen green
        self._held_ms: dict[str, int] = {}  # since when each group is held
        self._forced: frozenset[str] = frozenset()
        self.refusals = 0
        self.last_refusal: Refusal | None = None

    def request(self, command: ControllerCommand, now_ms: int) -> None:
        """Pass the command on where every rule allows it. Raises `FrameRefusedError` naming rule, group, expected and found."""
        refusal = self._judge_form(command, now_ms)
        if refusal is None:
            self._now_ms = now_ms
            refusal = self._judge(command, self.observe(now_ms))
        if refusal is not None:
            self.refusals += 1
            self.last_refusal = refusal
            raise FrameRefusedError(f"interlock of {self._site} at {self._now_ms} ms: {refusal}")
        self._port.request(command, now_ms)
        self._remember(command)

    def observe(self, now_ms: int) -> Observation:
        """Return what the controller reports, and learn since when each group is green."""
        seen = self._port.observe(now_ms)
        aspects = seen.aspects or ()
        if len(aspects) != len(self._ids):
            self._green_ms = {}
            return seen
        green = [g for g, i in self._ids.items() if aspects[i] is GREEN]
        self._green_ms = {g: self._green_ms.get(g, seen.at_ms) for g in green}
        return seen

    def _judge_form(self, command: ControllerCommand, now_ms: int) -> Refusal | None:
        """Judge clock, age and types, so that all later rules may trust them."""
        if type(now_ms) is not int or now_ms < self._now_ms:
            return Refusal(Rule.CLOCK, "-", f"a whole number of milliseconds, at least {self._now_ms}", f"{now_ms!r}")
        numbers = (command.at_ms, command.value, *command.durations_ms)
        if not isinstance(command.kind, CommandKind) or not all(type(n) is int for n in numbers):
            return Refusal(Rule.FRAME, "-", "a CommandKind and whole numbers", repr(command))
        if not 0 <= now_ms - command.at_ms <= self._stale_ms:
            return Refusal(Rule.STALE, "-", f"a command 0 to {self._stale_ms} ms old", f"{now_ms - command.at_ms} ms")
        if not 0 <= command.value <= VALUE_LIMIT:
            return Refusal(Rule.FRAME, "-", f"a value of 0 to {VALUE_LIMIT}", f"{command.value}")
        for i, group in enumerate(command.groups):
            if group not in self._ids or group in command.groups[:i]:
                return Refusal(Rule.FRAME, str(group), f"each group once, out of {', '.join(self._ids)}", ", ".join(map(str, command.groups)))
        return self._judge_shape(command)

    def _judge_shape(self, command: ControllerCommand) -> Refusal | None:
        """Judge that the command carries what its kind needs and nothing else."""
        durations = len(self._ids) if command.kind is CommandKind.SPLITS else 0
        if len(command.durations_ms) != durations or (durations and len(command.groups) != durations):
            return Refusal(Rule.FRAME, "-", f"{durations} durations for {command.kind}, one per group", f"{len(command.durations_ms)}")
        if command.groups and command.kind is not CommandKind.SPLITS and command.kind not in SETS:
            return Refusal(Rule.FRAME, command.groups[0], f"no groups for {command.kind}", ", ".join(command.groups))
        return None

    def _judge(self, command: ControllerCommand, seen: Observation) -> Refusal | None:
        """Judge a well-formed command against what the controller reports and what is in force."""
        if command.kind in LETTING_GO:
            return None
        refusal = self._judge_seen(seen)
        if refusal is not None:
            return refusal
        if command.kind is CommandKind.SPLITS:
            return self._judge_splits(dict(zip(command.groups, command.durations_ms, strict=True)))
        if command.kind is CommandKind.OMIT and len(command.groups) == len(self._ids):
            return Refusal(Rule.OMIT, command.groups[0], "at least one group that is not omitted", "all omitted")
        if command.kind is CommandKind.FORCE_OFF:
            return self._judge_force_off(command.groups)
        if command.kind is CommandKind.HOLD:
            return self._judge_hold(command.groups)
        return None

    def _judge_seen(self, seen: Observation) -> Refusal | None:
        """Refuse to ask for anything while the controller is not ours, silent, or shows conflicting greens."""
        if seen.mode != "remote":
            return Refusal(Rule.MODE, "-", "mode remote", f"mode {seen.mode}")
        if not 0 <= self._now_ms - seen.at_ms <= self._stale_ms:
            return Refusal(Rule.STALE, "-", f"a state 0 to {self._stale_ms} ms old", f"{self._now_ms - seen.at_ms} ms")
        aspects: tuple[Aspect, ...] = seen.aspects or ()
        if len(aspects) not in (0, len(self._ids)):
            return Refusal(Rule.READ_BACK, "-", f"{len(self._ids)} aspects or none", f"{len(aspects)}")
        for i, aspect in enumerate(aspects):
            for j, _ in self._rules.foes[i]:
                if aspect is GREEN and aspects[j] in (GREEN, AMBER):
                    group, foe = self._rules.groups[i].id, self._rules.groups[j].id
                    return Refusal(Rule.CONFLICT, group, f"no GREEN beside {foe}, which shows {aspects[j].name}", aspect.name)
        return None

    def _judge_splits(self, splits: Mapping[str, int]) -> Refusal | None:
        """Each split must hold minimum green and the clearance towards every foe, amber inside."""
        for i, group in enumerate(self._rules.groups):
            clearances = [ms for foes in self._rules.foes for j, ms in foes if j == i]
            least_ms = group.min_green_ms + max([group.amber_ms, *clearances])
            if splits[group.id] < least_ms:
                return Refusal(Rule.SPLIT, group.id, f"a split of at least {least_ms} ms", f"{splits[group.id]} ms")
        return None

    def _judge_force_off(self, groups: tuple[str, ...]) -> Refusal | None:
        for group in groups:
            if group in self._held_ms:
                return Refusal(Rule.HOLD, group, "no force-off of a group that is held", "held")
            least_ms = self._rules.groups[self._ids[group]].min_green_ms
            if group not in self._green_ms:
                return Refusal(Rule.MINIMUM_GREEN, group, f"a group seen green for at least {least_ms} ms", "not seen green")
            age_ms = self._now_ms - self._green_ms[group]
            if age_ms < least_ms:
                return Refusal(Rule.MINIMUM_GREEN, group, f"a group seen green for at least {least_ms} ms", f"{age_ms} ms")
        return None

    def _judge_hold(self, groups: tuple[str, ...]) -> Refusal | None:
        for group in groups:
            if group in self._forced:
                return Refusal(Rule.HOLD, group, "no hold of a group that is forced off", "forced off")
            age_ms = self._now_ms - self._held_ms.get(group, self._now_ms)
            if age_ms >= self._hold_limit_ms:
                return Refusal(Rule.HOLD, group, f"a hold of less than {self._hold_limit_ms} ms", f"{age_ms} ms")
        return None

    def _remember(self, command: ControllerCommand) -> None:
        if command.kind in LETTING_GO:
            self._held_ms, self._forced = {}, frozenset()
        elif command.kind is CommandKind.HOLD:
            self._held_ms = {g: self._held_ms.get(g, self._now_ms) for g in command.groups}
        elif command.kind is CommandKind.FORCE_OFF:
            self._forced = frozenset(command.groups)
