"""Replaying recorded plans gives the recorded frames; what was tampered with, cut or left unfinished is told."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from support_safety_junctions import crossing

from controller.cli import main
from controller.journal import Journal
from controller.journal_reader import JournalReader
from controller.journal_schema import FILE_NAME
from controller.junction import Junction
from controller.plan import Plan, PlanStep
from controller.replay import read_records, replay_frames
from controller.sequencer import Sequencer
from hardware.signals import Aspect

pytestmark = pytest.mark.quick

START_MS = 25_200_000


def record(path: Path, *, ticks: int = 200, junction: Junction | None = None, close: bool = True, step_ms: int = 1_000) -> Journal:
    """Record a junction that changes its stage every 25 s, without a planner."""
    junction = junction or crossing()
    (node,) = junction.nodes
    sequencer = Sequencer(junction, node, START_MS)
    path.parent.mkdir(exist_ok=True)
    journal = Journal.create(path, {"scenario": "test"})
    journal.junction(junction, "programme", START_MS)
    for tick in range(ticks):
        now_ms = START_MS + tick * step_ms
        journal.tick(tick, now_ms)
        if now_ms % 25_000 == 0:
            plan = Plan("test", now_ms, (PlanStep(now_ms // 25_000 % 2, None),), "its turn")
            sequencer.adopt(plan)
            journal.plan(junction.id, node.id, tick, now_ms, plan)
        aspects = sequencer.step(now_ms)
        journal.frame(junction.id, tick, now_ms, tuple(aspects[group.id] for group in junction.groups))
    if close:
        journal.close()
    return journal


def tampered(path: Path, statement: str) -> Path:
    connection = sqlite3.connect(path)
    assert connection.execute(statement).rowcount > 0
    connection.commit()
    connection.close()
    return path


@pytest.mark.parametrize("step_ms", [1_000, 500, 100])
def test_replay_shows_the_recorded_frames(tmp_path: Path, step_ms: int) -> None:
    record(tmp_path / FILE_NAME, ticks=900, step_ms=step_ms)
    with JournalReader(tmp_path) as reader:
        (one,), damage = read_records(reader)
        assert len({frame.aspects for frame in one.frames}) > 4, "the record must be worth replaying"
        outcome = replay_frames(one)
    assert (outcome.junction_id, outcome.ticks, outcome.difference, damage) == ("j", 900, None, "")


def test_the_command_proves_several_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("adaptive-1", "adaptive-2"):
        record(tmp_path / name / FILE_NAME)
    assert main(["replay", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.endswith("j: 200 ticks, 8 plans: the same frames") for line in lines] == [True, True]


def test_a_changed_frame_is_shown_one_character_a_second(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(tmp_path / FILE_NAME)
    tampered(tmp_path / FILE_NAME, "UPDATE frame SET aspects = 'RRR' WHERE tick = 50")
    assert main(["replay", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "first difference at tick 50, 25250.0 s:" in out
    (recorded,) = [line.split()[-1] for line in out.splitlines() if " recorded " in line]
    (replayed,) = [line.split()[-1] for line in out.splitlines() if line.strip().startswith("replayed")]
    (line,) = [line for line in out.splitlines() if " recorded " in line]
    marker = out.splitlines()[-1].index("^") - line.index(recorded)
    assert recorded[:marker] == replayed[:marker]
    assert recorded[marker] != replayed[marker]
    assert len(recorded) == 61


def test_a_changed_plan_is_a_difference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(tmp_path / FILE_NAME)
    tampered(tmp_path / FILE_NAME, "UPDATE plan SET tick = tick + 1 WHERE tick = 75")
    assert main(["replay", str(tmp_path)]) == 1
    assert "first difference at tick 75" in capsys.readouterr().out


def test_a_tick_that_ended_half_way_is_not_a_difference(tmp_path: Path) -> None:
    journal = record(tmp_path / FILE_NAME, ticks=51, close=False)
    journal.tick(51, START_MS + 51_000)  # then the simulator crashed
    journal.close()
    with JournalReader(tmp_path) as reader:
        (one,), _ = read_records(reader)
    assert len(one.ticks) == 52
    assert replay_frames(one).difference is None


def test_a_damaged_journal_is_replayed_up_to_the_damage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(tmp_path / FILE_NAME, ticks=5_000)
    whole = (tmp_path / FILE_NAME).read_bytes()
    (tmp_path / FILE_NAME).write_bytes(whole[:-5_000])
    assert main(["replay", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert ": the same frames" in out
    assert "damaged" in out


def test_a_run_that_sumo_drove_has_nothing_to_replay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Journal.create(tmp_path / FILE_NAME, {}).close()
    assert main(["replay", str(tmp_path)]) == 0
    assert "nothing to replay" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["empty", "missing"])
def test_a_folder_without_journal_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    (tmp_path / "empty").mkdir()
    assert main(["replay", str(tmp_path / name)]) == 1
    assert f"expected a run folder with {FILE_NAME}" in capsys.readouterr().err


def test_start_up_red_depends_on_the_recorded_start(tmp_path: Path) -> None:
    record(tmp_path / FILE_NAME)
    with JournalReader(tmp_path) as reader:
        (one,), _ = read_records(reader)
    assert one.row.start_ms == START_MS
    assert one.frames[0].aspects == (Aspect.RED,) * 3
