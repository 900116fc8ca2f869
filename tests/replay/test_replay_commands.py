"""What a controller was asked for follows from what it was seen to show and from the plans: over midnight, restarts, silence, flash."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from controller.cabinet.operated import Wish
from controller.cabinet.replay_commands import replay_commands
from controller.cli import main
from controller.journal_reader import JournalReader
from controller.journal_schema import COMMAND, DRIVEN, RESUME, SEEN, JournalError
from controller.replay import Outcome, find_journals, read_records
from controller.supervisor import Mode
from hardware.ports import Actuation
from scenarios.cabinet_faults import Fault
from scenarios.cabinet_inprocess import InProcessCabinet

SILENT_S, FLASHING_S, KILLED_S, END_S = 80, 120, 200, 260  # midnight is at 60 s
MODES = {Actuation.PHASE_CONTROL: Mode.ADAPTIVE, Actuation.SPLITS: Mode.CYCLE, Actuation.CALLS: Mode.ADAPTIVE}
KIND = "kind = (SELECT id FROM name WHERE text = '{}')"


@pytest.fixture(scope="module", params=Actuation)
def days(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("days")
    cabinet = InProcessCabinet(folder, mode=MODES[request.param], actuation=request.param, seed=3, start_h=24 - 1 / 60)
    cabinet.run_to(1_000 * SILENT_S)
    cabinet.begin(Fault.SNMP_SILENT)
    cabinet.run_to(1_000 * SILENT_S + 12_000)
    cabinet.end(Fault.SNMP_SILENT)
    cabinet.run_to(1_000 * FLASHING_S)
    now_ms = cabinet.clock.now_ms()
    cabinet.guard.override(Wish(Mode.FLASH, now_ms + 20_000, cabinet.clock.utc() + timedelta(seconds=20), "kim", "lamps"), now_ms)
    cabinet.run_to(1_000 * KILLED_S)
    cabinet.begin(Fault.GUARD_KILL)
    cabinet.run_to(1_000 * END_S)
    cabinet.close()
    return folder


def proven(path: Path) -> Outcome:
    with JournalReader(path) as reader:
        (record,), damage = read_records(reader)
        assert (damage, record.observed) == ("", True)
        return replay_commands(reader, record)


def changed(path: Path, folder: Path, change: Callable[[sqlite3.Connection], object]) -> Path:
    copy = folder / path.name
    shutil.copy(path, copy)
    with closing(sqlite3.connect(copy)) as connection:
        change(connection)
        connection.commit()
    return copy


def test_each_file_proves_its_commands(days: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = find_journals(days)
    assert len(files) == 3
    assert main(["replay", str(days)]) == 0
    told = capsys.readouterr().out.splitlines()
    found = [re.search(r" ticks, (\d+) commands? to the controller: the same commands$", line) for line in told]
    assert sum(int(one[1]) for one in found if one is not None) >= 7
    assert None not in found
    assert [proven(path).difference for path in files] == [None] * 3


def test_another_command_than_the_recorded_one_is_found(days: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    midnight = find_journals(days)[1]
    count = int(proven(midnight).compared.split()[0])

    def of(order: str) -> str:
        return f"rowid = (SELECT rowid FROM note WHERE {KIND.format(COMMAND)} ORDER BY rowid {order} LIMIT 1)"

    last = changed(midnight, tmp_path, lambda db: db.execute(f"UPDATE note SET text = 'pattern' WHERE {of('DESC')}"))
    outcome = proven(last)
    assert outcome.compared == f"{count - 1} command{'s' * (count != 2)} to the controller"
    assert outcome.difference is not None
    assert " pattern " in next(line for line in outcome.difference.text.splitlines() if line.startswith("    recorded"))
    dropped = proven(changed(midnight, tmp_path, lambda db: db.execute(f"DELETE FROM note WHERE {of('ASC')}")))
    assert dropped.difference is not None
    more = proven(changed(midnight, tmp_path, lambda db: db.execute(f"INSERT INTO note SELECT now_ms, kind, text, detail FROM note WHERE {of('DESC')}")))
    assert more.difference is not None
    assert more.difference.text.endswith("    again     nothing")
    assert main(["replay", str(last)]) == 1
    assert capsys.readouterr().out.endswith("The journal was written with the same versions as here, so they should have been the same\n")


def test_what_was_seen_otherwise_is_found(days: Path, tmp_path: Path) -> None:
    path = changed(find_journals(days)[1], tmp_path, lambda db: db.execute(f"DELETE FROM note WHERE {KIND.format(SEEN)}"))
    assert proven(path).difference is not None


def test_where_it_is_not_recorded_nothing_is_proven(days: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, midnight, _ = find_journals(days)
    older = changed(first, tmp_path, lambda db: db.execute(f"DELETE FROM note WHERE {KIND.format(DRIVEN)}"))

    def forget(db: sqlite3.Connection) -> None:
        ((text,),) = db.execute(f"SELECT detail FROM note WHERE {KIND.format(RESUME)}").fetchall()
        detail = json.loads(text)
        db.execute(f"UPDATE note SET detail = ? WHERE {KIND.format(RESUME)}", [json.dumps({**detail, "nodes": {node: {} for node in detail["nodes"]}})])

    for path in (older, changed(midnight, tmp_path, forget)):
        outcome = proven(path)
        assert (outcome.ticks, outcome.difference) == (0, None)
        assert outcome.compared.endswith("how it was driven is not recorded")
        assert main(["replay", str(path)]) == 0


@pytest.mark.parametrize("word", ["sent", "stage"])
def test_a_head_that_is_damaged_is_told(days: Path, tmp_path: Path, word: str, capsys: pytest.CaptureFixture[str]) -> None:
    def damage(db: sqlite3.Connection) -> None:
        db.execute(f"UPDATE note SET detail = replace(detail, '\"{word}\"', '\"s\"') WHERE {KIND.format(RESUME)}")

    path = changed(find_journals(days)[1], tmp_path, damage)
    with pytest.raises(JournalError, match="of how the controller was driven is damaged"):
        proven(path)
    assert main(["replay", str(path)]) == 1
    assert "is damaged" in capsys.readouterr().out
