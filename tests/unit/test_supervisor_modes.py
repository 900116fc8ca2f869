from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from controller.errors import ConfigError, ModeError
from controller.supervisor import CHAIN, FALLBACK, HOLD_DOWN_MS, TRANSITIONS, Event, Mode, Supervisor, diagram

SAFETY = Path(__file__).parents[2] / "docs" / "SAFETY.md"


def test_every_mode_names_a_fallback_that_is_safer() -> None:
    assert set(FALLBACK) == set(Mode) == set(TRANSITIONS)
    for better, safer in itertools.pairwise(CHAIN):
        assert FALLBACK[better] is safer


def test_every_mode_survives_every_loss() -> None:
    for row in TRANSITIONS.values():
        for event in (Event.LINK_LOST, Event.REFUSAL, Event.OPTIMIZER_LOST, Event.DETECTORS_LOST, Event.LATE_TICK):
            assert event in row


def test_documentation_shows_the_table() -> None:
    assert diagram() in SAFETY.read_text(encoding="utf-8")


@pytest.mark.parametrize("mode", [Mode.ADAPTIVE, Mode.CYCLE])
def test_losing_the_optimizer_leads_to_actuated_and_back_after_the_hold_down(mode: Mode) -> None:
    supervisor = Supervisor(mode)
    change = supervisor.report(Event.OPTIMIZER_LOST, 1000, "no answer for 3 ticks")
    assert change is not None
    assert (change.before, change.after, change.event, change.why) == (mode, Mode.ACTUATED, Event.OPTIMIZER_LOST, "no answer for 3 ticks")
    assert supervisor.tick(1000 + 10 * HOLD_DOWN_MS) is None, "the fault still stands"
    assert supervisor.report(Event.OPTIMIZER_RECOVERED, 2000, "answers again") is None, "hold-down"
    assert supervisor.tick(1000 + HOLD_DOWN_MS - 1) is None
    back = supervisor.tick(1000 + HOLD_DOWN_MS)
    assert back is not None
    assert back.after is mode
    assert supervisor.mode is mode


def test_two_faults_hold_the_mode_at_the_lower_ceiling() -> None:
    supervisor = Supervisor(Mode.ADAPTIVE, hold_down_ms=0)
    supervisor.report(Event.OPTIMIZER_LOST, 0, "")
    supervisor.report(Event.DETECTORS_LOST, 0, "")
    assert supervisor.mode is Mode.FIXED
    assert supervisor.faults == {Event.OPTIMIZER_LOST, Event.DETECTORS_LOST}
    supervisor.report(Event.DETECTORS_RECOVERED, 1, "")
    assert supervisor.mode is Mode.ACTUATED
    supervisor.report(Event.OPTIMIZER_RECOVERED, 2, "")
    assert supervisor.mode is Mode.ADAPTIVE


def test_a_flickering_fault_stays_down() -> None:
    supervisor = Supervisor(Mode.ADAPTIVE)
    for now_ms in range(0, 5 * HOLD_DOWN_MS, HOLD_DOWN_MS // 2):
        supervisor.report(Event.OPTIMIZER_LOST, now_ms, "")
        supervisor.report(Event.OPTIMIZER_RECOVERED, now_ms + 1, "")
        supervisor.tick(now_ms + HOLD_DOWN_MS // 2 - 1)
        assert supervisor.mode is Mode.ACTUATED


def test_one_late_tick_is_a_hiccup_and_three_in_ten_seconds_are_not() -> None:
    supervisor = Supervisor(Mode.ADAPTIVE)
    assert supervisor.report(Event.LATE_TICK, 0, "1.4 s") is None
    assert supervisor.report(Event.LATE_TICK, 6000, "1.4 s") is None
    assert supervisor.report(Event.LATE_TICK, 10_001, "1.4 s") is None, "the first lies outside the window"
    change = supervisor.report(Event.LATE_TICK, 16_000, "1.4 s")
    assert change is not None
    assert change.after is Mode.ACTUATED
    assert supervisor.report(Event.LATE_TICK, 16_001, "") is None, "counting begins anew"


def test_a_failing_planner_goes_down_by_the_named_fallbacks() -> None:
    supervisor = Supervisor(Mode.ADAPTIVE)
    for mode in CHAIN[1:5]:
        supervisor.report(Event.PLANNER_FAILED, 0, "")
        assert supervisor.mode is mode


def test_after_a_refusal_nothing_but_a_reset_leads_out_of_flashing() -> None:
    supervisor = Supervisor(Mode.ADAPTIVE, hold_down_ms=0)
    supervisor.report(Event.REFUSAL, 0, "conflict")
    assert supervisor.mode is Mode.FLASH
    assert supervisor.tick(10**9) is None
    supervisor.report(Event.RESET, 10**9, "looked at by the operator")
    assert supervisor.mode is Mode.ADAPTIVE


def test_the_refuge_may_be_the_controllers_own_plan() -> None:
    supervisor = Supervisor(Mode.ACTUATED, refuge=Mode.RELEASE, hold_down_ms=0)
    supervisor.report(Event.REFUSAL, 0, "conflict")
    assert supervisor.mode is Mode.RELEASE
    supervisor.report(Event.RESET, 1, "")
    assert supervisor.mode is Mode.ACTUATED


def test_a_lost_link_releases_and_comes_back() -> None:
    supervisor = Supervisor(Mode.CYCLE)
    supervisor.report(Event.LINK_LOST, 0, "")
    assert supervisor.mode is Mode.RELEASE
    supervisor.report(Event.REFUSAL, 1, "")
    assert supervisor.mode is Mode.RELEASE, "what cannot be reached cannot be told to flash"
    supervisor.report(Event.LINK_RECOVERED, 2, "")
    supervisor.tick(1 + HOLD_DOWN_MS)
    assert supervisor.mode is Mode.FLASH
    supervisor.report(Event.RESET, 2 + HOLD_DOWN_MS, "")
    assert supervisor.mode is Mode.CYCLE


def test_preemption_interrupts_and_returns_at_once() -> None:
    supervisor = Supervisor(Mode.ADAPTIVE)
    supervisor.report(Event.PREEMPT_BEGIN, 0, "fire brigade")
    assert supervisor.mode is Mode.PREEMPT
    supervisor.report(Event.PREEMPT_END, 30_000, "")
    assert supervisor.mode is Mode.ADAPTIVE


def test_preemption_during_flashing_waits_for_control() -> None:
    supervisor = Supervisor(Mode.FIXED, hold_down_ms=0)
    supervisor.report(Event.REFUSAL, 0, "")
    supervisor.report(Event.PREEMPT_BEGIN, 1, "")
    assert supervisor.mode is Mode.FLASH
    supervisor.report(Event.RESET, 2, "")
    assert supervisor.mode is Mode.PREEMPT


def test_a_failing_preemption_flashes() -> None:
    supervisor = Supervisor(Mode.FIXED)
    supervisor.report(Event.PREEMPT_BEGIN, 0, "")
    supervisor.report(Event.PLANNER_FAILED, 1, "")
    assert supervisor.mode is Mode.FLASH


def test_losses_during_preemption_count_afterwards() -> None:
    supervisor = Supervisor(Mode.ADAPTIVE)
    supervisor.report(Event.PREEMPT_BEGIN, 0, "")
    supervisor.report(Event.DETECTORS_LOST, 1, "")
    assert supervisor.mode is Mode.PREEMPT
    supervisor.report(Event.PREEMPT_END, 2, "")
    assert supervisor.mode is Mode.FIXED


def test_an_override_lasts_as_long_as_said_and_is_limited_by_faults() -> None:
    supervisor = Supervisor(Mode.ADAPTIVE)
    change = supervisor.override(Mode.FIXED, 5000, "anna", "road works", 1000)
    assert change is not None
    assert (change.after, change.event, change.why) == (Mode.FIXED, Event.OVERRIDE, "override by anna: road works")
    assert supervisor.tick(4999) is None
    change = supervisor.tick(5000)
    assert change is not None
    assert change.after is Mode.ADAPTIVE
    assert "anna" in change.why
    supervisor.report(Event.DETECTORS_LOST, 6000, "")
    supervisor.override(Mode.ADAPTIVE, 9000, "anna", "", 7000)
    assert supervisor.mode is Mode.FIXED


def test_manual_by_override_ends_by_itself_and_yields_to_preemption() -> None:
    supervisor = Supervisor(Mode.ADAPTIVE)
    supervisor.override(Mode.MANUAL, 50_000, "police", "", 0)
    assert supervisor.mode is Mode.MANUAL
    supervisor.report(Event.PREEMPT_BEGIN, 1, "")
    assert supervisor.mode is Mode.PREEMPT
    supervisor.report(Event.PREEMPT_END, 2, "")
    assert supervisor.mode is Mode.MANUAL
    change = supervisor.tick(50_000)
    assert change is not None
    assert (change.after, change.event) == (Mode.ADAPTIVE, Event.OVERRIDE)


def test_a_new_override_takes_the_place_of_manual() -> None:
    supervisor = Supervisor(Mode.ADAPTIVE)
    supervisor.override(Mode.MANUAL, 50_000, "police", "", 0)
    supervisor.override(Mode.ACTUATED, 50_000, "police", "", 1)
    assert supervisor.mode is Mode.ACTUATED


def test_the_police_panel_is_remembered_while_flashing() -> None:
    supervisor = Supervisor(Mode.FIXED, hold_down_ms=0)
    supervisor.report(Event.REFUSAL, 0, "")
    supervisor.report(Event.MANUAL_BEGIN, 1, "")
    supervisor.report(Event.RESET, 2, "")
    assert supervisor.mode is Mode.MANUAL
    supervisor.report(Event.MANUAL_END, 3, "")
    assert supervisor.mode is Mode.FIXED


def test_a_pair_that_is_not_in_the_table_is_named() -> None:
    with pytest.raises(ModeError, match=r"mode fixed has no transition for event preempt_end"):
        Supervisor(Mode.FIXED).report(Event.PREEMPT_END, 0, "")


@pytest.mark.parametrize("mode", [Mode.PREEMPT, Mode.MANUAL])
def test_only_the_chain_can_be_wanted(mode: Mode) -> None:
    with pytest.raises(ConfigError, match="as the wanted mode"):
        Supervisor(mode)


def test_other_wrong_wishes_are_refused() -> None:
    with pytest.raises(ConfigError, match="expected flash or release"):
        Supervisor(Mode.FIXED, refuge=Mode.FIXED)
    with pytest.raises(ConfigError, match="expected an end after 10 ms, found 10 ms"):
        Supervisor(Mode.FIXED).override(Mode.FIXED, 10, "anna", "", 10)
    with pytest.raises(ConfigError, match="found preempt"):
        Supervisor(Mode.FIXED).override(Mode.PREEMPT, 10, "anna", "", 0)
