"""The only caller of the system's clocks. Everything else is given ``now_ms``."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def monotonic_ms() -> int:
    """Return the monotonic clock in whole milliseconds."""
    return time.monotonic_ns() // 1_000_000


def elapsed_s() -> float:
    """Return a fine monotonic clock in seconds, for measuring how long something took."""
    return time.perf_counter()


def utc_now() -> datetime:
    """Return the wall clock in UTC, for records and time-of-day plans only."""
    return datetime.now(UTC)
