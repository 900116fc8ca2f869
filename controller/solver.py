"""The only door to the optimizer. Inline here; behind a pipe the same two calls carry the same arrays.

Importing this module does not import numba; making a solver does, and compiles.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from controller.clock import elapsed_s
from optimizer.problem import NEVER_MS, HorizonProblem, HorizonResult, Ints, SplitProblem, SplitResult

if TYPE_CHECKING:
    from optimizer.departures import Departures
    from optimizer.lane_costs import LaneCosts

__all__ = ["ANY", "NEVER_MS", "HorizonProblem", "HorizonResult", "InlineSolver", "Ints", "Solver", "SplitProblem", "SplitResult", "digest"]

ANY: Final = -1  # the solver itself chooses the first stage


class Solver(Protocol):
    """Solves one node's problems."""

    @property
    def solve_s(self) -> float:
        """Return how long the last answer took, in seconds."""
        ...

    def horizon(self, problem: HorizonProblem, first: int = ANY) -> HorizonResult | None:
        """Return the best sequence, or the best that begins with stage ``first``; None where it is not there yet (then ask again with the next snapshot)."""
        ...

    def departures(self, problem: HorizonProblem, result: HorizonResult, within_ms: int) -> Departures:
        """Return who leaves when, so far ahead, if the result of this problem is followed."""
        ...

    def splits(self, problem: SplitProblem) -> SplitResult | None:
        """Return the result, or None where it is not there yet."""
        ...


class InlineSolver:
    """Solves at once, in this process."""

    def __init__(self) -> None:
        from optimizer.departures import departures
        from optimizer.horizon import solve_horizon
        from optimizer.splits import solve_splits

        self._departures: Callable[[HorizonProblem, Ints, Ints, int], Departures] = departures
        self._horizon: Callable[[HorizonProblem, int], HorizonResult] = solve_horizon
        self._splits: Callable[[SplitProblem], SplitResult] = solve_splits
        self.solve_s = 0.0

    def horizon(self, problem: HorizonProblem, first: int = ANY) -> HorizonResult:
        """Solve one rolling horizon."""
        begin_s = elapsed_s()
        result = self._horizon(problem, first)
        self.solve_s = elapsed_s() - begin_s
        return result

    def departures(self, problem: HorizonProblem, result: HorizonResult, within_ms: int) -> Departures:
        """Return who leaves when."""
        return self._departures(problem, result.stages, result.begin_ms, within_ms)

    def lane_costs(self, problem: HorizonProblem, stages: list[int], begin_ms: list[int]) -> LaneCosts:
        """Return what a sequence costs lane by lane."""
        from optimizer.lane_costs import lane_costs

        return lane_costs(problem, stages, begin_ms)

    def splits(self, problem: SplitProblem) -> SplitResult:
        """Solve one cycle."""
        begin_s = elapsed_s()
        result = self._splits(problem)
        self.solve_s = elapsed_s() - begin_s
        return result


def digest(problem: HorizonProblem | SplitProblem) -> bytes:
    """Return a hash over all arrays and numbers of a problem, the same for the same content on every machine."""
    parts = [part.tobytes() if isinstance(part, np.ndarray) else repr(part).encode() for part in problem]
    return hashlib.blake2b(b"".join(parts), digest_size=16).digest()
