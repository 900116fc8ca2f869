"""A journal as tables: signal states, decisions, health, modes; the time of day of a cabinet whose clock somebody moves."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import polars
import pytest
from support_cabinet import drivers, junction_with_loops, site_file

from controller.cabinet.audit_log import AuditLog, Entry
from controller.cabinet.day_journal import DayJournal
from controller.cli import main
from controller.clock import ManualClock
from controller.errors import ConfigError
from controller.explain_commands import journal_of, read_moment
from controller.journal import Journal
from controller.journal_reader import JournalReader
from controller.journal_schema import CLOCK, COMMAND, FILE_NAME, aspects_of
from controller.journal_tables import What, tables
from controller.journal_time import TimeBase
from controller.plan import Plan, PlanStep

__all__ = ["drivers", "site_file"]  # fixtures
HOUR_MS = 3_600_000


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.create(tmp_path / FILE_NAME, {}) as opened:
        opened.junction(junction_with_loops(), "adaptive")
        opened.note(HOUR_MS, CLOCK, "starts", {"utc": "2026-01-05T06:00:00+00:00"})
        for tick, letters in enumerate(("RRR", "GRR", "GRG", "ARG")):
            opened.tick(tick, HOUR_MS + 100 * tick)
            opened.frame("j", tick, HOUR_MS + 100 * tick, aspects_of(letters))
        opened.plan("j", "n", 1, HOUR_MS + 100, Plan("adaptive", HOUR_MS + 100, (PlanStep(0, HOUR_MS + 5_100), PlanStep(1, None)), "why, in words", {"x": 1}))
        opened.mode("j", 2, HOUR_MS + 200, "fixed", "detectors_lost", "no loops")
        opened.note(HOUR_MS + 300, "detector", "a1: silent for 9 s: odd", {"trusted": False})
        asked = {"junction": "j", "groups": ("A", "B"), "durations_ms": (15_000, 33_500), "failed": "no answer"}
        opened.note(HOUR_MS + 400, COMMAND, "splits", asked)
        yield opened


def rows(journal: Journal, what: What) -> list[list[object]]:
    journal.close()
    with JournalReader(journal.path) as reader:
        return [list(row) for table in tables(reader, what) for row in table.rows]


def at(tenths: int) -> datetime:
    return datetime(2026, 1, 5, 6, 0, 0, 100_000 * tenths)


def test_each_change_of_each_group_is_a_row(journal: Journal) -> None:
    found = rows(journal, What.SIGNALS)
    assert [row[2:] for row in found[:3]] == [["A", "vehicle", "red"], ["B", "vehicle", "red"], ["P", "pedestrian", "red"]]
    assert [(row[0], *row[2:]) for row in found[3:]] == [
        (at(1), "A", "vehicle", "green"),
        (at(2), "P", "pedestrian", "green"),
        (at(3), "A", "vehicle", "amber"),
    ]


def test_decisions_carry_their_reason(journal: Journal) -> None:
    (row,) = rows(journal, What.DECISIONS)
    assert row == [
        *(at(1), "j", "n", "adaptive", "main", "why, in words"),
        *('[{"stage":"main","until_s":5.0},{"stage":"side","until_s":null}]', '{"x":1}'),
    ]


def test_health_and_modes(journal: Journal) -> None:
    detector, mode = rows(journal, What.HEALTH)
    assert detector == [at(3), "j", "a1", False, "silent for 9 s: odd"]
    assert mode == [at(2), "j", "fixed", "detectors_lost", "no loops"]


def test_a_clock_that_was_moved_holds_from_then_on(journal: Journal) -> None:
    journal.note(HOUR_MS + 60_000, CLOCK, "moved", {"utc": "2026-01-05T07:01:00+00:00"})
    journal.close()
    with JournalReader(journal.path) as reader:
        base = TimeBase(reader)
    assert base.at(HOUR_MS - 1_000) == datetime(2026, 1, 5, 5, 59, 59)
    assert base.at(HOUR_MS + 59_000) == datetime(2026, 1, 5, 6, 0, 59)
    assert base.at(HOUR_MS + 60_000) == datetime(2026, 1, 5, 7, 1, 0)


def test_a_simulation_counts_from_midnight(tmp_path: Path) -> None:
    with Journal.create(tmp_path / FILE_NAME, {}) as opened:
        pass
    with JournalReader(opened.path) as reader:
        found = TimeBase(reader).at(7 * HOUR_MS)
    assert (found.hour, found.minute, found.second) == (7, 0, 0)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_all_of_it_as_files(journal: Journal, tmp_path: Path, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    journal.close()
    out = tmp_path / "out"
    assert main(["journal", "export", str(tmp_path), "-o", str(out), "--format", form, "--what", "events,signals,decisions,health,commands"]) == 0
    names = {Path(line).name for line in capsys.readouterr().out.splitlines()}
    assert names == {"phases.csv", "detector_config.csv", *(f"{name}.{form}" for name in ("events", "signals", "decisions", "health", "modes", "commands"))}
    if form == "csv":
        with (out / "health.csv").open() as file:
            assert list(csv.reader(file)) == [
                ["TimeStamp", "DeviceId", "Detector", "Trusted", "Reason"],
                ["2026-01-05 06:00:00.300", "j", "a1", "False", "silent for 9 s: odd"],
            ]
        with (out / "commands.csv").open() as file:
            assert list(csv.reader(file))[1:] == [["2026-01-05 06:00:00.400", "j", "splits", "A, B", "15, 33.5", "no answer"]]
    else:
        frame = polars.read_parquet(out / "health.parquet")
        assert frame.rows() == [(at(3), "j", "a1", False, "silent for 9 s: odd")]
        assert frame.schema["TimeStamp"] == polars.Datetime("us")
        assert polars.read_parquet(out / "decisions.parquet")["Reason"].to_list() == ["why, in words"]


def test_an_unknown_kind_is_a_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["journal", "export", str(tmp_path), "--what", "everything"]) == 1
    assert "--what: expected events, signals, decisions, health" in capsys.readouterr().err


def test_the_audit_log_is_shown_and_verified(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = AuditLog(tmp_path, ManualClock().utc)
    heads = [log.append(Entry("anna", "unix", "override fixed", "2026-01-05T08:00:00+00:00", f"roadworks {i}", "fixed is wanted")) for i in range(3)]
    log.close()
    assert main(["journal", "audit", str(tmp_path)]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first == ("     1  2026-01-05T06:00:00.000+00:00  anna by unix: override fixed until 2026-01-05T08:00:00+00:00 (roadworks 0): fixed is wanted")
    assert main(["journal", "audit", str(tmp_path), "--verify", "--head", heads[1].result().hash]) == 0
    assert f"3 entries, whole; the newest is 3 with hash {heads[2].result().hash}" in capsys.readouterr().out
    assert main(["journal", "audit", str(tmp_path), "--verify", "--head", "ab" * 32]) == 1
    assert "cut off or forged" in capsys.readouterr().err
    (path,) = tmp_path.glob("audit-*.jsonl")
    path.write_text(path.read_text().replace("roadworks 1", "roadworks 9"))
    assert main(["journal", "audit", str(tmp_path), "--verify"]) == 1
    assert f"{path.name}:2: expected the text that its hash was made of" in capsys.readouterr().err
    assert main(["journal", "audit", str(tmp_path)]) == 0
    assert "unreadable" in capsys.readouterr().out


def test_a_cabinets_days_carry_their_clock_and_are_pruned(
    site_file: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = site_file(('folder = "journal"', 'folder = "days"\nretention_days = 2'))
    clock = ManualClock(now_ms=987_654_321)
    journal = DayJournal(tmp_path / "days", "market", clock.utc, keep_days=30, threaded=False)
    journal.junction(junction_with_loops(), "adaptive")
    begun = clock.utc()
    for tick in range(60):
        clock.wait_until(clock.now_ms() + 100)
        if tick == 31:
            clock.step(timedelta(hours=1))
        journal.tick(tick, clock.now_ms())
        journal.frame("j", tick, clock.now_ms(), aspects_of("GRR" if tick % 20 < 10 else "RRR"))
    journal.close()
    (day,) = (tmp_path / "days").glob("*.sqlite")
    assert main(["journal", "export", str(tmp_path / "days"), "--what", "signals"]) == 0
    with (tmp_path / "days" / day.stem / "signals.csv").open() as file:
        times = [datetime.fromisoformat(row["TimeStamp"]) for row in csv.DictReader(file) if row["Group"] == "A"]
    zero = begun.replace(tzinfo=None)
    after_s = [(time - zero).total_seconds() for time in times]
    assert after_s == [0.1, 1.1, 2.1, 3.1, 3604.1, 3605.1]  # the step is noticed within a second
    monkeypatch.setattr("controller.journal_commands.utc_now", lambda: begun + timedelta(days=2))
    assert main(["journal", "prune", str(path)]) == 0
    assert day.exists()
    monkeypatch.setattr("controller.journal_commands.utc_now", lambda: begun + timedelta(days=3))
    assert main(["journal", "prune", str(path), "--dry-run"]) == 0
    assert f"{day}: would be removed" in capsys.readouterr().out
    assert day.exists()
    assert main(["journal", "prune", str(path)]) == 0
    assert not day.exists()


def test_a_file_that_is_no_journal_hides_no_other_day(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"market-2026-01-05{start}.sqlite" for start in ("", "-2", "-3", "-10")]
    for name in names:
        with Journal.create(tmp_path / name, {}) as one:
            one.junction(junction_with_loops(), "fixed")
            one.tick(0, HOUR_MS)
            one.frame("j", 0, HOUR_MS, aspects_of("RRR"))
    (tmp_path / names[1]).write_bytes(b"no journal" * 500)
    whole = (tmp_path / names[2]).read_bytes()
    (tmp_path / names[2]).write_bytes(whole[: len(whole) // 2])
    assert main(["journal", "list", str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    assert [Path(line.split(": ")[0]).name for line in out.splitlines()] == [names[0], *names[2:]], "in the order in which they were written"
    assert "1 junctions, 1 ticks, 0 events, 0 plans, 1 frames" in out.splitlines()[-1]
    assert f"{names[1]}: expected a journal of umlauf, found a file of another kind" in err
    for command in (["replay"], ["journal", "export"]):
        assert main([*command, str(tmp_path)]) == 1
        out, err = capsys.readouterr()
        assert names[1] in err
        assert "market-2026-01-05-10" in out


def test_a_time_of_day_names_the_file_that_was_written_then(tmp_path: Path) -> None:
    names = ["market-2026-01-05.sqlite", "market-2026-01-05-2.sqlite", "market-2026-01-06.sqlite"]
    for name, hour in zip(names, ("05T06", "05T08", "06T06"), strict=True):
        with Journal.create(tmp_path / name, {}) as one:
            one.note(HOUR_MS, CLOCK, "starts", {"utc": f"2026-01-{hour}:00:00+00:00"})
            for tick in range(600 if hour == "06T06" else 1200):
                one.tick(tick, HOUR_MS + 100 * tick)
    (tmp_path / "market-2026-01-07.sqlite").write_bytes(b"no journal" * 500)
    assert journal_of(tmp_path, read_moment("08:01:59")).name == names[1]
    assert journal_of(tmp_path, read_moment("07:01:30+01:00")).name == names[0]
    for time in ("06:00:30", "07:00:00"):  # two days have that time, or none
        with pytest.raises(ConfigError, match="holds 4 runs; name one"):
            journal_of(tmp_path, read_moment(time))
