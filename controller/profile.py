"""The stored profile: how many vehicles each loop counts in each quarter hour of the week, learned from trusted loops alone.

One unusual day moves it little: a count is taken as no farther from what is stored than a factor and a few vehicles, and only a part of
the difference is learned. Quarters never seen are told by the same quarter of like days (Monday to Friday, Saturday, Sunday), then by the
quarters just before, as on a site's first day.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from controller.clock import Clock

QUARTER_MS: Final = 900_000
DAY: Final = 96  # quarters
WEEK: Final = 7 * DAY
LEARN_RATIO: Final = 0.3
CUT_RATIO: Final = 3.0  # a count is taken as at most this many times, and at least this part of, what is stored
CUT_VEH: Final = 5.0  # and a few vehicles more or less
RECENT: Final = 8  # so many quarters back still tell of now, where nothing better is known
LIKE_DAYS: Final = ((0, 1, 2, 3, 4), (5,), (6,))  # from Monday
FORMAT: Final = 1
EPOCH_MS: Final = 3 * DAY * QUARTER_MS  # 1970-01-01 was a Thursday


def week_ms_of(clock: Clock) -> int:
    """Return how long after Monday 0:00 (UTC) the monotonic zero of a clock lies, by what it shows now; steps of the clock later move no quarter."""
    return int(clock.utc().timestamp() * 1000) - clock.now_ms() + EPOCH_MS


class Profile:
    """The profile of some loops. ``week_ms``: how long after Monday 0:00 the monotonic clock's zero lies, by the site's time of day."""

    def __init__(self, loops: Iterable[str], week_ms: int = 0) -> None:
        self._stored: dict[str, dict[int, float]] = {name: {} for name in loops}
        self._week_ms = week_ms

    def quarter(self, now_ms: int) -> int:
        """Return the quarter of the week, 0 to 671 from Monday 0:00."""
        return (now_ms + self._week_ms) // QUARTER_MS % WEEK

    def left_ms(self, now_ms: int) -> int:
        """Return how much of the quarter lies ahead."""
        return QUARTER_MS - (now_ms + self._week_ms) % QUARTER_MS

    def learn(self, loop: str, quarter: int, veh: float) -> None:
        """Take what a trusted loop counted in one whole quarter."""
        stored = self._stored[loop]
        old = stored.get(quarter)
        if old is None:
            stored[quarter] = float(veh)
            return
        near_veh = min(max(float(veh), old / CUT_RATIO - CUT_VEH), CUT_RATIO * old + CUT_VEH)
        stored[quarter] = old + LEARN_RATIO * (near_veh - old)

    def rate_veh_s(self, loop: str, now_ms: int) -> float | None:
        """Return what the loop is expected to count at this time of the week, None where nothing is known."""
        stored = self._stored[loop]
        if not stored:
            return None
        quarter = self.quarter(now_ms)
        if quarter in stored:
            return stored[quarter] * 1000.0 / QUARTER_MS
        like = [stored[k] for k in self._like(quarter) if k in stored]
        if not like:
            like = [stored[k] for back in range(1, RECENT + 1) if (k := (quarter - back) % WEEK) in stored][:1]
        return sum(like) / len(like) * 1000.0 / QUARTER_MS if like else None

    def _like(self, quarter: int) -> list[int]:
        day, rest = divmod(quarter, DAY)
        days = next(days for days in LIKE_DAYS if day in days)
        return [other * DAY + rest for other in days if other != day]

    def learned(self) -> dict[str, Any]:
        """Return all that is stored as plain JSON data."""
        loops = {name: {str(k): round(veh, 2) for k, veh in sorted(stored.items())} for name, stored in self._stored.items() if stored}
        return {"format": FORMAT, "quarters": loops}

    def recall(self, data: Mapping[str, Any]) -> None:
        """Take back what `learned` gave; loops that are no longer there are passed over. Raises `ValueError` for other data, and then keeps what it had."""
        if not isinstance(data, Mapping) or data.get("format") != FORMAT or not isinstance(data.get("quarters"), Mapping):
            raise ValueError(f"detector profile: expected an object with format {FORMAT} and quarters, found {str(data)[:80]}; remove it to begin anew")
        found = {name: _quarters(name, stored) for name, stored in data["quarters"].items() if name in self._stored}
        for name, stored in found.items():
            self._stored[name] = stored


def _quarters(name: str, stored: object) -> dict[int, float]:
    try:
        found = {int(k): float(veh) for k, veh in dict(stored).items()}  # type: ignore[call-overload]
    except (TypeError, ValueError) as error:
        raise ValueError(f"detector profile of {name}: expected vehicles by quarter of the week, found {str(stored)[:80]}; remove it to begin anew") from error
    wrong = [k for k, veh in found.items() if not (0 <= k < WEEK and 0.0 <= veh < 1e6)]
    if wrong:
        raise ValueError(f"detector profile of {name}, quarter {wrong[0]}: expected quarters 0 to {WEEK - 1} with vehicles, 0 or more; remove it to begin anew")
    return found
