"""From a snapshot to the solver's arrays: what must be in them whatever the tuning."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support_control import AMBER_MS, INTERGREEN_MS, MIN_GREEN_MS, Scene, junction

from controller.adaptive import AdaptiveSettings
from controller.clearing import MARGIN_STEP_MS
from controller.horizon_model import HorizonModel
from controller.junction import Direction, Junction, Movement, Stage, Transition
from controller.lane_model import REAR_MS
from controller.red_meter import TOO_LONG_MS
from controller.snapshot import Coming
from controller.solver import NEVER_MS, HorizonProblem
from controller.transitions import transition_table
from optimizer.horizon import solve_horizon
from optimizer.lanes import must_yield

SETTINGS = AdaptiveSettings()
NS, NSL, EW, EWL = range(4)
ONE = junction()
LANES = tuple(x.id for x in ONE.lanes)


def model(one: Junction = ONE, margin_ms: int = 0) -> HorizonModel:
    """Return a model; with a margin it has seen near locks."""
    made = HorizonModel(one, one.nodes[0], transition_table(one, one.nodes[0]), SETTINGS)
    made.margin.ms = margin_ms
    return made


def problem(scene: Scene, margin_ms: int = 0) -> HorizonProblem:
    return model(scene.junction, margin_ms).problem(scene.snapshot())


def known(p: HorizonProblem, lane: str) -> list[tuple[int, int]]:
    """Return arrival and weight of a lane's packets."""
    i = LANES.index(lane)
    n = int(p.vehicles[i])
    return list(zip(p.arrival_ms[i, :n].tolist(), p.weight_milli[i, :n].tolist(), strict=True))


def test_times_are_relative_to_the_tick() -> None:
    p = problem(Scene(now_ms=60_000, arrivals_ms={"e0": [52_000, 60_000, 71_500]}))
    assert known(p, "e0") == [(-8_000, 1000), (0, 1000), (11_500, 1000)]
    assert known(p, "w0") == []


def test_weights_are_milli_vehicles() -> None:
    p = problem(Scene(arrivals_ms={"e0": [65_000, 66_000]}, beliefs={"e0": {"weight": (0.25, 1.0)}}))
    assert [w for _, w in known(p, "e0")] == [250, 1000]


def test_vehicles_of_a_lane_are_served_in_order() -> None:
    """A later vehicle's earlier arrival (a slow one ahead) does not unsort the arrays."""
    p = problem(Scene(beliefs={"e0": {"arrival_ms": (70_000, 66_000), "weight": (1.0, 1.0)}}))
    assert [a for a, _ in known(p, "e0")] == [10_000, 10_000]


def test_more_vehicles_than_places_are_cut_at_the_far_end() -> None:
    p = problem(Scene(arrivals_ms={"e0": list(range(40_000, 240_000, 1_000))}))
    packets = known(p, "e0")
    assert len(packets) == p.arrival_ms.shape[1]
    assert packets[0] == (-20_000, 1000)


def test_expected_flow_is_appended_beyond_what_the_loops_see() -> None:
    p = problem(Scene(arrivals_ms={"e0": [62_000]}, beliefs={"e0": {"flow_veh_s": 0.2, "known_ms": 24_000}}))
    seen, *future = known(p, "e0")
    assert seen == (2_000, 1000)
    assert all(a >= 24_000 for a, _ in future)
    covered_s = (p.grid_ms[-1] - 24_000) / 1000
    assert sum(w for _, w in future) == pytest.approx(0.2 * covered_s * 1000, rel=0.3)


def test_service_follows_shares_and_stages() -> None:
    p = problem(Scene())
    served = {(s, LANES[i]): int(p.service_milli[s, i]) for s in range(4) for i in range(len(LANES)) if p.service_milli[s, i]}
    expected = {(NS, "n0"), (NS, "s0"), (NSL, "n1"), (NSL, "s1"), (EW, "e0"), (EW, "e1"), (EW, "w0"), (EW, "w1"), (EWL, "e1"), (EWL, "w1")}
    assert served == dict.fromkeys(expected, 1000)


def test_a_lane_that_is_served_in_part_has_its_share() -> None:
    one = replace(ONE, movements=tuple(replace(m, group="NSL") if m == ONE.movements[1] else m for m in ONE.movements))
    p = problem(Scene(junction=one))
    assert [int(x) for x in p.service_milli[:, 0]] == [800, 200, 0, 0]


def test_permitted_turns_yield_to_the_opposite_lane_only_beside_it() -> None:
    p = problem(Scene())

    def foes(stage: int, lane: str) -> set[str]:
        return {LANES[k] for k in p.foes[stage, LANES.index(lane)] if k >= 0}

    assert foes(EW, "e1") == {"w0"}
    assert foes(EW, "w1") == {"e0"}
    assert all(foes(s, x) == set() for s in (NS, NSL, EWL) for x in LANES)


def shared(ratio: tuple[float, float, float], *, head_yields: bool = False) -> Scene:
    """Lane e0 carries a left turn beside its through and right traffic, which yields to w0; under EW all of them are green."""
    left = Movement("e0", "sout", "EW", Direction.LEFT, ratio[2], 22.0, yields_to=("w0",))
    one = replace(ONE, movements=(*ONE.movements, left))
    return Scene(junction=one, stage=EW, beliefs={"e0": {"movement_ratio": ratio, "head_ratio": ratio, "head_yields": head_yields}})


@pytest.mark.parametrize(
    ("ratio", "milli"),
    [((0.5, 0.25, 0.25), 250), ((0.2, 0.2, 0.6), 600), ((0.5, 0.49, 0.01), 0), ((0.0, 0.01, 0.99), 1000), ((0.2, 0.05, 0.25), 500), ((0.0, 0.0, 0.0), 0)],
)
def test_of_a_shared_lane_the_learned_share_yields(ratio: tuple[float, float, float], milli: int) -> None:
    p = problem(shared(ratio))
    e0, w0 = LANES.index("e0"), LANES.index("w0")
    assert p.yield_milli[EW, e0] == milli
    assert {int(x) for x in p.foes[EW, e0] if x >= 0} == {w0}
    assert p.yield_milli[:, w0].tolist() == [0, 0, 0, 0]
    assert p.yield_phase_milli.tolist() == [500] * len(LANES)
    solve_horizon(p)


@pytest.mark.parametrize("ratio", [(0.5, 0.25, 0.25), (0.0, 0.0, 1.0), (0.5, 0.5, 0.0)])
def test_a_first_vehicle_that_is_seen_to_yield_begins_the_pattern(ratio: tuple[float, float, float]) -> None:
    p = problem(shared(ratio, head_yields=True))
    e0 = LANES.index("e0")
    share, phase = int(p.yield_milli[EW, e0]), int(p.yield_phase_milli[e0])
    assert 0 <= phase <= 999
    assert must_yield(0, share, phase) == (share > 0)


def test_a_way_that_is_known_says_under_which_stages_the_vehicle_leaves_and_yields() -> None:
    left = Movement("e0", "sout", "EWL", Direction.LEFT, 0.1, 22.0, yields_to=("w0",))
    one = replace(ONE, movements=(*ONE.movements, left))
    ratio = {"movement_ratio": (1.0, 0.0, 0.0), "head_ratio": (1.0, 0.0, 0.0)}
    arrivals = {"e0": [65_000, 66_000, 67_000]}
    p = problem(Scene(junction=one, stage=EW, arrivals_ms=arrivals, beliefs={"e0": {"ways": (0, 2, -1), **ratio}}))
    e0 = LANES.index("e0")
    assert p.passes[e0, :4].tolist() == [1 << EW, 1 << EW | 1 << EWL, 0, 0]
    assert p.gives_way[e0, :4].tolist() == [0, 1 << EW, 0, 0]
    assert not p.passes[LANES.index("w0")].any()
    # the shares say that nobody turns; what is known of the vehicles must not be lost for it
    assert p.service_milli[EWL, e0] > 0
    assert p.yield_milli[EW, e0] > 0
    without = problem(Scene(junction=one, stage=EW, arrivals_ms=arrivals, beliefs={"e0": ratio}))
    assert (without.service_milli[EWL, e0], without.yield_milli[EW, e0]) == (0, 0)


def test_a_turning_lane_yields_as_a_whole() -> None:
    p = problem(Scene(beliefs={"e1": {"movement_ratio": (0.3,)}}))
    assert p.yield_milli[EW, LANES.index("e1")] == 1000
    assert p.yield_milli[EWL, LANES.index("e1")] == 0


def test_greens_end_and_begin_as_the_transition_has_it() -> None:
    p = problem(Scene(beliefs={"e0": {"startup_ms": 1_400}}))
    n0, e0, e1 = (LANES.index(x) for x in ("n0", "e0", "e1"))
    assert 0 <= p.green_end_ms[NS, EW, n0] <= AMBER_MS
    assert p.green_start_ms[NS, EW, e0] == INTERGREEN_MS + 1_400
    assert p.green_end_ms[EW, EWL, e1] == NEVER_MS, "it goes on"
    assert p.green_start_ms[EW, EWL, e1] == 0
    assert p.min_stay_ms[NS, EW] == INTERGREEN_MS + MIN_GREEN_MS


def test_no_transition_to_itself_and_none_that_is_forbidden() -> None:
    node = replace(ONE.nodes[0], transitions=(Transition("NS", "EW", allowed=False),))
    p = problem(Scene(junction=replace(ONE, nodes=(node,))))
    assert {(int(a), int(b)) for a, b in np.argwhere(p.allowed == 0)} == {(0, 0), (1, 1), (2, 2), (3, 3), (NS, EW)}


def test_the_stage_may_be_left_after_its_minimum_green() -> None:
    assert problem(Scene(since_ms=58_000)).leave_ms == 3_000
    assert problem(Scene(since_ms=20_000)).leave_ms == 0
    assert problem(Scene(stage=EWL)).stage == EWL


def test_a_lane_that_has_just_turned_green_starts_up() -> None:
    scene = Scene(stage=EW, since_ms=59_500, beliefs={"e0": {"startup_ms": 1_500}})
    assert problem(scene).ready_ms[LANES.index("e0")] == 1_000


@pytest.mark.parametrize(("left_ms", "ready_ms"), [(0, 2_100 - REAR_MS), (-900, 1_200 - REAR_MS), (-30_000, 0)])
def test_the_next_one_follows_the_last_departure_by_one_headway(left_ms: int, ready_ms: int) -> None:
    """Headways run from front to front at the stop line; a departure is told when the rear has left the loop."""
    scene = Scene(stage=EW, since_ms=20_000, now_ms=60_000, beliefs={"e0": {"headway_ms": 2_100, "last_leave_ms": 60_000 + left_ms}})
    assert max(int(problem(scene).ready_ms[LANES.index("e0")]), 0) == ready_ms


def test_what_ends_on_the_way_to_a_stage_must_be_cleared_before_a_later_one_serves() -> None:
    """From EW to EWL the straight traffic ends; n0 is red in both, and may follow at once or later, but not before that is cleared."""
    p = problem(Scene(stage=EW, beliefs={"n0": {"startup_ms": 1_500}}))
    n0, e0 = LANES.index("n0"), LANES.index("e0")
    assert p.green_start_ms[EW, EWL, n0] == INTERGREEN_MS + 1_500
    assert p.green_start_ms[EW, EWL, e0] == 0
    assert p.green_start_ms[EWL, EW, n0] == 0


@pytest.mark.parametrize(("stage", "ready_ms"), [(EW, 7_500), (NS, 0)])
def test_a_red_lane_waits_for_what_still_clears(stage: int, ready_ms: int) -> None:
    """6 s from now NS may be green; a lane that is green already does not care."""
    scene = Scene(stage=stage, since_ms=20_000, beliefs={"n0": {"startup_ms": 1_500}})
    seen = scene.snapshot()
    cleared = replace(seen, signals=replace(seen.signals, earliest_green_ms={"NS": scene.now_ms + 6_000}))
    assert max(int(model().problem(cleared).ready_ms[LANES.index("n0")]), 0) == ready_ms


def test_a_turn_on_red_does_not_wait_for_green() -> None:
    on_red = replace(ONE, groups=tuple(replace(g, turn_on_red=True) for g in ONE.groups))
    seen = Scene(junction=on_red, stage=EW).snapshot()
    cleared = replace(seen, signals=replace(seen.signals, earliest_green_ms={"NS": seen.now_ms + 6_000}))
    assert int(model(on_red).problem(cleared).ready_ms[LANES.index("n0")]) == 0


def test_vehicles_weigh_by_the_persons_in_them() -> None:
    """A bus that has waited beyond the patience weighs at most double, as a car does."""
    buses = replace(ONE, lanes=tuple(replace(x, person_weight=40.0) if x.id == "n0" else x for x in ONE.lanes))
    weights = problem(Scene(junction=buses, now_ms=500_000, arrivals_ms={"n0": [0], "s0": [499_000], "e0": [0]})).person_milli
    assert [int(weights[LANES.index(x)]) for x in ("n0", "s0", "e0")] == [40_000 + 40 * SETTINGS.patience_milli, 1_000, 1_000 + SETTINGS.patience_milli]


def test_long_waits_weigh_more() -> None:
    patient, short = 1000 * SETTINGS.patience_s, 1_000
    weights = [
        int(problem(Scene(now_ms=400_000, arrivals_ms={"e0": [400_000 - waited]})).person_milli[LANES.index("e0")])
        for waited in (short, patient + 10_000, patient + 20_000)
    ]
    assert weights[0] == 1000
    assert weights == sorted(set(weights))


def test_the_longest_wait_weighs_at_most_double() -> None:
    """Who weighs without bound would be served at whatever cost to all others."""
    waits = {"e0": [0], "n1": [400_000]}
    weights = problem(Scene(now_ms=500_000, arrivals_ms=waits)).person_milli
    assert weights[LANES.index("e0")] == weights[LANES.index("n1")] == 1000 + SETTINGS.patience_milli


def releasing(**more: object) -> Junction:
    """The crossing, and after its stage EW one in which only the left turns go on, and one in which only the straight traffic does."""
    stages = (*ONE.nodes[0].stages, Stage("through", ("EW",)))
    return replace(ONE, nodes=(replace(ONE.nodes[0], stages=stages, programmes=()),), **more)


def test_a_stage_that_lets_waiting_turners_go_stays_until_they_are_out() -> None:
    """In EWL the left turns of EW go on, and those whom they waited for end: amber, and 3 s more."""
    p = problem(Scene(junction=releasing(), stage=EW, beliefs={"n0": {"startup_ms": 0}}))
    through = 4
    assert p.min_stay_ms[EW, EWL] == AMBER_MS + 3_000
    assert p.min_stay_ms[EW, through] == 0, "the turns end there: nobody is let go"
    assert p.min_stay_ms[NS, EWL] == INTERGREEN_MS + MIN_GREEN_MS, "a green that begins has its minimum"


@pytest.mark.parametrize(("age_ms", "expected_ms"), [(0, 6_000), (2_500, 3_500), (6_000, 0), (60_000, 0)])
def test_such_a_stage_may_be_left_only_then(age_ms: int, expected_ms: int) -> None:
    snapshot = Scene(junction=releasing(), stage=EWL, since_ms=60_000 - age_ms).snapshot()
    signals = replace(snapshot.signals, from_stage=EW, earliest_leave_ms=0)
    assert model(releasing()).problem(replace(snapshot, signals=signals)).leave_ms == expected_ms
    assert model(releasing()).problem(replace(snapshot, signals=replace(signals, from_stage=NS))).leave_ms == 0


def test_where_a_turn_goes_on_yielding_nobody_is_let_go() -> None:
    """A left turn in the group of its own lane's straight traffic: when others end that it does not wait for, it waits on."""
    left = tuple(Movement(f"{a}0", exit_, "EW", Direction.LEFT, 0.2, 22.0, yields_to=(f"{b}0",)) for a, b, exit_ in (("e", "w", "sout"), ("w", "e", "nout")))
    one = replace(releasing(), movements=(*ONE.movements, *left))
    p = problem(Scene(junction=one, stage=EW))
    assert p.min_stay_ms[EW, 4] == 0


def inside(vehicles: float, *, lane: str = "e1", stage: int = EW, head_yields: bool = False) -> Scene:
    return Scene(stage=stage, beliefs={lane: {"inside_veh": vehicles, "head_yields": head_yields}})


@pytest.mark.parametrize(
    ("scene", "to", "clear_ms"),
    [
        (inside(0.4), NS, 0),
        (inside(0.5), NS, AMBER_MS),
        (inside(1.0), NS, AMBER_MS),
        (inside(2.5), NS, AMBER_MS + 3_000),
        (inside(9.0), NS, AMBER_MS + 4_000),
        (inside(0.0, head_yields=True), NSL, AMBER_MS),
        (inside(1.0), EWL, 0),
        (inside(1.0), EW, 0),
        (inside(1.0, stage=EWL), NS, 0),
        (inside(1.0, lane="e0"), NS, 0),
    ],
)
def test_after_a_near_lock_those_who_wait_inside_are_let_out_before_anything_turns_green(scene: Scene, to: int, clear_ms: int) -> None:
    """Not where their turn goes on, and only those who had to yield can have got stuck."""
    snapshot = scene.snapshot()
    assert model().clear_to(snapshot, to) == 0, "the intergreen is enough, unless the junction has shown that it is not"
    assert [x.id for x in model().caught_by(snapshot, to)] == (["e1"] if clear_ms else [])
    for margin_ms in (1_000, 2_000):
        assert model(ONE, margin_ms).clear_to(snapshot, to) == (clear_ms + margin_ms if clear_ms else 0)


def test_of_a_shared_lane_it_is_not_sure_how_many_wait() -> None:
    """Lane e1 also goes straight: of those that left, fewer or more than expected may have turned."""
    straight = Movement("e1", "wout", "EW", Direction.STRAIGHT, 0.5, 22.0)
    shared = replace(ONE, movements=(*ONE.movements, straight))
    snapshot = replace(inside(1.0), junction=shared).snapshot()
    assert model(shared, MARGIN_STEP_MS).clear_to(snapshot, NS) == AMBER_MS + 1_000 + MARGIN_STEP_MS


def test_they_are_waited_for_from_the_end_of_those_whom_they_let_pass() -> None:
    """The turn clears slowly, 12 s, so the straight traffic goes on for 7 s of the transition: only then do those inside get out."""
    slow = replace(ONE, intergreens=tuple(replace(i, intergreen_ms=12_000) if (i.clearing, i.entering) == ("EWL", "NS") else i for i in ONE.intergreens))
    snapshot = replace(inside(1.0), junction=slow).snapshot()
    assert transition_table(slow, slow.nodes[0]).pairs[EW][NS].ends_ms == {"EW": 7_000, "EWL": 0}
    assert model(slow, MARGIN_STEP_MS).clear_to(snapshot, NS) == 7_000 + AMBER_MS + MARGIN_STEP_MS
    assert model(slow, MARGIN_STEP_MS).clear_to(snapshot, NSL) == AMBER_MS + MARGIN_STEP_MS


def test_the_search_knows_how_late_the_next_greens_begin() -> None:
    free, caught = problem(inside(0.0), MARGIN_STEP_MS), problem(inside(2.5), MARGIN_STEP_MS)
    late_ms = AMBER_MS + 3_000 + MARGIN_STEP_MS - INTERGREEN_MS
    begins = caught.green_start_ms - free.green_start_ms
    assert begins[EW, NS, LANES.index("n0")] == begins[EW, NSL, LANES.index("n1")] == late_ms
    assert not begins[EW, EWL].any()
    assert not begins[NS].any(), "what is inside now is out by then"
    stays = caught.min_stay_ms - free.min_stay_ms
    assert stays[EW].tolist() == [late_ms, late_ms, 0, 0]
    assert not stays[[NS, NSL, EWL]].any()
    assert (caught.green_end_ms == free.green_end_ms).all(), "greens end as ever"


def test_a_lane_whose_exits_are_full_is_blocked() -> None:
    e0 = LANES.index("e0")
    assert problem(Scene()).blocked_ms[e0] == 0
    assert problem(Scene(blocked_exits=frozenset({"wout", "nout"}))).blocked_ms[e0] > 0


def test_a_locked_lane_is_not_served_by_the_stage_that_did_not_help() -> None:
    scene = Scene(stage=EW, now_ms=60_000, beliefs={"e1": {"blocked_ms": 64_000}})
    p = problem(scene)
    e1 = LANES.index("e1")
    assert p.service_milli[EW, e1] == 0
    assert p.service_milli[EWL, e1] == 1000
    later = problem(replace(scene, now_ms=65_000))
    assert later.service_milli[EW, e1] == 1000


ENDLESS = {x: {"flow_veh_s": 0.5} for x in LANES}  # more than the junction can serve


def test_beyond_capacity_who_has_long_found_no_gap_finds_none_and_leaves_as_the_green_ends() -> None:
    waiting = {"blocked_ms": 64_000, "head_yields": True}
    scene = Scene(stage=EW, now_ms=60_000, beliefs=ENDLESS | {"e1": ENDLESS["e1"] | waiting})
    p = problem(scene)
    e1 = LANES.index("e1")
    assert p.service_milli[EW, e1] == 1000
    assert p.gap_ms[e1] > 10_000
    assert set(np.delete(p.gap_ms, e1).tolist()) == {SETTINGS.gap_ms}
    assert set(problem(replace(scene, now_ms=65_000)).gap_ms.tolist()) == {SETTINGS.gap_ms}
    within = problem(replace(scene, beliefs={"e1": waiting}))
    assert within.service_milli[EW, e1] == 0, "queues that end leave gaps, and who finds none all the same is in somebody's way"
    assert set(within.gap_ms.tolist()) == {SETTINGS.gap_ms}


def test_the_longest_red_is_a_setting_and_below_what_the_journal_calls_too_long() -> None:
    """What is served for two seconds too late would be noted as a fault otherwise."""
    assert 1000 * SETTINGS.max_red_s + INTERGREEN_MS + AMBER_MS < TOO_LONG_MS
    short = replace(SETTINGS, max_red_s=40)
    for waited_s, expected in ((39, None), (41, NSL)):
        limit = HorizonModel(ONE, ONE.nodes[0], transition_table(ONE, ONE.nodes[0]), short).red_limit
        scene = Scene(stage=NS, since_ms=0, now_ms=300_000, arrivals_ms={"n1": [300_000 - 1000 * waited_s]})
        assert limit.stage(scene.snapshot()) == expected


def test_who_waits_for_room_before_a_neighbour_stands_behind_the_lane() -> None:
    snapshot = Scene(now_ms=60_000, arrivals_ms={"e0": [52_000]}, beliefs={"e0": {"hidden_veh": 1.0}}).snapshot()
    for held_milli, behind in ((0, [(0, 1000)]), (900, [(0, 1000)]), (2_500, [(0, 1000), (0, 1000), (0, 500)])):
        p = model().problem(replace(snapshot, coming={"e0": Coming((), (), 1.0, 0, held_milli)}))
        assert known(p, "e0") == [(-8_000, 1000), *behind]


def test_who_stands_behind_a_short_lane_waits_too() -> None:
    p = problem(Scene(now_ms=60_000, arrivals_ms={"e0": [52_000]}, beliefs={"e0": {"hidden_veh": 2.25}}))
    assert known(p, "e0") == [(-8_000, 1000), (0, 1000), (0, 1000), (0, 250)]
    p = problem(Scene(now_ms=60_000, arrivals_ms={"e0": [52_000]}, beliefs={"e0": {"hidden_veh": 1.0}}))
    assert known(p, "e0") == [(-8_000, 1000), (0, 1000)]


def test_lost_green_has_a_price_while_queues_outlast_the_horizon_and_there_is_room_behind() -> None:
    jam = {"n0": [0] * 40, "e0": [0] * 40}
    flow = {lane: {"flow_veh_s": 0.2} for lane in jam}
    assert problem(Scene(now_ms=60_000, arrivals_ms=jam, beliefs=flow)).work_price_milli > 0
    assert problem(Scene(now_ms=60_000, beliefs=flow)).work_price_milli == 0
    full = Scene(now_ms=60_000, arrivals_ms=jam, beliefs=flow, blocked_exits=frozenset({"wout"}))
    assert problem(full).work_price_milli == 0, "the bottleneck is behind the junction"
