"""Whether finished cases give the same again: a random tenth is re-run and compared, figure by figure, exactly."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.cases import FINISHED, Campaign, Task, scenario_version, tasks_of
from benchmarks.columns import NUMBERS, WHOLE, Row, identity
from benchmarks.version import Version
from controller.errors import ConfigError, UmlaufError
from scenarios.case import control_names

SHARE_RATIO: Final = 0.1
GONE: Final = "gone"  # in place of the hash of files that cannot be read any more
# What the machine decides, and not the case.
OF_THE_MACHINE: Final = ("wall_s", "cpu_s", "bare_wall_s", "peak_memory_mb", "attempts")
_FIGURES: Final = tuple(name for name in (*WHOLE, *NUMBERS) if name not in OF_THE_MACHINE)
COMPARED: Final = (*_FIGURES, "sumo_version", "longest_reds_s", "trips_complete", "status")


def drawn(rows: Sequence[Row], version: Version, draw: int, root: Path) -> list[tuple[Row, Task]]:
    """Return a random tenth, at least one, of the finished rows of the present code and files, each with the case that makes it again.

    Raises `ConfigError` where there is none: rows of other code, or of other scenario files, need not come out the same.
    """
    finished = sorted((row for row in rows if row["status"] == FINISHED), key=lambda row: str(identity(row)))
    codes = {control: version.code_of(control) for control in {row["control"] for row in finished} & set(control_names())}
    files = {name: _files(name) for name in {row["scenario"] for row in finished}}
    current = [row for row in finished if row["code"] == codes.get(row["control"]) and row.get("scenario_version") == files[row["scenario"]]]
    if not current:
        expected = "finished cases of the present code, scenario files and controllers"
        raise ConfigError(f"--verify: expected {expected}, found none among {len(finished)} finished ones; run the campaign first")
    chosen = random.Random(draw).sample(current, math.ceil(SHARE_RATIO * len(current)))
    return [(row, _task(row, version, root)) for row in chosen]


def _files(scenario: str) -> str | None:
    try:
        return scenario_version(scenario)
    except UmlaufError:
        return GONE


def _task(row: Row, version: Version, root: Path) -> Task:
    window = {"begin_s": row["begin_s"], "end_s": row["end_s"]}
    names = {"rules": row["rules"], "detection": row["detection"], "insertion": row["insertion"]}
    return tasks_of(Campaign((row["scenario"],), (row["control"],), str(row["seed"]), **names, **window), version, root)[0]


def deviations(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return which figures came out otherwise, in words."""
    return [f"{name} was {before.get(name)}, is {after.get(name)}" for name in COMPARED if before.get(name) != after.get(name)]
