"""A node's deciding: the mode's planner, its failure and fallback in the same tick, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from support_control import NEVER_MS, Scene, junction

from controller.actuated import ActuatedPlanner
from controller.decide import NodeControl
from controller.fixed import FixedPlanner
from controller.journal import Journal
from controller.journal_reader import JournalReader
from controller.plan import Plan, PlanStep
from controller.planner import Mailbox, Planner
from controller.sequencer import Sequencer
from controller.snapshot import Snapshot
from controller.supervisor import HOLD_DOWN_MS, Mode, Supervisor

pytestmark = pytest.mark.quick

ONE = junction()
NODE = ONE.nodes[0]
NS, NSL, EW, EWL = range(4)


class Scripted(Mailbox):
    """A planner that wants a stage, or fails."""

    def __init__(self, stage: int | None = EW, error: Exception | None = None, name: str = "adaptive") -> None:
        self.name, self.stage, self.error = name, stage, error
        self.asked = 0

    def submit(self, snapshot: Snapshot) -> None:
        self.asked += 1
        if self.error is not None:
            raise self.error
        if self.stage is not None:
            self._plan = Plan(self.name, snapshot.now_ms, (PlanStep(self.stage, None),), "scripted")
        self.last_digest = b"\x01\x02"


def control(best: Planner, mode: Mode = Mode.ADAPTIVE, **others: Planner) -> NodeControl:
    planners: Mapping[Mode, Planner] = {
        Mode.ACTUATED: others.get("actuated") or ActuatedPlanner(ONE, NODE),
        Mode.FIXED: others.get("fixed") or FixedPlanner(NODE),
        mode: best,
    }
    return NodeControl(ONE.id, NODE.id, Sequencer(ONE, NODE, 0), Supervisor(mode), planners)


def snapshot(one: NodeControl, now_ms: int, tick: int = 0) -> Snapshot:
    base = Scene(now_ms=now_ms).snapshot()
    return Snapshot(tick, now_ms, one.state(now_ms), base.detectors, base.lanes, base.blocked_exits)


def run(one: NodeControl, from_ms: int, to_ms: int, journal: Journal | None = None) -> None:
    for now_ms in range(from_ms, to_ms + 1, 1_000):
        one.decide(snapshot(one, now_ms, now_ms // 1000), journal)
        one.sequencer.step(now_ms)


def test_the_mode_s_planner_decides() -> None:
    best = Scripted(EW)
    one = control(best)
    run(one, 0, 30_000)
    assert one.state(30_000).stage == EW
    assert best.asked == 31
    assert one.mode_changes == []


@pytest.mark.parametrize("error", [ValueError("bad arrays"), ZeroDivisionError("no flow"), KeyError("e0"), TypeError("None")])
@pytest.mark.parametrize("mode", [Mode.ADAPTIVE, Mode.CYCLE])
def test_a_planner_that_raises_is_replaced_in_the_same_tick(mode: Mode, error: Exception) -> None:
    stand_in = Scripted(NSL, name="actuated")
    one = control(Scripted(error=error), mode, actuated=stand_in)
    one.decide(snapshot(one, 1_000), None)
    assert stand_in.asked == 1
    (change,) = one.mode_changes
    assert (change.before, change.after, change.at_ms) == (mode, Mode.ACTUATED, 1_000)
    assert str(error) in change.why
    run(one, 2_000, 20_000)
    assert one.state(20_000).stage == NSL


def test_a_plan_that_cannot_be_followed_is_a_failure_too() -> None:
    stand_in = Scripted(NSL, name="actuated")
    one = control(Scripted(stage=17), actuated=stand_in)
    one.decide(snapshot(one, 1_000), None)
    assert [c.after for c in one.mode_changes] == [Mode.ACTUATED]
    assert "17" in one.mode_changes[0].why
    assert stand_in.asked == 1


def test_it_is_tried_again_after_the_hold_down() -> None:
    best = Scripted(EW, ValueError("once"))
    one = control(best)
    one.decide(snapshot(one, 1_000), None)
    best.error = None
    run(one, 2_000, 1_000 + HOLD_DOWN_MS - 1_000)
    assert best.asked == 1, "not before"
    run(one, 1_000 + HOLD_DOWN_MS, 2_000 + HOLD_DOWN_MS)
    assert best.asked > 1
    assert [c.after for c in one.mode_changes] == [Mode.ACTUATED, Mode.ADAPTIVE]


def test_one_that_fails_for_ever_is_tried_once_a_hold_down() -> None:
    best = Scripted(error=ValueError("always"))
    one = control(best)
    run(one, 0, 10 * HOLD_DOWN_MS)
    assert 2 <= best.asked <= 12
    assert one.mode_changes[-1].after is Mode.ACTUATED


def test_when_the_fallback_fails_too_the_programme_runs() -> None:
    one = control(Scripted(error=ValueError("a")), actuated=Scripted(error=ValueError("b"), name="actuated"))
    run(one, 0, 40_000)
    assert [c.after for c in one.mode_changes] == [Mode.ACTUATED, Mode.FIXED]
    assert one.mode_changes[0].at_ms == one.mode_changes[1].at_ms
    assert one.state(40_000).stage == NSL, "20 s of NS are over"


def test_the_programme_s_own_failure_is_told() -> None:
    one = control(Scripted(error=ValueError("a")), actuated=Scripted(error=ValueError("b")), fixed=Scripted(error=ValueError("the last one")))
    with pytest.raises(ValueError, match="the last one"):
        one.decide(snapshot(one, 1_000), None)


def test_the_failed_planner_s_plan_is_no_longer_followed() -> None:
    """Its last plan had a second step; whoever takes over keeps the stage and decides anew."""

    class TwoSteps(Scripted):
        def submit(self, snapshot: Snapshot) -> None:
            super().submit(snapshot)
            self._plan = Plan("adaptive", snapshot.now_ms, (PlanStep(NS, 40_000), PlanStep(EW, None)), "two steps")

    best = TwoSteps()
    one = control(best, actuated=Scripted(stage=None, name="actuated"))
    run(one, 0, 20_000)
    best.error = ValueError("gone")
    run(one, 21_000, 60_000)
    assert one.state(60_000).stage == NS


def test_without_a_new_plan_the_old_one_stays() -> None:
    best = Scripted(EW)
    one = control(best)
    run(one, 0, 20_000)
    best.stage = None
    run(one, 21_000, 60_000)
    assert one.state(60_000).stage == EW


def test_plans_digests_and_mode_changes_are_journalled(tmp_path: Path) -> None:
    best = Scripted(EW)
    one = control(best, actuated=Scripted(NSL, name="actuated"))
    with Journal.create(tmp_path / "journal.sqlite", {"scenario": "test"}) as journal:
        journal.junction(ONE, "adaptive", 0)
        run(one, 0, 5_000, journal)
        best.error = ValueError("bad arrays")
        run(one, 6_000, 6_000, journal)
    with JournalReader(tmp_path) as reader:
        plans, digests, (mode,) = list(reader.plans()), list(reader.snapshots()), list(reader.modes())
    assert [(p.tick, p.now_ms, p.plan.planner) for p in plans] == [*((k, 1_000 * k, "adaptive") for k in range(6)), (6, 6_000, "actuated")]
    assert plans[0].plan.steps == (PlanStep(EW, None),)
    assert {(p.junction_id, p.node_id) for p in plans} == {(ONE.id, NODE.id)}
    assert {d.digest for d in digests} == {b"\x01\x02"}
    assert (mode.tick, mode.mode, mode.event) == (6, "actuated", "optimizer_lost")
    assert "bad arrays" in mode.reason


def test_the_solver_s_time_counts_where_one_ran() -> None:
    best = Scripted(EW)
    one = control(best)
    one.decide(snapshot(one, 0), None)
    assert one.solve_ms.solves == 0
    best.last_solve_ms = 1.5
    one.decide(snapshot(one, 1_000), None)
    assert (one.solve_ms.solves, one.solve_ms.max_ms) == (1, 1.5)


def test_beliefs_may_be_empty() -> None:
    """The stand-in needs no estimate: nothing known, nothing believed."""
    one = control(Scripted(error=LookupError("no belief")))
    run(one, 0, 30_000)
    assert NEVER_MS < one.state(30_000).settled_ms <= 30_000
