"""Which free stages a tick may search: those whose gain is sure, and only a few."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support_control import Scene, junction

from controller.adaptive import AdaptivePlanner
from controller.free_stages import with_more_stages
from controller.horizon_model import HorizonModel
from controller.junction import Junction, Node
from controller.node_model import NodeModel
from controller.red_limit import RedLimit
from controller.snapshot import DetectorState
from controller.solver import InlineSolver
from controller.stage_choice import MOST_OPEN, StageChoice
from controller.transitions import transition_table

LOST = DetectorState(trusted=False, occupied=False, changed_ms=0, count=0)


def freed(*pairs: tuple[str, str]) -> Junction:
    """Return the crossing with free stages, in which these groups, too, have no intergreen between them."""
    one = junction()
    both = {*pairs, *((b, a) for a, b in pairs)}
    kept = tuple(i for i in one.intergreens if (i.clearing, i.entering) not in both)
    return with_more_stages(replace(one, intergreens=kept, nodes=(replace(one.nodes[0], free_stages=True),)))


ONE = freed(("NS", "EW"))  # straight on at both streets: not at all realistic, and easy to count
NODE: Node = ONE.nodes[0]
FREE = next(k for k, s in enumerate(NODE.stages) if s.id == "NS+EW")


def shut(scene: Scene, one: Junction = ONE) -> frozenset[int]:
    return StageChoice(NodeModel(one, one.nodes[0])).shut(scene.snapshot())


def test_without_free_stages_nothing_is_shut() -> None:
    assert shut(Scene(), junction()) == frozenset()


def test_a_free_stage_opens_where_vehicles_wait_that_no_stage_of_the_programme_serves_together() -> None:
    assert FREE in shut(Scene())
    assert FREE in shut(Scene(junction=ONE, arrivals_ms={"n0": [50_000]}))
    assert FREE not in shut(Scene(junction=ONE, arrivals_ms={"n0": [50_000], "e0": [65_000]}))
    assert FREE in shut(Scene(junction=ONE, arrivals_ms={"n0": [50_000], "e0": [90_000]})), "who comes in half a minute does not wait"


@pytest.mark.parametrize("loop", ["e0/1", "e0/300", "n/300"])
def test_a_lane_with_a_lost_loop_is_not_sure(loop: str) -> None:
    assert FREE in shut(Scene(junction=ONE, arrivals_ms={"n0": [50_000], "e0": [50_000]}, loops={loop: LOST}))


def test_a_loop_of_a_lane_that_the_stage_does_not_serve_does_not_matter() -> None:
    assert FREE not in shut(Scene(junction=ONE, arrivals_ms={"n0": [50_000], "e0": [50_000]}, loops={"e1/1": LOST}))


@pytest.mark.parametrize(("weights", "sure"), [((1.0, 1.0), True), ((1.0, 1.0, 1.0, 0.6), True), ((1.0, 0.6), False), ((0.5, 0.5), False)])
def test_vehicles_that_may_be_elsewhere_are_not_sure(weights: tuple[float, ...], sure: bool) -> None:
    beliefs = {"e0": {"weight": weights}}
    scene = Scene(junction=ONE, arrivals_ms={"n0": [50_000], "e0": [51_000 + 2_000 * k for k in range(len(weights))]}, beliefs=beliefs)
    assert (FREE not in shut(scene)) == sure


def test_few_are_open_those_for_the_most_vehicles() -> None:
    """Four vehicles wait on each lane of the straight traffic, fewer on those that turn left."""
    one = freed(("NS", "EW"), ("NS", "EWL"), ("NSL", "EW"), ("NSL", "EWL"))
    scene = Scene(junction=one, arrivals_ms={f"{arm}{k}": [50_000] * (4 if k == 0 else 1 + (arm == "e")) for arm in "nesw" for k in (0, 1)})
    free = {k for k, s in enumerate(one.nodes[0].stages) if s.free}
    open_ids = {one.nodes[0].stages[k].id for k in free - shut(scene, one)}
    assert len(free) > len(open_ids)
    assert len(open_ids) == MOST_OPEN
    assert {"NS+EW+EWL", "NS+EWL"} < open_ids


def test_what_is_shut_serves_nobody_and_cannot_be_chosen_but_may_go_on_and_be_left() -> None:
    model = HorizonModel(ONE, NODE, transition_table(ONE, NODE), AdaptivePlanner(ONE, NODE, transition_table(ONE, NODE), InlineSolver())._settings)
    p = model.problem(Scene(junction=ONE).snapshot())
    assert not p.service_milli[FREE].any()
    assert not p.allowed[:, FREE].any()
    assert p.allowed[FREE, 0]
    here = model.problem(Scene(junction=ONE, stage=FREE).snapshot())
    assert here.service_milli[FREE].any()


def test_the_planner_takes_the_free_stage_and_calls_it_by_its_groups() -> None:
    planner = AdaptivePlanner(ONE, NODE, transition_table(ONE, NODE), InlineSolver())
    planner.submit(Scene(junction=ONE, stage=1, arrivals_ms={x: [40_000, 42_000, 44_000] for x in ("n0", "s0", "e0", "w0")}).snapshot())
    plan = planner.poll()
    assert plan is not None
    assert NODE.stages[plan.steps[0].stage].id == "NS+EW"
    assert plan.reason.startswith("goes to NS+EW (NS, EW): 12 vehicles")


def test_who_has_waited_too_long_is_served_by_a_stage_of_the_programme() -> None:
    """The north's vehicles share one lane; a free stage would serve all their ways at once."""
    moves = tuple(replace(m, lane="n0") if m.lane == "n1" else m for m in junction().movements)
    one = replace(freed(("NS", "NSL")), movements=moves)
    model = NodeModel(one, one.nodes[0])
    lane = next(k for k, x in enumerate(model.lanes) if x.id == "n0")
    most = max(range(len(one.nodes[0].stages)), key=lambda k: len(model.service[k][lane]))
    assert one.nodes[0].stages[most].free
    served = RedLimit(model, 120_000).stage(Scene(junction=one, stage=2, now_ms=400_000, arrivals_ms={"n0": [100_000]}).snapshot())
    assert served is not None
    assert one.nodes[0].stages[served].id == "NS"
