"""When whole vehicles leave each lane if a sequence of stages is followed: the search's own kernels, walked once along one path."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from optimizer.horizon import workspace_for
from optimizer.horizon_check import most_departures
from optimizer.horizon_kernel import NO_LIMIT, advance, first_from
from optimizer.horizon_tables import PROTECTED_FROM, reach_times, set_rules, sum_up, take_turns
from optimizer.jit import kernel
from optimizer.lanes import COUNT, NEVER, READY, SHARE, STATE_COLUMNS
from optimizer.problem import HorizonProblem, Ints


class Departures(NamedTuple):
    """Departures of whole vehicles within the horizon, by lane in order of time."""

    at_ms: list[list[int]]  # (L) relative to the tick
    stage: list[list[int]]  # (L) the stage under which each leaves; the one before, in its amber


@kernel(
    "void(i8[:,::1],i8[:,::1],i8[:,::1],i8[:,::1],i8[::1],i8[::1],i8[::1],i8[::1],i8[::1],i8[::1],i8[:,::1],i8[:,:,::1],i8[:,::1],i8[::1],i8[::1],"
    "i8[:,:,::1],i8[:,:,::1],i8[:,::1],i8[:,::1],i8[::1],i8,i8[::1],i8[::1],i8,"
    "i8[:,::1],i8[:,:,::1],i8[:,:,::1],i8[:,:,::1],i8[:,:,::1],i8[:,::1],i8[:,::1],i8[:,::1],"
    "i8[:,::1],i8[:,::1],i8[::1])"
)
def walk(
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
    leave_ms: int,
    stages: Ints,
    begin: Ints,
    within_ms: int,
    facts: Ints,
    vehicles: Ints,
    here: Ints,
    rules: Ints,
    turns: Ints,
    states: Ints,
    departs: Ints,
    notes: Ints,
    at: Ints,
    under: Ints,
    left: Ints,
) -> None:
    """Follow `stages`, each begun at `begin`; write when whole vehicles leave to `at`, the stage to `under`, and how many per lane to `left`.

    Intervals that begin at `within_ms` or later are left out.

    Two rows of `states` per lane, and as many places of `at` as there may be departures (`most_departures`).
    """
    sum_up(arrival, weight, passes, gives_way, count, grid, vehicles, here)
    set_rules(headway, stop, person, blocked, gap, phase, service, foes, yields, facts, rules)
    reach_times(service, green_start, min_stay, allowed, rules)
    take_turns(green_end, rules, turns)
    lanes, last = headway.shape[0], grid.shape[0] - 1
    for lane in range(lanes):
        left[lane] = 0
        for column in range(STATE_COLUMNS):
            states[lane, column] = 0
        states[lane, READY] = max(ready[lane], 0)
    k, place = 0, 0
    while k < last and grid[k] < within_ms:
        now_ms, old = grid[k], stages[place]
        if place + 1 < stages.shape[0] and begin[place + 1] <= now_ms:
            place += 1
            leave_ms = now_ms + min_stay[old, stages[place]]
        new = stages[place]
        to = first_from(grid, k, leave_ms)
        advance(
            old, new, now_ms, to, grid[to], leave_ms, NO_LIMIT, 0, 0, lanes,
            facts, vehicles, here, rules, foes, green_end, green_start, turns, states, departs, notes,
        )  # fmt: skip
        for turn in range(turns[old, new, lanes + PROTECTED_FROM], lanes):
            lane = turns[old, new, turn]
            ends = old != new and rules[old, lane, SHARE] > 0 and green_end[old, new, lane] < NEVER
            for n in range(notes[lane, COUNT]):
                at[lane, left[lane]] = departs[lane, n]
                under[lane, left[lane]] = old if ends and departs[lane, n] <= now_ms + green_end[old, new, lane] else new
                left[lane] += 1
        for lane in range(lanes):
            for column in range(STATE_COLUMNS):
                states[lane, column] = states[lanes + lane, column]
        k = to


def departures(p: HorizonProblem, stages: Ints, begin_ms: Ints, within_ms: int = NEVER) -> Departures:
    """Return who leaves when under a sequence that `solve_horizon` gave for this very problem. The scratch arrays are those of `solve_horizon`.

    What begins at `within_ms` or later is left out.
    """
    w = workspace_for(p, most_departures(p.weight_milli, p.vehicles))
    lanes = len(p.vehicles)
    at, under, left = np.empty((lanes, w.departures), np.int64), np.empty((lanes, w.departures), np.int64), np.empty(lanes, np.int64)
    walk(*p[:20], p.leave_ms, stages, begin_ms, within_ms, w.facts, w.vehicles, w.here, w.rules, w.turns, w.states, w.departs, w.notes, at, under, left)
    counts = left.tolist()
    return Departures([at[i, :n].tolist() for i, n in enumerate(counts)], [under[i, :n].tolist() for i, n in enumerate(counts)])
