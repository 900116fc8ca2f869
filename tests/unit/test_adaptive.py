"""What the adaptive planner decides where the right decision is plain, and what it may never do."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support_control import STAGES, Scene, junction

from controller.adaptive import AdaptivePlanner, AdaptiveSettings
from controller.junction import Junction, Transition
from controller.plan import Plan, PlanStep
from controller.snapshot import Snapshot
from controller.solver import ANY, HorizonProblem, HorizonResult, InlineSolver, SplitProblem, SplitResult
from controller.transitions import transition_table

SETTINGS = AdaptiveSettings()
NS, NSL, EW, EWL = range(4)
ONE = junction()
NOW_MS = 600_000
LANES = tuple(x.id for x in ONE.lanes)


@cache
def solver() -> InlineSolver:
    return InlineSolver()


def planner(one: Junction = ONE) -> AdaptivePlanner:
    return AdaptivePlanner(one, one.nodes[0], transition_table(one, one.nodes[0]), solver())


def scene(**more: Any) -> Scene:
    return Scene(**{"now_ms": NOW_MS, "stage": NS, "since_ms": NOW_MS - 20_000, **more})


def plan(one: Scene) -> Plan:
    made = planner(one.junction)
    made.submit(one.snapshot())
    result = made.poll()
    assert result is not None
    return result


def next_stage(one: Scene) -> str:
    """Return the stage that is to be shown at the next tick."""
    made = plan(one)
    first = made.steps[0]
    if first.until_ms is not None and first.until_ms <= NOW_MS + 1_000 and len(made.steps) > 1:
        first = made.steps[1]
    return STAGES[first.stage]


def platoon(count: int, from_ms: int, gap_ms: int = 2_000) -> list[int]:
    return [NOW_MS + from_ms + gap_ms * k for k in range(count)]


def test_it_keeps_the_green_for_an_approaching_platoon() -> None:
    assert next_stage(scene(arrivals_ms={"n0": platoon(6, 1_000), "s0": platoon(6, 1_500), "e0": platoon(1, -3_000)})) == "NS"


def test_it_switches_to_a_queue_when_nobody_comes() -> None:
    assert next_stage(scene(arrivals_ms={"e0": platoon(3, -10_000), "w0": platoon(2, -8_000)})) == "EW"
    assert next_stage(scene(arrivals_ms={"n1": platoon(3, -10_000)})) == "NSL"


def test_it_lets_a_queue_discharge_before_it_serves_a_smaller_one() -> None:
    assert next_stage(scene(stage=EW, arrivals_ms={"e0": platoon(10, -30_000), "w0": platoon(10, -30_000), "n0": platoon(1, -2_000)})) == "EW"


def test_it_serves_left_turners_by_the_stage_that_helps_them() -> None:
    """The opposite stream leaves no gap: beside it nobody turns, so the protected stage is in the plan."""
    stream = {"w0": platoon(30, -2_000)}
    for turners, expected in ((0, False), (8, True)):
        made = plan(scene(stage=EW, arrivals_ms={**stream, "e1": platoon(turners, -30_000, 3_000)}))
        assert ("EWL" in {STAGES[s.stage] for s in made.steps}) is expected


def test_it_stays_where_it_is_when_the_street_is_empty() -> None:
    for stage in range(4):
        made = plan(scene(stage=stage))
        assert [s.stage for s in made.steps] == [stage]


def test_minimum_green_is_kept_in_the_plan() -> None:
    made = plan(scene(since_ms=NOW_MS - 1_000, arrivals_ms={"e0": platoon(5, -10_000)}))
    assert made.steps[0].stage == NS
    assert made.steps[0].until_ms is not None
    assert made.steps[0].until_ms >= NOW_MS + 4_000


def test_an_overdue_red_is_served_whatever_comes() -> None:
    limit_ms = 1000 * SETTINGS.max_red_s
    flood = {"n0": platoon(40, -40_000), "s0": platoon(40, -40_000)}
    lone = {"n1": [NOW_MS - limit_ms - 1_000]}
    one = scene(since_ms=NOW_MS - limit_ms - 30_000, arrivals_ms={**flood, **lone})
    made = plan(one)
    assert STAGES[made.steps[0].stage] == "NSL"
    assert "NSL" in made.reason


def limited(longest_ms: int | None) -> Junction:
    return replace(ONE, groups=tuple(replace(g, max_green_ms=longest_ms) if g.id == "NS" else g for g in ONE.groups))


@pytest.mark.parametrize(
    ("longest_ms", "waiting", "ends"),
    [(None, True, False), (20_001, True, False), (20_000, True, True), (20_000, False, False)],
    ids=["no limit", "not yet", "somebody waits", "nobody waits"],
)
def test_the_longest_green_ends_where_somebody_waits(longest_ms: int | None, waiting: bool, ends: bool) -> None:
    flood = {"n0": platoon(20, -30_000), "s0": platoon(20, -30_000)}
    one = scene(junction=limited(longest_ms), arrivals_ms={**flood, **({"e0": [NOW_MS - 3_000]} if waiting else {})})
    made = plan(one)
    assert (made.steps[0].stage != NS) is ends, made.reason
    if ends:
        assert STAGES[made.steps[0].stage] == "EW", "of the stages that end it, the one that costs least"
        assert made.detail["ended"] == ["NS"]
        assert "NS had the longest green" in made.reason


def test_a_loop_without_trust_counts_as_somebody_who_waits() -> None:
    one = scene(junction=limited(20_000))
    one.see("e0/1", trusted=False)
    assert plan(one).steps[0].stage != NS


def turners_inside(**more: Any) -> Scene:
    """Turners wait for a gap, and a lane has just been near a lock."""
    return scene(stage=EW, beliefs={"e1": {"inside_veh": 1.0}, "w1": {"head_yields": True}, "n1": {"stuck_ms": 15_000, "blocked_ms": NOW_MS + 4_000}}, **more)


def test_turners_inside_the_junction_are_let_out_on_the_way_to_the_next_stage() -> None:
    made = plan(turners_inside(arrivals_ms={"n0": platoon(5, -20_000), "s0": platoon(5, -20_000)}))
    first = made.steps[0]
    assert (STAGES[first.stage], first.clear_ms) == ("NS", 4_000)
    assert "; nothing turns green for 4 s, for vehicles from e, w wait inside the junction; " in made.reason
    later = plan(turners_inside(arrivals_ms={"e0": platoon(4, -6_000), "n0": platoon(5, 2_000)}))
    assert later.steps[0] == PlanStep(EW, later.steps[0].until_ms)
    assert later.steps[1].clear_ms == 4_000
    assert all(step.clear_ms == 0 for step in later.steps[2:])
    assert "inside the junction" not in later.reason, "that is told when it happens"


def test_a_forced_stage_lets_them_out_too() -> None:
    limit_ms = 1000 * SETTINGS.max_red_s
    made = plan(turners_inside(since_ms=NOW_MS - limit_ms - 30_000, arrivals_ms={"n1": [NOW_MS - limit_ms - 1_000]}))
    assert (STAGES[made.steps[0].stage], made.steps[0].clear_ms) == ("NSL", 4_000)
    assert made.reason.endswith("the longest time that is allowed; nothing turns green for 4 s, for vehicles from e, w wait inside the junction")


def test_the_planner_learns_from_near_locks() -> None:
    made = planner()
    queues = {"n0": platoon(5, -20_000), "s0": platoon(5, -20_000)}
    for stuck_ms, clear_ms in ((0, 0), (15_000, 4_000), (16_000, 4_000)):
        one = turners_inside(arrivals_ms=queues)
        one.beliefs["n1"] = {"stuck_ms": stuck_ms, "blocked_ms": NOW_MS + 4_000}
        made.submit(one.snapshot())
        result = made.poll()
        assert result is not None
        assert result.steps[0].clear_ms == clear_ms


def test_a_lane_whose_exits_are_full_gets_no_green() -> None:
    queues = {"e0": platoon(3, -10_000)}
    assert next_stage(scene(arrivals_ms=queues)) == "EW"
    assert next_stage(scene(arrivals_ms={**queues, "n0": platoon(3, 1_000)}, blocked_exits=frozenset({"wout", "nout"}))) == "NS"


def test_a_locked_lane_does_not_hold_the_green() -> None:
    """The model says that ten vehicles will discharge, the stop loop says that none does."""
    jam = {"n0": platoon(10, -30_000), "e0": platoon(2, -5_000)}
    assert next_stage(scene(arrivals_ms=jam)) == "NS"
    assert next_stage(scene(arrivals_ms=jam, beliefs={"n0": {"blocked_ms": NOW_MS + 4_000}})) == "EW"


def forbidden() -> Junction:
    node = replace(ONE.nodes[0], transitions=(Transition("NS", "EW", allowed=False), Transition("EW", "NS", allowed=False)))
    return replace(ONE, nodes=(node,))


FORBIDDEN = forbidden()

arrivals = st.lists(st.integers(NOW_MS - 100_000, NOW_MS + 40_000), max_size=12)
scenes = st.builds(
    lambda stage, age_ms, queues, one, full: scene(junction=one, stage=stage, since_ms=NOW_MS - age_ms, arrivals_ms=queues, blocked_exits=full),
    st.integers(0, 3),
    st.integers(0, 150_000),
    st.dictionaries(st.sampled_from(LANES), arrivals, max_size=8),
    st.sampled_from((ONE, FORBIDDEN)),
    st.frozensets(st.sampled_from([x.id for x in ONE.exits]), max_size=2),
)


@settings(max_examples=60, deadline=None)
@given(scenes)
def test_whatever_the_traffic_the_plan_can_be_followed(one: Scene) -> None:
    made = plan(one)
    snapshot = one.snapshot()
    stages = [s.stage for s in made.steps]
    shown = stages if stages[0] == one.stage or "forced" in made.detail else [one.stage, *stages]
    banned = {(STAGES.index(t.from_stage), STAGES.index(t.to_stage)) for t in one.junction.nodes[0].transitions}
    assert not banned & set(pairwise(shown))
    assert all(a != b for a, b in pairwise(stages))
    times = [s.until_ms for s in made.steps[:-1]]
    assert made.steps[-1].until_ms is None
    assert all(t is not None and t >= NOW_MS for t in times)
    assert times == sorted(times, key=lambda t: t or 0)
    if stages[0] != one.stage and "forced" not in made.detail:
        assert snapshot.signals.earliest_leave_ms <= NOW_MS
    if len(stages) > 1 and stages[0] == one.stage:
        assert (times[0] or 0) >= snapshot.signals.earliest_leave_ms
    check_reason(one, made)


def check_reason(one: Scene, made: Plan) -> None:
    """The sentence names what the plan does."""
    first = STAGES[made.steps[0].stage]
    assert made.reason
    assert first in made.reason
    if "forced" in made.detail:
        assert made.detail["forced"] == first
        return
    costs = made.detail["alternatives_ms"]
    assert isinstance(costs, dict)
    assert set(costs) <= set(STAGES)
    assert (re.search("vehicle-seconds? more|about the same", made.reason) is not None) is (len(set(costs) | {first}) > 1)
    assert made.detail["cost_ms"] == costs[first]
    assert made.reason.startswith(f"keeps {first}" if made.steps[0].stage == one.stage else f"goes to {first}")
    if len(made.steps) > 1 and made.steps[0].until_ms is not None:
        assert f"then {STAGES[made.steps[1].stage]} in {(made.steps[0].until_ms - NOW_MS) / 1000:.0f} s" in made.reason


def test_the_same_snapshot_gives_the_same_plan_and_digest() -> None:
    one = scene(arrivals_ms={"e0": platoon(4, -6_000), "n0": platoon(4, 2_000)})
    first, second, other = planner(), planner(), planner()
    first.submit(one.snapshot())
    second.submit(one.snapshot())
    other.submit(scene(arrivals_ms={"e0": platoon(4, -7_000), "n0": platoon(4, 2_000)}).snapshot())
    assert first.last_digest == second.last_digest != other.last_digest
    assert first.poll() == second.poll()


def test_a_plan_is_handed_out_once() -> None:
    one = planner()
    one.submit(scene().snapshot())
    assert one.poll() is not None
    assert one.poll() is None
    assert one.last_solve_ms is not None
    assert one.last_solve_ms > 0.0


class SilentSolver:
    """A solver whose answer is not there yet."""

    solve_s = 0.0

    def horizon(self, problem: HorizonProblem, first: int = ANY) -> HorizonResult | None:
        return None

    def splits(self, problem: SplitProblem) -> SplitResult | None:
        return None


def test_while_the_solver_is_silent_the_old_plan_stays() -> None:
    one = AdaptivePlanner(ONE, ONE.nodes[0], transition_table(ONE, ONE.nodes[0]), SilentSolver())
    one.submit(scene(arrivals_ms={"e0": platoon(3, -10_000)}).snapshot())
    assert one.poll() is None


@pytest.mark.parametrize("name", ["weight", "arrival_ms"])
def test_one_lane_full_beyond_the_arrays_is_planned(name: str) -> None:
    many = scene(arrivals_ms={x: platoon(100, -200_000, 1_000) for x in LANES})
    snapshot: Snapshot = many.snapshot()
    assert len(getattr(snapshot.lanes["e0"], name)) == 100
    assert plan(many).steps
