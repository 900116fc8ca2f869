"""How one lane discharges: kernels over integer milliseconds and milli-vehicles.

A lane's state is one column of a ``(4, L)`` array: the next vehicle, the weight that is left of it, the earliest next departure,
and what has passed under partial service since that green began. Costs inside are raw: milli-vehicles times milli-persons times ms,
a million of which make one vehicle-millisecond; nothing is rounded before the end, so a sum does not depend on how it was cut.
"""

from __future__ import annotations

from typing import Final

from optimizer.jit import kernel
from optimizer.problem import Ints

NEVER: Final = 1 << 40

# rows of a lane state
NEXT: Final = 0
REST: Final = 1
READY: Final = 2
PASSED: Final = 3
STATE_ROWS: Final = 4

# rows of the per-lane constants
VEHICLES: Final = 0
HEADWAY: Final = 1
STOP: Final = 2
PERSON: Final = 3
BLOCKED: Final = 4
GAP: Final = 5
LANE_ROWS: Final = 6

# rows of the notes on an interval
COUNT: Final = 0  # departures written
COMING: Final = 1  # the departure after them, if the lane goes on; NEVER where its turn has not come
TURN: Final = 2  # 0: protected lanes, first; 1: yielding lanes
NOTE_ROWS: Final = 3

RAW: Final = 1_000_000  # raw cost units in one vehicle-millisecond
STOPPED_MS: Final = 1_000  # a vehicle that waits longer than this has stopped
CLEAR_MS: Final = 1_000  # a yielding vehicle follows a foe at the earliest after this
PORTION_MILLI: Final = 1_000  # a packet of several vehicles leaves one vehicle at a time
TERMINAL_WAIT_MS: Final = 120_000  # a lane that no stage can reach, or that stays blocked, counts as waiting this long


@kernel("i8(i8)")
def pass_cap_milli(share_milli: int) -> int:
    """Return how much may pass, in the mean, until the first vehicle that may not: q / (1 - q) vehicles."""
    if share_milli >= 1000:
        return NEVER
    return share_milli * 1000 // (1000 - share_milli)


@kernel("i8(i8,i8,i8,i8,i8,i8[:,:,::1],i8[:,::1],i8[:,::1])")
def gap_time_ms(time_ms: int, end_ms: int, gap_ms: int, stage: int, lane: int, foes: Ints, departs: Ints, notes: Ints) -> int:
    """Return the first moment from `time_ms` on at which no foe departs within (t - CLEAR_MS, t + gap_ms); any value from `end_ms` on means none.

    ``departs[j, :notes[COUNT, j]]`` are the departures of foe j in this interval, ``notes[COMING, j]`` the one after it (NEVER: none).
    """
    moved = True
    while moved and time_ms < end_ms:
        moved = False
        for i in range(foes.shape[2]):
            foe = foes[stage, lane, i]
            if foe >= 0 and foe != lane:
                for n in range(notes[COUNT, foe] + 1):
                    passing = departs[foe, n] if n < notes[COUNT, foe] else notes[COMING, foe]
                    if time_ms - CLEAR_MS < passing < time_ms + gap_ms:
                        time_ms = passing + CLEAR_MS
                        moved = True
    return time_ms


@kernel("b1(i8,i8,i8[:,::1],i8[:,::1],i8[:,::1])")
def stands_ready(lane: int, end_ms: int, arrival: Ints, lanes: Ints, state: Ints) -> bool:
    """Return whether a vehicle of the lane could leave before `end_ms`, were it green: most could not, and need no more work."""
    nxt = state[NEXT, lane]
    return bool(nxt < lanes[VEHICLES, lane] and arrival[lane, nxt] < end_ms and state[READY, lane] < end_ms and lanes[BLOCKED, lane] < end_ms)


@kernel("i8(i8,i8,i8,i8,b1,i8[:,::1],i8[:,::1],i8[:,::1],i8[:,:,::1],i8[:,::1],i8[:,::1],i8[:,::1])")
def serve_lane(
    lane: int,
    stage: int,
    end_ms: int,
    share_milli: int,
    yields: bool,
    arrival: Ints,
    weight: Ints,
    lanes: Ints,
    foes: Ints,
    state: Ints,
    departs: Ints,
    notes: Ints,
) -> int:
    """Let the lane discharge under `stage` until `end_ms` (exclusive), update its state and return the raw cost of those that left."""
    cost = 0
    nxt, rest, ready, passed = state[NEXT, lane], state[REST, lane], state[READY, lane], state[PASSED, lane]
    cap = pass_cap_milli(share_milli)
    while nxt < lanes[VEHICLES, lane]:
        came = arrival[lane, nxt]
        leave = max(came, ready, lanes[BLOCKED, lane])
        if leave >= end_ms or passed >= cap:
            break
        if yields:
            leave = gap_time_ms(leave, end_ms, lanes[GAP, lane], stage, lane, foes, departs, notes)
            if leave >= end_ms:
                break
        portion = min(rest, PORTION_MILLI, cap - passed)
        delay = leave - came
        if delay > STOPPED_MS:
            delay += lanes[STOP, lane]
        cost += portion * lanes[PERSON, lane] * delay
        departs[lane, notes[COUNT, lane]] = leave
        notes[COUNT, lane] += 1
        ready = leave + lanes[HEADWAY, lane] * portion // 1000
        if share_milli < 1000:
            passed += portion
        rest -= portion
        if rest <= 0:
            nxt += 1
            rest = weight[lane, nxt] if nxt < lanes[VEHICLES, lane] else 0
    state[NEXT, lane], state[REST, lane], state[READY, lane], state[PASSED, lane] = nxt, rest, ready, passed
    return cost


@kernel("i8(i8,i8,i8,i8)")
def terminal_cost(queue_milli: int, wait_ms: int, headway_ms: int, share_milli: int) -> int:
    """Return what a queue costs beyond the horizon, in milli-vehicle ms: all wait for their green, then leave one by one."""
    return queue_milli * wait_ms + queue_milli * queue_milli * headway_ms // (2 * share_milli)
