"""What ``umlauf scenarios`` prints, and the loops file that it writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from controller.errors import MissingError, ScenarioError
from scenarios.attach import start_command
from scenarios.catalogue import Scenario, catalogue, find_scenario, load_config, measure_size
from scenarios.importer import import_lights
from scenarios.loops import write_loops

PLAIN_WIDTH = 150


def describe(scenario: Scenario) -> dict[str, Any]:
    """Return what is known of a scenario; where it is not installed, sizes are None and ``missing`` says what mends it."""
    known: dict[str, Any] = {
        "name": scenario.name,
        "about": scenario.about,
        "lights": None,
        "edges": None,
        "lanes": None,
        "vehicles": None,
        "begin_s": None,
        "end_s": None,
        "rules": scenario.rules,
        "published_amber_s": scenario.published_amber_s,
        "source": scenario.source,
        "licence": scenario.licence,
        "config": None,
        "missing": None,
    }
    try:
        config = load_config(scenario)
        size = measure_size(config)
    except (MissingError, ScenarioError) as error:
        return {**known, "missing": str(error)}
    return {
        **known,
        "lights": size.lights,
        "edges": size.edges,
        "lanes": size.lanes,
        "vehicles": size.vehicles,
        "begin_s": config.begin_s,
        "end_s": config.end_s,
        "config": str(config.path),
    }


def print_scenarios(*, as_json: bool) -> None:
    """Print the catalogue as a table or as one JSON object."""
    known = [describe(scenario) for scenario in catalogue()]
    if as_json:
        print(json.dumps({"scenarios": known}))
        return
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("scenario", "lights", "edges", "lanes", "vehicles", "rules", "source", "licence"):
        table.add_column(heading, justify="right" if heading in ("lights", "edges", "lanes", "vehicles") else "left")
    for entry in known:
        sizes = ("-" if entry[key] is None else str(entry[key]) for key in ("lights", "edges", "lanes", "vehicles"))
        table.add_row(entry["name"], *sizes, entry["rules"], entry["source"], entry["licence"])
    console = Console()
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    console.print(table)
    for entry in known:
        if entry["about"]:
            console.print(f"{entry['name']}: {entry['about']}", highlight=False, markup=False, soft_wrap=True)
    for text in dict.fromkeys(entry["missing"].partition(": ")[2] for entry in known if entry["missing"]):
        console.print(f"Missing: {text}", highlight=False, markup=False)
    console.print("Any .sumocfg of yours works too: umlauf simulate PATH.sumocfg", highlight=False, markup=False)


def write_loops_file(name: str, output: Path, tls: tuple[str, ...]) -> None:
    """Write the loops of all lights of a scenario, or of those named. Raises `ScenarioError`."""
    config = load_config(find_scenario(name))
    result = import_lights(config.net, tls=tls or None, programmes=config.additional)
    write_loops(result.junctions, output)
    loops = sum(len(junction.detectors) for junction in result.junctions)
    console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    console.print(f"{output}: {loops} loops of {len(result.junctions)} lights. Start SUMO with it, then attach:")
    console.print(f"  {start_command(config, output, 8813)}")
    console.print(f"  umlauf simulate {name} --attach localhost:8813")
