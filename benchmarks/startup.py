"""How long until the first simulated second: right after an install (kernels compiled on the way), and later.

``python -m benchmarks.startup [--scenario NAME] [--repeat N] [-o FILE]``. Each start is ``umlauf simulate`` with a window of one
second, timed from outside, files read and written included. The first starts use a kernel cache of their own, empty each time.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.machine import busy_note, cpu_s
from benchmarks.tables import markdown
from benchmarks.version import present_version
from controller.clock import elapsed_s
from controller.errors import SimulationError, UmlaufError
from scenarios.arguments import Window
from scenarios.catalogue import find_scenario, load_config

FIRST_LIMIT_S: Final = 60.0
LATER_LIMIT_S: Final = 3.0
CACHE_VARIABLE: Final = "NUMBA_CACHE_DIR"
ENTRY: Final = "import sys; from controller.cli import main; sys.exit(main())"


def start_once(scenario: str, window: Window, cache: Path | None) -> tuple[float, float]:
    """Return wall and processor time in s of a run of one simulated second; ``cache``: where kernels are kept, None for the user's own.

    Raises `SimulationError` where it fails.
    """
    environment = dict(os.environ) if cache is None else {**os.environ, CACHE_VARIABLE: str(cache)}
    with tempfile.TemporaryDirectory(prefix="umlauf-startup-") as folder:
        command = [sys.executable, "-c", ENTRY, "simulate", scenario, "--control", "adaptive", "--json", "--output", folder]
        command += ["--begin", f"{window.begin_s:g}", "--end", f"{window.begin_s + 1:g}"]
        begun_s, begun_cpu_s = elapsed_s(), cpu_s(resource.RUSAGE_CHILDREN)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        wall_s = elapsed_s() - begun_s
    if done.returncode:
        raise SimulationError(f"{scenario}: the start failed with exit code {done.returncode}: {done.stderr.strip()[-2000:]}")
    return wall_s, cpu_s(resource.RUSAGE_CHILDREN) - begun_cpu_s


def measure_starts(scenario: str, repeat: int) -> dict[str, Any]:
    """Return the medians over ``repeat`` starts with an empty kernel cache and as many with a full one. Raises `UmlaufError`."""
    config = load_config(find_scenario(scenario))
    window = Window(config.begin_s, config.begin_s + 1, config.begin_s + 1)
    first: list[tuple[float, float]] = []
    later: list[tuple[float, float]] = []
    for _ in range(repeat):
        with tempfile.TemporaryDirectory(prefix="umlauf-kernels-") as name:
            first.append(start_once(scenario, window, Path(name)))
            later.append(start_once(scenario, window, Path(name)))
    return {
        "scenario": scenario,
        "repeat": repeat,
        **{
            f"{label}_{unit}_s": round(statistics.median(times[i] for times in runs), 3)
            for label, runs in (("first", first), ("later", later))
            for i, unit in enumerate(("wall", "cpu"))
        },
    }


def startup_table(results: Sequence[Mapping[str, Any]]) -> str:
    """Return the Markdown table of the medians."""
    header = ["until the first simulated second", "first start s", "processor s", "later starts s", "processor s"]
    names = ("first_wall_s", "first_cpu_s", "later_wall_s", "later_cpu_s")
    return markdown(header, [[str(r["scenario"]), *(f"{r[name]:.1f}" for name in names)] for r in results])


def misses(result: Mapping[str, Any]) -> list[str]:
    """Return the limits that were not kept, in words."""
    limits = (("first_wall_s", FIRST_LIMIT_S), ("later_wall_s", LATER_LIMIT_S))
    return [f"{result['scenario']}: {name} is {result[name]:.1f} s, limit {limit_s:g} s" for name, limit_s in limits if result[name] > limit_s]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print. Exit code: 0 limits kept, 1 a limit was missed or a start failed."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(prog="python -m benchmarks.startup", description="Time until the first simulated second.")
    parser.add_argument("--scenario", default="resco/cologne1")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("-o", "--output", type=Path, default=None, help="also write the medians as JSON")
    options = parser.parse_args(given)
    try:
        result = measure_starts(options.scenario, options.repeat)
    except UmlaufError as error:
        print(error, file=sys.stderr)
        return 1
    print(startup_table([result]))
    if note := busy_note():
        print(note)
    missed = misses(result)
    print("\n".join(missed) or f"limits kept: {FIRST_LIMIT_S:g} s for the first start, {LATER_LIMIT_S:g} s for later ones")
    if options.output is not None:
        record = {"command": "python -m benchmarks.startup " + " ".join(given), "commit": present_version().commit, "results": [result]}
        options.output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
