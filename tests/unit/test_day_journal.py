"""The cabinet's journal: a file a day, proven by replay each by itself, and a disk that is full, gone or slow without a tick that waits."""

from __future__ import annotations

import shutil
import sqlite3
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support_control import cover
from support_guard import ONE, Cabinet

from controller.cabinet.day_journal import DayJournal
from controller.cabinet.journal_writer import day_of, expired
from controller.clock import elapsed_s
from controller.journal import new_file
from controller.journal_reader import JournalReader
from controller.replay import find_journals, read_records, replay_frames
from controller.supervisor import Mode
from hardware.ports import InputEvent, InputKind

DAY = date(2026, 1, 5)


class Recorded(Cabinet):
    """A cabinet that keeps a journal, from a minute before midnight on."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.utc = datetime(2026, 1, 5, 23, 59, tzinfo=UTC)
        self.step = timedelta()
        self.day_journal = DayJournal(folder, "corner", self.wall, **{"threaded": False, **options})
        traffic = [*cover("e0/1", 20_000, 45_000), *cover("n0/1", 50_000, 75_000), *cover("w1/1", 80_000, 130_000)]
        super().__init__(Mode.ACTUATED, events=traffic, journal=self.day_journal)

    def wall(self) -> datetime:
        return self.utc + self.step + timedelta(milliseconds=self.clock.now_ms() if hasattr(self, "clock") else 0)


def proven(path: Path) -> int:
    """Return how many ticks replay to the same frames."""
    with JournalReader(path) as reader:
        records, damage = read_records(reader)
        assert damage == ""
        (outcome,) = [replay_frames(record) for record in records]
    assert outcome.difference is None, outcome.difference.text
    return outcome.ticks


def notes(path: Path, kind: str) -> list[str]:
    with JournalReader(path) as reader:
        return [note.text for note in reader.notes() if note.kind == kind]


@pytest.mark.parametrize("threaded", [False, True])
def test_a_file_a_day_each_proven_by_itself(tmp_path: Path, threaded: bool) -> None:
    one = Recorded(tmp_path, threaded=threaded)
    one.run_to(150_000)
    one.day_journal.close()
    first, second = find_journals(tmp_path)
    assert (first.name, second.name) == ("corner-2026-01-05.sqlite", "corner-2026-01-06.sqlite")
    assert proven(first) == 600
    assert proven(second) == 901
    assert "another day" in notes(second, "resume")[0]
    assert not list(tmp_path.glob("*-wal"))
    with JournalReader(second) as reader:
        assert next(reader.events()).event.at_ms >= 60_000
        assert reader.junctions["crossing"].junction == ONE


@pytest.mark.parametrize("at_ms", [52_000, 57_300, 58_000, 59_900])
def test_midnight_in_the_middle_of_a_transition_is_proven_too(tmp_path: Path, at_ms: int) -> None:
    one = Recorded(tmp_path)
    one.step = timedelta(milliseconds=60_000 - at_ms)
    one.run_to(150_000)
    one.day_journal.close()
    assert sum(proven(path) for path in find_journals(tmp_path)) == 1_501


def test_a_restart_begins_the_next_file_of_the_day(tmp_path: Path) -> None:
    for _ in range(3):
        one = Recorded(tmp_path)
        one.run_to(30_000)
        one.day_journal.close()
    found = find_journals(tmp_path)
    assert [path.name for path in found] == ["corner-2026-01-05.sqlite", "corner-2026-01-05-2.sqlite", "corner-2026-01-05-3.sqlite"]
    assert [proven(path) for path in found] == [301] * 3


def test_losses_flashing_and_restarts_are_proven(tmp_path: Path) -> None:
    one = Recorded(tmp_path)
    one.run_to(30_000)
    one.heads.mute = True
    one.run_to(33_000)
    one.heads.mute = False
    one.run_to(90_000)
    one.override(Mode.FLASH, 150_000, "a lamp")
    one.run_to(200_000)
    one.day_journal.close()
    assert sum(proven(path) for path in find_journals(tmp_path)) == 2_001


def test_a_wall_clock_that_jumps_makes_files_and_no_harm(tmp_path: Path) -> None:
    one = Recorded(tmp_path)
    one.run_to(20_000)
    one.step = timedelta(days=-400)
    one.run_to(25_000)
    one.step = timedelta(0)
    one.run_to(40_000)
    one.day_journal.close()
    assert [path.name for path in find_journals(tmp_path)] == ["corner-2024-12-01.sqlite", "corner-2026-01-05.sqlite", "corner-2026-01-05-2.sqlite"]
    assert sum(proven(path) for path in find_journals(tmp_path)) == 401


class Disk:
    """A disk that takes so many pages a file."""

    def __init__(self) -> None:
        self.pages = 0
        self.files = 0

    def connect(self, path: Path) -> sqlite3.Connection:
        connection = new_file(path)
        self.files += 1
        if self.pages:
            connection.execute(f"PRAGMA max_page_count = {self.pages}")
        return connection


def test_a_full_disk_is_an_event_and_what_fits_into_memory_is_not_lost(tmp_path: Path) -> None:
    disk = Disk()
    disk.pages = 40
    one = Recorded(tmp_path, connect=disk.connect)
    one.run_to(20_000)
    for k in range(400):
        one.guard.tell("padding", f"{k} " + "x" * 1_000)
    one.run_to(30_000)
    (told,) = [text for _, kind, text in one.guard.events if kind == "journal"]
    assert told.startswith("the journal cannot be written (database or disk is full)")
    assert one.mode is Mode.ACTUATED
    disk.pages = 0
    one.run_to(60_000)
    assert [text for _, kind, text in one.guard.events if kind == "journal"][-1] == "the journal is written again"
    one.day_journal.close()
    first, second = sorted(find_journals(tmp_path), key=lambda path: path.stat().st_mtime_ns)[:2]
    assert proven(first) > 100
    assert proven(second) > 200
    assert "rows are lost" in notes(second, "resume")[0]
    assert one.guard.ticks == 601


def test_a_disk_that_is_full_or_read_only_for_a_while_costs_no_row(tmp_path: Path) -> None:
    folder, aside = tmp_path / "journal", tmp_path / "aside"
    connections: list[sqlite3.Connection] = []

    def connect(path: Path) -> sqlite3.Connection:
        connections.append(new_file(path))
        return connections[-1]

    one = Recorded(folder, connect=connect)
    one.run_to(20_000)
    (pages,) = connections[0].execute("PRAGMA page_count").fetchone()
    connections[0].execute(f"PRAGMA max_page_count = {pages}")
    folder.rename(aside)
    folder.write_text("in the way of every other file")
    for k in range(100):
        one.guard.tell("padding", f"{k} " + "x" * 1_000)
    one.run_to(50_000)
    assert one.day_journal.numbers()["journal_failing"]
    assert not one.day_journal.writer.broken
    folder.unlink()
    aside.rename(folder)
    connections[0].execute("PRAGMA max_page_count = 100000")
    one.run_to(58_000)
    one.day_journal.close()
    assert [text.partition(" (")[0] for _, kind, text in one.guard.events if kind == "journal"] == [
        "the journal cannot be written",
        "the journal is written again",
    ]
    (path,) = find_journals(folder)
    assert proven(path) == 581
    assert one.day_journal.lost_rows == 0
    assert len(notes(path, "padding")) == 100


def test_a_folder_that_is_not_there_is_waited_for_and_loss_is_counted(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    folder.write_text("in the way")
    one = Recorded(folder, most_waiting_rows=5)
    one.run_to(50_000)
    assert [kind for _, kind, _ in one.guard.events].count("journal") == 1, "told once"
    assert one.day_journal.writer.waiting_rows <= 40
    folder.unlink()
    one.run_to(59_000)
    one.day_journal.close()
    (path,) = find_journals(folder)
    assert proven(path) >= 50
    assert one.day_journal.lost_rows > 0
    assert f"{one.day_journal.lost_rows} since the start" in notes(path, "resume")[0]


def test_a_slow_disk_keeps_no_tick_waiting(tmp_path: Path) -> None:
    import threading

    gate = threading.Event()

    def slow(path: Path) -> sqlite3.Connection:
        gate.wait(20.0)
        return new_file(path)

    one = Recorded(tmp_path, threaded=True, connect=slow)
    begin_s = elapsed_s()
    one.run_to(40_000)
    assert elapsed_s() - begin_s < 10.0
    assert one.day_journal.writer.path is not None
    assert not find_journals_or_none(tmp_path)
    gate.set()
    one.day_journal.close()
    (path,) = find_journals(tmp_path)
    assert proven(path) == 401


def find_journals_or_none(folder: Path) -> list[Path]:
    return list(folder.glob("*.sqlite"))


def test_old_files_of_this_site_go_and_others_stay(tmp_path: Path) -> None:
    for name in (
        "corner-2025-01-01.sqlite",
        "corner-2025-01-01-2.sqlite",
        "corner-2025-01-01-2.sqlite-wal",
        "corner-2026-01-01.sqlite",
        "corner-2030-01-01.sqlite",
    ):
        (tmp_path / name).write_bytes(b"")
    for name in ("cornerstone-2025-01-01.sqlite", "corner-2025-01-01.sqlite.bak", "corner-x-2025-01-01.sqlite", "corner-2025-13-01.sqlite"):
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in expired(tmp_path, "corner", DAY, 30)] == ["corner-2025-01-01-2.sqlite", "corner-2025-01-01.sqlite"]
    one = Recorded(tmp_path, keep_days=30)
    one.run_to(1_000)
    one.day_journal.close()
    left = sorted(path.name for path in tmp_path.iterdir())
    assert "corner-2025-01-01.sqlite" not in left
    assert "corner-2025-01-01-2.sqlite-wal" not in left
    assert len(left) == 7
    assert any("was removed" in text for _, _, text in one.guard.events)


def test_a_daemon_that_runs_for_longer_than_files_are_kept_removes_its_own(tmp_path: Path) -> None:
    one = Recorded(tmp_path, keep_days=3)
    for day in range(12):
        one.step = timedelta(days=day)
        one.run_to(2_000 * (day + 1))
    one.day_journal.close()
    assert [path.name for path in find_journals(tmp_path)] == [f"corner-2026-01-{day}.sqlite" for day in (13, 14, 15, 16)]
    assert len(one.day_journal.writer._mine) == 4


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("corner-2026-01-05.sqlite", DAY),
        ("corner-2026-01-05-12.sqlite", DAY),
        ("corner-2026-01-05-x.sqlite", None),
        ("corner-2026-01-05", None),
        ("a-2026-01-05.sqlite", None),
    ],
)
def test_the_day_is_in_the_name(name: str, day: date | None) -> None:
    assert day_of(Path(name), "corner") == day


def test_a_head_that_is_damaged_is_told(tmp_path: Path) -> None:
    one = Recorded(tmp_path)
    one.run_to(90_000)
    one.day_journal.close()
    path = tmp_path / "corner-2026-01-06.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE note SET detail = replace(detail, 'settled_ms', 'settled')")
    connection.close()
    with JournalReader(path) as reader:
        records, _ = read_records(reader)
        with pytest.raises(OSError, match="where its sequencers stood"):
            replay_frames(records[0])


def test_events_of_the_panel_are_in_it(tmp_path: Path) -> None:
    one = Recorded(tmp_path)
    one.inputs.push(InputEvent(5_000, InputKind.POLICE_PANEL, "panel", 1))
    one.run_to(10_000)
    one.day_journal.close()
    with JournalReader(tmp_path / "corner-2026-01-05.sqlite") as reader:
        assert [(mode.mode, mode.event) for mode in reader.modes()] == [("manual", "manual_begin")]


def test_the_log_of_a_killed_process_is_recovered(tmp_path: Path) -> None:
    one = Recorded(tmp_path / "living")
    one.run_to(40_000)
    left = tmp_path / "left"
    shutil.copytree(tmp_path / "living", left)  # what a kill leaves
    one.day_journal.close()
    assert list(left.glob("*-wal"))
    two = Recorded(left)
    two.run_to(1_000)
    two.day_journal.close()
    assert not list(left.glob("*-wal"))
    assert any("recovered" in text for _, _, text in two.guard.events)
    assert proven(left / "corner-2026-01-05.sqlite") >= 350


def test_a_journal_cut_in_mid_write_does_not_keep_the_next_from_beginning(tmp_path: Path) -> None:
    one = Recorded(tmp_path)
    one.run_to(40_000)
    one.day_journal.close()
    path = tmp_path / "corner-2026-01-05.sqlite"
    path.write_bytes(path.read_bytes()[:-5_000])
    (tmp_path / "corner-2026-01-05.sqlite-wal").write_bytes(b"half a log")
    two = Recorded(tmp_path)
    two.run_to(30_000)
    two.day_journal.close()
    assert proven(tmp_path / "corner-2026-01-05-2.sqlite") == 301
