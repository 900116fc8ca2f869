"""Days of the virtual junction under random faults, as fast as the machine goes: ``python -m scenarios.cabinet_soak --days 30``.

Each part, a day or with ``--slice-h`` less, is one process of its own and one file ``part-N.json`` in the folder, so that the soak can be broken
off and goes on where it was. Counted are unsafe states of the lamps (by a checker that shares no code with the interlock), crashes,
growth of memory and open files from the second hour on, and the journal's size. Exit code 1 where anything of it is wrong.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import subprocess
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from controller.clock import elapsed_s
from controller.supervisor import Mode
from scenarios.cabinet_fast import Schedule, after, finish
from scenarios.cabinet_faults import Fault, random_faults
from scenarios.cabinet_inprocess import InProcessCabinet
from scenarios.cabinet_report import DemoReport

HOUR_MS: Final = 3_600_000
FAULT_EVERY_S: Final = 600.0
MODES: Final = (Mode.ADAPTIVE, Mode.ADAPTIVE, Mode.ADAPTIVE, Mode.CYCLE, Mode.ACTUATED, Mode.FIXED)
GROWTH_MB: Final = 30.0  # from the second hour on; what a day may add by fragmentation


def soak_part(number: int, hours: float, among: Sequence[Fault] = tuple(Fault)) -> dict[str, Any]:
    """Run one part, whose number is its seed, and return its figures. Whatever it raises is a crash and told as such."""
    source = random.Random(number)
    mode, load_ratio, begin_s = source.choice(MODES), source.uniform(0.4, 1.05), elapsed_s()
    faults = random_faults(source, 3600.0 * hours, every_s=FAULT_EVERY_S, among=among)
    memory: list[float] = []
    handles: list[int] = []
    with tempfile.TemporaryDirectory(prefix="umlauf-soak-") as folder:
        cabinet = InProcessCabinet(Path(folder), mode=mode, seed=number, start_h=(number - 1) * hours % 24.0, load_ratio=load_ratio, own_heads=number % 2 == 0)
        report, crash = DemoReport(3600.0 * hours, 0.0, number, cabinet.signals), ""
        try:
            for _ in _steps(cabinet, report, Schedule(faults), round(hours * HOUR_MS)):
                memory.append(resident_mb())
                handles.append(open_files())
        except Exception:
            crash = traceback.format_exc()
        finish(cabinet, report, "crashed" if crash else "the day is over")
    early = min(1, len(memory) - 1)
    return {
        "part": number,
        "hours": hours,
        "wanted": str(mode),
        "signals": report.signals,
        "load_ratio": round(load_ratio, 2),
        "crash": crash,
        "unsafe_frames": report.unsafe_frames,
        "lamp_frames": report.lamp_frames,
        "unsafe_texts": list(report.unsafe_texts)[:10],
        "ticks": report.ticks,
        "refusals": report.refusals,
        "decisions": report.decisions,
        "detector_events": report.detector_events,
        "mode_changes": len(report.modes),
        "faults": dict(Counter(fault.name for fault in report.faults)),
        "restarts": len(report.restarts),
        "vehicles_served": report.vehicles_served,
        "mean_delay_s": round(report.mean_delay_s, 1),
        "journal_mb": round(report.journal_bytes / 1e6, 2),
        "memory_mb": [round(x) for x in memory],
        "growth_mb": round(memory[-1] - memory[early], 1) if memory else 0.0,
        "open_files": [handles[early], handles[-1]] if handles else [],
        "wall_s": round(elapsed_s() - begin_s),
    }


def _steps(cabinet: InProcessCabinet, report: DemoReport, schedule: Schedule, end_ms: int) -> Iterator[None]:
    """Let the day pass; stop for a look once an hour and at its end."""
    now_ms = 0
    while now_ms < end_ms:
        now_ms = min([after(now_ms), end_ms, *schedule.next_ms(now_ms)])
        cabinet.run_to(now_ms)
        schedule.act(cabinet, now_ms, report, _say_nothing)
        if now_ms % HOUR_MS == 0 or now_ms == end_ms:
            yield


def _say_nothing(text: str) -> None:
    del text


def resident_mb() -> float:
    """Return this process's memory in MB (10^6 bytes)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) * 1.024e-3


def open_files() -> int:
    """Return how many file descriptors this process has."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def is_sound(day: dict[str, Any]) -> bool:
    """Tell whether a day shows no unsafe lamp, no crash and no growth."""
    grown = day["growth_mb"] > GROWTH_MB or (day["open_files"] and day["open_files"][1] > day["open_files"][0] + 2)
    return not (day["crash"] or day["unsafe_frames"] or grown)


def table(days: Sequence[dict[str, Any]]) -> str:
    """Return what the days showed, in a Markdown table with a line of sums."""
    columns = ["part", "hours", "mode", "signals", "faults", "restarts", "lamp states", "unsafe", "crashes", "refusals", "served", "delay s"]
    columns += ["growth MB", "files", "journal MB", "wall s"]
    rows = ["| " + " | ".join(columns) + " |", "|" + " ---: |" * len(columns)]
    for d in days:
        files = "-".join(map(str, d["open_files"]))
        cells = [d["part"], f"{d['hours']:g}", d["wanted"], d["signals"], sum(d["faults"].values()), d["restarts"], d["lamp_frames"], d["unsafe_frames"]]
        cells += [int(bool(d["crash"])), d["refusals"], d["vehicles_served"], d["mean_delay_s"], d["growth_mb"], files, d["journal_mb"], d["wall_s"]]
        rows.append("| " + " | ".join(map(str, cells)) + " |")
    hours = sum(d["hours"] for d in days)
    unsafe, crashes = sum(d["unsafe_frames"] for d in days), sum(bool(d["crash"]) for d in days)
    states = sum(d["lamp_frames"] for d in days)
    journal = sum(d["journal_mb"] for d in days) / hours * 24 if hours else 0.0
    rows += ["", f"{hours / 24:.2f} junction-days; {states} states of the lamps looked at, {unsafe} unsafe; {crashes} crashes; journal {journal:.0f} MB a day."]
    return "\n".join(rows)


def soak(folder: Path, total_h: float, hours: float, workers: int, without: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Run the parts that the folder does not hold yet, and return all of them. Raises `RuntimeError` where a part's process dies."""
    count = math.ceil(total_h / hours)
    folder.mkdir(parents=True, exist_ok=True)

    def one(number: int) -> None:
        path = folder / f"part-{number}.json"
        if path.exists():
            return
        command = [sys.executable, "-m", "scenarios.cabinet_soak", "--one", str(number), "--slice-h", str(hours), "--without", *without]
        found = subprocess.run(command, capture_output=True, text=True, check=False)
        if found.returncode:
            raise RuntimeError(f"part {number}: its process ended with code {found.returncode}:\n{found.stderr}")
        path.with_suffix(".part").write_text(found.stdout, encoding="utf-8")
        path.with_suffix(".part").rename(path)
        print(f"part {number}: {'sound' if is_sound(json.loads(found.stdout)) else 'NOT SOUND'}", flush=True)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(one, range(1, count + 1)))
    return [json.loads((folder / f"part-{n}.json").read_text(encoding="utf-8")) for n in range(1, count + 1)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m scenarios.cabinet_soak", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--days", type=float, default=30, help="how many days in sum (30)")
    parser.add_argument("--slice-h", type=float, default=24.0, help="hours of each part (24)")
    parser.add_argument("--workers", type=int, default=2, help="parts at the same time (2)")
    parser.add_argument("--folder", type=Path, default=Path("runs/soak"), help="where the parts' figures are kept (runs/soak)")
    parser.add_argument("--without", nargs="*", default=[], choices=list(Fault), help="faults to leave out")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one is not None:
        print(json.dumps(soak_part(options.one, options.slice_h, [f for f in Fault if f not in options.without])))
        return 0
    days = soak(options.folder, 24 * options.days, options.slice_h, options.workers, options.without)
    print(table(days))
    return 0 if all(map(is_sound, days)) else 1


if __name__ == "__main__":
    sys.exit(main())
