"""The programme is shown exactly, for ever, from wherever control comes."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from support_control import STAGES, Play, Road, Scene, Watch, junction

from controller.fixed import FixedPlanner

pytestmark = pytest.mark.quick

PROGRAMME = [("NS", 20_000), ("NSL", 8_000), ("EW", 15_000), ("EWL", 6_000)]
CYCLE_MS = 49_000 + 3 * 5_000  # EW to EWL starts nobody, so it needs no intergreen


def planner() -> FixedPlanner:
    return FixedPlanner(junction().nodes[0])


@pytest.mark.parametrize("tick_ms", [500, 1_000])
def test_stages_and_greens_are_those_of_the_programme(tick_ms: int) -> None:
    stood = Play(planner(), Watch(tick_ms=tick_ms)).run(300_000)
    assert [(s.stage, s.green_ms) for s in stood[:12]] == PROGRAMME * 3


def test_the_cycle_never_drifts() -> None:
    stood = Play(planner(), Watch(tick_ms=1_000)).run(900_000)
    begins = [s.from_ms for s in stood if s.stage == "NS"]
    assert {b - a for a, b in itertools.pairwise(begins)} == {CYCLE_MS}


def test_traffic_does_not_matter() -> None:
    busy = Watch(events=Road(tuple(range(1_000, 200_000, 3_000))).events("e0"), tick_ms=1_000)
    assert Play(planner(), busy).run(250_000) == Play(planner(), Watch(tick_ms=1_000)).run(250_000)


def test_it_takes_over_with_its_own_first_stage() -> None:
    """As a fallback it begins while another stage stands."""
    one = planner()
    one.submit(Scene(stage=STAGES.index("EW")).snapshot())
    plan = one.poll()
    assert plan is not None
    assert [s.stage for s in plan.steps] == [STAGES.index("NS")]
    assert "NS" in plan.reason or "programme" in plan.reason


def test_a_plan_is_handed_out_once() -> None:
    one = planner()
    one.submit(Scene().snapshot())
    assert one.poll() is not None
    assert one.poll() is None


def test_without_a_programme_every_stage_has_its_turn() -> None:
    node = replace(junction().nodes[0], programmes=())
    stood = Play(FixedPlanner(node), Watch(tick_ms=1_000)).run(200_000)
    assert [s.stage for s in stood[:8]] == [*STAGES, *STAGES]
    assert len({s.green_ms for s in stood[:8]}) == 1
