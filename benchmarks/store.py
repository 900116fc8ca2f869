"""A campaign's folder: a log of finished cases, each written at once, and one Parquet file of all of them.

``umlauf-bench.json`` holds the format and the commands that filled the folder; ``cases/*.jsonl`` the cases that are not in
``results.parquet`` yet, one a line, a file for each process that ran some (those of several machines are merged by copying them
there); ``failed/KEY/`` what a failed run left behind. One file for each case was tried: deleting 10 000 of them took 30 s.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Final

from benchmarks.columns import DROPPED, Row, complete, identity, read_parquet, write_parquet
from benchmarks.files import not_written, write_whole
from controller.clock import utc_now
from controller.errors import ConfigError
from scenarios.runner import make_folder

FORMAT: Final = 1
MARKER: Final = "umlauf-bench.json"
RESULTS: Final = "results.parquet"
CASES: Final = "cases"
FAILED: Final = "failed"
LOCK: Final = ".lock"


class ResultFolder:
    """The folder, opened. ``broken``: lines of the log that are no case, as where the power failed; these cases are run again."""

    def __init__(self, path: Path, *, create: bool = True) -> None:
        if not create and not any((path / name).is_file() for name in (MARKER, RESULTS)) and not any((path / CASES).glob("*.jsonl")):
            raise ConfigError(f"--output: {path} holds no campaign (no {MARKER}, no {RESULTS}, no logs in {CASES}); give the folder that umlauf bench wrote")
        self.path = make_folder(path)
        self.broken: list[str] = []
        self._read: list[Path] = []  # the logs that `rows` took in last
        self._log: BinaryIO | None = None  # our own
        self._marker = self._read_marker()
        make_folder(path / CASES)

    def _read_marker(self) -> dict[str, Any]:
        path = self.path / MARKER
        if not path.is_file():
            return {"format": FORMAT, "commands": []}
        try:
            marker: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            found = marker["format"]
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise ConfigError(f"{path}: expected the JSON of a campaign's folder with its format, found something else ({error}); restore it") from error
        if found != FORMAT:
            raise ConfigError(
                f"{self.path}: a campaign folder of format {found}, this version writes format {FORMAT}; nothing was touched. "
                "Give another --output, or use the version of umlauf that wrote it"
            )
        return marker

    @property
    def commands(self) -> list[str]:
        """Return the commands that filled the folder."""
        return list(self._marker["commands"])

    def note_command(self, command: str) -> None:
        """Remember a command that fills the folder."""
        self._marker["commands"] = list(dict.fromkeys([*self.commands, command]))
        self._write_marker()

    @property
    def verified(self) -> str:
        """Return what the last verification found, empty before the first."""
        return str(self._marker.get("verified", ""))

    @property
    def reference(self) -> str:
        """Return the control that the report compares the others with, empty where nobody asked for one."""
        return str(self._marker.get("reference", ""))

    def note_reference(self, control: str) -> None:
        """Remember with which control the report compares the others."""
        self._marker["reference"] = control
        self._write_marker()

    def note_verified(self, text: str) -> None:
        """Remember what a verification found."""
        self._marker["verified"] = f"{utc_now():%Y-%m-%d}: {text}"
        self._write_marker()

    def _write_marker(self) -> None:
        write_whole(self.path / MARKER, (json.dumps(self._marker, indent=1) + "\n").encode())

    def rows(self) -> list[Row]:
        """Return one row per case, the newest where there are several. Raises `ConfigError` where the Parquet file is broken."""
        found: dict[tuple[Any, ...], Row] = {}
        results = self.path / RESULTS
        for row in [*(read_parquet(results) if results.is_file() else []), *self._case_rows()]:
            key = identity(row)
            if key not in found or str(row.get("finished_utc") or "") >= str(found[key].get("finished_utc") or ""):
                found[key] = row
        return list(found.values())

    def _case_rows(self) -> Iterator[Row]:
        self.broken, self._read = [], []
        for path in sorted((self.path / CASES).glob("*.jsonl")):
            self._read.append(path)
            for number, line in enumerate(path.read_bytes().splitlines(), 1):
                try:
                    row = complete(json.loads(line))
                except ValueError:
                    self.broken.append(f"{path}, line {number}")
                    continue
                yield row

    def put(self, row: Mapping[str, Any]) -> None:
        """Write a case's row to the log, whole or not at all. Raises `ResultsError`, as on a full disk."""
        kept = {name: value for name, value in row.items() if name not in DROPPED} | {"finished_utc": utc_now().isoformat(timespec="milliseconds")}
        case = f"the result of {row.get('scenario')} {row.get('control')} seed {row.get('seed')} "
        try:
            _append(self._own_log(), (json.dumps(kept) + "\n").encode())
        except OSError as error:
            self.close()
            raise not_written(self.path / CASES, error, case) from error

    def _own_log(self) -> BinaryIO:
        """Return this process's log. It is locked as long as it is open, so that nobody else takes it away."""
        if self._log is None:
            path = self.path / CASES / f"{utc_now():%Y%m%dT%H%M%S%f}-{platform.node()}-{os.getpid()}.jsonl"
            self._log = path.open("ab", buffering=0)
            fcntl.flock(self._log, fcntl.LOCK_EX)
        return self._log

    def close(self) -> None:
        """Close the log; the next `put` opens another one."""
        if self._log is not None:
            with suppress(OSError):
                self._log.close()
            self._log = None

    def compact(self) -> list[Row]:
        """Move all logged cases into the Parquet file and return all rows. A crash in between loses nothing: a row may be in both for a while."""
        self.close()
        with self._locked():
            rows = self.rows()
            if self._read or not (self.path / RESULTS).is_file():
                write_parquet(rows, self.path / RESULTS)
            for path in self._read:
                _remove_unless_written(path)
        return rows

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep two campaigns in one folder from writing the Parquet file at the same time."""
        path = self.path / LOCK
        try:
            lock = path.open("w")
        except OSError as error:
            raise not_written(path, error) from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def keep_failed(self, run: Path, key: str) -> Path:
        """Keep what a failed run wrote, in place of an earlier failure's, and return where it is. Raises OSError, and then keeps none of it."""
        target = self.path / FAILED / key
        shutil.rmtree(target, ignore_errors=True)
        try:
            target.parent.mkdir(exist_ok=True)
            shutil.copytree(run, target)
        except OSError:
            shutil.rmtree(target, ignore_errors=True)
            raise
        return target


def _remove_unless_written(path: Path) -> None:
    """Remove a log that no other process has open; the rows of one that has are in the Parquet file too, and the newest counts."""
    with path.open("rb") as log, suppress(BlockingIOError):
        fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()


def _append(log: BinaryIO, content: bytes) -> None:
    """Write to the end of an unbuffered file and to the disk; where there is no room for all of it, for none."""
    before = log.seek(0, os.SEEK_END)
    try:
        while content:
            content = content[log.write(content) :]
        os.fsync(log.fileno())
    except OSError:
        with suppress(OSError):
            os.ftruncate(log.fileno(), before)
        raise
