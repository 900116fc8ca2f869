"""The costs lane by lane against the search's cost of the same sequence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from benchmarks.bench_solve import problem
from optimizer.horizon import solve_horizon
from optimizer.lane_costs import lane_costs
from tests.support_kernels import horizon_problems

pytestmark = pytest.mark.kernel


@settings(max_examples=100, deadline=None, derandomize=True)
@given(horizon_problems(max_stages=4))
def test_lanes_order_and_switches_make_the_cost_of_every_first_choice(p):
    for first in range(len(p.service_milli)):
        result = solve_horizon(p, first)
        if result.status != 0:
            continue
        found = lane_costs(p, result.stages.tolist(), result.begin_ms.tolist())
        parts = int(found.cost_ms.sum()) + found.order_ms + found.later_ms + found.switches_ms
        assert 0 <= result.cost_ms - parts <= len(p.vehicles) + 2, "each lane is rounded down once, and so are their order and the price"
        assert found.order_ms >= 0
        assert (found.later_ms > 0) <= (p.work_price_milli > 0)
        horizon_ms = int(p.grid_ms[-1])
        for times in found.departures_ms:
            assert times == sorted(times)
            assert all(time < horizon_ms for time in times)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(horizon_problems(max_stages=4))
def test_nobody_leaves_a_lane_that_is_never_served(p):
    result = solve_horizon(p)
    found = lane_costs(p, result.stages.tolist(), result.begin_ms.tolist())
    for lane, times in enumerate(found.departures_ms):
        served = any(p.service_milli[s, lane] > 0 for s in result.stages)
        assert served or not times


def test_more_stages_than_lanes_and_queues_that_wait_for_each_other():
    """Nobody may leave stage 0, which serves nobody: both lanes stand at the horizon, and either waits until the other has cleared."""
    p = problem(1, 4, lanes=2, stages=5, vehicles=6, horizon_ms=20_000)
    service = np.zeros((5, 2), np.int64)
    service[1, 0] = service[2, 1] = 1000
    p = p._replace(service_milli=service, allowed=np.zeros((5, 5), np.int64), stage=0, foes=np.full_like(p.foes, -1))
    found = lane_costs(p, [0], [0])
    queues = [int(p.weight_milli[lane, : p.vehicles[lane]][p.arrival_ms[lane, : p.vehicles[lane]] <= 20_000].sum()) for lane in range(2)]
    assert min(queues) > 0
    waits = [queues[one] * int(p.person_milli[one]) * (queues[other] * int(p.headway_ms[other]) // 1000) for one, other in ((0, 1), (1, 0))]
    assert found.order_ms == min(waits) // 1_000_000
    assert found.departures_ms == [[], []]
    served = lane_costs(p._replace(stage=1), [1], [0])
    assert served.departures_ms[0]
    assert not served.departures_ms[1]
