"""The horizon kernels against their plain-Python twins, bit for bit, on drawn problems."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer import departures, horizon, lanes
from optimizer import horizon_check as checks
from optimizer import horizon_kernel as hk
from optimizer import horizon_tables as tables
from optimizer.problem import NEVER_MS
from tests import naive
from tests.support_kernels import horizon_problems

pytestmark = pytest.mark.kernel
few = settings(max_examples=60, deadline=None, derandomize=True)
moments = st.one_of(st.integers(0, 30).map(lambda x: x * 1000), st.integers(0, 30_000))
many = settings(max_examples=150, deadline=None, derandomize=True)


def prepared(p):
    """Return the workspace that `solve_horizon` would use, filled up to the search."""
    w = horizon.workspace_for(p, horizon.most_departures(p.weight_milli, p.vehicles))
    tables.sum_up(p.arrival_ms, p.weight_milli, p.passes, p.gives_way, p.vehicles, p.grid_ms, w.vehicles, w.here)
    facts = (p.headway_ms, p.stop_cost_ms, p.person_milli, p.blocked_ms, p.gap_ms, p.yield_phase_milli)
    tables.set_rules(*facts, p.service_milli, p.foes, p.yield_milli, w.facts, w.rules)
    tables.reach_times(p.service_milli, p.green_start_ms, p.min_stay_ms, p.allowed, w.rules)
    tables.take_turns(p.green_end_ms, w.rules, w.turns)
    hk.plant(p.stage, p.leave_ms, p.ready_ms, w.bucket, w.size, w.nodes, w.states)
    return w


def as_lane_states(p, rows):
    """Translate a kernel's lane states, one row per lane, into the twin's."""
    out = []
    for lane, row in enumerate(rows):
        first, gone = int(row[lanes.NEXT]), [int(w) for w in p.weight_milli[lane, : row[lanes.NEXT]]]
        columns = (p.arrival_ms, p.weight_milli, p.passes, p.gives_way)
        waiting = [[int(x[lane, v]) for x in columns] for v in range(first, p.vehicles[lane])]
        moment = sum(int(a) * w for a, w in zip(p.arrival_ms[lane], gone, strict=False))
        if waiting:
            part = int(row[lanes.GONE_WEIGHT]) - sum(gone)
            waiting[0][1] -= part
            moment += part * waiting[0][0]
        assert row[lanes.GONE_MOMENT] == moment
        out.append(naive.LaneState(waiting, int(row[lanes.READY]), int(row[lanes.PASSED])))
    return out


@many
@given(st.integers(0, 1000))
def test_pass_cap_milli(share):
    assert lanes.pass_cap_milli(share) == naive.pass_cap_milli(share)


@many
@given(st.integers(0, 60), st.integers(0, 1000), st.integers(0, 999))
def test_must_yield(place, share, phase):
    assert lanes.must_yield(place, share, phase) == naive.must_yield(place, share, phase)


@many
@given(st.integers(0, 2**62 - 1), st.integers(0, 70))
def test_has_stage(way, stage):
    assert lanes.has_stage(way, stage) == naive.has_stage(way, stage)


@many
@given(st.integers(0, 5000), st.integers(0, 3000))
def test_is_whole(gone, portion):
    assert lanes.is_whole(gone, portion) == naive.is_whole(gone, portion)


queues = st.lists(st.tuples(st.sampled_from([0, 1000, 7_000_000, 12_345_678]), st.integers(0, 30_000)), min_size=1, max_size=5)


@many
@given(queues, st.integers(0, 400_000))
def test_order_cost_and_later_cost(drawn, price):
    notes = np.zeros((len(drawn), lanes.NOTE_COLUMNS), np.int64)
    notes[:, [lanes.WORK, lanes.CLEAR]] = drawn
    assert lanes.order_cost(len(drawn), notes) == naive.order_cost(drawn)
    assert lanes.later_cost(len(drawn), price, notes) == naive.later_cost(drawn, price)


@many
@given(st.integers(0, 20_000), st.integers(0, 20_000), st.integers(0, 6000), st.lists(st.integers(0, 20_000), max_size=6), st.booleans())
def test_gap_time_ms(time, end, gap, foe_times, last_is_coming):
    departs, notes = np.zeros((2, 8), np.int64), np.zeros((2, lanes.NOTE_COLUMNS), np.int64)
    notes[:, lanes.COMING] = NEVER_MS
    listed = foe_times[:-1] if foe_times and last_is_coming else foe_times
    departs[1, : len(listed)], notes[1, lanes.COUNT] = listed, len(listed)
    if len(listed) < len(foe_times):
        notes[1, lanes.COMING] = foe_times[-1]
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
def test_tables(p):
    w = prepared(p)
    vehicles, here = naive.sum_up(p)
    assert [w.vehicles[lane, : p.vehicles[lane] + 1].tolist() for lane in range(len(p.vehicles))] == vehicles
    assert w.here.tolist() == here
    facts, rules = naive.set_rules(p)
    assert w.facts.tolist() == facts
    assert w.facts[:, lanes.HOME].tolist() == naive.find_homes(p)
    assert w.rules[:, :, : lanes.REACH].tolist() == rules
    assert w.rules[:, :, lanes.REACH].tolist() == naive.reach_times(p)
    for a in range(p.service_milli.shape[0]):
        for b in range(p.service_milli.shape[0]):
            without, protected, yielding = naive.take_turns(p, a, b)
            for lane in range(len(p.vehicles)):
                assert lanes.foes_end(lane, a, b, w.rules, p.foes) == naive.foes_end(p, lane, a, b)
            assert w.turns[a, b].tolist() == [*without, *protected, *yielding, len(without), len(without) + len(protected)]
    assert as_lane_states(p, w.states[: len(p.vehicles)]) == naive.plant(p).states
    assert checks.most_departures(p.weight_milli, p.vehicles) == naive.most_departures(p)


@many
@given(horizon_problems(), moments, st.lists(st.integers(0, 20_000), max_size=3), st.booleans())
def test_serve_lane_and_stands_ready(p, end, foe_times, clears):
    """Every lane has one foe more, which leaves when it is told to."""
    count = len(p.vehicles)
    q = p._replace(foes=np.full((p.service_milli.shape[0], count, 1), count, np.int64))
    w = prepared(p)
    notes, departs = np.zeros((count + 1, lanes.NOTE_COLUMNS), np.int64), np.zeros((count + 1, w.departures + 3), np.int64)
    notes[:, lanes.COMING] = NEVER_MS
    notes[count, lanes.COUNT], departs[count, : len(foe_times)] = len(foe_times), foe_times
    w.rules[:, :, lanes.YIELD] = p.yield_milli
    for lane in range(count):
        for stage in range(p.service_milli.shape[0]):
            rows = w.states[:count].copy()
            state = as_lane_states(p, rows)[lane]
            notes[lane, lanes.COUNT] = 0
            if state.waiting:
                assert lanes.may_leave(lane, stage, lane, w.vehicles, w.rules, rows) == naive.may_leave(p, lane, stage, state)
            assert lanes.stands_ready(lane, end, lane, w.vehicles, w.facts, rows) == naive.stands_ready(p, lane, end, state)
            cost = lanes.serve_lane(lane, stage, end, clears, lane, w.facts, w.vehicles, w.rules, q.foes, rows, departs, notes)
            expected, departures = naive.serve_lane(p, lane, stage, end, state, foe_times, clears=clears)
            assert (cost, as_lane_states(p, rows)[lane]) == (expected, state)
            assert departs[lane, : notes[lane, lanes.COUNT]].tolist() == departures
            assert lanes.coming_ms(lane, lane, w.facts, w.vehicles, rows) == min(naive.coming_ms(p, lane, state), NEVER_MS)


@many
@given(horizon_problems(), st.data())
def test_advance_and_standing_cost(p, data):
    w = prepared(p)
    stages, count = p.service_milli.shape
    old, new = data.draw(st.integers(0, stages - 1)), data.draw(st.integers(0, stages - 1))
    k = data.draw(st.integers(0, len(p.grid_ms) - 1))
    begin, until = min(data.draw(moments), int(p.grid_ms[k])), int(p.grid_ms[k])
    rows = np.concatenate([w.states[:count], w.states[:count]])
    rows[:count, lanes.PASSED] = data.draw(st.sampled_from([0, 0, 300, 1000]))
    states = as_lane_states(p, rows[:count])
    leave, price = until + data.draw(st.integers(-3000, 3000)), p.work_price_milli
    constant = (w.facts, w.vehicles, w.here, w.rules, p.foes, p.green_end_ms, p.green_start_ms, w.turns)
    given_up = hk.advance(old, new, begin, k, until, leave, -1, price, 0, count, *constant, rows.copy(), w.departs, w.notes)
    assert given_up == (hk.GIVEN_UP, hk.GIVEN_UP)
    cost, standing = hk.advance(old, new, begin, k, until, leave, hk.NO_LIMIT, price, 0, count, *constant, rows, w.departs, w.notes)
    assert cost == naive.advance(p, old, new, begin, until, states)
    assert as_lane_states(p, rows[count:]) == states
    reach = naive.reach_times(p)
    for lane, state in enumerate(states):
        mine = lanes.standing_cost(lane, k, until, new, leave, count + lane, w.facts, w.vehicles, w.here, w.rules, rows)
        assert mine == naive.standing_cost(p, lane, until, new, leave, state, reach)
    assert standing == naive.standing_costs(p, until, new, leave, states, reach)
    limit = data.draw(st.integers(max(cost + standing - 10, 0), cost + standing + 10))
    again = hk.advance(old, new, begin, k, until, leave, limit, price, 0, count, *constant, rows, w.departs, w.notes)
    assert again == ((cost, standing) if cost + standing <= limit else (hk.GIVEN_UP, hk.GIVEN_UP))


node = st.tuples(st.integers(0, 4), st.integers(0, 2), st.integers(0, 1), st.integers(0, 3))


@many
@given(st.lists(node, min_size=1, max_size=14), st.integers(3, 6))
def test_keep_and_the_order_of_nodes(drawn, limit):
    """Nodes are (rank, stage, wait, lane state); the kernel keeps them one by one, the twin looks at all of them at once."""
    nodes, states = np.zeros((limit + 1, hk.NODE_COLUMNS), np.int64), np.zeros((limit + 1, lanes.STATE_COLUMNS), np.int64)
    bucket, size = np.arange(limit + 1).reshape(1, -1), 0
    twins = []
    for number, (extra, stage, wait, value) in enumerate(drawn):
        new = bucket[0, size]
        standing = 10 * value  # equal states have equal futures: only the cost so far may differ
        nodes[new] = 0
        columns = [hk.RANK, hk.COST, hk.STAGE, hk.WAIT, hk.LEAVE, hk.NUMBER]
        nodes[new, columns] = extra + standing, extra, stage, wait, wait, number
        states[new] = value
        before = sorted(naive.keep(twins, 0, limit), key=naive._order)
        assert hk.rank_limit(0, size, stage, bucket, nodes) == naive.rank_limit(before, limit, stage)
        assert hk.last_but_firsts(0, size, bucket, nodes) == naive.last_but_firsts(before)
        size = hk.keep(0, size, 1, bucket, nodes, states)
        twins.append(naive.Node(stage, wait, extra, extra + standing, 0, number, [naive.LaneState([], value, value)]))
        expected = naive.keep(twins, 0, limit)
        assert [int(nodes[n, hk.NUMBER]) for n in bucket[0, :size]] == [n.number for n in expected]
        assert sorted(bucket[0].tolist()) == list(range(limit + 1))
        if extra + standing > naive.rank_limit(before, limit, stage):
            assert expected == before
    by_place = [
        naive.Node(int(n[hk.STAGE]), int(n[hk.LEAVE]), 0, int(n[hk.RANK]), 0, int(n[hk.NUMBER]), s.tolist())
        for n, s in zip(nodes[bucket[0, :size]], states[bucket[0, :size]], strict=True)
    ]
    for i, a in enumerate(by_place):
        for j, b in enumerate(by_place):
            assert hk.better(nodes, bucket[0, i], bucket[0, j]) == naive.better(a, b)
            assert hk.same_node(bucket[0, i], bucket[0, j], 1, nodes, states) == naive.same_node(a, b, 0)


@many
@given(st.lists(st.integers(1, 5), min_size=1, max_size=8), st.integers(0, 8), st.integers(-2, 50))
def test_first_from(steps, k, time):
    grid = np.cumsum([0, *steps]).astype(np.int64)
    assert hk.first_from(grid, min(k, len(grid) - 1), time) == naive.first_from(grid.tolist(), min(k, len(grid) - 1), time)


def _bucket(p, w, k):
    """Return what bucket k holds, best first: everything that a node is, the parent by its number."""
    out = []
    for i in w.bucket[k, : w.size[k]]:
        n, lane_count = w.nodes[i], len(p.vehicles)
        number = -1 if n[hk.PARENT] < 0 else int(w.nodes[n[hk.PARENT], hk.NUMBER])
        key = tuple(int(n[c]) for c in (hk.RANK, hk.STAGE, hk.NUMBER, hk.COST, hk.LEAVE, hk.FIRST))
        out.append((*key, number, as_lane_states(p, w.states[i * lane_count : (i + 1) * lane_count])))
    return out


@settings(max_examples=100, deadline=None, derandomize=True)
@given(horizon_problems(), st.sampled_from([horizon.ANY, horizon.ANY, 0, 1, 2]))
def test_solve_search_and_read_out(p, first):
    first = min(first, len(p.service_milli) - 1)
    before = copy.deepcopy(p)
    result = horizon.solve_horizon(p, first)
    for mine, theirs in zip(p, before, strict=True):
        assert np.array_equal(mine, theirs)
    buckets, expanded = naive.search(p, first)
    w = horizon.workspace_for(p)
    for k, nodes in enumerate(buckets):
        expected = [(n.rank, n.stage, n.number, n.cost, n.leave, n.first, -1 if n.parent is None else n.parent.number, n.states) for n in nodes]
        assert _bucket(p, w, k) == expected
    stages, begins, cost, alternatives = naive.read_out(p, buckets[-1])
    assert (result.status, result.stages.tolist(), result.begin_ms.tolist()) == (0 if stages else 1, stages, begins)
    assert (result.cost_ms, result.alternative_cost_ms.tolist(), result.expanded) == (cost, alternatives, expanded)
    if first == horizon.ANY:
        assert naive.solve(p) == (0, (stages, begins, cost, alternatives), expanded)


@many
@given(horizon_problems(), st.sampled_from([horizon.ANY, 0, 1]), st.sampled_from([NEVER_MS, 5_000]))
def test_walk(p, first, within):
    result = horizon.solve_horizon(p, min(first, len(p.service_milli) - 1))
    if result.status != 0:
        return
    found = departures.departures(p, result.stages, result.begin_ms, within)
    pairs = [list(zip(times, stages, strict=True)) for times, stages in zip(found.at_ms, found.stage, strict=True)]
    assert pairs == naive.walk(p, result.stages.tolist(), result.begin_ms.tolist(), within)


@many
@given(st.lists(st.integers(-3, 3), max_size=6), st.integers(-2, 0), st.integers(0, 2))
def test_outside(values, low, high):
    assert checks.outside(np.array(values, np.int64), low, high) == naive.outside(values, low, high)


SPOILS = ("grid_ms", "vehicles", *(name for name, _, _ in checks.RANGES))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    horizon_problems(),
    st.lists(st.tuples(st.sampled_from(SPOILS), st.integers(0, 50), st.sampled_from([-NEVER_MS - 1, -2, 999, 1001, 10**11])), max_size=2),
    st.data(),
)
def test_check(p, spoils, data):
    """A problem with up to two wrong numbers: the kernel names the same rule as the twin, and so does the error."""
    q = copy.deepcopy(p)
    for name, place, value in spoils:
        flat = getattr(q, name).reshape(-1)
        if flat.size:
            flat[place % flat.size] = value
    odd = st.sampled_from(
        [{}, {"stage": 7}, {"beam": 0}, {"leave_ms": 2**50}, {"gap_ms": np.zeros(9, np.int64)}, {"person_milli": np.full_like(p.vehicles, 2**40)}]
    )
    q = q._replace(**data.draw(odd))
    code = naive.check(q)
    assert checks.check(*q) == code
    if code != checks.FINE:
        assert len(checks.explain(q, code)) > 30
        with pytest.raises(ValueError, match="expected"):
            horizon.solve_horizon(q)
