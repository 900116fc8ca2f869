"""Stages that would send vehicles to a red some metres behind the junction."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support_control import Scene, junction

from controller.adaptive import SETTINGS
from controller.estimate import NEAR_M
from controller.horizon_model import HorizonModel
from controller.junction import Junction
from controller.near_reds import SOON_MS, NearReds
from controller.node_model import NodeModel
from controller.transitions import transition_table

pytestmark = pytest.mark.quick
NOW_MS = 60_000
NS, NSL, EW, EWL = range(4)


def with_links(*lanes: str) -> Junction:
    """Return the crossing in which these lanes of the west have no loop but the one at their stop line: links from a light near by."""
    one = junction()
    return replace(one, detectors=tuple(d for d in one.detectors if d.distance_m <= NEAR_M or not set(d.lanes) & set(lanes)))


def feeding(one: Junction, arrivals_ms: dict[str, list[int]], *shut: str) -> frozenset[int]:
    model = NodeModel(one, one.nodes[0])
    snapshot = Scene(one, now_ms=NOW_MS, arrivals_ms=arrivals_ms, shut_exits=frozenset(shut)).snapshot()
    return NearReds(model).feeding([snapshot.lanes[x.id] for x in model.lanes], snapshot)


@pytest.mark.parametrize(
    ("lane", "at_ms", "expected"),
    [
        ("s1", NOW_MS - 5_000, {NSL}),  # all who turn left from the south go to the west
        ("s1", NOW_MS + SOON_MS, {NSL}),
        ("s1", NOW_MS + SOON_MS + 1, set()),  # nobody is sent
        ("e0", NOW_MS, {EW}),  # four of five
        ("n0", NOW_MS, set()),  # one of five
        ("e1", NOW_MS, set()),  # they turn to the south
    ],
)
def test_a_stage_that_sends_most_of_a_lane_to_a_red_near_by_is_named(lane: str, at_ms: int, expected: set[int]) -> None:
    one = with_links("w1")
    assert feeding(one, {lane: [at_ms]}, "wout") == expected
    assert feeding(one, {lane: [at_ms]}) == set(), "nothing is shut"


def test_the_only_stage_that_opens_the_neighbours_exit_may_be_chosen() -> None:
    """EW alone serves w0; w1 is also served by EWL, which sends nobody west."""
    assert feeding(with_links("w1"), {"e0": [NOW_MS]}, "wout") == {EW}
    assert feeding(with_links("w0", "w1"), {"e0": [NOW_MS]}, "wout") == set()
    assert feeding(with_links("w0", "w1"), {"e0": [NOW_MS], "s1": [NOW_MS]}, "wout") == {NSL}


@pytest.mark.parametrize("stage", [NS, EW])
def test_it_is_not_chosen_and_the_present_one_is_left(stage: int) -> None:
    one = with_links("w1")
    arrivals_ms = {"e0": [NOW_MS - 20_000], "n0": [NOW_MS - 1_000]}
    model = HorizonModel(one, one.nodes[0], transition_table(one, one.nodes[0]), SETTINGS)
    free, shut = (
        model.problem(Scene(one, stage=stage, now_ms=NOW_MS, arrivals_ms=arrivals_ms, shut_exits=x).snapshot()) for x in (frozenset(), frozenset({"wout"}))
    )
    assert free.allowed[NS, EW] == 1
    assert free.service_milli[EW].any()
    assert not shut.allowed[:, EW].any()
    assert not shut.service_milli[EW].any(), "staying would serve nobody"
    assert shut.allowed[EW, NS] == 1
    assert shut.service_milli[NS].any()
