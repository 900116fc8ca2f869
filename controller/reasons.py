"""The reason of a decision in one sentence, with its numbers: who is served, who waits, what a switch and the rival would cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from controller.alternatives import rival_cost_ms, rival_of
from controller.junction import Lane, Node
from controller.plan import PlanStep
from controller.reason_words import TEXTS
from controller.snapshot import Snapshot
from controller.solver import NEVER_MS, HorizonProblem, HorizonResult, Solver
from controller.words import VEHICLE_SECONDS, VEHICLES, Lang, counted, seconds, stage_name, text_of

SEEN_MS: Final = 30_000  # arrivals are counted until the stage ends, at most this far
NAMED: Final = 2  # so many waiting approaches are named, the others summed up


@dataclass(frozen=True, slots=True)
class Waiting:
    """Vehicles that stand on one approach without green, the stage that serves them, and how long the first has stood."""

    where: str
    stage: int
    queue_veh: float
    wait_ms: int


@dataclass(frozen=True, slots=True)
class Clears:
    """For how long nothing turns green, and the approaches whose vehicles wait inside the junction until then."""

    time_ms: int
    where: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reason:
    """What the sentence tells; times in milliseconds from the decision on."""

    stage: int
    kept: bool
    served_veh: float
    within_ms: int
    waiting: tuple[Waiting, ...]
    switch_ms: int | None
    held_ms: int
    rival: int | None
    rival_more_ms: int
    then: tuple[int, int] | None  # the next stage, and in how many ms
    clears: Clears | None = None
    full: tuple[str, ...] = ()  # exits that take nobody
    gated: tuple[str, ...] = ()  # and those whose feeding greens count for less
    shut: tuple[str, ...] = ()  # and those before a red some metres behind
    price_veh: float = 0.0  # as many vehicles still to come wait longer by each second of green that is lost


def costs_by_stage(problem: HorizonProblem, result: HorizonResult, solver: Solver) -> tuple[dict[int, int], float]:
    """Return the cost of the choice taken and of those others that are known, the rival's always, and how long (s) the solver took for that."""
    costs = {s: c for s, c in enumerate(result.alternative_cost_ms.tolist()) if c < NEVER_MS}
    rival = rival_of(problem, result)
    if rival is None or rival in costs:
        return costs, 0.0
    cost_ms = rival_cost_ms(solver, problem, rival)
    if cost_ms is not None:
        costs[rival] = cost_ms
    return costs, solver.solve_s


def clearing_of(step: PlanStep, caught: Sequence[Lane]) -> Clears | None:
    """Return what the way to the step waits for; ``caught``: the lanes whose vehicles wait inside the junction."""
    return Clears(step.clear_ms, tuple(dict.fromkeys(x.approach or x.id for x in caught))) if step.clear_ms else None


def reason_of(
    lanes: Sequence[Lane],
    snapshot: Snapshot,
    problem: HorizonProblem,
    steps: Sequence[PlanStep],
    costs: dict[int, int],
    caught: Sequence[Lane] = (),
    full: Sequence[str] = (),
    gated: Sequence[str] = (),
    shut: Sequence[str] = (),
) -> Reason:
    """Return why the plan's first step is right; ``costs`` of the first choices known, ``lanes`` in the order of the problem.

    ``caught``: the lanes whose vehicles inside the junction the way to the first step waits for. ``full``, ``gated`` and ``shut``: exits.
    """
    stage, now_ms = steps[0].stage, snapshot.now_ms
    until_ms = steps[0].until_ms
    within_ms = SEEN_MS if until_ms is None else max(min(until_ms - now_ms, SEEN_MS), 0)
    others = {s: c for s, c in costs.items() if s != stage}
    rival = min(others, key=lambda s: (others[s], s), default=None)
    kept = stage == problem.stage
    to = stage if not kept else rival
    due_ms, served_veh = now_ms + within_ms, 0.0
    for lane, share in zip(lanes, problem.service_milli[stage].tolist(), strict=True):
        if share:
            belief = snapshot.lanes[lane.id]
            served_veh += share / 1000 * sum([w for a, w in zip(belief.arrival_ms, belief.weight, strict=True) if a <= due_ms])
    return Reason(
        stage=stage,
        kept=kept,
        served_veh=served_veh,
        within_ms=within_ms,
        waiting=_waiting(lanes, snapshot, problem, stage),
        switch_ms=None if to is None else lost_ms(problem, problem.stage, to),
        held_ms=max(problem.leave_ms, 0),
        rival=rival,
        rival_more_ms=0 if rival is None else max(others[rival] - costs[stage], 0),
        then=(steps[1].stage, until_ms - now_ms) if len(steps) > 1 and until_ms is not None else None,
        clears=clearing_of(steps[0], caught),
        full=tuple(full),
        gated=tuple(gated),
        shut=tuple(shut),
        price_veh=problem.work_price_milli / 1000,
    )


def lost_ms(problem: HorizonProblem, old: int, new: int) -> int:
    """Return for how long nobody leaves on the way from a stage to another: from the end of the use of amber to the last lane's begin."""
    rows = (problem.service_milli[old], problem.service_milli[new], problem.green_start_ms[old, new], problem.green_end_ms[old, new])
    lanes: list[tuple[int, ...]] = list(zip(*[row.tolist() for row in rows], strict=True))
    starts = [start_ms for before, after, start_ms, _ in lanes if after and not before]
    ends = [end_ms for before, after, _, end_ms in lanes if before and not after and end_ms < NEVER_MS]
    return max(max([0, *starts]) - max([0, *ends]), 0)


def _waiting(lanes: Sequence[Lane], snapshot: Snapshot, problem: HorizonProblem, stage: int) -> tuple[Waiting, ...]:
    """Return the approaches on which vehicles stand that the stage does not serve, the fullest first."""
    found: dict[tuple[str, int], tuple[float, int]] = {}
    for i, (lane, share) in enumerate(zip(lanes, problem.service_milli[stage].tolist(), strict=True)):
        belief = snapshot.lanes[lane.id]
        if share > 0 or belief.queue_veh < 0.5 or not belief.arrival_ms:
            continue
        key = lane.approach or lane.id, int(problem.service_milli[:, i].argmax())
        queue_veh, wait_ms = found.get(key, (0.0, 0))
        found[key] = queue_veh + belief.queue_veh, max(wait_ms, snapshot.now_ms - belief.arrival_ms[0])
    rows = [Waiting(where, serving, queue_veh, wait_ms) for (where, serving), (queue_veh, wait_ms) in found.items()]
    return tuple(sorted(rows, key=lambda w: (-w.queue_veh, -w.wait_ms, w.where)))


def sentence(node: Node, why: Reason, lang: Lang = Lang.EN) -> str:
    """Return the reason in words."""
    count = counted(why.served_veh, VEHICLES, lang)
    served = _say("served" if round(why.served_veh) else "nobody", lang, count=count, time=_whole_s(why.within_ms, lang))
    parts = [f"{_say('keeps' if why.kept else 'goes', lang, stage=stage_name(node, why.stage))}: {served}", _waits(node, why, lang)]
    if why.clears is not None:
        parts.append(clearing_words(why.clears, lang))
    parts += [_say(key, lang, where=", ".join(lanes)) for key, lanes in (("full", why.full), ("gated", why.gated), ("shut", why.shut)) if lanes]
    if round(why.price_veh):
        parts.append(_say("price", lang, count=counted(why.price_veh, VEHICLES, lang)))
    if why.kept and why.held_ms > 0:
        parts.append(_say("held", lang, time=_whole_s(why.held_ms, lang)))
    elif why.switch_ms:
        parts.append(_say("switch", lang, time=_whole_s(why.switch_ms, lang)))
    if why.rival is not None:
        key = ("rival" if why.kept else "stay") + ("" if round(why.rival_more_ms / 1000) else "_same")
        parts.append(_say(key, lang, stage=node.stages[why.rival].id, cost=counted(why.rival_more_ms / 1000, VEHICLE_SECONDS, lang)))
    if why.then is not None:
        parts.append(_say("then", lang, stage=node.stages[why.then[0]].id, time=_whole_s(why.then[1], lang)))
    return "; ".join(parts)


def clearing_words(why: Clears, lang: Lang = Lang.EN) -> str:
    """Return in words that nothing turns green yet, and for whom."""
    return _say("clears", lang, time=_whole_s(why.time_ms, lang), where=", ".join(why.where))


def _waits(node: Node, why: Reason, lang: Lang) -> str:
    them = []
    for w in why.waiting[:NAMED]:
        count, key = counted(w.queue_veh, VEHICLES, lang), "arrives" if w.wait_ms < 500 else "waits"
        them.append(_say(key, lang, count=count, where=w.where, stage=node.stages[w.stage].id, time=_whole_s(w.wait_ms, lang)))
    if len(why.waiting) > NAMED:
        them.append(_say("others", lang, count=counted(sum(w.queue_veh for w in why.waiting[NAMED:]), VEHICLES, lang)))
    return _say("waiting", lang, them=", ".join(them)) if them else _say("none_wait", lang)


def _say(key: str, lang: Lang, **parts: object) -> str:
    return text_of(TEXTS, key, lang, **parts)


def _whole_s(time_ms: int, lang: Lang) -> str:
    return seconds(1000 * round(time_ms / 1000), lang)
