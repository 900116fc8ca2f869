"""Neighbours in a row: messages are journalled and replayed, and a lost neighbour gives the plans of none."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from support_neighbours import apart, pair, record_pair

from controller.cli import main
from controller.journal_reader import JournalReader
from controller.replay_solve import replay_solve
from scenarios.neighbour_link import PostOffice

pytestmark = pytest.mark.quick


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    for name, corners, loss_ratio in (("near", pair(), 0.1), ("lost", pair(), 1.0), ("apart", apart(), 0.0)):
        record_pair(folder / name, corners, PostOffice(1, loss_ratio))
    return folder


def plans_of(folder: Path) -> list[object]:
    with JournalReader(folder) as reader:
        return [(row.junction_id, row.tick, row.plan) for row in reader.plans()]


def digests_of(folder: Path) -> list[object]:
    with JournalReader(folder) as reader:
        return [tuple(row) for row in reader.snapshots()]


def test_messages_change_what_the_second_plans(days: Path) -> None:
    with JournalReader(days / "near") as reader:
        to_second = [m for m in reader.messages() if m.junction_id == "second"]
    assert 220 < len(to_second) < 295, "one every two seconds, a tenth of them lost"
    assert any(stream.exit_ms for m in to_second for stream in m.message.streams)
    assert digests_of(days / "near") != digests_of(days / "apart")


def test_a_lost_neighbour_gives_exactly_the_plans_of_none(days: Path) -> None:
    assert plans_of(days / "lost") == plans_of(days / "apart")
    assert digests_of(days / "lost") == digests_of(days / "apart")


@pytest.mark.parametrize("light", ["first", "second"])
def test_the_same_decisions_come_out_again(days: Path, light: str) -> None:
    with JournalReader(days / "near") as reader:
        outcome = replay_solve(reader, light)
    assert outcome.difference is None
    assert outcome.ticks > 100


def test_without_its_messages_a_replay_differs(days: Path, tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").write_bytes((days / "near" / "journal.sqlite").read_bytes())
    with sqlite3.connect(tmp_path / "journal.sqlite") as connection:
        assert connection.execute("DELETE FROM message").rowcount > 0
    connection.close()
    with JournalReader(tmp_path) as reader:
        outcome = replay_solve(reader, "second")
    assert outcome.difference is not None
    assert "snapshot digest" in outcome.difference.text


@pytest.mark.parametrize(("lang", "words"), [("en", "the neighbours tell of"), ("de", "die Nachbarn melden")])
def test_an_explanation_names_whom_the_neighbours_tell_of(days: Path, capsys: pytest.CaptureFixture[str], lang: str, words: str) -> None:
    options = ["--tls", "second", "--at", "06:05:00", "--lang", lang]
    assert main(["explain", str(days / "near"), *options]) == 0
    assert words in capsys.readouterr().out
    assert main(["explain", str(days / "lost"), *options]) == 0
    assert words not in capsys.readouterr().out
    assert main(["explain", str(days / "near"), *options, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["explanations"][0]["signals"]["told_by_neighbours_veh"]
    assert told["n"] > 0
