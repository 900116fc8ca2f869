"""The cycle planner: one plan a cycle, the programme's order, bounded steps, empty stages left out."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import NamedTuple

import pytest
from support_control import INTERGREEN_MS, MIN_GREEN_MS, STAGES, Scene, junction

from controller.cycle import CyclePlanner, CycleSettings
from controller.junction import Junction, Programme, ProgrammeStep
from controller.plan import Plan
from controller.solver import InlineSolver
from controller.transitions import transition_table

SETTINGS = CycleSettings()
ONE = junction()
STEP_MS = 1_000
SETTLE_MS = {(a, b): 0 if (a, b) == (2, 3) else INTERGREEN_MS for a in range(4) for b in range(4) if a != b}
FLOWS_VEH_S = {"n0": 0.15, "s0": 0.12, "n1": 0.04, "s1": 0.04, "e0": 0.1, "w0": 0.08, "e1": 0.03, "w1": 0.03}


@cache
def solver() -> InlineSolver:
    return InlineSolver()


def planner(one: Junction = ONE, settings: CycleSettings = SETTINGS) -> CyclePlanner:
    return CyclePlanner(one, one.nodes[0], transition_table(one, one.nodes[0]), solver(), settings)


class Cycle(NamedTuple):
    """One cycle as planned: which stages, how long each, when it begins and ends."""

    stages: tuple[str, ...]
    greens_ms: tuple[int, ...]
    begin_ms: int
    end_ms: int
    plan: Plan

    def green_ms(self, stage: str) -> int:
        return self.greens_ms[self.stages.index(stage)]


def traffic(flows: dict[str, float], *, queue: bool = True) -> Scene:
    """Return a scene with these flows; every lane with a flow holds three waiting vehicles."""
    one = Scene(stage=3)
    one.beliefs = {x: {"flow_veh_s": f} for x, f in flows.items()}
    one.arrivals_ms = {x: [-5_000, -4_000, -3_000] for x, f in flows.items() if f > 0.0 and queue}
    return one


def cycles(one: CyclePlanner, scene: Scene, count: int) -> list[Cycle]:
    """Run ``count`` cycles; the last stage of each stands when the next is planned."""
    plans: list[Plan] = []
    for _ in range(count * 400):
        one.submit(scene.snapshot())
        made = one.poll()
        if made is not None:
            assert made.made_ms == scene.now_ms
            plans.append(made)
            scene.stage = made.steps[-1].stage
        if len(plans) > count:
            break
        scene.now_ms += STEP_MS
    return [_cycle(a.steps[-1].stage if a else 3, b, c.made_ms) for a, b, c in zip([None, *plans], plans, plans[1:], strict=False)]


def _cycle(before: int, made: Plan, end_ms: int) -> Cycle:
    greens, at_ms = [], made.made_ms
    for step in made.steps:
        until_ms = end_ms if step.until_ms is None else step.until_ms
        greens.append(until_ms - at_ms - SETTLE_MS.get((before, step.stage), 0))
        at_ms, before = until_ms, step.stage
    return Cycle(tuple(STAGES[s.stage] for s in made.steps), tuple(greens), made.made_ms, end_ms, made)


def test_the_stages_come_in_the_programme_s_order() -> None:
    for one in cycles(planner(), traffic(FLOWS_VEH_S), 3):
        assert one.stages == STAGES
        assert one.plan.steps[-1].until_ms is None


def test_the_order_is_the_programme_s_where_it_differs_from_the_stages() -> None:
    steps = tuple(ProgrammeStep(s, 10_000) for s in ("EWL", "EW", "NS", "NSL"))
    node = replace(ONE.nodes[0], programmes=(Programme("other", steps),))
    scene = traffic(FLOWS_VEH_S)
    scene.junction, scene.stage = replace(ONE, nodes=(node,)), 1
    assert cycles(planner(scene.junction), scene, 1)[0].stages == ("EWL", "EW", "NS", "NSL")


def test_a_cycle_begins_with_the_stage_after_the_present_one() -> None:
    scene = traffic(FLOWS_VEH_S)
    scene.stage = 1
    assert cycles(planner(), scene, 1)[0].stages == ("EW", "EWL", "NS", "NSL")


def test_greens_and_intergreens_make_up_the_cycle() -> None:
    for one in cycles(planner(), traffic(FLOWS_VEH_S), 4):
        assert all(g >= MIN_GREEN_MS for g in one.greens_ms)
        assert sum(one.greens_ms) + 3 * INTERGREEN_MS == one.end_ms - one.begin_ms
        assert sum(one.greens_ms) <= 1000 * SETTINGS.max_cycle_s


def test_one_plan_a_cycle() -> None:
    """Between the cycles the planner is silent, whatever the traffic does."""
    one, scene = planner(), traffic(FLOWS_VEH_S)
    one.submit(scene.snapshot())
    assert one.poll() is not None
    scene.beliefs = {x: {"flow_veh_s": 0.3} for x in FLOWS_VEH_S}
    for _ in range(10):
        scene.now_ms += 1_000
        one.submit(scene.snapshot())
        assert one.poll() is None
    assert one.last_digest == b""
    assert one.last_solve_ms is None


def test_a_cycle_begins_anew_after_another_planner_ruled() -> None:
    one, scene = planner(), traffic(FLOWS_VEH_S)
    one.submit(scene.snapshot())
    assert one.poll() is not None
    scene.now_ms += 10_000
    one.submit(scene.snapshot())
    assert one.poll() is not None


def test_more_traffic_gets_more_green() -> None:
    even = cycles(planner(), traffic(FLOWS_VEH_S), 1)[0]
    heavy = cycles(planner(), traffic({**FLOWS_VEH_S, "n0": 0.3}), 1)[0]
    assert heavy.green_ms("NS") > even.green_ms("NS")
    assert even.green_ms("NS") > even.green_ms("NSL")


def test_more_traffic_makes_a_longer_cycle_up_to_the_maximum() -> None:
    lengths = []
    for factor in (0.3, 1.0, 1.6, 20.0):
        one = cycles(planner(), traffic({x: factor * f for x, f in FLOWS_VEH_S.items()}), 1)[0]
        lengths.append(one.end_ms - one.begin_ms)
    assert lengths == sorted(lengths)
    assert lengths[0] < lengths[2]
    assert lengths[-1] <= 1000 * SETTINGS.max_cycle_s + 4 * INTERGREEN_MS


def test_a_green_moves_in_bounded_steps() -> None:
    settings = CycleSettings(max_step_s=4.0)
    one, scene = planner(settings=settings), traffic(FLOWS_VEH_S)
    before = cycles(one, scene, 2)[-1]
    for flow in (0.45, 0.02):
        scene.beliefs["n0"] = {"flow_veh_s": flow}
        for now in cycles(one, scene, 5):
            steps = [abs(a - b) for a, b in zip(now.greens_ms, before.greens_ms, strict=True)]
            assert max(steps) <= 4_000 + STEP_MS
            before = now


def test_it_gets_where_the_traffic_wants_it_in_the_end() -> None:
    slow, fast = planner(settings=CycleSettings(max_step_s=4.0)), planner(settings=CycleSettings(max_step_s=1_000.0))
    scene = traffic(FLOWS_VEH_S)
    cycles(slow, scene, 1)
    scene.beliefs["n0"] = {"flow_veh_s": 0.35}
    wanted = traffic({**FLOWS_VEH_S, "n0": 0.35})
    assert cycles(slow, scene, 12)[-1].green_ms("NS") == pytest.approx(cycles(fast, wanted, 1)[0].green_ms("NS"), abs=2_000)


def test_a_stage_that_nobody_needs_is_left_out_for_a_cycle() -> None:
    one, scene = planner(), traffic({x: f for x, f in FLOWS_VEH_S.items() if x not in ("n1", "s1")})
    assert "NSL" not in cycles(one, scene, 1)[0].stages
    scene.arrivals_ms["n1"] = [scene.now_ms - 3_000]
    assert "NSL" in cycles(one, scene, 2)[-1].stages


def test_an_empty_street_keeps_all_stages() -> None:
    assert set(cycles(planner(), traffic({}), 1)[0].stages) == set(STAGES)


def test_the_reason_names_every_stage_and_its_green() -> None:
    one = cycles(planner(), traffic(FLOWS_VEH_S), 1)[0]
    for stage, green_ms in zip(one.stages, one.greens_ms, strict=True):
        assert f"{stage} " in one.plan.reason
        assert green_ms / 1000 == pytest.approx(float(one.plan.reason.split(f"{stage} ")[1].split(" s")[0]), abs=1.1)
    assert one.plan.planner == "cycle"


def test_the_same_traffic_gives_the_same_cycles() -> None:
    first, second = (cycles(planner(), traffic(FLOWS_VEH_S), 2) for _ in range(2))
    assert first == second
