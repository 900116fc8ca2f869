"""The journal: an append-only record of all that is needed to tell, and to run again, what a junction did and why.

Rows gather in memory (`controller.journal_rows`) and go to disk together on `Journal.flush`, which `Journal.tick` calls by itself.
"""

from __future__ import annotations

import hashlib
import platform
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from controller.clock import utc_now
from controller.journal_rows import FLUSH_INTERVAL_MS, FLUSH_ROWS, Batch, JournalRows
from controller.journal_schema import TABLES, JournalError, create_statements, insert_statement, json_text

DECIDING: Final = ("controller", "hardware", "optimizer")

_INSERTS: Final = {table: insert_statement(table) for table in TABLES}


class Journal(JournalRows):
    """Writes one journal file. Use it as a context manager, or call `close`."""

    def __init__(self, path: Path, connection: sqlite3.Connection, flush_rows: int, flush_interval_ms: int) -> None:
        """Wrap an open connection; use `create`."""
        super().__init__(flush_rows, flush_interval_ms)
        self.path = path
        self._connection = connection
        self._closed = False

    @classmethod
    def create(cls, path: str | Path, meta: Mapping[str, object], *, flush_rows: int = FLUSH_ROWS, flush_interval_ms: int = FLUSH_INTERVAL_MS) -> Self:
        """Make a new journal file. Raises `JournalError` where it exists already or cannot be written."""
        file = Path(path)
        if file.exists():
            raise JournalError(f"{file}: expected no journal here yet, found one; choose another output folder or remove it")
        with disk_errors(file):
            connection = new_file(file)
        journal = cls(file, connection, flush_rows, flush_interval_ms)
        journal._rows["meta"] += meta_rows(meta)
        journal.flush()
        return journal

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def flush(self) -> None:
        """Write all pending rows in one transaction. Raises `JournalError`; the rows then stay pending and earlier ones stay on disk."""
        with disk_errors(self.path):
            write_batch(self._connection, self._batch())
        self._clear()

    def close(self) -> None:
        """Write what is pending and leave one self-contained file (no ``-wal`` beside it)."""
        if self._closed:
            return
        self._closed = True
        try:
            self.flush()
            with disk_errors(self.path):
                self._connection.execute("PRAGMA journal_mode = DELETE")
        finally:
            self._connection.close()


def new_file(path: Path) -> sqlite3.Connection:
    """Return a connection to a new, empty journal. Raises `sqlite3.Error`. It may be used by another thread than this, by one at a time."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = NORMAL", *create_statements()):
            connection.execute(statement)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def write_batch(connection: sqlite3.Connection, rows: Batch) -> None:
    """Write rows in one transaction, all or none of them. Raises `sqlite3.Error`."""
    connection.execute("BEGIN")
    try:
        for table, values in rows.items():
            connection.executemany(_INSERTS[table], values)
        connection.execute("COMMIT")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def meta_rows(meta: Mapping[str, object]) -> list[tuple[object, ...]]:
    """Return the rows that say where and by what a journal is written, and what the writer adds."""
    return [(key, json_text(value)) for key, value in (origin() | dict(meta)).items()]


def origin() -> dict[str, object]:
    """Return what a replay must know of where the journal was written (solves repeat exactly on the same CPU and numba)."""
    return {
        "created_utc": utc_now().isoformat(timespec="milliseconds"),
        "umlauf": version_of("umlauf"),
        "code": _code_hash(),
        "numba": version_of("numba"),
        "numpy": version_of("numpy"),
        "python": platform.python_version(),
        "machine": platform.machine(),
    }


def _code_hash() -> str:
    """Return a hash of the sources that decide, which tells builds of one version apart."""
    digest = hashlib.blake2b(digest_size=8)
    root = Path(__file__).resolve().parents[1]
    for path in sorted(path for package in DECIDING for path in (root / package).rglob("*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def version_of(distribution: str) -> str:
    """Return an installed distribution's version."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not installed"


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Raise `JournalError` for SQLite's errors."""
    try:
        yield
    except sqlite3.Error as error:
        raise JournalError(
            f"{path}: the journal cannot be written ({error}); expected a writable folder with free space. What was written before is kept"
        ) from error
