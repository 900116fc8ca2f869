"""Neighbours in a whole run on the built arterial: messages, a replay that decides the same, and none where all are lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.journal_reader import JournalReader
from controller.replay_solve import replay_solve
from scenarios.simulate import Request, run_request

pytestmark = pytest.mark.sim


def run(folder: Path, loss_ratio: float) -> Path:
    request = Request(scenario="arterial", output=folder, as_json=True, end_s=240.0, neighbour_loss_ratio=loss_ratio)
    assert run_request(request) == 0
    return folder


def test_neighbours_are_heard_and_a_replay_decides_the_same(tmp_path: Path) -> None:
    with JournalReader(run(tmp_path / "near", 0.05)) as reader:
        heard = {(m.message.sender, m.junction_id) for m in reader.messages()}
        assert heard == {(f"{a}0", f"{b}0") for a in "ABCDE" for b in "ABCDE" if abs(ord(a) - ord(b)) == 1}
        assert any(stream.exit_ms for m in reader.messages() for stream in m.message.streams)
        outcome = replay_solve(reader, "C0")
    assert outcome.difference is None
    assert outcome.ticks == 240


def test_where_all_messages_are_lost_nobody_hears_anything(tmp_path: Path) -> None:
    with JournalReader(run(tmp_path / "lost", 1.0)) as reader:
        assert list(reader.messages()) == []
        assert reader.meta["neighbour_loss_ratio"] == 1.0
