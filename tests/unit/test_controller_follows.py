"""A controller that owns its aspects, driven by the same loop as signal heads: it follows the plan, keeps its own times, and is let go in order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import support_two_nodes
from support_controlled import STAGES, Controlled
from support_virtual import dual_ring

from controller.cabinet.controller_heads import AlarmTeller, follow
from controller.cabinet.controller_view import ControllerView
from controller.cabinet.follower import Follower
from controller.cabinet.guard import Guard
from controller.cabinet.operated import Wish
from controller.cabinet.wishes import Limited
from controller.clock import ManualClock
from controller.errors import PlanError
from controller.journal import Journal
from controller.journal_reader import JournalReader
from controller.journal_schema import COMMAND, FILE_NAME
from controller.plan import OFF, Plan, PlanStep
from controller.supervisor import Mode
from hardware.fake import FakeController
from hardware.many_inputs import ManyInputs, Source
from hardware.ntcip.transport import InProcess
from hardware.ports import Actuation, CommandKind, ControllerCommand, PortError
from hardware.signals import Aspect, GroupKind
from hardware.virtual.controller import VirtualController

PHASE_CONTROL, CALLS, SPLITS = Actuation.PHASE_CONTROL, Actuation.CALLS, Actuation.SPLITS
CORES = {frozenset(g for g in green if g[0] == "p") for green in STAGES.values()}


def masks(one: Controlled) -> list[object]:
    names = ("PhaseOmit", "PedOmit", "Hold", "ForceOff", "VehCall", "PedCall")
    return [one.controller.get(one.driver._session._table.oid(f"phaseControlGroup{n}", 1)) for n in names]


@pytest.mark.parametrize(
    ("control", "actuation", "own_loops"),
    [("actuated", PHASE_CONTROL, False), ("programme", PHASE_CONTROL, True), ("actuated", CALLS, False), ("cycle", SPLITS, True)],
)
def test_the_same_loop_drives_it(control: str, actuation: Actuation, own_loops: bool) -> None:
    one = Controlled(control, actuation, own_loops=own_loops)
    one.run(400)
    assert one.checker.unsafe_frames == 0
    assert one.heads.refusals == 0
    assert not one.alarms
    assert one.street.passed > 150
    assert {green for _, green in one.greens} >= CORES, "every stage was served"


def test_the_plan_is_what_is_shown() -> None:
    """The programme's greens, to the second, though the controller's own loops call otherwise."""
    one = Controlled("programme", PHASE_CONTROL, own_loops=True)
    one.run(300)
    lengths = {}
    for (at_ms, green), (end_ms, _) in zip(one.greens[2:], one.greens[3:], strict=False):
        lengths.setdefault(green, []).append((end_ms - at_ms) / 1000)
    assert set(lengths) == CORES
    for green, seconds in lengths.items():
        planned_s = 10 if green & {"p1", "p3"} else 20
        assert all(planned_s + 4 <= s <= planned_s + 8 for s in seconds), "green, then 5 s of clearance and at most 3 s of plans and polls"


def test_splits_are_what_the_controller_runs() -> None:
    one = Controlled("programme", SPLITS, own_loops=True)
    one.run(300)
    pattern = one.controller.pattern
    assert pattern is not None
    splits_s = {p: s.split_ms / 1000 for p, s in pattern.splits.items()}
    assert splits_s == {1: 15, 5: 15, 2: 33, 6: 33, 3: 15, 7: 15, 4: 33, 8: 33}, "10 or 20 s of green, 5 s to clear vehicles, 13 s to clear walks"
    assert one.controller.get(one.driver._session._table.oid("coordPatternStatus")) == 47


def test_a_planner_that_shares_out_no_cycle_gives_the_controller_back() -> None:
    one = Controlled("actuated", SPLITS, own_loops=True)
    one.run(60)
    assert one.controller.pattern is None
    assert one.controller.get(one.driver._session._table.oid("systemPatternControl")) == 0
    assert one.heads.refusals == 0


@pytest.mark.parametrize(
    ("control", "actuation"),
    [("programme", PHASE_CONTROL), ("actuated", PHASE_CONTROL), ("programme", CALLS), ("actuated", CALLS), ("programme", SPLITS), ("cycle", SPLITS)],
)
def test_one_controller_serves_several_nodes(control: str, actuation: Actuation) -> None:
    one = support_two_nodes.controlled(control, actuation)
    one.run(400)
    assert one.checker.unsafe_frames == 0
    assert one.heads.refusals == 0
    assert not one.alarms
    served = {g for _, green in one.greens for g in green}
    assert served == set(support_two_nodes.PHASES), "every stage of both nodes"
    assert len({green for _, green in one.greens if len(green) == 2}) > 4, "each node for itself: more pairs than one ring has phases"
    if actuation is SPLITS:
        assert one.controller.pattern is not None
        splits_ms = {p: s.split_ms for p, s in one.controller.pattern.splits.items()}
        assert len({sum(splits_ms[p] for p in phases) for phases in support_two_nodes.NODES.values()}) == 1, "one cycle for both"


@pytest.mark.parametrize("actuation", [PHASE_CONTROL, SPLITS])
def test_when_we_die_it_runs_its_own_plan_within_its_deadman(actuation: Actuation) -> None:
    one = Controlled("programme", actuation, setup=dual_ring(backup_s=10, local_pattern=1), own_loops=True)
    one.run(100)
    assert one.controller.system_control
    one.run(10.2, blind=True)
    assert one.controller.backup
    assert masks(one) == [0] * 6
    one.run(200, blind=True)
    assert one.controller.pattern is not None
    assert one.controller.pattern.number == 1
    assert one.checker.unsafe_frames == 0


def test_calls_stay_when_we_die() -> None:
    """The virtual detectors are no system control parameters: nothing takes them back. The controller goes on serving them, by its own times."""
    one = Controlled("programme", CALLS)
    one.run(100)
    told = one.controller._told
    assert told
    one.run(100, blind=True)
    assert one.controller._told == told
    assert one.checker.unsafe_frames == 0


@pytest.mark.parametrize("actuation", list(Actuation))
def test_the_exit_leaves_nothing_in_force(actuation: Actuation) -> None:
    one = Controlled("programme", actuation, own_loops=True)
    one.run(60)
    one.driver.close()
    assert masks(one) == [0] * 6
    assert not one.controller._told
    assert not one.controller.system_control


@pytest.mark.parametrize("actuation", list(Actuation))
def test_a_plan_to_let_go_releases_it(actuation: Actuation) -> None:
    one = Controlled("programme", actuation, own_loops=True)
    one.run(60)
    one.control.nodes[0].sequencer.adopt(Plan("off", one.now_ms, (PlanStep(OFF, None),)))
    one.heads.show(None, one.now_ms)  # type: ignore[arg-type]
    assert one.control.nodes[0].sequencer.off
    assert not one.controller.system_control
    assert not one.controller._told


def test_a_preempt_is_followed_and_nothing_asked_meanwhile() -> None:
    one = Controlled("programme", PHASE_CONTROL, hold_down_s=10)
    one.run(60)
    one.controller.preempt(1)
    one.run(60)
    assert masks(one) == [0] * 6
    assert one.controller.rings.green == {4, 7}
    shown = dict(zip([g.id for g in one.junction.groups], one.heads.aspects, strict=True))
    assert [g for g, a in shown.items() if a is Aspect.GREEN] == ["p4", "p7"]
    one.controller.preempt(0)
    one.run(120)
    assert one.heads.refusals == 0
    assert one.checker.unsafe_frames == 0
    assert masks(one) != [0] * 6


def test_a_lost_link_is_an_error_of_the_signals_and_is_outlived() -> None:
    one = Controlled("programme", PHASE_CONTROL, hold_down_s=5)
    one.run(60)
    transport = one.driver._transport
    assert isinstance(transport, InProcess)
    transport.mute = True
    one.run(1.9)
    with pytest.raises(PortError, match="no answer"):
        one.run(5)
    transport.mute = False
    for _ in range(30):
        try:
            one.run(1)
        except PortError:
            continue
    one.run(60)
    assert masks(one) != [0] * 6
    assert one.heads.refusals == 0
    assert one.checker.unsafe_frames == 0


def test_holds_and_omits_end_before_anybody_is_forgotten() -> None:
    limited = Limited(90_000, 20_000)
    asked = [limited.allow({"a"}, now_ms) for now_ms in range(0, 250_000, 1_000)]
    assert [len(groups) for groups in asked] == ([1] * 90 + [0] * 20) * 2 + [1] * 30
    assert limited.allow({"b"}, 250_000) == {"b"}
    assert limited.allow({"a"}, 251_000) == {"a"}, "begun anew"


def test_a_long_green_is_held_without_a_refusal() -> None:
    one = Controlled("programme", PHASE_CONTROL)
    stay = Plan("stay", 0, (PlanStep(1, None),))
    for _ in range(300):
        one.run(1, blind=True)
        one.heads._followers[0].adopt(stay)
        one.heads._followers[0].step(one.now_ms)
        one.heads.show(None, one.now_ms)  # type: ignore[arg-type]
    assert one.heads.refusals == 0
    assert one.greens[-1][1] == {"p2", "p6"}


def test_force_offs_come_only_after_the_minimum_and_each_green_gets_its_own() -> None:
    one = Controlled("programme", PHASE_CONTROL)
    asked: list[tuple[int, tuple[str, ...]]] = []
    request = one.driver.request

    def spy(command: object, now_ms: int) -> None:
        if command.kind is CommandKind.FORCE_OFF and command.groups:  # type: ignore[attr-defined]
            asked.append((now_ms, command.groups))  # type: ignore[attr-defined]
        request(command, now_ms)  # type: ignore[arg-type]

    one.driver.request = spy  # type: ignore[method-assign]
    one.run(200)
    assert len({groups for _, groups in asked}) >= 4
    assert one.heads.refusals == 0


def test_what_cannot_be_read_back_is_dark() -> None:
    spec = Controlled("programme", PHASE_CONTROL).junction.site_spec()
    port = FakeController(spec)
    port.aspects = None
    view = ControllerView(tuple(g.id for g in spec.groups), port, 0)
    view.look(100)
    assert set(view.aspects.values()) == {Aspect.DARK}


def test_a_plan_that_names_no_stage_is_refused() -> None:
    follower = Controlled("programme", PHASE_CONTROL).heads._followers[0]
    for steps in ((), (PlanStep(9, None),)):
        with pytest.raises(PlanError, match="expected at least one step with stages 0 to"):
            follower.adopt(Plan("p", 0, steps))


def test_a_stage_that_stands_at_the_start_is_seen() -> None:
    controller = VirtualController(dual_ring(), warm=True)
    controller.advance(20_000)
    one = Controlled("programme", PHASE_CONTROL)
    one.run(3, blind=True)
    state = one.heads._followers[0].state(one.now_ms)
    assert (state.stage, state.settled_ms <= one.now_ms) == (1, True)
    assert state.green_since_ms["p2"] is not None
    assert state.red_since_ms["p4"] is not None
    assert state.earliest_green_ms["p4"] >= one.now_ms + 5_000


class TestGuard:
    """The cabinet's guard, unchanged, with a controller in place of heads."""

    def guard(self, actuation: Actuation, mode: Mode = Mode.FIXED, one: Controlled | None = None) -> tuple[Controlled, Guard, ManualClock]:
        one, clock = one or Controlled("programme", actuation, own_loops=True), ManualClock()
        heads, factory = follow(one.junction, one.driver, 0)
        inputs = ManyInputs([Source("street", lambda: one, ()), Source("signals", lambda: one.driver, ())])
        return one, Guard(one.junction, mode, inputs, heads, clock=clock, refuge=Mode.RELEASE, sequencer=factory), clock

    def run(self, one: Controlled, guard: Guard, clock: ManualClock, duration_s: float) -> None:
        for _ in range(round(10 * duration_s)):
            one.run(0.1, blind=True)
            clock.wait_until(one.now_ms)
            if not guard.stopped:
                guard.tick()

    @pytest.mark.parametrize("actuation", list(Actuation))
    def test_it_drives_releases_on_a_wish_and_leaves_in_order(self, actuation: Actuation) -> None:
        one, guard, clock = self.guard(actuation)
        self.run(one, guard, clock, 60)
        driven = one.controller.system_control or bool(one.controller._told)
        assert driven
        assert guard.status().signals == "remote"
        until_ms = one.now_ms + 20_000
        guard.override(Wish(Mode.RELEASE, until_ms, clock.utc(), "test", "to look at it"), one.now_ms)
        self.run(one, guard, clock, 5)
        assert not one.controller.system_control
        assert not one.controller._told
        self.run(one, guard, clock, 60)
        assert one.controller.system_control or one.controller._told, "driven again after the override"
        guard.stop("the test is over")
        self.run(one, guard, clock, 5)
        assert guard.stopped
        assert not one.controller.system_control
        assert not one.controller._told
        assert guard.signals.refusals == 0
        assert one.checker.unsafe_frames == 0

    @pytest.mark.parametrize("actuation", list(Actuation))
    def test_it_drives_several_nodes_and_lets_them_go_together(self, actuation: Actuation) -> None:
        one, guard, clock = self.guard(actuation, one=support_two_nodes.controlled("programme", actuation))
        self.run(one, guard, clock, 60)
        assert one.controller.driven
        status = guard.status()
        assert [(node.id, node.mode) for node in status.nodes] == [("west", "fixed"), ("east", "fixed")]
        guard.override(Wish(Mode.RELEASE, one.now_ms + 20_000, clock.utc(), "test", "to look at it"), one.now_ms)
        self.run(one, guard, clock, 5)
        assert not one.controller.driven
        self.run(one, guard, clock, 60)
        assert one.controller.driven, "driven again after the override"
        guard.stop("the test is over")
        self.run(one, guard, clock, 5)
        assert guard.stopped
        assert not one.controller.driven
        assert [text for _, kind, text in guard.events if kind == "error"] == []
        assert guard.signals.refusals == 0
        assert one.checker.unsafe_frames == 0

    @pytest.mark.parametrize("actuation", list(Actuation))
    def test_it_flashes_on_a_wish_and_is_driven_again(self, actuation: Actuation) -> None:
        one, guard, clock = self.guard(actuation)
        guard.after_tick.append(AlarmTeller(one.driver, guard.tell))
        self.run(one, guard, clock, 60)
        guard.override(Wish(Mode.FLASH, one.now_ms + 90_000, clock.utc(), "test", "lamps are changed"), one.now_ms)
        self.run(one, guard, clock, 80)
        lamps = one.controller.lamps()
        assert {lamps[g] for g in lamps if g[0] == "p"} == {Aspect.FLASHING_AMBER}
        seen = guard.status().aspects
        kinds = {group.id: group.kind for group in guard.control.junction.groups}
        assert {seen[g] for g in seen if kinds[g] is not GroupKind.PEDESTRIAN} == {"flashing_amber"}
        assert {seen[g] for g in seen if kinds[g] is GroupKind.PEDESTRIAN} <= {"dark"}
        assert not one.controller._told
        node = guard.status().nodes[0]
        assert (node.mode, node.stage, node.plan_reason) == ("flash", "off", "the controller is asked to flash")
        self.run(one, guard, clock, 80)
        assert one.controller.driven, "driven again after the override"
        assert one.greens[-1][0] > one.now_ms - 70_000, "green again"
        guard.override(Wish(Mode.FLASH, one.now_ms + 90_000, clock.utc(), "test", "once more"), one.now_ms)
        self.run(one, guard, clock, 80)
        guard.override(Wish(Mode.RELEASE, one.now_ms + 90_000, clock.utc(), "test", "its own plan"), one.now_ms)
        self.run(one, guard, clock, 40)
        assert not one.controller.driven
        assert one.greens[-1][0] > one.now_ms - 40_000, "green again"
        node = guard.status().nodes[0]
        assert (node.mode, node.plan_reason) == ("release", "left to the controller's own plan")
        assert node.stage in STAGES, "what it is seen to show"
        assert [text for _, kind, text in guard.events if kind in ("controller", "error")] == []
        assert guard.signals.refusals == 0
        assert one.checker.unsafe_frames == 0

    @pytest.mark.parametrize("actuation", list(Actuation))
    def test_what_it_was_asked_for_is_recorded(self, actuation: Actuation, tmp_path: Path) -> None:
        one, clock = Controlled("programme", actuation, own_loops=True), ManualClock()
        asked = []
        request = one.driver.request

        def spy(command: ControllerCommand, now_ms: int) -> None:
            asked.append((now_ms, str(command.kind), command.groups, command.durations_ms))
            if len(asked) == 4:
                raise PortError("the cable is cut")
            request(command, now_ms)

        one.driver.request = spy  # type: ignore[method-assign]
        with Journal.create(tmp_path / FILE_NAME, {}) as journal:
            heads, factory = follow(one.junction, one.driver, 0, journal)
            guard = Guard(one.junction, Mode.FIXED, one, heads, clock=clock, journal=journal, refuge=Mode.RELEASE, sequencer=factory)
            self.run(one, guard, clock, 40)
            guard.stop("the test is over")
            self.run(one, guard, clock, 5)
        with JournalReader(journal.path) as reader:
            told: list[Any] = [(note.now_ms, note.text, note.detail) for note in reader.notes() if note.kind == COMMAND]
        assert [(at_ms, kind, tuple(d.get("groups", ())), tuple(d.get("durations_ms", ()))) for at_ms, kind, d in told] == asked
        assert [(k, d["failed"]) for k, (*_, d) in enumerate(told) if "failed" in d] == [(3, "the cable is cut")] * (len(told) > 3)
        assert asked[-1][1] == "release"

    def test_a_lost_link_costs_the_mode_until_it_is_back(self) -> None:
        one, guard, clock = self.guard(PHASE_CONTROL)
        self.run(one, guard, clock, 30)
        assert isinstance(one.driver._transport, InProcess)
        one.driver._transport.mute = True
        self.run(one, guard, clock, 15)
        assert guard.status().signals == "lost"
        assert guard.status().nodes[0].mode == "release"
        one.driver._transport.mute = False
        self.run(one, guard, clock, 300)
        assert guard.status().nodes[0].mode == "fixed"
        assert one.controller.system_control
        assert guard.signals.refusals == 0

    def test_it_leaves_soon_though_the_link_is_lost(self) -> None:
        one, guard, clock = self.guard(PHASE_CONTROL)
        self.run(one, guard, clock, 30)
        assert isinstance(one.driver._transport, InProcess)
        one.driver._transport.mute = True
        self.run(one, guard, clock, 6)
        guard.stop("the test is over")
        self.run(one, guard, clock, 3)
        assert guard.stopped
        assert guard.status().signals == "lost"
        one.driver.close()
        self.run(one, guard, clock, 10)
        assert one.controller.backup, "what could not be taken back, its deadman took"

    def test_alarms_and_figures_of_the_controller_are_told(self) -> None:
        one, guard, clock = self.guard(PHASE_CONTROL)
        guard.after_tick.append(AlarmTeller(one.driver, guard.tell))
        self.run(one, guard, clock, 20)
        one.controller.power_up(one.now_ms)
        self.run(one, guard, clock, 100)
        told = [text for _, kind, text in guard.events if kind == "controller"]
        assert told[0].startswith("reboot: expected an up time of at least")
        assert {"reboot: over", "flash: over"} <= set(told)
        assert guard.status().numbers["ntcip_backup_s"] == 10.0
        assert guard.status().numbers["ntcip_in_force"] == 1.0, "driven again"
        assert guard.status().nodes[0].mode == "fixed", "a reboot needs nobody's reset"

    def test_a_preempt_is_a_mode(self) -> None:
        one, guard, clock = self.guard(PHASE_CONTROL)
        self.run(one, guard, clock, 20)
        one.controller.preempt(1)
        self.run(one, guard, clock, 10)
        assert guard.status().nodes[0].mode == "preempt"
        assert guard.status().signals == "local"
        one.controller.preempt(0)
        self.run(one, guard, clock, 150)
        assert guard.status().nodes[0].mode == "fixed"
        assert one.controller.system_control

    def test_a_tripped_monitor_needs_somebody_who_looks(self) -> None:
        one, guard, clock = self.guard(PHASE_CONTROL)
        self.run(one, guard, clock, 20)
        one.controller.fail(one.now_ms)
        self.run(one, guard, clock, 10)
        one.controller.reset(one.now_ms)
        self.run(one, guard, clock, 150)
        assert not one.driver.alarms()
        assert guard.status().nodes[0].mode == "release"
        assert not one.controller.system_control
        guard.reset("test", "looked at", one.now_ms)
        self.run(one, guard, clock, 150)
        assert one.controller.system_control


def test_a_way_that_was_asked_for_is_stood_by_until_it_has_begun() -> None:
    """What was asked at the end of a step is answered a tick later, and may want the green that the controller is just ending."""
    junction = Controlled("programme", PHASE_CONTROL).junction
    stages, ids = junction.nodes[0].stages, tuple(g.id for g in junction.groups)
    port = FakeController(junction.site_spec())

    def shows(green: tuple[str, ...]) -> None:
        port.aspects = tuple(Aspect.GREEN if g in green else Aspect.RED for g in ids)

    def wanted(newer: PlanStep, ends_ms: int | None) -> list[int | None]:
        """Return what is wanted at 9.9 s, the way to stage 2 being asked for at 10.0 s, the newer plan there at 10.1 s, and then until 10.7 s."""
        shows(stages[1].green)
        follower = Follower(junction, junction.nodes[0], ControllerView(ids, port, 0))
        follower.adopt(Plan("adaptive", 9_000, (PlanStep(1, 10_000), PlanStep(2, None))))
        found = []
        for now_ms in range(9_100, 10_800, 100):
            if now_ms == ends_ms:
                shows(())
            follower.state(now_ms)
            if now_ms == 10_100:
                follower.adopt(Plan("adaptive", 10_000, (newer,)))
            found.append(follower.wanted)
        return found[8:]

    assert wanted(PlanStep(1, None), None) == [1, 2, 2, 2, 2, 2, 1, 1, 1], "not begun within half a second: the newer plan's"
    assert wanted(PlanStep(1, None), 10_300) == [1, 2, 2, 2, 1, 1, 1, 1, 1], "begun: the newer plan's, from there"
    assert wanted(PlanStep(2, None), None) == [1, *[2] * 8]
    assert wanted(PlanStep(3, None), 10_200) == [1, 2, 2, 3, 3, 3, 3, 3, 3]
    assert wanted(PlanStep(OFF, None), None) == [1, 2, *[None] * 7], "letting go comes first"
