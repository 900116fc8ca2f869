"""Whether a long run's memory stays flat: ``python -m benchmarks.memory [--scenario NAME] [--hours N]``.

The peak of the whole process (SUMO, engine, journal) is read all along a run under `adaptive`. Once the first half has shown every
state of a day's traffic, the second half must add next to nothing.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.tables import markdown
from controller.errors import UmlaufError
from scenarios.drive import run_case
from scenarios.simulate import Request, cases_of

GROWTH_LIMIT_MB: Final = 10.0  # over the second half


def peaks_of(scenario: str, hours: float) -> list[tuple[float, float]]:
    """Return (simulation time in s, peak memory in MB) along a run of this length in this process. Raises `UmlaufError`."""
    samples: list[tuple[float, float]] = []

    def send(event: str, **values: object) -> None:
        if event == "progress":
            samples.append((float(str(values["now_s"])), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))

    with tempfile.TemporaryDirectory(prefix="umlauf-memory-") as folder:
        case = cases_of(Request(scenario, end_s=3600.0 * hours, output=Path(folder) / "run"))[0]
        run_case(case, send, lambda: False)
    return samples


def growth_mb(values: Sequence[tuple[float, float]]) -> float:
    """Return by how much the peak rose after half of the time; ``values``: what `peaks_of` returns."""
    half_s = (values[0][0] + values[-1][0]) / 2
    return values[-1][1] - max(peak_mb for at_s, peak_mb in values if at_s <= half_s)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print. Exit code: 0 flat, 1 it grew or the run failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description="Memory along a long run.")
    parser.add_argument("--scenario", default="cross", help="one whose window begins at 0")
    parser.add_argument("--hours", type=float, default=6.0)
    options = parser.parse_args(arguments)
    try:
        samples = peaks_of(options.scenario, options.hours)
    except UmlaufError as error:
        print(error, file=sys.stderr)
        return 1
    rose_mb = growth_mb(samples)
    print(
        markdown(
            ["scenario", "simulated h", "peak MB", "growth in the second half MB"],
            [[options.scenario, f"{options.hours:g}", f"{samples[-1][1]:.0f}", f"{rose_mb:.1f}"]],
        )
    )
    print(f"limit: {GROWTH_LIMIT_MB:g} MB in the second half" + ("" if rose_mb <= GROWTH_LIMIT_MB else ", missed"))
    return 0 if rose_mb <= GROWTH_LIMIT_MB else 1


if __name__ == "__main__":
    sys.exit(main())
