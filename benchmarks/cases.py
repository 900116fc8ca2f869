"""The cases of a campaign: what the options ask for, which of it is done, and in which order the rest is run."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.columns import INPUTS, Row, identity
from benchmarks.version import Version, files_hash
from controller.errors import ConfigError
from scenarios.case import OURS, Case
from scenarios.catalogue import find_scenario, load_config
from scenarios.simulate import Request, cases_of, parse_seeds

FINISHED: Final = "finished"
FAILED: Final = "failed"
NOT_APPLICABLE: Final = "not applicable"
DONE: Final = (FINISHED, NOT_APPLICABLE)


@dataclass(frozen=True)
class Campaign:
    """The options of one call that decide its cases, as typed."""

    scenarios: tuple[str, ...]
    controls: tuple[str, ...]
    seeds: str = "1-5"
    rules: str | None = None
    detection: str = "loops"
    insertion: str = "sumo"
    begin_s: float | None = None
    end_s: float | None = None


@dataclass(frozen=True)
class Task:
    """One case to run: the run's description, its key (a hash of all that decides it), and what its row says of that."""

    case: Case
    key: str
    origin: Mapping[str, Any]

    @property
    def inputs(self) -> Row:
        """Return the columns that tell the case from others of the same code."""
        return {name: getattr(self.case, name) for name in INPUTS}

    @property
    def name(self) -> str:
        """Return what a person calls the case."""
        return f"{self.case.scenario} {self.case.control} seed {self.case.seed}"

    def row(self, record: Mapping[str, Any], attempts: int) -> Row:
        """Return the case's row out of a run's record."""
        return {**record, **self.inputs, "neighbour_loss_ratio": self.case.neighbour_loss_ratio, **self.origin, "key": self.key, "attempts": attempts}


def why(row: Mapping[str, Any]) -> str:
    """Return the first line of a row's error, to stand in a sentence."""
    return next(iter(str(row.get("error") or "").splitlines()), "it is not said why").removesuffix(".")


def tasks_of(campaign: Campaign, version: Version, root: Path) -> list[Task]:
    """Return all cases of a campaign, seed by seed, our own (slower) controls first. Raises `UmlaufError` where an option is wrong.

    ``root`` takes the folders of the runs.
    """
    if not campaign.scenarios:
        raise ConfigError("expected one or more scenarios, comma-separated (see: umlauf scenarios), found none")
    if not campaign.controls:
        raise ConfigError("--control names no control; give one or more, comma-separated")
    parse_seeds(campaign.seeds, "--seeds")
    tasks = [task for name in dict.fromkeys(campaign.scenarios) for task in _tasks_of_scenario(campaign, name, version, root)]
    return sorted(tasks, key=lambda t: (t.case.seed, t.case.control not in OURS))


def _tasks_of_scenario(campaign: Campaign, name: str, version: Version, root: Path) -> Iterable[Task]:
    request = Request(
        scenario=name,
        controls=campaign.controls,
        seeds=campaign.seeds,
        rules=campaign.rules,
        detection=campaign.detection,
        insertion=campaign.insertion,
        begin_s=campaign.begin_s,
        end_s=campaign.end_s,
        output=root,
    )
    files = scenario_version(name)
    for case in cases_of(request):
        origin = {**version.origin(case.control), "scenario_version": files}
        key = key_of(case, origin)
        yield Task(dataclasses.replace(case, folder=str((root / key).resolve())), key, origin)


def scenario_version(name: str) -> str | None:
    """Return a hash of the files of a user's scenario, None for those of the catalogue. Raises `UmlaufError` where there is no such scenario."""
    scenario = find_scenario(name)
    return files_hash(load_config(scenario)) if scenario.source == "user" else None


def key_of(case: Case, origin: Mapping[str, Any]) -> str:
    """Return a hash of all that decides what the case gives: its inputs, the code, SUMO's version (in the code's hash) and the scenario's files."""
    decisive = dataclasses.asdict(case) | {"folder": "", "config": "", "code": origin["code"], "scenario_version": origin["scenario_version"]}
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:20]


def to_do(tasks: Sequence[Task], rows: Iterable[Row], *, keep_older: bool) -> list[Task]:
    """Return the cases that no finished row answers. With ``keep_older`` a row of older code, or of older files, is as good."""
    done = {identity(row): row for row in rows if row["status"] in DONE}

    def answered(task: Task) -> bool:
        row = done.get(tuple(task.inputs.values()))
        if row is None:
            return False
        return keep_older or all(row.get(name) == task.origin[name] for name in ("code", "scenario_version"))

    return [task for task in tasks if not answered(task)]


def shard_of(tasks: Sequence[Task], text: str) -> list[Task]:
    """Return the share ``i/n`` of the cases, which has its part of each scenario and control, for they take differently long. Raises `ConfigError`."""
    first, _, count = text.partition("/")
    if not (first.isdigit() and count.isdigit() and 1 <= int(first) <= int(count)):
        raise ConfigError(f"--shard: found {text!r}, expected i/n with i from 1 to n, for example 1/4")
    by_kind = sorted(tasks, key=lambda t: (t.case.scenario, t.case.control, t.case.seed))
    mine = {task.key for task in by_kind[int(first) - 1 :: int(count)]}
    return [task for task in tasks if task.key in mine]
