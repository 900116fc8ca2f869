"""Every condition that must not be seen at a controller: what is shown, which alarm, and that everything in force is taken back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import pytest
from support_ntcip import AMBER, GREEN, GROUPS, RED, Bench, TableAgent

from hardware.ntcip.session import DRIVABLE, TRANSITIONS, Event, State
from hardware.ntcip.states import UnitControl, UnitFlash
from hardware.ntcip.watch import INPUTS, LOCAL, Alarm
from hardware.ports import Actuation, CommandKind, InputKind, PortError
from hardware.signals import Aspect

HOLD_DOWN_S = 20
CONTROLS = ("PhaseOmit", "PedOmit", "Hold", "ForceOff", "VehCall", "PedCall")


class Case(NamedTuple):
    """What the controller does from 0 s on, as (from ms, action), and the alarm that follows."""

    alarm: str
    steps: tuple[tuple[int, Callable[[TableAgent], None]], ...]
    undo: Callable[[TableAgent], None]


def lamps(**shown: object) -> Callable[[TableAgent], None]:
    aspects = {int(k[1:]): v for k, v in shown.items() if k.startswith("p")}
    walks = shown.get("walks", ())
    return lambda agent: agent.show(aspects, walks=walks)  # type: ignore[arg-type]


def value(name: str, number: int) -> Callable[[TableAgent], None]:
    return lambda agent: agent.put(name, number)


def settle(agent: TableAgent) -> None:
    agent.all_red()


CASES = (
    Case("conflict", ((0, lamps(p2=GREEN)), (6_000, lamps(p2=GREEN, p4=GREEN))), settle),
    Case("conflict", ((0, lamps(p2=GREEN)), (6_000, lamps(p2=AMBER, p4=GREEN))), settle),
    Case("conflict", ((0, lamps(walks=(2,))), (6_000, lamps(p4=GREEN, walks=(2,)))), settle),
    Case("two colours", ((6_000, lambda agent: agent.put("phaseStatusGroupYellows", 8, 1)),), settle),
    Case("missing amber", ((0, lamps(p2=GREEN)), (9_000, settle)), settle),
    Case("missing amber", ((0, lamps(p2=GREEN)), (9_000, lamps(p2=AMBER)), (9_600, settle)), settle),
    Case("short intergreen", ((0, lamps(p2=GREEN)), (9_000, lamps(p2=AMBER)), (12_000, settle), (12_600, lamps(p4=GREEN))), lamps(p4=GREEN)),
    Case("short green", ((3_000, lamps(p2=GREEN)), (6_000, lamps(p2=AMBER)), (9_000, settle)), settle),
    Case("short green", ((3_000, lamps(walks=(2,))), (6_000, settle)), settle),
    Case("monitor fault", ((3_000, value("unitFlashStatus", UnitFlash.MMU)),), value("unitFlashStatus", UnitFlash.NOT_FLASH)),
    Case("monitor fault", ((3_000, value("unitFlashStatus", UnitFlash.FAULT_MONITOR)),), value("unitFlashStatus", UnitFlash.NOT_FLASH)),
    Case("flash", ((3_000, value("unitFlashStatus", UnitFlash.LOCAL_MANUAL)),), value("unitFlashStatus", UnitFlash.NOT_FLASH)),
    Case("flash", ((3_000, value("shortAlarmStatus", 2)),), value("shortAlarmStatus", 0)),
    Case("backup", ((3_000, value("unitControlStatus", UnitControl.BACKUP_MODE)),), value("unitControlStatus", UnitControl.SYSTEM_CONTROL)),
    Case("manual", ((3_000, value("unitControlStatus", UnitControl.MANUAL)),), value("unitControlStatus", UnitControl.SYSTEM_CONTROL)),
    Case("preempt", ((3_000, value("shortAlarmStatus", 1)),), value("shortAlarmStatus", 0)),
    Case("preempt", ((3_000, value("unitFlashStatus", UnitFlash.PREEMPT)),), value("unitFlashStatus", UnitFlash.NOT_FLASH)),
    Case("stop time", ((3_000, value("shortAlarmStatus", 128)),), value("shortAlarmStatus", 0)),
    Case("stop time", ((3_000, value("unitAlarmStatus2", 16)),), value("unitAlarmStatus2", 0)),
    Case("local override", ((3_000, value("shortAlarmStatus", 8)),), value("shortAlarmStatus", 0)),
)


def masks(agent: TableAgent) -> list[object]:
    return [agent.value(f"phaseControlGroup{name}", 1) for name in CONTROLS]


def drive(case: Case) -> Bench:
    """Drive the controller until the case's steps have happened and two more seconds are over."""
    bench = Bench(actuation=Actuation.PHASE_CONTROL, hold_down_s=HOLD_DOWN_S)
    bench.ask(CommandKind.CALL, "V4", "P2")
    bench.ask(CommandKind.OMIT, "V8")
    todo = list(case.steps)

    def act(now_ms: int) -> None:
        while todo and now_ms > todo[0][0]:
            todo.pop(0)[1](bench.agent)

    bench.run(case.steps[-1][0] + 2_500, each=act)
    return bench


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.alarm)
def test_a_condition_takes_everything_back_and_tells(case: Case) -> None:
    bench = drive(case)
    assert case.alarm in bench.alarms()
    assert masks(bench.agent) == [0] * 6
    seen = bench.driver.observe(bench.now_ms)
    assert seen.mode == ("local" if all(Alarm(a) in LOCAL for a in bench.alarms()) else "fault")
    begun = [e for e in bench.driver.poll(bench.now_ms) if e.value == 1]
    assert (case.alarm in {e.source.removeprefix("two: ") for e in begun}) is (Alarm(case.alarm) in INPUTS)
    with pytest.raises(PortError, match="expected to drive it"):
        bench.ask(CommandKind.CALL, "V4")
    writes = len(bench.agent.history)
    bench.run(5_000)
    assert len(bench.agent.history) == writes, "released once, then not refreshed"


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.alarm)
def test_it_is_driven_again_only_after_the_hold_down(case: Case) -> None:
    bench = drive(case)
    case.undo(bench.agent)
    bench.run((HOLD_DOWN_S - 10) * 1_000)
    assert bench.alarms(), "the hold-down lasts"
    bench.run(13_000)
    assert not bench.alarms()
    assert bench.driver.observe(bench.now_ms).mode == "remote"
    ended = [e for e in bench.driver.poll(bench.now_ms) if e.value == 0]
    assert (case.alarm in {e.source.removeprefix("two: ") for e in ended}) is (Alarm(case.alarm) in INPUTS)
    bench.ask(CommandKind.CALL, "V4")
    assert bench.agent.value("phaseControlGroupVehCall", 1) == 8


def test_every_alarm_has_a_case_here_or_elsewhere() -> None:
    below = {"older engine", "backup", "nonsense", "silent", "refused", "reboot", "not running the pattern", "different"}
    assert {c.alarm for c in CASES} | below == {a.value for a in Alarm}


LAWFUL: Mapping[str, tuple[tuple[int, Callable[[TableAgent], None]], ...]] = {
    "a cycle": (
        (0, lamps(p2=GREEN, p6=GREEN, walks=(2,))),
        (6_000, lamps(p2=GREEN, p6=GREEN)),
        (20_000, lamps(p2=AMBER, p6=AMBER)),
        (23_000, settle),
        (25_000, lamps(p4=GREEN, p8=GREEN)),
        (40_000, lamps(p4=AMBER, p8=AMBER)),
        (43_000, settle),
        (45_000, lamps(p2=GREEN)),
    ),
    "compatible greens beside each other": ((0, lamps(p2=GREEN)), (3_000, lamps(p2=GREEN, p6=GREEN)), (9_000, lamps(p2=GREEN, p6=AMBER))),
    "backup mode while nothing of ours is in force": ((0, value("unitControlStatus", UnitControl.TIMEBASE)),),
    "detector faults and a cycle's zero": ((0, value("shortAlarmStatus", 4 + 16 + 32 + 64)),),
}


@pytest.mark.parametrize("name", LAWFUL)
@pytest.mark.parametrize("poll_ms", [100, 300, 1_000, 3_700])
def test_what_is_lawful_makes_no_alarm_however_slowly_it_is_seen(name: str, poll_ms: int) -> None:
    bench = Bench(actuation=Actuation.PHASE_CONTROL, poll_ms=poll_ms, status_age_ms=10_000)
    bench.ask(CommandKind.CALL, "V4")
    todo = list(LAWFUL[name])

    def act(now_ms: int) -> None:
        while todo and now_ms > todo[0][0]:
            todo.pop(0)[1](bench.agent)

    bench.run(60_000, each=act)
    assert not bench.alarms()


def test_lamps_of_several_answers_must_conflict_twice() -> None:
    bench = Bench(actuation=Actuation.PHASE_CONTROL, most=1, poll_ms=300)
    bench.agent.show({2: GREEN})
    bench.run(8_000)
    bench.agent.show({2: GREEN, 4: GREEN})
    bench.run(300)
    assert "conflict" not in bench.alarms()
    bench.run(300)
    assert "conflict" in bench.alarms()


def test_a_restarted_controller_is_read_anew() -> None:
    bench = Bench(actuation=Actuation.PHASE_CONTROL, hold_down_s=5)
    bench.run(5_000)
    bench.ask(CommandKind.CALL, "V4")
    bench.agent.put("phaseMinimumGreen", 9, 2)
    bench.agent.put("sysUpTime", 3)
    for _ in range(3):
        bench.now_ms += 300
        bench.driver._session.step()
    assert "reboot" in bench.alarms()
    assert "different" in bench.alarms(), "its tables were read again, and now they differ"
    assert masks(bench.agent) == [0] * 6


def test_an_up_time_that_wraps_is_no_restart() -> None:
    bench = Bench()
    for ticks in (2**32 - 30, 2**32 - 1, 20):
        bench.now_ms += 300
        bench.agent.put("sysUpTime", ticks)
        bench.driver._session.step()
    assert not bench.alarms()


def test_values_out_of_range_are_nonsense_and_never_shown() -> None:
    bench = Bench(actuation=Actuation.PHASE_CONTROL)
    bench.ask(CommandKind.CALL, "V4")
    bench.agent.put("phaseStatusGroupGreens", 999, 1)
    bench.run(4_000)
    assert bench.alarms() == ["nonsense"]
    assert masks(bench.agent) == [0, 0, 0, 0, 8, 0], "what cannot be watched is not refreshed; the deadman takes it back"
    with pytest.raises(PortError, match="expected a number of 0 to 255, found 999"):
        bench.driver.observe(bench.now_ms)


def test_octets_where_a_number_belongs_are_nonsense() -> None:
    bench = Bench()
    bench.agent.put("unitFlashStatus", b"2")
    bench.run(4_000)
    assert bench.alarms() == ["nonsense"]


def test_a_pattern_that_is_not_run_is_given_up() -> None:
    bench = Bench()
    bench.ask(CommandKind.SPLITS, "V2", "V4", "V6", "V8", "P2", durations_ms=(30_000, 20_000, 30_000, 20_000, 30_000))
    bench.run(140_000)
    assert not bench.alarms()
    bench.run(20_000)
    assert bench.alarms() == ["not running the pattern"]
    assert bench.agent.value("systemPatternControl") == 0


def test_flash_that_we_asked_for_is_no_alarm() -> None:
    bench = Bench()
    bench.ask(CommandKind.FLASH)
    bench.agent.put("unitFlashStatus", UnitFlash.AUTOMATIC)
    bench.run(60_000)
    assert not bench.alarms()
    assert bench.agent.value("systemPatternControl") == 255
    bench.ask(CommandKind.RELEASE)
    bench.run(29_000)
    assert not bench.alarms(), "it may still be on its way back"
    assert bench.agent.value("systemPatternControl") == 0
    bench.run(3_000)
    assert bench.alarms() == ["flash"]


def test_events_are_of_the_guards_kinds() -> None:
    bench = Bench()
    bench.agent.put("shortAlarmStatus", 1 + 8 + 128)
    bench.run(600)
    kinds = {e.source: e.kind for e in bench.driver.poll(bench.now_ms)}
    assert kinds == {"two: preempt": InputKind.PREEMPT_EMERGENCY, "two: local override": InputKind.POLICE_PANEL, "two: stop time": InputKind.STOP_TIME}


def test_every_state_takes_every_event_that_can_come_in_it() -> None:
    assert set(TRANSITIONS) == set(State)
    for state in State:
        assert {Event.SILENT, Event.ALARMED, Event.REBOOTED} <= set(TRANSITIONS[state])
        if state not in DRIVABLE:
            assert Event.COMMANDED not in TRANSITIONS[state]


def test_red_is_not_named() -> None:
    """The bench's lamps default to red; this keeps the cases above honest."""
    bench = Bench()
    bench.agent.show({2: GREEN})
    bench.run(300)
    assert bench.driver.observe(bench.now_ms).aspects == (GREEN, RED, RED, RED, RED)


DARK, FLASHING = Aspect.DARK, Aspect.FLASHING_AMBER


@pytest.mark.parametrize(
    ("flash", "short_alarm", "lit", "seen"),
    [
        (UnitFlash.NOT_FLASH, 0, "none", (DARK, DARK, RED)),
        (UnitFlash.NOT_FLASH, 0, "all", (GREEN, AMBER, RED)),
        (UnitFlash.AUTOMATIC, 0, "none", (FLASHING, FLASHING, DARK)),
        (UnitFlash.AUTOMATIC, 0, "all", (GREEN, AMBER, DARK)),
        (UnitFlash.NOT_FLASH, 2, "none", (FLASHING, FLASHING, DARK)),
        (UnitFlash.PREEMPT, 0, "none", (FLASHING, FLASHING, DARK)),
        (UnitFlash.MMU, 0, "all", (GREEN, FLASHING, DARK)),
        (UnitFlash.FAULT_MONITOR, 0, "none", (FLASHING, FLASHING, DARK)),
        (UnitFlash.LOCAL_MANUAL, 0, "red", (FLASHING, FLASHING, DARK)),
    ],
)
def test_signals_that_flash_are_seen_to_flash(flash: UnitFlash, short_alarm: int, lit: str, seen: tuple[Aspect, ...]) -> None:
    bench = Bench(actuation=Actuation.PHASE_CONTROL)
    bench.agent.show({} if lit == "red" else {2: GREEN, 4: AMBER})
    if lit == "none":
        for colour in ("Reds", "Yellows", "Greens"):
            bench.agent.put(f"phaseStatusGroup{colour}", 0, 1)
    bench.agent.put("unitFlashStatus", flash)
    bench.agent.put("shortAlarmStatus", short_alarm)
    bench.run(600)
    aspects = dict(zip(GROUPS, bench.driver.observe(bench.now_ms).aspects or (), strict=True))
    assert (aspects["V2"], aspects["V4"], aspects["P2"]) == seen


def test_a_flash_is_named() -> None:
    bench = Bench(actuation=Actuation.PHASE_CONTROL)
    bench.agent.put("unitFlashStatus", UnitFlash.LOCAL_MANUAL)
    bench.run(600)
    assert [alarm.text for alarm in bench.driver.alarms()] == ["expected signals that do not flash, found flash status 4 (local manual)"]
