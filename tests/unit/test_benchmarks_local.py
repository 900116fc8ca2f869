"""The local engine loses no case, whenever a worker dies."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks import local
from benchmarks.cases import Campaign, Task, tasks_of
from benchmarks.local import run_local
from benchmarks.supervised import Limits, Outcome
from benchmarks.version import Version


class DyingWorker:
    """Tells of progress, and has ended by the time that this is read; the end of its pipe is read only after that."""

    def __init__(self, limits: Limits, log: Path) -> None:
        self.task: Task | None = None
        self.underway = None
        self.gone = False
        self._events, self._writes = os.pipe()

    def fileno(self) -> int:
        return self._events

    def give(self, task: Task) -> None:
        self.task = task
        os.write(self._writes, b"progress")

    def hear(self) -> Outcome | None:
        if os.read(self._events, 100):
            os.close(self._writes)
            self.gone = True
            return None
        self.task = None
        return Outcome({"status": "failed", "error": "it crashed"})

    def overdue(self) -> None: ...

    def close(self) -> None:
        os.close(self._events)


def test_a_worker_that_dies_just_after_it_was_heard_costs_no_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "Worker", DyingWorker)
    tasks = tasks_of(Campaign(("cross",), ("fixed",), "1-3"), Version("", False, "ours", "sumo"), tmp_path)
    ended: list[str] = []

    def done(task: Task, outcome: Outcome) -> bool:
        ended.append(task.key)
        return False

    run_local(tasks, 2, Limits(), tmp_path, done, lambda *_: None)
    assert sorted(ended) == sorted(task.key for task in tasks)
