"""``umlauf demo cabinet`` in real time: the unmodified daemon as a process, against devices on a pseudo-terminal and on loopback UDP.

One thread moves the world on, one answers on the serial line, one on SNMP; this one looks ten times a second, provokes the faults, and
does what systemd would do for the daemon.
"""

from __future__ import annotations

import random
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Final

from controller.clock import SystemClock
from controller.errors import UmlaufError
from controller.words import clock
from hardware.ntcip.objects import ObjectTable
from hardware.virtual.card_lines import PtyLine
from hardware.virtual.snmp_agent import SnmpAgent
from scenarios.cabinet_daemon import Daemon, DaemonFailedError
from scenarios.cabinet_fast import Tell
from scenarios.cabinet_faults import LASTS_S, LOOP_FAULTS, STEPS_S, Fault, Planned
from scenarios.cabinet_report import DemoReport, ModeChange, Provoked, Restart
from scenarios.cabinet_rig import Rig, build_rig
from scenarios.cabinet_signals import DemoSignals
from scenarios.cabinet_site import DemoSite, prepare, write_site

WORLD_MS: Final = 10
LOOK_MS: Final = 100
TELL_MS: Final = 5_000
DEADMAN_S: Final = 5  # unitBackupTime of the demo's controller, short enough to be seen
RESTART_MS: Final = 6_500  # a killed guard is held back for so long, so that the deadman is seen; systemd's own delay is 200 ms
WARM_MS: Final = 180_000  # the street is driven on for so long before the demo begins, under the controller's own plan
START_S: Final = 60.0  # for the daemon's first tick


class Bench:
    """The devices, alive: a thread for the world, one for the serial line, one for SNMP."""

    def __init__(self, rig: Rig, site: DemoSite, now: SystemClock) -> None:
        assert rig.controller is not None
        self.rig, self.controller, self._clock = rig, rig.controller, now
        self.lock = Lock()
        self._stop = Event()
        self.line = PtyLine(rig.bus.slave, site.serial_link)
        self.agent = SnmpAgent(rig.controller, community=site.community, lock=self.lock)
        self._thread = Thread(target=self._run, name="virtual world", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End all threads."""
        self._stop.set()
        self._thread.join()
        self.agent.close()
        self.line.close()

    def _run(self) -> None:
        due_ms = self._clock.now_ms()
        while not self._stop.is_set():
            with self.lock:
                self.rig.world.advance(self._clock.now_ms())
            due_ms = max(due_ms + WORLD_MS, self._clock.now_ms())
            self._clock.wait_until(due_ms)


class LiveCabinet:
    """One run of the demo in real time."""

    def __init__(self, folder: Path, faults: Sequence[Planned], report: DemoReport, tell: Tell, *, signals: DemoSignals) -> None:
        self._clock, self._faults, self._report, self._tell = SystemClock(), list(faults), report, tell
        self._site = prepare(folder)
        self._rig = build_rig(seed=report.seed, start_ms=self._clock.now_ms() - WARM_MS, backup_s=DEADMAN_S)
        self._rig.world.advance(self._clock.now_ms())
        self._bench = Bench(self._rig, self._site, self._clock)
        write_site(self._site, self._rig, self._bench.agent.port, signals)
        self._clock_file = folder / "clock-offset" if any(f.fault is Fault.CLOCK_STEP for f in faults) else None
        if self._clock_file is not None:
            self._clock_file.write_text("0", encoding="ascii")
        self._random = random.Random(report.seed)
        self._ends: list[tuple[int, Fault, str]] = []
        self._daemon: Daemon | None = None
        self._begin_ms = self._started_ms = self._killed_ms = 0
        self._own_plan_ms: int | None = None
        self._driven_looks = 0  # looks at which something of ours was in force
        self._mode = ""
        self._pattern_control = ObjectTable().oid("systemPatternControl")

    def run(self, duration_s: float, ready: Callable[[], None]) -> None:
        """Start the daemon, call ``ready`` once it ticks, let ``duration_s`` pass from then, and stop it. Raises `DaemonFailedError`."""
        self._start()
        self._wait_for_ticks()
        ready()
        self._begin_ms = self._clock.now_ms()
        self._tell(f"{clock(0)}  the daemon ticks, {(self._begin_ms - self._started_ms) / 1000:.1f} s after its start")
        end_ms, due_ms = self._begin_ms + round(1000 * duration_s), self._begin_ms
        while (now_ms := self._clock.now_ms()) < end_ms:
            self._look(now_ms)
            due_ms += LOOK_MS
            self._clock.wait_until(due_ms)
        for _, fault, loop in self._ends:
            self._end(fault, loop)
        self._report.exit_reason = "the time is over"
        if self._daemon is not None:
            ended = self._daemon.stop()
            self._count(self._daemon)
            self._daemon = None
            self._report.exit_reason += f"; the daemon {ended}"

    def close(self) -> None:
        """End whatever still runs, and count what the lamps showed."""
        if self._daemon is not None:
            self._daemon.kill()
        self._bench.close()
        report, world = self._report, self._rig.world
        report.unsafe_frames, report.lamp_frames = world.checker.unsafe_frames, world.checker.frames
        report.unsafe = {str(kind): count for kind, count in world.checker.counts.items()}
        report.unsafe_texts = [f"{(f.at_ms - self._begin_ms) / 1000:.1f} s {f.kind}: {f.group}: {f.text}" for f in world.checker.faults]
        report.vehicles_served, report.mean_delay_s = world.junction.passed, world.junction.mean_delay_s()
        report.driven_s = self._driven_looks * LOOK_MS / 1000
        report.journal_bytes = sum(path.stat().st_size for path in self._site.journals.rglob("*") if path.is_file())

    def _start(self) -> None:
        self._daemon, self._started_ms = Daemon(self._site, self._clock_file), self._clock.now_ms()

    def _wait_for_ticks(self) -> None:
        while self._daemon is not None and not (self._daemon.is_ready and self._daemon.status):
            self._daemon.poll()
            now_ms = self._clock.now_ms()
            if now_ms - self._started_ms > 1000 * START_S:
                raise DaemonFailedError(f"umlauf run did not tick within {START_S:g} s; it said:\n{self._daemon.last_words()}")
            self._clock.wait_until(now_ms + LOOK_MS)

    def _look(self, now_ms: int) -> None:
        for end in [e for e in self._ends if e[0] <= now_ms]:
            self._ends.remove(end)
            self._end(end[1], end[2])
        while self._faults and self._begin_ms + 1000 * self._faults[0].at_s <= now_ms:
            fault = self._faults.pop(0).fault
            what = self._begin(fault, now_ms)
            self._report.faults.append(Provoked(str(fault), round((now_ms - self._begin_ms) / 1000, 1), what))
            self._tell(f"{clock(now_ms - self._begin_ms)}  {fault}: {what}")
        with self._bench.lock:
            self._driven_looks += self._bench.controller.driven
        if self._daemon is None:
            self._watch_the_dead(now_ms)
        else:
            self._watch(self._daemon, now_ms)

    def _watch(self, daemon: Daemon, now_ms: int) -> None:
        daemon.poll()
        if self._killed_ms and daemon.is_ready:
            own_s = None if self._own_plan_ms is None else round((self._own_plan_ms - self._killed_ms) / 1000, 1)
            killed_s = round((self._killed_ms - self._begin_ms) / 1000, 1)
            self._report.restarts.append(Restart(killed_s, round((now_ms - self._started_ms) / 1000, 1), own_s))
            self._tell(f"{clock(now_ms - self._begin_ms)}  the guard ticks again, {(now_ms - self._started_ms) / 1000:.1f} s after its new start")
            self._killed_ms = 0
        for node in daemon.status.get("nodes", ())[:1]:
            if node["mode"] != self._mode:
                self._mode = node["mode"]
                self._report.modes.append(ModeChange(round((now_ms - self._begin_ms) / 1000, 1), self._mode, node["mode_why"]))
                self._tell(f"{clock(now_ms - self._begin_ms)}  mode {self._mode}: {node['mode_why']}")
            if (now_ms - self._begin_ms) // LOOK_MS % (TELL_MS // LOOK_MS) == 0:
                self._tell(f"{clock(now_ms - self._begin_ms)}  {self._line(node)}")

    def _watch_the_dead(self, now_ms: int) -> None:
        """Wait for the controller's own plan and for systemd's restart."""
        with self._bench.lock:
            own = self._bench.controller.backup or not self._bench.controller.system_control
        if own and self._own_plan_ms is None:
            self._own_plan_ms = now_ms
            self._tell(f"{clock(now_ms - self._begin_ms)}  the controller runs its own plan, {(now_ms - self._killed_ms) / 1000:.1f} s after the guard's end")
        if now_ms - self._killed_ms >= RESTART_MS:
            self._start()

    def _line(self, node: dict[str, str]) -> str:
        with self._bench.lock:
            street, lamps = self._rig.world.junction, self._bench.controller.rings.green
            inside = sum(street.inside().values())
        green = "+".join(map(str, sorted(lamps))) or "-"
        served = f"{street.passed} served with {street.mean_delay_s():.1f} s mean delay"
        state = f"{node['mode']:<9} {node['stage']:<10} phases green {green:<5}"
        return f"{state} {inside:>3} vehicles inside, {served}, {self._rig.world.checker.unsafe_frames} unsafe"

    def _begin(self, fault: Fault, now_ms: int) -> str:
        daemon, lasts_s = self._daemon, LASTS_S[fault]
        loop = self._random.choice(list(self._rig.loops())) if fault in LOOP_FAULTS else ""
        if lasts_s is not None:
            self._ends.append((now_ms + round(1000 * lasts_s), fault, loop))
        match fault:
            case Fault.OPTIMIZER_KILL | Fault.OPTIMIZER_STOP:
                number = signal.SIGKILL if fault is Fault.OPTIMIZER_KILL else signal.SIGSTOP
                hit = daemon.hit_optimizer(number) if daemon is not None else 0
                return f"{number.name} to {hit} optimizer process{'' if hit == 1 else 'es'}"
            case Fault.GUARD_KILL:
                if daemon is None:
                    return "the guard was dead already"
                daemon.kill()
                self._count(daemon)
                self._daemon, self._killed_ms, self._own_plan_ms = None, now_ms, None
                return f"SIGKILL to the guard; started again after {RESTART_MS / 1000:g} s"
            case Fault.LOOP_STUCK_ON | Fault.LOOP_STUCK_OFF | Fault.LOOP_CHATTER:
                with self._bench.lock:
                    self._rig.world.fail(loop, LOOP_FAULTS[fault])
                return f"{loop}: {LOOP_FAULTS[fault]}"
            case Fault.SERIAL_UNPLUG:
                self._bench.line.unplug()
                return f"the serial line was unplugged for {lasts_s:g} s"
            case Fault.SNMP_SILENT:
                self._bench.agent.mute = True
                return f"the controller answered nothing for {lasts_s:g} s"
            case Fault.CLOCK_STEP:
                return self._step_clock()
            case Fault.DISK_FULL:
                if daemon is not None:
                    daemon.limit_files(True)
                return f"the kernel refused every byte to the daemon's files for {lasts_s:g} s"

    def _step_clock(self) -> str:
        step_s = self._random.choice(STEPS_S)
        if self._clock_file is not None:
            before_s = float(self._clock_file.read_text(encoding="ascii"))
            self._clock_file.write_text(str(before_s + step_s), encoding="ascii")
        return f"the daemon's wall clock jumped by {step_s} s"

    def _end(self, fault: Fault, loop: str) -> None:
        if loop:
            with self._bench.lock:
                self._rig.world.fail(loop, None)
        elif fault is Fault.SERIAL_UNPLUG:
            self._bench.line.plug()
        elif fault is Fault.SNMP_SILENT:
            self._bench.agent.mute = False
        elif fault is Fault.DISK_FULL and self._daemon is not None:
            self._daemon.limit_files(False)

    def _count(self, daemon: Daemon) -> None:
        """Add what the daemon's last status says; a killed one has told it within its last second."""
        status, report = daemon.status, self._report
        report.missed_ticks += int(status.get("numbers", {}).get("missed_ticks", 0))
        for name in ("ticks", "late_ticks", "detector_events", "decisions", "refusals"):
            setattr(report, name, getattr(report, name) + status.get(name, 0))
        report.max_lateness_ms = max(report.max_lateness_ms, status.get("max_lateness_ms", 0.0))


def run_live(
    folder: Path, duration_s: float, faults: Sequence[Planned], *, seed: int, tell: Tell, ready: Callable[[], None], signals: DemoSignals
) -> DemoReport:
    """Run the demo in real time with its files in ``folder`` and return its report; where the daemon ends by itself, it says so.

    ``ready`` is called once the operator's socket answers. Raises `ConfigError` for heads, and for a folder whose path is too long for sockets.
    """
    report = DemoReport(duration_s, 1.0, seed, f"controller over SNMP, {signals.actuation}")
    cabinet = LiveCabinet(folder, faults, report, tell, signals=signals)
    try:
        cabinet.run(duration_s, ready)
    except UmlaufError as error:
        report.exit_reason = str(error)
    finally:
        cabinet.close()
    return report
