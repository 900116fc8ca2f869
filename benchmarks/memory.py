"""Whether a day's memory stays flat: ``python -m benchmarks.memory [--scenario NAME] [--hours N] [--control NAME]``.

The scenario's trips of an hour are repeated hour by hour, as many of them as a day's traffic has then (`DAY_PCT`): a quiet night, two peaks.
The peak of the whole process (SUMO, engine, journal, reading the results) is read all along a run. The first half has seen the night and
the morning's peak, so the second half, whose peak has the very same trips, must add next to nothing. ``--control fixed`` is SUMO alone, with
our loops and recorders.

The trips are written one by one, as scenarios have them. Of a ``<flow>`` from edge to edge SUMO 1.28 keeps the route of each vehicle that it
ever made, 0.4 KB a vehicle (`libsumo.route.getIDCount` grows with them): a growth with any control, which says nothing of ours.
"""

from __future__ import annotations

import argparse
import math
import random
import resource
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.tables import markdown
from controller.errors import ScenarioError, UmlaufError
from scenarios.catalogue import find_scenario, load_config
from scenarios.drive import run_case
from scenarios.simulate import Request, cases_of

GROWTH_LIMIT_MB: Final = 10.0  # over the second half
HOUR_S: Final = 3600.0
# Traffic of each hour of a working day, in per cent of the scenario's hour. The afternoon's peak is that of the morning: a larger one
# would need more memory for its vehicles in SUMO, and say nothing of the control.
DAY_PCT: Final = (8, 5, 4, 5, 12, 35, 70, 100, 100, 75, 65, 65, 70, 70, 75, 85, 100, 100, 85, 60, 45, 35, 25, 15)


def write_day(scenario: str, folder: Path, hours: float) -> Path:
    """Write a configuration with the scenario's net and its trips of an hour repeated as `DAY_PCT` says; return it. Raises `UmlaufError`."""
    config = load_config(find_scenario(scenario))
    demand = [element for routes in config.routes for element in ET.parse(routes).getroot()]
    trips = sorted((float(x.attrib["depart"]) % HOUR_S, x.attrib["from"], x.attrib["to"]) for x in demand if x.tag == "trip")
    if not trips:
        raise ScenarioError(f"scenario {scenario}: expected trips from edge to edge, found none; choose one that has them, for example cross")
    lines = ["<routes>"]
    for hour in range(math.ceil(hours)):
        share = DAY_PCT[hour % len(DAY_PCT)] / 100
        for number, (depart_s, origin, destination) in enumerate(sorted(random.Random(hour).sample(trips, round(share * len(trips))))):
            departs = f'depart="{HOUR_S * hour + depart_s:.2f}" departLane="best" departSpeed="max"'
            lines.append(f'  <trip id="{hour}.{number}" {departs} from="{origin}" to="{destination}"/>')
    (folder / "day.rou.xml").write_text("\n".join([*lines, "</routes>", ""]), encoding="utf-8")
    day = folder / "day.sumocfg"
    files = f'<input><net-file value="{config.net}"/><route-files value="day.rou.xml"/></input>'
    day.write_text(f'<configuration>{files}<time><begin value="0"/></time></configuration>\n', encoding="utf-8")
    return day


def peaks_of(scenario: str, hours: float, control: str) -> list[tuple[float, float]]:
    """Return (simulation time in s, peak memory in MB) along a run of this length in this process, to its figures. Raises `UmlaufError`."""
    samples: list[tuple[float, float]] = []

    def sample(now_s: float) -> None:
        samples.append((now_s, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))

    def send(event: str, **values: object) -> None:
        if event == "progress":
            sample(float(str(values["now_s"])))

    with tempfile.TemporaryDirectory(prefix="umlauf-memory-") as name:
        folder = Path(name)
        day = write_day(scenario, folder, hours)
        case = cases_of(Request(str(day), (control,), end_s=HOUR_S * hours, output=folder / "run"))[0]
        run_case(case, send, lambda: False)
    sample(HOUR_S * hours)
    return samples


def growth_mb(values: Sequence[tuple[float, float]]) -> float:
    """Return by how much the peak rose after half of the time; ``values``: what `peaks_of` returns."""
    half_s = (values[0][0] + values[-1][0]) / 2
    return values[-1][1] - max(peak_mb for at_s, peak_mb in values if at_s <= half_s)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print. Exit code: 0 flat, 1 it grew or the run failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description="Memory along a day.")
    parser.add_argument("--scenario", default="cross", help="one with trips of one hour")
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--control", default="adaptive", help="fixed: SUMO alone, with our loops and recorders")
    options = parser.parse_args(arguments)
    try:
        samples = peaks_of(options.scenario, options.hours, options.control)
    except UmlaufError as error:
        print(error, file=sys.stderr)
        return 1
    rose_mb = growth_mb(samples)
    print(
        markdown(
            ["scenario", "control", "simulated h", "peak MB", "growth in the second half MB"],
            [[options.scenario, options.control, f"{options.hours:g}", f"{samples[-1][1]:.0f}", f"{rose_mb:.1f}"]],
        )
    )
    print(f"limit: {GROWTH_LIMIT_MB:g} MB in the second half" + ("" if rose_mb <= GROWTH_LIMIT_MB else ", missed"))
    return 0 if rose_mb <= GROWTH_LIMIT_MB else 1


if __name__ == "__main__":
    sys.exit(main())
