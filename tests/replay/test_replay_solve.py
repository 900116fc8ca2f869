"""``umlauf replay --solve`` decides again from the recorded events: the same, or the first difference."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from support_junction_day import SECONDS, START_MS, junction, record_day, traffic

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
