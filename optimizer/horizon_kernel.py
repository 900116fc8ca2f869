"""The beam search over (stage, time), as kernels. The shell with the checks is `optimizer.horizon`.

Theory of operation. Each decision time k has a bucket of at most C nodes. A node is a stage shown at ``grid_ms[k]`` together with
all lane states served up to there. Buckets are worked through in order of time. Each node of a bucket may stay, which leads to the
next bucket, or switch at once, which leads to the first bucket that is not before the new stage may be left again. The last bucket
is the horizon. A bucket keeps the best node of every stage, and besides these the best of all. Nodes in the same stage with the same lane states
are one node, the cheaper. The order of nodes is (rank, stage, number): rank is the cost so far, plus the waiting so far of all
that stand, plus the terminal estimate. All integers, so the result does not depend on the machine.
"""

from __future__ import annotations

from typing import Final

from optimizer.jit import kernel
from optimizer.lanes import (
    BLOCKED,
    COMING,
    COUNT,
    HEADWAY,
    NEVER,
    NEXT,
    PASSED,
    PERSON,
    RAW,
    READY,
    REST,
    STATE_ROWS,
    STOP,
    STOPPED_MS,
    TERMINAL_WAIT_MS,
    TURN,
    VEHICLES,
    pass_cap_milli,
    serve_lane,
    stands_ready,
    terminal_cost,
)
from optimizer.problem import Ints

# columns of a node
STAGE: Final = 0
LEAVE: Final = 1
COST: Final = 2
RANK: Final = 3
PARENT: Final = 4
FIRST: Final = 5
NUMBER: Final = 6
WAIT: Final = 7  # how long after the decision time the stage may be left; 0 unless at the horizon
NODE_COLUMNS: Final = 8


@kernel("void(i8[:,::1],i8[:,::1],i8[::1],i8[::1],i8[:,::1],i8[:,::1],i8[:,::1],i8[:,::1])")
def sum_up(arrival: Ints, weight: Ints, vehicles: Ints, grid: Ints, cum_weight: Ints, cum_moment: Ints, arrived: Ints, stopped: Ints) -> None:
    """Fill the running sums of weight and weight times arrival, and how many have arrived, and stopped, by each decision time."""
    for lane in range(arrival.shape[0]):
        cum_weight[lane, 0] = 0
        cum_moment[lane, 0] = 0
        for v in range(vehicles[lane]):
            cum_weight[lane, v + 1] = cum_weight[lane, v] + weight[lane, v]
            cum_moment[lane, v + 1] = cum_moment[lane, v] + weight[lane, v] * arrival[lane, v]
        there = 0
        waiting = 0
        for k in range(grid.shape[0]):
            while there < vehicles[lane] and arrival[lane, there] <= grid[k]:
                there += 1
            while waiting < vehicles[lane] and arrival[lane, waiting] + STOPPED_MS < grid[k]:
                waiting += 1
            arrived[k, lane] = there
            stopped[k, lane] = waiting


@kernel("void(i8[:,::1],i8[:,:,::1],i8[:,::1],i8[:,::1],i8[:,::1])")
def reach_times(service: Ints, green_start: Ints, min_stay: Ints, allowed: Ints, reach: Ints) -> None:
    """Fill ``reach[s, l]``: the shortest time from leaving stage s until another stage serves lane l, over any number of switches."""
    stages, lanes = service.shape
    for s in range(stages):
        for lane in range(lanes):
            reach[s, lane] = TERMINAL_WAIT_MS
    for _ in range(stages):
        for a in range(stages):
            for b in range(stages):
                if a != b and allowed[a, b] != 0:
                    for lane in range(lanes):
                        way = green_start[a, b, lane] if service[b, lane] > 0 else min_stay[a, b] + reach[b, lane]
                        reach[a, lane] = min(way, reach[a, lane])


@kernel("i8(i8,i8,i8,i8,i8,i8[:,::1],i8[:,::1],i8[:,::1],i8[:,:,::1],i8[:,::1],i8[:,:,::1],i8[:,:,::1],i8[:,::1],i8[:,::1],i8[:,::1],i8[:,::1])")
def advance(
    old: int,
    new: int,
    begin_ms: int,
    until_ms: int,
    yielding: int,
    arrival: Ints,
    weight: Ints,
    lanes: Ints,
    foes: Ints,
    service: Ints,
    green_end: Ints,
    green_start: Ints,
    yields: Ints,
    state: Ints,
    departs: Ints,
    notes: Ints,
) -> int:
    """Serve all lanes from `begin_ms`, where stage `old` stays or gives way to `new`, until `until_ms`; return the raw cost.

    Protected lanes go first, yielding lanes then in order of index; a yielding lane sees only the foes that went before it.
    `yielding` 0 says that no lane yields in either stage.
    """
    cost = 0
    if yielding != 0:
        for lane in range(lanes.shape[1]):
            ends = old != new and yields[old, lane] != 0 and service[old, lane] > 0 and green_end[old, new, lane] < NEVER
            notes[COUNT, lane] = 0
            notes[COMING, lane] = NEVER
            notes[TURN, lane] = 1 if ends or (yields[new, lane] != 0 and service[new, lane] > 0) else 0
    for turn in range(1 + yielding):
        for lane in range(lanes.shape[1]):
            if yielding == 0:
                notes[COUNT, lane] = 0
            elif notes[TURN, lane] != turn:
                continue
            before, share = service[old, lane], service[new, lane]
            if old != new:
                if before > 0 and green_end[old, new, lane] < NEVER:
                    end_ms = min(begin_ms + green_end[old, new, lane], until_ms)
                    if stands_ready(lane, end_ms, arrival, lanes, state):
                        cost += serve_lane(lane, old, end_ms, before, yields[old, lane] != 0, arrival, weight, lanes, foes, state, departs, notes)
                    state[PASSED, lane] = 0
                elif before != share:
                    state[PASSED, lane] = 0
                if share > 0:
                    state[READY, lane] = max(state[READY, lane], begin_ms + green_start[old, new, lane])
            if share > 0:
                if stands_ready(lane, until_ms, arrival, lanes, state):
                    cost += serve_lane(lane, new, until_ms, share, yields[new, lane] != 0, arrival, weight, lanes, foes, state, departs, notes)
                nxt = state[NEXT, lane]
                if yielding != 0 and nxt < lanes[VEHICLES, lane] and state[PASSED, lane] < pass_cap_milli(share):
                    notes[COMING, lane] = max(arrival[lane, nxt], state[READY, lane], lanes[BLOCKED, lane])
            state[READY, lane] = max(state[READY, lane], until_ms)
    return cost


@kernel("i8(i8,i8,i8,i8,i8[:,::1],i8[:,::1],i8[:,::1],i8[:,::1],i8[:,::1],i8[:,::1],i8[:,::1],i8[:,::1],i8[:,::1],i8[:,::1])")
def standing_cost(
    k: int,
    now_ms: int,
    stage: int,
    leave_ms: int,
    arrival: Ints,
    weight: Ints,
    lanes: Ints,
    service: Ints,
    reach: Ints,
    cum_weight: Ints,
    cum_moment: Ints,
    arrived: Ints,
    stopped: Ints,
    state: Ints,
) -> int:
    """Return the raw cost of all that have arrived and not left: their waiting and stops so far, and the terminal estimate."""
    total = 0
    for lane in range(lanes.shape[1]):
        nxt = state[NEXT, lane]
        there = arrived[k, lane]
        if there <= nxt:
            continue
        gone = weight[lane, nxt] - state[REST, lane]  # of the packet in front
        queue = cum_weight[lane, there] - cum_weight[lane, nxt] - gone
        moment = cum_moment[lane, there] - cum_moment[lane, nxt] - gone * arrival[lane, nxt]
        cost = now_ms * queue - moment
        if stopped[k, lane] > nxt:
            cost += (cum_weight[lane, stopped[k, lane]] - cum_weight[lane, nxt] - gone) * lanes[STOP, lane]
        share = service[stage, lane]
        if share > 0 and state[PASSED, lane] < pass_cap_milli(share):
            wait = state[READY, lane] - now_ms
        else:
            wait = max(leave_ms - now_ms, 0) + reach[stage, lane]
            share = 1000
        wait = min(max(wait, lanes[BLOCKED, lane] - now_ms), TERMINAL_WAIT_MS)
        total += (cost + terminal_cost(queue, wait, lanes[HEADWAY, lane], share)) * lanes[PERSON, lane]
    return total


@kernel("b1(i8,i8,i8,i8,i8,i8)")
def goes_before(rank: int, stage: int, number: int, other_rank: int, other_stage: int, other_number: int) -> bool:
    """Return whether a node is better than another: by rank, then the lowest stage index, then the one found first."""
    if rank != other_rank:
        return rank < other_rank
    if stage != other_stage:
        return stage < other_stage
    return number < other_number


@kernel("b1(i8[:,:,::1],i8,i8,i8)")
def better(nodes: Ints, k: int, one: int, other: int) -> bool:
    """Return whether the node at place `one` of bucket k is better than that at `other`."""
    return goes_before(
        nodes[k, one, RANK], nodes[k, one, STAGE], nodes[k, one, NUMBER], nodes[k, other, RANK], nodes[k, other, STAGE], nodes[k, other, NUMBER]
    )


@kernel("b1(i8,i8,i8,i8[:,:,::1],i8[:,:,:,::1])")
def same_node(k: int, one: int, other: int, nodes: Ints, states: Ints) -> bool:
    """Return whether two nodes of bucket k have the same future."""
    if nodes[k, one, STAGE] != nodes[k, other, STAGE] or nodes[k, one, WAIT] != nodes[k, other, WAIT]:
        return False
    for row in range(states.shape[2]):
        for lane in range(states.shape[3]):
            if states[k, one, row, lane] != states[k, other, row, lane]:
                return False
    return True


@kernel("void(i8,i8,i8,i8[:,:,::1],i8[:,:,:,::1],b1)")
def move(k: int, place: int, to: int, nodes: Ints, states: Ints, with_state: bool) -> None:
    """Copy a node within bucket k."""
    for column in range(nodes.shape[2]):
        nodes[k, to, column] = nodes[k, place, column]
    if with_state:
        for row in range(states.shape[2]):
            for lane in range(states.shape[3]):
                states[k, to, row, lane] = states[k, place, row, lane]


@kernel("i8(i8,i8[:,:,::1],i8[:,:,:,::1],i8[::1],i8[::1])")
def keep(k: int, nodes: Ints, states: Ints, size: Ints, best: Ints) -> int:
    """Keep the node that was written to place ``size[k]`` of bucket k, if it is among the best; return its place or -1.

    A bucket has one place more than it keeps nodes. When full, it loses its last node that is not the best of its stage; `best` is
    scratch, one place per stage.
    """
    new = int(size[k])
    for place in range(new):
        if same_node(k, new, place, nodes, states):
            if not better(nodes, k, new, place):
                return -1
            move(k, new, place, nodes, states, False)
            return place
    if new < nodes.shape[1] - 1:
        size[k] = new + 1
        return new
    for s in range(best.shape[0]):
        best[s] = -1
    for i in range(new + 1):
        s = nodes[k, i, STAGE]
        if best[s] < 0 or better(nodes, k, i, best[s]):
            best[s] = i
    lost = -1
    for i in range(new + 1):
        if best[nodes[k, i, STAGE]] != i and (lost < 0 or better(nodes, k, lost, i)):
            lost = i
    if lost == new:
        return -1
    move(k, new, lost, nodes, states, True)
    return lost


@kernel("i8(i8,i8[:,:,::1],i8[::1],i8)")
def next_undone(k: int, nodes: Ints, done: Ints, size: int) -> int:
    """Return the place of the best node of bucket k that is not done yet."""
    found = -1
    for i in range(size):
        if done[i] == 0 and (found < 0 or better(nodes, k, i, found)):
            found = i
    return found


@kernel("i8(i8[::1],i8,i8)")
def first_from(grid: Ints, k: int, time_ms: int) -> int:
    """Return the first decision time after the k-th that is not before `time_ms`, at most the horizon."""
    last = grid.shape[0] - 1
    k = min(k + 1, last)
    while k < last and grid[k] < time_ms:
        k += 1
    return k


@kernel(
    "i8(i8,i8,i8,i8[::1],i8[:,::1],i8[:,::1],i8[:,::1],i8[:,:,::1],i8[:,::1],i8[:,:,::1],i8[:,:,::1],i8[:,::1],i8[:,::1],i8[:,::1],"
    "i8[:,::1],i8[:,::1],i8[:,::1],i8[:,::1],i8[:,::1],i8[:,:,::1],i8[:,:,:,::1],i8[::1],i8[:,::1],i8[:,::1],i8[::1],i8[::1])"
)
def search(
    stage: int,
    leave_ms: int,
    switch_cost_ms: int,
    grid: Ints,
    arrival: Ints,
    weight: Ints,
    lanes: Ints,
    foes: Ints,
    service: Ints,
    green_end: Ints,
    green_start: Ints,
    min_stay: Ints,
    allowed: Ints,
    yields: Ints,
    reach: Ints,
    cum_weight: Ints,
    cum_moment: Ints,
    arrived: Ints,
    stopped: Ints,
    nodes: Ints,
    states: Ints,
    size: Ints,
    departs: Ints,
    notes: Ints,
    stage_scratch: Ints,
    done: Ints,
) -> int:
    """Fill the buckets from the root ``nodes[0, 0]``, ``states[0, 0]``; return how many nodes were expanded.

    `departs`, `notes` (3 rows: departures counted, the one to come, turn), `stage_scratch` and `done` are scratch.
    """
    last = grid.shape[0] - 1
    expanded = 0
    size[:] = 0
    size[0] = 1
    nodes[0, 0, STAGE], nodes[0, 0, LEAVE], nodes[0, 0, COST], nodes[0, 0, RANK] = stage, leave_ms, 0, 0
    nodes[0, 0, PARENT], nodes[0, 0, FIRST], nodes[0, 0, NUMBER], nodes[0, 0, WAIT] = -1, stage, 0, 0
    for k in range(last):
        done[:] = 0
        for _ in range(size[k]):
            place = next_undone(k, nodes, done, size[k])
            done[place] = 1
            old = nodes[k, place, STAGE]
            may_leave = nodes[k, place, LEAVE] <= grid[k]
            for new in range(service.shape[0]):
                if new != old and (not may_leave or allowed[old, new] == 0):
                    continue
                leave = nodes[k, place, LEAVE] if new == old else grid[k] + min_stay[old, new]
                to = first_from(grid, k, leave)
                there = size[to]
                for row in range(STATE_ROWS):
                    for lane in range(service.shape[1]):
                        states[to, there, row, lane] = states[k, place, row, lane]
                state = states[to, there]
                yielding = 1 if yields[old, service.shape[1]] != 0 or yields[new, service.shape[1]] != 0 else 0
                cost = nodes[k, place, COST] + advance(
                    old, new, grid[k], grid[to], yielding, arrival, weight, lanes, foes, service, green_end, green_start, yields, state, departs, notes
                )
                if new != old:
                    cost += switch_cost_ms * RAW
                expanded += 1
                nodes[to, there, STAGE], nodes[to, there, LEAVE], nodes[to, there, COST], nodes[to, there, NUMBER] = new, leave, cost, expanded
                nodes[to, there, PARENT] = k * nodes.shape[1] + place
                nodes[to, there, FIRST] = new if k == 0 else nodes[k, place, FIRST]
                nodes[to, there, WAIT] = max(leave - grid[to], 0)
                nodes[to, there, RANK] = cost + standing_cost(
                    to, grid[to], new, leave, arrival, weight, lanes, service, reach, cum_weight, cum_moment, arrived, stopped, state
                )
                keep(to, nodes, states, size, stage_scratch)
    return expanded


@kernel("i8(i8[::1],i8[:,:,::1],i8[::1],i8[::1],i8[::1],i8[::1])")
def read_out(grid: Ints, nodes: Ints, size: Ints, stages: Ints, begin: Ints, alternative: Ints) -> int:
    """Write the best sequence and the best rank found per first stage; return the number of stages in the sequence."""
    last = grid.shape[0] - 1
    best = 0
    alternative[:] = NEVER
    for i in range(size[last]):
        if better(nodes, last, i, best):
            best = i
        first = nodes[last, i, FIRST]
        alternative[first] = min(alternative[first], nodes[last, i, RANK] // RAW)
    count = 0
    k, place = last, best
    while nodes[k, place, PARENT] >= 0:
        k_before, place_before = nodes[k, place, PARENT] // nodes.shape[1], nodes[k, place, PARENT] % nodes.shape[1]
        if nodes[k_before, place_before, STAGE] != nodes[k, place, STAGE]:
            stages[count], begin[count] = nodes[k, place, STAGE], grid[k_before]
            count += 1
        k, place = k_before, place_before
    stages[count], begin[count] = nodes[k, place, STAGE], 0
    count += 1
    for i in range(count // 2):
        stages[i], stages[count - 1 - i] = stages[count - 1 - i], stages[i]
        begin[i], begin[count - 1 - i] = begin[count - 1 - i], begin[i]
    return count
