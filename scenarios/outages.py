"""A solver that is out of order at set times, as one behind a pipe may be: it fails, or it does not answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from controller.solver import ANY, HorizonProblem, HorizonResult, InlineSolver, SplitProblem, SplitResult
from optimizer.departures import Departures
from scenarios.case import FAILS, Outage


class FailingSolver:
    """Solves in this process, except in an outage."""

    def __init__(self, outages: Sequence[Outage], now_ms: Callable[[], int]) -> None:
        self._outages, self._now_ms = tuple(outages), now_ms
        self._solver = InlineSolver()

    @property
    def solve_s(self) -> float:
        """Return how long the last answer took, in seconds."""
        return self._solver.solve_s

    def horizon(self, problem: HorizonProblem, first: int = ANY) -> HorizonResult | None:
        """Solve one rolling horizon, or do not answer. Raises `ArithmeticError` where the optimizer fails."""
        return None if self._stalls() else self._solver.horizon(problem, first)

    def departures(self, problem: HorizonProblem, result: HorizonResult, within_ms: int) -> Departures:
        """Return who leaves when, by an answer given."""
        return self._solver.departures(problem, result, within_ms)

    def splits(self, problem: SplitProblem) -> SplitResult | None:
        """Solve one cycle, or do not answer. Raises `ArithmeticError` where the optimizer fails."""
        return None if self._stalls() else self._solver.splits(problem)

    def _stalls(self) -> bool:
        now_s = self._now_ms() / 1000
        kinds = [outage.kind for outage in self._outages if outage.begin_s <= now_s < outage.end_s]
        if FAILS in kinds:
            raise ArithmeticError(f"the optimizer is out of order at {now_s:g} s, as the scenario wants it")
        return bool(kinds)
