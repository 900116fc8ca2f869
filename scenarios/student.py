"""Student's t distribution for whole degrees of freedom, exactly: no tables, and no scipy for two functions.

Source: Abramowitz & Stegun, Handbook of Mathematical Functions (1964), 26.7.3 (odd) and 26.7.4 (even degrees of freedom).
"""

from __future__ import annotations

import math
from functools import cache
from typing import Final

CONFIDENCE: Final = 0.95
HALVINGS: Final = 200


def within_probability(t_value: float, freedom: int) -> float:
    """Return the probability that a t variable lies within ±``t_value``. Raises ValueError below one degree of freedom."""
    if freedom < 1:
        raise ValueError(f"expected one degree of freedom or more, found {freedom}")
    angle = math.atan2(abs(t_value), math.sqrt(freedom))
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = freedom % 2
    term = total = cosine if odd else 1.0
    for k in range(2 + odd, freedom - 1, 2):
        term *= cosine * cosine * (k - 1) / k
        total += term
    if not odd:
        return min(sine * total, 1.0)
    return min(2.0 / math.pi * (angle + (sine * total if freedom > 1 else 0.0)), 1.0)


def two_sided_p(t_value: float, freedom: int) -> float:
    """Return how likely a t variable is at least as far from zero as ``t_value``; below some 1e-15 it is cut off at 0."""
    return max(1.0 - within_probability(t_value, freedom), 0.0)


@cache
def two_sided_quantile(freedom: int, confidence: float = CONFIDENCE) -> float:
    """Return the value within whose ± a t variable lies with probability ``confidence``."""
    low, high = 0.0, 1.0
    while within_probability(high, freedom) < confidence:
        high *= 2.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2.0
        if within_probability(middle, freedom) < confidence:
            low = middle
        else:
            high = middle
    return high
