"""``umlauf demo cabinet --speed N``: the accelerated cabinet, paced, with faults at their times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from controller.clock import SystemClock
from controller.words import clock
from scenarios.cabinet_faults import LASTS_S, Fault, Planned
from scenarios.cabinet_folder import JOURNAL
from scenarios.cabinet_inprocess import InProcessCabinet
from scenarios.cabinet_report import DemoReport, ModeChange, Provoked
from scenarios.cabinet_signals import DemoSignals

STEP_MS: Final = 1_000  # the demo looks so often
TELL_MS: Final = 60_000

Tell = Callable[[str], None]


def run_fast(folder: Path, duration_s: float, speed_ratio: float, faults: Sequence[Planned], *, seed: int, tell: Tell, signals: DemoSignals) -> DemoReport:
    """Run for ``duration_s`` of the cabinet's time, ``speed_ratio`` times faster than real where the machine can; the journal goes to ``folder``."""
    driven = {"own_heads": True} if signals is DemoSignals.HEADS else {"actuation": signals.actuation}
    cabinet = InProcessCabinet(folder / JOURNAL, mode=signals.mode, seed=seed, **driven)
    report = DemoReport(duration_s, speed_ratio, seed, cabinet.signals)
    real = SystemClock()
    begin_ms, end_ms = real.now_ms(), round(1000 * duration_s)
    schedule = Schedule(faults)
    now_ms = 0
    while now_ms < end_ms:
        before_ms, now_ms = now_ms, min(after(now_ms), end_ms, *schedule.next_ms(now_ms))
        cabinet.run_to(now_ms)
        schedule.act(cabinet, now_ms, report, tell)
        note_driven(cabinet, report, now_ms - before_ms)
        if now_ms % TELL_MS == 0:
            tell(f"{clock(now_ms)}  {cabinet.line()}")
        real.wait_until(begin_ms + round(now_ms / speed_ratio))
    return finish(cabinet, report, "the time is over")


def note_driven(cabinet: InProcessCabinet, report: DemoReport, for_ms: int) -> None:
    """Count the last ``for_ms`` as driven where something of ours is in force at the controller now."""
    controller = cabinet.rig.controller
    if controller is not None:
        report.driven_s = (report.driven_s or 0.0) + controller.driven * for_ms / 1000


def after(now_ms: int) -> int:
    """Return the next look's time: whole steps from the start, whatever was done in between."""
    return now_ms - now_ms % STEP_MS + STEP_MS


class Schedule:
    """Which fault begins and ends when."""

    def __init__(self, faults: Sequence[Planned]) -> None:
        self._begins = [(round(1000 * f.at_s), f.fault) for f in faults]
        self._ends: list[tuple[int, Fault]] = []

    def next_ms(self, now_ms: int) -> list[int]:
        """Return the times at which something is to be done next."""
        return [at_ms for at_ms, _ in (*self._begins, *self._ends) if at_ms > now_ms]

    def act(self, cabinet: InProcessCabinet, now_ms: int, report: DemoReport, tell: Tell) -> None:
        """Provoke and mend what is due."""
        for at_ms, fault in [x for x in self._ends if x[0] <= now_ms]:
            self._ends.remove((at_ms, fault))
            cabinet.end(fault)
        for at_ms, fault in [x for x in self._begins if x[0] <= now_ms]:
            self._begins.remove((at_ms, fault))
            what = cabinet.begin(fault)
            report.faults.append(Provoked(str(fault), now_ms / 1000, what))
            tell(f"{clock(now_ms)}  {fault}: {what}")
            lasts_s = LASTS_S[fault]
            if lasts_s is not None:
                self._ends = [x for x in self._ends if x[1] is not fault] + [(at_ms + round(1000 * lasts_s), fault)]


def finish(cabinet: InProcessCabinet, report: DemoReport, why: str) -> DemoReport:
    """End the cabinet and fill in what it counted."""
    world = cabinet.rig.world
    for fault in Fault:
        cabinet.end(fault)
    tally = cabinet.close()
    report.ticks, report.late_ticks, report.max_lateness_ms = tally.ticks, tally.late_ticks, float(tally.max_late_ms)
    report.detector_events, report.decisions, report.refusals = tally.detector_events, tally.decisions, tally.refusals
    report.modes = [ModeChange(*change) for change in tally.mode_changes]
    report.restarts, report.missed_ticks = tally.restarts, tally.missed_ticks
    report.unsafe_frames, report.lamp_frames = world.checker.unsafe_frames, world.checker.frames
    report.unsafe = {str(kind): count for kind, count in world.checker.counts.items()}
    report.unsafe_texts = [f"{f.at_ms / 1000:.1f} s {f.kind}: {f.group}: {f.text}" for f in world.checker.faults]
    report.vehicles_served, report.mean_delay_s = world.junction.passed, world.junction.mean_delay_s()
    report.journal_bytes, report.exit_reason = tally.journal_bytes, why
    return report
