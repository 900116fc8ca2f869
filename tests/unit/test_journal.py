"""The journal gives back what it was given, also after a kill, a cut and a full disk."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from controller.journal import Journal
from controller.journal_reader import JournalDamagedError, JournalReader
from controller.journal_schema import JournalError, aspects_of, letters
from controller.junction import Detector, Group, Intergreen, Junction, Node, Programme, ProgrammeStep, Purpose, Stage
from controller.plan import Plan, PlanStep
from hardware.ports import InputEvent, InputKind
from hardware.signals import Aspect, GroupKind

pytestmark = pytest.mark.quick

PLAN = Plan("adaptive", 900, (PlanStep(0, 5_000), PlanStep(1, None, 3_000)), "stage 1 saves 12 s: größer", {"cost": 1.5, "nodes": [1, 2]})
EVENT = InputEvent(950, InputKind.PRESENCE, "loop_1", 1)


def a_junction() -> Junction:
    groups = (Group("A", GroupKind.VEHICLE, 5_000, 3_000, links=(0, 1)), Group("B", GroupKind.PEDESTRIAN, 5_000, 0, clearance_ms=7_000))
    stages = (Stage("1", ("A",)), Stage("2", ("B",)))
    node = Node("n", ("A", "B"), stages, programmes=(Programme("p", (ProgrammeStep("1", 20_000), ProgrammeStep("2", 10_000))),))
    intergreens = (Intergreen("A", "B", 5_000), Intergreen("B", "A", 8_000))
    return Junction("J", groups, (), (), (), (), intergreens, (Detector("loop_1", Purpose.STOP, ("l",), 1.0, place=("l", 99.5)),), (node,))


def rows_after_ticks(path: Path, count: int, **options: int) -> None:
    with Journal.create(path, {}, **options) as journal:
        for tick in range(count):
            journal.tick(tick, tick * 1_000)
            journal.event("J", EVENT)


def test_every_kind_of_row_comes_back_equal(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with Journal.create(path, {"scenario": "cross", "seed": 7}) as journal:
        journal.junction(a_junction(), "adaptive")
        journal.tick(3, 1_000)
        journal.event("J", EVENT)
        journal.plan("J", "n", 3, 1_000, PLAN)
        journal.frame("J", 3, 1_000, (Aspect.GREEN, Aspect.RED))
        journal.mode("J", 3, 1_000, "actuated", "optimizer_lost", "no plan for 3 s")
        journal.snapshot("J", "n", 3, b"\x00\xff")
        journal.note(1_000, "late_tick", "tick 3 came 0.4 s late", {"late_ms": 400})
    with JournalReader(tmp_path) as reader:  # the folder is enough
        assert reader.meta["scenario"] == "cross"
        assert reader.meta["seed"] == 7
        assert str(reader.meta["created_utc"]).endswith("+00:00")
        assert reader.junctions["J"].junction == a_junction()
        assert reader.junctions["J"].control == "adaptive"
        assert list(reader.ticks()) == [(3, 1_000)]
        assert [(row.junction_id, row.tick, row.event) for row in reader.events()] == [("J", 3, EVENT)]
        assert [(row.node_id, row.tick, row.now_ms, row.plan) for row in reader.plans()] == [("n", 3, 1_000, PLAN)]
        assert [row.aspects for row in reader.frames()] == [(Aspect.GREEN, Aspect.RED)]
        assert [(row.mode, row.event, row.reason) for row in reader.modes()] == [("actuated", "optimizer_lost", "no plan for 3 s")]
        assert [row.digest for row in reader.snapshots()] == [b"\x00\xff"]
        assert [(row.kind, row.detail) for row in reader.notes()] == [("late_tick", {"late_ms": 400})]
    assert list(tmp_path.iterdir()) == [path], "one self-contained file is left, without -wal and -shm"


def test_only_changed_frames_are_stored_per_junction(tmp_path: Path) -> None:
    green, red = (Aspect.GREEN,), (Aspect.RED,)
    with Journal.create(tmp_path / "j", {}) as journal:
        for tick, (first, second) in enumerate([(green, red), (green, red), (red, red), (green, green)]):
            journal.frame("J", tick, tick * 1_000, first)
            journal.frame("K", tick, tick * 1_000, second)
    with JournalReader(tmp_path / "j") as reader:
        assert [(row.junction_id, row.tick) for row in reader.frames()] == [("J", 0), ("K", 0), ("J", 2), ("J", 3), ("K", 3)]


@pytest.mark.parametrize(
    "times_ms", [[0, 1_000, 2_000, 3_000], [5, 10, 1_010, 2_010, 2_011], [7], [0, 1_000, 1_000, 3_000]], ids=["even", "uneven", "one", "standing"]
)
def test_ticks_come_back_with_their_times_across_flushes(tmp_path: Path, times_ms: list[int]) -> None:
    with Journal.create(tmp_path / "j", {}) as journal:
        for tick, now_ms in enumerate(times_ms):
            journal.tick(tick, now_ms)
            journal.tick(tick, now_ms)
            if tick == 1:
                journal.flush()
    with JournalReader(tmp_path / "j") as reader:
        assert list(reader.ticks()) == list(enumerate(times_ms))


def test_even_ticks_are_one_row(tmp_path: Path) -> None:
    rows_after_ticks(tmp_path / "j", 500, flush_rows=10**9, flush_interval_ms=10**9)
    with closing(sqlite3.connect(tmp_path / "j")) as connection:
        assert connection.execute("SELECT * FROM ticks").fetchall() == [(0, 0, 1_000, 500)]


def test_a_skipped_tick_begins_a_new_run(tmp_path: Path) -> None:
    with Journal.create(tmp_path / "j", {}) as journal:
        for tick in (0, 1, 4, 5):
            journal.tick(tick, tick * 1_000)
    with JournalReader(tmp_path / "j") as reader:
        assert list(reader.ticks()) == [(0, 0), (1, 1_000), (4, 4_000), (5, 5_000)]


def test_rows_reach_the_disk_by_simulated_time_and_by_number(tmp_path: Path) -> None:
    for name, options, written in (("time", {"flush_interval_ms": 3_000}, 6), ("rows", {"flush_rows": 3, "flush_interval_ms": 10**9}, 7)):
        journal = Journal.create(tmp_path / name, {}, **options)
        for tick in range(8):
            journal.tick(tick, tick * 1_000)
            journal.event("J", EVENT)
        with JournalReader(tmp_path / name) as reader:  # while it is being written
            assert len(list(reader.events())) == written, name
        journal.close()


def test_a_killed_writer_leaves_what_it_flushed(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys\nfrom controller.journal import Journal\nfrom hardware.ports import InputEvent, InputKind\n"
        "journal = Journal.create(sys.argv[1], {})\n"
        "for tick in range(25):\n    journal.tick(tick, tick * 1_000)\n    journal.event('J', InputEvent(tick, InputKind.COUNT, 'd', 1))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path / "j")], check=False)
    assert done.returncode == -signal.SIGKILL
    with JournalReader(tmp_path / "j") as reader:
        assert [row.tick for row in reader.events()] == list(range(20))


def test_a_cut_write_ahead_log_is_read_up_to_the_cut(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path / "j", {}, flush_interval_ms=1_000)
    for tick in range(50):
        journal.tick(tick, tick * 1_000)
        journal.event("J", EVENT)
    cut = tmp_path / "cut"
    cut.mkdir()
    log = (tmp_path / "j-wal").read_bytes()
    shutil.copy(tmp_path / "j", cut / "j")
    (cut / "j-wal").write_bytes(log[: len(log) * 2 // 3])
    journal.close()
    with JournalReader(cut / "j") as reader:
        ticks = [row.tick for row in reader.events()]
    assert ticks == list(range(len(ticks)))
    assert 25 < len(ticks) < 40


def test_a_cut_file_is_read_up_to_the_cut_and_then_says_so(tmp_path: Path) -> None:
    rows_after_ticks(tmp_path / "j", 3_000, flush_interval_ms=10_000)
    whole = (tmp_path / "j").read_bytes()
    (tmp_path / "j").write_bytes(whole[: len(whole) * 3 // 4 - 100])
    read: list[int] = []

    def read_all() -> None:
        for row in reader.events():
            read.append(row.tick)  # noqa: PERF401 - what was read before the error is the point

    with JournalReader(tmp_path / "j") as reader, pytest.raises(JournalDamagedError, match="what comes before"):
        read_all()
    assert read == list(range(len(read)))
    assert len(read) > 1_000


def test_a_full_disk_keeps_earlier_rows_and_pending_ones(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path / "j", {})
    journal.tick(0, 0)
    journal.event("J", EVENT)
    journal.flush()
    pages = journal._connection.execute("PRAGMA page_count").fetchone()[0]
    journal._connection.execute(f"PRAGMA max_page_count = {pages}")
    for _ in range(3_000):
        journal.event("J", EVENT)
    with pytest.raises(JournalError, match=r"j: the journal cannot be written \(database or disk is full\).*free space"):
        journal.flush()
    with JournalReader(tmp_path / "j") as reader:
        assert len(list(reader.events())) == 1
    journal._connection.execute("PRAGMA max_page_count = 1000000")
    journal.close()
    with JournalReader(tmp_path / "j") as reader:
        assert len(list(reader.events())) == 3_001


def test_create_refuses_an_existing_file_and_a_missing_folder(tmp_path: Path) -> None:
    (tmp_path / "j").write_text("mine")
    with pytest.raises(JournalError, match="expected no journal here yet"):
        Journal.create(tmp_path / "j", {})
    assert (tmp_path / "j").read_text() == "mine"
    with pytest.raises(JournalError, match="writable folder"):
        Journal.create(tmp_path / "no" / "j", {})


@pytest.mark.parametrize(
    "content", [b"", b"junction = 'j.toml'", b"no database at all, but long enough to hold a header " * 40], ids=["empty", "short", "text"]
)
def test_what_is_no_journal_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "j").write_bytes(content)
    with pytest.raises(JournalError, match="expected a journal of umlauf, found a file of another kind"):
        JournalReader(tmp_path / "j")


def test_another_version_and_a_missing_file_are_named(tmp_path: Path) -> None:
    rows_after_ticks(tmp_path / "j", 1)
    connection = sqlite3.connect(tmp_path / "j")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(JournalError, match="expected a journal of version 2 or 3, found version 99"):
        JournalReader(tmp_path / "j")
    with pytest.raises(JournalError, match="expected a journal, found no such file"):
        JournalReader(tmp_path)


def test_letters_and_aspects_are_inverse() -> None:
    assert letters(Aspect) == "-RuGAf"
    assert aspects_of("-RuGAf") == tuple(Aspect)
    with pytest.raises(JournalError, match="unknown letter"):
        aspects_of("RX")


def test_a_call_is_cheap(tmp_path: Path) -> None:
    """The tick budget allows 20 us a call, flushes included; the bound here leaves room for a busy machine."""
    ticks = 2_000
    frames = [(Aspect.GREEN, Aspect.RED), (Aspect.RED, Aspect.GREEN)]
    with Journal.create(tmp_path / "j", {}) as journal:
        begin = time.process_time_ns()
        for tick in range(ticks):
            journal.tick(tick, tick * 1_000)
            journal.event("J", EVENT)
            journal.plan("J", "n", tick, tick * 1_000, PLAN)
            journal.frame("J", tick, tick * 1_000, frames[tick % 2])
            journal.snapshot("J", "n", tick, b"0" * 16)
        call_us = (time.process_time_ns() - begin) / ticks / 5 / 1_000
    assert call_us < 40
    assert (tmp_path / "j").stat().st_size < 400 * ticks
