"""An environment's end of the pipe to the process that simulates an episode, and what an environment is made of."""

from __future__ import annotations

import json
import math
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

import numpy as np

from benchmarks.environments.agents import Actions, choices
from benchmarks.environments.session import Seat, seats_of
from controller.errors import ConfigError, SimulationError
from scenarios.case import DETECTIONS, INSERTIONS, RULES, Case
from scenarios.catalogue import find_scenario, load_config
from scenarios.prepare import prepare
from scenarios.runner import last_lines

MOST_SEEDS: Final = 2**31 - 1  # SUMO's seeds are signed
LOG: Final = "sumo.log"
LAST_WORDS_S: Final = 5.0  # a process that fails closes its pipe before it has written why


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
        for option, value, known in (
            ("actions", self.actions, tuple(Actions)),
            ("detection", self.detection, DETECTIONS),
            ("rules", self.rules or RULES[0], RULES),
            ("insertion", self.insertion, INSERTIONS),
        ):
            if value not in known:
                raise ConfigError(f"{option}: found {value!r}, expected one of {', '.join(known)}")
        for option, value_s in (("begin_s", self.begin_s), ("end_s", self.end_s)):
            if value_s is not None and not 0 <= value_s < math.inf:
                raise ConfigError(f"{option}: found {value_s:g}, expected seconds of simulation time, 0 or more")
        if not isinstance(self.interval_s, int) or self.interval_s < 1:
            raise ConfigError(f"interval_s: found {self.interval_s!r}, expected whole seconds, 1 or more")

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
            line = self._answers.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(LAST_WORDS_S)
        return line

    def end(self) -> None:
        """Kill the child and close the pipes."""
        self._child.kill()
        self._child.wait()
        with suppress(BrokenPipeError):
            self._questions.close()
        self._answers.close()


def _end(processes: list[_Process]) -> None:
    while processes:
        processes.pop().end()


def _clean(folder: Path, processes: list[_Process]) -> None:
    _end(processes)
    shutil.rmtree(folder, ignore_errors=True)


class Simulation:
    """One process for each episode, in a temporary folder. Close it, or let it go: both end the process.

    A second simulation in one process is not the same as in a fresh one, for what SUMO does depends on where its objects lie in memory.
    """

    def __init__(self, setting: Setting) -> None:
        setting.check()
        self.setting = setting
        self.folder = Path(tempfile.mkdtemp(prefix="umlauf-environment-"))
        self._processes: list[_Process] = []  # none before the first episode, else one
        self._under_way = False
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
        """Begin an episode in a process of its own and return the first observations. Raises `SimulationError`."""
        self._need_open()
        _end(self._processes)
        case = self.setting.case(seed % MOST_SEEDS, self.folder)
        self._processes.append(_Process(self.folder))
        return self._ask({"open": case.to_json(), "actions": self.setting.actions, "interval_ms": 1000 * self.setting.interval_s})

    def act(self, actions: Mapping[str, Any]) -> dict[str, Any]:
        """Give the agents their actions and return what follows. Raises `ConfigError` for what is no action, and `SimulationError`."""
        self.need_episode()
        return self._ask({"act": {name: self._choices(name, action) for name, action in actions.items()}})

    def need_episode(self) -> None:
        """Raise `SimulationError` where no episode is under way."""
        self._need_open()
        if not self._under_way:
            raise SimulationError(f"environment {self.setting.scenario}: expected an episode under way, found none; call reset() first")

    def _need_open(self) -> None:
        if not self.close.alive:
            raise SimulationError(f"environment {self.setting.scenario}: it has been closed; make a new one")

    def _choices(self, name: str, action: Any) -> list[int]:
        views = {seat.name: seat.view for seat in self.seats}
        if name not in views:
            raise ConfigError(f"action of agent {name!r}: there is no such agent; expected one of {', '.join(views)}")
        counts = choices(Actions(self.setting.actions), len(views[name].stages))
        values = np.atleast_1d(action)
        if values.dtype.kind not in "iu" or values.shape != (len(counts),) or not ((values >= 0) & (values < counts)).all():
            numbers = "one whole number" if len(counts) == 1 else f"{len(counts)} whole numbers"
            raise ConfigError(f"action of agent {name!r}: found {action!r}, expected {numbers} from 0 to {counts[0] - 1}")
        return [int(value) for value in values]

    def _ask(self, message: Mapping[str, Any]) -> dict[str, Any]:
        self._under_way = False  # unless the answer says that it goes on
        line = self._processes[0].ask(message)
        if not line:
            _end(self._processes)
            raise SimulationError(f"environment {self.setting.scenario}: the simulation process has ended. It said: {last_lines(self.folder / LOG)}")
        reply: dict[str, Any] = json.loads(line)
        if "error" in reply:
            raise SimulationError(f"environment {self.setting.scenario}: {reply['error']}")
        self._under_way = not (reply["terminated"] or reply["truncated"])
        return reply
