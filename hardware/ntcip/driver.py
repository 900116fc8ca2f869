"""The driver behind `ControllerPort`: a `Session` in a thread of its own, commands in by a queue, the newest status out at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from hardware.ntcip.actuator import KINDS
from hardware.ntcip.options import NtcipOptions
from hardware.ntcip.session import DRIVABLE, Session
from hardware.ntcip.status import ControllerStatus
from hardware.ntcip.timing import Difference, TimingTables
from hardware.ntcip.transport import Transport
from hardware.ports import CommandKind, ControllerAlarm, ControllerCommand, InputEvent, Observation, PortError
from hardware.signals import SiteSpec

LEAVE_S: Final = 15.0  # how long taking back may last at the end of the process


class NtcipDriver:
    """Drives one controller, in a thread that begins when it is first looked at.

    With ``threaded`` False every call does the work itself: for transports that answer at once, on any clock.

    Raises `PortError` where the map does not fit the site.
    """

    def __init__(self, spec: SiteSpec, options: NtcipOptions, now: Callable[[], int], transport: Transport, *, threaded: bool = True) -> None:
        self.actuation = options.actuation
        self.status_age_ms = options.status_age_ms
        self._spec, self._options, self._now, self._transport = spec, options, now, transport
        self._observed: tuple[int, Observation] | None = None
        self._queue: list[ControllerCommand] = []
        self._work = threading.Condition()
        self._closed = False
        self._died = ""
        try:
            self._session = Session(spec, options, transport, now)
        except PortError:
            transport.close()
            raise
        self.drivable = self._session.places.drivable(options.actuation)
        self._thread = threading.Thread(target=self._run, name=f"ntcip {spec.id}", daemon=True) if threaded else None
        self._begun = False
        if self._thread is None:
            self._session.step()

    def request(self, command: ControllerCommand, now_ms: int) -> None:
        """Have the command put in force as soon as the wire allows. Raises `PortError` where it makes no sense here, or nothing can be asked now."""
        self._check(command)
        session = self._session
        if command.kind not in (CommandKind.RELEASE, CommandKind.FLASH):
            self._fresh(now_ms)
            if session.state not in DRIVABLE:
                raise PortError(f"controller of {self._spec.id}: expected to drive it, found {session.state}: {self._why()}")
        with self._work:
            self._queue.append(command)
            self._work.notify()
        if self._thread is None:
            self._step()

    def observe(self, now_ms: int) -> Observation:
        """Return the newest status, within one tick the same. Raises `PortError` while there is none that is fresh."""
        self._begin()
        if self._thread is None:
            self._step()
        elif self._observed is not None and self._observed[0] == now_ms:
            return self._observed[1]  # what a command is judged by is what it was made for
        status = self._fresh(now_ms)
        seen = Observation(min(status.at_ms, now_ms), self._session.places.shown(status.lamps, status.flash_as), self._session.mode)
        self._observed = now_ms, seen
        return seen

    def poll(self, now_ms: int) -> Sequence[InputEvent]:
        """Return what the controller reported of itself up to ``now_ms``: pre-emption, stop time, operation by hand, faults."""
        self._begin()
        with self._work:
            events = self._session.events
            due = [e for e in events if e.at_ms <= now_ms]
            del events[: len(due)]
        return due

    def alarms(self) -> Sequence[ControllerAlarm]:
        """Return what keeps it from being driven."""
        return tuple(dict(self._session.alarms).values())

    def timing_tables(self) -> TimingTables | None:
        """Return what the controller was set up with, None before it has answered."""
        self._begin()
        return self._session.tables

    def differences(self) -> Sequence[Difference]:
        """Return where that disagrees with the site."""
        return self._session.differences

    def numbers(self) -> Mapping[str, float]:
        """Return figures for `umlauf status` and the metrics."""
        self._begin()
        session = self._session
        sweep_ms = session.status.at_ms - session.status.sent_ms if session.status is not None else 0
        return {
            "ntcip_backup_s": session.backup_ms / 1000,
            "ntcip_sweep_ms": sweep_ms,
            "ntcip_sweeps": session.sweeps,
            "ntcip_failures": session.failures,
            "ntcip_in_force": int(session.in_force),
        }

    def close(self) -> None:
        """Take everything back, as far as the controller answers, and end the thread."""
        with self._work:
            if self._closed:
                return
            self._closed = True
            self._work.notify()
        if self._thread is None:
            self._session.leave()
        elif self._begun:
            self._thread.join(LEAVE_S)
        self._transport.close()

    def _begin(self) -> None:
        """Let the thread begin: with the first tick rather than beside all that is put together before it."""
        if self._thread is not None and not self._begun and not self._closed:
            self._begun = True
            self._thread.start()

    def _run(self) -> None:
        try:
            while not self._closed:
                self._step()
                with self._work:
                    if not self._queue and not self._closed:
                        self._work.wait(self._session.wait_ms() / 1000)
            self._session.leave()
        except Exception as error:
            # Whatever it was, nobody would hear of it: the thread ends, `observe` tells why, and the deadman takes everything back.
            self._died = f"{type(error).__name__}: {error}"
            raise

    def _step(self) -> None:
        with self._work:
            commands, self._queue = self._queue, []
        self._session.step(commands)

    def _check(self, command: ControllerCommand) -> None:
        """Refuse what names unknown groups, does not fit together, or is not this actuation's."""
        where, known = f"controller of {self._spec.id}", self._session.places
        unknown = [g for g in command.groups if g not in known.places]
        if unknown:
            raise PortError(f"{where}: expected groups out of {sorted(known.places)}, found {unknown}")
        if command.kind is CommandKind.SPLITS and len(command.durations_ms) != len(command.groups):
            raise PortError(f"{where}: expected {len(command.groups)} durations, found {len(command.durations_ms)}")
        kinds = KINDS[self.actuation]
        if command.kind not in kinds and (command.groups or command.value):
            raise PortError(f"{where}: expected one of {', '.join(sorted(kinds))} with actuation {self.actuation}, found {command.kind}")
        others = [g for g in command.groups if g not in self.drivable]
        if others:
            raise PortError(f"{where}: expected groups out of {sorted(self.drivable)} with actuation {self.actuation}, found {others}")

    def _why(self) -> str:
        return "; ".join(alarm.text for alarm in self.alarms()) or self._session.last_error

    def _fresh(self, now_ms: int) -> ControllerStatus:
        """Return the newest status. Raises `PortError` where there is none, or it is too old."""
        where, status = f"controller of {self._spec.id}", self._session.status
        if self._died:
            raise PortError(f"{where}: its driver has ended ({self._died}); restart the daemon and report this")
        if self._closed:
            raise PortError(f"{where}: expected an open driver, found it closed")
        if status is None:
            raise PortError(f"{where}: expected a status, found none yet: {self._session.last_error}")
        if now_ms - status.at_ms > self.status_age_ms:
            raise PortError(f"{where}: expected a status at most {self.status_age_ms} ms old, found none: {self._session.last_error}")
        return status
