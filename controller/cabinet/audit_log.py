"""Writes the audit log in a thread of its own: an fsync on a slow disk may take longer than a tick, and a full disk must not stop anything."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from queue import SimpleQueue
from typing import Final, NamedTuple

from controller.cabinet.audit import HEAD_NAME, Head, line_of, parse_line, read_head

ROTATE_BYTES: Final = 1_000_000
CLOSE_S: Final = 5.0
DAEMON: Final = ("umlauf", "daemon")


class Entry(NamedTuple):
    """What is told of one command: who by which way, what, until when, why, and what came of it."""

    who: str
    via: str
    what: str
    until: str = ""
    why: str = ""
    result: str = ""


class AuditLog:
    """The log in a folder. Nothing here raises or blocks; a future tells whether its entry is on the disk."""

    def __init__(self, folder: Path, utc: Callable[[], datetime], *, rotate_bytes: int = ROTATE_BYTES) -> None:
        self.lost = 0  # entries that could not be written since the last that could
        self._folder, self._utc, self._rotate_bytes = folder, utc, rotate_bytes
        self._head: Head | None = None  # None: not open yet
        self._path = folder
        self._length = 0
        self._queue: SimpleQueue[tuple[str, Entry, Future[Head]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        self._thread.start()

    def append(self, entry: Entry) -> Future[Head]:
        """Write an entry; the future gives the new head when it is on the disk, or the `OSError` why it is not."""
        future: Future[Head] = Future()
        self._queue.put((self._utc().isoformat(timespec="milliseconds"), entry, future))
        return future

    def close(self) -> None:
        """Write what is pending; a disk that hangs is left behind after some seconds."""
        self._queue.put(None)
        self._thread.join(CLOSE_S)

    def _run(self) -> None:
        while (job := self._queue.get()) is not None:
            at, entry, future = job
            try:
                head = self._open(at) if self._head is None else self._head
                if self.lost:
                    head = self._write(head, at, Entry(*DAEMON, "lost", result=f"{self.lost} entries before this one could not be written"))
                    self.lost = 0
                head = self._write(head, at, entry)
            except OSError as error:
                self.lost += 1
                future.set_exception(error)
            else:
                future.set_result(head)

    def _open(self, at: str) -> Head:
        """Find the end of the log, mend a torn last line, and note what was found."""
        self._folder.mkdir(parents=True, exist_ok=True)
        files = sorted(self._folder.glob("audit-*.jsonl"))
        beside = read_head(self._folder) or Head()
        if not files:
            self._begin(beside.n + 1)
            return self._note(beside, at, "gap", f"the log was missing; its head tells of {beside.n} entries") if beside.n else self._keep(Head())
        self._path = files[-1]
        data = self._path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        self._length = len(whole)
        head, damage = _last(whole, beside)
        self._keep(head)
        if len(whole) < len(data):
            head = self._note(head, at, "repaired", f"a torn last line was removed: {data[len(whole) :].decode(errors='replace')}")
        if damage:
            head = self._note(head, at, "damaged", damage)
        return head

    def _note(self, head: Head, at: str, what: str, text: str) -> Head:
        return self._write(head, at, Entry(*DAEMON, what, result=text))

    def _begin(self, first: int) -> None:
        self._path, self._length = self._folder / f"audit-{first:08d}.jsonl", 0

    def _keep(self, head: Head) -> Head:
        self._head = head
        return head

    def _write(self, head: Head, at: str, entry: Entry) -> Head:
        line, new = line_of(head, at, *entry)
        if self._length >= self._rotate_bytes:
            self._begin(new.n)
        fresh = not self._path.exists()
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            os.ftruncate(descriptor, self._length)  # what an earlier failure left in mid-line
            _write_all(descriptor, line, self._length)
            os.fsync(descriptor)
        except OSError:
            with suppress(OSError):
                os.ftruncate(descriptor, self._length)
            raise
        finally:
            os.close(descriptor)
        self._length += len(line)
        self._keep(new)
        with suppress(OSError):  # the line is on the disk; a head that lags behind is no fault
            self._show_head(new, fresh=fresh)
        return new

    def _show_head(self, head: Head, *, fresh: bool) -> None:
        part = self._folder / f"{HEAD_NAME}.part"
        part.write_text(json.dumps(head._asdict()), encoding="utf-8")
        part.replace(self._folder / HEAD_NAME)
        if fresh:
            folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def _write_all(descriptor: int, data: bytes, offset_bytes: int) -> None:
    view = memoryview(data)
    while view:
        count = os.pwrite(descriptor, view, offset_bytes)
        view, offset_bytes = view[count:], offset_bytes + count


def _last(whole: bytes, beside: Head) -> tuple[Head, str]:
    """Return where the chain goes on, and what is wrong with its end."""
    damage = ""
    for line in reversed(whole.splitlines()):
        try:
            entry = parse_line(line)
        except ValueError as error:
            damage = damage or f"the last line cannot be trusted ({error})"
            continue
        found = Head(entry["n"], entry["hash"])
        if found.n < beside.n:
            return beside, damage or f"the log ended at entry {found.n}, its head tells of {beside.n}"
        return found, damage
    return beside, damage
