"""When each lane has green under the plan that is explained, for the picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from controller.explain import Explanation
from controller.node_model import NodeModel
from controller.plan import OFF
from controller.solver import NEVER_MS, HorizonProblem

SHOWN_MS: Final = 50_000  # how far a plan without a horizon is shown

Span = tuple[float, float, bool]  # begin and end in seconds, and whether the whole lane has green and need not yield


def green_bands(one: Explanation) -> tuple[list[tuple[str, float, float]], list[list[Span]]]:
    """Return the stages (name, begin, end of their time) and each lane's greens, in seconds from the decision on."""
    problem, path = one.problem, one.path
    stages, begins = (list(path.stages), list(path.begin_ms)) if path is not None else _steps(one)
    horizon_ms = int(problem.grid_ms[-1]) if problem is not None else SHOWN_MS
    if len(begins) > 1 and begins[1] <= 0 and problem is None:
        stages, begins = stages[1:], begins[1:]
    ends = [*begins[1:], horizon_ms]
    named = [(one.node.stages[s].id, b / 1000, e / 1000) for s, b, e in zip(stages, begins, ends, strict=True) if e > b]
    if problem is None:
        return named, _plain(one, stages, begins, ends)
    return named, [_spans(problem, lane, stages, begins, ends) for lane in range(len(one.lanes))]


def _steps(one: Explanation) -> tuple[list[int], list[int]]:
    """Return the stages of the plan in force and their begins, from now."""
    assert one.snapshot is not None
    stages, begins = [one.snapshot.signals.stage], [0]
    at_ms = one.now_ms
    for step in one.row.plan.steps if one.row is not None else ():
        if step.stage not in (OFF, stages[-1]):
            stages.append(step.stage)
            begins.append(max(at_ms - one.now_ms, 0))
        at_ms = step.until_ms if step.until_ms is not None else at_ms
    return stages, begins


def _spans(problem: HorizonProblem, lane: int, stages: Sequence[int], begins: Sequence[int], ends: Sequence[int]) -> list[Span]:
    found: list[Span] = []
    for k, (stage, end_ms) in enumerate(zip(stages, ends, strict=True)):
        share = int(problem.service_milli[stage, lane])
        if not share:
            continue
        start_ms = max(int(problem.ready_ms[lane]), 0)
        for at in range(1, k + 1):  # what ended on the way here may still clear
            start_ms = max(start_ms, begins[at] + int(problem.green_start_ms[stages[at - 1], stages[at], lane]))
        after = stages[k + 1] if k + 1 < len(stages) else None
        use_ms = int(problem.green_end_ms[stage, after, lane]) if after is not None else NEVER_MS
        stop_ms = min(end_ms + (use_ms if use_ms < NEVER_MS else 0), int(problem.grid_ms[-1]))
        yields = bool(problem.yield_milli[stage, lane]) and bool((problem.foes[stage, lane] >= 0).any())
        if stop_ms > start_ms:
            found.append((start_ms / 1000, stop_ms / 1000, share >= 1000 and not yields))
    return found


def _plain(one: Explanation, stages: Sequence[int], begins: Sequence[int], ends: Sequence[int]) -> list[list[Span]]:
    """Return the greens of a plan without arrays: by stages, transitions left out."""
    model = NodeModel(one.junction, one.node)
    spans: list[list[Span]] = []
    for i, moves in enumerate(model.movements):
        rows = [(model.service[s][i], b, e) for s, b, e in zip(stages, begins, ends, strict=True)]
        spans.append([(b / 1000, e / 1000, len(row) == len(moves) and not any(s.foes for s in row)) for row, b, e in rows if row and e > b])
    return spans
