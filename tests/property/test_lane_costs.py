"""The costs lane by lane against the search's cost of the same sequence."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from optimizer.horizon import solve_horizon
from optimizer.lane_costs import lane_costs
from tests.support_kernels import horizon_problems

pytestmark = pytest.mark.kernel


@settings(max_examples=100, deadline=None, derandomize=True)
@given(horizon_problems())
def test_lanes_and_switches_make_the_cost_of_every_first_choice(p):
    for first in range(len(p.service_milli)):
        result = solve_horizon(p, first)
        if result.status != 0:
            continue
        found = lane_costs(p, result.stages.tolist(), result.begin_ms.tolist())
        parts = int(found.cost_ms.sum()) + found.switches_ms
        assert 0 <= result.cost_ms - parts <= len(p.vehicles), "each lane is rounded down once"
        horizon_ms = int(p.grid_ms[-1])
        for times in found.departures_ms:
            assert times == sorted(times)
            assert all(time < horizon_ms for time in times)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(horizon_problems())
def test_nobody_leaves_a_lane_that_is_never_served(p):
    result = solve_horizon(p)
    found = lane_costs(p, result.stages.tolist(), result.begin_ms.tolist())
    for lane, times in enumerate(found.departures_ms):
        served = any(p.service_milli[s, lane] > 0 for s in result.stages)
        assert served or not times
