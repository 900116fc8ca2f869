"""What a quarter of all loops failing at random costs: ``python -m benchmarks.detector_faults [--scenarios …] [--seeds 1-3]``.

Per scenario and seed: `adaptive` with healthy loops, `adaptive` with a quarter of all loops failing in the first half hour, all kinds mixed, and
`fixed`. Rows go into a JSON file as they are done, so that the measurement can be interrupted; its table goes beside it. Besides, how many loops
of the healthy runs lost trust, which none should, and how soon the broken ones were found.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.tables import markdown
from controller.errors import UmlaufError
from controller.journal_reader import JournalReader
from controller.journal_schema import DETECTOR_NOTE, FILE_NAME
from scenarios.catalogue import find_scenario, load_config
from scenarios.config import read_config
from scenarios.detector_faults import faults_at
from scenarios.runner import run_one
from scenarios.simulate import Request, cases_of, parse_seeds

SCENARIOS: Final = ("resco/cologne1", "resco/cologne3", "resco/cologne8", "resco/ingolstadt1", "resco/ingolstadt7")
SPEC: Final = "0.25=mixed@{begin}-{end}"
FAIL_WITHIN_S: Final = 1_800
LIMIT_RATIO: Final = 1.3
OUTPUT: Final = Path(__file__).parent / "results" / "detector_faults.json"
Row = Mapping[str, Any]


def measure(scenario: str, seed: int) -> Row:
    """Return one scenario's three runs with one seed. Raises `UmlaufError` where one fails."""
    begin_s = int(read_config(load_config(find_scenario(scenario)).path).begin_s)
    spec = SPEC.format(begin=begin_s, end=begin_s + FAIL_WITHIN_S)
    with tempfile.TemporaryDirectory(prefix="umlauf-detector-faults-") as name:
        root = Path(name)
        runs = {
            "healthy": _run(scenario, "adaptive", seed, root / "healthy"),
            "faulty": _run(scenario, "adaptive", seed, root / "faulty", spec),
            "fixed": _run(scenario, "fixed", seed, root / "fixed"),
        }
        return {
            "scenario": scenario,
            "seed": seed,
            **{f"{kind}_delay_s": run["mean_delay_s"] for kind, run in runs.items()},
            "longest_red_s": runs["faulty"]["longest_red_s"],
            "refusals": runs["faulty"]["interlock_refusals"],
            **_found(root / "healthy", root / "faulty", spec, seed),
        }


def _run(scenario: str, control: str, seed: int, folder: Path, spec: str = "") -> Mapping[str, Any]:
    (case,) = cases_of(Request(scenario, (control,), str(seed), detector_faults=spec, output=folder))
    return run_one(case, lambda _now_s, _end_s: None, lambda _text: None)


def _found(healthy: Path, faulty: Path, spec: str, seed: int) -> dict[str, Any]:
    """Return how many loops there are, how many lost trust in the healthy run, and what was found of those that broke, by kind in s."""
    with JournalReader(healthy / FILE_NAME) as reader:
        loops = sum(len(row.junction.detectors) for row in reader.junctions.values())
        suspected = {note.detail["detector"] for note in reader.notes() if note.kind == DETECTOR_NOTE and not note.detail["trusted"]}
    with JournalReader(faulty / FILE_NAME) as reader:
        broken = {fault.loop: fault for fault in faults_at(spec, [row.junction for row in reader.junctions.values()], seed)}
        lost: dict[str, int] = {}
        for note in reader.notes():
            if note.kind == DETECTOR_NOTE and not note.detail["trusted"]:
                lost.setdefault(str(note.detail["detector"]), note.now_ms)
    kinds: dict[str, list[float | None]] = {}
    for loop, fault in broken.items():
        after_s = (lost[loop] - fault.begin_ms) / 1000 if loop in lost and lost[loop] >= fault.begin_ms else None
        kinds.setdefault(str(fault.kind), []).append(after_s)
    return {"loops": loops, "suspected": len(suspected), "broken": len(broken), "wrongly": len(lost.keys() - broken.keys()), "found_s": kinds}


def tables(rows: Sequence[Row]) -> str:
    """Return what was measured as Markdown."""
    return "\n\n".join([_delays(rows), _kinds(rows)])


def _delays(rows: Sequence[Row]) -> str:
    header = ["scenario", "seeds", "healthy s", "a quarter broken s", "ratio", "worst ratio", "fixed s", "met", "healthy loops lost", "longest red s"]
    lines = []
    for scenario in dict.fromkeys(row["scenario"] for row in rows):
        mine = [row for row in rows if row["scenario"] == scenario]
        healthy, faulty, fixed = (statistics.fmean(row[f"{kind}_delay_s"] for row in mine) for kind in ("healthy", "faulty", "fixed"))
        worst = max(row["faulty_delay_s"] / row["healthy_delay_s"] for row in mine)
        met = "yes" if faulty <= LIMIT_RATIO * healthy and faulty < fixed else "no"
        lost = f"{sum(row['suspected'] for row in mine)} of {sum(row['loops'] for row in mine)}"
        numbers = [f"{healthy:.1f}", f"{faulty:.1f}", f"{faulty / healthy:.2f}", f"{worst:.2f}", f"{fixed:.1f}", met, lost]
        lines.append([scenario, str(len(mine)), *numbers, f"{max(row['longest_red_s'] for row in mine):.0f}"])
    return markdown(header, lines)


def _kinds(rows: Sequence[Row]) -> str:
    found: dict[str, list[float | None]] = {}
    for row in rows:
        for kind, times in row["found_s"].items():
            found.setdefault(kind, []).extend(times)
    lines = []
    for kind, times in sorted(found.items()):
        told = sorted(t for t in times if t is not None)
        lines.append([kind, str(len(times)), str(len(told)), f"{statistics.median(told):.0f}" if told else "-", f"{told[-1]:.0f}" if told else "-"])
    wrongly = sum(row["wrongly"] for row in rows)
    note = f"Besides, {wrongly} whole loops lost trust while others were broken."
    return markdown(["kind", "broken", "found", "after s, median", "longest"], lines) + "\n\n" + note


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is missing and print. Exit code: 0 within the limits, 1 not, or a run failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detector_faults", description="The cost of broken loops.")
    parser.add_argument("--scenarios", default=",".join(SCENARIOS))
    parser.add_argument("--seeds", default="1-3")
    parser.add_argument("-o", "--output", type=Path, default=OUTPUT, help="the JSON file of rows; its table goes beside it")
    options = parser.parse_args(arguments)
    rows: list[Row] = json.loads(options.output.read_text(encoding="utf-8")) if options.output.exists() else []
    done = {(row["scenario"], row["seed"]) for row in rows}
    try:
        for seed in parse_seeds(options.seeds):
            for scenario in options.scenarios.split(","):
                if (scenario, seed) not in done:
                    rows.append(measure(scenario, seed))
                    options.output.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    except UmlaufError as error:
        print(error, file=sys.stderr)
        return 1
    options.output.with_suffix(".md").write_text(tables(rows) + "\n", encoding="utf-8")
    print(tables(rows))
    return 0 if all(row["faulty_delay_s"] < row["fixed_delay_s"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
