"""The columns of a results file: the keys of ``umlauf simulate --json``, what decides the case, and the versions of everything.

One row a run. What is nested by names of the net (`longest_reds_s`, `overridden`) and what no column is known for (`more`) is JSON text.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks.files import write_whole
from controller.errors import ConfigError, MissingError

INPUTS: Final = ("scenario", "control", "seed", "rules", "detection", "insertion", "begin_s", "end_s")
TEXTS: Final = (
    *("scenario", "control", "rules", "detection", "insertion", "sumo_version", "status", "error", "code", "commit", "scenario_version", "key"),
    *("umlauf_version", "numba_version", "numpy_version", "scenario_package_version", "python_version", "machine", "finished_utc", "more"),
    *("longest_reds_s", "overridden"),
)
WHOLE: Final = (
    *("seed", "vehicles", "finished", "unfinished", "never_inserted", "teleports", "collisions", "emergency_brakings", "interlock_refusals"),
    *("saturation_headways", "mode_changes", "lights", "controlled", "peak_memory_mb", "attempts"),
)
NUMBERS: Final = (
    *("neighbour_loss_ratio", "begin_s", "end_s", "mean_delay_s", "stops_per_vehicle", "max_wait_s", "longest_red_s", "co2_g_per_vehicle", "wall_s"),
    *("bare_wall_s", "simulation_s", "finished_time_loss_s", "resco_delay_s", "cpu_s", "saturation_flow_veh_h", "step_length_s", "simulation_time_s"),
)
FLAGS: Final = ("trips_complete", "dirty")
AS_JSON: Final = ("longest_reds_s", "overridden")
DROPPED: Final = ("folder",)  # of this machine
SOLVE: Final = ("mean", "p99", "max")
FIRST: Final = (*INPUTS, "status", "mean_delay_s")
ALL: Final = (*TEXTS, *WHOLE, *NUMBERS, *FLAGS, "solve_ms", "notes")
Row = dict[str, Any]


def identity(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what tells a case from the others of the same code."""
    return tuple(row.get(name) for name in INPUTS)


def complete(row: object) -> Row:
    """Return a row with all columns, None for those that it does not have, as of another version. Raises ValueError where it is no row of a campaign."""
    if not isinstance(row, dict) or not isinstance(row.get("status"), str) or any(name not in row for name in INPUTS):
        raise ValueError("no row of a campaign")
    return dict.fromkeys(ALL) | row


def write_parquet(rows: Iterable[Mapping[str, Any]], path: Path) -> None:
    """Write the rows, whole or not at all, in the order of their inputs. Raises `MissingError` without polars, `ResultsError`."""
    polars = load_polars()
    ordered = sorted(rows, key=lambda row: tuple(part if isinstance(part, str) else f"{part or 0:015.3f}" for part in identity(row)))
    frame = polars.DataFrame([_encoded(row) for row in ordered], schema=_schema(polars))
    content = io.BytesIO()  # polars itself tells of a full disk in words of its own, and leaves half a file
    frame.write_parquet(content)
    write_whole(path, content.getvalue())


def read_parquet(path: Path) -> list[Row]:
    """Return the rows of a results file as they were before they were written. Raises `ConfigError`, `MissingError`."""
    polars = load_polars()
    try:
        frame = polars.read_parquet(path)
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file; give the results.parquet that umlauf bench wrote") from error
    except (OSError, polars.exceptions.PolarsError) as error:
        told = str(error).splitlines()[0]
        raise ConfigError(f"{path}: expected the Parquet of a campaign, cannot read it ({told}); move it away, then its cases are run again") from error
    missing = [name for name in (*INPUTS, "status") if name not in frame.columns]
    if missing:
        raise ConfigError(f"{path}: expected the results of a campaign, found a Parquet file without the columns {', '.join(missing)}")
    return [_decoded(complete(row)) for row in frame.to_dicts()]


def _schema(polars: Any) -> dict[str, Any]:
    kinds: dict[str, Any] = dict.fromkeys(TEXTS, polars.String)
    kinds |= dict.fromkeys(WHOLE, polars.Int64) | dict.fromkeys(NUMBERS, polars.Float64) | dict.fromkeys(FLAGS, polars.Boolean)
    kinds |= {"solve_ms": polars.Struct(dict.fromkeys(SOLVE, polars.Float64)), "notes": polars.List(polars.String)}
    return {name: kinds.pop(name) for name in FIRST} | kinds


def _encoded(row: Mapping[str, Any]) -> Row:
    known = {*TEXTS, *WHOLE, *NUMBERS, *FLAGS, "solve_ms", "notes"} - {"more"}
    flat = {name: value for name, value in row.items() if name in known}
    flat |= {name: json.dumps(flat[name]) for name in AS_JSON if flat.get(name) is not None}
    more = {name: value for name, value in row.items() if name not in known and name not in DROPPED}
    return flat | ({"more": json.dumps(more)} if more else {})


def _decoded(row: Row) -> Row:
    more = row.pop("more", None)
    return row | {name: json.loads(row[name]) for name in AS_JSON if row.get(name) is not None} | (json.loads(more) if more else {})


def load_polars() -> Any:
    """Return the library that reads and writes Parquet. Raises `MissingError` where it is not installed."""
    try:
        import polars
    except ModuleNotFoundError as error:
        raise MissingError("results are Parquet, which needs polars; install it with: pip install 'umlauf[export]'") from error
    return polars
