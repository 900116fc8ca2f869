"""Means over seeds with their 95 % confidence intervals, differences paired by seed, and Holm's correction for many of them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from scenarios.student import two_sided_p, two_sided_quantile

GRIDLOCK_FACTOR: Final = 2.0  # a run that costs more than this times its control's median on the scenario has locked up
SIGNIFICANT: Final = 0.05


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
    return Mean(value, two_sided_quantile(len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values)), len(values))


def differences(ours: Mapping[int, float], theirs: Mapping[int, float]) -> list[float]:
    """Return ours minus theirs over the seeds that both have."""
    return [ours[seed] - theirs[seed] for seed in sorted(ours.keys() & theirs.keys())]


def paired(ours: Mapping[int, float], theirs: Mapping[int, float]) -> Mean | None:
    """Return the mean of ours minus theirs over the seeds that both have, None where they share none."""
    values = differences(ours, theirs)
    return mean_of(values) if values else None


def paired_p(ours: Mapping[int, float], theirs: Mapping[int, float]) -> float | None:
    """Return the two-sided p value of the paired t test, None where fewer than two seeds are shared.

    Differences that are all the same decide it: 1 where they are zero, else 0.
    """
    values = differences(ours, theirs)
    if len(values) < 2:
        return None
    deviation = statistics.stdev(values)
    mean = statistics.fmean(values)
    if deviation == 0.0:
        return 1.0 if mean == 0.0 else 0.0
    return two_sided_p(mean / (deviation / math.sqrt(len(values))), len(values) - 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p values adjusted for being this many: S. Holm, Scandinavian Journal of Statistics 6 (1979), in the step-down form.

    Rejecting those below 0.05 keeps the probability of even one wrong rejection below 0.05, whatever their dependence.
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted = [0.0] * len(p_values)
    least = 0.0
    for rank, at in enumerate(order):
        least = max(least, min((len(p_values) - rank) * p_values[at], 1.0))
        adjusted[at] = least
    return adjusted


def gridlocks(delays_s: Mapping[int, float]) -> list[int]:
    """Return the seeds whose delay exceeds twice the median over all seeds of the same control on the same scenario."""
    if not delays_s:
        return []
    limit_s = GRIDLOCK_FACTOR * statistics.median(delays_s.values())
    return sorted(seed for seed, delay_s in delays_s.items() if delay_s > limit_s)
