"""A cabinet's journal, its optimizer in a process of its own: killed, frozen and restarted, over midnight; what was asked is asked again."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support_control import cover
from support_two_nodes import two_nodes, two_rings

from controller import known, replay_known
from controller.cabinet.day_journal import DayJournal
from controller.cabinet.guard import Guard
from controller.cabinet.operated import Wish
from controller.cabinet.optimizer_link import OptimizerLink
from controller.cabinet.optimizer_process import make_planners
from controller.cli import main
from controller.clock import ManualClock
from controller.errors import ConfigError
from controller.explain import Explanation, explain
from controller.explain_commands import moment_ms, read_moment
from controller.explain_json import as_object
from controller.explain_text import in_words
from controller.journal_reader import JournalReader
from controller.journal_schema import SCHEMA_VERSION, junction_text
from controller.replay import Outcome
from controller.supervisor import Mode
from controller.words import Lang
from hardware.fake import FakeHeads, FakeInputs
from hardware.registry import open_site
from scenarios.cabinet_faults import Fault
from scenarios.cabinet_inprocess import InProcessCabinet, QueueOptimizer

# The first guard's second file begins at midnight (60 s); the third is the second guard's.
KILLED_S, FROZEN_S, GUARD_KILLED_S, END_S = 90, 150, 230, 300
FIRST, MIDNIGHT, RESTARTED = "demo-2026-01-05.sqlite", "demo-2026-01-06.sqlite", "demo-2026-01-06-2.sqlite"
CASES = {
    "adaptive, own heads": (Mode.ADAPTIVE, True),
    "adaptive, controller": (Mode.ADAPTIVE, False),
    "cycle, own heads": (Mode.CYCLE, True),
    "cycle, controller": (Mode.CYCLE, False),
}


@pytest.fixture(scope="module", params=CASES)
def days(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    mode, own_heads = CASES[request.param]
    folder = tmp_path_factory.mktemp("days")
    cabinet = InProcessCabinet(folder, mode=mode, own_heads=own_heads, seed=3, start_h=24 - 1 / 60)
    for fault, at_s in ((Fault.OPTIMIZER_KILL, KILLED_S), (Fault.OPTIMIZER_STOP, FROZEN_S), (Fault.GUARD_KILL, GUARD_KILLED_S)):
        cabinet.run_to(1_000 * at_s)
        cabinet.begin(fault)
    cabinet.run_to(1_000 * END_S)
    cabinet.close()
    return folder


def solved(path: Path) -> Outcome:
    with JournalReader(path) as reader:
        (name,) = reader.junctions
        return replay_known.replay_known(reader, name)


def explained(path: Path, at: str) -> Explanation:
    with JournalReader(path) as reader:
        (one,) = explain(reader, "demo", moment_ms(read_moment(at), reader))
        return one


def changed(path: Path, folder: Path, *statements: str) -> Path:
    """Return a copy of a journal in which somebody has written."""
    copy = folder / path.name
    shutil.copy(path, copy)
    with closing(sqlite3.connect(copy)) as connection, connection:
        for statement in statements:
            connection.execute(statement)
    return copy


def test_each_file_proves_its_decisions_alone(days: Path) -> None:
    for name, least in ((FIRST, 3), (MIDNIGHT, 3), (RESTARTED, 3)):
        outcome = solved(days / name)
        assert outcome.difference is None, f"{name}: {outcome.difference}"
        assert "not proven" not in outcome.compared, name
        assert int(outcome.compared.split()[0]) >= least, name


def test_the_command_proves_frames_and_decisions(days: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(days), "--solve"]) == 0
    said = capsys.readouterr().out
    assert said.count("plans of the optimizer: the same decisions") == 3
    assert said.count("the same frames") + said.count("the same commands") == 3


def test_without_what_planners_remember_nothing_is_proven(days: Path, tmp_path: Path) -> None:
    outcome = solved(changed(days / MIDNIGHT, tmp_path, "DELETE FROM memory"))
    assert outcome.compared.startswith("0 plans of the optimizer (")
    assert "what their planner remembered is not recorded" in outcome.compared


def test_a_plan_that_was_tampered_with_is_found(days: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = "made_ms = (SELECT max(made_ms) FROM plan WHERE planner IN (SELECT id FROM name WHERE text IN ('adaptive', 'cycle')))"
    path = changed(days / RESTARTED, tmp_path, f"UPDATE plan SET steps = '[[0,12345]]' WHERE {made}")
    outcome = solved(path)
    assert outcome.difference is not None
    assert "recorded  [[0,12345]]" in outcome.difference.text
    assert main(["replay", str(path), "--solve"]) == 1
    assert "first difference at tick" in capsys.readouterr().out


def test_a_plan_that_nobody_asked_for_is_found(days: Path, tmp_path: Path) -> None:
    planner = "(SELECT id FROM name WHERE text IN ('adaptive', 'cycle'))"
    outcome = solved(
        changed(days / RESTARTED, tmp_path, f"UPDATE plan SET made_ms = made_ms + 7 WHERE rowid = (SELECT max(rowid) FROM plan WHERE planner IN {planner})")
    )
    assert outcome.difference is not None
    assert "no question that it answers" in outcome.difference.text


def test_what_was_known_changed_is_damage_or_a_difference(days: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = changed(days / RESTARTED, tmp_path, "UPDATE known SET body = zeroblob(length(body)) WHERE rowid = 3")
    assert main(["replay", str(path), "--solve"]) == 1
    assert "the journal is damaged (what a decision knew cannot be read" in capsys.readouterr().out
    assert main(["explain", str(path), "--at", "00:03:58"]) == 1
    assert "the journal is damaged" in capsys.readouterr().err


def test_a_memory_of_another_junction_is_damage(days: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = changed(days / RESTARTED, tmp_path, "UPDATE memory SET body = '{}'")
    assert main(["replay", str(path), "--solve"]) == 1
    assert "knew or remembered is damaged" in capsys.readouterr().out


def test_a_file_cut_off_in_mid_write_is_read_up_to_there(days: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = (days / FIRST).read_bytes()
    path = tmp_path / FIRST
    path.write_bytes(data[: len(data) * 3 // 5 + 100])
    assert main(["replay", str(path), "--solve"]) == 1
    told = capsys.readouterr()
    assert "damaged" in told.out + told.err
    assert "Traceback" not in told.out + told.err


def test_a_journal_of_the_version_before_is_still_read(days: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = changed(days / RESTARTED, tmp_path, "DROP TABLE known", "DROP TABLE memory", "PRAGMA user_version = 2")
    assert main(["replay", str(path), "--solve"]) == 0
    assert "nothing to solve again" in capsys.readouterr().out
    assert main(["explain", str(path), "--at", "00:04:00"]) == 0
    assert "What was known cannot be rebuilt" in capsys.readouterr().out
    path = changed(days / RESTARTED, tmp_path, f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    assert main(["explain", str(path), "--at", "00:04:00"]) == 1
    assert f"expected a journal of version 2 or {SCHEMA_VERSION}, found version {SCHEMA_VERSION + 1}" in capsys.readouterr().err


def test_a_decision_of_the_optimizer_is_explained_with_its_alternatives(days: Path) -> None:
    for path, at in ((days / FIRST, "23:59:40.2"), (days / MIDNIGHT, "00:00:20.2"), (days / RESTARTED, "00:03:55.2")):
        one = explained(path, at)
        assert one.decider == one.mode == one.control
        assert one.snapshot is not None
        assert one.proof.first_difference_ms is None
        assert one.alternatives
        assert one.chosen is not None or not one.fresh
        assert one.measured == (one.control == "cycle")
        english, german = in_words(one, Lang.EN), in_words(one, Lang.DE)
        assert f"2026-01-0{5 + (at[0] != '2')} {at[:7]}" in english
        assert f"What was known is in the journal. {one.decider}" in english
        assert f"Was bekannt war, steht im Journal. {one.decider}" in german
        assert ("weighed afterwards" in english) == one.measured
        assert ("nachträglich" in german) == one.measured
        assert "No plan of the optimizer" not in english


@pytest.mark.parametrize("at", ["00:00:32", "00:01:35"])
def test_a_moment_without_the_optimizer_says_who_decided_and_why(days: Path, at: str) -> None:
    one = explained(days / MIDNIGHT, at)
    assert (one.mode, one.decider) == ("actuated", "actuated")
    assert one.alternatives, "what each choice would have cost is told all the same"
    english, german = in_words(one, Lang.EN), in_words(one, Lang.DE)
    assert "Mode actuated (control " in english
    assert "optimizer lost (" in english
    assert "No plan of the optimizer at this moment: actuated decided in its place." in english
    assert "kein Plan des Optimierers: An seiner Stelle entschied actuated." in german
    assert "Optimierer ausgefallen" in german
    told = as_object(one, Lang.EN)
    assert told["decided_by"] == "actuated"
    assert told["at_utc"] == f"2026-01-06T{at}.000Z"
    assert isinstance(told["mode_since"], dict)
    assert told["mode_since"]["event"] == "optimizer_lost"


def test_a_question_to_a_frozen_optimizer_says_so(days: Path) -> None:
    one = explained(days / MIDNIGHT, "00:01:31.2")
    if one.control == "adaptive":
        assert one.unanswered
        assert "its answer did not come in time or was not used" in in_words(one, Lang.EN)
        assert "Antwort kam nicht rechtzeitig" in in_words(one, Lang.DE)


def test_a_file_that_begins_under_an_older_plan_says_so(days: Path, tmp_path: Path) -> None:
    one = explained(changed(days / MIDNIGHT, tmp_path, "DELETE FROM plan"), "00:00:20")
    assert one.row is None
    assert one.alternatives
    assert "This file holds no plan up to here" in in_words(one, Lang.EN)
    assert "Diese Datei enthält bis hierher keinen Plan" in in_words(one, Lang.DE)


def test_the_picture_is_drawn_of_each(days: Path, tmp_path: Path) -> None:
    for at in ("00:00:20", "00:00:32"):
        assert main(["explain", str(days / MIDNIGHT), "--at", at, "--lang", "de", "-o", str(tmp_path / "x.svg")]) == 0
        assert "demo bei 2026-01-06 00:00:" in (tmp_path / "x.svg").read_text(encoding="utf-8")


def test_times_are_of_the_clock_or_with_an_offset(days: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert {explained(days / MIDNIGHT, at).now_ms for at in ("00:00:20", "00:00:20Z", "01:00:20+01:00", "19:30:20-04:30")} == {80_000}
    assert main(["explain", str(days / MIDNIGHT), "--at", "12:00:00"]) == 1
    assert "expected a time of the journal, 2026-01-06 00:00:00 UTC to 2026-01-06 00:02:" in capsys.readouterr().err
    assert main(["explain", str(days), "--at", "12:00:00"]) == 1
    assert FIRST in capsys.readouterr().err


def test_an_override_and_signals_that_are_off_are_told_as_such(tmp_path: Path) -> None:
    cabinet = InProcessCabinet(tmp_path, own_heads=True, seed=3)
    cabinet.run_to(20_000)
    for mode, who in ((Mode.FIXED, "kim"), (Mode.FLASH, "sam")):
        now_ms, guard = cabinet.clock.now_ms(), cabinet.guard
        assert guard is not None
        guard.override(Wish(mode, now_ms + 60_000, cabinet.clock.utc() + timedelta(seconds=60), who, "road works"), now_ms)
        cabinet.run_to(now_ms + 50_000)
    cabinet.close()
    fixed, off = (explained(tmp_path / FIRST, at) for at in ("07:00:40", "07:01:55"))
    assert (fixed.mode, fixed.decider, off.mode, off.decider) == ("fixed", "fixed", "flash", "off")
    assert "override (override by kim: road works)" in in_words(fixed, Lang.EN)
    assert "Übersteuerung (Übersteuerung durch kim: road works)" in in_words(fixed, Lang.DE)
    assert "now: signals off, or left to the controller" in in_words(off, Lang.EN)
    assert "jetzt: Signale aus oder dem Steuergerät überlassen" in in_words(off, Lang.DE)
    assert not off.alternatives
    plan = as_object(off, Lang.EN)["plan"]
    assert isinstance(plan, dict)
    assert plan["steps"] == [{"stage": None, "until_s": None, "clear_s": 0.0}]
    assert main(["explain", str(tmp_path), "--at", "07:01:55", "-o", str(tmp_path / "off.png")]) == 0
    assert solved(tmp_path / FIRST).difference is None


def test_each_of_two_nodes_is_asked_again_and_explained(tmp_path: Path) -> None:
    one = two_nodes(two_rings())
    process = QueueOptimizer(make_planners(one))
    link = OptimizerLink(one, lambda: process, junction_text(one))
    clock = ManualClock(0, datetime(2026, 1, 5, 7, tzinfo=UTC))
    journal = DayJournal(tmp_path, "demo", clock.utc, threaded=False)
    heads = open_site(one.site_spec(), FakeHeads(one.site_spec()), now_ms=0)
    guard = Guard(one, Mode.ADAPTIVE, FakeInputs(cover(one.detectors[0].id, 5_000, 40_000)), heads, clock=clock, optimizer=link, journal=journal)
    while guard.due_ms <= 60_000:
        clock.wait_until(guard.due_ms)
        guard.tick()
    journal.close()
    outcome = solved(tmp_path / FIRST)
    assert outcome.difference is None
    assert int(outcome.compared.split()[0]) > 100
    with JournalReader(tmp_path / FIRST) as reader:
        west, east = explain(reader, one.id, moment_ms(read_moment("07:00:45"), reader))
    assert (west.node.id, east.node.id) == ("west", "east")
    assert west.proof.compared > 30
    assert east.proof.compared > 30
    assert west.alternatives[0].stage < 4


def planner_of(days: Path) -> tuple[str, list[known.Known]]:
    with JournalReader(days / FIRST) as reader:
        rows = [row for row in reader.known() if row.planner in replay_known.OPTIMIZED]
        return rows[0].planner, rows


def test_a_planner_that_recalls_goes_on_as_the_one_that_remembers(days: Path) -> None:
    planner, rows = planner_of(days)
    with JournalReader(days / FIRST) as reader:
        model = reader.junctions["demo"].junction
    old, new = (make_planners(model)["demo", planner] for _ in range(2))
    for row in rows[:30]:
        old.submit(row.snapshot)
        old.poll()
    new.recall(json.loads(json.dumps(old.memory())))
    assert new.memory() == old.memory()
    for row in rows[30:]:
        for one in (old, new):
            one.submit(row.snapshot)
        assert new.poll() == old.poll()
        assert new.last_digest == old.last_digest


def test_a_simulations_journal_is_asked_without_an_offset() -> None:
    simulation: Any = SimpleNamespace(meta={"created_utc": "2026-01-05T07:00:00+00:00"}, notes=tuple)
    with pytest.raises(ConfigError, match="which knows no UTC"):
        moment_ms(read_moment("07:30:00+01:00"), simulation)
    assert moment_ms(read_moment("07:30:00"), simulation) == 27_000_000


def test_chunks_can_be_read_from_any_whole_one(days: Path) -> None:
    with JournalReader(days / FIRST) as reader:
        rows = list(reader.known())
    texts = [known.known_text(*row) for row in rows]
    packer = known.Packer()
    chunks = [packer.pack(texts[k % len(texts) :][:1]) for k in range(2 * known.WHOLE_EVERY + 3)]
    assert [k for k, (whole, _) in enumerate(chunks) if whole] == [0, known.WHOLE_EVERY, 2 * known.WHOLE_EVERY]
    late = list(known.unpack(iter(chunks[known.WHOLE_EVERY :])))
    assert late == list(known.unpack(iter(chunks)))[known.WHOLE_EVERY :]
    assert late[0] == [rows[known.WHOLE_EVERY % len(rows)]]
