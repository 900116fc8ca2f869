"""Green splits and cycle of a fixed order of stages, by least total delay within the analysis period.

Theory of operation. For every cycle of a 1 s grid the greens start at their minimums and are filled up step by step, where the delay falls
most; then green is exchanged between pairs of stages, in steps from 8 s down to 0.5 s, until no exchange helps. The delay of a
lane is convex in its green but for a small kink at saturation, so that a split which no exchange betters is the best one on
the grid (certified against brute force in tests/theory). Beyond saturation, where Webster's formula has no answer, the same objective
shares out the green, for the overflow term is finite and grows with the queue. But the delay within the period does not see
what the queue does after it: so where even the longest cycle leaves demand unserved, and less than the cycle of least delay does,
the longest cycle is taken.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from optimizer.delay import lane_delay_veh_s
from optimizer.jit import kernel
from optimizer.problem import Floats, SplitProblem, SplitResult

STEP_S: Final = 0.5
CYCLE_STEP_S: Final = 1.0
WIDEST_STEP_S: Final = 8.0
TINY_S: Final = 1e-6
LEAST_GAIN_RATIO: Final = 1e-12  # an exchange must better the delay by more than its rounding
LONGEST_S: Final = 3600.0

_AXES: Final = {
    "flow_veh_h": "L",
    "saturation_veh_h": "L",
    "queue_veh": "L",
    "service_ratio": "SL",
    "min_green_s": "S",
    "max_green_s": "S",
    "lost_s": "S",
}


@kernel("void(f8[::1],f8[:,::1],f8[::1],f8[::1])")
def lane_greens(green_s: Floats, service: Floats, lost_s: Floats, out_s: Floats) -> None:
    """Write each lane's effective green: its stages' greens by its share, and the transitions between two stages that serve it."""
    stages = service.shape[0]
    for lane in range(service.shape[1]):
        total = 0.0
        for s in range(stages):
            total += green_s[s] * service[s, lane]
            if stages > 1:
                total += lost_s[s] * min(service[s, lane], service[s - 1 if s > 0 else stages - 1, lane])
        out_s[lane] = total


@kernel("f8(f8[::1],f8,f8[::1],f8[::1],f8[::1],f8[:,::1],f8[::1],f8,f8[::1])")
def total_delay_veh_s(
    green_s: Floats,
    cycle_s: float,
    flow: Floats,
    saturation: Floats,
    queue: Floats,
    service: Floats,
    lost_s: Floats,
    period_s: float,
    lane_s: Floats,
) -> float:
    """Return the delay of all lanes within the period; `lane_s` is scratch."""
    lane_greens(green_s, service, lost_s, lane_s)
    total = 0.0
    for lane in range(flow.shape[0]):
        total += lane_delay_veh_s(flow[lane], saturation[lane], queue[lane], lane_s[lane], cycle_s, period_s)
    return total


@kernel("f8(f8[::1],f8,f8[::1],f8[::1],f8[::1],f8[:,::1],f8[::1],f8[::1],f8[::1],f8,f8[::1])")
def share_out(
    green_s: Floats,
    cycle_s: float,
    flow: Floats,
    saturation: Floats,
    queue: Floats,
    service: Floats,
    min_s: Floats,
    max_s: Floats,
    lost_s: Floats,
    period_s: float,
    lane_s: Floats,
) -> float:
    """Write the best greens of the cycle into `green_s` and return their delay. The cycle lies within the greens' limits."""
    stages = green_s.shape[0]
    spare = cycle_s
    for s in range(stages):
        green_s[s] = min_s[s]
        spare -= min_s[s] + lost_s[s]
    while spare > TINY_S:
        chosen = -1
        least = 0.0
        for s in range(stages):
            if max_s[s] - green_s[s] > TINY_S:
                more = min(STEP_S, spare, max_s[s] - green_s[s])
                green_s[s] += more
                delay = total_delay_veh_s(green_s, cycle_s, flow, saturation, queue, service, lost_s, period_s, lane_s) / more
                green_s[s] -= more
                if chosen < 0 or delay < least:
                    chosen, least = s, delay
        if chosen < 0:
            break
        more = min(STEP_S, spare, max_s[chosen] - green_s[chosen])
        green_s[chosen] += more
        spare -= more
    best = total_delay_veh_s(green_s, cycle_s, flow, saturation, queue, service, lost_s, period_s, lane_s)
    step = WIDEST_STEP_S
    while step > STEP_S - TINY_S:
        bettered = True
        while bettered:
            bettered = False
            for giver in range(stages):
                for taker in range(stages):
                    if giver == taker or green_s[giver] - step < min_s[giver] - TINY_S or green_s[taker] + step > max_s[taker] + TINY_S:
                        continue
                    green_s[giver] -= step
                    green_s[taker] += step
                    delay = total_delay_veh_s(green_s, cycle_s, flow, saturation, queue, service, lost_s, period_s, lane_s)
                    if delay < best - LEAST_GAIN_RATIO * best:
                        best = delay
                        bettered = True
                    else:
                        green_s[giver] += step
                        green_s[taker] -= step
        step /= 2.0
    return best


@kernel("f8(f8,f8,f8[::1],f8[::1],f8[::1],f8[:,::1],f8[::1],f8[::1],f8[::1],f8,f8[::1],f8[::1],f8[::1])")
def best_cycle(
    shortest_s: float,
    longest_s: float,
    flow: Floats,
    saturation: Floats,
    queue: Floats,
    service: Floats,
    min_s: Floats,
    max_s: Floats,
    lost_s: Floats,
    period_s: float,
    lane_s: Floats,
    trial_s: Floats,
    green_s: Floats,
) -> float:
    """Write the best greens of the best cycle into `green_s` and return the cycle; the shorter one on ties. `lane_s`, `trial_s` are scratch."""
    best = 0.0
    found = -1.0
    cycle = shortest_s
    while True:
        delay = share_out(trial_s, cycle, flow, saturation, queue, service, min_s, max_s, lost_s, period_s, lane_s)
        if found < 0.0 or delay < best:
            best, found = delay, cycle
            for s in range(green_s.shape[0]):
                green_s[s] = trial_s[s]
        if cycle >= longest_s - TINY_S:
            break
        cycle = min(cycle + CYCLE_STEP_S, longest_s)
    return found


@kernel("f8(f8[::1],f8,f8[::1],f8[::1],f8[:,::1],f8[::1],f8[::1])")
def unserved_veh_h(green_s: Floats, cycle_s: float, flow: Floats, saturation: Floats, service: Floats, lost_s: Floats, lane_s: Floats) -> float:
    """Return the demand beyond the lanes' capacities; `lane_s` is scratch."""
    lane_greens(green_s, service, lost_s, lane_s)
    total = 0.0
    for lane in range(flow.shape[0]):
        total += max(flow[lane] - saturation[lane] * min(lane_s[lane] / cycle_s, 1.0), 0.0)
    return total


def solve_splits(p: SplitProblem) -> SplitResult:
    """Return greens and cycle of least flow-weighted mean delay. Raise ValueError naming the array that is wrong."""
    _check(p)
    lost = float(p.lost_s.sum())
    low, high = float(p.min_green_s.sum()) + lost, float(p.max_green_s.sum()) + lost
    shortest, longest = max(p.min_cycle_s, low), min(p.max_cycle_s, high)
    green, lane = np.empty_like(p.min_green_s), np.empty_like(p.flow_veh_h)
    arrays = (p.flow_veh_h, p.saturation_veh_h, p.queue_veh, p.service_ratio)
    if low > p.max_cycle_s + TINY_S:
        status, cycle = 1, low
        green[:] = p.min_green_s
    elif high < p.min_cycle_s - TINY_S:
        status, cycle = 2, high
        green[:] = p.max_green_s
    else:
        status = 0
        limits = (p.min_green_s, p.max_green_s, p.lost_s, p.period_s)
        full = np.empty_like(green)
        cycle = best_cycle(shortest, longest, *arrays, *limits, lane, full, green)
        share_out(full, longest, *arrays, *limits, lane)
        served = (p.flow_veh_h, p.saturation_veh_h, p.service_ratio, p.lost_s, lane)
        if 0.0 < unserved_veh_h(full, longest, *served) < unserved_veh_h(green, cycle, *served):
            cycle, green = longest, full
    total = total_delay_veh_s(green, cycle, *arrays, p.lost_s, p.period_s, lane)
    vehicles = float((p.flow_veh_h * p.period_s / 3600.0 + p.queue_veh).sum())
    capacity = p.saturation_veh_h * np.minimum(lane / cycle, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        saturation = np.where(p.flow_veh_h > 0.0, p.flow_veh_h / capacity, 0.0)
    return SplitResult(status, green, float(cycle), total / vehicles if vehicles > 0.0 else 0.0, saturation)


def _check(p: SplitProblem) -> None:
    """Raise ValueError on the first array that the kernels could not digest."""
    sizes: dict[str, int] = {}
    for name, axes in _AXES.items():
        array = getattr(p, name)
        if not isinstance(array, np.ndarray) or array.dtype != np.float64 or not array.flags.c_contiguous or not array.flags.writeable:
            found = f"{array.dtype}" if isinstance(array, np.ndarray) else type(array).__name__
            raise ValueError(f"{name}: expected a contiguous, writeable float64 array, found {found}; np.ascontiguousarray(x, np.float64) makes one")
        shape = tuple(sizes.setdefault(axis, size) for axis, size in zip(axes, array.shape, strict=False))
        if array.ndim != len(axes) or shape != array.shape:
            raise ValueError(f"{name}: expected shape ({', '.join(axes)}) with {sizes}, found {array.shape}")
        if not np.isfinite(array).all() or (array < 0.0).any():
            raise ValueError(f"{name}: expected finite values from 0 up, found {array[~(np.isfinite(array) & (array >= 0.0))].flat[0]}")
    if sizes["S"] < 1:
        raise ValueError("min_green_s: expected at least one stage, found none")
    if (p.service_ratio > 1.0).any():
        raise ValueError(f"service_ratio: expected 0 to 1, found {p.service_ratio.max()}")
    if (p.max_green_s < p.min_green_s).any() or (p.max_green_s > LONGEST_S).any():
        raise ValueError(f"max_green_s: expected min_green_s to {LONGEST_S} s, found {p.max_green_s} with minimums {p.min_green_s}")
    if not 0.0 < p.min_cycle_s <= p.max_cycle_s <= LONGEST_S:
        raise ValueError(f"min_cycle_s, max_cycle_s: expected 0 < minimum <= maximum <= {LONGEST_S} s, found {p.min_cycle_s}, {p.max_cycle_s}")
    if p.min_green_s.sum() + p.lost_s.sum() <= 0.0 and p.max_green_s.sum() <= 0.0:
        raise ValueError("max_green_s, lost_s: expected a cycle longer than 0 s, found all zero")
    if not 0.0 < p.period_s < float("inf"):
        raise ValueError(f"period_s: expected a positive time, found {p.period_s}")
