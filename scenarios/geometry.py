"""Where two ways across a junction meet, and how far from their stop lines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

Point = tuple[float, float]


def length_m(line: Sequence[Point]) -> float:
    """Return the length of a polyline."""
    return sum(math.dist(a, b) for a, b in pairwise(line))


def conflict_point(first: Sequence[Point], second: Sequence[Point]) -> tuple[float, float] | None:
    """Return the distances along both polylines, from their begins, to the first crossing; None where they do not cross.

    Two ways that end in one point (a merge) meet at their ends.
    """
    at_first = 0.0
    for a, b in pairwise(first):
        at_second = 0.0
        for c, d in pairwise(second):
            hit = _cross(a, b, c, d)
            if hit is not None:
                return (at_first + hit[0] * math.dist(a, b), at_second + hit[1] * math.dist(c, d))
            at_second += math.dist(c, d)
        at_first += math.dist(a, b)
    return None


def nearest_approach(first: Sequence[Point], second: Sequence[Point]) -> tuple[float, float]:
    """Return the distances along both polylines to the points where they come nearest (of their vertices)."""
    along_first, along_second = _stations(first), _stations(second)
    ends = ((math.dist(p, q), s, t) for p, s in zip(first, along_first, strict=True) for q, t in zip(second, along_second, strict=True))
    _, at_first, at_second = min(ends, key=lambda x: x[0])
    return at_first, at_second


def _stations(line: Sequence[Point]) -> list[float]:
    at = [0.0]
    for a, b in pairwise(line):
        at.append(at[-1] + math.dist(a, b))
    return at


def _cross(a: Point, b: Point, c: Point, d: Point) -> tuple[float, float] | None:
    """Return where the segments ab and cd cross, as ratios of their lengths; None where they do not or are parallel."""
    rx, ry = b[0] - a[0], b[1] - a[1]
    sx, sy = d[0] - c[0], d[1] - c[1]
    cross = rx * sy - ry * sx
    if abs(cross) < 1e-9:
        return (1.0, 1.0) if b == d else None
    qx, qy = c[0] - a[0], c[1] - a[1]
    t = (qx * sy - qy * sx) / cross
    u = (qx * ry - qy * rx) / cross
    return (t, u) if -1e-9 <= t <= 1 + 1e-9 and -1e-9 <= u <= 1 + 1e-9 else None
