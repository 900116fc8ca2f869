"""What ``umlauf bench`` does: the cases that are not done yet, on the engine asked for, then the report."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rich.console import Console

from benchmarks.cases import DONE, FAILED, Campaign, Task, shard_of, tasks_of, to_do, why
from benchmarks.columns import Row, load_polars
from benchmarks.costs import Costs
from benchmarks.local import Done, Tick, run_local
from benchmarks.progress import Display
from benchmarks.store import ResultFolder
from benchmarks.supervised import Limits, Outcome
from benchmarks.verify import deviations, drawn, sorted_out
from benchmarks.version import present_version
from controller.errors import ConfigError
from scenarios.case import PEERS, SUMO_DRIVEN

ENGINES: Final = ("local", "dask")
WITHOUT_KERNELS: Final = frozenset(SUMO_DRIVEN) - {"webster"} | {"actuated"} | frozenset(PEERS)
QUIET_S: Final = 4.0  # so long the compiled kernels may take to load
ATTEMPTS: Final = 2  # a simulator that crashed or hung gets a second chance


@dataclass(frozen=True)
class Options:
    """How a campaign is run; none of it decides what a case gives."""

    output: Path
    command: str
    jobs: int = 0
    engine: str = "local"
    scheduler: str = ""
    shard: str = ""
    keep_older: bool = False
    reference: str = ""
    limits: Limits = field(default_factory=Limits)

    @property
    def workers(self) -> int:
        """Return how many cases run at a time: as asked for, else one for each processor that this process may use."""
        return self.jobs or len(os.sched_getaffinity(0))


def run_campaign(campaign: Campaign, options: Options) -> int:
    """Run what is not done, write the report and return the exit code: 0 all done, 1 some case failed.

    Raises `UmlaufError`; KeyboardInterrupt where it was interrupted. What was finished until then is kept.
    """
    if options.engine not in ENGINES:
        raise ConfigError(f"--engine: found {options.engine!r}, expected one of {', '.join(ENGINES)}")
    if options.jobs < 0:
        raise ConfigError(f"--jobs: found {options.jobs}, expected 1 or more (0: one for each processor)")
    for option, limit_s in (("--silence", options.limits.silence_s), ("--deadline", options.limits.deadline_s)):
        if not limit_s > 0:
            raise ConfigError(f"{option}: found {limit_s:g}, expected seconds, more than 0")
    if options.reference and options.reference not in campaign.controls:
        raise ConfigError(f"--reference: found {options.reference!r}, expected one of the controls of this call: {', '.join(campaign.controls)}")
    load_polars()  # without it hours of runs would end in a message
    console = Console(stderr=True)
    with _scratch() as root:
        tasks = tasks_of(campaign, present_version(), root)
        if options.shard:
            tasks = shard_of(tasks, options.shard)
        folder = ResultFolder(options.output)
        folder.note_command(options.command)
        if options.reference:
            folder.note_reference(options.reference)
        rows = folder.rows()
        _tell_broken(folder, console)
        wanted = to_do(tasks, rows, keep_older=options.keep_older)
        console.print(f"{len(wanted)} of {len(tasks)} cases to run, {len(tasks) - len(wanted)} done before", highlight=False)
        try:
            with closing(folder):
                failed = _run(wanted, folder, options, rows, console)
        except KeyboardInterrupt:
            console.print("Interrupted. What was finished is kept; the same command goes on from there, --report-only reports it.", highlight=False)
            raise
    if not options.shard:  # those of several shards may still be at work in this folder
        report_of(options.output)
    return 1 if failed else 0


def verify_campaign(options: Options, draw: int) -> int:
    """Run a random tenth of the folder's finished cases again and return the exit code: 0 all came out the same, 1 some did not."""
    console = Console(stderr=True)
    folder = ResultFolder(options.output, create=False)
    with _scratch() as root:
        rows, version = folder.rows(), present_version()
        pairs = drawn(rows, version, draw, root)
        current = sorted_out(rows, version)
        before = {task.key: row for row, task in pairs}
        console.print(f"{len(pairs)} of {_many(len(current.same), 'finished case')} of this version are run again (drawn by {draw})", highlight=False)
        if current.others:
            console.print(f"left out, for other versions need not give the same: {current.told}", highlight=False, markup=False, soft_wrap=True)
        found: dict[str, list[str]] = {}

        def done(task: Task, outcome: Outcome) -> bool:
            found[task.key] = deviations(before[task.key], task.row(outcome.record, 1))
            text = "the same" if not found[task.key] else f"DIFFERS: {'; '.join(found[task.key])}"
            console.print(f"{task.name}: {text}", highlight=False, markup=False, soft_wrap=True)
            return False

        _execute([task for _, task in pairs], options, done, lambda *_: None, lambda text: console.print(text, highlight=False))
    differ = sum(map(bool, found.values()))
    text = f"{len(found)} of {_many(len(current.same), 'finished case')} of this version were run again: "
    text += "all came out the same." if not differ else f"{differ} came out otherwise."
    text += f" Left out: {current.told}." if current.others else ""
    console.print(text, highlight=False)
    folder.note_verified(text)
    return 1 if differ else 0


def _many(count: int, one: str) -> str:
    return f"{count} {one}{'' if count == 1 else 's'}"


def report_of(path: Path, reference: str = "") -> None:
    """Take the folder's cases into its Parquet file and write its report, comparing with ``reference``, else with that of the last call.

    Raises `ConfigError` where it holds no campaign, or none with that control.
    """
    from benchmarks.report import write_report

    folder = ResultFolder(path, create=False)
    rows = folder.compact()
    if reference:
        known = sorted({row["control"] for row in rows})
        if reference not in known:
            raise ConfigError(f"--reference: found {reference!r}, expected one of the controls in the folder: {', '.join(known)}")
        folder.note_reference(reference)
    written = write_report(folder.path, rows, folder.commands, folder.verified, folder.reference)
    Console(stderr=True).print(f"Report: {written}", highlight=False, markup=False, soft_wrap=True)


def _tell_broken(folder: ResultFolder, console: Console) -> None:
    for place in folder.broken:
        console.print(f"note: {place}: half-written or broken, so that case is run again", highlight=False, markup=False, soft_wrap=True)


@contextmanager
def _scratch() -> Iterator[Path]:
    """Give a folder for the runs' own files, which nobody needs once a run's figures are taken."""
    root = Path(tempfile.mkdtemp(prefix="umlauf-bench-"))
    try:
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _run(wanted: Sequence[Task], folder: ResultFolder, options: Options, rows: Sequence[Row], console: Console) -> int:
    """Run the cases, keep each result as it comes, and return how many failed."""
    attempts: Counter[str] = Counter()
    took_s: dict[str, float] = {}
    failed = 0
    with Display(wanted, options.workers, Costs(rows), console) as display:

        def done(task: Task, outcome: Outcome) -> bool:
            nonlocal failed
            attempts[task.key] += 1
            took_s[task.key] = took_s.get(task.key, 0.0) + outcome.took_s
            if outcome.again and attempts[task.key] < ATTEMPTS:
                display.say(f"{task.name}: {why(outcome.record)}; it is run once more")
                return True
            _keep(folder, task, outcome, attempts[task.key])
            failed += outcome.record["status"] == FAILED
            display.ended(task, outcome.record, took_s[task.key])
            return False

        _execute(wanted, options, done, display.tick, display.say)
    return failed


def _execute(tasks: Sequence[Task], options: Options, done: Done, tick: Tick, say: Callable[[str], None]) -> None:
    """Run the cases on the engine asked for."""
    if tasks and options.engine == "dask":
        from benchmarks.dask_engine import run_dask

        run_dask(tasks, options.scheduler, options.limits, done, tick)
    elif tasks:
        if any(task.case.control not in WITHOUT_KERNELS for task in tasks):
            warm_up(say)
        run_local(tasks, options.workers, options.limits, Path(tasks[0].case.folder).parent, done, tick)


def warm_up(say: Callable[[str], None]) -> None:
    """Compile the kernels once, and not in each worker at the same time, where it would look like a run that hangs; say so where it takes long."""
    command = [sys.executable, "-P", "-c", "from controller.warmup_commands import warmup; warmup()"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            process.wait(QUIET_S)
        except subprocess.TimeoutExpired:
            say("the optimizer is compiled before the first case (once for each version of the code, up to two minutes)")
            process.wait()


def _keep(folder: ResultFolder, task: Task, outcome: Outcome, attempts: int) -> None:
    """Write the case's row and throw its files away, those of a failure excepted. Raises `ResultsError` where nothing can be written."""
    run = Path(task.case.folder)
    if outcome.record["status"] not in DONE and run.is_dir():
        try:
            left = f"What it left is in {folder.keep_failed(run, task.key)}"
        except OSError as error:
            left = f"What it left could not be kept in {folder.path} ({error.strerror or 'not all of it can be copied'})"
        outcome.record["error"] = f"{outcome.record['error']}\n{left}"
    folder.put(task.row(outcome.record, attempts))
    shutil.rmtree(run, ignore_errors=True)
