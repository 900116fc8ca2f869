"""The local engine: as many worker processes as wanted, each with one case at a time, and reused.

A shared pool would fail innocent cases with one crash; here a crash, a hang or an end by a signal costs only the worker's own case.
"""

from __future__ import annotations

import selectors
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from benchmarks.cases import Task
from benchmarks.costs import Underway
from benchmarks.supervised import Limits, Outcome, Worker
from scenarios.runner import make_folder

POLL_S: Final = 0.5
Done = Callable[[Task, Outcome], bool]  # takes an outcome, and returns whether to run the case once more
Tick = Callable[[Sequence[Underway], int], None]  # takes the cases under way, and how many are run at a time


def run_local(tasks: Iterable[Task], jobs: int, limits: Limits, folder: Path, done: Done, tick: Tick) -> None:
    """Run the cases on ``jobs`` workers; ``tick`` is called at least every half second. Raises what ``done`` and ``tick`` raise, with all workers ended."""
    pool = _Pool(jobs, limits, make_folder(folder))
    waiting = deque(tasks)
    try:
        while waiting or pool.busy:
            while waiting and pool.free:
                pool.start(waiting.popleft())
            for task, outcome in pool.news(POLL_S):
                if done(task, outcome):
                    waiting.appendleft(task)
            tick(pool.underway, jobs)
    finally:
        pool.close()


class _Pool:
    """The workers; one that failed is replaced."""

    def __init__(self, jobs: int, limits: Limits, folder: Path) -> None:
        self._jobs, self._limits, self._folder = jobs, limits, folder
        self._selector = selectors.DefaultSelector()
        self._workers: list[Worker] = []
        self._started = 0

    @property
    def busy(self) -> int:
        return sum(worker.task is not None for worker in self._workers)

    @property
    def underway(self) -> list[Underway]:
        return [one for one in (worker.underway for worker in self._workers) if one is not None]

    @property
    def free(self) -> bool:
        return self.busy < self._jobs

    def start(self, task: Task) -> None:
        """Give the case to an idle worker, or to a new one."""
        worker = next((w for w in self._workers if w.task is None), None) or self._new()
        worker.give(task)

    def _new(self) -> Worker:
        self._started += 1
        worker = Worker(self._limits, self._folder / f"worker-{self._started}.log")
        self._selector.register(worker, selectors.EVENT_READ)
        self._workers.append(worker)
        return worker

    def news(self, wait_s: float) -> list[tuple[Task, Outcome]]:
        """Return what has ended, waiting for it no longer than ``wait_s``."""
        ready = [key.fileobj for key, _ in self._selector.select(wait_s)]
        found: list[tuple[Task, Outcome]] = []
        for worker in list(self._workers):
            task = worker.task
            outcome = (worker.hear() if worker in ready else None) or worker.overdue()
            if task is not None and outcome is not None:
                found.append((task, outcome))
            failed = outcome is not None and outcome.record["status"] != "finished"
            if failed or (worker.gone and worker.task is None):  # one that has gone in mid-run will be heard of, by the end of its pipe
                self._drop(worker)
        return found

    def _drop(self, worker: Worker) -> None:
        self._selector.unregister(worker)
        self._workers.remove(worker)
        worker.close()

    def close(self) -> None:
        """End all workers."""
        for worker in list(self._workers):
            self._drop(worker)
        self._selector.close()
