"""A campaign's folder: what is finished stays, what is broken is said, what is foreign is left alone."""

from __future__ import annotations

import errno
import json
import os
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support_bench import no_file_beyond, row

from benchmarks import columns, report, store
from benchmarks.columns import read_parquet, write_parquet
from benchmarks.files import ResultsError
from benchmarks.store import CASES, MARKER, RESULTS, ResultFolder
from controller.errors import ConfigError


def given(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows without the columns that hold nothing."""
    return [{k: v for k, v in r.items() if v is not None} for r in found]


def test_rows_come_back_as_they_were_written(tmp_path: Path) -> None:
    rows = [row("adaptive", 1), row("fixed", 2, new_figure={"a": [1, 2]}), row("fixed", 10, None, status="failed", error="it broke")]
    write_parquet(reversed(rows), tmp_path / RESULTS)
    assert given(read_parquet(tmp_path / RESULTS)) == given(rows)
    assert list(tmp_path.iterdir()) == [tmp_path / RESULTS]


def test_a_run_folder_is_of_this_machine_and_not_written(tmp_path: Path) -> None:
    write_parquet([row(folder="/somewhere")], tmp_path / RESULTS)
    assert "folder" not in read_parquet(tmp_path / RESULTS)[0]


def logged(folder: Path) -> list[dict[str, Any]]:
    """Return the rows that are in the logs of a campaign's folder."""
    return [json.loads(line) for log in sorted((folder / CASES).glob("*.jsonl")) for line in log.read_text(encoding="utf-8").splitlines()]


def test_cases_are_compacted_into_one_file(tmp_path: Path) -> None:
    folder = ResultFolder(tmp_path / "c")
    for seed in (1, 2, 3):
        folder.put(row(seed=seed))
    assert [r["seed"] for r in logged(tmp_path / "c")] == [1, 2, 3]
    folder.compact()
    assert [r["seed"] for r in read_parquet(tmp_path / "c" / RESULTS)] == [1, 2, 3]
    assert not list((tmp_path / "c" / CASES).iterdir())
    assert len(list((tmp_path / "c").rglob("*.parquet"))) == 1
    assert [r["seed"] for r in ResultFolder(tmp_path / "c").rows()] == [1, 2, 3]


def test_the_newest_row_of_a_case_counts(tmp_path: Path) -> None:
    folder = ResultFolder(tmp_path)
    folder.put(row(delay_s=99.0, code="old"))
    folder.compact()
    folder.put(row(delay_s=15.0, code="new", key="another"))
    assert [r["mean_delay_s"] for r in folder.rows()] == [15.0]
    folder.compact()
    assert [r["code"] for r in folder.rows()] == ["new"]


def test_shards_are_merged_by_copying_their_files(tmp_path: Path) -> None:
    for at in (1, 2):
        with closing(ResultFolder(tmp_path / f"shard{at}")) as shard:
            shard.put(row(seed=at))
    whole = ResultFolder(tmp_path / "whole")
    for at in (1, 2):
        for file in (tmp_path / f"shard{at}" / CASES).iterdir():
            (tmp_path / "whole" / CASES / file.name).write_bytes(file.read_bytes())
    assert sorted(r["seed"] for r in whole.compact()) == [1, 2]


@pytest.mark.parametrize("content", ["{", '{"scenario": "resco/col', "[1, 2]", "null", '{"scenario": "cross", "status": "finished"}'])
def test_a_half_written_case_is_no_result(tmp_path: Path, content: str) -> None:
    folder = ResultFolder(tmp_path)
    folder.put(row(seed=1))
    log = next((tmp_path / CASES).iterdir())
    log.write_text(log.read_text(encoding="utf-8") + content, encoding="utf-8")
    assert [r["seed"] for r in folder.rows()] == [1]
    assert folder.broken == [f"{log}, line 2"]
    assert [r["seed"] for r in folder.compact()] == [1]
    assert not ResultFolder(tmp_path).broken


def test_a_log_that_another_campaign_writes_is_not_taken_away(tmp_path: Path) -> None:
    other, mine = ResultFolder(tmp_path), ResultFolder(tmp_path)
    other.put(row(seed=1))
    mine.compact()
    other.put(row(seed=2))
    assert sorted(r["seed"] for r in mine.compact()) == [1, 2]
    assert len(logged(tmp_path)) == 2
    other.compact()
    assert not logged(tmp_path)
    assert sorted(r["seed"] for r in ResultFolder(tmp_path).rows()) == [1, 2]


def test_a_folder_of_another_format_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / MARKER).write_text(json.dumps({"format": 7, "commands": []}), encoding="utf-8")
    (tmp_path / RESULTS).write_bytes(b"of another kind")
    with pytest.raises(ConfigError, match=r"of format 7, this version writes format 1; nothing was touched. Give another --output"):
        ResultFolder(tmp_path)
    assert (tmp_path / RESULTS).read_bytes() == b"of another kind"


@pytest.mark.parametrize("content", ["{", "[]", '{"commands": []}'])
def test_a_broken_marker_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / MARKER).write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match="expected the JSON of a campaign's folder"):
        ResultFolder(tmp_path)


def test_a_broken_results_file_is_never_overwritten(tmp_path: Path) -> None:
    folder = ResultFolder(tmp_path)
    folder.put(row())
    (tmp_path / RESULTS).write_bytes(b"PAR1 cut off")
    with pytest.raises(ConfigError, match="expected the Parquet of a campaign, cannot read it"):
        folder.compact()
    assert (tmp_path / RESULTS).read_bytes() == b"PAR1 cut off"
    assert len(logged(tmp_path)) == 1


def test_another_parquet_file_is_told_by_its_columns(tmp_path: Path) -> None:
    import polars

    polars.DataFrame({"a": [1]}).write_parquet(tmp_path / RESULTS)
    with pytest.raises(ConfigError, match="without the columns scenario, control, seed"):
        read_parquet(tmp_path / RESULTS)
    with pytest.raises(ConfigError, match="no such file"):
        read_parquet(tmp_path / "none.parquet")


def test_rows_of_a_version_with_fewer_columns_can_be_reported(tmp_path: Path) -> None:
    import polars

    few = {name: value for name, value in row().items() if name in (*columns.INPUTS, "status", "mean_delay_s")}
    polars.DataFrame([few]).write_parquet(tmp_path / RESULTS)
    folder = ResultFolder(tmp_path)
    (tmp_path / CASES / "log.jsonl").write_text(json.dumps(few | {"seed": 2}) + "\n", encoding="utf-8")
    rows = folder.compact()
    assert [r["seed"] for r in rows] == [1, 2]
    report.write_report(tmp_path, rows, [])


def test_a_full_disk_leaves_no_half_file_and_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = ResultFolder(tmp_path)
    folder.put(row(seed=1))

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(store.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        folder.put(row(seed=2))
    assert [r["seed"] for r in logged(tmp_path)] == [1]
    monkeypatch.undo()
    folder.put(row(seed=3))
    assert [r["seed"] for r in folder.rows()] == [1, 3]
    folder.close()


def test_half_a_line_that_the_disk_took_is_taken_back(tmp_path: Path) -> None:
    folder = ResultFolder(tmp_path)
    folder.put(row(seed=1))
    size = next((tmp_path / CASES).iterdir()).stat().st_size
    with (
        no_file_beyond(size + 100),
        pytest.raises(ResultsError, match=r"cases: the result of resco/cologne1 adaptive seed 2 cannot be written .* same command again"),
    ):
        folder.put(row(seed=2))
    assert [log.stat().st_size for log in (tmp_path / CASES).iterdir()] == [size]
    folder.put(row(seed=3))
    assert [r["seed"] for r in ResultFolder(tmp_path).rows()] == [1, 3]
    folder.close()


def test_where_the_parquet_finds_no_room_the_cases_stay_in_their_logs(tmp_path: Path) -> None:
    folder = ResultFolder(tmp_path)
    for seed in range(1, 9):
        folder.put(row(seed=seed))
    with no_file_beyond(2000), pytest.raises(ResultsError, match=r"results.parquet: cannot be written .* What was finished before is kept"):
        folder.compact()
    assert {path.name for path in tmp_path.iterdir()} == {CASES, ".lock"}
    assert len(ResultFolder(tmp_path).compact()) == 8


def test_where_the_report_finds_no_room_the_earlier_one_stays(tmp_path: Path) -> None:
    report.write_report(tmp_path, [row(seed=1)], ["umlauf bench"])
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with no_file_beyond(5000), pytest.raises(ResultsError, match=r"\.png: cannot be written"):
        report.write_report(tmp_path, [row(seed=seed) for seed in (1, 2, 3)], ["umlauf bench"])
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_full_disk_is_told_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(store.os, "fsync", full)
    with pytest.raises(ResultsError, match=r"umlauf-bench.json: cannot be written \(No space left on device\)\. .* make room and give the same command again"):
        ResultFolder(tmp_path).note_command("umlauf bench")
    assert not list(tmp_path.glob("*.json*"))


def test_what_a_failed_run_left_is_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    folder, run = ResultFolder(tmp_path / "out"), tmp_path / "run"
    run.mkdir()
    for name in ("a.log", "b.log"):
        (run / name).write_bytes(b"x" * 9000)
    with no_file_beyond(5000), pytest.raises(shutil.Error, match="File too large"):
        folder.keep_failed(run, "key")
    assert not list((tmp_path / "out" / "failed").iterdir())
    assert len(list(folder.keep_failed(run, "key").iterdir())) == 2


def test_a_crash_between_parquet_and_cleaning_up_counts_no_run_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = ResultFolder(tmp_path)
    folder.put(row(seed=1))

    def crash(self: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(store.Path, "unlink", crash)
    with pytest.raises(KeyboardInterrupt):
        folder.compact()
    monkeypatch.undo()
    assert (tmp_path / RESULTS).is_file()
    assert len(logged(tmp_path)) == 1
    assert len(ResultFolder(tmp_path).compact()) == 1


def test_only_a_campaigns_folder_can_be_reported(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds no campaign \(no umlauf-bench.json, no results.parquet, no logs in cases\)"):
        ResultFolder(tmp_path, create=False)
    assert not list(tmp_path.iterdir())
    write_parquet([row()], tmp_path / RESULTS)
    assert len(ResultFolder(tmp_path, create=False).rows()) == 1


def test_every_key_of_simulate_json_is_a_column() -> None:
    from scenarios.summary import KEYS

    known = {*columns.TEXTS, *columns.WHOLE, *columns.NUMBERS, *columns.FLAGS, "solve_ms"}
    assert not [key for key in KEYS if key not in known]


def test_what_is_in_the_parquet_already_is_not_written_again(tmp_path: Path) -> None:
    """So that a report can be made where there is little room."""
    folder = ResultFolder(tmp_path)
    folder.put(row())
    folder.compact()
    with no_file_beyond(100):
        assert len(ResultFolder(tmp_path).compact()) == 1


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"--output: .*file is a file; give a folder"):
        ResultFolder(tmp_path / "file")
