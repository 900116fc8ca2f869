"""The scenarios that ship with us or inside installed packages, and any ``.sumocfg`` of the user's."""

from __future__ import annotations

import difflib
import importlib.util
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from controller.errors import MissingError, ScenarioError
from scenarios.case import Outage
from scenarios.config import SumoConfig, read_config, read_text

RESCO_INSTALL: Final = "pip install --no-deps sumo-rl==1.4.5"
SUMO_INSTALL: Final = "pip install 'umlauf[sumo]'"
RESCO_NAMES: Final = ("cologne1", "cologne3", "cologne8", "ingolstadt1", "ingolstadt7", "ingolstadt21", "grid4x4", "arterial4x4")
RESCO_LICENCE: Final = {
    "cologne": "TAPAS Cologne: CC BY-NC-SA 3.0",
    "ingolstadt": "InTAS: GPL-3.0",
    "grid4x4": "RESCO: GPL-3.0",
    "arterial4x4": "RESCO: GPL-3.0",
}


@dataclass(frozen=True)
class Scenario:
    """One thing to simulate. ``find`` returns its configuration file, building it where we make it ourselves."""

    name: str
    source: str
    licence: str
    install: str
    find: Callable[[], Path]
    rules: str = "net"
    published_amber_s: float = 3.0
    about: str = ""
    outages: tuple[Outage, ...] = ()


@dataclass(frozen=True)
class Size:
    """How large a scenario is; ``vehicles``: due to depart in its window, flows by their expected number."""

    lights: int
    edges: int
    lanes: int
    vehicles: int


def catalogue() -> tuple[Scenario, ...]:
    """Return all scenarios that we know by name, installed or not."""
    from scenarios.build import built_scenarios

    return (*built_scenarios(), *(_resco(name) for name in RESCO_NAMES))


def _resco(name: str) -> Scenario:
    licence = next(text for prefix, text in RESCO_LICENCE.items() if name.startswith(prefix))
    return Scenario(
        name=f"resco/{name}",
        source="sumo-rl 1.4.5 (RESCO benchmark, Ault & Sharon 2021)",
        licence=licence,
        install=RESCO_INSTALL,
        find=lambda: _resco_config(name),
        rules="published",
        published_amber_s=2.0 if name == "arterial4x4" else 3.0,
    )


def _resco_config(name: str) -> Path:
    spec = importlib.util.find_spec("sumo_rl")
    if spec is None or not spec.submodule_search_locations:
        raise MissingError(f"scenario resco/{name}: the package sumo-rl, which carries its files, is not installed; install it with: {RESCO_INSTALL}")
    path = Path(next(iter(spec.submodule_search_locations))) / "nets" / "RESCO" / name / f"{name}.sumocfg"
    if not path.is_file():
        raise MissingError(f"scenario resco/{name}: the installed sumo-rl has no {path}; install the version that has it with: {RESCO_INSTALL}")
    return path


def find_scenario(name: str) -> Scenario:
    """Return the scenario of a catalogue name or of a ``.sumocfg`` path. Raises `ScenarioError` where it is neither."""
    known = {scenario.name: scenario for scenario in catalogue()}
    if name in known:
        return known[name]
    path = Path(name)
    if path.is_file() or path.suffix in (".sumocfg", ".cfg") or name.endswith(".sumo.cfg"):
        return Scenario(name=name, source="user", licence="", install="", find=lambda: path.resolve() if path.is_file() else path)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise ScenarioError(f"unknown scenario {name!r}; {hint}expected one of {', '.join(known)}, or the path of a .sumocfg")


def measure_size(config: SumoConfig) -> Size:
    """Return the size of a scenario by a quick reading of its files."""
    net = read_text(config.net)
    lights = set(re.findall(r'<tlLogic\s[^>]*?\bid="([^"]*)"', net))
    edges = [m for m in re.findall(r"<edge\s[^>]*>", net) if "function=" not in m]
    lanes = re.findall(r'<lane\s[^>]*?\bid="([^"]*)"', net)
    end_s = config.end_s if config.end_s is not None else float("inf")
    vehicles = sum(_vehicles_due(read_text(route), config.begin_s, end_s) for route in config.routes)
    return Size(len(lights), len(edges), sum(not lane.startswith(":") for lane in lanes), round(vehicles))


def _vehicles_due(text: str, begin_s: float, end_s: float) -> float:
    total = 0.0
    for tag, attributes in re.findall(r"<(vehicle|trip|flow)\s([^>]*)>", text):
        get = dict(re.findall(r'(\w+)="([^"]*)"', attributes))
        if tag == "flow":
            total += _flow_vehicles(get, begin_s, end_s)
        elif _number(get.get("depart", ""), begin_s) >= begin_s and _number(get.get("depart", ""), begin_s) < end_s:
            total += 1
    return total


def _flow_vehicles(get: dict[str, str], begin_s: float, end_s: float) -> float:
    begin = _number(get.get("begin", "0"), 0.0)
    end = min(_number(get.get("end", "86400"), 86400.0), end_s)
    inside_s = max(0.0, end - max(begin, begin_s))
    full_s = _number(get.get("end", "86400"), 86400.0) - begin
    if "number" in get and full_s > 0:
        return float(get["number"]) * inside_s / full_s
    if "vehsPerHour" in get:
        return float(get["vehsPerHour"]) * inside_s / 3600
    if "period" in get:
        rate = re.fullmatch(r"exp\(([\d.eE+-]+)\)", get["period"])
        return inside_s * float(rate.group(1)) if rate else inside_s / float(get["period"])
    return float(get.get("probability", "0")) * inside_s


def _number(text: str, otherwise: float) -> float:
    try:
        return float(text)
    except ValueError:
        return otherwise


def load_config(scenario: Scenario) -> SumoConfig:
    """Return the scenario's configuration. Raises `ScenarioError` or `MissingError`."""
    return read_config(scenario.find())
