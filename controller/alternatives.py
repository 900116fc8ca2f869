"""What the other choices would have cost: one rival at each decision, all of them when somebody asks.

The beam search drops what looks dear early, so at its end the first choices that it did not take are gone. Here a choice is weighed
by a search of its own that must begin with it (docs/decisions/0031-alternatives-on-demand.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from controller.solver import NEVER_MS, HorizonProblem, HorizonResult, InlineSolver, Solver

NARROW_BEAM: Final = 1  # the solver keeps one node per stage at least, which is enough to tell by how much a rival loses
LEAST_MILLI: Final = 500  # for fewer believed vehicles nobody asks
WHOLE_MILLI: Final = 1_000  # the share of a lane of which every movement is green


@dataclass(frozen=True, slots=True)
class Alternative:
    """A first choice with the best that can follow it, and the parts of its cost (weighted vehicle-milliseconds)."""

    stage: int
    cost_ms: int
    stages: tuple[int, ...]  # in order, the first is the present one
    begin_ms: tuple[int, ...]  # begin of the transition to each, from now; 0 for the first
    lane_cost_ms: tuple[int, ...]
    order_cost_ms: int  # because queues of different stages wait for each other
    later_cost_ms: int  # because others are still to come while these queues last
    switch_cost_ms: int
    departures_ms: tuple[tuple[int, ...], ...]  # per lane, from now


def first_choice(result: HorizonResult) -> int:
    """Return the stage that the result chooses at once; the present one where it stays."""
    stages, begins = result.stages.tolist(), result.begin_ms.tolist()
    return int(stages[1] if len(stages) > 1 and begins[1] <= 0 else stages[0])


def may_choose(problem: HorizonProblem, stage: int) -> bool:
    """Return whether the stage may be chosen at once: the present one always, another one when it may be left and the way is allowed."""
    return stage == problem.stage or (problem.leave_ms <= 0 and bool(problem.allowed[problem.stage, stage]))


def rival_of(problem: HorizonProblem, result: HorizonResult) -> int | None:
    """Return the choice that a reader would ask for instead of the one taken, None where there was none.

    To a change that is staying; to staying it is the stage that serves most of those who stand without green, if any do.
    """
    chosen = first_choice(result)
    if chosen != problem.stage:
        return problem.stage
    if problem.leave_ms > 0:
        return None
    standing_milli = np.vecdot(problem.arrival_ms <= 0, problem.weight_milli).tolist()
    shares = problem.service_milli.tolist()
    waiting = [(i, milli, now) for i, (milli, now) in enumerate(zip(standing_milli, shares[chosen], strict=True)) if milli and now < WHOLE_MILLI]
    if sum([milli for _, milli, _ in waiting]) < LEAST_MILLI:
        return None
    gained = [sum([milli for i, milli, now in waiting if row[i] > now]) for row in shares]
    others = [s for s, milli in enumerate(gained) if s != chosen and milli >= LEAST_MILLI and may_choose(problem, s)]
    return max(others, key=lambda s: (gained[s], -s), default=None)


def rival_cost_ms(solver: Solver, problem: HorizonProblem, rival: int) -> int | None:
    """Return what the rival would cost at best by a narrow search, None where that is not known."""
    found = solver.horizon(problem._replace(beam=NARROW_BEAM), rival)
    return found.cost_ms if found is not None and found.status == 0 and found.cost_ms < NEVER_MS else None


def weigh_all(problem: HorizonProblem, chosen: int | None = None) -> tuple[Alternative, list[Alternative]]:
    """Return what the free search takes, and every first choice that was allowed with the best that can follow it, the cheapest first.

    Of equal costs ``chosen`` comes first. The free search may miss a better sequel to its own first choice; that does not speak against
    the choice, and the next second solves anew.
    """
    solver = InlineSolver()
    free = solver.horizon(problem)
    taken = _alternative(solver, problem, first_choice(free), free)
    found = [taken]
    for stage in range(len(problem.service_milli)):
        result = solver.horizon(problem, stage) if may_choose(problem, stage) else None
        if result is not None and (stage != taken.stage or result.cost_ms < taken.cost_ms):
            found.append(_alternative(solver, problem, stage, result))
    best = {a.stage: a for a in sorted(found, key=lambda a: -a.cost_ms)}
    return taken, sorted(best.values(), key=lambda a: (a.cost_ms, a.stage != chosen, a.stage))


def _alternative(solver: InlineSolver, problem: HorizonProblem, stage: int, result: HorizonResult) -> Alternative:
    stages, begins = result.stages.tolist(), result.begin_ms.tolist()
    costs = solver.lane_costs(problem, stages, begins)
    departures = tuple(tuple(times) for times in costs.departures_ms)
    parts = (tuple(costs.cost_ms.tolist()), costs.order_ms, costs.later_ms, costs.switches_ms)
    return Alternative(stage, result.cost_ms, tuple(stages), tuple(begins), *parts, departures)
