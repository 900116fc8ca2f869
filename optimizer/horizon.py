"""Rolling horizon: which stage to show, and when to switch. This is the shell; `optimizer.horizon_kernel` computes."""

from __future__ import annotations

from typing import Final

import numpy as np

from optimizer.horizon_check import BEAM, BEAM_LIMIT, FINE, check, check_types, explain, most_departures
from optimizer.horizon_kernel import NODE_COLUMNS, plant, read_out, search
from optimizer.horizon_tables import TURN_EXTRAS, reach_times, set_rules, sum_up, take_turns
from optimizer.jit import kernel
from optimizer.lanes import FACT_COLUMNS, HERE_COLUMNS, NOTE_COLUMNS, RULE_COLUMNS, STATE_COLUMNS, VEHICLE_COLUMNS
from optimizer.problem import HorizonProblem, HorizonResult, Ints

ANY: Final = -1  # the search itself chooses the first stage
MORE_DEPARTURES: Final = 100  # the workspace has too few places for departures


class Workspace:
    """Scratch arrays of one problem shape (lanes, stages, decision times, nodes kept), reused from solve to solve.

    The places for vehicles and for departures only ever grow, so that solving allocates nothing that grows with time.
    """

    def __init__(self, shape: tuple[int, int, int, int], places: int, departures: int) -> None:
        lanes, stages, times, limit = shape

        def ints(*axes: int) -> Ints:
            return np.zeros(axes, np.int64)

        nodes = times * (limit + 1)
        self.places, self.departures = places, departures
        self.facts, self.vehicles, self.here = ints(lanes, FACT_COLUMNS), ints(lanes, places + 1, VEHICLE_COLUMNS), ints(times, lanes, HERE_COLUMNS)
        self.rules, self.turns = ints(stages, lanes, RULE_COLUMNS), ints(stages, stages, lanes + TURN_EXTRAS)
        self.bucket, self.size = ints(times, limit + 1), ints(times)
        self.nodes, self.states = ints(nodes, NODE_COLUMNS), ints(nodes * lanes, STATE_COLUMNS)
        self.departs, self.notes = ints(lanes, departures), ints(max(lanes, stages), NOTE_COLUMNS)
        self.stages, self.begin, self.alternative, self.counts = ints(times + 1), ints(times + 1), ints(stages), ints(3)
        self.tables = (self.facts, self.vehicles, self.here, self.rules, self.turns)
        self.scratch = (self.bucket, self.size, self.nodes, self.states, self.departs, self.notes)
        self.out = (self.stages, self.begin, self.alternative, self.counts)


_workspaces: dict[tuple[int, int, int, int], Workspace] = {}
_WORKSPACES_KEPT: Final = 64


def workspace_for(p: HorizonProblem, departures: int = 64) -> Workspace:
    """Return the workspace that fits the problem, kept from earlier solves of the same shape."""
    lanes, places, stages = p.arrival_ms.shape[0], p.arrival_ms.shape[1], p.service_milli.shape[0]
    key = (lanes, stages, p.grid_ms.shape[0], max(p.beam, stages))
    work = _workspaces.get(key)
    if work is None or work.places < places or work.departures < departures:
        if not 1 <= p.beam <= BEAM_LIMIT:
            raise ValueError(explain(p, BEAM))
        if work is not None:
            places, departures = max(places, work.places), max(departures, work.departures)
        elif len(_workspaces) >= _WORKSPACES_KEPT:
            _workspaces.clear()
        work = _workspaces[key] = Workspace(key, places, departures)
    return work


@kernel(
    "i8(i8[:,::1],i8[:,::1],i8[:,::1],i8[:,::1],i8[::1],i8[::1],i8[::1],i8[::1],i8[::1],i8[::1],i8[:,::1],i8[:,:,::1],i8[:,::1],i8[::1],i8[::1],"
    "i8[:,:,::1],i8[:,:,::1],i8[:,::1],i8[:,::1],i8[::1],i8,i8,i8,i8,i8,i8,"
    "i8[:,::1],i8[:,:,::1],i8[:,:,::1],i8[:,:,::1],i8[:,:,::1],"
    "i8[:,::1],i8[::1],i8[:,::1],i8[:,::1],i8[:,::1],i8[:,::1],"
    "i8[::1],i8[::1],i8[::1],i8[::1])"
)
def solve(
    arrival: Ints,
    weight: Ints,
    passes: Ints,
    gives_way: Ints,
    count: Ints,
    headway: Ints,
    stop: Ints,
    person: Ints,
    ready: Ints,
    blocked: Ints,
    service: Ints,
    foes: Ints,
    yields: Ints,
    phase: Ints,
    gap: Ints,
    green_end: Ints,
    green_start: Ints,
    min_stay: Ints,
    allowed: Ints,
    grid: Ints,
    stage: int,
    leave_ms: int,
    switch_cost_ms: int,
    price_milli: int,
    beam: int,
    first: int,
    facts: Ints,
    vehicles: Ints,
    here: Ints,
    rules: Ints,
    turns: Ints,
    bucket: Ints,
    size: Ints,
    nodes: Ints,
    states: Ints,
    departs: Ints,
    notes: Ints,
    stages: Ints,
    begin: Ints,
    alternative: Ints,
    counts: Ints,
) -> int:
    """Check, fill the tables, search and read out; return a code of `check`, or MORE_DEPARTURES. A `first` beyond ANY is the stage to choose at once.

    `counts` receives how many stages the sequence has, how many nodes were expanded, and how many departures there may be.
    """
    code = check(
        arrival, weight, passes, gives_way, count, headway, stop, person, ready, blocked, service, foes, yields, phase, gap,
        green_end, green_start, min_stay, allowed, grid, stage, leave_ms, switch_cost_ms, price_milli, beam,
    )  # fmt: skip
    if code != FINE:
        return code
    counts[2] = most_departures(weight, count)
    if counts[2] > departs.shape[1]:
        return MORE_DEPARTURES
    sum_up(arrival, weight, passes, gives_way, count, grid, vehicles, here)
    set_rules(headway, stop, person, blocked, gap, phase, service, foes, yields, facts, rules)
    reach_times(service, green_start, min_stay, allowed, rules)
    take_turns(green_end, rules, turns)
    plant(stage, leave_ms, ready, bucket, size, nodes, states)
    counts[1] = search(
        first, switch_cost_ms, price_milli, grid, facts, vehicles, here, rules, foes, green_end, green_start, min_stay, allowed, turns,
        bucket, size, nodes, states, departs, notes,
    )  # fmt: skip
    counts[0] = read_out(grid, bucket, size, nodes, stages, begin, alternative)
    return FINE


def solve_horizon(p: HorizonProblem, first: int = ANY) -> HorizonResult:
    """Return the best sequence of stages that a beam search finds. Raise ValueError naming the array that is wrong.

    With `first`, the best sequence that chooses this stage at once (the present one: that stays for now); status 1 where it may not be chosen.
    Not for several threads at once: problems of one shape share their scratch arrays.
    """
    check_types(p)
    w = workspace_for(p)
    code = solve(*p, first, *w.tables, *w.scratch, *w.out)
    if code == MORE_DEPARTURES:
        w = workspace_for(p, int(w.counts[2]))
        code = solve(*p, first, *w.tables, *w.scratch, *w.out)
    if code != FINE:
        raise ValueError(explain(p, code))
    count, expanded, _ = w.counts.tolist()
    alternative = w.alternative.copy()
    return HorizonResult(0 if count else 1, w.stages[:count].copy(), w.begin[:count].copy(), min(alternative.tolist()), alternative, expanded)
