"""Cycle and splits: published worked examples, optimality on a grid, and what happens at and beyond saturation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from optimizer import delay
from optimizer.problem import SplitProblem
from optimizer.splits import solve_splits
from tests import naive


def stages(flows, *, saturation=1800.0, lost=4.0, low=5.0, high=120.0, cycles=(30.0, 120.0), queue=0.0, period=900.0):
    """One lane per stage."""
    n = len(flows)
    return SplitProblem(
        np.array(flows, np.float64), np.full(n, saturation), np.full(n, queue), np.eye(n), np.full(n, low), np.full(n, high), np.full(n, lost), *cycles, period
    )


def test_rogers_highway_engineering_example_5_6_optimum_cycle():
    """Rogers, Highway Engineering, example 5.6: y of 0.25, 0.25 and 0.22, lost time 12 s: the optimum cycle is 82 s."""
    assert delay.webster_cycle_s(12.0, 0.25 + 0.25 + 0.22) == pytest.approx(82.0, abs=0.5)


def test_cae_419_homework_5_optimum_cycle():
    """Course CAE 419 (fall 2017), solution of homework 5: y of 0.208, 0.192 and 0.200, lost time 12 s: 57.5 s."""
    assert delay.webster_cycle_s(12.0, 500 / 2400 + 250 / 1300 + 480 / 2400) == pytest.approx(57.5, abs=0.1)


def test_our_cycle_for_rogers_example_has_a_delay_within_one_percent_of_websters_and_is_not_worse():
    """Webster's cycle minimises his delay formula; ours minimises HCM's. On undersaturated demand both lie on the flat of the curve."""
    p = stages([0.25 * 1800, 0.25 * 1800, 0.22 * 1800], period=3600.0)
    ours = solve_splits(p)
    webster = delay.webster_cycle_s(12.0, 0.72)
    green = np.array([0.25, 0.25, 0.22]) / 0.72 * (webster - 12.0)
    theirs = naive.total_delay_veh_s(green, webster, p.flow_veh_h, p.saturation_veh_h, p.queue_veh, p.service_ratio, p.lost_s, 3600.0) / p.flow_veh_h.sum()
    assert ours.delay_s <= theirs <= 1.03 * ours.delay_s
    assert 0.75 * webster <= ours.cycle_s <= 1.5 * webster
    assert ours.green_s == pytest.approx(np.array([0.25, 0.25, 0.22]) / 0.72 * (ours.cycle_s - 12.0), abs=1.0)


def test_websters_split_rule_equal_degrees_of_saturation_near_capacity():
    """Webster's rule: green in proportion to the critical flow ratios equalises the degrees of saturation."""
    result = solve_splits(stages([800, 500, 300], cycles=(120.0, 120.0)))
    assert np.ptp(result.saturation_ratio) <= 0.03


@pytest.mark.parametrize("flows", [[300, 300], [900, 100], [800, 700], [950, 840], [1200, 1100], [1500, 200]])
def test_two_stages_are_optimal_on_the_grid(flows):
    p = stages(flows, cycles=(30.0, 90.0))
    result = solve_splits(p)
    arrays = (p.flow_veh_h, p.saturation_veh_h, p.queue_veh, p.service_ratio, p.min_green_s, p.max_green_s, p.lost_s, p.period_s)
    best = naive.best_cycle(30.0, 90.0, *arrays) if result.cycle_s < 90.0 else (*naive.share_out(90.0, *arrays), None)
    found = naive.total_delay_veh_s(result.green_s, result.cycle_s, *arrays[:4], p.lost_s, p.period_s)
    assert found == pytest.approx(best[0], rel=1e-9)
    assert result.status == 0
    assert result.green_s.sum() + p.lost_s.sum() == pytest.approx(result.cycle_s)


@pytest.mark.parametrize(("flows", "queue"), [([300, 200, 100], 0.0), ([700, 500, 300], 0.0), ([900, 700, 500], 0.0), ([500, 300, 400], 20.0)])
def test_three_stages_are_optimal_on_the_grid(flows, queue):
    p = stages(flows, cycles=(60.0, 60.0), queue=queue)
    result = solve_splits(p)
    best, _ = naive.share_out(60.0, p.flow_veh_h, p.saturation_veh_h, p.queue_veh, p.service_ratio, p.min_green_s, p.max_green_s, p.lost_s, p.period_s)
    found = naive.total_delay_veh_s(result.green_s, 60.0, p.flow_veh_h, p.saturation_veh_h, p.queue_veh, p.service_ratio, p.lost_s, p.period_s)
    assert found == pytest.approx(best, rel=1e-9)


def test_lanes_of_several_stages_are_optimal_on_the_grid():
    service = np.array([[1.0, 0.0, 0.0, 1.0], [0.0, 1.0, 0.3, 1.0], [0.0, 0.0, 1.0, 0.0]])
    p = stages([0, 0, 0], cycles=(60.0, 60.0))._replace(
        flow_veh_h=np.array([600.0, 400.0, 200.0, 700.0]), saturation_veh_h=np.full(4, 1800.0), queue_veh=np.array([0.0, 4.0, 0.0, 0.0]), service_ratio=service
    )
    result = solve_splits(p)
    best, _ = naive.share_out(60.0, p.flow_veh_h, p.saturation_veh_h, p.queue_veh, p.service_ratio, p.min_green_s, p.max_green_s, p.lost_s, p.period_s)
    found = naive.total_delay_veh_s(result.green_s, 60.0, p.flow_veh_h, p.saturation_veh_h, p.queue_veh, p.service_ratio, p.lost_s, p.period_s)
    assert found == pytest.approx(best, rel=1e-9)


@pytest.mark.parametrize("load", [0.94, 0.97, 1.0, 1.05, 1.3, 2.0])
def test_at_and_beyond_saturation_the_cycle_is_the_longest_and_the_green_is_shared_by_flow(load):
    result = solve_splits(stages([0.55 * load * 1800, 0.45 * load * 1800]))
    assert (result.status, result.cycle_s) == (0, 120.0)
    assert result.green_s[0] / result.green_s.sum() == pytest.approx(0.55, abs=0.02)
    assert math.isfinite(result.delay_s)


def test_webster_has_no_cycle_there():
    assert delay.webster_cycle_s(8.0, 0.97) > 500.0
    assert math.isinf(delay.webster_cycle_s(8.0, 1.0))


def test_delay_and_cycle_grow_with_demand():
    results = [solve_splits(stages([0.5 * y * 1800, 0.5 * y * 1800])) for y in np.linspace(0.1, 1.4, 14)]
    assert (np.diff([r.delay_s for r in results]) > 0).all()
    assert (np.diff([r.cycle_s for r in results]) >= -1.0).all()


def test_minimum_and_maximum_greens_hold():
    result = solve_splits(stages([1500, 20, 20], low=7.0, high=40.0))
    assert result.green_s[1:] == pytest.approx([7.0, 7.0])
    assert result.green_s[0] <= 40.0
    short = solve_splits(stages([900, 900], low=30.0, cycles=(20.0, 50.0)))
    assert (short.status, short.green_s.tolist(), short.cycle_s) == (1, [30.0, 30.0], 68.0)
    small = solve_splits(stages([900, 900], low=5.0, high=10.0, cycles=(60.0, 90.0)))
    assert (small.status, small.green_s.tolist(), small.cycle_s) == (2, [10.0, 10.0], 28.0)


def test_a_standing_queue_pulls_green():
    even = solve_splits(stages([500, 500], cycles=(60.0, 60.0)))
    queued = solve_splits(stages([500, 500], cycles=(60.0, 60.0))._replace(queue_veh=np.array([30.0, 0.0])))
    assert even.green_s[0] == even.green_s[1]
    assert queued.green_s[0] > even.green_s[0] + 2.0


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"flow_veh_h": np.array([1.0, math.nan])}, "flow_veh_h: expected finite"),
        ({"flow_veh_h": np.array([1.0, -1.0])}, "flow_veh_h: expected finite values from 0 up, found -1.0"),
        ({"flow_veh_h": np.array([1, 2])}, "flow_veh_h: expected a contiguous, writeable float64 array, found int64"),
        ({"queue_veh": np.zeros(3)}, "queue_veh: expected shape"),
        ({"service_ratio": np.full((2, 2), 1.5)}, "service_ratio: expected 0 to 1"),
        ({"max_green_s": np.array([1.0, 1.0])}, "max_green_s: expected min_green_s"),
        ({"min_cycle_s": 130.0}, "min_cycle_s, max_cycle_s: expected"),
        ({"period_s": 0.0}, "period_s: expected a positive time"),
    ],
)
def test_bad_arrays_are_named(changes, text):
    with pytest.raises(ValueError, match=text):
        solve_splits(stages([100, 100])._replace(**changes))
