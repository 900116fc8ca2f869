"""``umlauf replay --solve`` decides again from the recorded events: the same, or the first difference."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from support_junction_day import SECONDS, START_MS, apart, junction, record_day, traffic

from controller.assemble import assemble
from controller.cli import main
from controller.estimate import LoopEstimator
from controller.journal import Journal
from controller.journal_reader import JournalReader
from controller.journal_schema import FILE_NAME
from controller.replay_solve import replay_solve
from hardware.fake import FakeHeads, FakeInputs

pytestmark = pytest.mark.quick


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("days")
    for control in ("adaptive", "cycle", "actuated", "programme"):
        record_day(folder / control / FILE_NAME, control)
    return folder


@pytest.mark.parametrize("control", ["adaptive", "cycle", "actuated", "programme"])
def test_the_same_decisions_come_out_again(days: Path, control: str) -> None:
    with JournalReader(days / control) as reader:
        assert len(list(reader.plans())) > 5, "the day must be worth replaying"
        outcome = replay_solve(reader, "corner")
        solved = len(list(reader.snapshots()))
    assert outcome.difference is None
    assert outcome.ticks == SECONDS
    assert (solved > 0) == (control in ("adaptive", "cycle"))


def test_free_stages_are_planned_recorded_and_come_out_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Behind the programme's two stages and the all-red one stands the free one, which serves both streets."""
    record_day(tmp_path / FILE_NAME, "adaptive", apart())
    with JournalReader(tmp_path) as reader:
        plans = list(reader.plans())
        assert replay_solve(reader, "corner").difference is None
    chosen = [row for row in plans if row.plan.steps[0].stage == 3]
    assert any("goes to north+east (north, east)" in row.plan.reason for row in chosen)
    assert main(["replay", str(tmp_path)]) == 0
    assert "the same frames" in capsys.readouterr().out
    at_s = START_MS // 1000 + chosen[-1].tick
    assert main(["explain", str(tmp_path), "--at", str(at_s)]) == 0
    assert "beside the programme's stages it may show north+east" in capsys.readouterr().out


@pytest.mark.parametrize("control", ["cycle", "actuated", "programme"])
def test_other_planners_keep_to_the_programme(tmp_path: Path, control: str) -> None:
    record_day(tmp_path / FILE_NAME, control, apart())
    with JournalReader(tmp_path) as reader:
        shown = {step.stage for row in reader.plans() for step in row.plan.steps}
    assert shown == {0, 1}


def copy_of(day: Path, folder: Path, statement: str) -> Path:
    (folder / FILE_NAME).write_bytes((day / FILE_NAME).read_bytes())
    connection = sqlite3.connect(folder / FILE_NAME)
    assert connection.execute(statement).rowcount > 0
    connection.commit()
    connection.close()
    return folder


def test_the_command_tells_that_all_is_the_same(days: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(days / "adaptive"), "--solve"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("the same decisions and frames")


def test_a_lost_event_changes_the_digest(days: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = copy_of(days / "adaptive", tmp_path, "DELETE FROM event WHERE tick BETWEEN 100 AND 110")
    assert main(["replay", str(folder), "--solve"]) == 1
    out = capsys.readouterr().out
    assert "the same frames" in out, "the recorded plans still give the recorded frames"
    assert "snapshot digest of node corner" in out
    assert "recorded  tick 10" in out
    assert "should have been the same" in out


def test_a_changed_plan_is_shown_beside_the_solved_one(days: Path, tmp_path: Path) -> None:
    folder = copy_of(days / "actuated", tmp_path, "UPDATE plan SET reason = 'tampered' WHERE rowid = 3")
    with JournalReader(folder) as reader:
        difference = replay_solve(reader, "corner").difference
    assert difference is not None
    assert "plan of node corner" in difference.text
    assert "(tampered)" in difference.text
    assert difference.text.count("actuated: stage") == 2


def test_another_numba_is_named_as_a_reason(days: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = copy_of(days / "actuated", tmp_path, "UPDATE plan SET reason = 'tampered' WHERE rowid = 3")
    connection = sqlite3.connect(folder / FILE_NAME)
    connection.execute("""UPDATE meta SET value = '"0.1"' WHERE key = 'numba'""")
    connection.commit()
    connection.close()
    assert main(["replay", str(folder), "--solve"]) == 1
    assert "this journal was written with numba 0.1 (here " in capsys.readouterr().out


def test_a_given_estimator_leaves_nothing_to_solve_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = junction()
    with Journal.create(tmp_path / FILE_NAME, {}) as journal:
        given = LoopEstimator(model, START_MS)
        driver = assemble(model, "actuated", FakeInputs(traffic()), FakeHeads(model.site_spec()), journal, start_ms=START_MS, estimator=given)
        for second in range(60):
            driver.tick(START_MS + second * 1_000)
    assert main(["replay", str(tmp_path), "--solve"]) == 0
    assert "nothing to solve again" in capsys.readouterr().out


def test_a_run_that_was_killed_in_the_middle_of_a_tick_is_no_difference(days: Path, tmp_path: Path) -> None:
    """A tick is written together with what the ticks before it left, so the last one may have nothing beside it."""
    (tmp_path / "half").mkdir()
    half = copy_of(days / "adaptive", tmp_path / "half", f"DELETE FROM snapshot WHERE tick = {SECONDS - 1}")
    folder = copy_of(half, tmp_path, f"DELETE FROM plan WHERE tick = {SECONDS - 1}")
    with JournalReader(folder) as reader:
        assert [tick for tick, _ in reader.ticks()][-1] == SECONDS - 1
        assert replay_solve(reader, "corner").difference is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE plan SET steps = 'no JSON' WHERE rowid = 5",
        "UPDATE plan SET steps = '[[1]]' WHERE rowid = 5",
        "UPDATE frame SET aspects = 'XYZ' WHERE rowid = 5",
        "UPDATE event SET value = 'much', kind = 99999 WHERE rowid = 5",
        "UPDATE junction SET model = '{}'",
        "UPDATE note SET detail = '{' WHERE rowid = (SELECT min(rowid) FROM note)",
        "UPDATE ticks SET count = 'many'",
        "DELETE FROM name",
    ],
)
def test_a_row_that_cannot_be_read_is_one_message(days: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], statement: str) -> None:
    folder = copy_of(with_a_note(days / "adaptive", tmp_path), tmp_path, statement)
    for command in (["replay", str(folder), "--solve"], ["journal", "export", str(folder)], ["journal", "list", str(folder)]):
        code = main(command)
        said = "".join(capsys.readouterr())
        assert "Traceback" not in said
        if command[0] == "replay":
            assert code == 1
            assert "is damaged (" in said


def with_a_note(day: Path, folder: Path) -> Path:
    """Return a copy of the day with one note in it, in a folder of its own."""
    own = folder / "noted"
    own.mkdir()
    return copy_of(day, own, "INSERT INTO note SELECT 0, min(id), 'remark', '{}' FROM name")
