"""Reads a journal, also one that was cut off in mid-write: rows come up to the damage, then `JournalDamagedError`."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

from controller.journal_schema import APPLICATION_ID, FILE_NAME, READABLE, JournalError, aspects_of, junction_of, plan_of
from controller.junction import Junction
from controller.known import Known, unpack
from controller.neighbours import Message, message_of
from controller.plan import Plan
from hardware.ports import InputEvent, InputKind
from hardware.signals import Aspect

_Made = TypeVar("_Made")

_SQLITE_HEAD = b"SQLite format 3\0"  # https://www.sqlite.org/fileformat.html, 1.3


class JournalDamagedError(JournalError):
    """The file is damaged from here on; all rows before it have been returned."""


class _Names(dict[int, str]):
    def __missing__(self, number: int) -> str:
        raise JournalDamagedError(f"name {number} is missing")


class JunctionRow(NamedTuple):
    """A junction, the control that drove it from ``start_ms``, and whether its decisions can be rebuilt from the events."""

    junction: Junction
    control: str
    start_ms: int
    solvable: bool


class EventRow(NamedTuple):
    """An input event and the tick in which it arrived."""

    junction_id: str
    tick: int
    event: InputEvent


class PlanRow(NamedTuple):
    """A plan and the tick in which the sequencer took it."""

    junction_id: str
    node_id: str
    tick: int
    now_ms: int
    plan: Plan


class MessageRow(NamedTuple):
    """A neighbour's message and the tick in which it arrived."""

    junction_id: str
    tick: int
    message: Message


class FrameRow(NamedTuple):
    """A frame that differs from the one before."""

    junction_id: str
    tick: int
    now_ms: int
    aspects: tuple[Aspect, ...]


class ModeRow(NamedTuple):
    """A change of mode."""

    junction_id: str
    tick: int
    now_ms: int
    mode: str
    event: str
    reason: str


class SnapshotRow(NamedTuple):
    """The digest of what a planner was given."""

    junction_id: str
    node_id: str
    tick: int
    digest: bytes


class MemoryRow(NamedTuple):
    """What a planner remembered before it was asked in a tick."""

    junction_id: str
    node_id: str
    tick: int
    planner: str
    memory: dict[str, Any]


class NoteRow(NamedTuple):
    """Anything else."""

    now_ms: int
    kind: str
    text: str
    detail: dict[str, object]


class JournalReader:
    """Reads one journal file, which may still be written by another process. Use it as a context manager."""

    def __init__(self, path: str | Path) -> None:
        """Open the file, or the journal in the folder ``path``. Raises `JournalError` where it is none of this version."""
        given = Path(path)
        self.path = given / FILE_NAME if given.is_dir() else given
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        if not self.path.is_file():
            raise JournalError(f"{self.path}: expected a journal, found no such file; 'umlauf simulate' writes one into its run folder")
        self._connection = self._open(self.path)
        try:
            self._check_kind()
        except JournalError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
        if self._copy is not None:
            self._copy.cleanup()

    @cached_property
    def meta(self) -> dict[str, object]:
        """Return what the writer told of itself and of the run."""
        return dict(self._rows("SELECT key, value FROM meta", lambda key, value: (key, json.loads(value))))

    @cached_property
    def junctions(self) -> dict[str, JunctionRow]:
        """Return the junctions by id, in the order in which they were recorded."""
        names = self._names
        return dict(
            self._rows(
                "SELECT junction, control, model, start_ms, solvable FROM junction ORDER BY rowid",
                lambda number, control, model, start_ms, solvable: (names[number], JunctionRow(junction_of(model), control, start_ms, bool(solvable))),
            )
        )

    def ticks(self) -> Iterator[tuple[int, int]]:
        """Yield each tick and its time in milliseconds."""
        runs = self._rows("SELECT first_tick, first_ms, step_ms, count FROM ticks ORDER BY rowid", lambda *row: tuple(map(int, row)))
        for first_tick, first_ms, step_ms, count in runs:
            for i in range(count):
                yield first_tick + i, first_ms + i * step_ms

    def span_ms(self) -> tuple[int, int] | None:
        """Return the times of the first and the last tick, None where there is none."""
        for first_ms, last_ms in self._select("SELECT MIN(first_ms), MAX(first_ms + step_ms * (count - 1)) FROM ticks"):
            return None if first_ms is None else (int(first_ms), int(last_ms))
        return None

    def events(self) -> Iterator[EventRow]:
        """Yield the input events in the order in which they arrived."""
        names = self._names
        return self._rows(
            "SELECT * FROM event ORDER BY rowid",
            lambda junction, tick, at_ms, kind, source, value: EventRow(names[junction], tick, InputEvent(at_ms, InputKind(names[kind]), names[source], value)),
        )

    def messages(self) -> Iterator[MessageRow]:
        """Yield the neighbours' messages in the order in which they arrived."""
        names = self._names
        return self._rows("SELECT * FROM message ORDER BY rowid", lambda junction, tick, body: MessageRow(names[junction], tick, message_of(body)))

    def plans(self) -> Iterator[PlanRow]:
        """Yield the plans in the order in which they were taken."""
        names = self._names
        return self._rows(
            "SELECT * FROM plan ORDER BY rowid",
            lambda junction, node, tick, now_ms, planner, made_ms, steps, reason, detail: PlanRow(
                names[junction], names[node], tick, now_ms, plan_of(names[planner], made_ms, steps, reason, detail)
            ),
        )

    def frames(self) -> Iterator[FrameRow]:
        """Yield the frames where they change."""
        names = self._names
        return self._rows(
            "SELECT * FROM frame ORDER BY rowid",
            lambda junction, tick, now_ms, text: FrameRow(names[junction], tick, now_ms, aspects_of(text)),
        )

    def modes(self) -> Iterator[ModeRow]:
        """Yield the changes of mode."""
        names = self._names
        return self._rows(
            "SELECT * FROM mode ORDER BY rowid",
            lambda junction, tick, now_ms, mode, event, reason: ModeRow(names[junction], tick, now_ms, names[mode], names[event], reason),
        )

    def snapshots(self) -> Iterator[SnapshotRow]:
        """Yield the digests of the snapshots."""
        names = self._names
        return self._rows("SELECT * FROM snapshot ORDER BY rowid", lambda junction, node, tick, digest: SnapshotRow(names[junction], names[node], tick, digest))

    def notes(self) -> Iterator[NoteRow]:
        """Yield the notes."""
        names = self._names
        return self._rows("SELECT * FROM note ORDER BY rowid", lambda now_ms, kind, text, detail: NoteRow(now_ms, names[kind], text, json.loads(detail)))

    def known(self, first_tick: int = 0) -> Iterator[Known]:
        """Yield what the decisions knew, from some minutes before ``first_tick`` at most; nothing where the journal is of a run that events rebuild."""
        if self.version < 3:
            return
        begin = f"SELECT coalesce(max(rowid), 0) FROM known WHERE whole = 1 AND tick <= {int(first_tick)}"
        chunks = self._rows(f"SELECT whole, body FROM known WHERE rowid >= ({begin}) ORDER BY rowid", lambda whole, body: (int(whole), bytes(body)))
        try:
            for rows in unpack(chunks):
                yield from rows
        except ValueError as error:
            raise self._damaged(error) from error

    def memories(self) -> Iterator[MemoryRow]:
        """Yield what planners remembered."""
        names = self._names
        if self.version < 3:
            return iter(())
        return self._rows(
            "SELECT * FROM memory ORDER BY rowid",
            lambda junction, node, tick, planner, body: MemoryRow(names[junction], names[node], tick, names[planner], dict(json.loads(body))),
        )

    @cached_property
    def _names(self) -> _Names:
        names = _Names()
        with suppress(JournalDamagedError):  # a name that is missing then is reported where a row needs it
            for number, text in self._select("SELECT id, text FROM name ORDER BY id"):
                names[number] = text
        return names

    def _open(self, path: Path) -> sqlite3.Connection:
        torn_bytes = _torn_bytes(path)
        try:
            return _connect(self._whole_pages(path, torn_bytes) if torn_bytes else path)
        except sqlite3.OperationalError:
            # A write-ahead log in a folder where we may not write cannot be opened there; a copy can.
            with self._read_errors():
                return _connect(self._whole_pages(path, torn_bytes))
        except sqlite3.DatabaseError as error:
            raise JournalError(f"{path}: expected a journal of umlauf, found none ({error})") from error

    def _whole_pages(self, path: Path, torn_bytes: int) -> Path:
        """Copy the journal without its torn last page, which SQLite would read as if it were filled up with zeros."""
        self._copy = tempfile.TemporaryDirectory(prefix="umlauf-journal-")
        for part in path.parent.glob(f"{path.name}*"):
            shutil.copy(part, self._copy.name)
        copy = Path(self._copy.name) / path.name
        os.truncate(copy, copy.stat().st_size - torn_bytes)
        return copy

    def _check_kind(self) -> None:
        (application,) = next(iter(self._select("PRAGMA application_id")))
        (version,) = next(iter(self._select("PRAGMA user_version")))
        if application != APPLICATION_ID:
            with self.path.open("rb") as file:
                kind = "another SQLite file" if file.read(len(_SQLITE_HEAD)) == _SQLITE_HEAD else "a file of another kind"
            raise JournalError(f"{self.path}: expected a journal of umlauf, found {kind}")
        if version not in READABLE:
            wanted = " or ".join(map(str, READABLE))
            raise JournalError(f"{self.path}: expected a journal of version {wanted}, found version {version}; read it with the umlauf that wrote it")
        self.version = int(version)

    def _select(self, statement: str) -> Iterator[tuple[Any, ...]]:
        with self._read_errors():
            for row in self._connection.execute(statement):  # noqa: UP028 - `yield from` would close the cursor, after its connection
                yield row

    def _rows(self, statement: str, make: Callable[..., _Made]) -> Iterator[_Made]:
        """Yield what ``make`` makes of each row. Raises `JournalDamagedError` where it cannot."""
        for row in self._select(statement):
            try:
                made = make(*row)
            except (JournalError, LookupError, TypeError, ValueError) as error:
                raise self._damaged(error) from error
            yield made

    def _damaged(self, error: Exception) -> JournalDamagedError:
        return JournalDamagedError(f"{self.path}: the journal is damaged ({error}); what comes before the damage is read")

    @contextmanager
    def _read_errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise JournalDamagedError(f"{self.path}: the journal is damaged or no journal ({error}); what comes before the damage is read") from error


def _torn_bytes(path: Path) -> int:
    """Return by how many bytes the file exceeds whole pages (page size: bytes 16 and 17, https://sqlite.org/fileformat.html)."""
    with path.open("rb") as file:
        page_bytes = int.from_bytes(file.read(18)[16:], "big")
    return path.stat().st_size % page_bytes if page_bytes > 1 else 0


def _connect(path: Path) -> sqlite3.Connection:
    """Open for reading. ``writable_schema`` lets a file that is shorter than its header says be read up to its end."""
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    try:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    return connection
