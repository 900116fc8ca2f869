"""Who is served by which stage, and to whom a movement gives way there."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support_control import STAGES, junction, shared_left

from controller.junction import Junction, Movement, Purpose
from controller.node_model import NodeModel

pytestmark = pytest.mark.quick


def model(one: Junction | None = None) -> NodeModel:
    one = one or junction()
    return NodeModel(one, one.nodes[0])


def served(one: NodeModel, stage: str) -> dict[str, set[int]]:
    """Return by lane the movements that a stage serves."""
    rows = zip(one.lanes, one.service[STAGES.index(stage)], strict=True)
    return {lane.id: {s.movement for s in row} for lane, row in rows if row}


def foes(one: NodeModel, stage: str, lane: str) -> set[str]:
    row = one.service[STAGES.index(stage)][[x.id for x in one.lanes].index(lane)]
    return {one.lanes[k].id for s in row for k in s.foes}


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        ("NS", {"n0": {0, 1}, "s0": {0, 1}}),
        ("NSL", {"n1": {0}, "s1": {0}}),
        ("EW", {"e0": {0, 1}, "e1": {0}, "w0": {0, 1}, "w1": {0}}),
        ("EWL", {"e1": {0}, "w1": {0}}),
    ],
)
def test_a_stage_serves_the_movements_of_its_groups(stage: str, expected: dict[str, set[int]]) -> None:
    assert served(model(), stage) == expected


def test_a_permitted_turn_yields_where_the_opposite_lane_has_green() -> None:
    assert foes(model(), "EW", "e1") == {"w0"}
    assert foes(model(), "EWL", "e1") == set()
    assert foes(model(), "EW", "e0") == set()


def test_a_left_turn_in_its_protected_stage_does_not_yield_to_the_opposite_left_turn() -> None:
    """The opposite lane is green there, but only its left turn is: who has the priority, its straight traffic, is red."""
    one = shared_left()
    assert one.gives_way_to(one.movements[-2]) == {("w0", "EW")}
    assert foes(model(one), "EW", "e0") == {"w0"}
    assert foes(model(one), "EWL", "e0") == set()
    assert served(model(one), "EWL")["e0"] == {2}


def test_without_a_permission_all_ways_of_the_lane_have_the_right_of_way() -> None:
    one = shared_left(permissions=())
    assert one.gives_way_to(one.movements[-2]) == {("w0", "EW"), ("w0", "EWL")}
    assert foes(model(one), "EWL", "e0") == {"w0"}


def test_a_turn_on_red_gives_way_to_every_green_of_a_lane() -> None:
    one = shared_left()
    on_red = replace(one, groups=tuple(replace(g, turn_on_red=g.id == "EWL") for g in one.groups))
    assert on_red.gives_way_to(on_red.movements[-2]) == {("w0", "EW"), ("w0", "EWL")}


def test_nobody_gives_way_to_its_own_lane() -> None:
    one = shared_left()
    assert one.gives_way_to(replace(one.movements[-2], yields_to=("e0",))) == set()


def test_a_turn_on_red_is_served_in_every_stage_and_yields_to_the_open_lanes() -> None:
    one = junction()
    moves = tuple(replace(m, group="R", yields_to=("w0", "n0")) if m == one.movements[1] else m for m in one.movements)
    groups = (*one.groups, replace(one.groups[0], id="R", turn_on_red=True, links=(9,)))
    node = replace(one.nodes[0], groups=(*one.nodes[0].groups, "R"))
    turned = model(replace(one, movements=moves, groups=groups, nodes=(node,)))
    assert [served(turned, s).get("n0", set()) for s in STAGES] == [{0, 1}, {1}, {1}, {1}]
    assert foes(turned, "EW", "n0") == {"w0"}
    assert foes(turned, "NS", "n0") == set(), "nobody yields to itself"


def test_only_the_node_s_own_lanes_are_in_it() -> None:
    one = junction()
    east = replace(one.nodes[0], id="east", groups=("EW", "EWL"), stages=one.nodes[0].stages[2:], programmes=())
    assert {x.id for x in NodeModel(one, east).lanes} == {"e0", "e1", "w0", "w1"}


def test_movements_keep_the_junction_s_order() -> None:
    """The shares of a belief are by movement in this order."""
    one = model()
    for lane, moves in zip(one.lanes, one.movements, strict=True):
        expected: list[Movement] = [m for m in junction().movements if m.lane == lane.id]
        assert list(moves) == expected


def test_detectors_of_a_lane_come_nearest_first() -> None:
    one = model()
    assert [d.id for d in one.detectors("n0", Purpose.STOP, Purpose.ADVANCE, Purpose.ENTRY)] == ["n0/1", "n0/45", "n0/120", "n/300"]
    assert [d.id for d in one.detectors("n0", Purpose.STOP)] == ["n0/1"]
