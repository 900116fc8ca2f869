"""What a quarter of all loops failing at random costs: ``python -m benchmarks.detector_faults [--scenarios …] [--seeds 1-3]``.

Per scenario and seed: `adaptive` with healthy loops, `adaptive` with a quarter of all loops failing in the first half hour, all kinds mixed, the
same with each fault told by its device at once, which is what better detection could gain at most, and `fixed`. Rows go into a JSON file as they
are done, so that the measurement can be interrupted; its table goes beside it. Besides, how many loops of the healthy runs lost trust, which none
should, how soon the broken ones were found, and how many of those over which enough vehicles drove to tell.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.tables import markdown
from controller.errors import UmlaufError
from controller.journal_reader import JournalReader
from controller.journal_schema import DETECTOR_NOTE, FILE_NAME
from controller.junction import Junction
from hardware.faulty_inputs import FaultKind, LoopFault
from hardware.ports import InputKind
from scenarios.catalogue import find_scenario, load_config
from scenarios.config import read_config
from scenarios.detector_faults import faults_at
from scenarios.runner import run_one
from scenarios.simulate import Request, cases_of, parse_seeds

SCENARIOS: Final = ("resco/cologne1", "resco/cologne3", "resco/cologne8", "resco/ingolstadt1", "resco/ingolstadt7")
SPEC: Final = "0.25=mixed@{begin}-{end}"
FAIL_WITHIN_S: Final = 1_800
LIMIT_RATIO: Final = 1.3
ENOUGH_VEH: Final = (60, 100)  # vehicles that passed the loop after it broke: with so many there is something to find
OUTPUT: Final = Path(__file__).parent / "results" / "detector_faults.json"
Row = Mapping[str, Any]


def measure(scenario: str, seed: int) -> Row:
    """Return one scenario's four runs with one seed. Raises `UmlaufError` where one fails."""
    begin_s = int(read_config(load_config(find_scenario(scenario)).path).begin_s)
    spec = SPEC.format(begin=begin_s, end=begin_s + FAIL_WITHIN_S)
    with tempfile.TemporaryDirectory(prefix="umlauf-detector-faults-") as name:
        root = Path(name)
        runs = {
            "healthy": _run(scenario, "adaptive", seed, root / "healthy"),
            "faulty": _run(scenario, "adaptive", seed, root / "faulty", spec),
            "told": _run(scenario, "adaptive", seed, root / "told", _told(root / "healthy", spec, seed)),
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


def _told(healthy: Path, spec: str, seed: int) -> str:
    """Return the same faults, each one told by its device when it begins."""
    with JournalReader(healthy / FILE_NAME) as reader:
        junctions = [row.junction for row in reader.junctions.values()]
    places: dict[object, str] = {}
    for d in (d for junction in junctions for d in junction.detectors):
        places.setdefault(d.place or d.id, d.id)  # a loop that two junctions use breaks once
    named = set(places.values())
    return ";".join(f"{fault.loop}={FaultKind.OPEN}@{fault.begin_ms / 1000}" for fault in faults_at(spec, junctions, seed) if fault.loop in named)


def _found(healthy: Path, faulty: Path, spec: str, seed: int) -> dict[str, Any]:
    """Return how many loops there are, how many lost trust in the healthy run, and of those that broke, by kind, how many vehicles passed and what was found.

    The vehicles are those of the healthy run, whose demand is the same: the control hears of no others in the faulty one.
    """
    with JournalReader(healthy / FILE_NAME) as reader:
        junctions = [row.junction for row in reader.junctions.values()]
        suspected = {note.detail["detector"] for note in reader.notes() if note.kind == DETECTOR_NOTE and not note.detail["trusted"]}
        broken = {fault.loop: fault for fault in faults_at(spec, junctions, seed)}
        passed_veh = _passed_veh(reader, broken)
    with JournalReader(faulty / FILE_NAME) as reader:
        lost: dict[str, int] = {}
        for note in reader.notes():
            if note.kind == DETECTOR_NOTE and not note.detail["trusted"]:
                lost.setdefault(str(note.detail["detector"]), note.now_ms)
    kinds: dict[str, list[tuple[int, float | None]]] = {}
    for loop, fault in broken.items():
        after_s = (lost[loop] - fault.begin_ms) / 1000 if loop in lost and lost[loop] >= fault.begin_ms else None
        kinds.setdefault(str(fault.kind), []).append((passed_veh[loop], after_s))
    wrongly = len(lost.keys() - broken.keys())
    return {"loops": _loops(junctions), "suspected": len(suspected), "broken": len(broken), "wrongly": wrongly, "passed_veh_found_s": kinds}


def _passed_veh(reader: JournalReader, broken: Mapping[str, LoopFault]) -> Counter[str]:
    """Return how many vehicles passed each loop after the time at which it breaks in the other run."""
    events = (row.event for row in reader.events())
    left = (event for event in events if event.kind is InputKind.PRESENCE and not event.value and event.source in broken)
    return Counter(event.source for event in left if event.at_ms >= broken[event.source].begin_ms)


def _loops(junctions: Iterable[Junction]) -> int:
    return sum(len(junction.detectors) for junction in junctions)


def tables(rows: Sequence[Row]) -> str:
    """Return what was measured as Markdown."""
    return "\n\n".join([_delays(rows), _kinds(rows)])


def _delays(rows: Sequence[Row]) -> str:
    header = ["scenario", "seeds", "healthy s", "a quarter broken s", "ratio", "worst ratio", "ratio if told at once", "fixed s", "met", "healthy loops lost"]
    lines = []
    for scenario in dict.fromkeys(row["scenario"] for row in rows):
        mine = [row for row in rows if row["scenario"] == scenario]
        healthy, faulty, told, fixed = (statistics.fmean(row[f"{kind}_delay_s"] for row in mine) for kind in ("healthy", "faulty", "told", "fixed"))
        worst = max(row["faulty_delay_s"] / row["healthy_delay_s"] for row in mine)
        met = "yes" if _is_met(mine) else "no"
        lost = f"{sum(row['suspected'] for row in mine)} of {sum(row['loops'] for row in mine)}"
        numbers = [f"{healthy:.1f}", f"{faulty:.1f}", f"{faulty / healthy:.2f}", f"{worst:.2f}", f"{told / healthy:.2f}", f"{fixed:.1f}", met, lost]
        lines.append([scenario, str(len(mine)), *numbers, f"{max(row['longest_red_s'] for row in mine):.0f}"])
    return markdown([*header, "longest red s"], lines)


def _is_met(rows: Sequence[Row]) -> bool:
    """Return whether one scenario's mean delay is within the limit and below that of `fixed`."""
    healthy, faulty, fixed = (statistics.fmean(row[f"{kind}_delay_s"] for row in rows) for kind in ("healthy", "faulty", "fixed"))
    return faulty <= LIMIT_RATIO * healthy and faulty < fixed


def _kinds(rows: Sequence[Row]) -> str:
    faults: dict[str, list[tuple[int, float | None]]] = {}
    for row in rows:
        for kind, found in row["passed_veh_found_s"].items():
            faults.setdefault(kind, []).extend((passed, after_s) for passed, after_s in found)
    lines = []
    for kind, found in sorted(faults.items()):
        told = sorted(after_s for _, after_s in found if after_s is not None)
        shares = [_share([after_s for passed, after_s in found if passed >= least]) for least in (0, *ENOUGH_VEH)]
        lines.append([kind, *shares, f"{statistics.median(told):.0f}" if told else "-", f"{told[-1]:.0f}" if told else "-"])
    wrongly = sum(row["wrongly"] for row in rows)
    note = f"Besides, {wrongly} whole loops lost trust while others were broken."
    header = ["kind", "found", *(f"found where {least} passed" for least in ENOUGH_VEH), "after s, median", "longest"]
    return markdown(header, lines) + "\n\n" + note


def _share(after_s: Sequence[float | None]) -> str:
    return f"{sum(x is not None for x in after_s)} of {len(after_s)}"


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
    return 0 if all(_is_met([row for row in rows if row["scenario"] == scenario]) for scenario in {row["scenario"] for row in rows}) else 1


if __name__ == "__main__":
    sys.exit(main())
