"""The order of stages, whatever calls: each choice serves somebody, nobody is passed over twice running, and disjoint stages come as they always did."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.junction import Junction, Node, Transition
from controller.node_model import NodeModel
from controller.stage_order import StageOrder
from scenarios.cabinet_street import STAGES, demo_junction

pytestmark = pytest.mark.quick

JUNCTION = demo_junction()
PROGRAMME = ("main", "side left", "side", "main left")


def model(names: tuple[str, ...], *transitions: Transition) -> NodeModel:
    """Return the dual ring with these stages."""
    node: Node = replace(JUNCTION.nodes[0], stages=tuple(s for n in names for s in JUNCTION.nodes[0].stages if s.id == n), transitions=transitions)
    one: Junction = replace(JUNCTION, nodes=(node,))
    return NodeModel(one, node)


def numbers(of: NodeModel, *lanes: str) -> list[int]:
    return [i for i, lane in enumerate(of.lanes) if lane.id in lanes]


class Ring:
    """The eight stages by name; four have turns."""

    def __init__(self, *transitions: Transition) -> None:
        self.names = tuple(STAGES)
        self.model = model(self.names, *transitions)
        self.order = StageOrder(self.model, [self.names.index(n) for n in PROGRAMME], [k for k, n in enumerate(self.names) if n not in PROGRAMME])

    def see(self, stage: str) -> None:
        self.order.see(self.names.index(stage))

    def step(self, *lanes: str) -> str:
        return self.names[self.order.step(numbers(self.model, *lanes))]

    def part(self, keep: set[str], *lanes: str) -> str | None:
        found = self.order.part(numbers(self.model, *lanes), keep)
        return None if found is None else self.names[found]


def test_a_stage_that_serves_more_is_taken_instead() -> None:
    ring = Ring()
    ring.see("main")
    assert ring.step("south left", "north left") == "side left"
    assert ring.step("south left", "south") == "south"
    assert ring.step("north left", "north") == "north"
    assert ring.step("south left") == "side left"  # nobody else to serve with it: the stage whose turn it is
    assert ring.step("north", "south") == "side"


def test_one_ring_goes_on_while_the_other_runs() -> None:
    ring = Ring()
    ring.see("main left")
    assert not ring.order.in_part
    assert ring.part({"west left"}, "west", "east") == "west"
    ring.see("west")
    assert ring.order.in_part
    assert ring.part({"west"}, "east", "east left") == "main"
    ring.see("main")
    assert ring.part({"west"}, "west left") is None  # it was green since the last turn
    assert ring.step("north", "south", "west left") == "side"


def test_a_ring_waits_at_the_barrier() -> None:
    """6 has ended while 2 runs: 1, whose turn has gone, waits for the next round."""
    ring = Ring()
    ring.see("main left")
    ring.part({"west left"}, "west", "east")
    ring.see("west")
    assert ring.part({"west"}, "south", "north left") is None


def test_a_stage_whose_callers_were_green_within_others_is_passed_over() -> None:
    """3 and 7, then 4 and 8 in part: the turn of 4+8 is over with that, and the main road is next, though the side road calls again."""
    ring = Ring()
    ring.see("main")
    ring.step("south left", "north left")
    ring.see("side left")
    assert ring.part({"south left"}, "south", "north") == "south"
    ring.see("south")
    assert ring.part({"south"}, "north") == "side"
    ring.see("side")
    assert ring.step("west left", "east left", "south left") == "main left"
    ring.see("south")  # a stage that nobody asked for
    assert ring.step("north") == "side"  # nobody else calls: served all the same


def test_a_forbidden_transition_is_neither_a_part_nor_taken_instead() -> None:
    ring = Ring(Transition("main", "south", allowed=False), Transition("main left", "west", allowed=False))
    ring.see("main")
    assert ring.step("south left", "south") == "side left"
    ring.see("main left")
    assert ring.part({"west left"}, "west") is None


@st.composite
def rings(draw: st.DrawFn) -> tuple[NodeModel, list[int], list[int]]:
    """Return stages of the dual ring in any order, enough of them for every lane, those with turns and the others."""
    names = tuple(draw(st.permutations(list(STAGES))))
    one = model(names)
    covered = set[tuple[int, int]]()
    turns, others = [], list[int]()
    for k in range(len(names)):
        if one.ways[k] <= covered and draw(st.booleans()):
            others.append(k)
        else:
            turns.append(k)
            covered |= one.ways[k]
    return one, turns, others


@settings(deadline=None)
@given(ring=rings(), data=st.data())
def test_nobody_is_passed_over_more_than_once_a_round(ring: tuple[NodeModel, list[int], list[int]], data: st.DataObject) -> None:
    one, turns, others = ring
    order = StageOrder(one, turns, others)
    lanes = range(len(one.lanes))
    stage, parts, waited = turns[0], 0, dict.fromkeys(lanes, 0)
    order.see(stage)
    for _ in range(40):
        waiting = {i for i in lanes if waited[i] or data.draw(st.booleans())}
        calling = [i for i in waiting if not one.service[stage][i]]
        if not calling:
            continue
        keep = data.draw(st.sets(st.sampled_from(sorted(one.green[stage]))))
        found = order.part(calling, keep)
        if found is not None:
            assert keep <= one.green[found]
            parts += 1
            assert parts < sum(len(moves) for moves in one.movements)  # they end
        else:
            found, parts = order.step(calling), 0
            waited = {i: waited[i] + 1 if i in calling else 0 for i in lanes}
        assert any(one.service[found][i] for i in calling)
        stage = found
        order.see(stage)
        waited = {i: 0 if one.service[stage][i] else n for i, n in waited.items()}
        assert max(waited.values()) <= 2 * len(turns)


@settings(deadline=None)
@given(data=st.data())
def test_disjoint_stages_come_one_after_another_and_skip_those_without_calls(data: st.DataObject) -> None:
    """As before there was any more to it: the next in order that serves a call, and no part of any."""
    one = model(PROGRAMME)
    assert sum(map(len, one.green)) == len(frozenset().union(*one.green))
    order, stage = StageOrder(one, range(4)), data.draw(st.integers(0, 3))
    for _ in range(20):
        order.see(stage)
        calling = [i for i in range(len(one.lanes)) if not one.service[stage][i] and data.draw(st.booleans())]
        assert order.part(calling, data.draw(st.sets(st.sampled_from(sorted(one.green[stage]))))) is None
        row = [(stage + k) % 4 for k in range(1, 4)]
        expected = next((k for k in row if any(one.service[k][i] for i in calling)), row[0])
        assert order.step(calling) == expected
        stage = data.draw(st.sampled_from([expected, expected, stage, (stage + 2) % 4]))  # what is shown may be another, or still the same
