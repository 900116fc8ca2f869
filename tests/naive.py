"""Plain-Python twins of all numba kernels, written for reading, not for speed: lists and objects instead of arrays and running sums.

Each kernel has a function of the same name here. Where the kernel works in arrays, the twin takes the problem and objects, and the
tests translate.
"""

from __future__ import annotations

import copy
import itertools
import math
from dataclasses import dataclass, field

from optimizer.problem import HorizonProblem

NEVER = 2**40
TERMINAL_WAIT = 120_000


# ---- one lane -------------------------------------------------------------------------------------------------------------


@dataclass
class LaneState:
    """The vehicles still to leave, the earliest next departure, and what passed under partial service.

    A vehicle is [arrival, weight, stages that let it pass, stages under which it yields], the stages as bits, none where the way is not known.
    """

    waiting: list[list[int]]
    ready: int
    passed: int = 0


def pass_cap_milli(share):
    """With probability q each may pass: q + q^2 + ... = q / (1 - q) pass before the first that may not."""
    return NEVER if share >= 1000 else math.floor(1000 * share / (1000 - share))


def must_yield(place, share, phase):
    """Count up by the share for every vehicle: who carries the counter over a thousand yields."""
    counter = phase
    for _ in range(place):
        counter = (counter + share) % 1000
    return counter + share >= 1000


def gap_time_ms(time, end, gap, foe_times):
    """The earliest moment that keeps clear of all foes is the given one, or right after one of them."""
    for moment in sorted([time, *(foe + 1000 for foe in foe_times if foe + 1000 > time)]):
        if moment >= end or all(not moment - 1000 < foe < moment + gap for foe in foe_times):
            return moment
    raise AssertionError("the moment after the last foe is always free")


def is_whole(gone, portion):
    """Return whether the portion takes what has gone past a half vehicle: half of one, one and a half, and so on."""
    return any(gone < half <= gone + portion for half in range(500, gone + portion + 1, 1000))


def coming_ms(p, lane, state):
    """Return when the next whole vehicle can leave, NEVER where the lane has none."""
    gone, more = _gone(p, lane, state), 0
    for arrival, weight, *_ in state.waiting:
        more += weight
        if is_whole(gone, more):
            return max(arrival, state.ready, int(p.blocked_ms[lane]))
    return NEVER


def _gone(p, lane, state):
    return sum(int(w) for w in p.weight_milli[lane, : p.vehicles[lane]]) - sum(weight for _, weight, *_ in state.waiting)


def has_stage(way, stage):
    return stage in [bit for bit in range(62) if way & 2**bit]


def may_leave(p, lane, stage, state):
    """Return whether there is a next vehicle, and it is known to leave under the stage, or is not known and within the cap."""
    if not state.waiting:
        return False
    passes = state.waiting[0][2]
    return has_stage(passes, stage) if passes else state.passed < pass_cap_milli(int(p.service_milli[stage, lane]))


def stands_ready(p, lane, end, state):
    return bool(state.waiting) and max(state.waiting[0][0], state.ready, int(p.blocked_ms[lane])) < end


def serve_lane(p, lane, stage, end, state, foe_times=(), *, clears=False):
    """Return (raw cost, departures of whole vehicles). ``clears``: who has found no gap by the end leaves then."""
    cost, departures, share = 0, [], int(p.service_milli[stage, lane])
    while may_leave(p, lane, stage, state):
        arrival, weight, passes, yields = state.waiting[0]
        leave = max(arrival, state.ready, int(p.blocked_ms[lane]))
        place = int(p.vehicles[lane]) - len(state.waiting)
        yielding = int(p.yield_milli[stage, lane])
        caught = False
        must = yielding > 0 and has_stage(yields, stage) if passes else must_yield(place, yielding, int(p.yield_phase_milli[lane]))
        if leave < end and must:
            leave = gap_time_ms(leave, end, int(p.gap_ms[lane]), foe_times)
            caught = clears and leave >= end
            leave = end if caught else leave
        if leave >= end and not caught:
            break
        part = min(weight, 1000) if passes else min(weight, 1000, pass_cap_milli(share) - state.passed)
        wait = leave - arrival
        cost += part * int(p.person_milli[lane]) * (wait + (int(p.stop_cost_ms[lane]) if wait > 1000 else 0))
        if is_whole(_gone(p, lane, state), part):
            departures.append(leave)
        state.ready = leave + int(p.headway_ms[lane]) * part // 1000
        state.passed += part if share < 1000 and not passes else 0
        state.waiting[0][1] -= part
        if state.waiting[0][1] == 0:
            state.waiting.pop(0)
    return cost, departures


def terminal_cost(queue, wait, headway, share):
    return queue * wait + (queue * queue * headway) // (2 * share)


# ---- a junction over an interval ------------------------------------------------------------------------------------------


def sum_up(p):
    """Return each lane's vehicles as [arrival, weight ahead, moment ahead], and per time and lane [arrived weight, moment, stopped weight]."""
    vehicles, here = [], [[] for _ in p.grid_ms]
    for lane in range(len(p.vehicles)):
        pairs = [(int(p.arrival_ms[lane, v]), int(p.weight_milli[lane, v])) for v in range(p.vehicles[lane])]
        arrivals = [a for a, _ in pairs] + [NEVER]
        ways = [[int(p.passes[lane, v]), int(p.gives_way[lane, v])] for v in range(p.vehicles[lane])] + [[0, 0]]
        vehicles.append([[a, sum(w for _, w in pairs[:n]), sum(w * b for b, w in pairs[:n]), *ways[n]] for n, a in enumerate(arrivals)])
        for k, now in enumerate(p.grid_ms):
            come = [(a, w) for a, w in pairs if a <= now]
            here[k].append([sum(w for _, w in come), sum(a * w for a, w in come), sum(w for a, w in come if now - a > 1000)])
    return vehicles, here


def find_homes(p):
    """Return for each lane the stage that lets most of its vehicles pass, one that yields counting half; of equals the one best for all lanes together."""
    stages, lanes = p.service_milli.shape

    def served(stage, lane):
        yielding = int(p.yield_milli[stage, lane]) if _foes(p, stage, lane) else 0
        return int(p.service_milli[stage, lane]) * (2000 - yielding)

    return [max(range(stages), key=lambda s: (served(s, lane), sum(served(s, x) for x in range(lanes)), -s)) for lane in range(lanes)]


def set_rules(p):
    """Return the facts per lane, and share, cap and yielding share per stage and lane."""
    columns = (p.headway_ms, p.stop_cost_ms, p.person_milli, p.blocked_ms, p.gap_ms, p.yield_phase_milli, find_homes(p))
    facts = [[int(x[lane]) for x in columns] for lane in range(len(p.vehicles))]
    stages, lanes = p.service_milli.shape
    rules = [
        [[int(p.service_milli[s, x]), pass_cap_milli(int(p.service_milli[s, x])), int(p.yield_milli[s, x]) if _foes(p, s, x) else 0] for x in range(lanes)]
        for s in range(stages)
    ]
    return facts, rules


def _discharges(p, old, new, lane):
    """Return whether the lane loses its green from the old stage to the new one."""
    return old != new and p.service_milli[old, lane] > 0 and p.green_end_ms[old, new, lane] < NEVER


def _yields(p, stage, lane):
    return p.service_milli[stage, lane] > 0 and p.yield_milli[stage, lane] > 0 and bool(_foes(p, stage, lane))


def take_turns(p, old, new):
    """Return the lanes without green in either stage, the protected ones, and those that yield."""
    lanes = range(len(p.vehicles))
    without = [x for x in lanes if p.service_milli[new, x] == 0 and p.service_milli[old, x] == 0]
    if old == new:
        without = [x for x in lanes if p.service_milli[new, x] == 0]
    yielding = [x for x in lanes if (_discharges(p, old, new, x) and _yields(p, old, x)) or _yields(p, new, x)]
    return without, [x for x in lanes if x not in without and x not in yielding], yielding


def reach_times(p):
    """Walk all chains of different stages and take the shortest."""
    stages, lanes = p.service_milli.shape

    def walk(stage, lane, seen):
        best = TERMINAL_WAIT
        for nxt in range(stages):
            if nxt == stage or not p.allowed[stage, nxt]:
                continue
            if p.service_milli[nxt, lane] > 0:
                best = min(best, int(p.green_start_ms[stage, nxt, lane]))
            elif nxt not in seen:
                best = min(best, int(p.min_stay_ms[stage, nxt]) + walk(nxt, lane, seen | {nxt}))
        return best

    return [[walk(s, lane, {s}) for lane in range(lanes)] for s in range(stages)]


def _foes(p, stage, lane):
    return [int(f) for f in p.foes[stage, lane] if f >= 0]


def foes_end(p, lane, old, new):
    return all(p.service_milli[new, foe] == 0 for foe in _foes(p, old, lane) if foe != lane)


def advance(p, old, new, begin, until, states, noted=None):
    """Serve all lanes from `begin` until `until`, and return the raw cost. Old and new stage are the same where nothing switches.

    `noted` receives the departures of whole vehicles by lane.
    """
    cost, seen = 0, {}  # seen: lane -> departures that a yielding lane after it must keep clear of
    for lane in [lane for turn in take_turns(p, old, new) for lane in turn]:
        state, share, before = states[lane], int(p.service_milli[new, lane]), int(p.service_milli[old, lane])
        departures = []

        def clear_of(stage, lane=lane):
            return [t for foe in _foes(p, stage, lane) for t in seen.get(foe, [])]

        ends = _discharges(p, old, new, lane)
        if ends:
            clears = _yields(p, old, lane) and foes_end(p, lane, old, new)
            end = min(begin + int(p.green_end_ms[old, new, lane]), until)
            part, departures = serve_lane(p, lane, old, end, state, clear_of(old), clears=clears)
            cost += part
        if old != new and (ends or before != share):
            state.passed = 0
        if old != new:
            state.ready = max(state.ready, begin + int(p.green_start_ms[old, new, lane]))
        if share > 0:
            part, more = serve_lane(p, lane, new, until, state, clear_of(new))
            cost += part
            departures = departures + more
        if noted is not None:
            noted[lane] = list(departures)
        if share > 0 and may_leave(p, lane, new, state):
            departures = [*departures, coming_ms(p, lane, state)]
        seen[lane] = departures
        state.ready = max(state.ready, until)
    return cost


def standing_cost(p, lane, now, stage, leave, state, reach):
    here = [(arrival, weight) for arrival, weight, *_ in state.waiting if arrival <= now]
    queue = sum(weight for _, weight in here)
    cost = sum(weight * (now - arrival + (int(p.stop_cost_ms[lane]) if now - arrival > 1000 else 0)) for arrival, weight in here)
    share = int(p.service_milli[stage, lane])
    if share > 0 and (may_leave(p, lane, stage, state) if state.waiting else state.passed < pass_cap_milli(share)):
        wait = state.ready - now
    else:
        wait, share = max(leave - now, 0) + reach[stage][lane], 1000
    wait = min(max(wait, int(p.blocked_ms[lane]) - now), TERMINAL_WAIT)
    return (cost + terminal_cost(queue, wait, int(p.headway_ms[lane]), share)) * int(p.person_milli[lane])


def later_cost(queues, price_milli):
    """Return what queues (work, time to clear) that are served one after the other cost those still to come."""
    return sum(clear for _, clear in queues) * price_milli * 1000


def order_cost(queues):
    """Return what queues (vehicles weighted by persons, time to clear) cost that are served one after the other, in the best of all orders."""

    def cost(order):
        return sum(work * sum(clear for _, clear in order[:n]) for n, (work, _) in enumerate(order))

    return min(cost(order) for order in itertools.permutations(queues))


def standing_costs(p, now, stage, leave, states, reach):
    """Return what all standing vehicles cost, lane by lane, because queues of different stages wait for each other, and because others come later."""
    queues = [sum(weight for arrival, weight, *_ in state.waiting if arrival <= now) for state in states]
    homes, blocks = find_homes(p), []
    for s in range(p.service_milli.shape[0]):
        mine = [lane for lane, home in enumerate(homes) if home == s]
        work = sum(queues[lane] * int(p.person_milli[lane]) for lane in mine)
        blocks.append((work, max((queues[lane] * int(p.headway_ms[lane]) // 1000 for lane in mine), default=0)))
    later = later_cost(blocks, p.work_price_milli)
    return sum(standing_cost(p, lane, now, stage, leave, state, reach) for lane, state in enumerate(states)) + order_cost(blocks) + later


# ---- the beam -------------------------------------------------------------------------------------------------------------


@dataclass
class Node:
    stage: int
    leave: int
    cost: int
    rank: int
    first: int
    number: int
    states: list[LaneState]
    k: int = 0
    parent: Node | None = field(default=None, repr=False)


def _order(node):
    return node.rank, node.stage, node.number


def better(one, other):
    return _order(one) < _order(other)


def same_node(one, other, now):
    return (one.stage, max(one.leave, now), one.states) == (other.stage, max(other.leave, now), other.states)


def last_but_firsts(nodes):
    """Return the place of the last node, of these in order, whose stage came before; -1 if none."""
    places = [i for i, n in enumerate(nodes) if n.stage in {m.stage for m in nodes[:i]}]
    return max(places, default=-1)


def rank_limit(nodes, limit, stage):
    """Return the highest rank at which some node of the stage could come into a bucket with these nodes in order."""
    mine = [n.rank for n in nodes if n.stage == stage]
    if len(nodes) < limit or not mine:
        return 2**62
    others = [n.rank for i, n in enumerate(nodes) if n.stage in {m.stage for m in nodes[:i]}]
    return max([min(mine), *others[-1:]])


def keep(candidates, now, limit):
    """Of all nodes that ever came to a bucket: drop the dearer of equal ones, keep the best of every stage, then the best of all."""
    ranked = sorted(candidates, key=_order)
    unique = [n for i, n in enumerate(ranked) if not any(same_node(n, m, now) for m in ranked[:i])]
    first_of_stage = [n for i, n in enumerate(unique) if n.stage not in {m.stage for m in unique[:i]}]
    others = [n for n in unique if not any(n is m for m in first_of_stage)]
    return sorted(first_of_stage + others[: limit - len(first_of_stage)], key=_order)


def first_from(grid, k, time):
    for i in range(k + 1, len(grid)):
        if grid[i] >= time:
            return i
    return len(grid) - 1


def walk(p, stages, begins, within=NEVER):
    """Return, by lane, when whole vehicles leave and under which stage, if the stages are begun at these times."""
    states, grid, left = plant(p).states, p.grid_ms.tolist(), [[] for _ in p.vehicles]
    k, stage, leave = 0, stages[0], p.leave_ms
    later = list(zip(stages[1:], begins[1:], strict=True))
    while k < len(grid) - 1 and grid[k] < within:
        old, noted = stage, {}
        if later and later[0][1] <= grid[k]:
            stage = later.pop(0)[0]
            leave = grid[k] + int(p.min_stay_ms[old, stage])
        to = first_from(grid, k, leave)
        advance(p, old, stage, grid[k], grid[to], states, noted)
        for lane, times in noted.items():
            until = grid[k] + int(p.green_end_ms[old, stage, lane]) if _discharges(p, old, stage, lane) else -1
            left[lane] += [(time, old if time <= until else stage) for time in times]
        k = to
    return left


def plant(p: HorizonProblem):
    """Return the root."""
    states = []
    for lane in range(len(p.vehicles)):
        columns = (p.arrival_ms, p.weight_milli, p.passes, p.gives_way)
        waiting = [[int(x[lane, v]) for x in columns] for v in range(p.vehicles[lane])]
        states.append(LaneState(waiting, max(int(p.ready_ms[lane]), 0)))
    return Node(p.stage, p.leave_ms, 0, 0, p.stage, 0, states)


def children(p, node, reach, number=0):
    """Return all nodes that follow a node, in order of stage."""
    now, out = int(p.grid_ms[node.k]), []
    for stage in range(p.service_milli.shape[0]):
        if stage != node.stage and (node.leave > now or not p.allowed[node.stage, stage]):
            continue
        child = copy.deepcopy(node)
        child.parent, child.stage, child.number = node, stage, number + len(out) + 1
        if stage != node.stage:
            child.leave = now + int(p.min_stay_ms[node.stage, stage])
            child.cost += p.switch_cost_ms * 1_000_000
        child.k = first_from(p.grid_ms, node.k, child.leave)
        until = int(p.grid_ms[child.k])
        child.first = stage if node.k == 0 else node.first
        child.cost += advance(p, node.stage, stage, now, until, child.states)
        child.rank = child.cost + standing_costs(p, until, stage, child.leave, child.states, reach)
        out.append(child)
    return out


def search(p: HorizonProblem, first=-1):
    """Return the buckets (lists of nodes, best first) and the number of nodes expanded; the root has only the child of stage `first`, unless -1."""
    reach, limit, expanded = reach_times(p), max(p.beam, p.service_milli.shape[0]), 0
    came: list[list[Node]] = [[] for _ in p.grid_ms]
    came[0] = [plant(p)]
    buckets = []
    for k, now in enumerate(p.grid_ms):
        buckets.append(keep(came[k], int(now), limit))
        if k == len(p.grid_ms) - 1:
            break
        for node in buckets[-1]:
            born = children(p, node, reach, expanded)
            if k == 0 and first >= 0:
                born = [child for child in born if child.stage == first]
                for child in born:
                    child.number = 1
            expanded += len(born)
            for child in born:
                came[child.k].append(child)
    return buckets, expanded


def read_out(p, finals):
    """Return (stages, begins, cost, alternatives) of the best final node; no stages where there is none."""
    if not finals:
        return [], [], NEVER, [NEVER] * p.service_milli.shape[0]
    best = min(finals, key=_order)
    path = []
    node = best
    while node.parent is not None:
        if node.parent.stage != node.stage:
            path.append((node.stage, int(p.grid_ms[node.parent.k])))
        node = node.parent
    path.append((node.stage, 0))
    alternatives = [min((n.rank // 1_000_000 for n in finals if n.first == s), default=NEVER) for s in range(p.service_milli.shape[0])]
    return [s for s, _ in reversed(path)], [t for _, t in reversed(path)], best.rank // 1_000_000, alternatives


def solve(p):
    """Return the code of the check, and if that is 0 what is read out, and the number of nodes expanded."""
    code = check(p)
    if code != 0:
        return code, None, 0
    buckets, expanded = search(p)
    return code, read_out(p, buckets[-1]), expanded


def exhaustive_cost(p: HorizonProblem, first=-1):
    """Return the least cost over every sequence of decisions, or those that choose stage `first` at once: no beam, no merging."""
    reach = reach_times(p)

    def least(node):
        if node.k == len(p.grid_ms) - 1:
            return node.rank
        born = children(p, node, reach)
        return min((least(child) for child in born if node.k > 0 or first in (-1, child.stage)), default=NEVER * 1_000_000)

    return least(plant(p)) // 1_000_000


# ---- checks --------------------------------------------------------------------------------------------------------------


def outside(values, low, high):
    return any(not low <= int(v) <= high for v in values)


def check(p: HorizonProblem):
    """Return the place from 1 on of the first range that is broken, else the (negative) code of the first other rule, else 0."""
    (lanes, places), stages, times = p.arrival_ms.shape, len(p.service_milli), [int(t) for t in p.grid_ms]
    shape = {"L": (lanes,), "LV": (lanes, places), "SL": (stages, lanes), "SS": (stages, stages), "SSL": (stages, stages, lanes)}
    axes = {"arrival_ms": "LV", "weight_milli": "LV", "service_milli": "SL", "yield_milli": "SL", "green_end_ms": "SSL", "green_start_ms": "SSL"}
    axes |= dict.fromkeys(("passes", "gives_way"), "LV")
    axes |= dict.fromkeys(("min_stay_ms", "allowed"), "SS") | dict.fromkeys(("vehicles", "headway_ms", "stop_cost_ms", "person_milli"), "L")
    axes |= dict.fromkeys(("ready_ms", "blocked_ms", "yield_phase_milli", "gap_ms"), "L")
    if any(getattr(p, name).shape != shape[of] for name, of in axes.items()) or p.foes.shape[:2] != (stages, lanes):
        return -1
    ranges = [("foes", -1, lanes - 1), ("vehicles", 0, places), ("service_milli", 0, 1000), ("yield_milli", 0, 1000), ("yield_phase_milli", 0, 999)]
    ranges.append(("gap_ms", 0, 3_600_000))
    ranges += [(n, 0, NEVER) for n in ("weight_milli", "headway_ms", "stop_cost_ms", "person_milli", "green_end_ms", "green_start_ms", "min_stay_ms")]
    ranges += [(n, -NEVER, NEVER) for n in ("arrival_ms", "ready_ms", "blocked_ms")]
    ranges += [(n, 0, 2**62 - 1) for n in ("passes", "gives_way")]
    for place, (name, low, high) in enumerate(ranges):
        if outside(getattr(p, name).flat, low, high):
            return place + 1
    used = [[(int(p.arrival_ms[x, v]), int(p.weight_milli[x, v])) for v in range(p.vehicles[x])] for x in range(lanes)]
    rules = [
        (-2, 0 <= p.stage < stages),
        (-3, 1 <= p.beam <= 100_000),
        (-4, len(times) >= 2 and times[0] == 0 and times == sorted(set(times)) and times[-1] < NEVER),
        (-5, abs(p.leave_ms) <= NEVER and abs(p.switch_cost_ms) <= NEVER and 0 <= p.work_price_milli <= NEVER),
        (-6, all([a for a, _ in of] == sorted(a for a, _ in of) for of in used)),
    ]
    broken = [code for code, holds in rules if not holds]
    if broken:
        return broken[0]
    worst = abs(p.switch_cost_ms) * 1_000_000 * len(times)
    queues = [sum(w for _, w in of) for of in used]
    for x, (of, queue) in enumerate(zip(used, queues, strict=True)):
        early = min([0, *(a for a, _ in of)])
        worst += queue * (times[-1] - early + int(p.stop_cost_ms[x]) + TERMINAL_WAIT + queue * int(p.headway_ms[x])) * int(p.person_milli[x])
    work = sum(queue * int(p.person_milli[x]) for x, queue in enumerate(queues))
    clear = max((queue * int(p.headway_ms[x]) / 1000 for x, queue in enumerate(queues)), default=0)
    worst += stages * clear * (work + p.work_price_milli * 1000)
    return 0 if worst < 2**62 else -7


def most_departures(p):
    return 4 + max((sum(int(w) // 1000 + 1 for w in p.weight_milli[x, : p.vehicles[x]]) for x in range(len(p.vehicles))), default=0)


# ---- delay formulas -------------------------------------------------------------------------------------------------------


def uniform_s(cycle, green_ratio, x):
    return 0.5 * cycle * (1.0 - green_ratio) * (1.0 - green_ratio) / max(1.0 - (x if x < 1.0 else 1.0) * green_ratio, 1e-9)


def webster_random_s(flow_h, x):
    if x >= 1.0:
        return math.inf
    return x * x / (2.0 * (flow_h / 3600.0) * (1.0 - x)) if flow_h > 0.0 else 0.0


def webster_s(cycle, green_ratio, flow_h, x):
    if x >= 1.0:
        return math.inf
    if flow_h <= 0.0:
        return uniform_s(cycle, green_ratio, x)
    q = flow_h / 3600.0
    return uniform_s(cycle, green_ratio, x) + webster_random_s(flow_h, x) - 0.65 * math.pow(cycle / (q * q), 1.0 / 3.0) * math.pow(x, 2.0 + 5.0 * green_ratio)


def webster_short_s(cycle, green_ratio, flow_h, x):
    return 0.9 * (uniform_s(cycle, green_ratio, x) + webster_random_s(flow_h, x))


def webster_cycle_s(lost, y):
    return math.inf if y >= 1.0 else (1.5 * lost + 5.0) / (1.0 - y)


def incremental_s(x, capacity_h, period):
    t = period / 3600.0
    return 900.0 * t * (x - 1.0 + math.sqrt((x - 1.0) * (x - 1.0) + 4.0 * x / (capacity_h * t)))


def akcelik_overflow_s(x, capacity_h, cycle, period):
    x0 = 0.67 + capacity_h * cycle / 3600.0 / 600.0
    t = period / 3600.0
    return 0.0 if x <= x0 else 900.0 * t * (x - 1.0 + math.sqrt((x - 1.0) * (x - 1.0) + 12.0 * (x - x0) / (capacity_h * t)))


def queue_gone_s(queue, x, capacity_h, period):
    spare = capacity_h * (1.0 - min(x, 1.0))
    if queue <= 0.0:
        return 0.0
    return period if spare * period <= queue * 3600.0 else queue / spare * 3600.0


def queue_delay_veh_s(queue, x, capacity_h, period):
    if queue <= 0.0:
        return 0.0
    left = max(1.0 - capacity_h * (period / 3600.0) * (1.0 - min(x, 1.0)) / queue, 0.0)
    return 0.5 * queue * (1.0 + left) * queue_gone_s(queue, x, capacity_h, period)


def lane_delay_veh_s(flow_h, saturation_h, queue, green, cycle, period):
    if flow_h <= 0.0 and queue <= 0.0:
        return 0.0
    ratio = min(green / cycle, 1.0)
    capacity = max(saturation_h * ratio, 1.0)
    x = flow_h / capacity
    busy = queue_gone_s(queue, x, capacity, period) / period
    each = busy * uniform_s(cycle, ratio, 1.0) + (1.0 - busy) * uniform_s(cycle, ratio, x) + incremental_s(x, capacity, period)
    return flow_h * period / 3600.0 * each + queue_delay_veh_s(queue, x, capacity, period)


# ---- splits ---------------------------------------------------------------------------------------------------------------


def lane_greens(green, service, lost):
    stages, lanes = service.shape
    out = []
    for lane in range(lanes):
        total = 0.0
        for s in range(stages):
            total += green[s] * service[s, lane]
            if stages > 1:
                total += lost[s] * min(service[s, lane], service[s - 1, lane])
        out.append(total)
    return out


def total_delay_veh_s(green, cycle, flow, saturation, queue, service, lost, period):
    total = 0.0
    for lane, lane_green in enumerate(lane_greens(green, service, lost)):
        total += lane_delay_veh_s(flow[lane], saturation[lane], queue[lane], lane_green, cycle, period)
    return total


def unserved_veh_h(green, cycle, flow, saturation, service, lost):
    total = 0.0
    for lane, lane_green in enumerate(lane_greens(green, service, lost)):
        total += max(flow[lane] - saturation[lane] * min(lane_green / cycle, 1.0), 0.0)
    return total


def share_out(cycle, flow, saturation, queue, service, low, high, lost, period):
    """Return (delay, greens) of the best split on the half-second grid above the minimums, by trying all of them."""
    spare = cycle - float(sum(low)) - float(sum(lost))
    steps, rest = int(spare / 0.5 + 1e-6), spare - 0.5 * int(spare / 0.5 + 1e-6)
    best = (math.inf, [])

    def fill(stage, left, green):
        nonlocal best
        if stage == len(low) - 1:
            green = [*green, low[stage] + 0.5 * left + rest]
            if green[-1] <= high[stage] + 1e-6:
                best = min(best, (total_delay_veh_s(green, cycle, flow, saturation, queue, service, lost, period), green), key=lambda x: x[0])
            return
        for n in range(left + 1):
            if low[stage] + 0.5 * n <= high[stage] + 1e-6:
                fill(stage + 1, left - n, [*green, low[stage] + 0.5 * n])

    fill(0, steps, [])
    return best


def best_cycle(shortest, longest, *arrays):
    """Return (delay, cycle, greens), trying every second and every split."""
    cycles = [shortest + n for n in range(int(longest - shortest + 1e-6) + 1)]
    if cycles[-1] < longest - 1e-6:
        cycles.append(longest)
    best = (math.inf, 0.0, [])
    for cycle in cycles:
        delay, green = share_out(cycle, *arrays)
        if delay < best[0]:
            best = (delay, cycle, green)
    return best
