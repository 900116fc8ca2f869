"""A campaign's folder: one small file per finished case, written whole or not at all, and one Parquet file of all of them.

DIR/umlauf-bench.json   format, and the commands that filled the folder
DIR/cases/KEY.json      cases that are not in the Parquet file yet; those of several machines are merged by copying them here
DIR/results.parquet     one row a run; the only Parquet file of the folder
DIR/failed/KEY/         what a failed run left behind: sumo.log and the rest
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from benchmarks.columns import DROPPED, Row, identity, read_parquet, write_parquet
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
    """The folder, opened. ``broken``: case files that could not be read; their cases are run again."""

    def __init__(self, path: Path, *, create: bool = True) -> None:
        if not create and not (path / MARKER).is_file():
            raise ConfigError(f"--output: {path} holds no campaign (no {MARKER}); give the folder that umlauf bench wrote")
        self.path = make_folder(path)
        self.broken: list[Path] = []
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

    def note_verified(self, text: str) -> None:
        """Remember what a verification found."""
        self._marker["verified"] = f"{utc_now():%Y-%m-%d}: {text}"
        self._write_marker()

    def _write_marker(self) -> None:
        _write(self.path / MARKER, json.dumps(self._marker, indent=1) + "\n")

    def rows(self) -> list[Row]:
        """Return one row per case, the newest where there are several. Raises `ConfigError` where the Parquet file is broken."""
        found: dict[tuple[Any, ...], Row] = {}
        results = self.path / RESULTS
        for row in [*(read_parquet(results) if results.is_file() else []), *(row for _, row in self._case_rows())]:
            key = identity(row)
            if key not in found or str(row.get("finished_utc") or "") >= str(found[key].get("finished_utc") or ""):
                found[key] = row
        return list(found.values())

    def _case_rows(self) -> Iterator[tuple[Path, Row]]:
        self.broken = []
        for path in sorted((self.path / CASES).glob("*.json")):
            try:
                row = json.loads(path.read_bytes())
                identity(row)
            except (ValueError, AttributeError):
                self.broken.append(path)
                continue
            yield path, row

    def put(self, row: Mapping[str, Any]) -> None:
        """Write a case's row, whole or not at all. Raises OSError, as on a full disk."""
        kept = {name: value for name, value in row.items() if name not in DROPPED} | {"finished_utc": utc_now().isoformat(timespec="milliseconds")}
        _write(self.path / CASES / f"{row['key']}.json", json.dumps(kept) + "\n")

    def compact(self) -> list[Row]:
        """Move all case files into the Parquet file and return all rows. A crash in between loses nothing: a row may be in both for a while."""
        with self._locked():
            rows = self.rows()
            broken = set(self.broken)
            files = [path for path, _ in self._case_rows()]
            write_parquet(rows, self.path / RESULTS)
            for path in (*files, *broken):
                path.unlink(missing_ok=True)
        return rows

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep two campaigns in one folder from writing the Parquet file at the same time."""
        with (self.path / LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def keep_failed(self, run: Path, key: str) -> Path:
        """Keep what a failed run wrote, in place of an earlier failure's, and return where it is."""
        target = make_folder(self.path / FAILED) / key
        shutil.rmtree(target, ignore_errors=True)
        shutil.move(run, target)
        return target


def _write(path: Path, text: str) -> None:
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with partial.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
