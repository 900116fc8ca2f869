"""Whether the arrays of a problem can be digested: a kernel says which rule is broken, the shell says it in words."""

from __future__ import annotations

from typing import Final

import numpy as np

from optimizer.jit import kernel
from optimizer.lanes import NEVER, PORTION_MILLI, RAW, TERMINAL_WAIT_MS, WAY_BITS
from optimizer.problem import HorizonProblem, Ints

COST_LIMIT: Final = float(1 << 62)
BEAM_LIMIT: Final = 100_000
LONGEST_GAP_MS: Final = 3_600_000

# what `check` returns, besides the place in RANGES, from 1 on
FINE: Final = 0
SHAPES: Final = -1
STAGE: Final = -2
BEAM: Final = -3
GRID: Final = -4
NUMBERS: Final = -5
ORDER: Final = -6
COSTS: Final = -7

_INT64: Final = np.dtype(np.int64)
# the arrays of a problem in their order
AXES: Final = {
    "arrival_ms": "LV",
    "weight_milli": "LV",
    "passes": "LV",
    "gives_way": "LV",
    "vehicles": "L",
    "headway_ms": "L",
    "stop_cost_ms": "L",
    "person_milli": "L",
    "ready_ms": "L",
    "blocked_ms": "L",
    "service_milli": "SL",
    "foes": "SLF",
    "yield_milli": "SL",
    "yield_phase_milli": "L",
    "gap_ms": "L",
    "green_end_ms": "SSL",
    "green_start_ms": "SSL",
    "min_stay_ms": "SS",
    "allowed": "SS",
    "grid_ms": "K",
}

RANGES: Final = (
    ("foes", -1, None),  # up to the last lane
    ("vehicles", 0, None),  # up to the number of places
    ("service_milli", 0, 1000),
    ("yield_milli", 0, 1000),
    ("yield_phase_milli", 0, 999),
    ("gap_ms", 0, LONGEST_GAP_MS),
    ("weight_milli", 0, NEVER),
    ("headway_ms", 0, NEVER),
    ("stop_cost_ms", 0, NEVER),
    ("person_milli", 0, NEVER),
    ("green_end_ms", 0, NEVER),
    ("green_start_ms", 0, NEVER),
    ("min_stay_ms", 0, NEVER),
    ("arrival_ms", -NEVER, NEVER),
    ("ready_ms", -NEVER, NEVER),
    ("blocked_ms", -NEVER, NEVER),
    ("passes", 0, (1 << WAY_BITS) - 1),
    ("gives_way", 0, (1 << WAY_BITS) - 1),
)


@kernel("b1(i8[::1],i8,i8)")
def outside(values: Ints, low: int, high: int) -> bool:
    """Return whether any value is less than `low` or more than `high`."""
    found = False
    for i in range(values.shape[0]):
        found |= values[i] < low or values[i] > high
    return found


@kernel(
    "i8(i8[:,::1],i8[:,::1],i8[:,::1],i8[:,::1],i8[::1],i8[::1],i8[::1],i8[::1],i8[::1],i8[::1],i8[:,::1],i8[:,:,::1],i8[:,::1],i8[::1],i8[::1],"
    "i8[:,:,::1],i8[:,:,::1],i8[:,::1],i8[:,::1],i8[::1],i8,i8,i8,i8,i8)"
)
def check(
    arrival: Ints,
    weight: Ints,
    passes: Ints,
    gives_way: Ints,
    vehicles: Ints,
    headway: Ints,
    stop: Ints,
    person: Ints,
    ready: Ints,
    blocked: Ints,
    service: Ints,
    foes: Ints,
    yields: Ints,
    phase: Ints,
    gap: Ints,
    green_end: Ints,
    green_start: Ints,
    min_stay: Ints,
    allowed: Ints,
    grid: Ints,
    stage: int,
    leave_ms: int,
    switch_cost_ms: int,
    price_milli: int,
    beam: int,
) -> int:
    """Return the code of the first rule that the problem breaks, FINE if none."""
    lanes, places = arrival.shape
    stages, times = service.shape[0], grid.shape[0]
    agree = weight.shape == arrival.shape and vehicles.shape[0] == lanes and headway.shape[0] == lanes and stop.shape[0] == lanes
    agree = agree and person.shape[0] == lanes and ready.shape[0] == lanes and blocked.shape[0] == lanes and gap.shape[0] == lanes
    agree = agree and service.shape[1] == lanes and foes.shape[0] == stages and foes.shape[1] == lanes and yields.shape == service.shape
    agree = agree and passes.shape == arrival.shape and gives_way.shape == arrival.shape
    agree = agree and phase.shape[0] == lanes and min_stay.shape == (stages, stages) and allowed.shape == (stages, stages)
    if not (agree and green_end.shape == (stages, stages, lanes) and green_start.shape == (stages, stages, lanes)):
        return SHAPES
    if outside(foes.reshape(foes.size), -1, lanes - 1):
        return 1
    if outside(vehicles, 0, places):
        return 2
    if outside(service.reshape(service.size), 0, 1000):
        return 3
    if outside(yields.reshape(yields.size), 0, 1000):
        return 4
    if outside(phase, 0, 999):
        return 5
    if outside(gap, 0, LONGEST_GAP_MS):
        return 6
    if outside(weight.reshape(weight.size), 0, NEVER):
        return 7
    if outside(headway, 0, NEVER):
        return 8
    if outside(stop, 0, NEVER):
        return 9
    if outside(person, 0, NEVER):
        return 10
    if outside(green_end.reshape(green_end.size), 0, NEVER):
        return 11
    if outside(green_start.reshape(green_start.size), 0, NEVER):
        return 12
    if outside(min_stay.reshape(min_stay.size), 0, NEVER):
        return 13
    if outside(arrival.reshape(arrival.size), -NEVER, NEVER):
        return 14
    if outside(ready, -NEVER, NEVER):
        return 15
    if outside(blocked, -NEVER, NEVER):
        return 16
    if outside(passes.reshape(passes.size), 0, (1 << WAY_BITS) - 1):
        return 17
    if outside(gives_way.reshape(gives_way.size), 0, (1 << WAY_BITS) - 1):
        return 18
    if stages < 1 or stage < 0 or stage >= stages:
        return STAGE
    if beam < 1 or beam > BEAM_LIMIT:
        return BEAM
    if times < 2 or grid[0] != 0 or grid[times - 1] >= NEVER:
        return GRID
    for k in range(1, times):
        if grid[k] <= grid[k - 1]:
            return GRID
    if leave_ms < -NEVER or leave_ms > NEVER or switch_cost_ms < -NEVER or switch_cost_ms > NEVER or price_milli < 0 or price_milli > NEVER:
        return NUMBERS
    worst = abs(float(switch_cost_ms)) * RAW * times
    work, clear = 0.0, 0.0
    for lane in range(lanes):
        queue = 0.0
        for v in range(vehicles[lane]):
            queue += float(weight[lane, v])
            if v > 0 and arrival[lane, v] < arrival[lane, v - 1]:
                return ORDER
        early = float(min(arrival[lane, 0], 0)) if vehicles[lane] > 0 else 0.0
        each = float(grid[times - 1]) - early + float(stop[lane]) + TERMINAL_WAIT_MS + queue * float(headway[lane])
        worst += queue * each * float(person[lane])
        work += queue * float(person[lane])
        clear = max(clear, queue * float(headway[lane]) / 1000.0)
    worst += stages * clear * (work + 1000.0 * float(price_milli))
    return FINE if worst < COST_LIMIT else COSTS


@kernel("i8(i8[:,::1],i8[::1])")
def most_departures(weight: Ints, vehicles: Ints) -> int:
    """Return the most departures that an interval can have on a lane: it parts a packet once more at the end of each of its two greens."""
    most = 0
    for lane in range(vehicles.shape[0]):
        count = 0
        for v in range(vehicles[lane]):
            count += weight[lane, v] // PORTION_MILLI + 1
        most = max(most, count)
    return most + 4


def check_types(p: HorizonProblem) -> None:
    """Raise ValueError on the first array that is none, of another type, or not to be written in order."""
    for (name, axes), array in zip(AXES.items(), p, strict=False):  # the arrays come first, in this order
        if not isinstance(array, np.ndarray) or array.dtype != _INT64 or not array.flags.carray:
            raise ValueError(f"{name}: expected a contiguous, writeable int64 array, found {_describe(array)}; np.ascontiguousarray(x, np.int64) makes one")
        if array.ndim != len(axes):
            raise ValueError(f"{name}: expected {len(axes)} axes ({', '.join(axes)}), found {array.ndim}")


def explain(p: HorizonProblem, code: int) -> str:
    """Return in words what `check` found."""
    if code > 0:
        name, low, high = RANGES[code - 1]
        values = getattr(p, name)
        most = high if high is not None else p.arrival_ms.shape[1] if name == "vehicles" else p.arrival_ms.shape[0] - 1
        return f"{name}: expected {low} to {most}, found {values.min()} to {values.max()}"
    if code == SHAPES:
        return _shapes(p)
    times = f"expected times within {NEVER} ms, found {p.leave_ms} and {p.switch_cost_ms}; a price from 0 to {NEVER}, found {p.work_price_milli}"
    return {
        STAGE: f"stage: expected 0 to {p.service_milli.shape[0] - 1}, found {p.stage}",
        BEAM: f"beam: expected 1 to {BEAM_LIMIT} states, found {p.beam}",
        GRID: f"grid_ms: expected at least two strictly increasing times that begin with 0, below {NEVER}, found {p.grid_ms}",
        NUMBERS: f"leave_ms, switch_cost_ms, work_price_milli: {times}",
        ORDER: "arrival_ms: expected each lane's arrivals sorted, found an earlier one after a later one",
        COSTS: f"weight_milli, person_milli, arrival_ms: expected a total cost below {COST_LIMIT:.0e} raw units, found more",
    }[code]


def _shapes(p: HorizonProblem) -> str:
    sizes: dict[str, int] = {}
    for name, axes in AXES.items():
        shape = getattr(p, name).shape
        if shape != tuple(sizes.setdefault(axis, size) for axis, size in zip(axes, shape, strict=True)):
            return f"{name}: expected shape ({', '.join(axes)}) with {sizes}, found {shape}"
    raise AssertionError(f"the kernel found shapes that do not agree, all agree: {sizes}")


def _describe(array: object) -> str:
    if not isinstance(array, np.ndarray):
        return type(array).__name__
    return f"{array.dtype}, contiguous {array.flags.c_contiguous}, writeable {array.flags.writeable}"
