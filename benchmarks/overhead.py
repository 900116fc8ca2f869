"""What `adaptive` costs beside bare SUMO: wall time per light and simulated second, and memory.

``python -m benchmarks.overhead [--scenarios LIST] [--repeat N] [--begin S --end S] [-o FILE]``. Runs come in threes, so that all see
the same machine: `adaptive`; SUMO alone with the same signals replayed from what `adaptive` showed (the same traffic, the fair
comparison); SUMO alone with the net's programmes (other traffic, usually more of it). Medians of the differences are printed.
Wall time means something on an idle machine only; the processor time of the loops, also printed, stands a busy one better.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import quoteattr

from benchmarks.machine import busy_note, cpu_s
from benchmarks.tables import markdown
from benchmarks.version import present_version
from controller.clock import elapsed_s
from controller.errors import SimulationError, UmlaufError
from hardware.sumo import SumoWorld
from scenarios.arguments import TLS_STATES, sumo_args
from scenarios.case import Case
from scenarios.metrics import TripFile, measure
from scenarios.prepare import Prepared, prepare
from scenarios.runner import make_folder, run_one
from scenarios.simulate import Request, cases_of

SCENARIOS: Final = ("resco/cologne8", "resco/ingolstadt21")
LIMIT_MS: Final = 0.5  # per light and simulated second, above bare SUMO
MEMORY_LIMIT_MB: Final = 600.0  # ingolstadt21
REPLAY: Final = "replay.add.xml"


def write_replay(states: Path, target: Path, begin_s: float) -> None:
    """Write programmes that show again what a run's state file recorded, second by second."""
    shown: dict[str, list[tuple[float, str]]] = {}
    for _, element in ET.iterparse(states, events=("end",)):
        if element.tag == "tlsState":
            shown.setdefault(element.attrib["id"], []).append((float(element.attrib["time"]), element.attrib["state"]))
        element.clear()
    lines = ["<additional>"]
    for light, record in shown.items():
        lines += _programme(light, record, begin_s)
    target.write_text("\n".join([*lines, "</additional>", ""]), encoding="utf-8")


def _programme(light: str, record: Sequence[tuple[float, str]], begin_s: float) -> Iterable[str]:
    """Yield one light's programme: one phase per stretch of equal states, as long as the whole run."""
    step_s = record[1][0] - record[0][0] if len(record) > 1 else 1.0
    yield f'  <tlLogic id={quoteattr(light)} type="static" programID="umlauf-replay" offset="{begin_s:g}">'
    for state, stretch in groupby(record, key=lambda entry: entry[1]):
        yield f'    <phase duration="{step_s * sum(1 for _ in stretch):g}" state="{state}"/>'
    yield "  </tlLogic>"


def run_bare(case: Case, replay: Path | None) -> dict[str, float | None]:
    """Run SUMO alone in this process, step by step as a control would, and return wall time and mean delay."""
    prepared: Prepared = prepare(dataclasses.replace(case, control="fixed", bare=True))
    additional = (*prepared.additional, *([replay] if replay else []))
    world = SumoWorld.start(sumo_args(case, prepared.config, prepared.window, additional))
    end_s = prepared.window.end_s if prepared.window.end_s is not None else prepared.window.cap_s
    begun_s, begun_cpu_s = elapsed_s(), cpu_s()
    while world.now_ms < round(end_s * 1000):
        world.step()
    wall_s, used_s = elapsed_s() - begun_s, cpu_s() - begun_cpu_s
    world.close()
    return {"wall_s": wall_s, "cpu_s": used_s, "mean_delay_s": _number(measure(TripFile(case.file("tripinfo.xml")), end_s)["mean_delay_s"])}


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)


def _bare_in_child(case: Case, folder: Path, replay: Path | None) -> dict[str, Any]:
    own = dataclasses.replace(case, folder=str(make_folder(folder)))
    spec, out = folder / "case.json", folder / "out.json"
    spec.write_text(own.to_json(), encoding="utf-8")
    command = [sys.executable, "-m", "benchmarks.overhead", "child", str(spec), str(out), *([str(replay)] if replay else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SimulationError(f"{case.scenario}: SUMO alone failed with exit code {done.returncode}: {done.stderr.strip()[-2000:]}")
    data: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return data


def measure_scenario(scenario: str, repeat: int, begin_s: float | None, end_s: float | None) -> dict[str, Any]:
    """Return the medians of one scenario. Raises `UmlaufError` where a run fails."""
    runs: list[dict[str, float]] = []
    record: dict[str, Any] = {}
    for _ in range(repeat):
        with tempfile.TemporaryDirectory(prefix="umlauf-overhead-") as name:
            root = Path(name)
            case = cases_of(Request(scenario, begin_s=begin_s, end_s=end_s, output=root / "adaptive"))[0]
            record = run_one(case, lambda _now_s, _end_s: None, lambda _text: None)
            write_replay(case.file(TLS_STATES), root / REPLAY, _begin_s(case))
            same = _bare_in_child(case, root / "same", root / REPLAY)
            own = _bare_in_child(case, root / "own", None)
        light_seconds = record["controlled"] * record["simulation_s"]
        runs.append(
            {
                "adaptive_wall_s": record["wall_s"],
                "adaptive_cpu_s": record["cpu_s"],
                "bare_wall_s": own["wall_s"],
                "replayed_wall_s": same["wall_s"],
                "added_ms": 1000.0 * (record["wall_s"] - own["wall_s"]) / light_seconds,
                "added_to_replayed_ms": 1000.0 * (record["wall_s"] - same["wall_s"]) / light_seconds,
                "added_cpu_ms": 1000.0 * (record["cpu_s"] - same["cpu_s"]) / light_seconds,
                "bare_ratio": record["wall_s"] / own["wall_s"],
                "replayed_ratio": record["wall_s"] / same["wall_s"],
                "memory_mb": record["peak_memory_mb"],
                "solve_mean_ms": record["solve_ms"]["mean"],
                "solve_p99_ms": record["solve_ms"]["p99"],
                "delay_s": record["mean_delay_s"],
                "replayed_delay_s": same["mean_delay_s"],
                "bare_delay_s": own["mean_delay_s"],
            }
        )
    medians = {name: round(statistics.median(run[name] for run in runs), 4) for name in runs[0]}
    return {"scenario": scenario, "lights": record["controlled"], "simulation_s": record["simulation_s"], "repeat": repeat, **medians}


def _begin_s(case: Case) -> float:
    return prepare(dataclasses.replace(case, control="fixed", bare=True, folder=str(make_folder(Path(case.folder) / "window")))).window.begin_s


def overhead_table(results: Sequence[Mapping[str, Any]]) -> str:
    """Return the Markdown table of the medians."""
    header = [
        *("scenario", "lights", "adaptive wall s", "SUMO, same signals s", "SUMO, own programmes s", "added ms per light and s"),
        *("to own programmes", "processor ms", "ratio", "ratio to own", "solve mean ms", "p99 ms", "memory MB", "delay s", "replayed delay s"),
    ]
    rows = [
        [
            *(str(r["scenario"]).removeprefix("resco/"), str(r["lights"])),
            *(f"{r[x]:.1f}" for x in ("adaptive_wall_s", "replayed_wall_s", "bare_wall_s")),
            *(f"{r[x]:.2f}" for x in ("added_to_replayed_ms", "added_ms", "added_cpu_ms", "replayed_ratio", "bare_ratio", "solve_mean_ms", "solve_p99_ms")),
            *(f"{r['memory_mb']:.0f}", f"{r['delay_s']:.1f}", f"{r['replayed_delay_s']:.1f}"),
        ]
        for r in results
    ]
    return markdown(header, rows)


def misses(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the limits that were not kept, in words."""
    found = []
    for r in results:
        for name, against in (("added_ms", "SUMO with its own programmes"), ("added_to_replayed_ms", "SUMO with the same signals")):
            if r[name] > LIMIT_MS:
                found.append(f"{r['scenario']}: {r[name]:.2f} ms per light and simulated second above {against}, limit {LIMIT_MS} ms")
        if r["scenario"] == "resco/ingolstadt21" and r["memory_mb"] > MEMORY_LIMIT_MB:
            found.append(f"{r['scenario']}: {r['memory_mb']:.0f} MB at its peak, limit {MEMORY_LIMIT_MB:.0f} MB")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print. Exit code: 0 all limits kept, 1 a limit was missed or a run failed."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["child"]:
        case = Case.from_json(Path(given[1]).read_text(encoding="utf-8"))
        Path(given[2]).write_text(json.dumps(run_bare(case, Path(given[3]) if len(given) > 3 else None)), encoding="utf-8")
        return 0
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overhead", description="Wall time and memory of adaptive beside bare SUMO.")
    parser.add_argument("--scenarios", default=",".join(SCENARIOS), help="comma-separated")
    parser.add_argument("--repeat", type=int, default=3, help="triples of runs per scenario")
    parser.add_argument("--begin", type=float, default=None, help="begin of the window in seconds")
    parser.add_argument("--end", type=float, default=None, help="end of the window in seconds")
    parser.add_argument("-o", "--output", type=Path, default=None, help="also write the medians as JSON")
    options = parser.parse_args(given)
    try:
        results = [measure_scenario(name, options.repeat, options.begin, options.end) for name in options.scenarios.split(",")]
    except UmlaufError as error:
        print(error, file=sys.stderr)
        return 1
    print(overhead_table(results))
    missed = misses(results)
    if note := busy_note():
        print(note)
    print("\n".join(missed) or f"limits kept: {LIMIT_MS} ms per light and simulated second; {MEMORY_LIMIT_MB:.0f} MB for ingolstadt21")
    if options.output is not None:
        commit = present_version().commit
        options.output.write_text(
            json.dumps({"command": "python -m benchmarks.overhead " + " ".join(given), "commit": commit, "results": results}, indent=1) + "\n", encoding="utf-8"
        )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
