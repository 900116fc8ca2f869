"""The cabinet's journal: one file a day (UTC) and site, and a new one at each start; nothing in it ever keeps a tick waiting.

A file that begins while the junction is driven tells at its head where the sequencers stand, so that `umlauf replay` proves its frames by
itself. When the disk stays away for longer than the buffer lasts, what waits is thrown away and counted, and another file begins, in the same way.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from controller.cabinet.journal_writer import JournalWriter, Open, Write
from controller.journal import new_file
from controller.journal_rows import JournalRows
from controller.journal_schema import CLOCK, OBSERVED, RESUME
from controller.junction import Junction
from controller.known import Packer

FLUSH_MS: Final = 5_000
MOST_WAITING_ROWS: Final = 30_000  # about an hour; some 15 MB
CLOCK_TOLERANCE: Final = timedelta(milliseconds=50)
_DAY_CHECK_TICKS: Final = 10

Head = Callable[[], Mapping[str, object]]
"""Tells, between two ticks, what the sequencers of each node remember."""


class DayJournal(JournalRows):
    """Give it the guard's ``head`` before the first tick. ``utc`` is the wall clock, which may jump."""

    def __init__(
        self,
        folder: Path,
        site: str,
        utc: Callable[[], datetime],
        meta: Mapping[str, object] | None = None,
        *,
        keep_days: int = 90,
        threaded: bool = True,
        most_waiting_rows: int = MOST_WAITING_ROWS,
        connect: Callable[[Path], sqlite3.Connection] = new_file,
    ) -> None:
        super().__init__(flush_interval_ms=FLUSH_MS)
        self.head: Head | None = None
        self.lost_rows = 0
        self.writer = JournalWriter(folder, threaded=threaded, connect=connect)
        self._site, self._utc, self._meta, self._keep_days = site, utc, dict(meta or {}), keep_days
        self._most_rows = most_waiting_rows
        self._day = utc().date()
        self._junctions: list[tuple[object, ...]] = []  # of the site, as they stand in each file
        self._observed: list[str] = []
        self._closed = False
        self._zero: datetime | None = None  # what the wall clock says of monotonic 0, as this file tells it
        self._open_file()

    def tick(self, tick: int, now_ms: int) -> None:
        """Begin a tick; before it, begin another file where the day has changed or the old one is lost."""
        if tick == self._tick:
            return
        if tick % _DAY_CHECK_TICKS == 0 and self._utc().date() != self._day:
            self._begin_file(tick, now_ms, "another day")
        elif (self.writer.broken and not self.writer.opening) or self.writer.waiting_rows > self._most_rows:
            lost = self.writer.drop() + self._pending()
            self.lost_rows += lost
            self._clear()
            self._begin_file(tick, now_ms, f"the one before cannot be written; {lost} rows are lost, {self.lost_rows} since the start")
        super().tick(tick, now_ms)
        if tick % _DAY_CHECK_TICKS == 0 or self._zero is None:
            self._tell_clock(now_ms)

    def _tell_clock(self, now_ms: int) -> None:
        """Record the wall clock at the head of each file, and whenever it has moved against the monotonic one."""
        utc = self._utc()
        zero = utc - timedelta(milliseconds=now_ms)
        if self._zero is None or abs(zero - self._zero) > CLOCK_TOLERANCE:
            words = "the wall clock" if self._zero is None else f"the wall clock has moved by {(zero - self._zero).total_seconds():+.3f} s"
            self._zero = zero
            super().note(now_ms, CLOCK, words, {"utc": utc.isoformat(timespec="milliseconds")})

    def junction(self, junction: Junction, control: str, start_ms: int = 0, *, solvable: bool = True) -> None:
        """Record the junction as it is driven, in this file and in those to come."""
        super().junction(junction, control, start_ms, solvable=solvable)
        self._junctions.append((junction.id, *self._rows["junction"][-1][1:]))

    def note(self, now_ms: int, kind: str, text: str, detail: Mapping[str, object] | None = None) -> None:
        """Record anything else."""
        if kind == OBSERVED and detail is not None:
            self._observed.append(str(detail["junction"]))
        super().note(now_ms, kind, text, detail)

    def flush(self) -> None:
        """Hand over what is pending, and return at once."""
        count = self._pending() + 1
        self.writer.put(Write(self._batch(), count))
        self._clear()

    def poll(self) -> list[str]:
        """Return what has happened to the files since the last call."""
        news = []
        while self.writer.news:
            news.append(self.writer.news.popleft())
        return news

    def numbers(self) -> dict[str, float]:
        """Return how it fares, by metric name."""
        return {"journal_failing": self.writer.failing, "journal_waiting_rows": self.writer.waiting_rows, "journal_lost_rows": self.lost_rows}

    def close(self) -> None:
        """Write what is pending, as far as the disk lets it."""
        if not self._closed:
            self._closed = True
            self.flush()
            self.writer.close()

    def _open_file(self) -> None:
        self.writer.put(Open(self._site, self._day, self._meta, self._keep_days))

    def _begin_file(self, tick: int, now_ms: int, why: str) -> None:
        """Go on in a new file: names and junctions anew, and where the sequencers stand before ``tick``."""
        if self._pending():
            self.flush()
        self._day = self._utc().date()
        self._names.clear()
        self._shown.clear()
        self._packer = Packer()
        self._tick = -1
        self._zero = None
        self._open_file()
        for junction_id, *row in self._junctions:
            self._rows["junction"].append((self._name(str(junction_id)), *row[:-1], 0))  # what the estimator knew is not in this file
            memory = self.head() if self.head is not None else {}
            super().note(now_ms, RESUME, f"{junction_id}: goes on, {why}", {"junction": junction_id, "tick": tick, "nodes": memory})
        for junction_id in self._observed:
            super().note(now_ms, OBSERVED, f"{junction_id}: the controller owns the aspects", {"junction": junction_id})
