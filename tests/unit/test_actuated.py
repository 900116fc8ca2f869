"""Actuated control stage by stage: minimum and maximum green, gaps, skips, rest, dead lanes, untrusted loops."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace

import pytest
from support_control import LOOP_M, MIN_GREEN_MS, STAGES, Play, Stands, Watch, cover, drive, junction

from controller.actuated import ActuatedPlanner, ActuatedSettings
from hardware.ports import InputEvent, InputKind

pytestmark = pytest.mark.quick

SETTINGS = ActuatedSettings()
END_MS = 200_000
WAIT_MS = 20_000  # when a rival comes: the first stage has stood for some seconds
STOP_LOOPS = ("n0/1", "s0/1", "n1/1", "s1/1", "e0/1", "e1/1", "w0/1", "w1/1")


def play(*parts: Iterable[InputEvent], tick_ms: int = 500, settings: ActuatedSettings = SETTINGS) -> Play:
    one = junction()
    return Play(ActuatedPlanner(one, one.nodes[0], settings), Watch(events=[e for p in parts for e in p], tick_ms=tick_ms))


def stream(loop: str, from_ms: int, to_ms: int, headway_ms: int = 1_500) -> list[InputEvent]:
    """Return vehicles that follow each other over a loop."""
    return [e for t in range(from_ms, to_ms, headway_ms) for e in drive(loop, t)]


def waits(loop: str, from_ms: int, to_ms: int = END_MS) -> list[InputEvent]:
    return cover(loop, from_ms, to_ms)


def names(stood: list[Stands]) -> list[str]:
    return [s.stage for s in stood]


def test_it_rests_in_green_while_nobody_else_calls() -> None:
    (only,) = play().run(END_MS)
    assert only.green_ms > 150_000
    (only,) = play(stream("n0/1", 0, 100_000)).run(END_MS)
    assert only.stage == "NS"


def test_uncalled_stages_are_skipped() -> None:
    stood = play(waits("e0/1", WAIT_MS, 60_000)).run(60_000)
    assert names(stood) == ["NS", "EW"]


def test_called_stages_come_in_the_programme_s_order() -> None:
    calls = [waits(loop, WAIT_MS, 70_000 + k) for k, loop in enumerate(("e0/1", "n1/1"))]
    stood = play(*calls, settings=replace(SETTINGS, dead_lane_ms=4_000)).run(70_000)
    assert names(stood)[:3] == ["NS", "NSL", "EW"]


def test_minimum_green_is_given_though_the_queue_is_gone() -> None:
    stood = play(*(waits(x, 1_000) for x in ("e0/1", "n0/1"))).run(END_MS)
    assert len(stood) > 3
    assert all(s.green_ms >= MIN_GREEN_MS for s in stood[:-1])


def test_a_gap_ends_the_green() -> None:
    last_ms = 50_000
    one = play(stream("n0/1", 5_000, last_ms), waits("e0/1", WAIT_MS))
    first = one.run(END_MS)[0]
    assert last_ms - 1_500 <= first.to_ms <= last_ms + SETTINGS.stop_gap_ms + 1_500
    assert one.plans[1].detail["ended"] == "gap_out"


def test_a_lane_that_has_had_its_queue_s_end_does_not_hold_up_the_others_again() -> None:
    """Lanes side by side are never all quiet at once in dense traffic: each ends by itself."""
    last_ms = 50_000
    one = play(stream("n0/1", 5_000, 30_000), stream("n0/1", 36_000, END_MS), stream("s0/1", 5_000, last_ms), waits("e0/1", WAIT_MS))
    first = one.run(END_MS)[0]
    assert last_ms - 1_500 <= first.to_ms <= last_ms + SETTINGS.stop_gap_ms + 1_500
    assert one.plans[1].detail["ended"] == "gap_out"


def test_traffic_on_a_lane_that_is_red_extends_nothing() -> None:
    one = play(stream("e0/1", WAIT_MS, END_MS, 1_200))
    first = one.run(60_000)[0]
    assert (first.stage, first.to_ms) == ("NS", pytest.approx(WAIT_MS, abs=1_500))


def test_a_vehicle_on_its_way_from_the_advance_loop_extends() -> None:
    """The way from 45 m takes 3.6 s; the green must still be there when it arrives."""
    passes = list(range(5_000, 45_000, 3_000))
    one = play(*(drive("n0/45", t) for t in passes), waits("e0/1", WAIT_MS))
    assert one.run(END_MS)[0].to_ms >= passes[-1] + 1000 * (45.0 + LOOP_M) / 12.5


def test_a_far_loop_extends_nothing() -> None:
    one = play(*(drive("n0/120", t) for t in range(5_000, 100_000, 1_500)), waits("e0/1", WAIT_MS))
    assert one.run(END_MS)[0].to_ms <= WAIT_MS + 3_000


def test_maximum_green_counts_from_the_rival_s_call() -> None:
    one = play(stream("n0/1", 5_000, END_MS), waits("e0/1", WAIT_MS))
    first = one.run(END_MS)[0]
    assert first.to_ms == pytest.approx(WAIT_MS + 1000 * SETTINGS.max_green_s, abs=1_500)
    assert one.plans[1].detail["ended"] == "max_out"
    assert "maximum" in one.plans[1].reason


def test_a_group_s_own_maximum_green_wins() -> None:
    one = junction()
    one = replace(one, groups=tuple(replace(g, max_green_ms=15_000) if g.id == "NS" else g for g in one.groups))
    watch = Watch(junction=one, events=[*stream("n0/1", 5_000, END_MS), *waits("e0/1", WAIT_MS)])
    first = Play(ActuatedPlanner(one, one.nodes[0]), watch).run(END_MS)[0]
    assert first.to_ms == pytest.approx(WAIT_MS + 15_000, abs=1_500)


def test_no_rival_waits_longer_than_all_the_maximum_greens() -> None:
    """Everybody comes all the time: every stage gets its turn in every round."""
    one = play(*(stream(x, 1_000 + 40 * k, 600_000, 1_800) for k, x in enumerate(STOP_LOOPS)), tick_ms=1_000)
    stood = one.run(600_000)
    for stage in ("NS", "NSL", "EW"):
        turns = [s for s in stood if s.stage == stage]
        waited = [b.from_ms - a.to_ms for a, b in itertools.pairwise(turns)]
        assert len(turns) >= 2
        assert max(waited) <= 3 * 1000 * SETTINGS.max_green_s + 4 * 8_000


def test_a_dead_lane_does_not_extend() -> None:
    """A broken-down vehicle stands on the stop loop of the green lane."""
    one = play(waits("n0/1", 5_000), waits("e0/1", WAIT_MS))
    first = one.run(END_MS)[0]
    assert first.to_ms <= max(WAIT_MS, 5_000 + SETTINGS.dead_lane_ms) + 10_000
    assert first.to_ms < WAIT_MS + 1000 * SETTINGS.max_green_s / 2


def test_a_dead_lane_does_not_starve_the_others() -> None:
    one = play(waits("e0/1", WAIT_MS, 300_000), stream("n0/1", 5_000, 300_000))
    assert len([s for s in one.run(300_000) if s.stage == "NS"]) >= 3


def fault(loop: str) -> InputEvent:
    return InputEvent(1_000, InputKind.DETECTOR_FAULT, loop, 1)


def test_an_untrusted_loop_recalls_its_lane() -> None:
    """Without its loop, nobody can say that the lane is empty: it is served in every round."""
    stood = play([fault("e0/1")], waits("n1/1", WAIT_MS, END_MS)).run(END_MS)
    assert names(stood).count("EW") >= 2


def test_an_untrusted_loop_does_not_hold_the_green() -> None:
    one = play([fault("n0/1")], stream("n0/1", 5_000, END_MS), waits("e0/1", WAIT_MS))
    assert one.run(END_MS)[0].to_ms <= WAIT_MS + 10_000


def test_a_short_visit_on_red_is_remembered_until_served() -> None:
    """A vehicle passes the 45 m loop and stops short of the stop loop."""
    stood = play(drive("e0/45", WAIT_MS)).run(100_000)
    assert names(stood)[:2] == ["NS", "EW"]


def test_a_call_is_answered_once() -> None:
    """Served and gone: the node rests where it is and does not go round."""
    one = play(cover("e0/1", WAIT_MS, 40_000))
    assert names(one.run(END_MS)) == ["NS", "EW"]


def test_every_plan_says_why() -> None:
    one = play(*(stream(x, 1_000 + 40 * k, 200_000, 3_800) for k, x in enumerate(STOP_LOOPS)))
    one.run(200_000)
    assert len(one.plans) > 3
    for plan in one.plans:
        (step,) = plan.steps
        assert STAGES[step.stage] in plan.reason
        assert plan.planner == "actuated"
