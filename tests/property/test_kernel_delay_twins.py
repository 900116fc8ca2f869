"""The delay and split kernels against their plain-Python twins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer import delay, splits
from tests import naive
from tests.support_kernels import split_problems

pytestmark = pytest.mark.kernel
few = settings(max_examples=40, deadline=None, derandomize=True)
many = settings(max_examples=200, deadline=None, derandomize=True)
ratio = st.floats(0.0, 1.0)
degree = st.one_of(st.floats(0.0, 3.0), st.sampled_from([0.0, 1.0]))
cycle = st.floats(20.0, 180.0)
flow = st.one_of(st.floats(1.0, 3000.0), st.just(0.0))
capacity = st.floats(1.0, 4000.0)
period = st.floats(60.0, 3600.0)
queue = st.one_of(st.floats(0.0, 200.0), st.just(0.0))


def same(a, b):
    return a == b or (np.isnan(a) and np.isnan(b))


@many
@given(cycle, ratio, degree, flow)
def test_webster(c, g, x, q):
    assert same(delay.uniform_s(c, g, x), naive.uniform_s(c, g, x))
    assert same(delay.webster_random_s(q, x), naive.webster_random_s(q, x))
    # the C library's and numba's power functions may differ in the last bit
    assert delay.webster_s(c, g, q, x) == pytest.approx(naive.webster_s(c, g, q, x), rel=1e-9, abs=1e-9)
    assert same(delay.webster_short_s(c, g, q, x), naive.webster_short_s(c, g, q, x))
    assert same(delay.webster_cycle_s(c / 10.0, x), naive.webster_cycle_s(c / 10.0, x))


@many
@given(degree, capacity, cycle, period, queue)
def test_overflow_and_queue(x, c, cyc, t, n):
    assert same(delay.incremental_s(x, c, t), naive.incremental_s(x, c, t))
    assert same(delay.akcelik_overflow_s(x, c, cyc, t), naive.akcelik_overflow_s(x, c, cyc, t))
    assert same(delay.queue_gone_s(n, x, c, t), naive.queue_gone_s(n, x, c, t))
    assert same(delay.queue_delay_veh_s(n, x, c, t), naive.queue_delay_veh_s(n, x, c, t))


@many
@given(flow, st.one_of(capacity, st.just(0.0)), queue, st.floats(0.0, 200.0), cycle, period)
def test_lane_delay(q, s, n, g, c, t):
    assert same(delay.lane_delay_veh_s(q, s, n, g, c, t), naive.lane_delay_veh_s(q, s, n, g, c, t))


@many
@given(split_problems(), st.floats(0.5, 3.0))
def test_lane_greens_total_delay_and_unserved(p, factor):
    green, lane = p.min_green_s * factor, np.empty_like(p.flow_veh_h)
    cycle_s = float(green.sum() + p.lost_s.sum())
    splits.lane_greens(green, p.service_ratio, p.lost_s, lane)
    assert lane.tolist() == naive.lane_greens(green, p.service_ratio, p.lost_s)
    arrays = (p.flow_veh_h, p.saturation_veh_h, p.queue_veh, p.service_ratio, p.lost_s)
    assert splits.total_delay_veh_s(green, cycle_s, *arrays, p.period_s, lane) == naive.total_delay_veh_s(green, cycle_s, *arrays, p.period_s)
    short = (p.flow_veh_h, p.saturation_veh_h, p.service_ratio, p.lost_s)
    assert splits.unserved_veh_h(green, cycle_s, *short, lane) == naive.unserved_veh_h(green, cycle_s, *short)


@few
@given(split_problems(max_lanes=3, max_stages=3))
def test_share_out_and_best_cycle_find_what_trying_everything_finds(p):
    lost = float(p.lost_s.sum())
    shortest, longest = max(p.min_cycle_s, p.min_green_s.sum() + lost), min(p.max_cycle_s, p.max_green_s.sum() + lost)
    if shortest > longest:
        assert splits.solve_splits(p).status in {1, 2}
        return
    arrays = (p.flow_veh_h, p.saturation_veh_h, p.queue_veh, p.service_ratio, p.min_green_s, p.max_green_s, p.lost_s, p.period_s)
    lane, green, trial = np.empty_like(p.flow_veh_h), np.empty_like(p.min_green_s), np.empty_like(p.min_green_s)
    found = splits.share_out(green, longest, *arrays, lane)
    assert green.sum() + lost == pytest.approx(longest)
    assert (green >= p.min_green_s - 1e-6).all()
    assert (green <= p.max_green_s + 1e-6).all()
    assert found <= naive.share_out(longest, *arrays)[0] * (1 + 1e-9) + 1e-9
    shortest = max(shortest, longest - 2.0)
    found_cycle = splits.best_cycle(shortest, longest, *arrays, lane, trial, green)
    best, _, _ = naive.best_cycle(shortest, longest, *arrays)
    total = splits.total_delay_veh_s(green, found_cycle, *arrays[:4], p.lost_s, p.period_s, lane)
    assert total <= best * (1 + 1e-9) + 1e-9
