"""How one lane discharges: kernels over integer milliseconds and milli-vehicles.

A lane's state is one row of five numbers: the next vehicle, the earliest next departure, what has passed under partial service since
that green began, and the weight and the moment (weight times arrival) of all that have left. Costs inside are raw: milli-vehicles
times milli-persons times ms, a million of which make one vehicle-millisecond; nothing is rounded before the end, so a sum does not
depend on how it was cut. Every lane ends with a vehicle that never comes, which spares the kernels to ask for the end.
"""

from __future__ import annotations

from typing import Final

from optimizer.jit import kernel
from optimizer.problem import Ints

NEVER: Final = 1 << 40
WAY_BITS: Final = 62  # a way is known for at most so many stages

# columns of a lane's state
NEXT: Final = 0
READY: Final = 1
PASSED: Final = 2
GONE_WEIGHT: Final = 3
GONE_MOMENT: Final = 4
STATE_COLUMNS: Final = 5

# columns of the facts about a lane
HEADWAY: Final = 0
STOP: Final = 1
PERSON: Final = 2
BLOCKED: Final = 3
GAP: Final = 4
PHASE: Final = 5
HOME: Final = 6  # the stage that serves the lane best
FACT_COLUMNS: Final = 7

# columns of the rules of a lane under a stage
SHARE: Final = 0
CAP: Final = 1
YIELD: Final = 2  # 0 where there are no foes
REACH: Final = 3  # from leaving the stage until another one serves the lane
RULE_COLUMNS: Final = 4

# columns of a vehicle
ARRIVAL: Final = 0
BEFORE_WEIGHT: Final = 1  # of all vehicles ahead of it
BEFORE_MOMENT: Final = 2
PASSES: Final = 3  # bit s: leaves under stage s; 0: not known
GIVES_WAY: Final = 4  # bit s: yields under stage s
VEHICLE_COLUMNS: Final = 5

# columns of a lane at a decision time
HERE_WEIGHT: Final = 0  # of all that have arrived
HERE_MOMENT: Final = 1
STOPPED_WEIGHT: Final = 2  # of all that have arrived long enough ago to have stopped
HERE_COLUMNS: Final = 3

# columns of the notes on a lane in an interval
COUNT: Final = 0  # departures of whole vehicles written
COMING: Final = 1  # the whole vehicle after them, if the lane goes on; NEVER where its turn has not come
# and, by stage, of the queues whose best stage it is
WORK: Final = 2  # vehicles, weighted by persons
CLEAR: Final = 3  # how long the longest of them takes to clear
NOTE_COLUMNS: Final = 4

RAW: Final = 1_000_000  # raw cost units in one vehicle-millisecond
STOPPED_MS: Final = 1_000  # a vehicle that waits longer than this has stopped
CLEAR_MS: Final = 1_000  # a yielding vehicle follows a foe at the earliest after this
HALF_MILLI: Final = 500  # expected flow is met by those who yield from half a vehicle on
PORTION_MILLI: Final = 1_000  # a packet of several vehicles leaves one vehicle at a time
TERMINAL_WAIT_MS: Final = 120_000  # a lane that no stage can reach, or that stays blocked, counts as waiting this long


@kernel("i8(i8)")
def pass_cap_milli(share_milli: int) -> int:
    """Return how much may pass, in the mean, until the first vehicle that may not: q / (1 - q) vehicles."""
    if share_milli >= 1000:
        return NEVER
    return share_milli * 1000 // (1000 - share_milli)


@kernel("b1(i8,i8,i8)")
def must_yield(place: int, yield_milli: int, phase_milli: int) -> bool:
    """Return whether the vehicle at `place` of its lane is of the share that yields: as many of any n in a row as the share says, within one."""
    if yield_milli <= 0 or yield_milli >= 1000:
        return yield_milli > 0
    return (phase_milli + (place + 1) * yield_milli) // 1000 > (phase_milli + place * yield_milli) // 1000


@kernel("b1(i8,i8)")
def has_stage(way: int, stage: int) -> bool:
    """Return whether a known way has the stage's bit; none has one from `WAY_BITS` on."""
    return (way >> min(stage, WAY_BITS)) & 1 != 0


@kernel("b1(i8,i8,i8,i8[:,:,::1],i8[:,:,::1],i8[:,::1])")
def may_leave(lane: int, stage: int, row: int, vehicles: Ints, rules: Ints, states: Ints) -> bool:
    """Return whether the lane's next vehicle is one that the stage lets pass: by its way, or, where that is not known, as long as the cap lasts."""
    way = vehicles[lane, states[row, NEXT], PASSES]
    if way != 0:
        return has_stage(way, stage)
    return bool(states[row, PASSED] < rules[stage, lane, CAP])


@kernel("b1(i8,i8)")
def is_whole(gone_milli: int, portion_milli: int) -> bool:
    """Return whether a portion, after `gone_milli` of its lane, is met by those who yield: of expected flow each whole vehicle is, not each packet."""
    return (gone_milli + portion_milli + HALF_MILLI) // 1000 > (gone_milli + HALF_MILLI) // 1000


@kernel("i8(i8,i8,i8[:,::1],i8[:,:,::1],i8[:,::1])")
def coming_ms(lane: int, row: int, facts: Ints, vehicles: Ints, states: Ints) -> int:
    """Return when the next whole vehicle of the lane can leave, were it green; NEVER where it has none. The packets before it are too thin to be met."""
    nxt, gone = states[row, NEXT], states[row, GONE_WEIGHT]
    while vehicles[lane, nxt, ARRIVAL] < NEVER and not is_whole(gone, vehicles[lane, nxt + 1, BEFORE_WEIGHT] - gone):
        nxt += 1
    return int(max(vehicles[lane, nxt, ARRIVAL], states[row, READY], facts[lane, BLOCKED]))


@kernel("i8(i8,i8,i8,i8,i8,i8[:,:,::1],i8[:,::1],i8[:,::1])")
def gap_time_ms(time_ms: int, end_ms: int, gap_ms: int, stage: int, lane: int, foes: Ints, departs: Ints, notes: Ints) -> int:
    """Return the first moment from `time_ms` on at which no foe departs within (t - CLEAR_MS, t + gap_ms); any value from `end_ms` on means none.

    ``departs[j, :notes[j, COUNT]]`` are the departures of foe j's whole vehicles in this interval, ``notes[j, COMING]`` the one after it (NEVER: none).
    """
    moved = True
    while moved and time_ms < end_ms:
        moved = False
        for i in range(foes.shape[2]):
            foe = foes[stage, lane, i]
            if foe >= 0 and foe != lane:
                for n in range(notes[foe, COUNT] + 1):
                    passing = departs[foe, n] if n < notes[foe, COUNT] else notes[foe, COMING]
                    if time_ms - CLEAR_MS < passing < time_ms + gap_ms:
                        time_ms = passing + CLEAR_MS
                        moved = True
    return time_ms


@kernel("b1(i8,i8,i8,i8[:,:,::1],i8[:,:,::1])")
def foes_end(lane: int, old: int, new: int, rules: Ints, foes: Ints) -> bool:
    """Return whether stage `new` serves none of those to whom the lane yields under `old`."""
    for i in range(foes.shape[2]):
        foe = foes[old, lane, i]
        if foe >= 0 and foe != lane and rules[new, foe, SHARE] > 0:
            return False
    return True


@kernel("b1(i8,i8,i8,i8[:,:,::1],i8[:,::1],i8[:,::1])")
def stands_ready(lane: int, end_ms: int, row: int, vehicles: Ints, facts: Ints, states: Ints) -> bool:
    """Return whether a vehicle of the lane could leave before `end_ms`, were it green: most could not, and need no more work."""
    return bool(states[row, READY] < end_ms and vehicles[lane, states[row, NEXT], ARRIVAL] < end_ms and facts[lane, BLOCKED] < end_ms)


@kernel("i8(i8,i8,i8,b1,i8,i8[:,::1],i8[:,:,::1],i8[:,:,::1],i8[:,:,::1],i8[:,::1],i8[:,::1],i8[:,::1])")
def serve_lane(
    lane: int,
    stage: int,
    end_ms: int,
    clears: bool,
    row: int,
    facts: Ints,
    vehicles: Ints,
    rules: Ints,
    foes: Ints,
    states: Ints,
    departs: Ints,
    notes: Ints,
) -> int:
    """Let the lane discharge under `stage` until `end_ms` (exclusive), update its state at `row` and return the raw cost of those that left.

    ``clears``: its foes have no green after `end_ms` either. Then the one who has found no gap until then waits beyond the stop line and leaves as
    they stop: the "sneaker" of HCM 2010 ch. 31, one per lane and green.
    """
    cost = 0
    nxt, ready, passed = states[row, NEXT], states[row, READY], states[row, PASSED]
    weight, moment = states[row, GONE_WEIGHT], states[row, GONE_MOMENT]
    share, cap, yielding = rules[stage, lane, SHARE], rules[stage, lane, CAP], rules[stage, lane, YIELD]
    count = notes[lane, COUNT]
    while True:
        way = vehicles[lane, nxt, PASSES]
        if (way == 0 and passed >= cap) or (way != 0 and not has_stage(way, stage)):
            break
        came = vehicles[lane, nxt, ARRIVAL]
        leave = max(came, ready, facts[lane, BLOCKED])
        if leave >= end_ms:
            break
        if yielding > 0 and (has_stage(vehicles[lane, nxt, GIVES_WAY], stage) if way != 0 else must_yield(nxt, yielding, facts[lane, PHASE])):
            leave = gap_time_ms(leave, end_ms, facts[lane, GAP], stage, lane, foes, departs, notes)
            if leave >= end_ms:
                if not clears:
                    break
                leave = end_ms
        rest = vehicles[lane, nxt + 1, BEFORE_WEIGHT] - weight
        portion = min(rest, PORTION_MILLI) if way != 0 else min(rest, PORTION_MILLI, cap - passed)
        delay = leave - came
        if delay > STOPPED_MS:
            delay += facts[lane, STOP]
        cost += portion * delay
        if is_whole(weight, portion):
            departs[lane, count] = leave
            count += 1
            notes[lane, COUNT] = count
        ready = leave + facts[lane, HEADWAY] * portion // 1000
        if share < 1000 and way == 0:
            passed += portion
        weight += portion
        moment += portion * came
        if portion >= rest:
            nxt += 1
    states[row, NEXT], states[row, READY], states[row, PASSED] = nxt, ready, passed
    states[row, GONE_WEIGHT], states[row, GONE_MOMENT] = weight, moment
    return int(cost * facts[lane, PERSON])


@kernel("i8(i8,i8,i8,i8)")
def terminal_cost(queue_milli: int, wait_ms: int, headway_ms: int, share_milli: int) -> int:
    """Return what a queue costs beyond the horizon, in milli-vehicle ms: all wait for their green, then leave one by one."""
    if share_milli == 1000:  # a division by a constant is a multiplication
        return queue_milli * wait_ms + queue_milli * queue_milli * headway_ms // 2000
    return queue_milli * wait_ms + queue_milli * queue_milli * headway_ms // (2 * share_milli)


@kernel("i8(i8,i8,i8,i8,i8,i8,i8[:,::1],i8[:,:,::1],i8[:,:,::1],i8[:,:,::1],i8[:,::1])")
def standing_cost(
    lane: int, k: int, now_ms: int, stage: int, leave_ms: int, row: int, facts: Ints, vehicles: Ints, here: Ints, rules: Ints, states: Ints
) -> int:
    """Return the raw cost of all on the lane that have arrived and not left: their waiting and stops so far, and the terminal estimate."""
    queue = here[k, lane, HERE_WEIGHT] - states[row, GONE_WEIGHT]
    if queue <= 0:
        return 0
    cost = now_ms * queue - (here[k, lane, HERE_MOMENT] - states[row, GONE_MOMENT])
    cost += max(here[k, lane, STOPPED_WEIGHT] - states[row, GONE_WEIGHT], 0) * facts[lane, STOP]
    share = rules[stage, lane, SHARE]
    if share > 0 and may_leave(lane, stage, row, vehicles, rules, states):
        wait = states[row, READY] - now_ms
    else:
        wait = max(leave_ms - now_ms, 0) + rules[stage, lane, REACH]
        share = 1000
    wait = min(max(wait, facts[lane, BLOCKED] - now_ms), TERMINAL_WAIT_MS)
    return int((cost + terminal_cost(queue, wait, facts[lane, HEADWAY], share)) * facts[lane, PERSON])


@kernel("i8(i8,i8,i8[:,::1])")
def later_cost(blocks: int, price_milli: int, notes: Ints) -> int:
    """Return the raw cost of the queues for those still to come, one person each, of whom `price_milli` wait longer by each ms until all are clear.

    The queues clear one stage after the other, each as long as its longest queue takes.
    """
    needed = 0
    for one in range(blocks):
        needed += notes[one, CLEAR]
    return needed * price_milli * 1000


@kernel("i8(i8,i8[:,::1])")
def order_cost(blocks: int, notes: Ints) -> int:
    """Return the raw cost of serving queues of different stages one after the other: of each two, the better order.

    That is the weighted completion time of Smith's rule (W. E. Smith, Naval Research Logistics Quarterly 3, 1956), without changes.
    """
    cost = 0
    for one in range(blocks):
        if notes[one, WORK] > 0:
            for other in range(one + 1, blocks):
                if notes[other, WORK] > 0:
                    cost += min(notes[one, WORK] * notes[other, CLEAR], notes[other, WORK] * notes[one, CLEAR])
    return cost
