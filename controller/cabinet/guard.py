"""The guard: the cabinet's process that must never stop. It ticks ten times a second, whatever fails around it.

Inputs, detection, estimate, supervisor, sequencer, interlock, local planners and the journal live here; the optimizer behind a pipe
(`controller.cabinet.remote`). An error of a port, a refusal, a late tick, a dead optimizer, a full disk are recorded events.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Final

from controller.actuated import ActuatedPlanner
from controller.build import MODES, Planners, SequencerFactory, build
from controller.cabinet.day_journal import DayJournal
from controller.cabinet.guard_ports import Optimizer, Service, Signals
from controller.cabinet.operated import Wish
from controller.cabinet.status import Status
from controller.cabinet.status_of import status_of
from controller.cabinet.watch import Watch
from controller.clock import Clock
from controller.decide import OFF_MODES
from controller.detector_rules import Limits
from controller.errors import ConfigError, ModeError
from controller.fixed import FixedPlanner
from controller.grid import Grid
from controller.journal_rows import JournalRows
from controller.junction import Junction, Node
from controller.off import SHOWN_OFF, HoldPlanner, Off, OffPlanner, RedPlanner
from controller.planner import Planner
from controller.profile import week_ms_of
from controller.sequencer import Sequencer
from controller.supervisor import ADVERSE, Event, Mode, Supervisor
from hardware.interlock import Phase
from hardware.ports import FrameRefusedError, InputPort, PortError

TICK_MS: Final = 100
LATE_MS: Final = 50
PUBLISH_MS: Final = 1_000
LEAVE_MS: Final = 45_000  # how long the way to flashing or release may take when the guard is stopped
CLOCK_STEP_MS: Final = 500  # between two ticks; slewing moves it by less than a millisecond
LEAVE_LOST_MS: Final = 5_000  # and how long while the signals do not answer
EVENTS: Final = 200
MOST_CHANGES: Final = 100  # of mode, kept in memory; the journal keeps all
MOST_CRASHES: Final = 10
_ADVERSE: Final = frozenset((*map(str, ADVERSE), "error", "detector", "inputs", "journal", "state", "service", "ignored", "controller"))
_LOG: Final = logging.getLogger("umlauf.guard")


class Guard:
    """One cabinet's guard. Build it, then `run`; or call `tick` when `due_ms` has come.

    ``planners`` gives the nodes planners in this process, ``optimizer`` such behind a pipe; the local ones are always there.
    ``refuge``: FLASH, or RELEASE where the controller has a plan of its own, whose ``sequencer`` is then a follower
    (`controller.cabinet.controller_heads.follow`). Raises `ConfigError` for a mode that nobody can plan.
    """

    def __init__(
        self,
        junction: Junction,
        mode: Mode,
        inputs: InputPort,
        signals: Signals,
        *,
        clock: Clock,
        planners: Planners | None = None,
        optimizer: Optimizer | None = None,
        journal: JournalRows | None = None,
        service: Service | None = None,
        refuge: Mode = Mode.FLASH,
        sequencer: SequencerFactory = Sequencer,
        line_of: Mapping[str, str] | None = None,
        limits: Mapping[str, Limits] | None = None,
        shadow: bool = False,
        site: str = "",
    ) -> None:
        self.site, self.shadow, self.clock, self.signals = site or junction.id, shadow, clock, signals
        self.optimizer, self.journal = optimizer, journal
        self.service, self._refuge, self._planners = service, refuge, planners
        self.start_ms = clock.now_ms()
        controls = {wanted: name for name, wanted in MODES.items()}
        if mode not in controls:
            raise ConfigError(f"site {self.site}: mode {mode}: expected one of {', '.join(controls)}")
        faults = frozenset((Event.OPTIMIZER_LOST,)) if optimizer is not None else frozenset()
        self.control = build(
            junction,
            controls[mode],
            inputs,
            signals,
            journal,
            start_ms=self.start_ms,
            planners=self._planners_of,
            solvable=optimizer is None and not limits,
            supervisor=partial(Supervisor, refuge=refuge, faults=faults),
            sequencer=sequencer,
            # A journal that can be solved again knows no time of day, no lines and no limits of the site's own.
            week_ms=week_ms_of(clock) if optimizer is not None else 0,
            line_of=line_of if optimizer is not None else None,
            limits=limits,
        )
        if mode in (Mode.ADAPTIVE, Mode.CYCLE) and any(not node.plans_in(mode) for node in self.control.nodes):
            raise ConfigError(f"site {self.site}: mode {mode} needs an optimizer or planners that know it")
        if journal is not None:
            journal.keeps_known = optimizer is not None
        self.watch = Watch(junction, self.report)
        self.grid, self._publish_grid = Grid(TICK_MS), Grid(PUBLISH_MS)
        self.events: deque[tuple[str, str, str]] = deque(maxlen=EVENTS)
        self.ticks = self.late_ticks = self.max_late_ms = self.detector_events = 0
        self._heard_ms = {"inputs": self.start_ms, "signals": self.start_ms}
        self._offset_ms = int(clock.utc().timestamp() * 1000) - self.start_ms  # of the wall clock against the monotonic one
        self._leave_ms: int | None = None  # until when the way out may take
        self.after_tick: list[Callable[[int], None]] = []  # called with the tick's time once it is done; must not block
        self.at_end: list[Callable[[], None]] = []
        self._stop_asked = ""
        self._crashes = 0  # ticks in a row that failed for an error in the program
        self.stopped = False
        self.exit_reason = ""
        if isinstance(journal, DayJournal):
            journal.head = self._journal_head

    @property
    def due_ms(self) -> int:
        """Return when the next tick is due, monotonic."""
        return self.start_ms if self.grid.due_ms is None else self.grid.due_ms

    def run(self, duration_s: float | None = None) -> str:
        """Tick until `stop` or for ``duration_s``, then leave in order; return why it ended."""
        end_ms = None if duration_s is None else self.start_ms + int(1000 * duration_s)
        while not self.stopped:
            self.clock.wait_until(self.due_ms)
            if end_ms is not None and self.due_ms >= end_ms and self._leave_ms is None:
                self.stop("the time is over")
            self.tick()
        return self.exit_reason

    def ask_to_stop(self, why: str) -> None:
        """Stop with the next tick: for handlers of signals, which come in the middle of one."""
        self._stop_asked = why

    @property
    def leaving(self) -> bool:
        """Tell whether the guard is on its way out."""
        return self._leave_ms is not None

    def stop(self, why: str = "stopped") -> None:
        """Begin to leave: red, then flashing or the controller's own plan; `run` returns when that is done."""
        if self._leave_ms is not None:
            return
        now_ms = self.clock.now_ms()
        self.exit_reason, self._leave_ms = why, now_ms + LEAVE_MS
        self.tell("stopping", why)
        for node in self.control.nodes:
            node.override(self._refuge, now_ms + 2 * LEAVE_MS, "guard", why, self.control.record, now_ms)
        self.control.plan_grid.restart()

    def tick(self) -> None:
        """Do the tick that is due now; what came late is counted and told, and the next due times stay."""
        now_ms = self.clock.now_ms()
        if not self.grid.due(now_ms):
            return
        self.ticks += 1
        if self._stop_asked:
            self.stop(self._stop_asked)
        self._note_lateness(now_ms)
        self._note_clock_step(now_ms)
        self._hear_optimizer(now_ms)
        self._control_tick(now_ms)
        self._record_journal_news()
        self._serve(now_ms)
        if not self.stopped and self._leave_ms is not None and self._has_left(self._leave_ms, now_ms):
            self._end()

    @property
    def decisions(self) -> int:
        """Return how many plans have been taken."""
        return sum(node.decisions for node in self.control.nodes)

    @property
    def is_off(self) -> bool:
        """Tell whether all nodes have let go: their signals flash, are dark, or run the controller's own plan."""
        return all(node.sequencer.off for node in self.control.nodes)

    def report(self, event: Event, why: str) -> None:
        """Tell all supervisors of an event, and record it."""
        self.tell(str(event), why)
        for node in self.control.nodes:
            try:
                node.report(event, why, self.control.record, self.clock.now_ms())
            except ModeError as error:
                self.tell("ignored", str(error))

    def override(self, wish: Wish, now_ms: int) -> str:
        """Want another mode for a time, at all nodes. Raises `ConfigError` where it has no end or no such mode; faults still limit it."""
        if any(wish.mode in (Mode.ADAPTIVE, Mode.CYCLE) and not node.plans_in(wish.mode) for node in self.control.nodes):
            raise ConfigError(f"site {self.site}: mode {wish.mode} needs the optimizer, which runs only where the site file wants adaptive or cycle")
        for node in self.control.nodes:
            node.override(wish.mode, wish.until_ms, wish.who, wish.reason, self.control.record, now_ms)
        return self.tell("override", f"{wish.who}: {wish.mode} until {wish.until.isoformat(timespec='seconds')}: {wish.reason}")

    def end_override(self, who: str, reason: str, now_ms: int) -> str:
        """Want the site's own mode again. Raises `ConfigError` where no override is in force."""
        if not any(node.supervisor.override_now for node in self.control.nodes):
            raise ConfigError(f"site {self.site}: no override is in force")
        for node in self.control.nodes:
            node.end_override(who, reason, self.control.record, now_ms)
        return self.tell("override", f"{who}: the site's own mode again: {reason}")

    def reset(self, who: str, reason: str, now_ms: int) -> str:
        """Let control come back after a refusal: somebody has looked.

        Raises `ConfigError` where there is nothing to reset, or while the signals are not at rest.
        """
        if not any(Event.REFUSAL in node.supervisor.faults for node in self.control.nodes):
            raise ConfigError(f"site {self.site}: nothing to reset: no refusal and no fault of the signal monitor stands")
        if self.signals.phase is Phase.LATCHED:
            try:
                self.signals.resume(now_ms)
            except FrameRefusedError as error:
                raise ConfigError(f"site {self.site}: cannot be reset yet: {error}") from error
        self.report(Event.RESET, f"{who}: {reason}")
        return f"{who}: reset: {reason}"

    @property
    def failed(self) -> bool:
        """Tell whether it ended because of an error in the program."""
        return self._crashes >= MOST_CRASHES

    def words(self) -> str:
        """Return in one line who decides."""
        modes = ", ".join(f"{node.id} {node.supervisor.mode}" for node in self.control.nodes)
        return modes + (f"; optimizer {self.optimizer.state}" if self.optimizer is not None else "")

    def status(self) -> Status:
        """Return what the guard says of itself."""
        return status_of(self)

    def ages_s(self, now_ms: int) -> dict[str, float]:
        """Return how old the newest answer of each watched part is."""
        heard = self._heard_ms | ({"optimizer": self.optimizer.heard_ms} if self.optimizer is not None else {})
        return {name: (now_ms - at_ms) / 1000 for name, at_ms in heard.items()}

    def numbers(self) -> dict[str, float]:
        """Return what else is counted, by metric name."""
        counts = self.optimizer.counts if self.optimizer is not None else {}
        signals = self.signals.numbers() if hasattr(self.signals, "numbers") else {}
        journal = self.journal.numbers() if isinstance(self.journal, DayJournal) else {}
        return {name: float(count) for name, count in ({"missed_ticks": self.grid.missed} | counts | dict(signals) | journal).items()}

    def tell(self, kind: str, text: str, *, journal: bool = True) -> str:
        """Record an event of the guard's own, for the status, the log and (unless it stands there already) the journal; return the text."""
        self.events.append((self.clock.utc().isoformat(timespec="milliseconds"), kind, text))
        _LOG.log(logging.WARNING if kind in _ADVERSE else logging.INFO, text, extra={"kind": kind, "site": self.site})
        if journal and self.journal is not None:
            self.journal.note(self.clock.now_ms(), kind, f"{self.site}: {text}")
        return text

    def _planners_of(self, junction: Junction, node: Node) -> Mapping[Mode, Planner]:
        local: dict[Mode, Planner] = {Mode.ACTUATED: ActuatedPlanner(junction, node), Mode.FIXED: FixedPlanner(node)}
        given = self._planners(junction, node) if self._planners is not None else {}
        remote = self.optimizer.planners(junction, node) if self.optimizer is not None else {}
        flash, release = (Off.FLASH, Off.OWN_PLAN) if self._refuge is Mode.RELEASE else (Off.HEADS, Off.HEADS)
        off = {Mode.FLASH: OffPlanner(node, self._may_be_off, flash), Mode.RELEASE: OffPlanner(node, self._may_be_off, release)}
        asides: dict[Mode, Planner] = {**off, Mode.PREEMPT: RedPlanner(node), Mode.MANUAL: HoldPlanner()}
        return {**local, **given, **remote, **asides}

    def _may_be_off(self, now_ms: int) -> bool:
        """Tell whether the last gate lets the signals go off, and all nodes are to, for none may alone."""
        together = all(node.supervisor.mode in OFF_MODES for node in self.control.nodes)
        return together and (self.signals.ready(now_ms) or SHOWN_OFF.issuperset(self.signals.aspects))

    def _note_lateness(self, now_ms: int) -> None:
        late_ms = self.grid.late_ms
        self.max_late_ms = max(self.max_late_ms, late_ms)
        if late_ms > LATE_MS:
            self.late_ticks += 1
            self.report(Event.LATE_TICK, f"the tick began {late_ms} ms after it was due, at {now_ms} ms")

    def _note_clock_step(self, now_ms: int) -> None:
        """Record that the wall clock was set (NTP, by hand, a leap second). Only records use it, so nothing else follows."""
        offset_ms = int(self.clock.utc().timestamp() * 1000) - now_ms
        step_ms, self._offset_ms = offset_ms - self._offset_ms, offset_ms
        if abs(step_ms) >= CLOCK_STEP_MS:
            self.tell("clock_step", f"the wall clock was moved by {step_ms / 1000:+.1f} s; timing is untouched")

    def _control_tick(self, now_ms: int) -> None:
        """Do the control's tick. An error in the program is no reason to stop; one that stays is, by way of red."""
        if self._crashes >= MOST_CRASHES:
            self._bring_to_red(now_ms)
            return
        try:
            self._look(self._try_tick(now_ms), now_ms)
            self._crashes = 0
        except Exception as error:
            self._crashes += 1
            _LOG.exception("the tick failed", extra={"kind": "error", "site": self.site})
            self.tell("error", f"the tick failed: {type(error).__name__}: {error}; the signals stay as they are until the next one")

    def _bring_to_red(self, now_ms: int) -> None:
        """Take the last gate's own safe way to red, then end, so that whoever watches over us starts us anew."""
        self.exit_reason = self.exit_reason or f"{MOST_CRASHES} ticks in a row failed"
        self._leave_ms = now_ms + LEAVE_MS if self._leave_ms is None else self._leave_ms
        with suppress(PortError, FrameRefusedError):
            if self.signals.stop(now_ms):
                self._end()

    def _try_tick(self, now_ms: int) -> PortError | FrameRefusedError | None:
        """Return what the signals met. Lost inputs are no error of the signals."""
        try:
            self.control.tick(now_ms)
        except (PortError, FrameRefusedError) as error:
            return None if error is self.control.inputs.lost else error
        return None

    def _journal_head(self) -> Mapping[str, object]:
        """Return what a file that begins now must tell; the optimizer's planners tell theirs with their next answers."""
        if self.optimizer is not None:
            self.optimizer.remember()
        return {node.id: node.sequencer.memory() for node in self.control.nodes}

    def _record_journal_news(self) -> None:
        if isinstance(self.journal, DayJournal):
            for text in self.journal.poll():
                self.tell("journal", text)

    def _look(self, error: PortError | FrameRefusedError | None, now_ms: int) -> None:
        """Tell the supervisors what the tick has shown."""
        inputs, states = self.control.inputs, self.control.detection.states()
        self.detector_events += len(inputs.events)
        for node in self.control.nodes:
            del node.mode_changes[:-MOST_CHANGES]
        self._heard_ms |= {name: now_ms for name, failed in (("inputs", inputs.lost), ("signals", error)) if failed is None}
        self.watch.signals(error, now_ms)
        self.watch.inputs(inputs.lost, states, now_ms)
        for detector in self.watch.changes_of_trust(states):
            self.tell("detector", f"{detector}: {self.control.detection.why(detector) or 'plausible again'}", journal=False)
        self.watch.switches(inputs.events)

    def _hear_optimizer(self, now_ms: int) -> None:
        if self.optimizer is None:
            return
        for event, why in self.optimizer.poll(now_ms):
            if event is None:
                self.tell("optimizer", why)
            else:
                self.report(event, why)
        for told in self.optimizer.memories():
            if self.journal is not None:
                self.journal.memory(self.control.junction.id, told.node, told.tick, told.planner, told.memory)

    def _serve(self, now_ms: int) -> None:
        """Attend to all that is no control. What fails in it by an error in the program is left out from then on."""
        if self.service is not None:
            try:
                for text in self.service.poll(now_ms):
                    self.tell("service", text)
                if self._publish_grid.due(now_ms):
                    self.service.publish(self.status(), now_ms)
            except Exception as error:
                self._leave_out("the operator's doors", error)
                self.service = None
        for call in tuple(self.after_tick):
            try:
                call(now_ms)
            except Exception as error:
                self._leave_out(type(call).__name__, error)
                self.after_tick.remove(call)

    def _leave_out(self, name: str, error: Exception) -> None:
        _LOG.exception("%s failed", name, extra={"kind": "error", "site": self.site})
        self.tell("error", f"{name} failed: {type(error).__name__}: {error}; control goes on without")

    def _has_left(self, leave_ms: int, now_ms: int) -> bool:
        """Tell whether nothing more is to be done before the end; for signals that do not answer it is not worth waiting long."""
        lost = self.watch.signals_lost and now_ms >= leave_ms - LEAVE_MS + LEAVE_LOST_MS
        return self.shadow or self.is_off or lost or now_ms >= leave_ms

    def _end(self) -> None:
        self.stopped = True
        self.tell("stopped", self.exit_reason)
        if self.optimizer is not None:
            self.optimizer.close()
        for call in self.at_end:
            call()
        if self.service is not None:
            self.service.close()
        if self.journal is not None:
            self.journal.close()
