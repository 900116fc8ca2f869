"""Whatever the plans and ticks, what the sequencer shows passes the interlock."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support_safety_junctions import random_junction

from controller.junction import Junction
from controller.plan import Plan, PlanStep
from controller.sequencer import Sequencer
from hardware.fake import FakeHeads
from hardware.interlock import Interlock, Phase
from hardware.signals import Aspect, Frame

Step = tuple[int, int | None, int]  # stage, until when from now, and how long to clear on the way there
TICKS_MS = (10, 100, 250, 333, 1000, 1700)


def drive(junction: Junction, ticks: list[tuple[int, list[Step]]], first: Aspect) -> tuple[Interlock, FakeHeads]:
    spec = junction.site_spec()
    heads = FakeHeads(spec, first=first)
    interlock = Interlock(heads, spec, now_ms=0)
    sequencer = Sequencer(junction, junction.nodes[0], 0)
    now_ms = 0
    count = len(junction.nodes[0].stages)
    earliest_ms: dict[str, int] = {}  # what planners were told, once the first green has been shown
    for tick_ms, steps in ticks:
        if steps:
            plan = tuple(PlanStep(stage % count, None if after_ms is None else now_ms + after_ms, clear_ms) for stage, after_ms, clear_ms in steps)
            sequencer.adopt(Plan("drawn", now_ms, plan))
        aspects = sequencer.step(now_ms)
        interlock.show(Frame(now_ms, tuple(aspects.values())), now_ms)
        state = sequencer.state(now_ms)
        for group in {g for g, aspect in aspects.items() if aspect is Aspect.GREEN}:
            assert earliest_ms.pop(group, 0) <= now_ms
        if Aspect.GREEN in aspects.values() or earliest_ms:
            earliest_ms |= {g: max(ms, earliest_ms.get(g, 0)) for g, ms in state.earliest_green_ms.items()}
        assert state.earliest_leave_ms >= now_ms or not sequencer.running
        now_ms += tick_ms
    return interlock, heads


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    junction=random_junction(),
    tick_ms=st.sampled_from((None, *TICKS_MS)),
    moves=st.lists(
        st.tuples(
            st.sampled_from(TICKS_MS),
            st.lists(st.tuples(st.integers(0, 3), st.sampled_from((None, -500, 0, 1000, 7000)), st.sampled_from((0, 0, 1500, 4000, 13_000))), max_size=3),
        ),
        min_size=20,
        max_size=80,
    ),
    first=st.sampled_from((Aspect.RED, Aspect.GREEN, Aspect.DARK)),
)
def test_no_plan_and_no_tick_length_is_refused(junction: Junction, tick_ms: int | None, moves: list[tuple[int, list[Step]]], first: Aspect) -> None:
    ticks = [(tick_ms or own_ms, steps) for own_ms, steps in moves]
    interlock, _ = drive(junction, ticks, first)
    assert interlock.refusals == 0


@pytest.mark.parametrize("tick_ms", TICKS_MS)
def test_a_plan_is_followed_to_green(tick_ms: int) -> None:
    from support_safety_junctions import crossing

    ticks = [(tick_ms, [(0, None, 0)])] * (40_000 // tick_ms)
    interlock, heads = drive(crossing(), ticks, Aspect.GREEN)
    assert interlock.phase is Phase.RUN
    assert heads.history[-1].aspects == (Aspect.GREEN, Aspect.RED, Aspect.GREEN)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    junction=random_junction(),
    tick_ms=st.sampled_from((100, 1000, 1700)),
    wishes=st.lists(st.tuples(st.integers(0, 3), st.sampled_from((0, 5_500))), min_size=1, max_size=4),
)
def test_every_stage_that_is_wanted_is_reached(junction: Junction, tick_ms: int, wishes: list[tuple[int, int]]) -> None:
    """Within two minutes of each wish: no wait is for ever."""
    spec, node = junction.site_spec(), junction.nodes[0]
    interlock = Interlock(FakeHeads(spec), spec, now_ms=0)
    sequencer = Sequencer(junction, node, 0)
    now_ms = 0
    for wish, clear_ms in wishes:
        stage = wish % len(node.stages)
        sequencer.adopt(Plan("drawn", now_ms, (PlanStep(stage, None, clear_ms),)))
        for _ in range(120_000 // tick_ms):
            aspects = sequencer.step(now_ms)
            interlock.show(Frame(now_ms, tuple(aspects.values())), now_ms)
            now_ms += tick_ms
            if sequencer.state(now_ms).stage == stage and {g for g, a in aspects.items() if a is Aspect.GREEN} == set(node.stages[stage].green):
                break
        else:
            raise AssertionError(f"{node.stages[stage]} was not reached")
