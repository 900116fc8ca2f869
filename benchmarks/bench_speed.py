"""Whether ``umlauf bench`` keeps two processors busy, and how long 10 000 finished cases take to be read and reported.

Run ``python -m benchmarks.bench_speed``; ``--only report`` or ``--only workers`` measures one of the two.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.bench import warm_up
from benchmarks.cases import Campaign, Task, tasks_of
from benchmarks.local import run_local
from benchmarks.machine import busy_note, cpu_s
from benchmarks.report import write_report
from benchmarks.store import ResultFolder
from benchmarks.supervised import Limits, Outcome
from benchmarks.version import present_version
from controller.clock import elapsed_s
from controller.errors import UmlaufError
from scenarios.catalogue import RESCO_NAMES

CASES: Final = 10_000
REPORT_LIMIT_S: Final = 10.0
SPEED_UP_LIMIT_RATIO: Final = 1.8
CONTROLS: Final = ("adaptive", "cycle", "actuated", "fixed", "webster", "sumo-actuated", "sumo-delay-based", "max-pressure", "greedy", "floor")
TIMED: Final = Campaign(("resco/cologne1",), ("adaptive", "fixed"), seeds="1-8")  # enough that the end, when one worker is idle, weighs little


def made_up_rows(count: int) -> Iterator[dict[str, Any]]:
    """Yield rows as campaigns have them: eight scenarios under ten controls, as many seeds as it takes."""
    dice = random.Random(1)
    for n in range(count):
        scenario, control = RESCO_NAMES[n % 8], CONTROLS[n // 8 % 10]
        delay_s = 10.0 + 3.0 * (n % 8) + 4.0 * (n // 8 % 10) + dice.gauss(0.0, 2.0)
        figures = {"mean_delay_s": delay_s, "wall_s": 9.0, "stops_per_vehicle": 0.8, "max_wait_s": 99.0, "saturation_flow_veh_h": 1900.0, "vehicles": 2000}
        counts = dict.fromkeys(("teleports", "collisions", "emergency_brakings", "never_inserted", "interlock_refusals"), 0)
        setting = {"rules": "published", "detection": "loops", "insertion": "sumo", "begin_s": None, "end_s": None}
        reds_s = {f"light{k}": {f"S{g}": 31.5 for g in range(8)} for k in range(4)}
        more = {"notes": ["a note of the importer, as there are some"] * 3, "longest_reds_s": reds_s, "status": "finished", "sumo_version": "1.28.0"}
        named = {"scenario": f"resco/{scenario}", "control": control, "seed": n // 80 + 1, "key": f"{n:020d}", "code": "made-up", "commit": ""}
        yield named | setting | figures | counts | more


def report_s(count: int, folder: Path) -> tuple[float, float, float]:
    """Return in s how long many case files take to be taken into the Parquet file, the report to be read from there and written, and the processor time."""
    results = ResultFolder(folder)
    results.note_command("made up by benchmarks.bench_speed")
    for row in made_up_rows(count):
        results.put(row)
    begin_s, begin_cpu_s = elapsed_s(), cpu_s()
    ResultFolder(folder).compact()
    compacted_s = elapsed_s()
    write_report(folder, ResultFolder(folder).rows(), results.commands)
    return compacted_s - begin_s, elapsed_s() - compacted_s, cpu_s() - begin_cpu_s


def campaign_s(jobs: int) -> float:
    """Return how long the timed campaign takes on this many workers, in s. Raises `UmlaufError` where a case fails."""
    with tempfile.TemporaryDirectory(prefix="umlauf-speed-") as name:
        tasks = tasks_of(TIMED, present_version(), Path(name))
        begin_s = elapsed_s()

        def done(task: Task, outcome: Outcome) -> bool:
            if outcome.record["status"] != "finished":
                raise UmlaufError(f"{task.name} failed: {outcome.record['error']}")
            return False

        run_local(tasks, jobs, Limits(), Path(name) / "workers", done, lambda *_: None)
        return elapsed_s() - begin_s


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print. Exit code: 0 within the limits, 1 beyond one of them or a case failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_speed", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", choices=("report", "workers"), help="measure only this")
    only = parser.parse_args(arguments).only
    kept = True
    try:
        if only != "workers":
            with tempfile.TemporaryDirectory(prefix="umlauf-speed-") as name:
                compact_s, written_s, used_s = report_s(CASES, Path(name))
            kept = compact_s + written_s <= REPORT_LIMIT_S
            print(f"{CASES} finished cases: read and compacted in {compact_s:.1f} s, read again and reported in {written_s:.1f} s", end="")
            print(f" (limit {REPORT_LIMIT_S:g} s in all); processor time {used_s:.1f} s")
        if only != "report":
            warm_up(print)
            one_s, two_s = campaign_s(1), campaign_s(2)
            kept = kept and one_s / two_s >= SPEED_UP_LIMIT_RATIO
            print(f"one worker {one_s:.1f} s, two workers {two_s:.1f} s: {one_s / two_s:.2f} times as fast (limit {SPEED_UP_LIMIT_RATIO})")
    except UmlaufError as error:
        print(error, file=sys.stderr)
        return 1
    if note := busy_note():
        print(note)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
