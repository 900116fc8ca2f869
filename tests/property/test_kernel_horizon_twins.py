"""The horizon kernels against their plain-Python twins, bit for bit, on drawn problems."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer import horizon, lanes
from optimizer import horizon_kernel as hk
from optimizer.problem import NEVER_MS
from tests import naive
from tests.support_kernels import horizon_problems

pytestmark = pytest.mark.kernel
few = settings(max_examples=60, deadline=None, derandomize=True)
moments = st.one_of(st.integers(0, 30).map(lambda x: x * 1000), st.integers(0, 30_000))
many = settings(max_examples=150, deadline=None, derandomize=True)


def prepared(p):
    """Return the workspace that `solve_horizon` would use, filled up to the search."""
    w = horizon.workspace_for(p)
    horizon._fill(p, w)
    hk.reach_times(p.service_milli, p.green_start_ms, p.min_stay_ms, p.allowed, w.reach)
    hk.sum_up(p.arrival_ms, p.weight_milli, p.vehicles, p.grid_ms, w.cum_weight, w.cum_moment, w.arrived, w.stopped)
    return w


def as_lane_states(p, array):
    """Translate a kernel's lane states into the twin's."""
    out = []
    for lane in range(array.shape[1]):
        first = int(array[hk.NEXT, lane])
        waiting = [[int(p.arrival_ms[lane, v]), int(p.weight_milli[lane, v])] for v in range(first, p.vehicles[lane])]
        if waiting:
            waiting[0][1] = int(array[hk.REST, lane])
        out.append(naive.LaneState(waiting, int(array[hk.READY, lane]), int(array[hk.PASSED, lane])))
    return out


@many
@given(st.integers(0, 1000))
def test_pass_cap_milli(share):
    assert lanes.pass_cap_milli(share) == naive.pass_cap_milli(share)


@many
@given(st.integers(0, 20_000), st.integers(0, 20_000), st.integers(0, 6000), st.lists(st.integers(0, 20_000), max_size=6), st.booleans())
def test_gap_time_ms(time, end, gap, foe_times, last_is_coming):
    departs, notes = np.zeros((2, 8), np.int64), np.zeros((lanes.NOTE_ROWS, 2), np.int64)
    notes[lanes.COMING] = NEVER_MS
    listed = foe_times[:-1] if foe_times and last_is_coming else foe_times
    departs[1, : len(listed)], notes[lanes.COUNT, 1] = listed, len(listed)
    if len(listed) < len(foe_times):
        notes[lanes.COMING, 1] = foe_times[-1]
    foes = np.array([[[1, -1], [0, -1]]], np.int64)
    found = lanes.gap_time_ms(time, end, gap, 0, 0, foes, departs, notes)
    expected = naive.gap_time_ms(time, end, gap, foe_times)
    assert found == expected or (found >= end and expected >= end)


@many
@given(st.integers(0, 50_000), st.integers(0, 120_000), st.integers(0, 3000), st.integers(1, 1000))
def test_terminal_cost(queue, wait, headway, share):
    assert lanes.terminal_cost(queue, wait, headway, share) == naive.terminal_cost(queue, wait, headway, share)


@few
@given(horizon_problems())
def test_sum_up_and_reach_times(p):
    w = prepared(p)
    weights, moments, arrived, stopped = naive.sum_up(p)
    for lane in range(len(p.vehicles)):
        assert w.cum_weight[lane, : p.vehicles[lane] + 1].tolist() == weights[lane]
        assert w.cum_moment[lane, : p.vehicles[lane] + 1].tolist() == moments[lane]
    assert w.arrived.tolist() == arrived
    assert w.stopped.tolist() == stopped
    assert w.reach.tolist() == naive.reach_times(p)


@many
@given(horizon_problems(), moments)
def test_serve_lane_and_stands_ready(p, end):
    w = prepared(p)
    for lane in range(len(p.vehicles)):
        for share in {int(s) for s in p.service_milli[:, lane]} - {0}:
            array = w.states[0, 0].copy()
            state = as_lane_states(p, array)[lane]
            w.notes[:] = 0
            assert lanes.stands_ready(lane, end, p.arrival_ms, w.lanes, array) == naive.stands_ready(p, lane, end, state)
            cost = lanes.serve_lane(lane, 0, end, share, False, p.arrival_ms, p.weight_milli, w.lanes, p.foes, array, w.departs, w.notes)
            expected, departures = naive.serve_lane(p, lane, end, share, state)
            assert (cost, as_lane_states(p, array)[lane]) == (expected, state)
            assert w.departs[lane, : w.notes[lanes.COUNT, lane]].tolist() == departures


@many
@given(horizon_problems(), st.data())
def test_advance_and_standing_cost(p, data):
    w = prepared(p)
    stages = p.service_milli.shape[0]
    old, new = data.draw(st.integers(0, stages - 1)), data.draw(st.integers(0, stages - 1))
    k = data.draw(st.integers(0, len(p.grid_ms) - 1))
    begin, until = min(data.draw(moments), int(p.grid_ms[k])), int(p.grid_ms[k])
    array = w.states[0, 0].copy()
    array[hk.PASSED] = data.draw(st.sampled_from([0, 0, 300, 1000]))
    states = as_lane_states(p, array)
    yielding = int(w.yields[old, -1] != 0 or w.yields[new, -1] != 0)
    cost = hk.advance(
        old, new, begin, until, yielding, p.arrival_ms, p.weight_milli, w.lanes, p.foes, p.service_milli, p.green_end_ms, p.green_start_ms, w.yields,
        array, w.departs, w.notes,
    )  # fmt: skip
    assert cost == naive.advance(p, old, new, begin, until, states)
    assert as_lane_states(p, array) == states
    leave = until + data.draw(st.integers(-3000, 3000))
    standing = hk.standing_cost(
        k, until, new, leave, p.arrival_ms, p.weight_milli, w.lanes, p.service_milli, w.reach, w.cum_weight, w.cum_moment, w.arrived, w.stopped, array
    )
    assert standing == naive.standing_cost(p, until, new, leave, states, naive.reach_times(p))


node = st.tuples(st.integers(0, 4), st.integers(0, 2), st.integers(0, 1), st.integers(0, 3))


@many
@given(st.lists(node, min_size=1, max_size=14), st.integers(3, 6))
def test_keep_and_the_order_of_nodes(drawn, limit):
    """Nodes are (rank, stage, wait, lane state); the kernel keeps them one by one, the twin looks at all of them at once."""
    nodes, states = np.zeros((1, limit + 1, hk.NODE_COLUMNS), np.int64), np.zeros((1, limit + 1, hk.STATE_ROWS, 1), np.int64)
    size, best, done = np.zeros(1, np.int64), np.zeros(3, np.int64), np.zeros(limit + 1, np.int64)
    twins = []
    for number, (extra, stage, wait, value) in enumerate(drawn):
        place = size[0]
        rank = extra + 10 * value  # equal states have equal futures: only the cost so far may differ
        nodes[0, place] = 0
        nodes[0, place, [hk.RANK, hk.COST, hk.STAGE, hk.WAIT, hk.LEAVE, hk.NUMBER]] = rank, rank, stage, wait, wait, number
        states[0, place] = value
        kept = hk.keep(0, nodes, states, size, best)
        assert kept == -1 or nodes[0, kept, hk.NUMBER] == number
        twins.append(naive.Node(stage, wait, rank, rank, 0, number, [naive.LaneState([], value, value)]))
    expected = naive.keep(twins, 0, limit)
    assert sorted(nodes[0, : size[0], hk.NUMBER].tolist()) == sorted(n.number for n in expected)
    undone = set()
    for twin in expected:
        place = hk.next_undone(0, nodes, done, size[0])
        done[place] = 1
        assert nodes[0, place, hk.NUMBER] == twin.number == naive.next_undone(expected, undone).number
        undone.add(twin.number)
    assert hk.next_undone(0, nodes, done, size[0]) == -1
    assert naive.next_undone(expected, undone) is None
    by_place = [
        naive.Node(int(n[hk.STAGE]), int(n[hk.LEAVE]), 0, int(n[hk.RANK]), 0, int(n[hk.NUMBER]), s.tolist())
        for n, s in zip(nodes[0], states[0], strict=True)
    ]
    for i in range(size[0]):
        for j in range(size[0]):
            a, b = by_place[i], by_place[j]
            assert hk.better(nodes, 0, i, j) == naive.better(a, b)
            assert hk.goes_before(a.rank, a.stage, a.number, b.rank, b.stage, b.number) == naive.goes_before(a, b)
            assert hk.same_node(0, i, j, nodes, states) == naive.same_node(a, b, 0)


def test_move_copies_the_node_and_if_asked_the_state():
    nodes, states = np.arange(2 * 3 * hk.NODE_COLUMNS).reshape(2, 3, -1), np.arange(2 * 3 * hk.STATE_ROWS * 2).reshape(2, 3, hk.STATE_ROWS, 2)
    before, states_before = nodes.copy(), states.copy()
    hk.move(1, 2, 0, nodes, states, False)
    assert (nodes[1, 0] == before[1, 2]).all()
    assert (states == states_before).all()
    hk.move(1, 2, 0, nodes, states, True)
    assert (states[1, 0] == states_before[1, 2]).all()
    assert (nodes[0] == before[0]).all()
    twin = naive.Node(0, 0, 0, 0, 0, 0, [naive.LaneState([[1, 2]], 3)])
    assert naive.move(twin) == twin
    assert naive.move(twin).states[0] is not twin.states[0]


@many
@given(st.lists(st.integers(1, 5), min_size=1, max_size=8), st.integers(0, 8), st.integers(-2, 50))
def test_first_from(steps, k, time):
    grid = np.cumsum([0, *steps]).astype(np.int64)
    assert hk.first_from(grid, min(k, len(grid) - 1), time) == naive.first_from(grid.tolist(), min(k, len(grid) - 1), time)


def _bucket(p, w, k):
    """Return what bucket k holds, best first: everything that a node is, the parent by its number."""
    out = []
    for place in range(w.size[k]):
        n = w.nodes[k, place]
        parent = int(n[hk.PARENT])
        number = -1 if parent < 0 else int(w.nodes[parent // w.nodes.shape[1], parent % w.nodes.shape[1], hk.NUMBER])
        key = tuple(int(n[c]) for c in (hk.RANK, hk.STAGE, hk.NUMBER, hk.COST, hk.LEAVE, hk.FIRST))
        out.append((*key, number, as_lane_states(p, w.states[k, place])))
    return sorted(out, key=lambda x: x[:3])


@settings(max_examples=100, deadline=None, derandomize=True)
@given(horizon_problems())
def test_search_and_read_out(p):
    before = copy.deepcopy(p)
    result = horizon.solve_horizon(p)
    for mine, theirs in zip(p, before, strict=True):
        assert np.array_equal(mine, theirs)
    buckets, expanded = naive.search(p)
    w = horizon.workspace_for(p)
    for k, nodes in enumerate(buckets):
        expected = [(n.rank, n.stage, n.number, n.cost, n.leave, n.first, -1 if n.parent is None else n.parent.number, n.states) for n in nodes]
        assert _bucket(p, w, k) == expected
    stages, begins, cost, alternatives = naive.read_out(p, buckets[-1])
    assert (result.status, result.stages.tolist(), result.begin_ms.tolist()) == (0, stages, begins)
    assert (result.cost_ms, result.alternative_cost_ms.tolist(), result.expanded) == (cost, alternatives, expanded)
