"""The journal: an append-only record of all that is needed to tell, and to run again, what a junction did and why.

Calls are cheap (a list append); rows go to disk together on `Journal.flush`, which `Journal.tick` calls by itself.
Call `Journal.tick` first in each tick: what follows is recorded as belonging to it.
"""

from __future__ import annotations

import hashlib
import platform
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from controller.clock import utc_now
from controller.journal_schema import TABLES, JournalError, create_statements, insert_statement, json_text, junction_text, letters, steps_text
from controller.junction import Junction
from controller.neighbours import Message, message_text
from controller.plan import Plan
from hardware.ports import InputEvent
from hardware.signals import Aspect

FLUSH_ROWS: Final = 5_000
FLUSH_INTERVAL_MS: Final = 10_000
DECIDING: Final = ("controller", "hardware", "optimizer")

_INSERTS: Final = {table: insert_statement(table) for table in TABLES}


class Journal:
    """Writes one journal file. Use it as a context manager, or call `close`."""

    def __init__(self, path: Path, connection: sqlite3.Connection, flush_rows: int, flush_interval_ms: int) -> None:
        """Wrap an open connection; use `create`."""
        self.path = path
        self._connection = connection
        self._flush_rows = flush_rows
        self._flush_interval_ms = flush_interval_ms
        self._rows: dict[str, list[tuple[object, ...]]] = {table: [] for table in TABLES}
        self._messages: list[tuple[int, int, Message]] = []
        self._plans: list[tuple[int, int, int, int, int, Plan]] = []
        self._frames: list[tuple[int, int, int, Sequence[Aspect]]] = []
        self._names: dict[str, int] = {}
        self._shown: dict[int, tuple[Aspect, ...]] = {}
        self._tick = -1
        self._now_ms = 0
        self._run: list[int] | None = None  # first tick, first ms, step ms, count of the run of ticks not yet written
        self._flushed_ms: int | None = None
        self._closed = False

    @classmethod
    def create(cls, path: str | Path, meta: Mapping[str, object], *, flush_rows: int = FLUSH_ROWS, flush_interval_ms: int = FLUSH_INTERVAL_MS) -> Self:
        """Make a new journal file. Raises `JournalError` where it exists already or cannot be written."""
        file = Path(path)
        if file.exists():
            raise JournalError(f"{file}: expected no journal here yet, found one; choose another output folder or remove it")
        with _disk_errors(file):
            connection = sqlite3.connect(file, isolation_level=None)
            try:
                for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = NORMAL", *create_statements()):
                    connection.execute(statement)
            except sqlite3.Error:
                connection.close()
                raise
        journal = cls(file, connection, flush_rows, flush_interval_ms)
        journal._rows["meta"] += [(key, json_text(value)) for key, value in (origin() | dict(meta)).items()]
        journal.flush()
        return journal

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def junction(self, junction: Junction, control: str, start_ms: int = 0, *, solvable: bool = True) -> None:
        """Record the junction as it is driven, whole, so that a replay needs nothing else.

        ``solvable`` False: its estimator or planner was given from outside, so its decisions cannot be rebuilt from events.
        """
        self._rows["junction"].append((self._name(junction.id), control, junction_text(junction), start_ms, int(solvable)))

    def tick(self, tick: int, now_ms: int) -> None:
        """Begin a tick; the rows that follow belong to it. Further calls with the same tick change nothing."""
        if tick == self._tick:
            return
        self._extend_run(tick, now_ms)
        self._tick, self._now_ms = tick, now_ms
        if self._flushed_ms is None:
            self._flushed_ms = now_ms
        elif now_ms - self._flushed_ms >= self._flush_interval_ms or self._pending() >= self._flush_rows:
            self.flush()

    def event(self, junction_id: str, event: InputEvent) -> None:
        """Record one input event as having arrived in the present tick."""
        name = self._name
        self._rows["event"].append((name(junction_id), self._tick, event.at_ms, name(event.kind), name(event.source), event.value))

    def message(self, junction_id: str, message: Message) -> None:
        """Record a neighbour's message as having arrived in the present tick."""
        self._messages.append((self._name(junction_id), self._tick, message))

    def plan(self, junction_id: str, node_id: str, tick: int, now_ms: int, plan: Plan) -> None:
        """Record a plan with the tick at which the sequencer took it."""
        name = self._name
        self._plans.append((name(junction_id), name(node_id), tick, now_ms, name(plan.planner), plan))

    def frame(self, junction_id: str, tick: int, now_ms: int, aspects: tuple[Aspect, ...]) -> None:
        """Record what was shown, where it differs from the last frame of this junction."""
        number = self._name(junction_id)
        if self._shown.get(number) != aspects:
            self._shown[number] = aspects
            self._frames.append((number, tick, now_ms, aspects))

    def mode(self, junction_id: str, tick: int, now_ms: int, mode: str, event: str, reason: str) -> None:
        """Record that the mode changed, through which event, and why."""
        name = self._name
        self._rows["mode"].append((name(junction_id), tick, now_ms, name(mode), name(event), reason))

    def snapshot(self, junction_id: str, node_id: str, tick: int, digest: bytes) -> None:
        """Record the digest of the snapshot that the planner was given."""
        self._rows["snapshot"].append((self._name(junction_id), self._name(node_id), tick, digest))

    def note(self, now_ms: int, kind: str, text: str, detail: Mapping[str, object] | None = None) -> None:
        """Record anything else that a reader of the journal wants to know."""
        self._rows["note"].append((now_ms, self._name(kind), text, json_text(detail or {})))

    def flush(self) -> None:
        """Write all pending rows in one transaction. Raises `JournalError`; the rows then stay pending and earlier ones stay on disk."""
        rows = {table: list(pending) for table, pending in self._rows.items() if pending}
        rows["message"] = [(*key, message_text(message)) for *key, message in self._messages]
        rows["plan"] = [(*key, p.made_ms, steps_text(p), p.reason, json_text(p.detail)) for *key, p in self._plans]
        rows["frame"] = [(*key, letters(aspects)) for *key, aspects in self._frames]
        rows["ticks"] = [*self._rows["ticks"], *([tuple(self._run)] if self._run else [])]
        with _disk_errors(self.path):
            self._write(rows)
        for pending in self._rows.values():
            pending.clear()
        self._messages.clear()
        self._plans.clear()
        self._frames.clear()
        self._run = None
        self._flushed_ms = self._now_ms

    def close(self) -> None:
        """Write what is pending and leave one self-contained file (no ``-wal`` beside it)."""
        if self._closed:
            return
        self._closed = True
        try:
            self.flush()
            with _disk_errors(self.path):
                self._connection.execute("PRAGMA journal_mode = DELETE")
        finally:
            self._connection.close()

    def _write(self, rows: Mapping[str, Sequence[tuple[object, ...]]]) -> None:
        execute = self._connection.execute
        execute("BEGIN")
        try:
            for table, values in rows.items():
                self._connection.executemany(_INSERTS[table], values)
            execute("COMMIT")
        except sqlite3.Error:
            if self._connection.in_transaction:
                execute("ROLLBACK")
            raise

    def _name(self, text: str) -> int:
        number = self._names.get(text)
        if number is None:
            number = self._names[text] = len(self._names) + 1
            self._rows["name"].append((number, str(text)))
        return number

    def _pending(self) -> int:
        return len(self._messages) + len(self._plans) + len(self._frames) + sum(map(len, self._rows.values()))

    def _extend_run(self, tick: int, now_ms: int) -> None:
        run = self._run
        step_ms = now_ms - self._now_ms
        if run is not None and tick == run[0] + run[3] and (run[3] == 1 or step_ms == run[2]):
            run[2] = step_ms
            run[3] += 1
            return
        if run is not None:
            self._rows["ticks"].append(tuple(run))
        self._run = [tick, now_ms, 0, 1]


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
def _disk_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise JournalError(
            f"{path}: the journal cannot be written ({error}); expected a writable folder with free space. What was written before is kept"
        ) from error
