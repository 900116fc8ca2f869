"""The record of a run: the keys that ``--json`` prints and ``summary.json`` keeps, and the table on the terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from scenarios.case import Case

if TYPE_CHECKING:
    from rich.table import Table

KEYS: Final = (
    "scenario",
    "control",
    "seed",
    "rules",
    "detection",
    "insertion",
    "sumo_version",
    "mean_delay_s",
    "vehicles",
    "finished",
    "unfinished",
    "never_inserted",
    "teleports",
    "collisions",
    "emergency_brakings",
    "stops_per_vehicle",
    "max_wait_s",
    "longest_red_s",
    "co2_g_per_vehicle",
    "interlock_refusals",
    "solve_ms",
    "wall_s",
    "bare_wall_s",
    "simulation_s",
)
SUMMARY: Final = "summary.json"


def _identity(case: Case) -> dict[str, Any]:
    return {
        "scenario": case.scenario,
        "control": case.control,
        "seed": case.seed,
        "rules": case.rules,
        "detection": case.detection,
        "insertion": case.insertion,
    }


def finished_record(case: Case, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record of a run from the child's figures: the fixed keys first, then what else it measured."""
    merged = {**_identity(case), "bare_wall_s": None, **values}
    ordered = {key: merged.pop(key, None) for key in KEYS}
    return {**ordered, **merged, "folder": case.folder}


def failed_record(case: Case, error: str, last_s: float | None, partial: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record of a run that failed with the figures it had; ``simulation_time_s`` is where it was last heard of."""
    status = "interrupted" if partial.get("status") == "interrupted" else "failed"
    nothing_solved = {"mean": None, "p99": None, "max": None}
    return finished_record(case, {"solve_ms": nothing_solved, **partial, "status": status, "error": error, "simulation_time_s": last_s})


def write_summary(folder: Path, record: Mapping[str, Any]) -> None:
    """Write ``summary.json``, whole or not at all."""
    partial = folder / f"{SUMMARY}.part"
    partial.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    partial.replace(folder / SUMMARY)


# heading of two lines, key, format
COLUMNS: Final = (
    ("\ncontrol", "control", ""),
    ("\nseed", "seed", "d"),
    ("delay\ns/veh", "mean_delay_s", ".1f"),
    ("vehi-\ncles", "vehicles", "d"),
    ("fini-\nshed", "finished", "d"),
    ("under\nway", "unfinished", "d"),
    ("not in-\nserted", "never_inserted", "d"),
    ("tele-\nports", "teleports", "d"),
    ("colli-\nsions", "collisions", "d"),
    ("hard\nbrakes", "emergency_brakings", "d"),
    ("stops\n/veh", "stops_per_vehicle", ".2f"),
    ("longest\nwait s", "max_wait_s", ".0f"),
    ("longest\nred s", "longest_red_s", ".0f"),
    ("CO2\ng/veh", "co2_g_per_vehicle", ".0f"),
    ("sat. flow\nveh/h", "saturation_flow_veh_h", ".0f"),
    ("solve p99\nms", "solve_ms.p99", ".2f"),
    ("refu-\nsals", "interlock_refusals", "d"),
    ("wall\ns", "wall_s", ".1f"),
)


def table_of(records: Sequence[Mapping[str, Any]]) -> Table:
    """Return the table of the runs, with what they have in common in its title and caption."""
    from rich import box
    from rich.table import Table

    first = records[0]
    table = Table(
        title=f"{first['scenario']}: mean delay of every vehicle due to depart, {first['simulation_s']:g} s simulated",
        caption=f"rules {first['rules']}, detection {first['detection']}, insertion {first['insertion']}, SUMO {first['sumo_version']}",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for heading, key, _ in COLUMNS:
        table.add_column(heading, justify="left" if key == "control" else "right", no_wrap=True)
    for record in records:
        table.add_row(*(_cell(_value(record, key), form) for _, key, form in COLUMNS))
    return table


def _value(record: Mapping[str, Any], key: str) -> object:
    outer, _, inner = key.partition(".")
    value = record.get(outer)
    return value.get(inner) if inner and isinstance(value, dict) else value


def _cell(value: object, form: str) -> str:
    return "-" if value is None else format(value, form)
