"""How long the solves took, in a memory that does not grow with their number: a cabinet solves every second for months."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import exp, floor, log
from typing import Final, Self

_BINS_PER_E: Final = 100  # a bin is 1 % wide, which is how exact the percentile is
_LEAST_MS: Final = 0.001  # all that took less count as this


@dataclass(slots=True)
class SolveTimes:
    """Number, sum, maximum and a histogram of solve times in ms."""

    solves: int = 0
    sum_ms: float = 0.0
    max_ms: float = 0.0
    bins: Counter[int] = field(default_factory=Counter)  # number of solves by the logarithm of their time

    def add(self, ms: float) -> None:
        """Take one solve's time."""
        self.solves += 1
        self.sum_ms += ms
        self.max_ms = max(self.max_ms, ms)
        self.bins[floor(_BINS_PER_E * log(max(ms, _LEAST_MS)))] += 1

    @classmethod
    def together(cls, several: Iterable[Self]) -> Self:
        """Return the times of several nodes as one."""
        whole = cls()
        for one in several:
            whole.solves += one.solves
            whole.sum_ms += one.sum_ms
            whole.max_ms = max(whole.max_ms, one.max_ms)
            whole.bins.update(one.bins)
        return whole

    def percentile_ms(self, percent: int) -> float | None:
        """Return the time that so many per cent of the solves did not exceed, at most 1 % too large; None where nothing was solved."""
        left = -(-percent * self.solves // 100)
        for at, solves in sorted(self.bins.items()):
            left -= solves
            if left <= 0:
                return min(exp((at + 1) / _BINS_PER_E), self.max_ms)
        return None

    def figures_ms(self) -> Mapping[str, float | None]:
        """Return mean, 99th percentile and maximum, None where nothing was solved."""
        if not self.solves:
            return {"mean": None, "p99": None, "max": None}
        return {"mean": self.sum_ms / self.solves, "p99": self.percentile_ms(99), "max": self.max_ms}
