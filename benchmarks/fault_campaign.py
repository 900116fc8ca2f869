"""Every fault that can be provoked, one at a time: what was expected, what happened: ``python -m benchmarks.fault_campaign``.

Each runs on the accelerated cabinet before a controller that owns its aspects; the table goes to ``benchmarks/results/faults.md``. Exit code 1
where something did not happen as expected. What only real processes, lines and datagrams show is in ``tests/sim/test_cabinet_demo.py``.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple

from scenarios.cabinet_fast import Schedule, finish
from scenarios.cabinet_faults import Fault, Planned
from scenarios.cabinet_inprocess import InProcessCabinet
from scenarios.cabinet_report import DemoReport

RESULT: Final = Path(__file__).parent / "results" / "faults.md"
AT_S: Final = 30.0
DURATION_S: Final = 120.0
TICKS: Final = 1_200


class Case(NamedTuple):
    """What is expected of a fault, in words and as a test of the report."""

    expected: str
    holds: Callable[[DemoReport], bool]


def _modes(report: DemoReport) -> list[str]:
    return [change.mode for change in report.modes]


def _falls_to(mode: str, within_s: float) -> Callable[[DemoReport], bool]:
    def holds(report: DemoReport) -> bool:
        after = [c for c in report.modes if c.at_s >= AT_S]
        return bool(after) and after[0].mode == mode and after[0].at_s <= AT_S + within_s and _modes(report)[-1] == "adaptive" and report.ticks >= TICKS - 2

    return holds


def _goes_on(report: DemoReport) -> bool:
    return _modes(report) == ["adaptive"] and report.ticks >= TICKS - 2


CASES: Final = {
    Fault.OPTIMIZER_KILL: Case("actuated within 2 s, no tick missed, adaptive again after the hold-down", _falls_to("actuated", 2.0)),
    Fault.OPTIMIZER_STOP: Case("actuated within 4 s, no tick missed, adaptive again after the hold-down", _falls_to("actuated", 4.0)),
    Fault.GUARD_KILL: Case(
        "ticks again with its next start, adaptive once the optimizer is ready",
        lambda r: len(r.restarts) == 1 and r.ticks >= TICKS - 17 and _modes(r)[-1] == "adaptive",
    ),
    Fault.LOOP_STUCK_ON: Case("control goes on, no tick missed", _goes_on),
    Fault.LOOP_STUCK_OFF: Case("control goes on, no tick missed", _goes_on),
    Fault.LOOP_CHATTER: Case("control goes on, no tick missed", _goes_on),
    Fault.SERIAL_UNPLUG: Case("fixed within 12 s, no tick missed, adaptive again after the hold-down", _falls_to("fixed", 12.0)),
    Fault.SNMP_SILENT: Case("released within 4 s, no tick missed, adaptive again after the hold-down", _falls_to("release", 4.0)),
    Fault.CLOCK_STEP: Case("control goes on, no tick missed", _goes_on),
    Fault.DISK_FULL: Case("control goes on, no tick missed", _goes_on),
}


def provoke(fault: Fault) -> DemoReport:
    """Run the cabinet with one fault and return what it reports."""
    with tempfile.TemporaryDirectory(prefix="umlauf-faults-") as folder:
        cabinet = InProcessCabinet(Path(folder))
        report = DemoReport(DURATION_S, 0.0, 1, cabinet.signals)
        schedule = Schedule([Planned(AT_S, fault)])
        for now_ms in range(1_000, round(1000 * DURATION_S) + 1, 1_000):
            cabinet.run_to(now_ms)
            schedule.act(cabinet, now_ms, report, _say_nothing)
        return finish(cabinet, report, "the time is over")


def _say_nothing(text: str) -> None:
    del text


def row(fault: Fault, report: DemoReport) -> tuple[str, bool]:
    """Return a fault's line of the table, and whether all was as expected."""
    case = CASES[fault]
    sound = case.holds(report) and not report.unsafe_frames and not report.late_ticks
    modes = ", ".join(f"{c.mode} at {c.at_s:g} s" for c in report.modes)
    happened = f"{report.ticks} ticks, {report.late_ticks} late; {modes}; {report.vehicles_served} vehicles served"
    what = report.faults[0].what if report.faults else "not provoked"
    return f"| {fault} | {what} | {case.expected} | {happened} | {report.unsafe_frames} | {'yes' if sound else 'NO'} |", sound


def main() -> int:
    """Run all and write the table; return 1 where something was not as expected."""
    with ProcessPoolExecutor(2) as pool:
        found = [row(fault, report) for fault, report in zip(Fault, pool.map(provoke, Fault), strict=True)]
    lines = [
        "# Faults provoked, one at a time",
        "",
        f"Accelerated cabinet, {DURATION_S:g} s each, the fault at {AT_S:g} s, before a virtual controller driven by NTCIP objects.",
        "Written by `python -m benchmarks.fault_campaign`.",
        "",
        "| fault | what was done | expected | happened | unsafe frames | as expected |",
        "| --- | --- | --- | --- | ---: | --- |",
        *(text for text, _ in found),
    ]
    RESULT.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))
    return 0 if all(sound for _, sound in found) else 1


if __name__ == "__main__":
    sys.exit(main())
