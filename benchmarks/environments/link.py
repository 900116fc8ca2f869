"""An environment's end of the pipe to the process that simulates, and what an environment is made of."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from benchmarks.environments.agents import Actions
from benchmarks.environments.session import Seat, seats_of
from controller.errors import ConfigError, SimulationError
from scenarios.case import Case
from scenarios.catalogue import find_scenario, load_config
from scenarios.prepare import prepare
from scenarios.runner import last_lines

MOST_SEEDS: Final = 2**31 - 1  # SUMO's seeds are signed
LOG: Final = "sumo.log"


@dataclass(frozen=True)
class Setting:
    """What an environment simulates. ``detection``: loops, or oracle (the simulator's own vehicles); ``interval_s``: between two actions.

    ``begin_s`` and ``end_s`` cut a part out of the scenario.
    """

    scenario: str
    actions: str = Actions.STAGE.value
    detection: str = "loops"
    interval_s: int = 5
    rules: str = ""
    insertion: str = "sumo"
    begin_s: float | None = None
    end_s: float | None = None

    def check(self) -> None:
        """Raise `ConfigError` naming what is wrong in the setting."""
        if self.actions not in list(Actions):
            raise ConfigError(f"actions: found {self.actions!r}, expected one of {', '.join(Actions)}")
        if self.detection not in ("loops", "oracle"):
            raise ConfigError(f"detection: found {self.detection!r}, expected loops or oracle")
        if self.interval_s < 1:
            raise ConfigError(f"interval_s: found {self.interval_s}, expected whole seconds, 1 or more")

    def case(self, seed: int, folder: Path) -> Case:
        """Return the run of one episode. Raises `UmlaufError` where there is no such scenario."""
        scenario = find_scenario(self.scenario)
        return Case(
            scenario=scenario.name,
            config=str(load_config(scenario).path),
            control="agent",
            folder=str(folder),
            seed=seed,
            rules=self.rules or scenario.rules,
            detection=self.detection,
            insertion=self.insertion,
            begin_s=self.begin_s,
            end_s=self.end_s,
            published_amber_s=scenario.published_amber_s,
        )


class _Process:
    """The child and the two pipes to it."""

    def __init__(self, folder: Path) -> None:
        child_reads, we_write = os.pipe()
        we_read, child_writes = os.pipe()
        command = [sys.executable, "-P", "-m", "benchmarks.environments.child", str(child_reads), str(child_writes)]
        with (folder / LOG).open("w", encoding="utf-8") as log:
            self._child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=(child_reads, child_writes))
        os.close(child_reads)
        os.close(child_writes)
        self._questions = os.fdopen(we_write, "w", encoding="utf-8")
        self._answers = os.fdopen(we_read, encoding="utf-8")

    @property
    def pid(self) -> int:
        """Return the child's process id."""
        return self._child.pid

    def ask(self, message: Mapping[str, Any]) -> str:
        """Return the line that answers the message, empty where the child has ended."""
        try:
            self._questions.write(json.dumps(message) + "\n")
            self._questions.flush()
            return self._answers.readline()
        except BrokenPipeError:
            return ""

    def end(self) -> None:
        """Kill the child and close the pipes."""
        self._child.kill()
        self._child.wait()
        with suppress(BrokenPipeError):
            self._questions.close()
        self._answers.close()


def _clean(folder: Path, processes: list[_Process]) -> None:
    while processes:
        processes.pop().end()
    shutil.rmtree(folder, ignore_errors=True)


class Simulation:
    """One process with one simulation at a time, in a temporary folder of its own. Close it, or let it go: both end the process."""

    def __init__(self, setting: Setting) -> None:
        setting.check()
        self.setting = setting
        self.folder = Path(tempfile.mkdtemp(prefix="umlauf-environment-"))
        self._processes: list[_Process] = []  # none before the first episode, else one
        self.close = weakref.finalize(self, _clean, self.folder, self._processes)

    @property
    def pid(self) -> int | None:
        """Return the process id of the simulation under way, None where there is none."""
        return self._processes[0].pid if self._processes else None

    @cached_property
    def seats(self) -> list[Seat]:
        """Return the agents' places, as the scenario's net has them. Raises `UmlaufError` where it cannot be imported."""
        return seats_of(prepare(self.setting.case(1, self.folder)))

    def open(self, seed: int) -> dict[str, Any]:
        """Begin an episode and return the first observations. Raises `SimulationError`."""
        case = self.setting.case(seed % MOST_SEEDS, self.folder)
        return self._ask({"open": case.to_json(), "actions": self.setting.actions, "interval_ms": 1000 * self.setting.interval_s})

    def act(self, actions: Mapping[str, list[int]]) -> dict[str, Any]:
        """Give the agents their actions and return what follows. Raises `SimulationError`."""
        return self._ask({"act": actions})

    def _ask(self, message: Mapping[str, Any]) -> dict[str, Any]:
        if not self.close.alive:
            raise SimulationError(f"environment {self.setting.scenario}: it has been closed; make a new one")
        if not self._processes:
            self._processes.append(_Process(self.folder))
        line = self._processes[0].ask(message)
        if not line:
            self._processes.pop().end()
            raise SimulationError(f"environment {self.setting.scenario}: the simulation process has ended. It said: {last_lines(self.folder / LOG)}")
        reply: dict[str, Any] = json.loads(line)
        if "error" in reply:
            raise SimulationError(f"environment {self.setting.scenario}: {reply['error']}")
        return reply
