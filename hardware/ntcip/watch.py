"""What must not be seen at a controller that we drive: each condition, whose fault it is, and what was expected and found.

The lamps are seen only sweep by sweep. So a time counts as too short only where it would be too short in the best case, from the
latest moment at which the first thing may have been so to the earliest at which the second was: no slow link makes an alarm.
Where the lamps of one sweep come in several answers, lamps of different moments are seen together; then a conflict must be seen twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from hardware.ntcip.phase_map import Kind, PhaseMap
from hardware.ntcip.states import FLASH_WORDS, Alarm2, ShortAlarm, UnitControl, UnitFlash
from hardware.ntcip.status import ControllerStatus
from hardware.ports import InputKind
from hardware.signals import Aspect, SiteSpec

WRAP_MS: Final = 2**32 * 10  # sysUpTime counts hundredths of a second in 32 bits
WRAP_NEAR_MS: Final = 3_600_000
POLL_SLACK_MS: Final = 100  # the controller's own time step, by which its lamps may lie beside its clock


class Alarm(StrEnum):
    """What keeps us from driving the controller."""

    CONFLICT = "conflict"
    TWO_COLOURS = "two colours"
    MISSING_AMBER = "missing amber"
    SHORT_INTERGREEN = "short intergreen"
    SHORT_GREEN = "short green"
    MONITOR = "monitor fault"
    FLASH = "flash"
    BACKUP = "backup"
    MANUAL = "manual"
    PREEMPT = "preempt"
    STOP_TIME = "stop time"
    LOCAL_OVERRIDE = "local override"
    REBOOT = "reboot"
    OLDER_ENGINE = "older engine"
    SILENT = "silent"
    NONSENSE = "nonsense"
    REFUSED = "refused"
    NOT_RUNNING = "not running the pattern"
    DIFFERENT = "different"


# Conditions in which the controller does what it is there for: it is in charge (mode local). All others are faults.
LOCAL: Final = frozenset((Alarm.FLASH, Alarm.BACKUP, Alarm.MANUAL, Alarm.PREEMPT, Alarm.LOCAL_OVERRIDE, Alarm.REBOOT, Alarm.OLDER_ENGINE, Alarm.DIFFERENT))
# Somebody may have put another controller in its place.
SUSPICIOUS: Final = frozenset((Alarm.OLDER_ENGINE,))
# As which input event the guard hears of it. A fault of the signals needs somebody who looks at them; the others end with a hold-down.
INPUTS: Final[Mapping[Alarm, InputKind]] = {
    **dict.fromkeys((Alarm.CONFLICT, Alarm.TWO_COLOURS, Alarm.MISSING_AMBER, Alarm.SHORT_INTERGREEN, Alarm.SHORT_GREEN), InputKind.MONITOR_FAULT),
    Alarm.MONITOR: InputKind.MONITOR_FAULT,
    Alarm.PREEMPT: InputKind.PREEMPT_EMERGENCY,
    Alarm.STOP_TIME: InputKind.STOP_TIME,
    Alarm.MANUAL: InputKind.POLICE_PANEL,
    Alarm.LOCAL_OVERRIDE: InputKind.POLICE_PANEL,
}


class Finding(NamedTuple):
    """One condition that is met."""

    alarm: Alarm
    text: str


class _Seen(NamedTuple):
    """One group's aspect, and since when it may be shown at the earliest."""

    aspect: Aspect
    from_ms: int


class Watch:
    """Looks at one sweep after the other. `forget` what was seen where sweeps are missing."""

    def __init__(self, spec: SiteSpec, places: PhaseMap) -> None:
        self._spec, self._places = spec, places
        self._groups = {g.id: g for g in spec.groups}
        self.forget()

    def forget(self) -> None:
        """Begin anew: what was shown meanwhile is unknown."""
        self._seen: dict[str, _Seen] = {}
        self._green_ms: dict[str, int] = {}  # when each group was last seen green
        self._up_time_ms = -1
        self._last_ms = 0
        self._doubtful: frozenset[str] = frozenset()

    def look(self, status: ControllerStatus, *, driven: bool) -> list[Finding]:
        """Return what is wrong in this sweep; ``driven``: something of ours is in force."""
        aspects = dict(zip(self._places.ids, self._places.aspects(status.lamps), strict=True))
        found = [*self._states(status, driven=driven), *self._conflicts(status, aspects), *self._times(status, aspects)]
        self._remember(status, aspects)
        return found

    def _states(self, status: ControllerStatus, *, driven: bool) -> Iterator[Finding]:
        if self._rebooted(status):
            yield Finding(Alarm.REBOOT, f"expected an up time of at least {self._up_time_ms} ms, found {status.up_time_ms} ms: the controller was restarted")
        short, alarm2 = max(status.short_alarm, 0), max(status.alarm2, 0)
        preempted = bool(short & ShortAlarm.PREEMPT) or status.flash == UnitFlash.PREEMPT
        if preempted:
            yield Finding(Alarm.PREEMPT, "a pre-emption runs")
        if status.flash in (UnitFlash.FAULT_MONITOR, UnitFlash.MMU):
            yield Finding(
                Alarm.MONITOR,
                f"expected signals that do not flash, found that their monitor has tripped (flash status {status.flash}, {FLASH_WORDS[status.flash]})",
            )
        elif not preempted and status.flashes:
            yield Finding(Alarm.FLASH, f"expected signals that do not flash, found flash status {status.flash} ({FLASH_WORDS.get(status.flash, 'unknown')})")
        if alarm2 & Alarm2.STOP_TIME or short & ShortAlarm.CRITICAL:
            yield Finding(Alarm.STOP_TIME, "the stop time input is active")
        if status.control == UnitControl.MANUAL:
            yield Finding(Alarm.MANUAL, "the controller is operated by hand")
        elif short & ShortAlarm.LOCAL_OVERRIDE:
            yield Finding(Alarm.LOCAL_OVERRIDE, "the controller is locally overridden")
        if driven and status.control == UnitControl.BACKUP_MODE:
            yield Finding(Alarm.BACKUP, "expected our commands in force, found backup mode: they did not arrive in time")

    def _rebooted(self, status: ControllerStatus) -> bool:
        back = status.up_time_ms < self._up_time_ms
        wrapped = self._up_time_ms > WRAP_MS - WRAP_NEAR_MS and status.up_time_ms < WRAP_NEAR_MS
        return back and not wrapped

    def _conflicts(self, status: ControllerStatus, aspects: Mapping[str, Aspect]) -> Iterator[Finding]:
        """Tell of conflicting groups of which one is green and the other green or amber, and of groups with two colours."""
        doubtful: dict[str, Finding] = {}
        for one, other in self._spec.intergreen_ms:
            if aspects[one] is Aspect.GREEN and aspects[other] in (Aspect.GREEN, Aspect.AMBER):
                text = f"expected no green of {one} beside {other}, found {other} {aspects[other].name.lower()}"
                doubtful[f"{one} {other}"] = Finding(Alarm.CONFLICT, text)
        for group in self._places.doubled(status.lamps):
            doubtful[group] = Finding(Alarm.TWO_COLOURS, f"expected one colour of {group}, found several lit")
        yield from (finding for key, finding in doubtful.items() if status.atomic or key in self._doubtful)
        self._doubtful = frozenset(doubtful)

    def _times(self, status: ControllerStatus, aspects: Mapping[str, Aspect]) -> Iterator[Finding]:
        for group, aspect in aspects.items():
            before = self._seen.get(group)
            if before is None or before.aspect is aspect:
                continue
            if before.aspect is Aspect.GREEN:
                yield from self._green_ended(group, before, status)
            if aspect is Aspect.RED:
                yield from self._red_began(group, status)
            if aspect is Aspect.GREEN:
                yield from self._green_began(group, status)

    def _green_ended(self, group: str, before: _Seen, status: ControllerStatus) -> Iterator[Finding]:
        spec = self._groups[group]
        green_ms = status.at_ms - before.from_ms + POLL_SLACK_MS
        if green_ms < spec.min_green_ms:
            yield Finding(Alarm.SHORT_GREEN, f"expected {group} green for at least {spec.min_green_ms} ms, found at most {green_ms} ms")

    def _red_began(self, group: str, status: ControllerStatus) -> Iterator[Finding]:
        spec = self._groups[group]
        if self._places.places[group].kind is Kind.PED or group not in self._green_ms:
            return
        gone_ms = status.at_ms - self._green_ms[group] + POLL_SLACK_MS
        if gone_ms < spec.amber_ms:
            yield Finding(Alarm.MISSING_AMBER, f"expected {spec.amber_ms} ms of amber after {group}'s green, found red within {gone_ms} ms")

    def _green_began(self, group: str, status: ControllerStatus) -> Iterator[Finding]:
        for (clearing, entering), intergreen_ms in self._spec.intergreen_ms.items():
            if entering == group and clearing in self._green_ms:
                gone_ms = status.at_ms - self._green_ms[clearing] + POLL_SLACK_MS
                if gone_ms < intergreen_ms:
                    text = f"expected {intergreen_ms} ms from {clearing}'s green to {group}'s, found at most {gone_ms} ms"
                    yield Finding(Alarm.SHORT_INTERGREEN, text)

    def _remember(self, status: ControllerStatus, aspects: Mapping[str, Aspect]) -> None:
        for group, aspect in aspects.items():
            before = self._seen.get(group)
            began_ms = before.from_ms if before is not None and before.aspect is aspect else self._last_ms
            self._seen[group] = _Seen(aspect, began_ms)
            if aspect is Aspect.GREEN:
                self._green_ms[group] = status.sent_ms
        self._last_ms = status.sent_ms
        self._up_time_ms = status.up_time_ms
