"""Golden days: what the numba-free controls do with ten minutes of traffic, one character a second per signal group.

A change here is a change on the street. Look at it; where it is meant, run with ``--update``, which rewrites and fails once.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support_junction_day import record_day

from controller.journal_reader import JournalReader
from controller.journal_schema import FILE_NAME, letters
from controller.replay import Record, read_records, replay_frames, sequence

pytestmark = pytest.mark.quick

Golden = Callable[[str, str], None]
ROW_S = 60


def as_text(record: Record) -> str:
    """Return the replayed frames, a minute a paragraph, and the reasons of the plans."""
    frames = list(sequence(record.row, record.ticks, record.plans))
    groups = record.row.junction.groups
    width = max(len(group.id) for group in groups)
    lines = []
    for first in range(0, len(frames), ROW_S):
        lines.append(f"{first // ROW_S} min")
        lines += [f"  {group.id:<{width}}  {letters(frame[k] for frame in frames[first : first + ROW_S])}" for k, group in enumerate(groups)]
    start_ms = record.ticks[0][1]
    lines += ["", "plans", *(f"  {(plan.now_ms - start_ms) / 1000:6.1f} s  {plan.plan.planner}: {plan.plan.reason}" for plan in record.plans)]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("control", ["actuated", "programme"])
def test_a_golden_day_replays(tmp_path: Path, golden: Golden, control: str) -> None:
    record_day(tmp_path / FILE_NAME, control)
    with JournalReader(tmp_path) as reader:
        (record,), damage = read_records(reader)
    assert not damage
    assert replay_frames(record).difference is None
    golden(f"{control}.txt", as_text(record))


def test_update_rewrites_and_then_fails(pytester: pytest.Pytester) -> None:
    conftest = Path(__file__).resolve().parents[1] / "conftest.py"
    pytester.makeconftest(conftest.read_text(encoding="utf-8"))
    pytester.makepyfile("def test_it(golden):\n    golden('it.txt', 'new\\n')\n")
    pytester.runpytest("-p", "no:cacheprovider").assert_outcomes(failed=1)  # missing
    pytester.runpytest("-p", "no:cacheprovider", "--update").assert_outcomes(failed=1)  # rewritten
    assert (pytester.path / "it.txt").read_text() == "new\n"
    pytester.runpytest("-p", "no:cacheprovider", "--update").assert_outcomes(passed=1)
    (pytester.path / "it.txt").write_text("old\n")
    pytester.runpytest("-p", "no:cacheprovider").assert_outcomes(failed=1)  # differs
