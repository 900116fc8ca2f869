"""The Dask engine: each case is one task of a Dask scheduler, run on a Dask worker in a supervised process of its own.

The Dask workers need the same version of umlauf, and a user's ``.sumocfg`` at the same path. A Dask worker that dies loses its cases to the
others; a case whose workers died again and again (Dask's ``allowed-failures``) is reported as failed.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from benchmarks.cases import Task
from benchmarks.local import Done, Tick
from benchmarks.supervised import Limits, Outcome, run_alone
from benchmarks.version import present_version
from controller.errors import ConfigError, MissingError, SimulationError, UmlaufError
from scenarios.catalogue import find_scenario, load_config
from scenarios.summary import failed_record

ADDRESS: Final = "DASK_SCHEDULER_ADDRESS"
CONNECT: Final = "10s"
POLL_S: Final = 0.5


def run_dask(tasks: Iterable[Task], scheduler: str, limits: Limits, done: Done, tick: Tick) -> None:
    """Run the cases on the scheduler's workers. Raises `ConfigError` where it does not answer, `MissingError` without Dask."""
    distributed = _distributed()
    address = scheduler or os.environ.get(ADDRESS, "")
    if not address:
        raise ConfigError(f"--engine dask: expected the scheduler's address in --scheduler or {ADDRESS}, found neither; start one with: dask scheduler")
    try:
        client = distributed.Client(address, timeout=CONNECT)
    except (OSError, TimeoutError, ValueError) as error:
        raise ConfigError(f"--scheduler: no Dask scheduler answers at {address} ({error}); start one with: dask scheduler, and check the address") from error
    with client:
        try:
            _run(client, distributed, list(tasks), limits, done, tick)
        except distributed.CancelledError as error:
            raise SimulationError(f"the Dask scheduler at {address} has gone; start it and give the same command again, it goes on where it stopped") from error


def _run(client: Any, distributed: Any, tasks: list[Task], limits: Limits, done: Done, tick: Tick) -> None:
    def submit(task: Task) -> Any:
        return client.submit(run_remote, task, limits, key=f"umlauf-{task.key}-{os.urandom(4).hex()}", pure=False)

    running = {submit(task): task for task in tasks}
    while running:
        try:
            ended = distributed.wait(list(running), timeout=POLL_S, return_when="FIRST_COMPLETED").done
        except (TimeoutError, distributed.TimeoutError):
            ended = set()
        for future in ended:
            task = running.pop(future)
            if done(task, _outcome(future, task)):
                running[submit(task)] = task
        tick((), sum(client.nthreads().values()))


def _outcome(future: Any, task: Task) -> Outcome:
    """Return what a task gave; one that Dask gave up has failed."""
    if future.status == "finished":
        outcome: Outcome = future.result()
        return outcome
    if future.status == "cancelled":
        future.result()  # raises what the engine tells of
    error = future.exception()
    return Outcome(failed_record(task.case, f"the Dask workers that ran it died or failed: {type(error).__name__}: {error}", None, {}), again=True)


def run_remote(task: Task, limits: Limits) -> Outcome:
    """Run one case here, on the machine of a Dask worker, in a process of its own."""
    case = task.case
    try:
        found = present_version().code_of(case.control)
        if found != task.origin["code"]:
            raise ConfigError(f"the Dask worker's umlauf is of another version (code {found}, expected {task.origin['code']}); install the same one")
        config = str(load_config(find_scenario(case.scenario)).path)
        with tempfile.TemporaryDirectory(prefix="umlauf-bench-", ignore_cleanup_errors=True) as root:
            here = dataclasses.replace(case, config=config, folder=str(Path(root) / task.key))
            return run_alone(dataclasses.replace(task, case=here), limits)
    except (UmlaufError, OSError) as error:
        return Outcome(failed_record(case, str(error), None, {}))


def _distributed() -> Any:
    try:
        import distributed
    except ModuleNotFoundError as error:
        raise MissingError("--engine dask needs Dask distributed; install it with: pip install 'umlauf[dask]'") from error
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # its tracebacks on a lost scheduler would bury our message
    return distributed
