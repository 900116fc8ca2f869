"""The cycle planner: shares of the cycle by the flows, the programme's order, and what the traffic trims within a cycle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import NamedTuple, cast

import pytest
from support_control import INTERGREEN_MS, MIN_GREEN_MS, STAGES, Scene, junction

from controller.clearing import SLOW_MS
from controller.cycle import CyclePlanner, CycleSettings
from controller.junction import Junction, Programme, ProgrammeStep
from controller.lane_model import NEVER_MS
from controller.plan import Plan
from controller.solver import InlineSolver
from controller.transitions import transition_table

SETTINGS = CycleSettings()
ONE = junction()
STEP_MS = 1_000
FLOWS_VEH_S = {"n0": 0.15, "s0": 0.12, "n1": 0.04, "s1": 0.04, "e0": 0.1, "w0": 0.08, "e1": 0.03, "w1": 0.03}

Traffic = Callable[[int], dict[str, list[int]]]
"""When vehicles arrive by lane, as seen at a time."""


@cache
def solver() -> InlineSolver:
    return InlineSolver()


def planner(one: Junction = ONE, settings: CycleSettings = SETTINGS) -> CyclePlanner:
    return CyclePlanner(one, one.nodes[0], transition_table(one, one.nodes[0]), solver(), settings)


class Green(NamedTuple):
    """A stage as it stood: ``why`` is the reason of its end."""

    stage: str
    from_ms: int
    to_ms: int
    why: str

    @property
    def green_ms(self) -> int:
        return self.to_ms - self.from_ms


def scene_of(flows: dict[str, float], *, queue: bool = True) -> Scene:
    """Return a scene with these flows; every lane with a flow holds three waiting vehicles for ever."""
    one = Scene(stage=3, since_ms=60_000)
    one.beliefs = {x: {"flow_veh_s": f} for x, f in flows.items()}
    one.arrivals_ms = {x: [-5_000, -4_000, -3_000] for x, f in flows.items() if f > 0.0 and queue}
    return one


def run(one: CyclePlanner, scene: Scene, seconds_s: int, traffic: Traffic | None = None) -> tuple[list[Green], list[Plan]]:
    """Let the planner rule; the scene's node follows, each transition taking an intergreen."""
    greens: list[Green] = []
    plans: list[Plan] = []
    for _ in range(seconds_s):
        if traffic is not None:
            scene.arrivals_ms = traffic(scene.now_ms)
        one.submit(scene.snapshot())
        made = one.poll()
        if made is not None:
            plans.append(made)
            if made.steps[0].stage != scene.stage:
                greens.append(Green(STAGES[scene.stage], scene.since_ms, scene.now_ms, made.reason))
                scene.go(made.steps[0].stage, scene.now_ms + INTERGREEN_MS)
        scene.now_ms += STEP_MS
    return greens, plans


def shares_s(plans: list[Plan]) -> list[dict[str, float]]:
    """Return the greens that each cycle was given."""
    return [cast("dict[str, float]", p.detail["greens_s"]) for p in plans if "greens_s" in p.detail]


def first_s(flows: dict[str, float], settings: CycleSettings = SETTINGS) -> dict[str, float]:
    return shares_s(run(planner(settings=settings), scene_of(flows), 1)[1])[0]


def test_the_stages_come_in_the_programme_s_order() -> None:
    greens, _ = run(planner(), scene_of(FLOWS_VEH_S), 600)
    assert [g.stage for g in greens[:9]] == ["EWL", *STAGES, *STAGES]
    assert all(g.green_ms >= MIN_GREEN_MS for g in greens)


def test_the_order_is_the_programme_s_where_it_differs_from_the_stages() -> None:
    steps = tuple(ProgrammeStep(s, 10_000) for s in ("EWL", "EW", "NS", "NSL"))
    node = replace(ONE.nodes[0], programmes=(Programme("other", steps),))
    scene = scene_of(FLOWS_VEH_S)
    scene.junction, scene.stage = replace(ONE, nodes=(node,)), 1
    assert [g.stage for g in run(planner(scene.junction), scene, 400)[0][:4]] == ["NSL", "EWL", "EW", "NS"]


def test_the_greens_are_shared_out_once_a_cycle() -> None:
    one, scene = planner(), scene_of(FLOWS_VEH_S)
    solved = 0
    for _ in range(300):
        begins = scene.now_ms == 60_000
        _, plans = run(one, scene, 1)
        assert bool(one.last_digest) == bool(shares_s(plans))
        assert (one.last_solve_ms is not None) == bool(one.last_digest)
        if one.last_digest:
            solved += 1
            assert begins or plans[0].steps[0].stage == 0
    assert solved > 1


def test_a_cycle_begins_anew_after_another_planner_ruled() -> None:
    one, scene = planner(), scene_of(FLOWS_VEH_S)
    assert len(shares_s(run(one, scene, 3)[1])) == 1
    scene.now_ms += 10_000
    assert len(shares_s(run(one, scene, 1)[1])) == 1


def test_more_traffic_gets_more_green() -> None:
    even, heavy = first_s(FLOWS_VEH_S), first_s({**FLOWS_VEH_S, "n0": 0.3})
    assert heavy["NS"] > even["NS"] > even["NSL"]


def test_more_traffic_makes_a_longer_cycle_up_to_the_maximum() -> None:
    lengths_s = [sum(first_s({x: factor * f for x, f in FLOWS_VEH_S.items()}).values()) for factor in (0.3, 1.0, 1.6, 20.0)]
    assert lengths_s == sorted(lengths_s)
    assert lengths_s[0] < lengths_s[2]
    assert lengths_s[-1] <= SETTINGS.max_cycle_s


def test_a_share_moves_in_bounded_steps_and_gets_there_in_the_end() -> None:
    slow, scene = planner(settings=CycleSettings(max_step_s=4.0)), scene_of(FLOWS_VEH_S)
    run(slow, scene, 1)
    scene.beliefs["n0"] = {"flow_veh_s": 0.35}
    found = shares_s(run(slow, scene, 3_000)[1])
    for before, after in pairwise(found):
        assert all(abs(after[x] - before[x]) <= 4.0 for x in before.keys() & after.keys())
    assert found[-1]["NS"] == pytest.approx(first_s({**FLOWS_VEH_S, "n0": 0.35}, CycleSettings(max_step_s=1_000.0))["NS"], abs=2.0)


def test_a_queue_that_never_ends_gets_the_share_and_half_as_much_again() -> None:
    greens, plans = run(planner(), scene_of({x: 1.6 * f for x, f in FLOWS_VEH_S.items()}), 600)
    (green,) = [g for g in greens[1:5] if g.stage == "NS"]
    share_s = [s["NS"] for s, p in zip(shares_s(plans), [p for p in plans if "greens_s" in p.detail], strict=True) if p.made_ms <= green.from_ms][-1]
    assert share_s * SETTINGS.longer_ratio > SETTINGS.least_max_s
    assert green.green_ms / 1000 == pytest.approx(SETTINGS.longer_ratio * share_s, abs=1.0)
    assert "longest green" in green.why


def test_a_stage_that_nobody_needs_is_left_out() -> None:
    scene = scene_of({x: f for x, f in FLOWS_VEH_S.items() if x not in ("n1", "s1")})
    assert "NSL" not in {g.stage for g in run(planner(), scene, 300)[0]}
    scene.arrivals_ms["n1"] = [-3_000]
    assert "NSL" in {g.stage for g in run(planner(), scene, 300)[0]}


def test_it_rests_where_nobody_else_calls() -> None:
    scene = scene_of({})
    scene.stage, scene.arrivals_ms = 0, {"n0": [-3_000]}
    assert run(planner(), scene, 200)[0] == []


def test_a_green_ends_when_its_queue_is_gone() -> None:
    gone_ms = 75_000
    scene = Scene(stage=0)
    greens, _ = run(planner(), scene, 60, lambda now_ms: {"e0": [-3_000], **({"n0": [-3_000, -2_000]} if now_ms < gone_ms else {})})
    assert greens[0].to_ms == gone_ms
    assert "queues are gone" in greens[0].why


def coming(now_ms: int, coming_veh: int, waiting_veh: int) -> dict[str, list[int]]:
    """Return vehicles of the north that arrive from 80 s on, and those who wait in the east."""
    return {"n0": [t for t in range(80_000, 80_000 + 2_000 * coming_veh, 2_000) if t > now_ms], "e0": [-3_000] * waiting_veh}


@pytest.mark.parametrize(("coming_veh", "waiting_veh", "end_ms"), [(5, 1, 88_000), (5, 8, 88_000), (1, 1, 80_000), (1, 30, 72_000)])
def test_a_green_waits_for_those_who_are_worth_it(coming_veh: int, waiting_veh: int, end_ms: int) -> None:
    """So the green's end, and with it the offset of the next one, follows who comes from the neighbour."""
    greens, _ = run(planner(), Scene(stage=0, since_ms=65_000, now_ms=72_000), 60, lambda now_ms: coming(now_ms, coming_veh, waiting_veh))
    assert greens[0].to_ms == end_ms


def test_turners_find_their_gaps_beside_the_others_unless_many_wait() -> None:
    """East and west turn left beside the opposite straight traffic, and have a stage of their own."""
    one = {"e1": [-3_000], "e0": [-3_000]}
    assert {g.stage for g in run(planner(), scene_with(one), 200)[0]} <= {"NS", "EW"}
    assert "EWL" in {g.stage for g in run(planner(), scene_with({**one, "e1": [-3_000] * 4}), 200)[0]}


def scene_with(arrivals_ms: dict[str, list[int]]) -> Scene:
    return Scene(stage=0, arrivals_ms={"n0": [-3_000], **arrivals_ms})


def test_a_lane_whose_exit_is_full_neither_calls_nor_holds() -> None:
    scene = scene_with({"e0": [-3_000]})
    scene.blocked_exits = frozenset({"wout", "nout"})
    assert run(planner(), scene, 200)[0] == []


def test_the_reason_names_every_share() -> None:
    _, plans = run(planner(), scene_of(FLOWS_VEH_S), 1)
    assert plans[0].planner == "cycle"
    for stage, green_s in shares_s(plans)[0].items():
        assert f"{stage} {green_s:.0f} s" in plans[0].reason


def test_the_same_traffic_gives_the_same_plans() -> None:
    first, second = (run(planner(), scene_of(FLOWS_VEH_S), 300) for _ in range(2))
    assert first == second


def test_after_a_near_lock_those_who_wait_inside_for_a_gap_are_let_out_before_the_next_green() -> None:
    clear_ms = []
    for inside_veh in (0.0, 1.0):
        beliefs = {"e1": {"inside_veh": inside_veh}, "n1": {"stuck_ms": SLOW_MS, "blocked_ms": NEVER_MS}}
        scene = Scene(stage=STAGES.index("EW"), since_ms=40_000, arrivals_ms={"n0": [-3_000]}, beliefs=beliefs)
        _, plans = run(planner(), scene, 2)
        clear_ms.append(plans[-1].steps[0].clear_ms)
        assert scene.stage == STAGES.index("NS")
    assert clear_ms[0] == 0
    assert clear_ms[1] > INTERGREEN_MS - 3_000


def test_turners_who_fill_a_short_lane_get_their_stage() -> None:
    calls = {}
    for known_ms in (1_000, 20_000):
        scene = scene_with({"e1": [-3_000], "e0": [-3_000]})
        scene.beliefs["e1"] = {"known_ms": known_ms}
        calls[known_ms] = "EWL" in {g.stage for g in run(planner(), scene, 200)[0]}
    assert calls == {1_000: True, 20_000: False}


def test_a_stage_that_lets_turners_go_lasts_until_those_they_yielded_to_have_stopped() -> None:
    one, left_ms = planner(), None
    scene = Scene(stage=STAGES.index("EWL"), since_ms=60_000, arrivals_ms={"n0": [-3_000]})
    while left_ms is None:
        seen = scene.snapshot()
        signals = replace(seen.signals, from_stage=STAGES.index("EW"), earliest_leave_ms=scene.since_ms)
        one.submit(replace(seen, signals=signals))
        made = one.poll()
        if made is not None and made.steps[0].stage != scene.stage:
            left_ms = scene.now_ms
        scene.now_ms += STEP_MS
    assert left_ms == scene.since_ms + 3_000 + 3_000
