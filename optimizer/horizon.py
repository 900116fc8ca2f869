"""Rolling horizon: which stage to show, and when to switch. The shell checks, `optimizer.horizon_kernel` computes."""

from __future__ import annotations

from typing import Final

import numpy as np

from optimizer.horizon_kernel import NODE_COLUMNS, reach_times, read_out, search, sum_up
from optimizer.lanes import (
    BLOCKED,
    GAP,
    HEADWAY,
    LANE_ROWS,
    NEXT,
    NOTE_ROWS,
    PASSED,
    PERSON,
    PORTION_MILLI,
    RAW,
    READY,
    REST,
    STATE_ROWS,
    STOP,
    TERMINAL_WAIT_MS,
    VEHICLES,
)
from optimizer.problem import NEVER_MS, HorizonProblem, HorizonResult, Ints

COST_LIMIT: Final = float(1 << 62)
BEAM_LIMIT: Final = 100_000
LONGEST_GAP_MS: Final = 3_600_000

_AXES: Final = {
    "arrival_ms": "LV",
    "weight_milli": "LV",
    "vehicles": "L",
    "headway_ms": "L",
    "stop_cost_ms": "L",
    "person_milli": "L",
    "ready_ms": "L",
    "blocked_ms": "L",
    "service_milli": "SL",
    "foes": "SLF",
    "gap_ms": "L",
    "green_end_ms": "SSL",
    "green_start_ms": "SSL",
    "min_stay_ms": "SS",
    "allowed": "SS",
    "grid_ms": "K",
}


class Workspace:
    """Scratch arrays of one problem shape (lanes, stages, decision times, nodes kept), reused from solve to solve.

    The places for vehicles and for departures only ever grow, so that solving allocates nothing that grows with time.
    """

    def __init__(self, shape: tuple[int, int, int, int], places: int, departures: int) -> None:
        lanes, stages, times, limit = shape

        def ints(*axes: int) -> Ints:
            return np.zeros(axes, np.int64)

        self.places, self.departures = places, departures
        self.lanes = ints(LANE_ROWS, lanes)
        self.yields = ints(stages, lanes + 1)
        self.reach = ints(stages, lanes)
        self.cum_weight, self.cum_moment = ints(lanes, places + 1), ints(lanes, places + 1)
        self.arrived, self.stopped = ints(times, lanes), ints(times, lanes)
        self.nodes, self.states, self.size = ints(times, limit + 1, NODE_COLUMNS), ints(times, limit + 1, STATE_ROWS, lanes), ints(times)
        self.departs = ints(lanes, departures)
        self.notes, self.stage_scratch, self.done = ints(NOTE_ROWS, lanes), ints(stages), ints(limit)
        self.out_stages, self.out_begin, self.alternative = ints(times + 1), ints(times + 1), ints(stages)


_workspaces: dict[tuple[int, int, int, int], Workspace] = {}
_WORKSPACES_KEPT: Final = 64


def workspace_for(p: HorizonProblem) -> Workspace:
    """Return the workspace that fits the problem, kept from earlier solves of the same shape."""
    key = (len(p.vehicles), p.service_milli.shape[0], len(p.grid_ms), max(p.beam, p.service_milli.shape[0]))
    places = p.arrival_ms.shape[1]
    # a lane parts a packet at most once more at the end of each of its two greens in an interval
    departures = int((p.weight_milli // PORTION_MILLI + 1).sum(axis=1).max(initial=0)) + 4
    work = _workspaces.get(key)
    if work is None or work.departures < departures or work.places < places:
        if work is not None:
            places, departures = max(places, work.places), max(departures, work.departures)
        elif len(_workspaces) >= _WORKSPACES_KEPT:
            _workspaces.clear()
        work = _workspaces[key] = Workspace(key, places, departures)
    return work


def solve_horizon(p: HorizonProblem) -> HorizonResult:
    """Return the best sequence of stages that a beam search finds. Raise ValueError naming the array that is wrong.

    Not for several threads at once: problems of one shape share their scratch arrays.
    """
    _check(p)
    w = workspace_for(p)
    _fill(p, w)
    reach_times(p.service_milli, p.green_start_ms, p.min_stay_ms, p.allowed, w.reach)
    sum_up(p.arrival_ms, p.weight_milli, p.vehicles, p.grid_ms, w.cum_weight, w.cum_moment, w.arrived, w.stopped)
    expanded = search(
        p.stage, p.leave_ms, p.switch_cost_ms, p.grid_ms, p.arrival_ms, p.weight_milli, w.lanes, p.foes, p.service_milli,
        p.green_end_ms, p.green_start_ms, p.min_stay_ms, p.allowed, w.yields, w.reach, w.cum_weight, w.cum_moment, w.arrived, w.stopped,
        w.nodes, w.states, w.size, w.departs, w.notes, w.stage_scratch, w.done,
    )  # fmt: skip
    count = read_out(p.grid_ms, w.nodes, w.size, w.out_stages, w.out_begin, w.alternative)
    cost = int(w.alternative.min())
    return HorizonResult(0, w.out_stages[:count].copy(), w.out_begin[:count].copy(), cost, w.alternative.copy(), int(expanded))


def _fill(p: HorizonProblem, w: Workspace) -> None:
    """Write the per-lane constants and the root state."""
    rows = ((VEHICLES, p.vehicles), (HEADWAY, p.headway_ms), (STOP, p.stop_cost_ms), (PERSON, p.person_milli), (BLOCKED, p.blocked_ms), (GAP, p.gap_ms))
    for row, values in rows:
        w.lanes[row] = values
    w.yields[:, :-1] = (p.foes >= 0).any(axis=2) if p.foes.shape[2] else 0
    w.yields[:, -1] = ((w.yields[:, :-1] != 0) & (p.service_milli > 0)).any(axis=1)
    root = w.states[0, 0]
    root[NEXT] = 0
    root[REST] = np.where(p.vehicles > 0, p.weight_milli[:, 0], 0) if p.weight_milli.shape[1] else 0
    root[READY] = np.maximum(p.ready_ms, 0)
    root[PASSED] = 0


def _check(p: HorizonProblem) -> None:
    """Raise ValueError on the first array that the kernels could not digest."""
    sizes: dict[str, int] = {}
    for name, axes in _AXES.items():
        array = getattr(p, name)
        if not isinstance(array, np.ndarray) or array.dtype != np.int64 or not array.flags.c_contiguous or not array.flags.writeable:
            raise ValueError(f"{name}: expected a contiguous, writeable int64 array, found {_describe(array)}; np.ascontiguousarray(x, np.int64) makes one")
        shape = tuple(sizes.setdefault(axis, size) for axis, size in zip(axes, array.shape, strict=False))
        if array.ndim != len(axes) or shape != array.shape:
            raise ValueError(f"{name}: expected shape ({', '.join(axes)}) with {sizes}, found {array.shape}")
    lanes, places, stages = sizes["L"], sizes["V"], sizes["S"]
    _range("vehicles", p.vehicles, 0, places)
    _range("foes", p.foes, -1, lanes - 1)
    _range("service_milli", p.service_milli, 0, 1000)
    _range("gap_ms", p.gap_ms, 0, LONGEST_GAP_MS)
    for name in ("weight_milli", "headway_ms", "stop_cost_ms", "person_milli", "green_end_ms", "green_start_ms", "min_stay_ms"):
        _range(name, getattr(p, name), 0, NEVER_MS)
    for name in ("arrival_ms", "ready_ms", "blocked_ms"):
        _range(name, getattr(p, name), -NEVER_MS, NEVER_MS)
    if stages < 1 or not 0 <= p.stage < stages:
        raise ValueError(f"stage: expected 0 to {stages - 1}, found {p.stage}")
    if not 1 <= p.beam <= BEAM_LIMIT:
        raise ValueError(f"beam: expected 1 to {BEAM_LIMIT} states, found {p.beam}")
    if sizes["K"] < 2 or p.grid_ms[0] != 0 or (np.diff(p.grid_ms) <= 0).any():
        raise ValueError(f"grid_ms: expected at least two strictly increasing times that begin with 0, found {p.grid_ms}")
    for name, value in (("leave_ms", p.leave_ms), ("switch_cost_ms", p.switch_cost_ms)):
        if not -NEVER_MS <= value <= NEVER_MS:
            raise ValueError(f"{name}: expected a time within {NEVER_MS} ms, found {value}")
    _check_lanes(p)


def _check_lanes(p: HorizonProblem) -> None:
    """Raise ValueError where a lane's vehicles are out of order, or its costs could exceed 64 bits."""
    used = np.arange(p.arrival_ms.shape[1]) < p.vehicles[:, None]
    if ((np.diff(p.arrival_ms, axis=1) < 0) & used[:, 1:]).any():
        raise ValueError("arrival_ms: expected each lane's arrivals sorted, found an earlier one after a later one")
    horizon = float(p.grid_ms[-1])
    early = np.where(used, np.minimum(p.arrival_ms, 0), 0).min(axis=1, initial=0).astype(np.float64)
    queue = np.where(used, p.weight_milli, 0).sum(axis=1, dtype=np.float64)
    each = horizon - early + p.stop_cost_ms + TERMINAL_WAIT_MS + queue * p.headway_ms
    worst = float((queue * each * p.person_milli).sum()) + abs(float(p.switch_cost_ms)) * RAW * p.grid_ms.shape[0]
    if not worst < COST_LIMIT:
        raise ValueError(f"weight_milli, person_milli, arrival_ms: expected a total cost below {COST_LIMIT:.0e} raw units, found up to {worst:.1e}")


def _describe(array: object) -> str:
    if not isinstance(array, np.ndarray):
        return type(array).__name__
    return f"{array.dtype}, contiguous {array.flags.c_contiguous}, writeable {array.flags.writeable}"


def _range(name: str, values: Ints, low: int, high: int) -> None:
    if values.size and (values.min() < low or values.max() > high):
        raise ValueError(f"{name}: expected {low} to {high}, found {values.min()} to {values.max()}")
