"""Delay formulas for a lane at fixed-time signals: kernels over plain floats, each named for its source.

Symbols: `green_ratio` effective green over cycle, `x_ratio` degree of saturation (flow over capacity), capacity = saturation flow
times green ratio. Flows are in veh/h. See docs/MATH.md for the formulas in full and what they leave out.
"""

from __future__ import annotations

import math
from typing import Final

from optimizer.jit import kernel

LEAST_CAPACITY_VEH_H: Final = 1.0  # keeps the degree of saturation of a lane that is never green finite
FIXED_TIME_K: Final = 0.5  # HCM 2000, chapter 16: incremental delay factor of pretimed signals
ISOLATED_I: Final = 1.0  # HCM 2000, chapter 16: upstream filtering factor of an isolated junction


@kernel("f8(f8,f8,f8)")
def uniform_s(cycle_s: float, green_ratio: float, x_ratio: float) -> float:
    """Return the delay of arrivals at a constant rate: Webster (1958), first term; HCM 2000, d1; held at its value for x = 1 beyond."""
    red = 1.0 - green_ratio
    return 0.5 * cycle_s * red * red / max(1.0 - min(x_ratio, 1.0) * green_ratio, 1e-9)


@kernel("f8(f8,f8)")
def webster_random_s(flow_veh_h: float, x_ratio: float) -> float:
    """Return what random arrivals add: Webster (1958), second term; infinite from x = 1 on."""
    if x_ratio >= 1.0:
        return math.inf
    if flow_veh_h <= 0.0:
        return 0.0
    return x_ratio * x_ratio / (2.0 * (flow_veh_h / 3600.0) * (1.0 - x_ratio))


@kernel("f8(f8,f8,f8,f8)")
def webster_s(cycle_s: float, green_ratio: float, flow_veh_h: float, x_ratio: float) -> float:
    """Return the mean delay by Webster's three terms (Road Research Technical Paper 39, 1958); infinite from x = 1 on."""
    if x_ratio >= 1.0:
        return math.inf
    total = uniform_s(cycle_s, green_ratio, x_ratio)
    if flow_veh_h <= 0.0:
        return total
    flow_veh_s = flow_veh_h / 3600.0
    fitted = 0.65 * math.pow(cycle_s / (flow_veh_s * flow_veh_s), 1.0 / 3.0) * math.pow(x_ratio, 2.0 + 5.0 * green_ratio)
    return total + webster_random_s(flow_veh_h, x_ratio) - fitted


@kernel("f8(f8,f8,f8,f8)")
def webster_short_s(cycle_s: float, green_ratio: float, flow_veh_h: float, x_ratio: float) -> float:
    """Return Webster's short form: nine tenths of the first two terms; infinite from x = 1 on."""
    return 0.9 * (uniform_s(cycle_s, green_ratio, x_ratio) + webster_random_s(flow_veh_h, x_ratio))


@kernel("f8(f8,f8)")
def webster_cycle_s(lost_s: float, flow_ratio: float) -> float:
    """Return Webster's optimum cycle (1.5 L + 5) / (1 - Y); infinite from Y = 1 on, where the formula turns negative."""
    if flow_ratio >= 1.0:
        return math.inf
    return (1.5 * lost_s + 5.0) / (1.0 - flow_ratio)


@kernel("f8(f8,f8,f8)")
def incremental_s(x_ratio: float, capacity_veh_h: float, period_s: float) -> float:
    """Return what randomness and overflow add within the period: HCM 2000, d2, pretimed (k = 0.5), isolated (I = 1)."""
    period_h = period_s / 3600.0
    over = x_ratio - 1.0
    return 900.0 * period_h * (over + math.sqrt(over * over + 8.0 * FIXED_TIME_K * ISOLATED_I * x_ratio / (capacity_veh_h * period_h)))


@kernel("f8(f8,f8,f8,f8)")
def akcelik_overflow_s(x_ratio: float, capacity_veh_h: float, cycle_s: float, period_s: float) -> float:
    """Return the overflow delay by Akcelik (ARR 123, 1981); 0 up to the degree of saturation below which no queue is left over."""
    least = 0.67 + capacity_veh_h * cycle_s / 3600.0 / 600.0
    if x_ratio <= least:
        return 0.0
    period_h = period_s / 3600.0
    over = x_ratio - 1.0
    return 900.0 * period_h * (over + math.sqrt(over * over + 12.0 * (x_ratio - least) / (capacity_veh_h * period_h)))


@kernel("f8(f8,f8,f8,f8)")
def queue_gone_s(queue_veh: float, x_ratio: float, capacity_veh_h: float, period_s: float) -> float:
    """Return how long the initial queue lasts, at most the period: HCM 2000, chapter 16."""
    spare_veh_h = capacity_veh_h * (1.0 - min(x_ratio, 1.0))
    if queue_veh <= 0.0:
        return 0.0
    if spare_veh_h * period_s <= queue_veh * 3600.0:
        return period_s
    return queue_veh / spare_veh_h * 3600.0


@kernel("f8(f8,f8,f8,f8)")
def queue_delay_veh_s(queue_veh: float, x_ratio: float, capacity_veh_h: float, period_s: float) -> float:
    """Return the vehicle-seconds that the initial queue costs within the period: HCM 2000, d3 times capacity times period."""
    if queue_veh <= 0.0:
        return 0.0
    lasts_s = queue_gone_s(queue_veh, x_ratio, capacity_veh_h, period_s)
    left = max(1.0 - capacity_veh_h * (period_s / 3600.0) * (1.0 - min(x_ratio, 1.0)) / queue_veh, 0.0)
    return 0.5 * queue_veh * (1.0 + left) * lasts_s


@kernel("f8(f8,f8,f8,f8,f8,f8)")
def lane_delay_veh_s(flow_veh_h: float, saturation_veh_h: float, queue_veh: float, green_s: float, cycle_s: float, period_s: float) -> float:
    """Return the vehicle-seconds of delay within the period on one lane: d1 + d2 of those that arrive, and the initial queue's."""
    if flow_veh_h <= 0.0 and queue_veh <= 0.0:
        return 0.0
    green_ratio = min(green_s / cycle_s, 1.0)
    capacity_veh_h = max(saturation_veh_h * green_ratio, LEAST_CAPACITY_VEH_H)
    x_ratio = flow_veh_h / capacity_veh_h
    busy_ratio = queue_gone_s(queue_veh, x_ratio, capacity_veh_h, period_s) / period_s
    uniform = busy_ratio * uniform_s(cycle_s, green_ratio, 1.0) + (1.0 - busy_ratio) * uniform_s(cycle_s, green_ratio, x_ratio)
    arriving_veh = flow_veh_h * period_s / 3600.0
    each_s = uniform + incremental_s(x_ratio, capacity_veh_h, period_s)
    return arriving_veh * each_s + queue_delay_veh_s(queue_veh, x_ratio, capacity_veh_h, period_s)
