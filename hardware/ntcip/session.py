"""One controller's session: connect, check, watch, put commands in force, let go.

Theory of operation. Everything happens in `Session.step`, which may block for as long as the wire takes; nothing else touches the
transport. The session is in one of the states of `TRANSITIONS`; a pair of state and event that is not in the table is an error in
the program. Commands are put in force in READY and ACTIVE only. Whatever `watch` finds, and a controller that does not answer or refuses,
leads out of them: everything in force is taken back once, refreshing stops, and after `hold_down_s` without a finding it is READY again.
What could not be taken back is owed, and tried again after every sweep; meanwhile the deadman does it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Final

from hardware.ntcip.actuator import Actuator
from hardware.ntcip.objects import ObjectTable
from hardware.ntcip.options import NtcipOptions
from hardware.ntcip.phase_map import Kind, PhaseMap
from hardware.ntcip.status import ControllerStatus, StatusReader
from hardware.ntcip.timing import Difference, TimingTables, differences
from hardware.ntcip.transport import NoAnswerError, OlderEngineError, Transport
from hardware.ntcip.watch import INPUTS, LOCAL, SUSPICIOUS, Alarm, Finding, Watch
from hardware.ports import Actuation, CommandKind, ControllerAlarm, ControllerCommand, InputEvent, PortError
from hardware.signals import SiteSpec

RETRY_MS: Final = 1_000  # how often a controller that does not answer is asked
RECHECK_MS: Final = 60_000  # how often one whose tables differ is read anew
EXIT_TRIES: Final = 3


class State(StrEnum):
    """Where the session stands."""

    CONNECTING = "connecting"  # it has not answered yet, or again
    DIFFERENT = "different"  # its tables disagree with the site: watched, never driven
    WAITING = "waiting"  # for the end of the hold-down
    READY = "ready"
    ACTIVE = "active"  # something of ours is in force


class Event(StrEnum):
    """What moves it."""

    AGREED = "agreed"
    DIFFERED = "differed"
    COMMANDED = "commanded"
    LET_GO = "let go"
    ALARMED = "alarmed"
    HELD_DOWN = "held down"
    SILENT = "silent"
    REBOOTED = "rebooted"


_LOST: Final = {Event.SILENT: State.CONNECTING, Event.REBOOTED: State.CONNECTING}

TRANSITIONS: Final[Mapping[State, Mapping[Event, State]]] = {
    State.CONNECTING: {
        Event.AGREED: State.WAITING,
        Event.DIFFERED: State.DIFFERENT,
        Event.ALARMED: State.CONNECTING,
        **_LOST,
    },
    State.DIFFERENT: {
        Event.AGREED: State.WAITING,
        Event.DIFFERED: State.DIFFERENT,
        Event.LET_GO: State.DIFFERENT,
        Event.ALARMED: State.DIFFERENT,
        **_LOST,
    },
    State.WAITING: {Event.LET_GO: State.WAITING, Event.ALARMED: State.WAITING, Event.HELD_DOWN: State.READY, **_LOST},
    State.READY: {Event.COMMANDED: State.ACTIVE, Event.LET_GO: State.READY, Event.ALARMED: State.WAITING, **_LOST},
    State.ACTIVE: {Event.COMMANDED: State.ACTIVE, Event.LET_GO: State.READY, Event.ALARMED: State.WAITING, **_LOST},
}
DRIVABLE: Final = (State.READY, State.ACTIVE)


class Session:
    """Drives one controller through a transport. `step` blocks; everything else returns at once what the newest step left."""

    def __init__(self, spec: SiteSpec, options: NtcipOptions, transport: Transport, now: Callable[[], int]) -> None:
        self._spec, self._options, self._transport, self._now = spec, options, transport, now
        self._table = table = ObjectTable(options.objects)
        self.places = PhaseMap(spec, options.phases, options.detectors)
        self._reader = StatusReader(table, transport, self.places, now)
        self._watch = Watch(spec, self.places)
        self._actuator = Actuator(table, self.places, options, transport, now)
        self._owed = False
        self._again: dict[CommandKind, ControllerCommand] = {}  # commands whose answer was lost, before it was known what they did
        self._due_ms = self._recheck_ms = self._hold_until_ms = now()
        self._began_ms = now()
        self.state = State.CONNECTING
        self.status: ControllerStatus | None = None
        self.tables: TimingTables | None = None
        self.differences: tuple[Difference, ...] = ()
        self.alarms: dict[Alarm, ControllerAlarm] = {}
        self.events: list[InputEvent] = []
        self.sweeps = self.failures = 0
        self.last_error = "it has not been asked yet"

    @property
    def mode(self) -> str:
        """Return whose the controller is: remote (ours), local (its own), fault."""
        if self.state in DRIVABLE:
            return "remote"
        return "local" if all(alarm in LOCAL for alarm in self.alarms) else "fault"

    @property
    def in_force(self) -> bool:
        """Tell whether anything of ours is, or may be."""
        return self._actuator.in_force or self._owed

    @property
    def backup_ms(self) -> int:
        """Return the controller's deadman, 0 where it is unknown."""
        return self.tables.backup_ms if self.tables is not None else 0

    def wait_ms(self) -> int:
        """Return for how long there is nothing to do, unless a command comes."""
        return max(0, self._due_ms - self._now())

    def step(self, commands: Sequence[ControllerCommand] = ()) -> None:
        """Put the commands in force; where it is due, read a sweep, judge it and refresh what is in force."""
        for command in commands:
            self._command(command)
        if self._now() >= self._due_ms:
            self._due_ms = self._now() + self._options.poll_ms
            self._poll()

    def leave(self) -> None:
        """Take everything back before the process ends, and see that it is gone; where the controller does not answer, its deadman does it."""
        for _ in range(EXIT_TRIES):
            if not self.in_force:
                return
            self._owed = not self._try(self._actuator.let_go)

    def _command(self, command: ControllerCommand) -> None:
        if command.kind is CommandKind.RELEASE:
            self._again.clear()
        if self.state not in DRIVABLE or self.status is None:
            if command.kind is CommandKind.RELEASE and self.in_force:
                self._let_go()
            return
        status = self.status
        if self._try(lambda: self._actuator.command(command, status)):
            self._owed = False
            self._again.pop(command.kind, None)
            self._move(Event.COMMANDED if self._actuator.in_force else Event.LET_GO)
        elif command.kind is CommandKind.RELEASE:
            self._owed = True
        elif self.state in DRIVABLE:
            self._lost(command)

    def _lost(self, command: ControllerCommand) -> None:
        """Note that a command may be in force or not. It is asked again, but for force-offs: theirs may be another green by then."""
        if command.kind is not CommandKind.FORCE_OFF:
            self._again[command.kind] = command
        if self.state is State.READY and self._actuator.in_force:
            self._move(Event.COMMANDED)

    def _poll(self) -> None:
        try:
            if self.state is State.CONNECTING or (self.state is State.DIFFERENT and self._now() >= self._recheck_ms):
                self._connect()
            self.status = self._reader.read()
        except PortError as error:
            self._failed(error)
            return
        self.sweeps += 1
        self._actuator.green_ended(self.status.lamps.greens)
        self._judge(self.status)
        if self.state not in DRIVABLE or self._owed:
            self._again.clear()
            return
        for command in tuple(self._again.values()):
            self._command(command)
        if self.state in DRIVABLE and self._actuator.refresh_due():
            self._try(self._actuator.refresh)

    def _connect(self) -> None:
        """Read what is read once, and compare it with the site."""
        self._reader.probe()
        self.tables = self._reader.tables()
        self.differences = (*differences(self.tables, self._spec, self.places.served()), *self._of_driving(self.tables))
        self._actuator.connect(self.tables)
        self._watch.forget()
        grave = [d.text for d in self.differences if d.grave]
        if grave:
            self._recheck_ms = self._now() + RECHECK_MS
            self._raise(Finding(Alarm.DIFFERENT, "; ".join(grave)))
        self._move(Event.DIFFERED if grave else Event.AGREED)

    def _of_driving(self, tables: TimingTables) -> list[Difference]:
        """Return what else keeps this controller from being driven as wanted."""
        found = []
        least_ms = 3 * (self._options.poll_ms + self._options.timeout_ms * (self._options.retries + 1))
        if 0 < tables.backup_ms < least_ms:
            text = f"expected a deadman of at least {least_ms} ms, three times our slowest answer, found {tables.backup_ms} ms; lengthen it"
            found.append(Difference("unitBackupTime", text))
        used = {p for ring in tables.rings for p in ring}
        if self._options.actuation is Actuation.SPLITS and not used & set(self._options.coordinated):
            text = f"expected one of the coordinated phases {list(self._options.coordinated)} in use, found phases {sorted(used)}; correct coordinated"
            found.append(Difference("coordinated", text))
        found += self._of_reserved() if self._options.actuation is Actuation.SPLITS else []
        for group, detectors in self.places.detectors.items() if self._options.actuation is Actuation.CALLS else ():
            phase = self.places.places[group].number
            for d in (d for d in detectors if d.kind is Kind.DETECTOR):
                called = self._reader.numbers(("vehicleDetectorCallPhase", d.number))[0]
                if called != phase:
                    found.append(Difference(group, f"expected detector {d.number} to call phase {phase}, found phase {called}; correct one of both"))
        return found

    def _of_reserved(self) -> list[Difference]:
        """Return which of our reserved numbers this controller does not have."""
        found = []
        for name, numbers in (("maxPatterns", self._options.patterns), ("maxSplits", self._options.splits)):
            most = self._reader.get_or_none(self._table.oid(name))
            if isinstance(most, int) and max(numbers) > most:
                found.append(Difference(name, f"expected numbers of at most {most}, found {list(numbers)}; reserve others"))
        return found

    def _judge(self, status: ControllerStatus) -> None:
        """Watch, let go where anything is wrong, and go on where nothing was for the hold-down."""
        findings = self._watch.look(status, driven=self._actuator.in_force)
        if self._actuator.flashing:
            findings = [f for f in findings if f.alarm is not Alarm.FLASH]
        if self._actuator.expired():
            findings.append(Finding(Alarm.BACKUP, f"expected a refresh within {self.backup_ms} ms, found none answered: the deadman is over"))
        if wrong := self._actuator.not_running(status):
            findings.append(Finding(Alarm.NOT_RUNNING, wrong))
        for finding in findings:
            self._raise(finding)
        if findings:
            rebooted = any(f.alarm is Alarm.REBOOT for f in findings)
            self._move(Event.REBOOTED if rebooted else Event.ALARMED)  # what was set up may be another now
        if findings or self._owed:
            self._let_go()
        if self.state is State.WAITING and not findings and not self._owed and self._now() >= self._hold_until_ms:
            self._clear()
            self._move(Event.HELD_DOWN)

    def _failed(self, error: PortError) -> None:
        """Note a sweep that did not succeed; when there has been none for too long, the controller counts as silent."""
        self.failures += 1
        self.last_error = str(error)
        if isinstance(error, OlderEngineError):
            self._older_engine(error)
            return
        age_ms = self._now() - (self.status.at_ms if self.status is not None else self._began_ms)
        if self.state is State.CONNECTING or age_ms > self._options.status_age_ms:
            self._due_ms = max(self._due_ms, self._now() + RETRY_MS)
            self._owed = self.in_force
            self._raise(Finding(Alarm.SILENT if isinstance(error, NoAnswerError) else Alarm.NONSENSE, str(error)))
            self._move(Event.SILENT)

    def _older_engine(self, error: OlderEngineError) -> None:
        """Note that another controller may answer than before: it is read anew, and what is in force there is owed back."""
        self._owed = self.in_force
        self._raise(Finding(Alarm.OLDER_ENGINE, str(error)))
        self._move(Event.REBOOTED)

    def _let_go(self) -> None:
        """Take back what is in force; while that does not succeed it is owed."""
        if self.in_force:
            self._owed = not self._try(self._actuator.let_go)
        if not self._owed and self.state is State.ACTIVE:
            self._move(Event.LET_GO)

    def _try(self, write: Callable[[], None]) -> bool:
        """Write; return whether it was done. A refusal is an alarm at once, silence is judged with the sweeps."""
        try:
            write()
        except NoAnswerError as error:
            self.last_error = str(error)
            if isinstance(error, OlderEngineError):
                self._older_engine(error)
            return False
        except PortError as error:
            self.last_error = str(error)
            self._raise(Finding(Alarm.REFUSED, str(error)))
            self._owed = self.in_force
            self._move(Event.ALARMED)
            return False
        return True

    def _raise(self, finding: Finding) -> None:
        """Let an alarm stand until the hold-down after its last finding is over."""
        now_ms = self._now()
        self._hold_until_ms = now_ms + self._options.hold_down_s * 1000
        if finding.alarm not in self.alarms:
            self.alarms[finding.alarm] = ControllerAlarm(now_ms, finding.alarm.value, finding.text, finding.alarm in SUSPICIOUS)
            self._tell(finding.alarm, 1)

    def _clear(self) -> None:
        for alarm in self.alarms:
            self._tell(alarm, 0)
        self.alarms = {}

    def _tell(self, alarm: Alarm, value: int) -> None:
        if alarm in INPUTS:
            self.events.append(InputEvent(self._now(), INPUTS[alarm], f"{self._spec.id}: {alarm.value}", value))

    def _move(self, event: Event) -> None:
        self.state = TRANSITIONS[self.state][event]
