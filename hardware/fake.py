"""Fakes for tests and dry runs: they reject what real devices reject, record what happened, and can fail like real ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from hardware.ports import CommandKind, ControllerCommand, InputEvent, Observation, PortError
from hardware.signals import Aspect, Frame, SiteSpec


class Shown(NamedTuple):
    """One frame that reached the fake heads."""

    now_ms: int
    aspects: tuple[Aspect, ...]


class FakeHeads:
    """Signal heads in memory.

    ``history`` holds all that was shown. ``mute`` makes it stop answering (`PortError`, nothing shown); ``hold`` makes
    it take a frame without showing it until `release`; ``drop_next`` shows the next frame but loses the answer;
    ``blind`` means that it cannot read back. ``force`` sets aspects behind the control's back.
    """

    def __init__(self, spec: SiteSpec, *, first: Aspect | tuple[Aspect, ...] = Aspect.RED, blind: bool = False) -> None:
        self._spec = spec
        count = len(spec.groups)
        self._aspects = (first,) * count if isinstance(first, Aspect) else first
        self._held: Shown | None = None
        self._at_ms = 0
        self.blind = blind
        self.mute = False
        self.hold = False
        self.drop_next = False
        self.mode = "remote"
        self.history: list[Shown] = []

    def show(self, frame: Frame, now_ms: int) -> None:
        """Show the frame. Raises `PortError` while mute, on a wrong length and on anything that is no aspect."""
        if self.mute:
            raise PortError(f"fake heads of {self._spec.id}: no answer; set mute to False")
        if len(frame.aspects) != len(self._spec.groups):
            raise PortError(f"fake heads of {self._spec.id}: expected {len(self._spec.groups)} aspects, found {len(frame.aspects)}")
        for group, aspect in zip(self._spec.groups, frame.aspects, strict=True):
            if not isinstance(aspect, Aspect):
                raise PortError(f"fake heads of {self._spec.id}: group {group.id}: expected an Aspect, found {aspect!r}")
        self._at_ms = now_ms
        entry = Shown(now_ms, frame.aspects)
        if self.hold:
            self._held = entry
        else:
            self._take(entry)
        if self.drop_next:
            self.drop_next = False
            raise PortError(f"fake heads of {self._spec.id}: the answer was lost after the frame was shown")

    def observe(self, now_ms: int) -> Observation:
        """Return what is shown. Raises `PortError` while mute."""
        if self.mute:
            raise PortError(f"fake heads of {self._spec.id}: no answer; set mute to False")
        return Observation(now_ms, None if self.blind else self._aspects, self.mode)

    def release(self) -> None:
        """Show the frame that was held back, and hold no more."""
        self.hold = False
        if self._held is not None:
            self._take(self._held)
            self._held = None

    def force(self, aspects: tuple[Aspect, ...]) -> None:
        """Show other aspects than asked for, as a broken or foreign device would."""
        self._aspects = aspects

    def _take(self, entry: Shown) -> None:
        self._aspects = entry.aspects
        self.history.append(entry)


class FakeInputs:
    """Scripted input events, handed out when their time has come."""

    def __init__(self, events: Iterable[InputEvent] = ()) -> None:
        self._events = sorted(events)
        self._now_ms: int | None = None
        self.mute = False

    def push(self, event: InputEvent) -> None:
        """Add an event. Raises `PortError` where its time has been handed out already."""
        if self._now_ms is not None and event.at_ms <= self._now_ms:
            raise PortError(f"fake inputs: expected an event after {self._now_ms} ms, found {event.source} at {event.at_ms} ms")
        self._events = sorted([*self._events, event])

    def poll(self, now_ms: int) -> Sequence[InputEvent]:
        """Return the events up to ``now_ms`` not yet returned. Raises `PortError` while mute or where the time runs backwards."""
        if self.mute:
            raise PortError("fake inputs: no answer; set mute to False")
        if self._now_ms is not None and now_ms < self._now_ms:
            raise PortError(f"fake inputs: expected a time of at least {self._now_ms} ms, found {now_ms} ms")
        self._now_ms = now_ms
        due = [e for e in self._events if e.at_ms <= now_ms]
        self._events = self._events[len(due) :]
        return due


class FakeController:
    """A controller in memory that owns its aspects. It records commands and shows what the test lets it show."""

    def __init__(self, spec: SiteSpec) -> None:
        self._spec = spec
        self._ids = frozenset(g.id for g in spec.groups)
        self.aspects: tuple[Aspect, ...] | None = (Aspect.RED,) * len(spec.groups)
        self.mode = "remote"
        self.mute = False
        self.history: list[tuple[int, ControllerCommand]] = []

    def request(self, command: ControllerCommand, now_ms: int) -> None:
        """Record the command. Raises `PortError` while mute, on an unknown group and on durations that fit no groups."""
        if self.mute:
            raise PortError(f"fake controller {self._spec.id}: no answer; set mute to False")
        unknown = [g for g in command.groups if g not in self._ids]
        if unknown:
            raise PortError(f"fake controller {self._spec.id}: expected groups out of {sorted(self._ids)}, found {unknown}")
        if command.kind is CommandKind.SPLITS and len(command.durations_ms) != len(command.groups):
            raise PortError(f"fake controller {self._spec.id}: expected {len(command.groups)} durations, found {len(command.durations_ms)}")
        self.history.append((now_ms, command))

    def observe(self, now_ms: int) -> Observation:
        """Return the aspects and mode set by the test. Raises `PortError` while mute."""
        if self.mute:
            raise PortError(f"fake controller {self._spec.id}: no answer; set mute to False")
        return Observation(now_ms, self.aspects, self.mode)
