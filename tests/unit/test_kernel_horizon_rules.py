"""The horizon's rules on cases that fit in the head: every number here is worked out by hand."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from benchmarks.bench_solve import problem
from optimizer import horizon, lanes
from optimizer import horizon_kernel as hk
from optimizer.horizon_check import AXES
from optimizer.problem import NEVER_MS, HorizonProblem
from tests.support_kernels import ints

pytestmark = pytest.mark.kernel


def junction(arrivals, service, *, foes=None, grid=(0, 2000, 4000, 6000, 8000, 10_000), beam=50, **changes):
    """Two or more lanes; amber discharge 2 s, intergreen with start-up 5 s, minimum stay 6 s, headway 2 s."""
    lanes, stages, places = len(arrivals), len(service), max(len(a) for a in arrivals)
    arrival = np.zeros((lanes, places), np.int64)
    for lane, times in enumerate(arrivals):
        arrival[lane, : len(times)] = times
    served = ints(service, (stages, lanes))
    green_end, green_start = np.full((stages, stages, lanes), NEVER_MS, np.int64), np.zeros((stages, stages, lanes), np.int64)
    for a in range(stages):
        for b in range(stages):
            green_end[a, b, (served[a] > 0) & (served[b] == 0)] = 2000
            green_start[a, b, (served[a] == 0) & (served[b] > 0)] = 5000
    base = HorizonProblem(
        arrival_ms=arrival,
        weight_milli=np.full((lanes, places), 1000, np.int64),
        passes=np.zeros((lanes, places), np.int64),
        gives_way=np.zeros((lanes, places), np.int64),
        vehicles=ints([len(a) for a in arrivals], (lanes,)),
        headway_ms=np.full(lanes, 2000, np.int64),
        stop_cost_ms=np.zeros(lanes, np.int64),
        person_milli=np.full(lanes, 1000, np.int64),
        ready_ms=np.zeros(lanes, np.int64),
        blocked_ms=np.zeros(lanes, np.int64),
        service_milli=served,
        foes=np.full((stages, lanes, 1), -1, np.int64) if foes is None else ints(foes, (stages, lanes, 1)),
        yield_milli=np.full((stages, lanes), 1000, np.int64),
        yield_phase_milli=np.full(lanes, 500, np.int64),
        gap_ms=np.full(lanes, 4000, np.int64),
        green_end_ms=green_end,
        green_start_ms=green_start,
        min_stay_ms=np.full((stages, stages), 6000, np.int64),
        allowed=np.ones((stages, stages), np.int64),
        grid_ms=np.array(grid, np.int64),
        stage=0,
        leave_ms=0,
        switch_cost_ms=0,
        work_price_milli=0,
        beam=beam,
    )
    return base._replace(**changes)


def stay_cost(p):
    """Return the cost when no other stage is allowed."""
    return horizon.solve_horizon(p._replace(allowed=np.zeros_like(p.allowed))).cost_ms


def test_a_queue_leaves_at_the_saturation_headway():
    # departures at 0, 2000, 4000 against arrivals at 0: 0 + 2000 + 4000
    assert stay_cost(junction([[0, 0, 0]], [[1000]])) == 6000


def test_start_up_and_a_blocked_exit_hold_the_first_vehicle():
    assert stay_cost(junction([[0]], [[1000]], ready_ms=ints([1500], (1,)))) == 1500
    assert stay_cost(junction([[0]], [[1000]], blocked_ms=ints([7000], (1,)))) == 7000


def test_a_packet_takes_its_share_of_the_headway():
    # half a vehicle leaves at 0 and holds the line for 1 s, then a whole one waits 1 s
    p = junction([[0, 0]], [[1000]], weight_milli=ints([500, 1000], (1, 2)))
    assert stay_cost(p) == 1000
    # a packet of two vehicles leaves one by one: at 0 and at 2 s
    assert stay_cost(junction([[0]], [[1000]], weight_milli=ints([2000], (1, 1)))) == 2000


def test_a_stop_counts_once_and_only_beyond_a_second_of_waiting():
    stop = ints([700], (1,))
    assert stay_cost(junction([[0]], [[1000]], ready_ms=ints([1000], (1,)), stop_cost_ms=stop)) == 1000
    assert stay_cost(junction([[0]], [[1000]], ready_ms=ints([1001], (1,)), stop_cost_ms=stop)) == 1701


def test_persons_weigh_delay_and_stops():
    p = junction([[0]], [[1000]], ready_ms=ints([3000], (1,)), stop_cost_ms=ints([500], (1,)), person_milli=ints([20_000], (1,)))
    assert stay_cost(p) == 20 * 3500


def test_those_who_still_stand_have_waited_and_will_wait():
    # red, no stage serves the lane: 10 s waited, 120 s to come, and half the headway of one vehicle
    assert stay_cost(junction([[0]], [[0]])) == 10_000 + 120_000 + 1000
    # the other stage could serve it 5 s after the horizon
    p = junction([[], [0]], [[1000, 0], [0, 1000]], leave_ms=10_000)
    assert horizon.solve_horizon(p).cost_ms == 10_000 + 5000 + 1000


def test_vehicles_beyond_the_horizon_cost_nothing():
    assert stay_cost(junction([[10_001]], [[0]])) == 0


def test_a_switch_lets_the_amber_discharge_and_starts_the_other_lane_after_the_intergreen():
    p = junction([[0, 0, 0], [0]], [[1000, 0], [0, 1000]], switch_cost_ms=300)
    result = horizon.solve_horizon(p._replace(leave_ms=0, allowed=ints([0, 1, 0, 0], (2, 2))))
    # staying to 2 s: departures at 0 and 2 s (in the amber, which lasts to 4 s); the third stands: 10 s waited, 120 s, 1 s
    # at once: departure at 0 only; switching at 2 s serves two of lane 0, lane 1 at 7 s
    options = {
        0: 0 + 2 * (10_000 + 120_000) + 4 * 1000 + 5000 + 300,
        2000: (0 + 2000) + (10_000 + 120_000 + 1000) + 7000 + 300,
        4000: (0 + 2000 + 4000) + 9000 + 300,
    }
    assert result.cost_ms == min(options.values())
    assert result.stages.tolist() == [0, 1]
    assert result.begin_ms.tolist() == [0, 4000]
    assert result.alternative_cost_ms[1] == options[0]


def test_a_lane_green_in_both_stages_goes_on():
    p = junction([[0, 0, 0, 0], [0]], [[1000, 0], [1000, 1000]], allowed=ints([0, 1, 0, 0], (2, 2)))
    result = horizon.solve_horizon(p)
    assert result.alternative_cost_ms[1] == (0 + 2000 + 4000 + 6000) + 5000


def test_partial_service_passes_what_is_expected_then_blocks_until_full_service():
    # half may pass: in the mean one vehicle does, the next one blocks the lane
    p = junction([[0, 0]], [[500]])
    assert stay_cost(p) == 0 + 10_000 + 120_000 + 1000
    # a stage that serves the lane fully takes it on at 6 s without a new start-up
    full = junction([[0, 0]], [[500], [1000]], leave_ms=6000, switch_cost_ms=0, green_start_ms=np.zeros((2, 2, 1), np.int64))
    assert horizon.solve_horizon(full).cost_ms == 6000


def yielding(arrivals, **changes):
    return junction(arrivals, [[1000, 1000]], foes=[[[-1], [0]]], **changes)


def test_a_yielding_vehicle_waits_for_a_gap_behind_the_last_foe():
    # foes leave at 0 and 2 s; the gap of 4 s is free 1 s after the second
    assert stay_cost(yielding([[0, 0], [0]])) == 2000 + 3000


def test_a_yielding_vehicle_sees_the_next_foe_beyond_the_decision_time():
    # at 1 s the gap looks to 5 s; the foe at 4.5 s leaves after the decision at 2 s and still counts
    assert stay_cost(yielding([[4500], [1000]])) == 4500
    assert stay_cost(yielding([[5000], [1000]])) == 0


def caught(service_of_next, turners):
    """Return what turners cost who yield to an endless queue, if the next stage is chosen at once; half a second after its last one, amber ends."""

    def cost(count):
        service, foes = [[1000, 1000, 0], service_of_next], [[[-1], [0], [-1]], [[-1], [-1], [-1]]]
        p = junction([[0] * 5, [0] * 3, []], service, foes=foes, ready_ms=ints([1500, 0, 0], (3,)), allowed=ints([0, 1, 0, 0], (2, 2)))
        return horizon.solve_horizon(p._replace(vehicles=ints([5, count, 0], (3,))), 1).cost_ms

    return cost(turners) - cost(0)


def test_one_who_has_found_no_gap_leaves_as_the_green_of_those_with_the_right_of_way_ends():
    stands_ms = 10_000 + 120_000 + 1000
    assert caught([0, 0, 1000], 1) == 2000
    assert caught([0, 0, 1000], 2) == 2000 + stands_ms, "one per lane and green"
    assert caught([1000, 0, 1000], 1) == stands_ms, "they go on"


def thin(weights_milli, times_ms, **changes):
    """The foe's lane is expected flow in packets; one vehicle yields to it, with a decision each second."""
    weight = np.zeros((2, len(times_ms)), np.int64)
    weight[0], weight[1, 0] = weights_milli, 1000
    return yielding([times_ms, [0]], weight_milli=weight, grid=range(0, 13_000, 1000), vehicles=ints([len(times_ms), 1], (2,)), **changes)


def test_thin_flow_blocks_no_turner_but_every_whole_vehicle_of_it_does():
    # packets of a tenth every 3 s leave no gap of 4 s and 1 s, but are no vehicle: the turner goes at once
    assert stay_cost(thin([100] * 4, [0, 3000, 6000, 9000])) == 0
    # of packets of a quarter the second makes the half: who comes at 3 s is met, so 1 s after it is the first gap
    assert stay_cost(thin([250] * 4, [0, 3000, 8500, 11_500])) == 4000
    # whole vehicles are met as ever: the first gap is behind the last of them
    assert stay_cost(thin([1000] * 4, [0, 3000, 6000, 9000])) == 10_000


@pytest.mark.parametrize("cuts", [(1000,), (2500, 500), (400, 600), (250, 250, 250, 250), (999, 1, 333, 667)])
def test_as_many_packets_are_met_as_there_are_whole_vehicles(cuts):
    gone, met = 0, 0
    for portion in cuts * 3:
        met += sum(lanes.is_whole(gone + k, min(1000, portion - k)) for k in range(0, portion, 1000))
        gone += portion
    assert met == gone // 1000


def ordered(*queues):
    """Return what queues of (vehicles weighted by persons, time to clear), each of another stage, cost for waiting for each other."""
    notes = np.zeros((len(queues), lanes.NOTE_COLUMNS), np.int64)
    notes[:, [lanes.WORK, lanes.CLEAR]] = queues
    return lanes.order_cost(len(queues), notes)


def test_smith_1956_the_order_by_clearing_time_per_vehicle_costs_least():
    queues = [(3000, 6000), (5000, 4000), (1000, 9000), (4000, 8000)]
    every = [sum(work * sum(clear for _, clear in order[:n]) for n, (work, _) in enumerate(order)) for order in permutations(queues)]
    assert [ordered(*order) for order in permutations(queues)] == [min(every)] * len(every), "and so in whatever order the stages are numbered"
    by_ratio = sorted(queues, key=lambda q: q[1] / q[0])
    assert min(every) == sum(work * sum(clear for _, clear in by_ratio[:n]) for n, (work, _) in enumerate(by_ratio))


def test_queues_of_one_stage_do_not_wait_for_each_other():
    assert ordered((3000, 6000)) == 0
    assert ordered((0, 0), (3000, 6000), (0, 0)) == 0
    # two lanes of one stage: what stands at the horizon costs what it costs lane by lane
    both = junction([[0, 0], [0]], [[0, 0], [1000, 1000]], allowed=np.zeros((2, 2), np.int64), person_milli=ints([1000, 3000], (2,)))
    alone = [stay_cost(both._replace(vehicles=ints(counts, (2,)))) for counts in ((2, 0), (0, 1))]
    assert stay_cost(both) == sum(alone)
    # the same lanes served by two stages: the one vehicle of three persons goes first, and the two wait 2 s for it
    apart = both._replace(service_milli=ints([0, 0, 1000, 0, 0, 1000], (3, 2)))
    three = {"green_end_ms": np.full((3, 3, 2), NEVER_MS), "green_start_ms": np.zeros((3, 3, 2), np.int64), "min_stay_ms": np.zeros((3, 3), np.int64)}
    tables = {"foes": np.full((3, 2, 1), -1, np.int64), "yield_milli": np.zeros((3, 2), np.int64), "allowed": np.zeros((3, 3), np.int64)}
    assert stay_cost(apart._replace(**three, **tables)) == sum(alone) + min(2 * 2000, 3 * 4000)


def test_a_lane_belongs_to_the_stage_that_lets_most_of_it_pass_without_yielding():
    foes = np.full((4, 2, 1), -1, np.int64)
    foes[1, 0, 0] = 1
    p = junction([[0], [0]], [[0, 1000], [1000, 0], [1000, 0], [1000, 1000]])._replace(foes=foes)
    horizon.solve_horizon(p)
    # lane 0 yields under stage 1; of 2 and 3 the latter serves more in all, and is also the best for lane 1
    assert horizon.workspace_for(p).facts[:, lanes.HOME].tolist() == [3, 3]
    half = p._replace(service_milli=ints([0, 1000, 1000, 0, 1000, 0, 900, 1000], (4, 2)))
    horizon.solve_horizon(half)
    assert horizon.workspace_for(half).facts[:, lanes.HOME].tolist() == [2, 3]


def test_a_lane_does_not_yield_to_itself():
    assert stay_cost(junction([[0, 0]], [[1000]], foes=[[[0]]])) == 2000


def mixed(arrivals, share, phase=500, **changes):
    """The second lane is a through lane with a permitted left: this share of its vehicles yields to the first lane."""
    return yielding(arrivals, yield_milli=ints([0, share], (1, 2)), yield_phase_milli=ints([0, phase], (2,)), **changes)


def test_of_a_shared_lane_only_the_share_that_yields_waits_for_the_gap():
    foes = [0, 2000, 4000]  # leave at 0, 2 and 4 s: the first gap of 4 s is free at 5 s
    # of two vehicles the second yields: 0, then 5 s
    assert stay_cost(mixed([foes, [0, 0]], 500, 0)) == 5000
    # the first one yields at 5 s, the second follows it after the headway
    assert stay_cost(mixed([foes, [0, 0]], 500, 500)) == 5000 + 7000
    # nobody yields: 0 and 2 s; everybody does: 5 and 7 s
    assert stay_cost(mixed([foes, [0, 0]], 0)) == 2000
    assert stay_cost(mixed([foes, [0, 0]], 1000)) == 5000 + 7000


def test_a_vehicle_whose_way_is_known_yields_or_not_whatever_the_share():
    foes = [0, 2000, 4000]  # leave at 0, 2 and 4 s: the first gap of 4 s is free at 5 s
    known = {"passes": ints([1] * 6, (2, 3)), "vehicles": ints([3, 2], (2,))}
    turns = mixed([foes, [0, 0]], 500, 500)._replace(**known, gives_way=ints([0, 0, 0, 0, 1, 0], (2, 3)))
    assert stay_cost(turns) == 5000  # by the share it would be the first one
    assert stay_cost(turns._replace(gives_way=ints([0] * 6, (2, 3)))) == 2000


def test_a_lane_stands_behind_the_vehicle_that_the_stage_does_not_serve():
    """Three vehicles, the second of which only the other stage lets go: one leaves, two stand for the whole horizon, whatever the share says."""
    p = junction([[0, 0, 0]], [[900], [900]])._replace(passes=ints([1, 2, 1], (1, 3)), allowed=np.zeros((2, 2), np.int64))
    alone, free = junction([[0, 0]], [[0], [900]])._replace(allowed=np.zeros((2, 2), np.int64)), p._replace(passes=ints([1, 1, 1], (1, 3)))
    assert stay_cost(p) == stay_cost(alone)
    assert stay_cost(free) == 2000 + 4000


@pytest.mark.parametrize("share", [1, 200, 333, 500, 985])
@pytest.mark.parametrize("phase", [0, 500, 999])
def test_the_share_of_yielding_vehicles_is_kept_over_any_number_of_them(share, phase):
    pattern = [lanes.must_yield(n, share, phase) for n in range(1000)]
    assert sum(pattern) == share
    assert pattern[0] == (phase + share >= 1000)
    for begin in range(0, 900, 37):
        assert abs(sum(pattern[begin : begin + 60]) - 60 * share / 1000) <= 1


def test_a_yielding_share_without_foes_is_a_protected_lane():
    assert stay_cost(junction([[0, 0], [0]], [[1000, 1000]], yield_milli=ints([700, 1000], (1, 2)))) == 2000


def test_the_present_stage_may_not_be_left_before_its_time():
    p = junction([[], [0]], [[1000, 0], [0, 1000]], leave_ms=3000)
    result = horizon.solve_horizon(p)
    assert result.begin_ms.tolist() == [0, 4000]
    assert result.alternative_cost_ms.tolist()[1] == NEVER_MS


def test_ties_go_to_the_lowest_stage():
    p = junction([[], [0]], [[1000, 0], [0, 1000], [0, 1000]], switch_cost_ms=1)
    result = horizon.solve_horizon(p)
    assert result.stages.tolist() == [0, 1]
    assert result.alternative_cost_ms[1] == result.alternative_cost_ms[2]


def test_the_same_problem_gives_the_same_answer_whatever_was_solved_before():
    p = problem(1, 5, vehicles=20, lanes=6, horizon_ms=20_000)
    first = horizon.solve_horizon(p)
    horizon.solve_horizon(problem(9, 5, vehicles=20, lanes=6, horizon_ms=20_000))
    again = horizon.solve_horizon(p)
    assert first.cost_ms == again.cost_ms
    assert first.stages.tolist() == again.stages.tolist()
    assert first.begin_ms.tolist() == again.begin_ms.tolist()


def test_the_checks_know_all_arrays_of_a_problem_in_their_order():
    p = junction([[0], [0]], [[1000, 0], [0, 1000]])
    arrays = [name for name, value in p._asdict().items() if isinstance(value, np.ndarray)]
    assert list(AXES) == arrays == list(HorizonProblem._fields)[: len(arrays)]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"arrival_ms": np.zeros((2, 1), np.float64)}, "arrival_ms: expected a contiguous, writeable int64 array, found float64"),
        ({"arrival_ms": np.zeros((2, 4), np.int64)[:, ::2]}, "arrival_ms: expected a contiguous"),
        ({"headway_ms": np.zeros(3, np.int64)}, "headway_ms: expected shape"),
        ({"vehicles": ints([2, 0], (2,))}, "vehicles: expected 0 to 1, found 0 to 2"),
        ({"service_milli": ints([1001, 0, 0, 0], (2, 2))}, "service_milli: expected 0 to 1000"),
        ({"foes": ints([2, 0, 0, 0], (2, 2, 1))}, "foes: expected -1 to 1"),
        ({"stage": 2}, "stage: expected 0 to 1, found 2"),
        ({"beam": 0}, "beam: expected 1"),
        ({"grid_ms": ints([0, 5, 5], (3,))}, "grid_ms: expected at least two strictly increasing"),
        ({"grid_ms": ints([0], (1,))}, "grid_ms: expected at least two"),
        ({"leave_ms": NEVER_MS + 1}, "leave_ms, switch_cost_ms, work_price_milli: expected times"),
        ({"work_price_milli": -1}, "a price from 0 to"),
        ({"yield_milli": ints([0, 0, 1001, 0], (2, 2))}, "yield_milli: expected 0 to 1000, found 0 to 1001"),
        ({"yield_phase_milli": ints([1000, 0], (2,))}, "yield_phase_milli: expected 0 to 999"),
        ({"yield_milli": ints([0, 0], (2, 1))}, "yield_milli: expected shape"),
        ({"service_milli": ints([0, 0], (2,))}, "service_milli: expected 2 axes"),
        ({"arrival_ms": ints([0, 0], (2,))}, "arrival_ms: expected 2 axes"),
        ({"grid_ms": ints([0, NEVER_MS], (2,))}, "grid_ms: expected at least two"),
        ({"person_milli": ints([NEVER_MS, 0], (2,))}, "person_milli"),
        ({"headway_ms": ints([-1, 0], (2,))}, "headway_ms: expected 0 to"),
        ({"gap_ms": [1, 2]}, "gap_ms: expected a contiguous, writeable int64 array, found list"),
    ],
)
def test_bad_arrays_are_named(changes, text):
    with pytest.raises(ValueError, match=text):
        horizon.solve_horizon(junction([[0], [0]], [[1000, 0], [0, 1000]])._replace(**changes))


def test_unsorted_arrivals_are_named():
    with pytest.raises(ValueError, match="arrival_ms: expected each lane's arrivals sorted"):
        horizon.solve_horizon(junction([[5, 0]], [[1000]]))


def test_a_bucket_never_loses_the_best_node_of_a_stage():
    p = problem(1, 1, vehicles=20, lanes=6, horizon_ms=20_000)
    horizon.solve_horizon(p)
    w = horizon.workspace_for(p)
    assert {int(s) for s in w.nodes[w.bucket[-1, : w.size[-1]], hk.STAGE]} == {0, 1, 2, 3}


def test_heavy_packets_make_the_workspace_grow():
    light, heavy = junction([[0]], [[1000]]), junction([[0]], [[1000]], weight_milli=ints([200_000], (1, 1)), headway_ms=ints([10], (1,)))
    assert stay_cost(light) == 0
    assert stay_cost(heavy) == 10 * sum(range(200))
    assert stay_cost(light) == 0


def test_a_price_counts_what_the_longest_queues_still_need():
    """Two lanes of stage 1 and one of stage 2 stand at the horizon: the longer of the two counts, 3 x 2 s, and the other's 2 s."""
    p = junction([[0, 0, 0], [0], [0]], [[0, 0, 0], [1000, 1000, 0], [0, 0, 1000]], vehicles=ints([3, 1, 1], (3,)), leave_ms=20_000)
    more = horizon.solve_horizon(p._replace(work_price_milli=500)).cost_ms - horizon.solve_horizon(p).cost_ms
    assert more == 500 * (6000 + 2000) // 1000


def test_a_price_makes_a_green_go_on_that_is_used():
    """Stage 0 lets two lanes go, the present stage one. More leave in stage 0, but the change to it would lose 3 s for those still to come."""
    queues = junction([[-1000] * 20] * 3, [[1000, 1000, 0], [0, 0, 1000]], stage=1, grid=range(0, 32_000, 2000))
    cheap, dear = horizon.solve_horizon(queues), horizon.solve_horizon(queues._replace(work_price_milli=10_000_000))
    assert (cheap.stages.tolist(), cheap.begin_ms.tolist()) == ([1, 0], [0, 0])
    assert dear.begin_ms[1] == 28_000, "as long as the horizon reaches"
