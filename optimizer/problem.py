"""The arrays that the solvers take and give. Times are integer milliseconds relative to the tick, weights are milli-vehicles."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

NEVER_MS = 1 << 40


class HorizonProblem(NamedTuple):
    """One node over a rolling horizon: L lanes, V places for vehicles per lane, S stages, F foes per lane, K decision times.

    Vehicles of a lane are served in order. A packet of weight w (milli-vehicles) occupies the stop line for
    ``headway_ms * w / 1000`` and costs ``w * (departure - arrival)``, plus ``w * stop_cost_ms`` where it had to wait.
    """

    arrival_ms: Ints  # (L, V) free-flow arrival at the stop line, sorted; negative: is waiting since then
    weight_milli: Ints  # (L, V)
    passes: Ints  # (L, V) bit s: this vehicle may leave under stage s; 0: its way is not known, and `service_milli` says how many such pass
    gives_way: Ints  # (L, V) bit s: this vehicle, whose way is known, yields to the foes under stage s
    vehicles: Ints  # (L,) valid places
    headway_ms: Ints  # (L,) saturation headway
    stop_cost_ms: Ints  # (L,) what a stop costs beyond the waiting
    person_milli: Ints  # (L,) weight of the lane's delay, 1000 = one car
    ready_ms: Ints  # (L,) earliest departure of the first vehicle (start-up, last departure; under red what still clears)
    blocked_ms: Ints  # (L,) no departure before (blocked exit, lock-in); NEVER_MS: not within the horizon
    service_milli: Ints  # (S, L) 0 red; 1000 every movement of the lane is green; else the share of vehicles that may pass
    foes: Ints  # (S, L, F) lanes to yield to under the stage, -1 padded; all -1: protected
    yield_milli: Ints  # (S, L) share, of the vehicles that the stage serves on the lane, that must yield to the foes: 0 none, 1000 all
    yield_phase_milli: Ints  # (L,) 0 to 999: where the pattern of yielding vehicles begins, see `optimizer.lanes.must_yield`
    gap_ms: Ints  # (L,) critical gap of the lane's yielding movements
    green_end_ms: Ints  # (S, S, L) from a to b: how long after the begin of the transition the lane still discharges
    green_start_ms: Ints  # (S, S, L) from a to b: when the lane begins to discharge (start-up inside); 0 and green_end NEVER_MS: goes on;
    # where b does not serve it: when a later stage may at the earliest, for what ends from a to b must be cleared
    min_stay_ms: Ints  # (S, S) from the begin of the transition a to b until b may be left
    allowed: Ints  # (S, S) 1: this transition may be chosen
    grid_ms: Ints  # (K,) decision times, strictly increasing, the first 0, the last the horizon
    stage: int  # stage shown now, or the one that the running transition leads to
    leave_ms: int  # earliest time at which it may be left
    switch_cost_ms: int  # what any switch costs beyond its lost time (milli-vehicle ms / 1000), against dithering
    work_price_milli: int  # milli-vehicles that wait longer by each ms that the queues at the horizon still need to clear
    beam: int  # states kept per decision time


class HorizonResult(NamedTuple):
    """The best sequence found. Status 0: fine, 1: no stage may be chosen, 2: bad arrays (shell raises before)."""

    status: int
    stages: Ints  # (n,) stages in order, the first is the present one
    begin_ms: Ints  # (n,) begin of the transition to each; 0 for the first
    cost_ms: int  # weighted vehicle-milliseconds
    alternative_cost_ms: Ints  # (S,) best cost found when this stage is chosen at once (the present one: stay); NEVER_MS: not found
    expanded: int  # nodes expanded: the budget is counted in these, never in time


class SplitProblem(NamedTuple):
    """A fixed cycle: S stages in their order, L lanes. A lane may be served in several stages."""

    flow_veh_h: NDArray[np.float64]  # (L,)
    saturation_veh_h: NDArray[np.float64]  # (L,)
    queue_veh: NDArray[np.float64]  # (L,) standing now
    service_ratio: NDArray[np.float64]  # (S, L) 0..1 share of the saturation flow that the stage gives the lane
    min_green_s: NDArray[np.float64]  # (S,)
    max_green_s: NDArray[np.float64]  # (S,)
    lost_s: NDArray[np.float64]  # (S,) lost time of the transition into each stage
    min_cycle_s: float
    max_cycle_s: float
    period_s: float  # analysis period of the overflow term


class SplitResult(NamedTuple):
    """Greens for one cycle.

    Status 0: optimal within the step; 1: minimum greens exceed the maximum cycle (greens at the minimum); 2: maximum greens
    cannot fill the minimum cycle (greens at the maximum).
    """

    status: int
    green_s: NDArray[np.float64]  # (S,)
    cycle_s: float
    delay_s: float  # flow-weighted mean delay
    saturation_ratio: NDArray[np.float64]  # (L,) degree of saturation
