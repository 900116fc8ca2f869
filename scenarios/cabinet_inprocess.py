"""The accelerated cabinet: guard, drivers and devices in one process, on a clock that jumps from tick to tick.

It is the daemon's own code: the guard, the link to the optimizer with its lines of JSON, the Modbus driver, the interlock. Only what carries
octets is replaced: a wire in memory for the serial line, a queue for the optimizer's pipe. Faults are what the devices and the
processes do, never a switch inside the code under test.
"""

from __future__ import annotations

import logging
import random
import resource
import sqlite3
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from controller.cabinet.codec import Answer, answer_line, line_of, message_of
from controller.cabinet.controller_heads import follow
from controller.cabinet.day_journal import DayJournal
from controller.cabinet.guard import Guard
from controller.cabinet.optimizer_link import OptimizerLink
from controller.cabinet.optimizer_process import Planners, answer, make_planners
from controller.clock import ManualClock
from controller.journal import new_file
from controller.journal_schema import junction_of, junction_text
from controller.supervisor import Mode
from hardware.loops.modbus import modbus_inputs
from hardware.ntcip.driver import NtcipDriver
from hardware.ntcip.transport import InProcess
from hardware.ports import Actuation, InputPort
from hardware.registry import open_site
from hardware.virtual.card_lines import MemoryWire
from scenarios.cabinet_faults import LOOP_FAULTS, STEPS_S, Fault
from scenarios.cabinet_report import Restart
from scenarios.cabinet_rig import Rig, build_rig, ntcip_options

RESTART_MS: Final = 1_500  # systemd's RestartSec and the start of a Python process
# What the guard logs stands in its journal, too; without a handler Python would print its warnings.
logging.getLogger("umlauf").addHandler(logging.NullHandler())


class QueueOptimizer:
    """An optimizer process as its `Channel` shows it, in this process. ``dead`` and ``stopped`` are what kill -9 and kill -STOP do to it."""

    def __init__(self, planners: Planners) -> None:
        self._planners, self._out = planners, b""
        self._in = bytearray()
        self.dead = self.stopped = False

    def send(self, data: bytes) -> int:
        """Take lines and answer them, at once."""
        if self.dead:
            raise BrokenPipeError("the optimizer has ended")
        self._in += data
        while not self.stopped and b"\n" in self._in:
            line, _, rest = bytes(self._in).partition(b"\n")
            self._in = bytearray(rest)
            self._out += self._reply(line)
        return len(data)

    def receive(self) -> bytes | None:
        """Return the answers, None once it is dead."""
        if self.dead:
            return None
        data, self._out = (b"", self._out) if self.stopped else (self._out, b"")
        return data

    def close(self) -> str:
        """End it."""
        self.dead = True
        return "it was killed"

    def _reply(self, line: bytes) -> bytes:
        message = message_of(line)
        if "hello" in message:
            return line_of(ready=True)
        if "ping" in message:
            return line_of(pong=message["ping"])
        found: Answer = answer(message, self._planners)
        return answer_line(found)


@dataclass
class Tally:
    """What was counted over all guards of a run."""

    ticks: int = 0
    late_ticks: int = 0
    missed_ticks: int = 0
    max_late_ms: int = 0
    detector_events: int = 0
    decisions: int = 0
    refusals: int = 0
    mode_changes: list[tuple[float, str, str]] = field(default_factory=list)  # s from the start, mode, why
    journal_bytes: int = 0
    restarts: list[Restart] = field(default_factory=list)


class InProcessCabinet:
    """One cabinet on one clock. `run_to` lets time pass, `begin` and `end` provoke and mend a fault."""

    def __init__(
        self,
        folder: Path,
        *,
        mode: Mode = Mode.ADAPTIVE,
        seed: int = 1,
        start_h: float = 7.0,
        load_ratio: float = 1.0,
        own_heads: bool = False,
        actuation: Actuation = Actuation.PHASE_CONTROL,
    ) -> None:
        """Build everything; journals go to ``folder``."""
        self._folder, self._mode, self._actuation = folder, mode, actuation
        self.clock = ManualClock(0, datetime(2026, 1, 5, tzinfo=UTC) + timedelta(hours=start_h))
        self.rig: Rig = build_rig(seed=seed, start_h=start_h, load_ratio=load_ratio, own_heads=own_heads, singles=False)
        self._random = random.Random(seed)
        self._wire = MemoryWire(self.rig.bus.slave)
        self._planners = make_planners(junction_of(junction_text(self.rig.junction))) if mode in (Mode.ADAPTIVE, Mode.CYCLE) else {}
        self._optimizer: QueueOptimizer | None = None
        self._snmp: InProcess | None = None
        self._silent = False
        self._broken: dict[Fault, str] = {}  # loop that a fault is at
        self.tally = Tally()
        self._connection: sqlite3.Connection | None = None  # to the newest journal file
        self._guard: Guard | None = None
        self._back_ms: int | None = None  # when systemd has the guard back
        self._start_guard()

    @property
    def guard(self) -> Guard | None:
        """Return the guard, None while it is dead."""
        return self._guard

    @property
    def signals(self) -> str:
        """Return who owns the aspects."""
        return "own heads" if self.rig.controller is None else f"controller, {self._actuation}"

    def line(self) -> str:
        """Return the present state in one line."""
        guard, street = self._guard, self.rig.world.junction
        if guard is None:
            return "no guard"
        status = guard.status()
        node = status.nodes[0]
        inside = sum(street.inside().values())
        served = f"{street.passed} served with {street.mean_delay_s():.1f} s mean delay"
        return f"{node.mode:<9} {node.stage:<10} {inside:>3} vehicles inside, {served}, {self.rig.world.checker.unsafe_frames} unsafe"

    def run_to(self, to_ms: int) -> None:
        """Let time pass."""
        while True:
            guard = self._guard
            due_ms = self._back_ms if guard is None else guard.due_ms
            if due_ms is None or due_ms > to_ms:
                break
            self.clock.wait_until(due_ms)
            self.rig.world.advance(due_ms)
            if guard is None:
                self._start_guard()
            else:
                guard.tick()
        self.clock.wait_until(to_ms)
        self.rig.world.advance(to_ms)

    def begin(self, fault: Fault) -> str:
        """Provoke a fault; return in words what was done."""
        match fault:
            case Fault.OPTIMIZER_KILL | Fault.OPTIMIZER_STOP:
                return self._hit_optimizer(fault)
            case Fault.GUARD_KILL:
                self._kill_guard()
                return f"the guard's process ended without a word, and was started again {RESTART_MS} ms later"
            case Fault.LOOP_STUCK_ON | Fault.LOOP_STUCK_OFF | Fault.LOOP_CHATTER:
                loop = self._random.choice([x for x in self.rig.loops() if x not in self._broken.values()])
                self.end(fault)
                self._broken[fault] = loop
                self.rig.world.fail(loop, LOOP_FAULTS[fault])
                return f"{loop}: {LOOP_FAULTS[fault]}"
            case Fault.SERIAL_UNPLUG:
                self._wire.plugged = False
                return "the serial line was unplugged"
            case Fault.SNMP_SILENT:
                self._mute(True)
                return "the signals stopped answering"
            case Fault.CLOCK_STEP:
                step_s = self._random.choice(STEPS_S)
                self.clock.step(timedelta(seconds=step_s))
                return f"the wall clock jumped by {step_s} s"
            case Fault.DISK_FULL:
                self._fill_disk(True)
                return "the journal's file could not grow any more"

    def end(self, fault: Fault) -> None:
        """Mend a fault; nothing where it is over by itself."""
        match fault:
            case Fault.LOOP_STUCK_ON | Fault.LOOP_STUCK_OFF | Fault.LOOP_CHATTER:
                loop = self._broken.pop(fault, None)
                if loop is not None:
                    self.rig.world.fail(loop, None)
            case Fault.SERIAL_UNPLUG:
                self._wire.plugged = True
            case Fault.SNMP_SILENT:
                self._mute(False)
            case Fault.DISK_FULL:
                self._fill_disk(False)

    def close(self) -> Tally:
        """End the guard where it is, and return what was counted."""
        if self._guard is not None:
            self._count(self._guard)
            if self._guard.journal is not None:
                self._guard.journal.close()
            self._guard = None
        self.tally.journal_bytes = sum(path.stat().st_size for path in self._folder.glob("*.sqlite*"))
        return self.tally

    def _start_guard(self) -> None:
        junction = self.rig.junction
        journal = DayJournal(self._folder, junction.id, self.clock.utc, threaded=False, connect=self._connect)
        inputs = modbus_inputs(self.rig.bus.options("in memory"), self.clock.now_ms, self._wire)
        link = OptimizerLink(junction, self._start_optimizer, junction_text(junction)) if self._planners else None
        self._guard = self._guard_with(inputs, link, journal)
        self._back_ms = None

    def _guard_with(self, inputs: InputPort, link: OptimizerLink | None, journal: DayJournal) -> Guard:
        """Return a guard before the heads, or before the controller."""
        rig, now_ms = self.rig, self.clock.now_ms()
        if rig.heads is not None:
            signals = open_site(rig.junction.site_spec(), rig.heads, now_ms=now_ms)
            return Guard(rig.junction, self._mode, inputs, signals, clock=self.clock, optimizer=link, journal=journal)
        assert rig.controller is not None
        self._snmp = InProcess(rig.controller)
        self._snmp.mute = self._silent
        options = ntcip_options(rig.junction, self._actuation)
        driver = NtcipDriver(rig.junction.site_spec(), options, self.clock.now_ms, self._snmp, threaded=False)
        heads, follower = follow(rig.junction, driver, now_ms, journal)
        return Guard(rig.junction, self._mode, inputs, heads, clock=self.clock, optimizer=link, journal=journal, refuge=Mode.RELEASE, sequencer=follower)

    def _connect(self, path: Path) -> sqlite3.Connection:
        self._connection = new_file(path)
        return self._connection

    def _start_optimizer(self) -> QueueOptimizer:
        self._optimizer = QueueOptimizer(self._planners)
        return self._optimizer

    def _hit_optimizer(self, fault: Fault) -> str:
        if self._optimizer is not None:
            self._optimizer.dead = self._optimizer.dead or fault is Fault.OPTIMIZER_KILL
            self._optimizer.stopped = True
        return "the optimizer's process was killed" if fault is Fault.OPTIMIZER_KILL else "the optimizer's process stood still"

    def _kill_guard(self) -> None:
        """Drop the guard as kill -9 does: nothing is flushed, nothing is told."""
        if self._guard is None:
            return
        self._count(self._guard)
        self.tally.restarts.append(Restart(self.clock.now_ms() / 1000, 0.0, None))
        if self._connection is not None:
            self._connection.close()  # what the kernel does for a killed process; rows that were not flushed are lost
        self._guard = None
        self._back_ms = self.clock.now_ms() + RESTART_MS

    def _mute(self, mute: bool) -> None:
        """Let the signals' link fall silent, or answer again."""
        self._silent = mute
        if self.rig.heads is not None:
            self.rig.heads.mute = mute
        if self._snmp is not None:
            self._snmp.mute = mute

    def _fill_disk(self, full: bool) -> None:
        """Let the kernel refuse every byte to every file of this process, as a full disk does; the journal is all that is written meanwhile."""
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 if full else hard, hard))

    def _count(self, guard: Guard) -> None:
        tally = self.tally
        tally.ticks += guard.ticks
        tally.late_ticks += guard.late_ticks
        tally.missed_ticks += guard.grid.missed
        tally.max_late_ms = max(tally.max_late_ms, guard.max_late_ms)
        tally.detector_events += guard.detector_events
        tally.decisions += guard.decisions
        tally.refusals += guard.signals.refusals
        tally.mode_changes += [(change.at_ms / 1000, str(change.after), change.why) for change in guard.control.mode_changes]
