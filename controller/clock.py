"""The only caller of the system's clocks. Everything else is given ``now_ms``, or a `Clock` where it must also wait."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


def monotonic_ms() -> int:
    """Return the monotonic clock in whole milliseconds."""
    return time.monotonic_ns() // 1_000_000


def elapsed_s() -> float:
    """Return a fine monotonic clock in seconds, for measuring how long something took."""
    return time.perf_counter()


def utc_now() -> datetime:
    """Return the wall clock in UTC, for records and time-of-day plans only."""
    return datetime.now(UTC)


class Clock(Protocol):
    """What a daemon knows of time: a monotonic one for all timing, the wall clock for records, and a way to wait."""

    def now_ms(self) -> int:
        """Return monotonic time in whole milliseconds."""
        ...

    def utc(self) -> datetime:
        """Return the wall clock in UTC; it may jump."""
        ...

    def wait_until(self, due_ms: int) -> None:
        """Return at monotonic time ``due_ms``, at once where that is over."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now_ms(self) -> int:
        """Return the machine's monotonic time in whole milliseconds."""
        return monotonic_ms()

    def fine_ms(self) -> float:
        """Return the machine's monotonic time with its fraction, for measuring."""
        return time.monotonic_ns() / 1e6

    def utc(self) -> datetime:
        """Return the machine's wall clock in UTC."""
        return utc_now()

    def wait_until(self, due_ms: int) -> None:
        """Sleep until ``due_ms``; monotonic time is cut to milliseconds, so that a wake-up within it counts as late by its rest."""
        rest_s = due_ms / 1000 - time.monotonic_ns() / 1e9
        if rest_s > 0:
            time.sleep(rest_s)


class ManualClock:
    """A clock that stands still until somebody waits or moves it: for tests and accelerated worlds. ``step`` moves the wall clock alone."""

    def __init__(self, now_ms: int = 0, utc: datetime = datetime(2026, 1, 5, 6, 0, tzinfo=UTC)) -> None:
        self._now_ms = now_ms
        self._offset = utc - timedelta(milliseconds=now_ms)

    def now_ms(self) -> int:
        """Return the monotonic time that it was moved to."""
        return self._now_ms

    def utc(self) -> datetime:
        """Return the wall clock."""
        return self._offset + timedelta(milliseconds=self._now_ms)

    def wait_until(self, due_ms: int) -> None:
        """Move the time to ``due_ms``, never back."""
        self._now_ms = max(self._now_ms, due_ms)

    def step(self, by: timedelta) -> None:
        """Move the wall clock alone, as NTP or an operator does."""
        self._offset += by
