"""The parent's side of a worker process: hands it a case, hears it, and ends it where it hangs or is over its time."""

from __future__ import annotations

import json
import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.cases import NOT_APPLICABLE, Task
from benchmarks.costs import Underway
from controller.clock import elapsed_s
from controller.errors import SimulationError
from scenarios.runner import SUMO_LOG, end_text, failure_of, make_folder
from scenarios.summary import failed_record, finished_record

READ_BYTES: Final = 1 << 16
WHERE: Final = signal.SIGUSR1  # asks a worker to write into its run's log where it is
ANSWER_S: Final = 1.0  # how long a run that hangs may take to say where
AGAIN: Final = ("PortError", "OSError", "SimulationError")  # a simulator that failed may not fail twice; a wrong file does


@dataclass(frozen=True)
class Limits:
    """When a run counts as hung: ``silence_s`` without a step of its simulation, or ``deadline_s`` in all (wall time)."""

    silence_s: float = 300.0
    deadline_s: float = 7200.0


@dataclass(frozen=True)
class Outcome:
    """What became of a case, and for how long it occupied a worker. ``again``: the simulator crashed, hung or failed, which a second try may mend."""

    record: dict[str, Any]
    again: bool = False
    took_s: float = 0.0


@dataclass
class _Run:
    """The case that a worker runs."""

    task: Task
    begun_s: float
    heard_s: float
    stepped_s: float | None = None  # when its first step was heard of
    first_s: float | None = None
    last_s: float | None = None
    end_s: float | None = None
    partial: Mapping[str, Any] = field(default_factory=dict)


class Worker:
    """One worker process. `fileno` is readable when there is news; then call `hear`."""

    def __init__(self, limits: Limits, log: Path) -> None:
        self._limits, self._log = limits, log
        read_end, write_end = os.pipe()
        command = [sys.executable, "-P", "-m", "benchmarks.worker", str(write_end)]
        with log.open("w", encoding="utf-8") as output:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=output, pass_fds=(write_end,), start_new_session=True)
        os.close(write_end)
        self._events = read_end
        self._rest = b""
        self._run: _Run | None = None

    def fileno(self) -> int:
        """Return the descriptor that tells of news."""
        return self._events

    @property
    def pid(self) -> int:
        """Return the id of the process."""
        return self._process.pid

    @property
    def task(self) -> Task | None:
        """Return the case that is being run."""
        return self._run.task if self._run is not None else None

    @property
    def underway(self) -> Underway | None:
        """Return how far the present run is, as it was told last."""
        run = self._run
        if run is None:
            return None
        if run.stepped_s is None or run.first_s is None or run.last_s is None or run.end_s is None:
            return Underway(run.task, elapsed_s() - run.begun_s, 0.0, 0.0)
        done_ratio = (run.last_s - run.first_s) / max(run.end_s - run.first_s, 1.0)
        return Underway(run.task, elapsed_s() - run.begun_s, run.heard_s - run.stepped_s, min(max(done_ratio, 0.0), 1.0))

    def give(self, task: Task) -> None:
        """Hand over a case. A worker that is gone is noticed by `hear`."""
        make_folder(Path(task.case.folder))
        (Path(task.case.folder) / SUMO_LOG).touch()
        self._run = _Run(task, elapsed_s(), elapsed_s())
        try:
            assert self._process.stdin is not None
            self._process.stdin.write(task.case.to_json().encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return

    def hear(self) -> Outcome | None:
        """Read what the worker says and return the outcome once there is one. A worker that has ended in mid-run is one."""
        data = os.read(self._events, READ_BYTES)
        if not data:
            return self._crashed()
        *lines, self._rest = (self._rest + data).split(b"\n")
        outcomes = [self._take(json.loads(line)) for line in lines]
        return next((outcome for outcome in outcomes if outcome is not None), None)

    def overdue(self) -> Outcome | None:
        """End the worker where its run is hung or over its time, and return that as the outcome."""
        run = self._run
        if run is None:
            return None
        now_s = elapsed_s()
        limits = self._limits
        if now_s - run.heard_s > limits.silence_s:
            why = f"the run hangs: no step of the simulation for {limits.silence_s:g} s"
        elif now_s - run.begun_s > limits.deadline_s:
            why = f"the run has not ended after {limits.deadline_s:g} s"
        else:
            return None
        where = self._where(Path(run.task.case.folder) / SUMO_LOG)
        self.kill()
        when = "before the first step" if run.last_s is None else f"last heard of at {run.last_s:g} s of simulation time"
        return self._failed(run, f"{why} ({when}{where}); it was ended", again=True)

    def _where(self, log: Path) -> str:
        """Return in words where in its code the run is, by Python's fault handler; empty where that does not answer, as in a stopped process."""
        before = log.stat().st_size
        if not self.gone:
            os.killpg(self._process.pid, WHERE)
        until_s = elapsed_s() + ANSWER_S
        while elapsed_s() < until_s and not self.gone:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(0.05)
            with log.open("rb") as said:
                said.seek(before)
                found = re.search(r'File "(.+)", line (\d+) in (\S+)', said.read().decode(errors="replace"))
            if found:
                return f", in {Path(found[1]).name}, line {found[2]}, {found[3]}()"
        return ""

    def _take(self, event: Mapping[str, Any]) -> Outcome | None:
        run = self._run
        if run is None:
            return None
        run.heard_s = elapsed_s()
        match event["event"]:
            case "progress":
                if run.stepped_s is None:
                    run.stepped_s, run.first_s = run.heard_s, float(event["now_s"])
                run.last_s, run.end_s = float(event["now_s"]), float(event["end_s"])
            case "partial":
                run.partial = event["values"]
            case "error" if event["kind"] == "NotApplicableError":
                return self._ended(run, {**failed_record(run.task.case, str(event["text"]), None, {}), "status": NOT_APPLICABLE})
            case "error":
                text = str(failure_of(event, Path(run.task.case.folder), began=False))
                return self._failed(run, text, again=str(event["kind"]) in AGAIN)
            case "result" if event["values"].get("mean_delay_s") is None:
                run.partial = event["values"]
                return self._failed(run, _nothing_due(run.task), again=False)
            case "result":
                return self._ended(run, finished_record(run.task.case, event["values"]))
        return None

    def _ended(self, run: _Run, record: dict[str, Any], *, again: bool = False) -> Outcome:
        self._run = None
        return Outcome(record, again, elapsed_s() - run.begun_s)

    def _failed(self, run: _Run, text: str, *, again: bool) -> Outcome:
        return self._ended(run, failed_record(run.task.case, text, run.last_s, run.partial), again=again)

    def _crashed(self) -> Outcome | None:
        code = self._process.wait()
        run = self._run
        if run is None:
            return None
        folder = Path(run.task.case.folder)
        if not (folder / SUMO_LOG).read_bytes():  # it never came to the case: its own log says why
            shutil.copy(self._log, folder / SUMO_LOG)
        return self._failed(run, end_text(run.task.case, code, run.last_s, folder / SUMO_LOG), again=True)

    @property
    def gone(self) -> bool:
        """Tell whether the process has ended."""
        return self._process.poll() is not None

    def kill(self) -> None:
        """End the process at once, with all that it started."""
        if not self.gone:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """End the process and forget it."""
        self.kill()
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
        os.close(self._events)
        self._log.unlink(missing_ok=True)


def _nothing_due(task: Task) -> str:
    begin_s, end_s = task.case.begin_s, task.case.end_s
    since = "" if begin_s is None else f" from {begin_s:g} s on"
    until = "" if end_s is None else f" until {end_s:g} s"
    return f"no vehicle is due in the window{since}{until}, so there is nothing to measure; correct --begin, --end or the routes"


def run_alone(task: Task, limits: Limits) -> Outcome:
    """Run one case in a worker of its own and wait for it. Raises `SimulationError` where the worker cannot be started."""
    folder = make_folder(Path(task.case.folder))
    try:
        worker = Worker(limits, folder.with_name(f"{folder.name}.worker.log"))
    except OSError as error:
        raise SimulationError(f"a worker process cannot be started: {error.strerror}") from error
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(worker, selectors.EVENT_READ)
            worker.give(task)
            while True:
                outcome = (worker.hear() if selector.select(1.0) else None) or worker.overdue()
                if outcome is not None:
                    return outcome
    finally:
        worker.close()
