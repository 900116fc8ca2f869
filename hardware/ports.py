"""The ports between control and the world. Adapters live beside this file, one device each; contract suites in ``tests/contract``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import NamedTuple, Protocol

from hardware.signals import Aspect, Frame


class InputKind(StrEnum):
    """What an input event tells."""

    PRESENCE = "presence"  # value 1: a vehicle begins to cover the loop, 0: it has left it
    COUNT = "count"  # value: vehicles since the last count
    PUSH_BUTTON = "push_button"
    ACCESSIBLE_REQUEST = "accessible_request"
    TRANSIT_CHECK_IN = "transit_check_in"
    TRANSIT_CHECK_OUT = "transit_check_out"
    PREEMPT_RAIL = "preempt_rail"
    PREEMPT_EMERGENCY = "preempt_emergency"
    POLICE_PANEL = "police_panel"
    STOP_TIME = "stop_time"
    MONITOR_FAULT = "monitor_fault"
    DETECTOR_FAULT = "detector_fault"  # the device itself says that the loop is broken or whole again; value: see `DetectorFault`


class DetectorFault(IntEnum):
    """What a device says of a loop: the value of a `DETECTOR_FAULT` event (NTCIP 1202 v03, vehicleDetectorReportedAlarms). 83 + it is the Indiana code."""

    WHOLE = 0
    OTHER = 1
    WATCHDOG = 2  # the card does not answer for the loop
    OPEN = 3
    SHORT = 4
    EXCESSIVE_CHANGE = 5  # of the inductance


class InputEvent(NamedTuple):
    """One thing that happened at one input, at monotonic time ``at_ms`` (sub-tick exact)."""

    at_ms: int
    kind: InputKind
    source: str  # detector or input id of the site
    value: int


class InputPort(Protocol):
    """Where events come from."""

    def poll(self, now_ms: int) -> Sequence[InputEvent]:
        """Return all events up to ``now_ms`` not yet returned, ordered by time. Raises `PortError` on a lost link."""
        ...


@dataclass(frozen=True, slots=True)
class Observation:
    """What the heads were seen to show; ``aspects`` is None where the device cannot read them back."""

    at_ms: int
    aspects: tuple[Aspect, ...] | None
    mode: str = "remote"  # remote: ours; local: the device's own plan; fault


class HeadPort(Protocol):
    """Signal heads whose aspects we own (SUMO, virtual junction, fake, bench relays)."""

    def show(self, frame: Frame, now_ms: int) -> None:
        """Show the frame. Raises `FrameRefusedError` (interlock) or `PortError` (device)."""
        ...

    def observe(self, now_ms: int) -> Observation:
        """Return what the heads show."""
        ...


class CommandKind(StrEnum):
    """What can be asked of a controller that owns its aspects."""

    RELEASE = "release"
    PATTERN = "pattern"
    SPLITS = "splits"
    HOLD = "hold"
    FORCE_OFF = "force_off"
    OMIT = "omit"
    CALL = "call"
    FLASH = "flash"


@dataclass(frozen=True, slots=True)
class ControllerCommand:
    """One request; ``groups`` are the groups it names, ``durations_ms`` one value per group where splits are asked."""

    at_ms: int
    kind: CommandKind
    groups: tuple[str, ...] = ()
    durations_ms: tuple[int, ...] = ()
    value: int = 0


class ControllerPort(Protocol):
    """A controller that owns aspects and minimums (NTCIP, RSMP); it is asked, never commanded."""

    def request(self, command: ControllerCommand, now_ms: int) -> None:
        """Ask. Raises `FrameRefusedError` (interlock) or `PortError` (device)."""
        ...

    def observe(self, now_ms: int) -> Observation:
        """Return the aspects, the mode and the state that the controller reports."""
        ...


class Actuation(StrEnum):
    """How a controller that owns its aspects is driven."""

    SPLITS = "splits"  # it runs a pattern whose splits come from us
    PHASE_CONTROL = "phase-control"  # hold, force-off, omit and call, second by second
    CALLS = "calls"  # virtual detectors only: it keeps every decision of timing


class ControllerAlarm(NamedTuple):
    """What keeps a controller from being driven, since when, in words; ``name`` for programs. ``suspicious``: it belongs into the audit log."""

    since_ms: int
    name: str
    text: str
    suspicious: bool = False


class ControllerDriver(ControllerPort, InputPort, Protocol):
    """A controller's driver: beside the port, what the guard must know. ``poll`` gives what the controller reports of itself as input events."""

    actuation: Actuation
    status_age_ms: int  # a state older than this counts as none
    drivable: frozenset[str]  # the signal groups that commands may name

    def alarms(self) -> Sequence[ControllerAlarm]:
        """Return all that stand, none where the controller may be driven."""
        ...

    def numbers(self) -> Mapping[str, float]:
        """Return what it counts and measures, by metric name."""
        ...

    def close(self) -> None:
        """Take back everything that is in force, as far as the controller answers, and let go."""
        ...


class PortError(OSError):
    """A device cannot be reached or answers nonsense; the message names the device and how to mend it."""


class FrameRefusedError(ValueError):
    """The interlock refused; the message names rule, group, expected and found."""
