"""Groups of whom nobody can be seen get green now and then."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import support_control as support
from support_walks import WALK, with_a_walk_beside_the_side_street

from controller.assemble import assemble
from controller.junction import Junction, Stage, Transition
from controller.plan import Plan
from controller.recall import GIVE_UP_MS, LIMIT_MS, Recall
from controller.snapshot import Snapshot
from hardware.fake import FakeHeads, FakeInputs
from hardware.registry import open_site
from hardware.signals import Aspect

BASE = support.junction()


def junction(**limits: int) -> Junction:
    """Return a junction whose first stage is there twice, the second time with a walk."""
    (node,) = BASE.nodes
    first = node.stages[0]
    stages = (*node.stages, Stage("A with walk", (*first.green, "W")), Stage("walk", ("W",)))
    return replace(BASE, groups=(*BASE.groups, replace(WALK, **limits)), nodes=(replace(node, groups=(*node.groups, "W"), stages=stages),))


def seen(one: Junction, red_ms: int, *, now_ms: int = 1_000_000, stage: int = 0, settled_ms: int = 0) -> Snapshot:
    made = support.Scene(BASE).snapshot()
    reds: dict[str, int | None] = dict.fromkeys(one.nodes[0].groups)
    signals = replace(made.signals, stage=stage, settled_ms=settled_ms, earliest_leave_ms=0, red_since_ms=reds | {"W": now_ms - red_ms})
    return replace(made, now_ms=now_ms, signals=signals)


def stage_of(plan: Plan | None, one: Junction) -> str:
    assert plan is not None
    assert plan.planner == "recall"
    (step,) = plan.steps
    return one.nodes[0].stages[step.stage].id


def test_after_the_limit_the_stage_comes_that_ends_the_fewest_others() -> None:
    one = junction()
    recall = Recall(one, one.nodes[0])
    assert recall.plan(seen(one, LIMIT_MS - 1)) is None
    assert not recall.active(1_000_000)
    plan = recall.plan(seen(one, LIMIT_MS))
    assert stage_of(plan, one) == "A with walk"
    assert plan is not None
    assert "W" in plan.reason
    assert "150 s" in plan.reason
    assert recall.active(1_000_000)


def test_the_limit_of_the_group_itself_counts() -> None:
    one = junction(max_red_ms=40_000)
    assert Recall(one, one.nodes[0]).plan(seen(one, 40_000)) is not None


def test_it_takes_over_until_the_stage_stands() -> None:
    one = junction()
    recall, node = Recall(one, one.nodes[0]), one.nodes[0]
    asked = recall.plan(seen(one, LIMIT_MS))
    assert asked is not None
    target = asked.steps[0].stage
    assert recall.plan(seen(one, LIMIT_MS, stage=target, settled_ms=1_004_000)) is None, "it is on its way"
    assert recall.active(1_003_999)
    assert recall.plan(seen(one, LIMIT_MS, now_ms=1_002_000)) == asked, "something else came between"
    green = seen(one, 0, now_ms=1_004_000, stage=target, settled_ms=1_004_000)
    assert recall.plan(replace(green, signals=replace(green.signals, red_since_ms=dict.fromkeys(node.groups)))) is None
    assert not recall.active(1_004_000)


def test_a_stage_that_does_not_come_is_given_up_for_a_while() -> None:
    one = junction()
    recall = Recall(one, one.nodes[0])
    assert recall.plan(seen(one, LIMIT_MS)) is not None
    later_ms = 1_000_000 + GIVE_UP_MS
    assert recall.plan(seen(one, LIMIT_MS + GIVE_UP_MS, now_ms=later_ms)) is None
    assert not recall.active(later_ms)
    again_ms = later_ms + LIMIT_MS
    assert recall.plan(seen(one, LIMIT_MS, now_ms=again_ms - 1)) is None
    assert recall.plan(seen(one, LIMIT_MS, now_ms=again_ms)) is not None


def test_who_is_seen_by_a_loop_is_left_to_the_planners() -> None:
    made = support.Scene(BASE).snapshot()
    reds = dict.fromkeys(BASE.nodes[0].groups, made.now_ms - 10 * LIMIT_MS)
    assert Recall(BASE, BASE.nodes[0]).plan(replace(made, signals=replace(made.signals, red_since_ms=reds))) is None


def test_a_lane_without_a_loop_is_not_seen() -> None:
    lane = BASE.lanes[0].id
    group = next(m.group for m in BASE.movements if m.lane == lane)
    lanes = {m.lane for m in BASE.movements if m.group == group}
    one = replace(BASE, detectors=tuple(d for d in BASE.detectors if not lanes & set(d.lanes)))
    made = support.Scene(BASE).snapshot()
    stage = next(k for k, s in enumerate(one.nodes[0].stages) if s.green and group not in s.green)
    signals = replace(made.signals, stage=stage, red_since_ms=dict.fromkeys(one.nodes[0].groups) | {group: made.now_ms - LIMIT_MS})
    plan = Recall(one, one.nodes[0]).plan(replace(made, signals=signals))
    assert plan is not None
    assert group in one.nodes[0].stages[plan.steps[0].stage].green


@pytest.mark.parametrize("stage", [0, 1])
def test_a_forbidden_transition_is_not_asked_for(stage: int) -> None:
    one = junction()
    node = one.nodes[0]
    names = [s.id for s in node.stages]
    forbidden = tuple(Transition(names[stage], to, allowed=False) for to in ("A with walk", "walk"))
    shut = replace(one, nodes=(replace(node, transitions=forbidden),))
    assert Recall(shut, shut.nodes[0]).plan(seen(shut, LIMIT_MS, stage=stage)) is None


def walks_ms(control: str, until_ms: int) -> list[int]:
    """Return when the walk begins to be green at a junction to which nobody comes."""
    one = with_a_walk_beside_the_side_street()
    heads = FakeHeads(one.site_spec())
    guard = open_site(one.site_spec(), heads, now_ms=0)
    driver = assemble(one, control, FakeInputs(), guard, None, start_ms=0)
    for now_ms in range(0, until_ms, 1_000):
        driver.tick(now_ms)
    assert guard.refusals == 0
    walk = [g.id for g in one.groups].index("W")
    greens = [(frame.now_ms, frame.aspects[walk] is Aspect.GREEN) for frame in heads.history]
    return [at_ms for (_, before), (at_ms, green) in pairwise(greens) if green and not before]


@pytest.mark.parametrize("control", ["adaptive", "cycle", "actuated"])
def test_where_nobody_comes_the_walk_comes_all_the_same(control: str) -> None:
    first_ms, *_ = walks_ms(control, 400_000)
    assert LIMIT_MS <= first_ms <= LIMIT_MS + 15_000


def test_a_programme_by_the_clock_goes_its_own_way(monkeypatch: pytest.MonkeyPatch) -> None:
    found = walks_ms("programme", 400_000)
    monkeypatch.setattr(Recall, "plan", lambda _recall, _snapshot: None)
    assert found == walks_ms("programme", 400_000)
    assert len(found) > 3
