"""How long cases take, learned from those that ended, and how long what is left of a campaign will take.

A case occupies its worker for its simulation and for what is around it (`Costs.around_s`). Its simulation is expected to take what cases of the
same scenario, control and window took, else the same pace as other windows of this scenario and control. Where neither was ever run, the pace is
put together of what is known of the scenario and of the control, which is a guess. Cases under way count from their first steps on.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.cases import FINISHED, Task
from benchmarks.columns import Row
from controller.errors import UmlaufError
from scenarios.case import Case
from scenarios.config import read_config

AROUND_S: Final = 2.0  # until measured
LENGTH_S: Final = 3600.0  # of a scenario that ends when it is empty, until measured
TELLING_RATIO: Final = 0.03  # of a run, before which its pace is that of an empty net
ROUNDS: Final = 20  # of the fit; campaigns with few gaps need two
Kind = tuple[str, str]  # scenario, control
Like = tuple[str, str, float | None, float | None]  # and the window
Window = tuple[str, float | None, float | None]  # of a scenario


class Underway(NamedTuple):
    """A case that is being run: for how long, how much of that since its first step, and which part of it is simulated."""

    task: Task
    running_s: float
    stepping_s: float
    done_ratio: float


class Left(NamedTuple):
    """How long the rest will take, and which part of its work (0 to 1) is of cases like those that were measured."""

    left_s: float
    measured_ratio: float


class Costs:
    """What was measured, in earlier calls (``rows``) and in this one; what this one measures counts for more, for it is of this machine."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._before, self._now = _Times(), _Times()
        self._length_s: dict[Window, float | None] = {}
        self._simulated_s: dict[Window, float] = {}  # by windows of which only this told how long they are
        self._around_s: list[float] = []
        self._both_s = (0.0, 0.0)  # cases of this call that earlier ones had, too: what they take, what they took
        for row in rows:
            if row["status"] == FINISHED and row.get("wall_s") and row.get("simulation_s"):
                self._before.add((row["scenario"], row["control"], row.get("begin_s"), row.get("end_s")), row["wall_s"], row["simulation_s"])
                self._simulated_s[row["scenario"], row.get("begin_s"), row.get("end_s")] = row["simulation_s"]

    def learn(self, task: Task, record: Row, took_s: float) -> None:
        """Take a case that has ended, and for how long it occupied its worker, in all attempts. One that failed costs time, too."""
        wall_s, simulated_s = record.get("wall_s"), record.get("simulation_s")
        like = _like(task.case)
        if record["status"] != FINISHED or not wall_s or not simulated_s:
            self._now.add(like, max(took_s - self.around_s, 0.0), None)
            return
        self._around_s.append(max(took_s - wall_s, 0.0))
        self._now.add(like, wall_s, simulated_s)
        self._simulated_s[_window(task.case)] = simulated_s
        if (before_s := self._before.mean_s(like)) is not None:
            self._both_s = self._both_s[0] + wall_s, self._both_s[1] + before_s

    @property
    def around_s(self) -> float:
        """Return how long a worker is occupied with a case beside its simulation: Python and SUMO start, files are read."""
        return math.fsum(self._around_s) / len(self._around_s) if self._around_s else AROUND_S

    def left(self, waiting: Sequence[Task], underway: Sequence[Underway], jobs: int) -> Left | None:
        """Return how long the cases will take, so many at a time and in this order; None where nothing was measured yet."""
        paces = self._paces(underway)
        if not paces and not any(self._like_s(_like(task.case)) is not None for task in waiting):
            return None
        guess = _Guess(paces)
        work_s: dict[Like, tuple[float, bool]] = {}

        def expected(task: Task) -> tuple[float, bool]:
            like = _like(task.case)
            if like not in work_s:
                simulation_s = self._like_s(like)
                kind = like[:2]
                known = simulation_s is not None or kind in paces
                if simulation_s is None:
                    simulation_s = paces.get(kind, guess.pace(kind)) * self._expected_length_s(task.case)
                work_s[like] = simulation_s + self.around_s, known
            return work_s[like]

        busy = [(self._rest_s(one, whole_s), known) for one in underway for whole_s, known in (expected(one.task),)]
        return _scheduled(busy, [expected(task) for task in waiting], jobs)

    def _rest_s(self, one: Underway, whole_s: float) -> float:
        """Return how long a case under way will go on: the further it is, the more by its own pace."""
        if self._is_telling(one):
            own_s = one.running_s - one.stepping_s + one.stepping_s / one.done_ratio
            whole_s += one.done_ratio * (own_s - whole_s)
        return max(whole_s - one.running_s, 0.0)

    def _is_telling(self, one: Underway) -> bool:
        """Tell whether the case's own pace says how long it will take: not at its beginning, and not where its end is not known."""
        return one.done_ratio > TELLING_RATIO and self._length_of(one.task.case) is not None

    def _like_s(self, like: Like) -> float | None:
        """Return how long the simulation of cases like this one took."""
        now_s, before_s = self._now.mean_s(like), self._before.mean_s(like)
        if now_s is not None or before_s is None:
            return now_s
        return before_s * self._faster

    @property
    def _faster(self) -> float:
        """Return by which factor simulations take longer than they did when the earlier ones were measured, as on another machine."""
        return self._both_s[0] / self._both_s[1] if self._both_s[1] else 1.0

    def _paces(self, underway: Sequence[Underway]) -> dict[Kind, float]:
        """Return by kind how many seconds a simulated second takes."""
        paces = {kind: pace * self._faster for kind, pace in self._before.paces()}
        for one in underway:
            if self._is_telling(one):
                paces[_like(one.task.case)[:2]] = one.stepping_s / (one.done_ratio * self._expected_length_s(one.task.case))
        return paces | dict(self._now.paces())

    def _length_of(self, case: Case) -> float | None:
        """Return how long a case simulates; None where only its end will tell."""
        window = _window(case)
        if window not in self._length_s:
            self._length_s[window] = _window_s(case)
        return self._length_s[window]

    def _expected_length_s(self, case: Case) -> float:
        return self._length_of(case) or self._simulated_s.get(_window(case)) or LENGTH_S


class _Times:
    """Sums of what cases took: by like cases, and by kind with what they simulated."""

    def __init__(self) -> None:
        self._like: dict[Like, tuple[float, int]] = {}
        self._kind: dict[Kind, tuple[float, float]] = {}

    def add(self, like: Like, wall_s: float, simulated_s: float | None) -> None:
        total_s, count = self._like.get(like, (0.0, 0))
        self._like[like] = total_s + wall_s, count + 1
        if simulated_s is not None:
            took_s, run_s = self._kind.get(like[:2], (0.0, 0.0))
            self._kind[like[:2]] = took_s + wall_s, run_s + simulated_s

    def mean_s(self, like: Like) -> float | None:
        total_s, count = self._like.get(like, (0.0, 0))
        return total_s / count if count else None

    def paces(self) -> Iterator[tuple[Kind, float]]:
        return ((kind, wall_s / simulated_s) for kind, (wall_s, simulated_s) in self._kind.items())


class _Guess:
    """The pace of a kind that was never run: the logarithms of the known ones as sums of a scenario's and a control's part."""

    def __init__(self, paces: Mapping[Kind, float]) -> None:
        logs = {kind: math.log(max(pace, 1e-9)) for kind, pace in paces.items()}
        self._parts: tuple[dict[str, float], dict[str, float]] = ({}, {})
        for turn in range(2 * ROUNDS):
            mine, other = self._parts[turn % 2], self._parts[1 - turn % 2]
            found: dict[str, list[float]] = {}
            for kind, log in logs.items():
                found.setdefault(kind[turn % 2], []).append(log - other.get(kind[1 - turn % 2], 0.0))
            mine.update({name: math.fsum(values) / len(values) for name, values in found.items()})

    def pace(self, kind: Kind) -> float:
        return math.exp(math.fsum(part.get(name, _mean(part)) for name, part in zip(kind, self._parts, strict=True)))


def _mean(part: Mapping[str, float]) -> float:
    return math.fsum(part.values()) / len(part) if part else 0.0


def _like(case: Case) -> Like:
    return case.scenario, case.control, case.begin_s, case.end_s


def _window(case: Case) -> Window:
    return case.scenario, case.begin_s, case.end_s


def _window_s(case: Case) -> float | None:
    try:
        config = read_config(Path(case.config))
    except UmlaufError:  # its run will say so
        return None
    end_s = case.end_s if case.end_s is not None else config.end_s
    return None if end_s is None else max(end_s - (case.begin_s if case.begin_s is not None else config.begin_s), 0.0)


def _scheduled(busy: Sequence[tuple[float, bool]], waiting: Sequence[tuple[float, bool]], jobs: int) -> Left:
    """Return when the last of the jobs is through: each takes the next case as soon as it is free."""
    free_s = [rest_s for rest_s, _ in busy]
    free_s += [0.0] * max(jobs - len(free_s), 0)
    heapq.heapify(free_s)
    for work_s, _ in waiting:
        heapq.heappush(free_s, heapq.heappop(free_s) + work_s)
    every = [*busy, *waiting]
    whole_s = math.fsum(work_s for work_s, _ in every)
    return Left(max(free_s), math.fsum(work_s for work_s, known in every if known) / whole_s if whole_s else 1.0)
