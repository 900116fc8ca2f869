"""Writes journal files, in a thread of its own, for a disk may take a second to answer, be full, or be gone.

What cannot be written stays in the queue and is tried again; the queue is bounded by whoever fills it (`controller.cabinet.day_journal`).
"""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple

from controller.journal import meta_rows, new_file, write_batch
from controller.journal_rows import Batch

RETRY_S: Final = 5.0
PATIENCE: Final = 3  # so many failures in a row, and the file itself is given up, where the disk takes another
PROBE: Final = bytes(65_536)
_CLOSE_S: Final = 10.0


class Open(NamedTuple):
    """Begin a new file, for this day, and remove those that are older than ``keep_days``."""

    site: str
    day: date
    meta: Mapping[str, object]
    keep_days: int


class Write(NamedTuple):
    """Append these rows."""

    rows: Batch
    row_count: int


class JournalWriter:
    """One folder's writer. ``threaded`` False: each job is tried at once by whoever hands it over, as in accelerated worlds."""

    def __init__(self, folder: Path, *, threaded: bool = True, connect: Callable[[Path], sqlite3.Connection] = new_file) -> None:
        self.news: deque[str] = deque(maxlen=100)
        self.path: Path | None = None  # the newest file
        self.failing = False
        self.broken = False  # the present file cannot be gone on with: a new one must be begun
        self._folder, self._connect = folder, connect
        self._mine: deque[Path] = deque()  # the newest of this process's files: one a day at least, so none that is due to go is among them
        self._jobs: deque[Open | Write] = deque()
        self._connection: sqlite3.Connection | None = None
        self._failures = 0
        self._closing = False
        self._wake = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="journal", daemon=True) if threaded else None
        if self._thread is not None:
            self._thread.start()

    def put(self, *jobs: Open | Write) -> None:
        """Hand over jobs, and return at once."""
        with self._wake:
            self._jobs.extend(jobs)
            self._wake.notify()
        if self._thread is None:
            while self._jobs and self._try(self._jobs[0]):
                pass

    @property
    def waiting_rows(self) -> int:
        """Return how many rows are not on the disk yet."""
        with self._wake:
            return sum(job.row_count for job in self._jobs if isinstance(job, Write))

    @property
    def opening(self) -> bool:
        """Tell whether a new file waits to be begun."""
        with self._wake:
            return any(isinstance(job, Open) for job in self._jobs)

    def drop(self) -> int:
        """Throw away all that waits; return how many rows that were."""
        with self._wake:
            count = sum(job.row_count for job in self._jobs if isinstance(job, Write))
            self._jobs.clear()
            return count

    def close(self) -> None:
        """Write what waits, as far as the disk lets it within ten seconds, and leave a self-contained file."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join(_CLOSE_S)
        else:
            self._finish()

    def _work(self) -> None:
        while True:
            with self._wake:
                while not self._jobs and not self._closing:
                    self._wake.wait()
                job = self._jobs[0] if self._jobs else None
                closing = self._closing
            if job is None:
                break
            if not self._try(job):
                if closing:
                    break
                with self._wake:
                    self._wake.wait_for(lambda: self._closing, RETRY_S)
        self._finish()

    def _try(self, job: Open | Write) -> bool:
        """Do one job; tell whether it is done with. Each kind of failure is told once, and its end."""
        try:
            if isinstance(job, Open):
                self._open(job)
            else:
                self._write(job)
        except (sqlite3.Error, OSError) as error:
            self._failures += 1
            if not self.failing:
                self.failing = True
                self.news.append(f"the journal cannot be written ({error}); control goes on, and it is tried again")
            if isinstance(job, Write) and self._failures >= PATIENCE and self._takes_another():
                self.broken = True
            return False
        if self.failing:
            self.news.append("the journal is written again")
        self.failing, self._failures = False, 0
        with self._wake:
            if self._jobs and self._jobs[0] is job:  # it may have been dropped meanwhile
                self._jobs.popleft()
        return True

    def _open(self, job: Open) -> None:
        self._finish()
        self._folder.mkdir(parents=True, exist_ok=True)
        if not self._mine:
            self._recover(job.site)
        self.path = path = free_path(self._folder, job.site, job.day)
        try:
            self._connection = self._connect(path)
            write_batch(self._connection, {"meta": meta_rows(job.meta)})
        except (sqlite3.Error, OSError):
            self._finish()
            remove(path)  # or a disk that stays full would be strewn with empty files
            raise
        self.broken = False
        self._mine.append(path)
        while len(self._mine) > job.keep_days + 1:
            self._mine.popleft()
        for path in expired(self._folder, job.site, job.day, job.keep_days):
            if path in self._mine:  # its date is of a clock that was wrong
                continue
            remove(path)
            self.news.append(f"{path.name} was removed: it is older than {job.keep_days} days")

    def _takes_another(self) -> bool:
        """Tell whether the disk is well, so that it is the present file that is damaged; a disk that is full or read-only may come back with it."""
        probe = self._folder / ".probe"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            probe.write_bytes(PROBE)
            probe.unlink()
        except OSError:
            with suppress(OSError):
                probe.unlink()
            return False
        return True

    def _recover(self, site: str) -> None:
        """Take the log that a killed process left beside its journal into it, so that the file can be moved about alone."""
        for log in sorted(self._folder.glob("*.sqlite-wal")):
            path = log.with_name(log.name.removesuffix("-wal"))
            if day_of(path, site) is None or not path.exists():
                continue
            try:
                connection = sqlite3.connect(path, isolation_level=None, timeout=0.0)
                try:
                    connection.execute("PRAGMA journal_mode = DELETE")
                finally:
                    connection.close()
                self.news.append(f"{path.name} was not closed; its last rows have been recovered")
            except sqlite3.Error as error:
                self.news.append(f"{path.name} was not closed and is left as it is ({error})")

    def _write(self, job: Write) -> None:
        if self._connection is None:
            raise sqlite3.OperationalError("no file is open")
        write_batch(self._connection, job.rows)

    def _finish(self) -> None:
        """Leave the present file as one without a log beside it, where the disk lets us."""
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.execute("PRAGMA journal_mode = DELETE")
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None


def free_path(folder: Path, site: str, day: date) -> Path:
    """Return the first name of this site and day that is not taken."""
    path, number = folder / f"{site}-{day.isoformat()}.sqlite", 1
    while path.exists():
        number += 1
        path = folder / f"{site}-{day.isoformat()}-{number}.sqlite"
    return path


def day_of(path: Path, site: str) -> date | None:
    """Return the day in a journal's name, None where it is none of this site's."""
    if not path.name.startswith(f"{site}-"):
        return None
    text, rest = path.name[len(site) + 1 :][:10], path.name[len(site) + 11 :]
    if not (rest == ".sqlite" or (rest.startswith("-") and rest.endswith(".sqlite") and rest[1:-7].isdecimal())):
        return None
    with suppress(ValueError):
        return date.fromisoformat(text)
    return None


def expired(folder: Path, site: str, today: date, keep_days: int) -> list[Path]:
    """Return this site's journals that are older than ``keep_days``, oldest first; none of the future, which a wrong clock may have made."""
    found = [(day, path) for path in folder.glob("*.sqlite") if (day := day_of(path, site)) is not None]
    return [path for day, path in sorted(found) if (today - day).days > keep_days]


def remove(path: Path) -> None:
    """Remove a journal with what SQLite keeps beside it."""
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        (path.parent / name).unlink(missing_ok=True)
