"""A solver that must answer: one that stays silent, or finds nothing, some times in a row counts as failed.

A planner without an answer keeps its last plan, so a solver that never answered again would freeze the signals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from controller.errors import SolverError
from controller.solver import ANY, HorizonProblem, HorizonResult, Solver, SplitProblem, SplitResult

if TYPE_CHECKING:
    from optimizer.departures import Departures

UNANSWERED: Final = 3  # planners ask every second, and the last plan holds for longer than that


class WatchedSolver:
    """Passes every question on to ``solver``."""

    def __init__(self, solver: Solver) -> None:
        self._solver = solver
        self._unanswered = 0

    @property
    def solve_s(self) -> float:
        """Return how long the last answer took, in seconds."""
        return self._solver.solve_s

    def horizon(self, problem: HorizonProblem, first: int = ANY) -> HorizonResult | None:
        """Return the solver's answer. Raises `SolverError` after too many questions without one; a rival that cannot be is an answer."""
        result = self._solver.horizon(problem, first)
        self._count(answered=result is not None and (result.status == 0 or first != ANY))
        return result

    def departures(self, problem: HorizonProblem, result: HorizonResult, within_ms: int) -> Departures:
        """Return who leaves when; asked only of an answer."""
        return self._solver.departures(problem, result, within_ms)

    def splits(self, problem: SplitProblem) -> SplitResult | None:
        """Return the solver's answer. Raises `SolverError` after too many questions without one."""
        result = self._solver.splits(problem)
        self._count(answered=result is not None)
        return result

    def _count(self, *, answered: bool) -> None:
        self._unanswered = 0 if answered else self._unanswered + 1
        if self._unanswered >= UNANSWERED:
            raise SolverError(f"the optimizer has not answered {self._unanswered} times in a row; expected an answer to every question")
