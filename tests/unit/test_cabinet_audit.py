"""The audit log: no line can be changed, removed, added or reordered unseen; a torn line is mended; a full disk stops nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path

import pytest

from controller.cabinet.audit import Head, audit_files, entries, told, verify
from controller.cabinet.audit_log import AuditLog, Entry
from controller.errors import ConfigError

WAIT_S = 10


def utc() -> datetime:
    return datetime(2026, 1, 5, 6, 0, tzinfo=UTC)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[AuditLog]:
    log = AuditLog(tmp_path, utc)
    yield log
    log.close()


def write(folder: Path, count: int, **options: int) -> Head:
    log = AuditLog(folder, utc, **options)
    heads = [log.append(Entry("anna", "unix", "override", "2026-01-05T08:00:00Z", f"Straßenarbeiten {i}", "done")) for i in range(count)]
    log.close()
    return heads[-1].result(WAIT_S)


def lines(folder: Path) -> list[str]:
    return [line for path in audit_files(folder) for line in path.read_text().splitlines()]


def test_every_line_holds_the_hash_of_the_one_before(tmp_path: Path) -> None:
    head = write(tmp_path, 3)
    entries = [json.loads(line) for line in lines(tmp_path)]
    assert [e["n"] for e in entries] == [1, 2, 3]
    assert [e["prev"] for e in entries[1:]] == [e["hash"] for e in entries[:-1]]
    assert entries[0]["why"] == "Straßenarbeiten 0"
    verdict = verify(tmp_path)
    assert (verdict.faults, verdict.entries, verdict.head) == ([], 3, head)


def test_the_chain_goes_on_after_a_restart_and_over_files(tmp_path: Path) -> None:
    write(tmp_path, 4, rotate_bytes=600)
    write(tmp_path, 4, rotate_bytes=600)
    assert len(audit_files(tmp_path)) > 2
    assert verify(tmp_path).faults == []
    assert verify(tmp_path).entries == 8


@pytest.mark.parametrize("place", range(8))
@pytest.mark.parametrize("deed", ["change", "remove", "repeat", "swap", "forge", "respace"])
def test_whatever_is_done_to_any_line_is_found(tmp_path: Path, place: int, deed: str) -> None:
    write(tmp_path, 8, rotate_bytes=900)
    path, row = [(p, i) for p in audit_files(tmp_path) for i in range(len(p.read_text().splitlines()))][place]
    text = path.read_text().splitlines()
    line = text[row]
    match deed:
        case "change":
            text[row] = line.replace("anna", "otto")
        case "remove":
            del text[row]
        case "repeat":
            text.insert(row, line)
        case "swap":
            other = (row + 1) % len(text)
            if other == row:
                text[row] = line.replace("done", "done ")
            text[row], text[other] = text[other], text[row]
        case "forge":  # with a hash that fits the line itself
            entry = json.loads(line)
            from controller.cabinet.audit import line_of

            forged, _ = line_of(Head(entry["n"] - 1, entry["prev"]), entry["at"], "otto", "unix", "override", "", "", "done")
            text[row] = forged.decode().rstrip("\n")
        case _:
            text[row] = line.replace('","', '", "')
    path.write_text("".join(f"{one}\n" for one in text))
    assert verify(tmp_path).faults


def test_a_removed_file_is_found_first_or_last(tmp_path: Path) -> None:
    write(tmp_path, 8, rotate_bytes=600)
    files = audit_files(tmp_path)
    for path in (files[0], files[-1], files[1]):
        kept = path.read_bytes()
        path.unlink()
        assert verify(tmp_path).faults, path
        path.write_bytes(kept)
    assert verify(tmp_path).faults == []


def test_a_log_ahead_of_its_head_is_no_fault(tmp_path: Path) -> None:
    write(tmp_path, 2)
    head = (tmp_path / "audit.head").read_bytes()
    write(tmp_path, 1)
    (tmp_path / "audit.head").write_bytes(head)
    assert verify(tmp_path).faults == []
    (tmp_path / "audit.head").unlink()
    assert "audit.head" in verify(tmp_path).faults[0]


def test_a_torn_last_line_is_mended_and_noted(tmp_path: Path) -> None:
    write(tmp_path, 3)
    path = audit_files(tmp_path)[0]
    data = path.read_bytes()
    path.write_bytes(data[:-40])
    assert "torn" in verify(tmp_path).faults[0]
    write(tmp_path, 1)
    found = [json.loads(line) for line in lines(tmp_path)]
    assert [e["what"] for e in found[2:]] == ["repaired", "damaged", "override"]
    assert "torn last line" in found[2]["result"]


def test_a_torn_line_that_was_never_promised_mends_without_a_fault(tmp_path: Path) -> None:
    write(tmp_path, 3)
    with audit_files(tmp_path)[0].open("ab") as file:
        file.write(b'{"n":4,"at":"2026')
    write(tmp_path, 1)
    verdict = verify(tmp_path)
    assert verdict.faults == []
    assert [json.loads(line)["what"] for line in lines(tmp_path)][3:] == ["repaired", "override"]


def test_a_log_that_was_cut_between_runs_is_noted_and_stays_a_fault(tmp_path: Path) -> None:
    write(tmp_path, 5)
    path = audit_files(tmp_path)[0]
    path.write_text("".join(f"{line}\n" for line in path.read_text().splitlines()[:3]))
    write(tmp_path, 1)
    assert [json.loads(line)["what"] for line in lines(tmp_path)][3:] == ["damaged", "override"]
    assert "expected entry 4, found 6" in verify(tmp_path).faults[0]


def test_garbage_at_the_end_and_in_the_head_does_not_begin_the_chain_anew(tmp_path: Path) -> None:
    write(tmp_path, 3)
    with audit_files(tmp_path)[0].open("ab") as file:
        file.write(b"\x00\x01\nno entry\n")
    (tmp_path / "audit.head").write_text("nothing")
    write(tmp_path, 1)
    found = [json.loads(line) for line in lines(tmp_path)[-2:]]
    assert [(entry["n"], entry["what"]) for entry in found] == [(4, "damaged"), (5, "override")]
    assert "expected one JSON object" in found[0]["result"]
    assert [told(entry)[:19] for entry in entries(tmp_path)][3:5] == ["     -  unreadable:"] * 2


def test_a_single_file_is_checked_within_itself(tmp_path: Path) -> None:
    write(tmp_path, 8, rotate_bytes=600)
    verdict = verify(audit_files(tmp_path)[1])
    assert verdict.faults == []
    assert "single file" in verdict.notes[0]


def test_a_disk_that_fails_loses_entries_but_says_so_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = AuditLog(tmp_path, utc)
    log.append(Entry("anna", "unix", "first")).result(WAIT_S)
    real, full = os.pwrite, [True]

    def pwrite(descriptor: int, data: memoryview, offset: int) -> int:
        if full[0]:
            real(descriptor, data[:20], offset)  # a part of the line gets there
            raise OSError(28, "No space left on device")
        return real(descriptor, data, offset)

    monkeypatch.setattr(os, "pwrite", pwrite)
    refused: list[Future[Head]] = [log.append(Entry("anna", "unix", "second")) for _ in range(2)]
    for future in refused:
        with pytest.raises(OSError, match="No space left"):
            future.result(WAIT_S)
    full[0] = False
    log.append(Entry("anna", "unix", "third")).result(WAIT_S)
    log.close()
    assert [json.loads(line)["what"] for line in lines(tmp_path)] == ["first", "lost", "third"]
    assert verify(tmp_path).faults == []


def test_a_folder_that_cannot_be_written_refuses_and_blocks_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    log = AuditLog(tmp_path / "file", utc)
    with pytest.raises(OSError):  # noqa: PT011 - which one depends on the system
        log.append(Entry("anna", "unix", "first")).result(WAIT_S)
    log.close()


def test_text_that_is_no_unicode_is_kept_readable(log: AuditLog, tmp_path: Path) -> None:
    log.append(Entry("anna", "unix", "first", why="a\nb \udcff")).result(WAIT_S)
    assert verify(tmp_path).faults == []
    assert len(lines(tmp_path)) == 1


def test_no_log_is_a_message(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected an audit log"):
        verify(tmp_path)
