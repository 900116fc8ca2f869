"""The Dask engine with a real scheduler and two workers, one of which is killed in mid-run."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from support_bench import MODULE, PREFIX, install

from benchmarks.columns import read_parquet

pytestmark = pytest.mark.sim

UMLAUF = str(Path(sys.executable).with_name("umlauf"))
STEADY_NAME = f"{PREFIX}steady"
STEADY = """
import os, time

class Steady:
    def __init__(self, task):
        with open(f"/proc/{os.getppid()}/stat") as ours:
            dask_worker = ours.read().rpartition(")")[2].split()[1]  # of our own worker, whose fork this is, the parent
        self.mark = os.path.join(os.environ["MARKS"], f"{task.seed}-{dask_worker}")
    def decide(self, view):
        open(self.mark, "w").close()
        time.sleep(0.05)
        return 0
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(arguments: list[str], environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        running = subprocess.Popen([sys.executable, "-m", *arguments], env=environment, stdout=output, stderr=output, start_new_session=True)
        try:
            yield running
        finally:
            if running.poll() is None:
                os.killpg(running.pid, signal.SIGKILL)
            running.wait()


def wait_for_port(port: int) -> None:
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    pytest.fail("the Dask scheduler did not start")


def worker_arguments(address: str, folder: Path) -> list[str]:
    common = ["--nthreads", "1", "--no-dashboard", "--no-nanny", "--local-directory", str(folder)]
    return ["distributed.cli.dask_worker", address, *common]


def test_a_worker_killed_in_mid_run_costs_no_case(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    site = tmp_path / "site"
    site.mkdir()
    install(site, STEADY, {STEADY_NAME: f"{MODULE}:Steady"})
    environment = {**os.environ, "PYTHONPATH": str(site), "MARKS": str(marks)}
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    scheduler = ["distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    bench = [UMLAUF, "bench", "cross", "--end", "60", "--control", STEADY_NAME, "--seeds", "1-4", "--engine", "dask", "--scheduler", address]
    with ExitStack() as stack:
        stack.enter_context(process(scheduler, environment, tmp_path / "scheduler.log"))
        wait_for_port(port)
        workers = {
            w.pid: w for n in (1, 2) for w in [stack.enter_context(process(worker_arguments(address, tmp_path / f"w{n}"), environment, tmp_path / f"w{n}.log"))]
        }
        running = subprocess.Popen([*bench, "--output", str(tmp_path / "out")], env=environment, stderr=subprocess.PIPE, text=True)
        victim = all_at_work(marks, set(workers), running)
        os.kill(victim, signal.SIGKILL)
        _, told = running.communicate(timeout=300)
    assert running.returncode == 0, told
    rows = {r["seed"]: r for r in read_parquet(tmp_path / "out" / "results.parquet")}
    assert {seed: r["status"] for seed, r in rows.items()} == dict.fromkeys((1, 2, 3, 4), "finished")
    begun_twice = {seed for seed in rows if len([m for m in marks.iterdir() if m.name.startswith(f"{seed}-")]) > 1}
    assert begun_twice, "the killed worker's case was not run again by the other one"


def test_a_scheduler_killed_in_mid_run_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "marks").mkdir()
    site = tmp_path / "site"
    site.mkdir()
    install(site, STEADY, {STEADY_NAME: f"{MODULE}:Steady"})
    environment = {**os.environ, "PYTHONPATH": str(site), "MARKS": str(tmp_path / "marks")}
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    scheduler = ["distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    bench = [UMLAUF, "bench", "cross", "--end", "60", "--control", STEADY_NAME, "--seeds", "1", "--engine", "dask", "--scheduler", address]
    with ExitStack() as stack:
        lost = stack.enter_context(process(scheduler, environment, tmp_path / "scheduler.log"))
        wait_for_port(port)
        worker = stack.enter_context(process(worker_arguments(address, tmp_path / "w"), environment, tmp_path / "w.log"))
        running = subprocess.Popen([*bench, "--output", str(tmp_path / "out")], env=environment, stderr=subprocess.PIPE, text=True)
        all_at_work(tmp_path / "marks", {worker.pid}, running)
        lost.kill()
        _, told = running.communicate(timeout=120)
    assert running.returncode == 1
    assert f"the Dask scheduler at {address} has gone; start it and give the same command again" in told
    assert "Traceback" not in told


def all_at_work(marks: Path, workers: set[int], running: subprocess.Popen[str]) -> int:
    """Wait until all Dask workers run a case, and return the id of one."""
    for _ in range(1200):
        seen = {int(mark.name.split("-")[1]) for mark in marks.iterdir()} & workers
        if seen == workers:
            return min(seen)
        assert running.poll() is None, running.communicate()[1]
        time.sleep(0.05)
    pytest.fail("the Dask workers did not all begin")


def test_a_scheduler_that_does_not_answer_is_told(tmp_path: Path) -> None:
    bench = [UMLAUF, "bench", "cross", "--control", "fixed", "--seeds", "1", "--engine", "dask", "--scheduler", f"tcp://127.0.0.1:{free_port()}"]
    done = subprocess.run([*bench, "--output", str(tmp_path / "out")], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 1
    assert "no Dask scheduler answers at tcp://127.0.0.1" in done.stderr
    assert "Traceback" not in done.stderr
