"""The beam search over (stage, time), as kernels. The shell is `optimizer.horizon`, the checks are `optimizer.horizon_check`.

Theory of operation. Each decision time k has a bucket of at most C nodes. A node is a stage shown at ``grid_ms[k]`` together with
all lane states served up to there. Buckets are worked through in order of time. Each node of a bucket may stay, which leads to the
next bucket, or switch at once, which leads to the first bucket that is not before the new stage may be left again. The last bucket
is the horizon. A bucket keeps the best node of every stage, and besides these the best of all. Nodes in the same stage with the same lane states
are one node, the cheaper. The order of nodes is (rank, stage, number): rank is the cost so far, plus the waiting so far of all
that stand, plus the terminal estimate, the order of their queues and what these cost later ones. All integers, so the result does not depend on the machine.

Node i has the state of lane l in row ``i * L + l``. A bucket has one node more than it keeps, the spare one, which the next child is
written to; ``bucket[k]`` lists its nodes, the best first, the spare one behind them. So keeping a node moves numbers, never states.
A rank is a sum of parts that are not negative: as soon as it exceeds what would be kept, the child is given up unfinished.
"""

from __future__ import annotations

from typing import Final

from optimizer.horizon_tables import PROTECTED_FROM, YIELDING_FROM
from optimizer.jit import kernel
from optimizer.lanes import (
    CLEAR,
    COMING,
    COUNT,
    GONE_WEIGHT,
    HEADWAY,
    HERE_WEIGHT,
    HOME,
    NEVER,
    PASSED,
    PERSON,
    RAW,
    READY,
    SHARE,
    STATE_COLUMNS,
    WORK,
    YIELD,
    coming_ms,
    foes_end,
    later_cost,
    may_leave,
    order_cost,
    serve_lane,
    standing_cost,
    stands_ready,
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

NO_LIMIT: Final = 1 << 62
GIVEN_UP: Final = -1


@kernel(
    "UniTuple(i8,2)(i8,i8,i8,i8,i8,i8,i8,i8,i8,i8,"
    "i8[:,::1],i8[:,:,::1],i8[:,:,::1],i8[:,:,::1],i8[:,:,::1],i8[:,:,::1],i8[:,:,::1],i8[:,:,::1],i8[:,::1],i8[:,::1],i8[:,::1])"
)
def advance(
    old: int,
    new: int,
    begin_ms: int,
    k: int,
    until_ms: int,
    leave_ms: int,
    limit: int,
    price_milli: int,
    row: int,
    to: int,
    facts: Ints,
    vehicles: Ints,
    here: Ints,
    rules: Ints,
    foes: Ints,
    green_end: Ints,
    green_start: Ints,
    turns: Ints,
    states: Ints,
    departs: Ints,
    notes: Ints,
) -> tuple[int, int]:
    """Serve all lanes from `begin_ms`, where stage `old` stays or gives way to `new`, until `until_ms`, decision time k.

    The states are read from `row` on and written from `to` on. Return the raw cost of those that left, and of those that then stand; or
    GIVEN_UP twice as soon as both together exceed `limit`. Protected lanes go first, yielding lanes then in order of index; a
    yielding lane sees only the foes that went before it. `price_milli`: see `HorizonProblem.work_price_milli`.
    """
    lanes = facts.shape[0]
    protected, yielding = turns[old, new, lanes + PROTECTED_FROM], turns[old, new, lanes + YIELDING_FROM]
    left = 0
    standing = 0
    blocks = rules.shape[0]
    for block in range(blocks):
        notes[block, WORK] = 0
        notes[block, CLEAR] = 0
    if yielding < lanes:
        for lane in range(lanes):
            notes[lane, COUNT] = 0
            notes[lane, COMING] = NEVER
    for place in range(lanes):
        lane = turns[old, new, place]
        at = to + lane
        for column in range(STATE_COLUMNS):
            states[at, column] = states[row + lane, column]
        if place >= protected:
            notes[lane, COUNT] = 0
            before, share = rules[old, lane, SHARE], rules[new, lane, SHARE]
            if old != new:
                if before > 0 and green_end[old, new, lane] < NEVER:
                    end_ms = min(begin_ms + green_end[old, new, lane], until_ms)
                    if stands_ready(lane, end_ms, at, vehicles, facts, states):
                        clears = rules[old, lane, YIELD] > 0 and foes_end(lane, old, new, rules, foes)
                        left += serve_lane(lane, old, end_ms, clears, at, facts, vehicles, rules, foes, states, departs, notes)
                    states[at, PASSED] = 0
                elif before != share:
                    states[at, PASSED] = 0
                states[at, READY] = max(states[at, READY], begin_ms + green_start[old, new, lane])
            if share > 0:
                if stands_ready(lane, until_ms, at, vehicles, facts, states):
                    left += serve_lane(lane, new, until_ms, False, at, facts, vehicles, rules, foes, states, departs, notes)
                if yielding < lanes and may_leave(lane, new, at, vehicles, rules, states):
                    notes[lane, COMING] = coming_ms(lane, at, facts, vehicles, states)
        elif old != new:
            states[at, READY] = max(states[at, READY], begin_ms + green_start[old, new, lane])
        states[at, READY] = max(states[at, READY], until_ms)
        standing += standing_cost(lane, k, until_ms, new, leave_ms, at, facts, vehicles, here, rules, states)
        if left + standing > limit:
            return GIVEN_UP, GIVEN_UP
        queue = here[k, lane, HERE_WEIGHT] - states[at, GONE_WEIGHT]
        if queue > 0:
            block = facts[lane, HOME]
            notes[block, WORK] += queue * facts[lane, PERSON]
            notes[block, CLEAR] = max(notes[block, CLEAR], queue * facts[lane, HEADWAY] // 1000)
    standing += order_cost(blocks, notes) + later_cost(blocks, price_milli, notes)
    if left + standing > limit:
        return GIVEN_UP, GIVEN_UP
    return left, standing


@kernel("b1(i8[:,::1],i8,i8)")
def better(nodes: Ints, one: int, other: int) -> bool:
    """Return whether a node is better than another: by rank, then the lowest stage index, then the one found first."""
    if nodes[one, RANK] != nodes[other, RANK]:
        return bool(nodes[one, RANK] < nodes[other, RANK])
    if nodes[one, STAGE] != nodes[other, STAGE]:
        return bool(nodes[one, STAGE] < nodes[other, STAGE])
    return bool(nodes[one, NUMBER] < nodes[other, NUMBER])


@kernel("b1(i8,i8,i8,i8[:,::1],i8[:,::1])")
def same_node(one: int, other: int, lanes: int, nodes: Ints, states: Ints) -> bool:
    """Return whether two nodes of a bucket have the same future."""
    if nodes[one, STAGE] != nodes[other, STAGE] or nodes[one, WAIT] != nodes[other, WAIT]:
        return False
    if nodes[one, RANK] - nodes[one, COST] != nodes[other, RANK] - nodes[other, COST]:
        return False  # the same states stand at the same cost: spares most comparisons below
    for lane in range(lanes):
        for column in range(STATE_COLUMNS):
            if states[one * lanes + lane, column] != states[other * lanes + lane, column]:
                return False
    return True


@kernel("i8(i8,i8,i8[:,::1],i8[:,::1])")
def last_but_firsts(k: int, count: int, bucket: Ints, nodes: Ints) -> int:
    """Return the place of the last of bucket k's first `count` nodes that is not the best of its stage, -1 where there is none."""
    for place in range(count - 1, -1, -1):
        for ahead in range(place):
            if nodes[bucket[k, ahead], STAGE] == nodes[bucket[k, place], STAGE]:
                return place
    return -1


@kernel("i8(i8,i8,i8,i8[:,::1],i8[:,::1])")
def rank_limit(k: int, count: int, stage: int, bucket: Ints, nodes: Ints) -> int:
    """Return the rank beyond which bucket k, which holds `count` nodes, would not keep a node of the stage."""
    if count < bucket.shape[1] - 1:
        return NO_LIMIT
    for place in range(count):
        if nodes[bucket[k, place], STAGE] == stage:
            worst = last_but_firsts(k, count, bucket, nodes)
            return int(nodes[bucket[k, place], RANK] if worst < 0 else max(nodes[bucket[k, place], RANK], nodes[bucket[k, worst], RANK]))
    return NO_LIMIT


@kernel("i8(i8,i8,i8,i8[:,::1],i8[:,::1],i8[:,::1])")
def keep(k: int, count: int, lanes: int, bucket: Ints, nodes: Ints, states: Ints) -> int:
    """Keep the spare node of bucket k, which holds `count` nodes, if it is among the best; return how many the bucket then holds.

    A full bucket loses its last node that is not the best of its stage; what it loses becomes the spare node.
    """
    new = bucket[k, count]
    place = 0
    while place < count and not same_node(new, bucket[k, place], lanes, nodes, states):
        place += 1
    same = place < count
    if same:
        if not better(nodes, new, bucket[k, place]):
            return count
        bucket[k, count] = bucket[k, place]
    while place > 0 and better(nodes, new, bucket[k, place - 1]):
        bucket[k, place] = bucket[k, place - 1]
        place -= 1
    bucket[k, place] = new
    if same:
        return count
    if count < bucket.shape[1] - 1:
        return count + 1
    lost = last_but_firsts(k, count + 1, bucket, nodes)
    spare = bucket[k, lost]
    for place in range(lost, count):
        bucket[k, place] = bucket[k, place + 1]
    bucket[k, count] = spare
    return count


@kernel("i8(i8[::1],i8,i8)")
def first_from(grid: Ints, k: int, time_ms: int) -> int:
    """Return the first decision time after the k-th that is not before `time_ms`, at most the horizon."""
    last = grid.shape[0] - 1
    k = min(k + 1, last)
    while k < last and grid[k] < time_ms:
        k += 1
    return k


@kernel("void(i8,i8,i8[::1],i8[:,::1],i8[::1],i8[:,::1],i8[:,::1])")
def plant(stage: int, leave_ms: int, ready: Ints, bucket: Ints, size: Ints, nodes: Ints, states: Ints) -> None:
    """Empty all buckets, and put the root into the first one."""
    lanes, times, width = ready.shape[0], bucket.shape[0], bucket.shape[1]
    for k in range(times):
        size[k] = 0
        for place in range(width):
            bucket[k, place] = k * width + place
    size[0] = 1
    nodes[0] = 0
    nodes[0, STAGE], nodes[0, LEAVE], nodes[0, PARENT], nodes[0, FIRST] = stage, leave_ms, -1, stage
    for lane in range(lanes):
        states[lane] = 0
        states[lane, READY] = max(ready[lane], 0)


@kernel(
    "i8(i8,i8,i8,i8[::1],i8[:,::1],i8[:,:,::1],i8[:,:,::1],i8[:,:,::1],i8[:,:,::1],i8[:,:,::1],i8[:,:,::1],i8[:,::1],i8[:,::1],i8[:,:,::1],"
    "i8[:,::1],i8[::1],i8[:,::1],i8[:,::1],i8[:,::1],i8[:,::1])"
)
def search(
    first: int,
    switch_cost_ms: int,
    price_milli: int,
    grid: Ints,
    facts: Ints,
    vehicles: Ints,
    here: Ints,
    rules: Ints,
    foes: Ints,
    green_end: Ints,
    green_start: Ints,
    min_stay: Ints,
    allowed: Ints,
    turns: Ints,
    bucket: Ints,
    size: Ints,
    nodes: Ints,
    states: Ints,
    departs: Ints,
    notes: Ints,
) -> int:
    """Fill the buckets from the root, node 0, on; return how many nodes were expanded. `departs` and `notes` are scratch.

    The root has only the child of stage `first`, unless that is -1.
    """
    lanes = facts.shape[0]
    expanded = 0
    for k in range(grid.shape[0] - 1):
        now_ms = grid[k]
        for place in range(size[k]):
            node = bucket[k, place]
            old = nodes[node, STAGE]
            may_leave = nodes[node, LEAVE] <= now_ms
            for new in range(rules.shape[0]):
                if k == 0 and first >= 0 and new != first:
                    continue
                leave = nodes[node, LEAVE]
                cost = nodes[node, COST]
                if new != old:
                    if not may_leave or allowed[old, new] == 0:
                        continue
                    leave = now_ms + min_stay[old, new]
                    cost += switch_cost_ms * RAW
                to = first_from(grid, k, leave)
                expanded += 1
                limit = rank_limit(to, size[to], new, bucket, nodes) - cost
                child = bucket[to, size[to]]
                left, standing = advance(
                    old, new, now_ms, to, grid[to], leave, limit, price_milli, node * lanes, child * lanes,
                    facts, vehicles, here, rules, foes, green_end, green_start, turns, states, departs, notes,
                )  # fmt: skip
                if left == GIVEN_UP:
                    continue
                nodes[child, STAGE], nodes[child, LEAVE], nodes[child, COST], nodes[child, RANK] = new, leave, cost + left, cost + left + standing
                nodes[child, PARENT], nodes[child, FIRST] = node, new if k == 0 else nodes[node, FIRST]
                nodes[child, NUMBER], nodes[child, WAIT] = expanded, max(leave - grid[to], 0)
                size[to] = keep(to, size[to], lanes, bucket, nodes, states)
    return expanded


@kernel("i8(i8[::1],i8[:,::1],i8[::1],i8[:,::1],i8[::1],i8[::1],i8[::1])")
def read_out(grid: Ints, bucket: Ints, size: Ints, nodes: Ints, stages: Ints, begin: Ints, alternative: Ints) -> int:
    """Write the best sequence and the best rank found per first stage; return the number of stages in the sequence, 0 where none was found."""
    last, width = grid.shape[0] - 1, bucket.shape[1]
    alternative[:] = NEVER
    for place in range(size[last]):
        node = bucket[last, place]
        alternative[nodes[node, FIRST]] = min(alternative[nodes[node, FIRST]], nodes[node, RANK] // RAW)
    count = 0
    if size[last] == 0:
        return count
    node = bucket[last, 0]
    while nodes[node, PARENT] >= 0:
        parent = nodes[node, PARENT]
        if nodes[parent, STAGE] != nodes[node, STAGE]:
            stages[count], begin[count] = nodes[node, STAGE], grid[parent // width]
            count += 1
        node = parent
    stages[count], begin[count] = nodes[node, STAGE], 0
    count += 1
    for i in range(count // 2):
        stages[i], stages[count - 1 - i] = stages[count - 1 - i], stages[i]
        begin[i], begin[count - 1 - i] = begin[count - 1 - i], begin[i]
    return count
