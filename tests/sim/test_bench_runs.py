"""``umlauf bench`` as a user runs it: short windows of the built-in crossing, with everything that can go wrong."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support_bench import MODULE, PREFIX, install

from benchmarks.columns import read_parquet, write_parquet

pytestmark = pytest.mark.sim

UMLAUF = str(Path(sys.executable).with_name("umlauf"))
OWN = """
import os, signal, sys, time

class Base:
    def __init__(self, task): self.task = task
    def decide(self, view): return 0

class Keeps(Base): pass

class Raises(Base):
    def decide(self, view): raise LookupError("no such loop")

class Nonsense(Base):
    def decide(self, view): return "purple"

class Hangs(Base):
    def decide(self, view):
        if view.now_ms > 5_000: time.sleep(1000)
        return 0

class Exits(Base):
    def decide(self, view): sys.exit("no licence")

class Crashes(Base):
    def decide(self, view): os.kill(os.getpid(), signal.SIGSEGV)

class Leaves(Base):
    def decide(self, view): os._exit(70)

class Killed(Base):
    def decide(self, view): os.kill(os.getpid(), signal.SIGKILL)

class CrashesOnce(Base):
    def decide(self, view):
        mark = os.path.join(os.environ["MARKS"], str(self.task.seed))
        if not os.path.exists(mark):
            open(mark, "w").close()
            os._exit(7)
        return 0

class Remembers(Base):
    seeds = []
    def __init__(self, task):
        self.seeds.append(task.seed)
        if len(self.seeds) > 1: raise RuntimeError(f"another run was here: {self.seeds}")

class Slow(Base):
    def decide(self, view): time.sleep(0.05)
"""
OWN_NAMES = {name.lower(): name for name in re.findall(r"^class (\w+)\(Base\)", OWN, re.MULTILINE)}
FOREIGN = "a_foreign_module"  # whose controllers have the short names


def named(controls: str) -> str:
    return ",".join(f"{PREFIX}{name}" if name in OWN_NAMES else name for name in controls.split(","))


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    install(folder, "", dict.fromkeys(OWN_NAMES, f"{FOREIGN}:Other"), module=FOREIGN)
    return install(folder, OWN, {f"{PREFIX}{name}": f"{MODULE}:{kind}" for name, kind in OWN_NAMES.items()})


def environment(site: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(site), "COLUMNS": "200", **more}


def bench(folder: Path, *arguments: str, site: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
    command = [UMLAUF, "bench", *arguments, "--output", str(folder / "out")]
    return subprocess.run(command, cwd=folder, env=environment(site or folder, **more), capture_output=True, text=True, check=False, timeout=300)


def rows_in(folder: Path) -> dict[tuple[str, int], dict[str, Any]]:
    return {(r["control"].removeprefix(PREFIX), r["seed"]): r for r in read_parquet(folder / "out" / "results.parquet")}


def until(ready: Callable[[], bool], limit_s: float = 120.0) -> None:
    deadline = time.monotonic() + limit_s  # noqa: TID251
    while not ready():
        assert time.monotonic() < deadline, "waited too long"  # noqa: TID251
        time.sleep(0.05)


SHORT = ("cross", "--end", "120")


def test_a_campaign_is_run_once_and_reported(tmp_path: Path) -> None:
    done = bench(tmp_path, *SHORT, "--control", "fixed,actuated", "--seeds", "1-2", "--jobs", "2")
    assert done.returncode == 0, done.stderr
    rows = rows_in(tmp_path)
    assert {key: r["status"] for key, r in rows.items()} == {(c, s): "finished" for c in ("fixed", "actuated") for s in (1, 2)}
    assert "about" in done.stderr
    assert "left" in done.stderr
    for name in ("report.html", "report.md", "results.parquet", "umlauf-bench.json"):
        assert (tmp_path / "out" / name).is_file()
    assert "actuated against fixed: " in (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert bench(tmp_path, "--report-only", "--reference", "fixed").returncode == 0
    assert "expected one of the controls in the folder: actuated, fixed" in bench(tmp_path, "--report-only", "--reference", "mine").stderr
    again = bench(tmp_path, *SHORT, "--control", "fixed,actuated", "--seeds", "1-2")
    assert "0 of 4 cases to run, 4 done before" in again.stderr
    assert rows_in(tmp_path) == rows
    assert "fixed against actuated: " in (tmp_path / "out" / "report.md").read_text(encoding="utf-8"), "the last one asked for is remembered"


def test_a_tenth_is_verified_and_a_difference_is_told(tmp_path: Path) -> None:
    options = (*SHORT, "--control", "fixed", "--seeds", "1-3")
    assert bench(tmp_path, *options).returncode == 0
    same = bench(tmp_path, "--verify", "--draw", "1")
    assert same.returncode == 0, same.stderr
    assert "1 of 3 finished cases of this version were run again: all came out the same." in same.stderr
    rows = [r | {"mean_delay_s": r["mean_delay_s"] + 1e-9} for r in rows_in(tmp_path).values()]
    write_parquet([*rows, rows[0] | {"seed": 9, "code": "older", "commit": "c0ffee"}], tmp_path / "out" / "results.parquet")
    other = bench(tmp_path, "--verify", "--draw", "1")
    assert other.returncode == 1
    assert "DIFFERS: mean_delay_s was" in other.stderr
    assert "left out, for other versions need not give the same: 1 made by other code (commit c0ffee)" in other.stderr
    assert bench(tmp_path, "--report-only").returncode == 0
    assert "1 came out otherwise. Left out: 1 made by other code (commit c0ffee)." in (tmp_path / "out" / "report.md").read_text(encoding="utf-8")


def test_a_worker_that_is_used_again_gives_what_a_fresh_one_gives(tmp_path: Path) -> None:
    """Three cases of one worker, one after the other, against ``umlauf simulate`` with a process for each."""
    assert bench(tmp_path, *SHORT, "--control", "adaptive,fixed", "--seeds", "1-2", "--jobs", "1").returncode == 0
    told = subprocess.run(
        [UMLAUF, "simulate", *SHORT, "--control", "adaptive,fixed", "--seed", "1-2", "--json", "--output", str(tmp_path / "runs")],
        capture_output=True,
        text=True,
        check=True,
    )
    rows = rows_in(tmp_path)
    for record in json.loads(told.stdout)["runs"]:
        mine = rows[record["control"], record["seed"]]
        for name in ("mean_delay_s", "co2_g_per_vehicle", "stops_per_vehicle", "vehicles", "max_wait_s", "saturation_flow_veh_h", "longest_red_s"):
            assert mine[name] == record[name], name


def test_who_fails_fails_alone(tmp_path: Path, site: Path) -> None:
    controls = "fixed,keeps,raises,nonsense,exits,hangs,crashes,leaves,killed,crashesonce"
    done = bench(tmp_path, *SHORT, "--control", named(controls), "--seeds", "1", "--jobs", "2", "--silence", "6", site=site, MARKS=str(tmp_path))
    assert done.returncode == 1
    rows = {control: r for (control, _), r in rows_in(tmp_path).items()}
    assert {c for c, r in rows.items() if r["status"] == "finished"} == {"fixed", "keeps", "crashesonce"}
    once, twice = ("fixed", "keeps", "raises", "nonsense", "exits"), ("hangs", "crashes", "leaves", "killed", "crashesonce")
    assert {c: r["attempts"] for c, r in rows.items()} == dict.fromkeys(once, 1) | dict.fromkeys(twice, 2)
    assert "LookupError: no such loop" in rows["raises"]["error"]
    assert "returned 'purple'" in rows["nonsense"]["error"]
    assert re.search(rf"decide\(\) raised at 1 s: SystemExit: no licence \({MODULE}.py, line \d+\)", rows["exits"]["error"])
    where = rf"last heard of at \d+ s of simulation time, in {MODULE}.py, line \d+, decide\(\)"
    assert re.search(rf"no step of the simulation for 6 s \({where}\); it was ended", rows["hangs"]["error"])
    line = rf"\({MODULE}.py, line \d+, decide\(\)\) before the first step"
    assert re.search(rf"was ended by SIGSEGV \(signal 11\), in controller '{PREFIX}crashes' {line}", rows["crashes"]["error"])
    assert re.search(rf"was ended by os._exit\(70\), in controller '{PREFIX}leaves' {line}", rows["leaves"]["error"])
    assert re.search(rf"was ended by SIGKILL \(signal 9, which leaves no trace.*\) under controller '{PREFIX}killed' before", rows["killed"]["error"])
    assert re.search(rf"cross {PREFIX}crashesonce seed 1: the simulation process was ended by os._exit\(7\), in .* {line}; it is run once more", done.stderr)
    told = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert "\nFailed:\n" in told
    assert all(f"\n* cross {PREFIX}{control} seed 1: " in told for control in ("raises", "nonsense", "exits", "hangs", "crashes", "leaves", "killed"))
    kept = Path(rows["crashes"]["error"].rsplit(" is in ", 1)[1])
    assert (kept / "sumo.log").is_file()


def test_no_run_knows_of_those_that_its_worker_ran_before(tmp_path: Path, site: Path) -> None:
    done = bench(tmp_path, *SHORT, "--control", named("remembers"), "--seeds", "1-3", "--jobs", "1", site=site)
    assert done.returncode == 0, done.stderr
    assert {r["status"] for r in rows_in(tmp_path).values()} == {"finished"}


def test_a_run_over_its_time_is_ended(tmp_path: Path, site: Path) -> None:
    done = bench(tmp_path, *SHORT, "--control", named("slow"), "--seeds", "1", "--deadline", "3", site=site)
    assert done.returncode == 1
    row = rows_in(tmp_path)["slow", 1]
    assert "has not ended after 3 s" in row["error"]
    assert row["attempts"] == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_campaign_goes_on_where_it_stopped(tmp_path: Path, site: Path, number: signal.Signals) -> None:
    command = [UMLAUF, "bench", *SHORT, "--control", named("fixed,slow"), "--seeds", "1-2", "--jobs", "1", "--output", str(tmp_path / "out")]
    running = subprocess.Popen(command, cwd=tmp_path, env=environment(site), stderr=subprocess.PIPE, text=True)
    cases = tmp_path / "out" / "cases"
    until(lambda: logged(cases) >= 2)
    worker = children(running.pid)
    assert worker
    running.send_signal(number)
    _, told = running.communicate(timeout=60)
    assert running.returncode == (130 if number is signal.SIGINT else -number), told
    assert ("the same command goes on from there" in told) == (number is signal.SIGINT)
    until(lambda: not any(alive(pid) for pid in worker))
    finished = logged(cases)
    assert 2 <= finished < 4
    again = bench(tmp_path, *SHORT, "--control", named("fixed,slow"), "--seeds", "1-2", "--jobs", "1", site=site)
    assert again.returncode == 0, again.stderr
    assert f"{4 - finished} of 4 cases to run, {finished} done before" in again.stderr
    assert len(rows_in(tmp_path)) == 4


def logged(cases: Path) -> int:
    return sum(log.read_bytes().count(b"\n") for log in cases.glob("*.jsonl"))


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


def test_shards_merge_by_copying(tmp_path: Path) -> None:
    for at in (1, 2):
        folder = tmp_path / str(at)
        folder.mkdir()
        assert bench(folder, *SHORT, "--control", "fixed", "--seeds", "1-3", "--shard", f"{at}/2").returncode == 0
        assert not (folder / "out" / "results.parquet").exists()
    merged = tmp_path / "out" / "cases"
    merged.mkdir(parents=True)
    for file in tmp_path.glob("*/out/cases/*"):
        file.rename(merged / file.name)
    assert bench(tmp_path, "--report-only").returncode == 0
    assert sorted(rows_in(tmp_path)) == [("fixed", 1), ("fixed", 2), ("fixed", 3)]


def test_a_scenario_without_lights_fails_and_the_other_goes_on(tmp_path: Path) -> None:
    net = '<net version="1.20"><location netOffset="0,0" convBoundary="0,0,100,0" origBoundary="0,0,1,1" projParameter="!"/>'
    edge = '<edge id="e" from="a" to="b" priority="1"><lane id="e_0" index="0" speed="13.9" length="100" shape="0,0 100,0"/></edge>'
    ends = "".join(
        f'<junction id="{n}" type="dead_end" x="{x}" y="0" incLanes="{i}" intLanes="" shape="{x},0 {x},3"/>' for n, x, i in (("a", 0, ""), ("b", 100, "e_0"))
    )
    (tmp_path / "dark.net.xml").write_text(net + edge + ends + "</net>", encoding="utf-8")
    (tmp_path / "dark.rou.xml").write_text('<routes><flow id="f" begin="0" end="50" vehsPerHour="600" from="e" to="e"/></routes>', encoding="utf-8")
    files = '<input><net-file value="dark.net.xml"/><route-files value="dark.rou.xml"/></input>'
    (tmp_path / "dark.sumocfg").write_text(f"<configuration>{files}</configuration>", encoding="utf-8")
    done = bench(tmp_path, "dark.sumocfg,cross", "--end", "60", "--control", "fixed", "--seeds", "1")
    assert done.returncode == 1
    found = {r["scenario"]: r for r in read_parquet(tmp_path / "out" / "results.parquet")}
    assert "no traffic light" in found["dark.sumocfg"]["error"]
    assert found["cross"]["status"] == "finished"


def test_a_window_without_vehicles_fails_and_the_others_go_on(tmp_path: Path) -> None:
    assert bench(tmp_path, "cross", "--end", "1", "--control", "fixed", "--seeds", "1,2", "--jobs", "1").returncode == 1
    rows = rows_in(tmp_path)
    assert {r["error"].splitlines()[0] for r in rows.values()} == {
        "no vehicle is due in the window until 1 s, so there is nothing to measure; correct --begin, --end or the routes"
    }
    assert {r["attempts"] for r in rows.values()} == {1}
    assert len(rows) == 2


def test_a_disk_that_is_full_stops_the_campaign_and_loses_nothing(tmp_path: Path) -> None:
    """The folder of the results stops taking files after the first case; with room again the rest is run."""
    source = (
        "import errno, os\n"
        "from benchmarks import store\n"
        "real, count = os.fsync, [0]\n"
        "def full(descriptor):\n"
        "    count[0] += 1\n"
        "    if count[0] > 2:\n"  # the marker, and one case
        "        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))\n"
        "    real(descriptor)\n"
        "store.os.fsync = full\n"
        "from controller.cli import main\n"
        "raise SystemExit(main())\n"
    )
    arguments = ["bench", *SHORT, "--control", "fixed", "--seeds", "1-3", "--jobs", "1", "--output", str(tmp_path / "out")]
    done = subprocess.run([sys.executable, "-c", source, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 1
    assert "the result of cross fixed seed 2 cannot be written (No space left on device). What was finished before is kept; make room" in done.stderr
    again = bench(tmp_path, *SHORT, "--control", "fixed", "--seeds", "1-3")
    assert again.returncode == 0, again.stderr
    assert "2 of 3 cases to run, 1 done before" in again.stderr


def test_without_polars_nothing_is_run_for_nothing(tmp_path: Path) -> None:
    source = "import sys; sys.modules['polars'] = None\nfrom controller.cli import main\nraise SystemExit(main())\n"
    arguments = ["bench", *SHORT, "--control", "fixed", "--output", str(tmp_path / "out")]
    done = subprocess.run([sys.executable, "-c", source, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 1
    assert "needs polars; install it with: pip install 'umlauf[export]'" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--control", "adaptve"), "did you mean 'adaptive'"),
        (("--seeds", "3-1"), "--seeds: '3-1' names no seed"),
        (("--seeds", ","), "--seeds: found ','"),
        (("--shard", "5/4"), "expected i/n with i from 1 to n"),
        (("--engine", "cloud"), "--engine: found 'cloud', expected one of local, dask"),
        (("--engine", "dask"), "expected the scheduler's address"),
        (("--jobs", "-2"), "--jobs: found -2"),
        (("--control", "fixed", "--reference", "mine"), "--reference: found 'mine', expected one of the controls of this call: fixed"),
        (("--silence", "0"), "--silence: found 0, expected seconds, more than 0"),
        (("--deadline", "nan"), "--deadline: found nan, expected seconds, more than 0"),
        (("--report-only",), "holds no campaign"),
    ],
)
def test_wrong_options_are_one_message(tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    done = bench(tmp_path, "cross", *arguments, DASK_SCHEDULER_ADDRESS="")
    assert done.returncode == 1
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_control_that_a_scenario_does_not_take_is_no_failure(tmp_path: Path) -> None:
    control = ("--control", "sumo-nema", "--seeds", "1")
    cologne = ("resco/cologne8", "--end", "25260", *control)
    assert bench(tmp_path, "cross", "--end", "60", *control).returncode == 0
    done = bench(tmp_path, *cologne)
    assert done.returncode == 0, done.stderr
    found = {r["scenario"]: r for r in read_parquet(tmp_path / "out" / "results.parquet")}
    assert found["cross"]["status"] == "finished"
    assert found["resco/cologne8"]["status"] == "not applicable"
    assert "sumo-nema is not applicable: light '32319828'" in (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    again = bench(tmp_path, *cologne)
    assert "0 of 1 cases to run, 1 done before" in again.stderr
