"""What a given sequence of stages costs each lane, and when its vehicles leave: the search's own kernels, walked along one path.

For explaining a plan, not for making one: each interval is computed once per lane.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from optimizer.horizon import workspace_for
from optimizer.horizon_check import most_departures
from optimizer.horizon_kernel import NO_LIMIT, advance, first_from
from optimizer.horizon_tables import reach_times, set_rules, sum_up, take_turns
from optimizer.lanes import COUNT, PERSON, RAW, READY, STATE_COLUMNS, later_cost
from optimizer.problem import HorizonProblem, Ints


class LaneCosts(NamedTuple):
    """The parts of a sequence's cost; all together they are the cost that the search gives the sequence."""

    cost_ms: Ints  # (L,) weighted vehicle-milliseconds, terminal estimate inside, as if each lane were alone
    order_ms: int  # what those who still stand wait longer because their queues are served by different stages, one after the other
    later_ms: int  # what those still to come wait longer because of the green that the queues at the horizon need (`work_price_milli`)
    switches_ms: int  # what the switches cost beyond their lost time
    departures_ms: list[list[int]]  # (L) when whole vehicles leave within the horizon


def lane_costs(p: HorizonProblem, stages: list[int], begin_ms: list[int]) -> LaneCosts:
    """Return what the sequence costs: `stages` in order, the first the present one, with the begin of the transition to each.

    The problem must be one that `solve_horizon` takes, and the begins decision times at which the search may switch.
    """
    w = workspace_for(p, most_departures(p.weight_milli, p.vehicles))
    sum_up(p.arrival_ms, p.weight_milli, p.passes, p.gives_way, p.vehicles, p.grid_ms, w.vehicles, w.here)
    facts = (p.headway_ms, p.stop_cost_ms, p.person_milli, p.blocked_ms, p.gap_ms, p.yield_phase_milli)
    set_rules(*facts, p.service_milli, p.foes, p.yield_milli, w.facts, w.rules)
    reach_times(p.service_milli, p.green_start_ms, p.min_stay_ms, p.allowed, w.rules)
    take_turns(p.green_end_ms, w.rules, w.turns)
    lanes, last = len(p.vehicles), len(p.grid_ms) - 1
    alone = np.repeat(w.facts[None], lanes, axis=0)  # for each lane, facts in which only its persons count
    for lane in range(lanes):
        alone[lane, np.arange(lanes) != lane, PERSON] = 0
    states = np.zeros((2 * lanes, STATE_COLUMNS), np.int64)
    states[:lanes, READY] = np.maximum(p.ready_ms, 0)
    gone, standing, together, later = np.zeros(lanes, np.int64), np.zeros(lanes, np.int64), 0, 0
    departures: list[list[int]] = [[] for _ in range(lanes)]
    k, place, leave_ms = 0, 0, p.leave_ms
    while k < last:
        now_ms, old = int(p.grid_ms[k]), stages[place]
        if place + 1 < len(stages) and begin_ms[place + 1] <= now_ms:
            place += 1
            leave_ms = now_ms + int(p.min_stay_ms[old, stages[place]])
        to = int(first_from(p.grid_ms, k, leave_ms))
        interval = (old, stages[place], now_ms, to, int(p.grid_ms[to]), leave_ms, NO_LIMIT, 0, 0, lanes)  # the price is no lane's
        tables = (w.vehicles, w.here, w.rules, p.foes, p.green_end_ms, p.green_start_ms, w.turns, states, w.departs, w.notes)
        for lane in range(lanes):
            left, standing[lane] = advance(*interval, alone[lane], *tables)
            gone[lane] += left
        _, together = advance(*interval, w.facts, *tables)
        later = later_cost(len(w.rules), p.work_price_milli, w.notes)
        for lane in range(lanes):
            departures[lane] += _departures(w.departs, w.notes, lane, old, stages[place], w.turns)
        states[:lanes] = states[lanes:]
        k = to
    return LaneCosts((gone + standing) // RAW, (together - int(standing.sum())) // RAW, later // RAW, place * p.switch_cost_ms, departures)


def _departures(departs: Ints, notes: Ints, lane: int, old: int, new: int, turns: Ints) -> list[int]:
    """Return when whole vehicles left in the interval just advanced; a lane without green has no notes of it."""
    lanes = len(departs)
    without = turns[old, new, : turns[old, new, lanes]]
    return [] if lane in without else departs[lane, : notes[lane, COUNT]].tolist()
