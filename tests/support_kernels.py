"""Small random problems for the kernel tests, and the translation between the kernels' arrays and the twins' objects."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from optimizer.problem import NEVER_MS, HorizonProblem, SplitProblem


def ints(values, shape):
    return np.array(values, np.int64).reshape(shape)


@st.composite
def horizon_problems(draw, max_lanes=3, max_stages=3, max_times=7, max_beam=6):
    """Draw a problem: empty lanes, one stage, saturation, blockage, partial service, yielding lanes and ties all come up."""
    lanes, stages = draw(st.integers(1, max_lanes)), draw(st.integers(1, max_stages))
    places, foes = draw(st.integers(0, 5)), draw(st.integers(0, 2))

    def many(element, *shape):
        size = int(np.prod(shape))
        return ints(draw(st.lists(element, min_size=size, max_size=size)), shape)

    coarse = draw(st.booleans())  # coarse times make ties
    moment = st.integers(-10, 40).map(lambda x: x * 1000) if coarse else st.integers(-20_000, 30_000)
    arrival = np.sort(many(moment, lanes, places), axis=1)
    grid = np.cumsum([0, *draw(st.lists(st.sampled_from([1000, 2000, 5000]), min_size=1, max_size=max_times - 1))])
    green_end = many(st.sampled_from([0, 1500, 3000, NEVER_MS]), stages, stages, lanes)
    return HorizonProblem(
        arrival_ms=np.ascontiguousarray(arrival),
        weight_milli=many(st.sampled_from([1000, 1000, 400, 2500, 0]), lanes, places),
        passes=many(st.sampled_from([0, 0, 0, *range(1, 2**stages)]), lanes, places),
        gives_way=many(st.integers(0, 2**stages - 1), lanes, places),
        vehicles=many(st.integers(0, places), lanes),
        headway_ms=many(st.sampled_from([0, 1800, 2000]), lanes),
        stop_cost_ms=many(st.sampled_from([0, 5000]), lanes),
        person_milli=many(st.sampled_from([0, 1000, 1000, 20_000]), lanes),
        ready_ms=many(st.integers(-1000, 3000), lanes),
        blocked_ms=many(st.sampled_from([0, 0, 6000, NEVER_MS]), lanes),
        service_milli=many(st.sampled_from([0, 0, 1000, 1000, 500, 300]), stages, lanes),
        foes=many(st.integers(-1, lanes - 1), stages, lanes, foes),
        yield_milli=many(st.sampled_from([0, 1000, 1000, 500, 300, 730]), stages, lanes),
        yield_phase_milli=many(st.integers(0, 999), lanes),
        gap_ms=many(st.sampled_from([0, 3000, 4500]), lanes),
        green_end_ms=green_end,
        green_start_ms=many(st.sampled_from([0, 4000, 5500]), stages, stages, lanes),
        min_stay_ms=many(st.sampled_from([0, 3000, 7000]), stages, stages),
        allowed=many(st.sampled_from([1, 1, 0]), stages, stages),
        grid_ms=np.ascontiguousarray(grid, np.int64),
        stage=draw(st.integers(0, stages - 1)),
        leave_ms=draw(st.sampled_from([-500, 0, 1500, 4000, 90_000])),
        switch_cost_ms=draw(st.sampled_from([0, 2000])),
        work_price_milli=draw(st.sampled_from([0, 0, 400, 30_000])),
        beam=draw(st.integers(1, max_beam)),
    )


@st.composite
def split_problems(draw, max_lanes=4, max_stages=3):
    lanes, stages = draw(st.integers(0, max_lanes)), draw(st.integers(1, max_stages))

    def many(element, *shape):
        size = int(np.prod(shape))
        return np.array(draw(st.lists(element, min_size=size, max_size=size)), np.float64).reshape(shape)

    low = many(st.sampled_from([3.0, 5.0]), stages)
    return SplitProblem(
        flow_veh_h=many(st.sampled_from([0.0, 50.0, 300.0, 700.0, 1500.0]), lanes),
        saturation_veh_h=many(st.sampled_from([0.0, 900.0, 1800.0]), lanes),
        queue_veh=many(st.sampled_from([0.0, 0.0, 5.0, 60.0]), lanes),
        service_ratio=many(st.sampled_from([0.0, 1.0, 0.4]), stages, lanes),
        min_green_s=low,
        max_green_s=low + many(st.sampled_from([0.0, 4.0, 20.0]), stages),
        lost_s=many(st.sampled_from([0.0, 3.0, 5.0]), stages),
        min_cycle_s=draw(st.sampled_from([10.0, 25.0])),
        max_cycle_s=draw(st.sampled_from([25.0, 28.0])),
        period_s=draw(st.sampled_from([60.0, 900.0])),
    )
