"""Means over seeds with their 95 % confidence intervals, and differences paired by seed."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

# Student's t, two-sided 95 %, by degrees of freedom 1 to 30 (NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2).
T_95: Final = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
    *(2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)
T_95_MANY: Final = 1.960
GRIDLOCK_FACTOR: Final = 2.0  # a run that costs more than this times its control's median has locked up


class Mean(NamedTuple):
    """A mean, half the width of its 95 % confidence interval (nan for one value), and the number of values."""

    value: float
    margin_value: float
    number: int

    @property
    def below_zero(self) -> bool:
        """Return whether the whole interval lies below zero."""
        return self.value + self.margin_value < 0.0

    @property
    def above_zero(self) -> bool:
        """Return whether the whole interval lies above zero."""
        return self.value - self.margin_value > 0.0


def mean_of(values: Sequence[float]) -> Mean:
    """Return the mean and its interval. Raises `ValueError` on no values."""
    if not values:
        raise ValueError("a mean needs at least one value, found none")
    value = statistics.fmean(values)
    if len(values) == 1:
        return Mean(value, math.nan, 1)
    freedom = len(values) - 1
    t = T_95[freedom - 1] if freedom <= len(T_95) else T_95_MANY
    return Mean(value, t * statistics.stdev(values) / math.sqrt(len(values)), len(values))


def paired(ours: Mapping[int, float], theirs: Mapping[int, float]) -> Mean | None:
    """Return the mean of ours minus theirs over the seeds that both have, None where they share none."""
    shared = sorted(ours.keys() & theirs.keys())
    return mean_of([ours[seed] - theirs[seed] for seed in shared]) if shared else None


def gridlocks(delays_s: Mapping[int, float]) -> list[int]:
    """Return the seeds whose delay exceeds twice the median over all seeds."""
    if not delays_s:
        return []
    limit_s = GRIDLOCK_FACTOR * statistics.median(delays_s.values())
    return sorted(seed for seed, delay_s in delays_s.items() if delay_s > limit_s)
