"""The time of day of a journal's milliseconds.

A simulation's clock counts from midnight of the day on which it ran. A cabinet's is monotonic; its journal tells the wall clock (UTC) in
notes of the kind `CLOCK`, at each file's head and whenever somebody has moved it.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import datetime, timedelta

from controller.journal_reader import JournalReader
from controller.journal_schema import CLOCK


class TimeBase:
    """Makes naive times of day: local ones of a simulation, UTC ones of a cabinet."""

    def __init__(self, reader: JournalReader) -> None:
        self._from_ms: list[int] = []
        self._zeros: list[datetime] = []  # what millisecond 0 would be by the clock that holds from then on
        for note in reader.notes():
            if note.kind == CLOCK:
                told = datetime.fromisoformat(str(note.detail["utc"])).replace(tzinfo=None)
                self._from_ms.append(note.now_ms)
                self._zeros.append(told - timedelta(milliseconds=note.now_ms))
        self.cabinet = bool(self._zeros)
        if not self._zeros:
            midnight = datetime.fromisoformat(str(reader.meta["created_utc"])).replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)
            self._from_ms, self._zeros = [0], [midnight]

    def at(self, time_ms: int) -> datetime:
        """Return the time of day of a millisecond, by the clock as it was set then."""
        return self._zeros[max(bisect_right(self._from_ms, time_ms) - 1, 0)] + timedelta(milliseconds=time_ms)

    def words(self, time_ms: int) -> str:
        """Return the time of day of a cabinet's millisecond, with its date."""
        return f"{self.at(time_ms).isoformat(' ', 'milliseconds').removesuffix('.000')} UTC"

    def first_at(self, clock_ms: int) -> int:
        """Return the first millisecond at which the clock told this time of day (since midnight); where it never did, the next one that it would tell."""
        midnight = timedelta(milliseconds=clock_ms)
        found = []
        for k, (from_ms, zero) in enumerate(zip(self._from_ms, self._zeros, strict=True)):
            begin = zero + timedelta(milliseconds=from_ms)
            at = begin.replace(hour=0, minute=0, second=0, microsecond=0) + midnight
            at += timedelta(days=at < begin)
            found.append((at - zero) // timedelta(milliseconds=1))
            if k + 1 == len(self._from_ms) or found[-1] < self._from_ms[k + 1]:
                return found[-1]
        return found[-1]
