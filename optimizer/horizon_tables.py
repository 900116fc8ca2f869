"""The tables that a search looks things up in, filled once per solve: kernels."""

from __future__ import annotations

from typing import Final

from optimizer.jit import kernel
from optimizer.lanes import (
    ARRIVAL,
    BEFORE_MOMENT,
    BEFORE_WEIGHT,
    BLOCKED,
    CAP,
    GAP,
    GIVES_WAY,
    HEADWAY,
    HERE_MOMENT,
    HERE_WEIGHT,
    HOME,
    NEVER,
    PASSES,
    PERSON,
    PHASE,
    REACH,
    SHARE,
    STOP,
    STOPPED_MS,
    STOPPED_WEIGHT,
    TERMINAL_WAIT_MS,
    YIELD,
    pass_cap_milli,
)
from optimizer.problem import Ints

# places behind the lanes in the order of turns
PROTECTED_FROM: Final = 0  # lanes before this place have no green in the interval
YIELDING_FROM: Final = 1  # from this place on they yield
TURN_EXTRAS: Final = 2


@kernel("void(i8[:,::1],i8[:,::1],i8[:,::1],i8[:,::1],i8[::1],i8[::1],i8[:,:,::1],i8[:,:,::1])")
def sum_up(arrival: Ints, weight: Ints, passes: Ints, gives_way: Ints, count: Ints, grid: Ints, vehicles: Ints, here: Ints) -> None:
    """Fill each lane's vehicles with their running sums, the one that never comes at the end, and what has arrived by each decision time."""
    for lane in range(arrival.shape[0]):
        n = count[lane]
        weights = 0
        moments = 0
        for v in range(n):
            vehicles[lane, v, ARRIVAL], vehicles[lane, v, BEFORE_WEIGHT], vehicles[lane, v, BEFORE_MOMENT] = arrival[lane, v], weights, moments
            vehicles[lane, v, PASSES], vehicles[lane, v, GIVES_WAY] = passes[lane, v], gives_way[lane, v]
            weights += weight[lane, v]
            moments += weight[lane, v] * arrival[lane, v]
        vehicles[lane, n, ARRIVAL], vehicles[lane, n, BEFORE_WEIGHT], vehicles[lane, n, BEFORE_MOMENT] = NEVER, weights, moments
        vehicles[lane, n, PASSES], vehicles[lane, n, GIVES_WAY] = 0, 0
        there = 0
        stopped = 0
        for k in range(grid.shape[0]):
            while there < n and arrival[lane, there] <= grid[k]:
                there += 1
            while stopped < n and arrival[lane, stopped] + STOPPED_MS < grid[k]:
                stopped += 1
            here[k, lane, HERE_WEIGHT], here[k, lane, HERE_MOMENT] = vehicles[lane, there, BEFORE_WEIGHT], vehicles[lane, there, BEFORE_MOMENT]
            here[k, lane, STOPPED_WEIGHT] = vehicles[lane, stopped, BEFORE_WEIGHT]


@kernel("void(i8[:,::1],i8[:,:,::1],i8[:,::1],i8[:,::1],i8[:,:,::1])")
def reach_times(service: Ints, green_start: Ints, min_stay: Ints, allowed: Ints, rules: Ints) -> None:
    """Fill ``rules[s, l, REACH]``: the shortest time from leaving stage s until another stage serves lane l, over any number of switches."""
    stages, lanes = service.shape
    rules[:, :, REACH] = TERMINAL_WAIT_MS
    changed = True
    while changed:
        changed = False
        for a in range(stages):
            for b in range(stages):
                if a != b and allowed[a, b] != 0:
                    for lane in range(lanes):
                        way = green_start[a, b, lane] if service[b, lane] > 0 else min_stay[a, b] + rules[b, lane, REACH]
                        if way < rules[a, lane, REACH]:
                            rules[a, lane, REACH] = way
                            changed = True


@kernel("void(i8[:,::1],i8[:,:,::1])")
def find_homes(facts: Ints, rules: Ints) -> None:
    """Fill ``facts[l, HOME]``: the stage that serves the lane best, by the share of vehicles that pass without yielding.

    Of equals it is the stage that serves all lanes together best, then the first one.
    """
    stages, lanes = rules.shape[:2]
    for lane in range(lanes):
        most, most_all = -1, -1
        facts[lane, HOME] = 0
        for s in range(stages):
            mine = rules[s, lane, SHARE] * (2000 - rules[s, lane, YIELD])
            together = 0
            for other in range(lanes):
                together += rules[s, other, SHARE] * (2000 - rules[s, other, YIELD])
            if mine > most or (mine == most and together > most_all):
                most, most_all = mine, together
                facts[lane, HOME] = s


@kernel("void(i8[::1],i8[::1],i8[::1],i8[::1],i8[::1],i8[::1],i8[:,::1],i8[:,:,::1],i8[:,::1],i8[:,::1],i8[:,:,::1])")
def set_rules(
    headway: Ints, stop: Ints, person: Ints, blocked: Ints, gap: Ints, phase: Ints, service: Ints, foes: Ints, yields: Ints, facts: Ints, rules: Ints
) -> None:
    """Fill the facts about each lane, and its share, cap and yielding share under each stage."""
    for lane in range(headway.shape[0]):
        facts[lane, HEADWAY], facts[lane, STOP], facts[lane, PERSON] = headway[lane], stop[lane], person[lane]
        facts[lane, BLOCKED], facts[lane, GAP], facts[lane, PHASE] = blocked[lane], gap[lane], phase[lane]
        for s in range(service.shape[0]):
            rules[s, lane, SHARE], rules[s, lane, CAP] = service[s, lane], pass_cap_milli(service[s, lane])
            rules[s, lane, YIELD] = 0
            for i in range(foes.shape[2]):
                if foes[s, lane, i] >= 0:
                    rules[s, lane, YIELD] = yields[s, lane]
    find_homes(facts, rules)


@kernel("void(i8[:,:,::1],i8[:,:,::1],i8[:,:,::1])")
def take_turns(green_end: Ints, rules: Ints, turns: Ints) -> None:
    """Fill ``turns[a, b]``: the lanes without green from a to b, the protected lanes, those that yield, and where each begins.

    Without green is a lane that nothing can leave and whose count under partial service does not begin anew.
    """
    stages, lanes = rules.shape[:2]
    for a in range(stages):
        for b in range(stages):
            place = 0
            for turn in range(3):
                if turn > 0:
                    turns[a, b, lanes + turn - 1] = place
                for lane in range(lanes):
                    ends = a != b and rules[a, lane, SHARE] > 0 and green_end[a, b, lane] < NEVER
                    mine = 1
                    if rules[b, lane, SHARE] == 0 and (a == b or rules[a, lane, SHARE] == 0):
                        mine = 0
                    elif (ends and rules[a, lane, YIELD] > 0) or (rules[b, lane, SHARE] > 0 and rules[b, lane, YIELD] > 0):
                        mine = 2
                    if mine == turn:
                        turns[a, b, place] = lane
                        place += 1
