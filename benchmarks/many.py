"""Whether one core controls many junctions in real time: ``python -m benchmarks.many [--columns N --rows N] [--seconds N]``.

A grid of four-armed junctions is made by netgenerate, one lane and a short lane for left turns on each arm, traffic in at every end
of every street. One process runs SUMO and the whole `adaptive` control of all lights, a decision at each of them every second. It keeps
up as long as a simulated second takes less than a second of wall time; what SUMO alone takes of that is told beside it.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from string import ascii_uppercase
from typing import Any, Final

from benchmarks.machine import busy_note
from benchmarks.overhead import run_bare
from benchmarks.tables import markdown
from controller.errors import SimulationError, UmlaufError
from hardware.sumo_process import sumo_binary
from scenarios.runner import make_folder, run_one
from scenarios.simulate import Request, cases_of

COLUMNS: Final = 20
ROWS: Final = 10
SECONDS: Final = 600
THROUGH_VEH_H: Final = 240  # at each end of each street
TURNING_VEH_H: Final = 60
LIMIT_MS: Final = 1_000.0  # wall time of one simulated second
NETGENERATE: Final = (
    *("--grid", "--grid.length", "200", "--grid.attach-length", "200", "--default-junction-type", "traffic_light"),
    *("--default.speed", "13.89", "--turn-lanes", "1", "--turn-lanes.length", "60", "--no-turnarounds", "--no-warnings"),
)


def flows_of(columns: int, rows: int) -> Iterator[tuple[str, str, int]]:
    """Yield (edge in, edge out, vehicles an hour): straight on from each end of each street, and turning into a street across."""
    last = ascii_uppercase[columns - 1]
    west_in, west_out = [f"left{r}A{r}" for r in range(rows)], [f"A{r}left{r}" for r in range(rows)]
    east_in, east_out = [f"right{r}{last}{r}" for r in range(rows)], [f"{last}{r}right{r}" for r in range(rows)]
    south_in, south_out = [f"bottom{c}{ascii_uppercase[c]}0" for c in range(columns)], [f"{ascii_uppercase[c]}0bottom{c}" for c in range(columns)]
    north_in = [f"top{c}{ascii_uppercase[c]}{rows - 1}" for c in range(columns)]
    north_out = [f"{ascii_uppercase[c]}{rows - 1}top{c}" for c in range(columns)]
    for sources, ahead, across in (
        (west_in, east_out, north_out),
        (east_in, west_out, south_out),
        (south_in, north_out, east_out),
        (north_in, south_out, west_out),
    ):
        for i, (begin, end) in enumerate(zip(sources, ahead, strict=True)):
            yield begin, end, THROUGH_VEH_H
            yield begin, across[i * len(across) // len(sources)], TURNING_VEH_H


def write_grid(folder: Path, columns: int, rows: int, seconds: int) -> Path:
    """Write net, demand and configuration of a grid; return the configuration. Raises `SimulationError` where netgenerate fails."""
    size = ["--grid.x-number", str(columns), "--grid.y-number", str(rows)]
    done = subprocess.run([sumo_binary("netgenerate"), *NETGENERATE, *size, "-o", str(folder / "grid.net.xml")], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SimulationError(f"netgenerate failed with exit code {done.returncode}: {done.stderr.strip()[-2000:]}")
    lines = [
        f'  <flow id="{n}" from="{begin}" to="{end}" begin="0" end="{seconds}" vehsPerHour="{veh_h}" departLane="best" departSpeed="max"/>'
        for n, (begin, end, veh_h) in enumerate(flows_of(columns, rows))
    ]
    (folder / "grid.rou.xml").write_text("\n".join(["<routes>", *lines, "</routes>", ""]), encoding="utf-8")
    config = folder / "grid.sumocfg"
    files = '<input><net-file value="grid.net.xml"/><route-files value="grid.rou.xml"/></input>'
    config.write_text(f'<configuration>{files}<time><begin value="0"/><end value="{seconds}"/></time></configuration>\n', encoding="utf-8")
    return config


def measure_grid(columns: int, rows: int, seconds: int) -> dict[str, Any]:
    """Return what a run under `adaptive` took, and one of SUMO alone. Raises `UmlaufError` where one fails."""
    with tempfile.TemporaryDirectory(prefix="umlauf-many-") as name:
        folder = Path(name)
        case = cases_of(Request(str(write_grid(folder, columns, rows, seconds)), output=folder / "adaptive"))[0]
        record = run_one(case, lambda _now_s, _end_s: None, lambda _text: None)
        alone = run_bare(dataclasses.replace(case, folder=str(make_folder(folder / "alone"))), None)
    taken_s = {"wall_ms": record["wall_s"], "cpu_ms": record["cpu_s"], "alone_ms": alone["wall_s"] or 0.0}
    per_second_ms = {key: 1000.0 * value_s / record["simulation_s"] for key, value_s in taken_s.items()}
    solve = record["solve_ms"]
    return {
        "lights": record["controlled"],
        "simulation_s": record["simulation_s"],
        **per_second_ms,
        "solve_mean_ms": solve["mean"],
        "solve_p99_ms": solve["p99"],
        "memory_mb": record["peak_memory_mb"],
        "delay_s": record["mean_delay_s"],
    }


def many_table(found: dict[str, Any]) -> str:
    """Return the Markdown table of what was measured."""
    header = ["lights", "simulated s", "wall ms per simulated s", "processor ms", "SUMO alone ms", "solve mean ms", "p99 ms", "memory MB", "delay s"]
    times = [f"{found[key]:.0f}" for key in ("wall_ms", "cpu_ms", "alone_ms")]
    solve = [f"{found[key]:.2f}" for key in ("solve_mean_ms", "solve_p99_ms")]
    return markdown(header, [[str(found["lights"]), f"{found['simulation_s']:.0f}", *times, *solve, f"{found['memory_mb']:.0f}", f"{found['delay_s']:.1f}"]])


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print. Exit code: 0 in real time, 1 slower or a run failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.many", description="Many junctions on one core.")
    parser.add_argument("--columns", type=int, default=COLUMNS, help="at most 26")
    parser.add_argument("--rows", type=int, default=ROWS, help="at most 10")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="simulated time")
    parser.add_argument("-o", "--output", type=Path, default=None, help="also write the figures as JSON")
    options = parser.parse_args(arguments)
    try:
        found = measure_grid(options.columns, options.rows, options.seconds)
    except UmlaufError as error:
        print(error, file=sys.stderr)
        return 1
    print(many_table(found))
    if note := busy_note():
        print(note)
    kept = found["wall_ms"] <= LIMIT_MS
    print(f"limit: {LIMIT_MS:.0f} ms of wall time per simulated second" + ("" if kept else ", missed"))
    if options.output is not None:
        options.output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
