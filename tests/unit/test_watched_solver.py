"""A solver that does not answer counts as failed, and its planner's fallback decides."""

from __future__ import annotations

from typing import cast

import pytest
from support_control import Scene, junction

from controller.errors import SolverError
from controller.solver import ANY, HorizonProblem, HorizonResult, SplitProblem, SplitResult
from controller.watched_solver import UNANSWERED, WatchedSolver

PROBLEM = cast("HorizonProblem", None)


class Scripted:
    """Answers as told: a status, or None for no answer."""

    solve_s = 0.5

    def __init__(self, *statuses: int | None) -> None:
        self.statuses = list(statuses)

    def horizon(self, problem: HorizonProblem, first: int = ANY) -> HorizonResult | None:
        del problem, first
        status = self.statuses.pop(0)
        return None if status is None else HorizonResult(*(status if name == "status" else None for name in HorizonResult._fields))  # type: ignore[arg-type]

    def splits(self, problem: SplitProblem) -> SplitResult | None:
        del problem
        self.statuses.pop(0)
        return None


def ask(watched: WatchedSolver, times: int, first: int = ANY) -> None:
    for _ in range(times):
        watched.horizon(PROBLEM, first)


def test_silence_some_times_in_a_row_is_a_failure_and_stays_one_until_an_answer() -> None:
    watched = WatchedSolver(Scripted(*[None] * UNANSWERED, None, 0, *[None] * UNANSWERED))
    ask(watched, UNANSWERED - 1)
    for _ in range(2):
        with pytest.raises(SolverError, match="has not answered"):
            ask(watched, 1)
    ask(watched, 1)
    ask(watched, UNANSWERED - 1)
    with pytest.raises(SolverError):
        ask(watched, 1)
    assert watched.solve_s == 0.5


def test_an_answer_that_cannot_be_used_is_none_but_a_rival_that_cannot_be_is_one() -> None:
    watched = WatchedSolver(Scripted(1, 1, 1, 1, 1))
    ask(watched, UNANSWERED - 1)
    ask(watched, 1, first=2)
    ask(watched, UNANSWERED - 1)


def test_silence_at_cycles_counts_too() -> None:
    watched = WatchedSolver(Scripted(*[None] * UNANSWERED))
    for _ in range(UNANSWERED - 1):
        assert watched.splits(cast("SplitProblem", None)) is None
    with pytest.raises(SolverError):
        watched.splits(cast("SplitProblem", None))


def test_the_adaptive_planner_keeps_its_plan_for_a_moment_and_then_says_that_it_cannot_plan() -> None:
    from controller.adaptive import AdaptivePlanner
    from controller.transitions import transition_table

    one = junction()
    planner = AdaptivePlanner(one, one.nodes[0], transition_table(one, one.nodes[0]), WatchedSolver(Scripted(*[None] * UNANSWERED)))
    for _ in range(UNANSWERED - 1):
        planner.submit(Scene().snapshot())
        assert planner.poll() is None
    with pytest.raises(ArithmeticError):
        planner.submit(Scene().snapshot())
