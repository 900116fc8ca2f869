"""Whether finished cases give the same again: a random tenth is re-run and compared, figure by figure, exactly."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks.cases import FINISHED, Campaign, Task, scenario_version, tasks_of, why
from benchmarks.columns import NUMBERS, WHOLE, Row, identity
from benchmarks.version import Version, version_of
from controller.errors import ConfigError, UmlaufError
from scenarios.case import control_names

SHARE_RATIO: Final = 0.1
MOST_TOLD: Final = 4  # reasons; a folder that was filled for months knows many versions
GONE: Final = "gone"  # in place of the hash of files that cannot be read any more
# What the machine decides, and not the case.
OF_THE_MACHINE: Final = ("wall_s", "cpu_s", "bare_wall_s", "peak_memory_mb", "attempts")
_FIGURES: Final = tuple(name for name in (*WHOLE, *NUMBERS) if name not in OF_THE_MACHINE)
COMPARED: Final = (*_FIGURES, "sumo_version", "longest_reds_s", "trips_complete", "status")


class Sorted(NamedTuple):
    """The finished rows of a folder: those that must come out the same, and how many others there are for which reason."""

    same: list[Row]
    others: Counter[str]

    @property
    def told(self) -> str:
        """Return the others in words, empty where there are none."""
        named = self.others.most_common(MOST_TOLD)
        rest = self.others.total() - sum(count for _, count in named)
        return "; ".join([*(f"{count} {reason}" for reason, count in named), *([f"{rest} for other such reasons"] if rest else [])])


def sorted_out(rows: Sequence[Row], version: Version) -> Sorted:
    """Return which finished rows the present code, scenario files and controllers made. Only of these must every figure come out the same."""
    finished = sorted((row for row in rows if row["status"] == FINISHED), key=lambda row: str(identity(row)))
    codes = {control: version.code_of(control) for control in {row["control"] for row in finished} & set(control_names())}
    files = {name: _files(name) for name in {row["scenario"] for row in finished}}
    reasons = [_other(row, codes, files) for row in finished]
    return Sorted([row for row, reason in zip(finished, reasons, strict=True) if not reason], Counter(reason for reason in reasons if reason))


def _other(row: Row, codes: Mapping[str, str], files: Mapping[str, str | None]) -> str:
    """Return why the row need not come out the same, empty where it must."""
    sumo, present = row["sumo_version"], version_of("eclipse-sumo")
    if row["control"] not in codes:
        return f"under the controller {row['control']}, which is not installed here"
    if files[row["scenario"]] == GONE:
        return f"on {row['scenario']}, whose files cannot be read any more"
    if row["scenario_version"] != files[row["scenario"]]:
        return f"on {row['scenario']}, whose files have changed"
    if row["code"] == codes[row["control"]]:
        return ""
    if sumo != present:
        return f"made with SUMO {sumo} (here is {present})"
    return f"made by other code ({_commit(row['commit'])})"


def _commit(commit: str | None) -> str:
    return f"commit {commit[:10]}" if commit else "of no known commit"


def drawn(rows: Sequence[Row], version: Version, draw: int, root: Path) -> list[tuple[Row, Task]]:
    """Return a random tenth, at least one, of the finished rows that must come out the same, each with the case that makes it again.

    Raises `ConfigError` where there is none.
    """
    found = sorted_out(rows, version)
    if not found.same:
        here = f"This code is {_commit(version.commit)}{' with changes' if version.dirty else ''}"
        if not found.others:
            raise ConfigError("--verify: the folder has no finished cases; run the campaign first")
        raise ConfigError(
            f"--verify: nothing can be compared, for other versions need not give the same figures. Of {found.others.total()} finished cases: {found.told}. "
            f"{here}. Verify with the version that made them, or give the campaign's command again, which runs them anew with this one"
        )
    chosen = random.Random(draw).sample(found.same, math.ceil(SHARE_RATIO * len(found.same)))
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
    if after["status"] != FINISHED:
        return [f"this time it did not finish: {why(after)}"]
    return [f"{name} was {before.get(name)}, is {after.get(name)}" for name in COMPARED if before.get(name) != after.get(name)]
