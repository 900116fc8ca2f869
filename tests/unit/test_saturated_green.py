"""Beyond capacity: which green is held, for how long, and what the planner makes of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from support_control import STAGES, Scene, junction

from controller.adaptive import AdaptivePlanner
from controller.capacity import LASTS_MS
from controller.explain import Explanation, Proof, with_alternatives
from controller.explain_text import in_words
from controller.journal_reader import PlanRow
from controller.junction import Junction
from controller.node_model import NodeModel
from controller.saturated_green import LEAST_MS, MOST_MS, SaturatedGreen
from controller.solver import InlineSolver
from controller.transitions import transition_table
from controller.words import Lang

ONE = junction()
(NODE,) = ONE.nodes
TABLE = transition_table(ONE, NODE)
NS, NSL, EW, EWL = range(4)
MAX_RED_MS = 150_000
NOW_MS = 600_000
QUEUE = [NOW_MS - 60_000] * 20
JUST, LONG_AGO = {"last_leave_ms": NOW_MS - 1_000}, {"last_leave_ms": NOW_MS - 10_000}


def lasts(target: int = EW, *, green_ms: int = 10_000, queued: str = "n0 s0 e0 w0", max_red_ms: int = MAX_RED_MS, **beliefs: dict[str, Any]) -> bool:
    scene = Scene(now_ms=NOW_MS, stage=NS, since_ms=NOW_MS - green_ms, arrivals_ms=dict.fromkeys(queued.split(), QUEUE), beliefs=beliefs)
    return SaturatedGreen(NodeModel(ONE, NODE), max_red_ms).lasts(scene.snapshot(), target)


def test_a_green_in_full_use_lasts() -> None:
    assert lasts(n0=JUST, s0=JUST)


def test_a_green_whose_queues_have_gone_does_not() -> None:
    assert not lasts(n0=LONG_AGO, s0=LONG_AGO)


def test_half_of_the_lanes_that_would_lose_their_green_are_enough() -> None:
    assert lasts(n0=JUST, s0=LONG_AGO)


def test_a_lane_that_is_held_counts_neither_way() -> None:
    held = {"blocked_ms": NOW_MS + 5_000}
    assert lasts(n0=JUST, s0=LONG_AGO | held)
    assert not lasts(n0=JUST | held, s0=JUST | held)


def test_nobody_flows_before_somebody_has_left() -> None:
    """At the begin of green the start-up counts as flow, for two headways."""
    before = {"last_leave_ms": NOW_MS - 100_000}
    assert lasts(green_ms=3_000, n0=before, s0=before)
    assert not lasts(green_ms=6_000, n0=before, s0=before)


def test_a_stage_that_takes_no_green_away_may_come() -> None:
    one = Scene(now_ms=NOW_MS, stage=EWL, since_ms=NOW_MS - 10_000, beliefs={"e1": JUST, "w1": JUST}).snapshot()
    assert not SaturatedGreen(NodeModel(ONE, NODE), MAX_RED_MS).lasts(one, EW)


@pytest.mark.parametrize(
    ("queued", "max_red_ms", "limit_ms"),
    [
        ("n0", MAX_RED_MS, MOST_MS),
        ("n0 e0", MAX_RED_MS, MOST_MS),
        ("n0 n1 e0", MAX_RED_MS, MOST_MS),
        ("n0 n1 e0 e1", MAX_RED_MS, 43_333),  # (150 s - 4 x 5 s) / 3
        ("n0 n1 e0 e1", 60_000, LEAST_MS),
    ],
)
def test_the_others_have_as_much_before_their_longest_red(queued: str, max_red_ms: int, limit_ms: int) -> None:
    assert lasts(green_ms=limit_ms - 1, queued=queued, max_red_ms=max_red_ms, n0=JUST, s0=JUST)
    assert not lasts(green_ms=limit_ms, queued=queued, max_red_ms=max_red_ms, n0=JUST, s0=JUST)


def at_capacity(one: Junction = ONE) -> AdaptivePlanner:
    planner = AdaptivePlanner(one, one.nodes[0], transition_table(one, one.nodes[0]), InlineSolver())
    for now_ms in range(NOW_MS - LASTS_MS - 1_000, NOW_MS, 1_000):
        planner.submit(Scene(now_ms=now_ms, stage=NS, since_ms=now_ms - 1_000, arrivals_ms={x.id: QUEUE * 2 for x in ONE.lanes}).snapshot())
    assert planner.capacity.active
    return planner


def scene(**beliefs: dict[str, Any]) -> Scene:
    """Return one lane of the green nearly gone, and long queues across: what the search would switch for."""
    arrivals = {"n0": [NOW_MS + 9_000], "n1": QUEUE * 2, "e0": QUEUE * 3, "e1": QUEUE, "w0": QUEUE * 2}
    return Scene(now_ms=NOW_MS, stage=NS, since_ms=NOW_MS - 20_000, arrivals_ms=arrivals, beliefs=beliefs)


def first(planner: AdaptivePlanner, one: Scene) -> tuple[str, str]:
    planner.submit(one.snapshot())
    plan = planner.poll()
    assert plan is not None
    return STAGES[plan.steps[0].stage], plan.reason


def test_the_planner_holds_it_and_says_why() -> None:
    planner = at_capacity()
    stage, reason = first(planner, scene(n0=JUST, s0=JUST))
    assert (stage, planner.runs_full) == ("NS", True)
    assert "its queues still leave at saturation flow, and more comes than can be served" in reason
    assert planner.problem is not None
    assert planner.problem.leave_ms == 1_000, "the next second decides anew"


def test_the_explanation_tells_what_the_switch_would_have_cost() -> None:
    planner, known = at_capacity(), scene(n0=JUST, s0=JUST).snapshot()
    planner.submit(known)
    plan = planner.poll()
    assert plan is not None
    row = PlanRow(ONE.id, NODE.id, known.tick, NOW_MS, plan)
    one = Explanation(ONE, NODE, "adaptive", "adaptive", NOW_MS, NOW_MS, known.tick, 0, Proof(False), NOW_MS, row, {}, planner.lanes, known)
    one = with_alternatives(one, planner, known)
    assert one.chosen is not None
    assert one.chosen is one.path, "the plan is the best of those that keep the green"
    costs = {STAGES[a.stage]: a.cost_ms for a in one.alternatives}
    assert costs.keys() == {"NS", "NSL", "EW", "EWL"}
    assert costs["EW"] < one.chosen.cost_ms, "what the search wanted to switch for"
    text = in_words(one, Lang.EN)
    assert "its queues still leave at saturation flow" in text
    assert "has missed it" not in text


def test_the_planner_switches_when_it_is_no_longer_used() -> None:
    planner = at_capacity()
    first(planner, scene(n0=JUST, s0=JUST))
    assert first(planner, scene(n0=LONG_AGO, s0=LONG_AGO))[0] == "EW"
    assert not planner.runs_full


def test_below_capacity_the_search_alone_decides() -> None:
    planner = AdaptivePlanner(ONE, NODE, TABLE, InlineSolver())
    assert first(planner, scene(n0=JUST, s0=JUST))[0] == "EW"


def test_the_engineers_longest_green_ends_it_all_the_same() -> None:
    """A group's own limit is kept, however full the green is used."""
    limited = replace(ONE, groups=tuple(replace(g, max_green_ms=15_000) if g.id == "NS" else g for g in ONE.groups))
    planner = at_capacity(limited)
    assert first(planner, scene(n0=JUST, s0=JUST))[0] != "NS"


def test_just_beyond_capacity_the_search_alone_decides() -> None:
    planner = at_capacity()
    few = Scene(now_ms=NOW_MS, stage=NS, since_ms=NOW_MS - 20_000, arrivals_ms={"e0": QUEUE, "w0": QUEUE}, beliefs={"n0": JUST, "s0": JUST})
    assert first(planner, few)[0] == "EW"


def test_where_an_exit_is_full_the_bottleneck_is_elsewhere() -> None:
    planner, full = at_capacity(), scene(n0=JUST, s0=JUST)
    full.see("nout/x", occupied=True, changed_ms=NOW_MS - 15_000)
    assert first(planner, full)[0] == "EW"
