"""The daemon as a process: started, heard by systemd, stopped, killed, started again."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support_run import PROGRAM, Daemon

from controller.journal_reader import JournalReader
from controller.replay import find_journals, read_records, replay_frames

RESUME_S = 2.0  # the limit, from process start to the first completed tick
MOST_MB = 80

Start = Callable[..., Daemon]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Daemon] = []

    def begin(*options: str, **more: str) -> Daemon:
        started.append(Daemon(tmp_path / "site", *options, **more))
        return started[-1]

    yield begin
    for one in started:
        one.kill()


def proven(path: Path) -> int:
    with JournalReader(path) as reader:
        records, damage = read_records(reader)
        assert damage == ""
        (outcome,) = [replay_frames(record) for record in records]
    assert outcome.difference is None, outcome.difference.text
    return outcome.ticks


def memory_mb(pid: int) -> float:
    rows = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(row.split()[1]) for row in rows if row.startswith("VmHWM")) / 1024


def test_systemd_hears_of_ticks_and_of_the_end(start: Start) -> None:
    one = start()
    assert one.notified is not None
    one.notified.wait_for("READY=1", 20.0)
    assert one.notified.heard == ["READY=1"], "nothing before it"
    one.notified.wait_for("WATCHDOG=1", 5.0)
    one.notified.wait_for("STATUS=node actuated", 15.0)
    assert memory_mb(one.process.pid) <= MOST_MB
    code, log = one.stop()
    one.notified.wait_for("STOPPING=1", 1.0)
    assert code == 0
    assert '<6>site=corner kind=stopped logger=umlauf.guard msg="SIGTERM"' in log
    (path,) = find_journals(one.folder / "journal")
    assert not list((one.folder / "journal").glob("*-wal"))
    assert proven(path) > 50


def test_a_guard_that_does_not_tick_does_not_feed_the_watchdog(start: Start) -> None:
    one = start()
    assert one.notified is not None
    one.notified.wait_for("READY=1", 20.0)
    one.process.send_signal(signal.SIGSTOP)
    with pytest.raises(TimeoutError):
        one.notified.wait_for("nothing any more", 3.0)
    heard = len(one.notified.heard)
    with pytest.raises(TimeoutError):
        one.notified.wait_for("nothing any more", 3.0)
    assert len(one.notified.heard) == heard


def test_killed_it_is_back_within_two_seconds_with_a_journal_that_is_proven(start: Start) -> None:
    one = start()
    assert one.notified is not None
    one.notified.wait_for("READY=1", 20.0)
    one.wait_for(lambda: any((one.folder / "journal").glob("*-wal")), 5.0)
    for _ in range(8):
        one.notified.wait_for("WATCHDOG=1", 5.0)
    one.process.kill()
    one.process.communicate()
    two = start()
    assert one.notified.wait_for("READY=1", 20.0) <= RESUME_S
    two.wait_for(lambda: len(find_journals(one.folder / "journal")) == 2, 10.0)
    assert two.stop()[0] == 0
    first, second = sorted(find_journals(one.folder / "journal"), key=lambda path: path.stat().st_mtime_ns)
    assert proven(first) >= 30, "at most the last five seconds are lost"
    assert proven(second) >= 10


def test_the_guard_loads_no_numba_and_little_else(start: Start) -> None:
    one = start(mode="adaptive")
    assert one.notified is not None
    one.notified.wait_for("STATUS=node adaptive; optimizer ready", 100.0)
    maps = Path(f"/proc/{one.process.pid}/maps").read_text(encoding="utf-8")
    assert not [name for name in ("numba", "llvmlite", "numpy") if f"/{name}/" in maps]
    assert memory_mb(one.process.pid) <= MOST_MB
    assert one.stop()[0] == 0


def test_no_optimizer_outlives_the_guard(start: Start) -> None:
    one = start(mode="adaptive")
    assert one.notified is not None
    one.notified.wait_for("READY=1", 20.0)
    children = Path(f"/proc/{one.process.pid}/task/{one.process.pid}/children")
    one.wait_for(lambda: bool(children.read_text(encoding="utf-8").split()), 10.0)
    (child,) = children.read_text(encoding="utf-8").split()
    one.process.kill()
    one.process.communicate()
    two = start()  # anything that waits
    two.wait_for(lambda: not alive(child), 60.0)


def alive(pid: str) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False


def test_shadow_compares_and_ends_at_once(start: Start) -> None:
    one = start("--shadow", "--duration", "12")
    _, log = one.process.communicate(timeout=60)
    assert one.process.returncode == 0
    told = [line for line in log.splitlines() if "wanted and seen greens agree over" in line]
    assert len(told) == 1, "of all that was seen, not of the first second"
    assert re.search(r"agree over 1[0-9] s: ", told[0])
    (path,) = find_journals(one.folder / "journal")
    assert proven(path) >= 110
    with JournalReader(path) as reader:
        assert reader.meta["shadow"] is True
        assert [note.detail["aspects"] for note in reader.notes() if note.kind == "seen"] == ["----"], "nothing was sent: the dry heads stay dark"


@pytest.mark.parametrize("text", ['id = "x"\n', "", "id = [", 'id = "corner"\njunction = "none.toml"\nmode = "adaptive"\n[signals]\ndriver = "dry"\n'])
def test_a_wrong_site_is_told_and_not_tried_again(tmp_path: Path, text: str) -> None:
    (tmp_path / "site.toml").write_text(text)
    command = [sys.executable, "-c", PROGRAM, "run", str(tmp_path / "site.toml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 64
    assert "site.toml: " in done.stderr
    assert "Traceback" not in done.stderr
