"""The Indiana export: codes and times by hand for one small junction, and the files that ATSPM tools read."""

from __future__ import annotations

import csv
import importlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from support_safety_junctions import crossing

from controller.cli import main
from controller.indiana import SIGN_OF_LIFE_MS, Event, detector_rows, export_events, phase_rows
from controller.indiana_codes import FLASHING, NOT_FLASHING, Code
from controller.journal import Journal
from controller.journal_reader import JournalReader
from controller.journal_schema import FILE_NAME, aspects_of
from controller.junction import Button, Detector, Direction, Exit, Junction, Lane, Movement, Purpose
from controller.plan import Plan, PlanStep
from hardware.ports import InputEvent, InputKind

pytestmark = pytest.mark.quick

A, B, P = 1, 2, 3  # the phases of the crossing's groups


def junction() -> Junction:
    """The crossing with one lane a vehicle group and four loops."""
    lanes = (Lane("a", 100.0, 13.9), Lane("b", 100.0, 13.9))
    movements = (Movement("a", "x", "A", Direction.STRAIGHT, 1.0), Movement("b", "x", "B", Direction.STRAIGHT, 1.0))
    detectors = (
        Detector("a.stop", Purpose.STOP, ("a",), 1.0),
        Detector("ab.entry", Purpose.ENTRY, ("a", "b"), 90.0),
        Detector("b.advance", Purpose.ADVANCE, ("b",), 45.0),
        Detector("x.exit", Purpose.EXIT, ("x",), 20.0),
    )
    return replace(crossing(), lanes=lanes, movements=movements, detectors=detectors, exits=(Exit("x", 50.0, 13.9),))


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.create(tmp_path / FILE_NAME, {}) as opened:
        opened.junction(junction(), "adaptive")
        yield opened


def frames(journal: Journal, texts: list[str]) -> None:
    """Record one frame a second."""
    for tick, text in enumerate(texts):
        journal.tick(tick, tick * 1_000)
        journal.frame("j", tick, tick * 1_000, aspects_of(text))


def exported(journal: Journal, *codes: Code) -> list[tuple[int, int, int]]:
    """Return (second, code, parameter) of the events with these codes (all but the sign of life)."""
    journal.close()
    with JournalReader(journal.path) as reader:
        events = export_events(reader)
    assert events == sorted(events, key=lambda event: event.at_ms)
    assert {event.device for event in events} <= {"j"}
    wanted = set(codes) or set(Code) - {Code.FLASH_STATUS}
    return [(event.at_ms // 1_000, int(event.code), event.parameter) for event in events if event.code in wanted]


def test_a_green_amber_and_clearance_of_a_vehicle_group(journal: Journal) -> None:
    """A ends at 3 s; amber 3 s; its longest intergreen is 5 s, so that its red clearance lasts 2 s."""
    frames(journal, ["RRR", "uRR", "GRR", "ARR", "ARR", "ARR", "RRR", "RRR", "RRR", "RRR"])
    assert exported(journal) == [
        (2, Code.PHASE_ON, A),
        (2, Code.BEGIN_GREEN, A),
        (3, Code.FORCE_OFF, A),
        (3, Code.GREEN_TERMINATION, A),
        (3, Code.BEGIN_YELLOW, A),
        (6, Code.END_YELLOW, A),
        (6, Code.BEGIN_RED_CLEARANCE, A),
        (8, Code.END_RED_CLEARANCE, A),
        (8, Code.PHASE_INACTIVE, A),
    ]


def test_red_clearance_ends_where_a_conflicting_green_begins(journal: Journal) -> None:
    """B has 6 s to the pedestrians, but 4 s to A: when A begins, B has cleared."""
    frames(journal, ["RGR", "RAR", "RAR", "RAR", "RRR", "GRR", "GRR", "GRR"])
    assert exported(journal, Code.BEGIN_RED_CLEARANCE, Code.END_RED_CLEARANCE, Code.PHASE_INACTIVE) == [
        (4, Code.BEGIN_RED_CLEARANCE, B),
        (5, Code.END_RED_CLEARANCE, B),
        (5, Code.PHASE_INACTIVE, B),
    ]


def test_pedestrians_walk_clear_and_stop(tmp_path: Path) -> None:
    walkers = tuple(replace(group, clearance_ms=3_000) if group.id == "P" else group for group in junction().groups)
    journal = Journal.create(tmp_path / "other", {})
    journal.junction(replace(junction(), groups=walkers), "adaptive")
    frames(journal, ["RRR", "RRG", "RRG", "RRR", "RRR", "RRR", "RRR", "RRR"])
    assert exported(journal) == [(1, Code.WALK, P), (3, Code.PEDESTRIAN_CLEARANCE, P), (6, Code.DONT_WALK, P)]


@pytest.mark.parametrize(("ended", "code"), [("gap_out", Code.GAP_OUT), ("max_out", Code.MAX_OUT), (None, Code.FORCE_OFF)])
def test_the_plan_tells_why_a_green_ended(journal: Journal, ended: str | None, code: Code) -> None:
    journal.plan("j", "n", 1, 1_000, Plan("actuated", 1_000, (PlanStep(1, None),), "why", {"ended": ended} if ended else {}))
    journal.plan("j", "n", 4, 4_000, Plan("actuated", 4_000, (PlanStep(0, None),), "later", {"ended": "max_out"}))
    frames(journal, ["GRR", "GRR", "GRR", "ARR", "ARR"])
    assert exported(journal, Code.GAP_OUT, Code.MAX_OUT, Code.FORCE_OFF) == [(3, code, A)]


def test_inputs_have_their_codes_and_numbers(journal: Journal) -> None:
    frames(journal, ["RRR", "RRR"])
    for at_ms, kind, source, value in [
        (1_100, InputKind.PRESENCE, "a.stop", 1),
        (1_900, InputKind.PRESENCE, "a.stop", 0),
        (2_000, InputKind.DETECTOR_FAULT, "x.exit", 1),
        (3_000, InputKind.DETECTOR_FAULT, "x.exit", 0),
        (4_000, InputKind.PUSH_BUTTON, "button", 1),
        (5_000, InputKind.PUSH_BUTTON, "button", 0),
        (6_000, InputKind.COUNT, "a.stop", 3),
        (7_000, InputKind.STOP_TIME, "key", 1),
    ]:
        journal.event("j", InputEvent(at_ms, kind, source, value))
    assert exported(journal) == [
        (1, Code.DETECTOR_ON, 1),
        (1, Code.DETECTOR_OFF, 1),
        (2, Code.DETECTOR_FAULT, 4),
        (3, Code.DETECTOR_RESTORED, 4),
        (4, Code.PEDESTRIAN_CALL, 5),
        (7, Code.STOP_TIME, 1),
    ]


def test_a_button_calls_the_phases_that_it_asks_for(tmp_path: Path) -> None:
    with Journal.create(tmp_path / FILE_NAME, {}) as opened:
        opened.junction(replace(junction(), buttons=(Button("button", ("B", "P")),)), "adaptive")
        frames(opened, ["RRR", "RRR"])
        for at_ms, kind, value in [(1_000, InputKind.PRESENCE, 1), (1_300, InputKind.PRESENCE, 0), (2_000, InputKind.ACCESSIBLE_REQUEST, 1)]:
            opened.event("j", InputEvent(at_ms, kind, "button", value))
        opened.event("j", InputEvent(3_000, InputKind.DETECTOR_FAULT, "button", 1))
        assert exported(opened) == [*((at, Code.PEDESTRIAN_CALL, phase) for at in (1, 2) for phase in (B, P)), (3, Code.DETECTOR_FAULT, 5)]


def test_patterns_cycles_and_splits_follow_the_plans(journal: Journal) -> None:
    cycle = Plan("cycle", 0, (PlanStep(0, None),), "", {"cycle_s": 60.2, "greens_s": {"main": 30.6, "side": 20.0}})
    for tick, plan in enumerate([cycle, cycle, Plan("actuated", 2_000, (PlanStep(0, None),))]):
        journal.plan("j", "n", tick, tick * 1_000, plan)
    frames(journal, ["RRR"] * 3)
    first = [(0, Code.CYCLE_LENGTH, 60), (0, 134, 31), (0, 135, 20), (0, 136, 31)]
    journal.close()
    with JournalReader(journal.path) as reader:
        found = [(e.at_ms // 1_000, int(e.code), e.parameter) for e in export_events(reader) if 131 <= e.code <= 149]
    assert found == [(0, Code.PATTERN, 2), *first, *((1, code, value) for _, code, value in first), (2, Code.PATTERN, 254)]


def test_flash_status_is_told_at_changes_and_as_a_sign_of_life(journal: Journal) -> None:
    frames(journal, ["RRR"] * 130 + ["ff-"] * 5 + ["RRR"] * 5)
    assert SIGN_OF_LIFE_MS == 60_000
    assert exported(journal, Code.FLASH_STATUS) == [
        (0, Code.FLASH_STATUS, NOT_FLASHING),
        (60, Code.FLASH_STATUS, NOT_FLASHING),
        (120, Code.FLASH_STATUS, NOT_FLASHING),
        (130, Code.FLASH_STATUS, FLASHING),
        (135, Code.FLASH_STATUS, NOT_FLASHING),
    ]


def test_the_tables_say_what_the_numbers_mean() -> None:
    assert [(row["Phase"], row["Group"], row["Kind"]) for row in phase_rows([junction()])] == [(1, "A", "vehicle"), (2, "B", "vehicle"), (3, "P", "pedestrian")]
    found = [(row["Parameter"], row["Phase"], row["Function"]) for row in detector_rows([junction()])]
    assert found == [(1, A, "Presence"), (1, A, "Yellow_Red"), (2, A, "Advance"), (2, B, "Advance"), (3, B, "Advance")]


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_the_command_writes_what_atspm_reads(journal: Journal, tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str) -> None:
    polars = importlib.import_module("polars") if form == "parquet" else None
    frames(journal, ["RRR", "GRR"])
    journal.event("j", InputEvent(1_250, InputKind.PRESENCE, "a.stop", 1))
    journal.close()
    assert main(["journal", "export", str(tmp_path), "--format", form, "-o", str(tmp_path / "out")]) == 0
    assert {Path(line).name for line in capsys.readouterr().out.splitlines()} == {f"events.{form}", "phases.csv", "detector_config.csv"}
    if polars is None:
        with (tmp_path / "out" / "events.csv").open(newline="") as file:
            header, *rows = csv.reader(file)
        assert header == ["TimeStamp", "DeviceId", "EventId", "Parameter"]
    else:
        frame = polars.read_parquet(tmp_path / "out" / "events.parquet")
        assert frame.columns == ["TimeStamp", "DeviceId", "EventId", "Parameter"]
        assert [str(kind) for kind in frame.dtypes[1:]] == ["String", "Int64", "Int64"]
        rows = [[str(value) for value in row] for row in frame.rows()]
    assert [row[1:] for row in rows] == [["j", "173", "2"], ["j", "0", "1"], ["j", "1", "1"], ["j", "82", "1"]]
    assert datetime.fromisoformat(rows[-1][0]).strftime("%H:%M:%S.%f") == "00:00:01.250000"


def test_parquet_without_polars_names_the_extra(journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    journal.close()
    monkeypatch.setitem(sys.modules, "polars", None)
    assert main(["journal", "export", str(tmp_path), "--format", "parquet"]) == 1
    assert "pip install 'umlauf[export]'" in capsys.readouterr().err


def test_the_list_tells_what_is_there(journal: Journal, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames(journal, ["RRR", "GRR"])
    journal.close()
    assert main(["journal", "list", str(tmp_path)]) == 0
    assert "1 junctions, 2 ticks, 0 events, 0 plans, 2 frames" in capsys.readouterr().out


def test_an_event_is_a_plain_row() -> None:
    assert Event(5, "j", Code.WALK, 1) == (5, "j", 21, 1)
