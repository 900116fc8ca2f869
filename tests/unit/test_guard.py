"""The guard's tick: the grid, what fails around it, the modes that are acted on, and the way out."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from support_control import STAGES, cover
from support_guard import ONE, Cabinet

from controller.cabinet.status import from_object
from controller.errors import ConfigError
from controller.supervisor import HOLD_DOWN_MS, Mode
from hardware.ports import InputEvent, InputKind
from hardware.signals import Aspect

GREEN, RED, FLASHING = Aspect.GREEN, Aspect.RED, Aspect.FLASHING_AMBER
ALL_FLASHING = (FLASHING,) * len(ONE.groups)
HAND_OUT_MS = 30_000  # long enough for any minimum green, amber, intergreen, and the answer of a planner that is asked once a second


def test_it_ticks_ten_times_a_second_and_drives_the_heads() -> None:
    one = Cabinet(events=cover("e0/1", 20_000, 45_000))
    one.run_to(35_000)
    assert one.guard.ticks == 351
    assert one.guard.late_ticks == 0
    assert one.interlock.refusals == 0
    assert one.shown[STAGES.index("EW")] is GREEN


def test_a_late_tick_does_not_shift_the_grid() -> None:
    one = Cabinet()
    one.run_to(10_000)
    one.clock.wait_until(10_180)
    one.guard.tick()
    assert one.guard.due_ms == 10_200
    assert one.guard.late_ticks == 1
    assert one.guard.max_late_ms == 80
    one.clock.wait_until(10_555)
    one.guard.tick()
    assert one.guard.due_ms == 10_600
    assert one.guard.grid.missed == 3
    assert one.mode is Mode.ACTUATED
    one.clock.wait_until(10_690)
    one.guard.tick()
    assert one.mode is Mode.FIXED, "three within ten seconds are a sick host"
    one.run_to(10_690 + HOLD_DOWN_MS + 2_000)
    assert one.mode is Mode.ACTUATED


def test_a_tick_before_its_time_does_nothing() -> None:
    one = Cabinet()
    one.run_to(1_000)
    one.guard.tick()
    assert one.guard.ticks == 11


def test_lost_signals_lead_to_release_and_back() -> None:
    one = Cabinet()
    one.run_to(20_000)
    one.heads.mute = True
    one.run_to(20_900)
    assert one.mode is Mode.ACTUATED, "a hiccup is none"
    one.run_to(25_000)
    assert one.mode is Mode.RELEASE
    assert one.kinds().count("link_lost") == 1
    one.heads.mute = False
    one.run_to(25_200)
    assert one.kinds().count("link_recovered") == 1
    one.run_to(25_200 + HAND_OUT_MS)
    assert one.shown == ALL_FLASHING, "no plan of its own: what lets go flashes"
    one.run_to(25_200 + HOLD_DOWN_MS + 30_000)
    assert one.mode is Mode.ACTUATED
    assert GREEN in one.shown
    assert one.interlock.refusals == 0


def test_a_device_may_take_ten_seconds_for_its_first_answer() -> None:
    slow, dead = Cabinet(), Cabinet()
    slow.heads.mute = dead.heads.mute = True
    slow.run_to(9_000)
    slow.heads.mute = False
    slow.run_to(60_000)
    assert slow.mode is Mode.ACTUATED
    assert "link_lost" not in slow.kinds()
    dead.run_to(9_900)
    assert dead.mode is Mode.ACTUATED
    dead.run_to(10_500)
    assert dead.mode is Mode.RELEASE


def test_one_lost_answer_costs_a_start_from_red_and_no_mode() -> None:
    one = Cabinet()
    one.run_to(20_000)
    one.heads.drop_next = True
    one.run_to(60_000)
    assert one.mode is Mode.ACTUATED
    assert one.interlock.refusals == 0
    assert GREEN in one.shown


def test_a_refusal_flashes_until_somebody_resets() -> None:
    one = Cabinet()
    one.run_to(20_000)
    one.heads.force((GREEN,) * len(ONE.groups))
    one.run_to(21_000)
    assert one.mode is Mode.FLASH
    assert one.interlock.refusals == 1
    one.run_to(21_000 + HAND_OUT_MS)
    assert one.shown == ALL_FLASHING
    one.run_to(10 * HOLD_DOWN_MS)
    assert one.mode is Mode.FLASH, "nobody has looked yet"
    assert one.interlock.refusals == 1
    one.guard.reset("kim", "read-back wire mended", one.clock.now_ms())
    one.run_to(10 * HOLD_DOWN_MS + 40_000)
    assert one.mode is Mode.ACTUATED
    assert GREEN in one.shown
    assert one.interlock.refusals == 1


def test_a_reset_without_a_fault_is_refused() -> None:
    one = Cabinet()
    one.run_to(1_000)
    with pytest.raises(ConfigError, match="nothing to reset"):
        one.guard.reset("kim", "just so", 1_000)


def test_lost_inputs_lead_to_the_programme_and_back() -> None:
    one = Cabinet()
    one.run_to(20_000)
    one.inputs.mute = True
    one.run_to(29_000)
    assert one.mode is Mode.ACTUATED
    one.run_to(31_000)
    assert one.mode is Mode.FIXED
    one.inputs.mute = False
    one.run_to(31_000 + HOLD_DOWN_MS + 1_000)
    assert one.mode is Mode.ACTUATED


def test_too_few_trusted_loops_lead_to_the_programme() -> None:
    loops = [d.id for d in ONE.detectors]
    one = Cabinet(events=[InputEvent(5_000, InputKind.DETECTOR_FAULT, loop, 1) for loop in loops])
    one.run_to(8_000)
    assert one.mode is Mode.FIXED
    assert next(text for _, kind, text in one.guard.events if kind == "detectors_lost").startswith("0 of")
    assert one.kinds().count("detector") == len(loops), "each is told by name"


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        (InputKind.PREEMPT_RAIL, Mode.PREEMPT),
        (InputKind.PREEMPT_EMERGENCY, Mode.PREEMPT),
        (InputKind.POLICE_PANEL, Mode.MANUAL),
        (InputKind.STOP_TIME, Mode.MANUAL),
    ],
)
def test_switches_lead_beside_the_chain_and_back(kind: InputKind, mode: Mode) -> None:
    one = Cabinet(
        events=[InputEvent(20_000, kind, "x", 1), InputEvent(25_000, kind, "y", 1), InputEvent(30_000, kind, "x", 0), InputEvent(40_000, kind, "y", 0)]
    )
    one.run_to(21_000)
    assert one.mode is mode
    one.run_to(39_000)
    assert one.mode is mode, "the second one is still on"
    one.run_to(41_000)
    assert one.mode is Mode.ACTUATED


def test_who_pre_empts_finds_everything_red() -> None:
    one = Cabinet(
        events=[*cover("e0/1", 5_000, 200_000), InputEvent(20_000, InputKind.PREEMPT_RAIL, "rail", 1), InputEvent(80_000, InputKind.PREEMPT_RAIL, "rail", 0)]
    )
    one.run_to(40_000)
    assert one.shown == (RED,) * len(ONE.groups)
    one.run_to(79_000)
    assert one.shown == (RED,) * len(ONE.groups)
    one.run_to(110_000)
    assert GREEN in one.shown
    assert one.interlock.refusals == 0


def test_stop_time_keeps_the_stage() -> None:
    one = Cabinet(events=[InputEvent(20_000, InputKind.STOP_TIME, "stop", 1), *cover("n0/1", 21_000, 200_000), *cover("e0/1", 21_000, 200_000)])
    one.run_to(20_900)
    before = one.shown
    one.run_to(150_000)
    assert one.shown == before
    assert one.guard.status().nodes[0].planner == "hold"


class Failing:
    def __call__(self, now_ms: int) -> None:
        raise RuntimeError("a bug")


def test_what_fails_beside_control_is_left_out() -> None:
    one = Cabinet()
    one.guard.after_tick.append(Failing())
    one.run_to(20_000)
    assert one.kinds().count("error") == 1
    assert one.guard.after_tick == []
    assert GREEN in one.shown


def test_a_monitor_fault_flashes_until_somebody_resets() -> None:
    one = Cabinet(events=[InputEvent(20_000, InputKind.MONITOR_FAULT, "mmu", 1), InputEvent(30_000, InputKind.MONITOR_FAULT, "mmu", 0)])
    one.run_to(60_000)
    assert one.mode is Mode.FLASH
    assert one.shown == ALL_FLASHING
    one.guard.reset("kim", "lamp changed", one.clock.now_ms())
    one.run_to(60_000 + HOLD_DOWN_MS)
    assert one.mode is Mode.ACTUATED


@pytest.mark.parametrize("mode", [Mode.FLASH, Mode.RELEASE])
def test_an_override_to_off_goes_by_red_and_comes_back(mode: Mode) -> None:
    one = Cabinet()
    one.run_to(20_000)
    one.override(mode, 80_000, "lamps are changed")
    one.run_to(20_000 + HAND_OUT_MS)
    assert one.shown == ALL_FLASHING
    before = next(shown.aspects for shown in reversed(one.heads.history) if FLASHING not in shown.aspects)
    assert before == (RED,) * len(ONE.groups)
    one.run_to(110_000)
    assert one.mode is Mode.ACTUATED
    assert GREEN in one.shown
    assert one.interlock.refusals == 0


def test_an_override_can_be_ended() -> None:
    one = Cabinet()
    one.run_to(20_000)
    with pytest.raises(ConfigError, match="no override"):
        one.guard.end_override("kim", "a mistake", 20_000)
    one.override(Mode.FIXED, 3_600_000, "a march")
    assert one.mode is Mode.FIXED
    one.guard.end_override("kim", "the march is over", 20_000)
    assert one.mode is Mode.ACTUATED


@pytest.mark.parametrize("by_s", [3_600.0, -3_600.0, 1.0, -1.0, 40 * 365 * 86_400.0])
def test_a_step_of_the_wall_clock_is_an_event_and_touches_no_timing(by_s: float) -> None:
    one, other = Cabinet(events=cover("e0/1", 20_000, 45_000)), Cabinet(events=cover("e0/1", 20_000, 45_000))
    one.run_to(22_000)
    one.clock.step(timedelta(seconds=by_s))
    one.run_to(90_000)
    other.run_to(90_000)
    assert one.kinds().count("clock_step") == 1
    assert one.heads.history == other.heads.history
    assert one.guard.late_ticks == 0


def test_a_slewed_clock_is_none() -> None:
    one = Cabinet()
    for k in range(1, 100):
        one.clock.step(timedelta(microseconds=50))
        one.run_to(100 * k)
    assert "clock_step" not in one.kinds()


def test_an_override_to_what_nobody_can_plan_is_refused() -> None:
    one = Cabinet()
    with pytest.raises(ConfigError, match="needs the optimizer"):
        one.override(Mode.ADAPTIVE, 60_000, "why not")


def test_it_leaves_by_red_and_flashing() -> None:
    one = Cabinet()
    one.run_to(20_000)
    one.guard.stop("told to")
    one.run_to(120_000)
    assert one.guard.stopped
    assert one.guard.exit_reason == "told to"
    assert one.shown == ALL_FLASHING
    assert one.interlock.refusals == 0
    assert one.clock.now_ms() < 20_000 + HAND_OUT_MS


def test_it_leaves_also_without_signals() -> None:
    one = Cabinet()
    one.run_to(20_000)
    one.heads.mute = True
    one.guard.stop()
    one.run_to(200_000)
    assert one.guard.stopped
    assert one.clock.now_ms() < 32_000, "nobody is there to wait for"


def test_run_ends_by_itself() -> None:
    one = Cabinet()
    assert one.guard.run(30.0) == "the time is over"
    assert one.guard.stopped
    assert 30_000 <= one.clock.now_ms() < 30_000 + HAND_OUT_MS


def test_a_mode_that_nobody_can_plan_is_refused() -> None:
    with pytest.raises(ConfigError, match="adaptive"):
        Cabinet(Mode.ADAPTIVE, planners=None)
    with pytest.raises(ConfigError, match="flash"):
        Cabinet(Mode.FLASH, planners=None)


def test_the_status_goes_through_json() -> None:
    one = Cabinet(events=cover("e0/1", 5_000, 45_000))
    one.run_to(20_000)
    one.override(Mode.FIXED, 3_600_000, "a march")
    one.run_to(30_000)
    status = one.guard.status()
    assert from_object(json.loads(json.dumps(status.to_object()))) == status
    (node,) = status.nodes
    assert (node.mode, node.wanted, node.stage, node.planner) == ("fixed", "actuated", "EW", "fixed") or node.stage in STAGES
    assert node.override is not None
    assert (node.override.who, node.override.reason, node.override.until) == ("kim", "a march", "2026-01-05T07:00:00.000+00:00")
    assert status.ticks == 301
    assert next(d for d in status.detectors if d.id == "e0/1").occupied
    assert sorted(set(status.aspects.values())) == ["green", "red"] or "amber" in status.aspects.values()


def test_an_error_in_the_program_costs_a_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Cabinet()
    one.run_to(20_000)
    with monkeypatch.context() as broken:
        broken.setattr(one.guard.control.detection, "feed", lambda events, now_ms: 1 / 0)
        one.run_to(20_100)
    one.run_to(60_000)
    assert not one.guard.stopped
    assert "ZeroDivisionError" in next(text for _, kind, text in one.guard.events if kind == "error")
    assert GREEN in one.shown
    assert one.interlock.refusals == 0


def test_an_error_that_stays_leads_to_red_and_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Cabinet()
    one.run_to(20_000)
    monkeypatch.setattr(one.guard.control.detection, "feed", lambda events, now_ms: 1 / 0)
    one.run_to(60_000)
    assert one.guard.stopped
    assert one.guard.exit_reason == "10 ticks in a row failed"
    assert one.shown == (RED,) * len(ONE.groups)
    assert one.interlock.refusals == 0
