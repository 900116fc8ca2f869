"""The driver and agents without a deadman, that are silent, refuse, lose or lie."""

from __future__ import annotations

import pytest
from support_ntcip import (
    AMBER,
    CALL,
    DURATIONS_MS,
    FORCE,
    GREEN,
    GROUPS,
    HOLD,
    Bench,
    TableAgent,
    options,
    phase_control,
    spec_of_two_rings,
)

from hardware.ntcip.driver import NtcipDriver
from hardware.ntcip.transport import ErrorStatus, InProcess
from hardware.ports import CommandKind, PortError


class TestDeadman:
    def test_none_is_refused(self) -> None:
        bench = phase_control(agent=TableAgent(backup_s=0))
        assert bench.alarms() == ["different"]
        assert bench.driver.observe(0).mode == "local"
        with pytest.raises(PortError, match="expected a deadman of at least 1 s, found 0"):
            bench.ask(CALL, "V2")

    def test_one_shorter_than_our_slowest_answers_is_refused(self) -> None:
        bench = phase_control(agent=TableAgent(backup_s=2))
        assert "expected a deadman of at least 3900 ms" in bench.driver.alarms()[0].text

    def test_once_it_is_set_control_goes_on(self) -> None:
        bench = phase_control(agent=TableAgent(backup_s=0), hold_down_s=5)
        bench.agent.put("unitBackupTime", 30)
        bench.run(70_000)
        assert not bench.alarms()
        bench.ask(CALL, "V2")

    def test_a_controller_that_took_everything_back_is_not_driven_on(self) -> None:
        bench = phase_control()
        bench.ask(CALL, "V2")
        bench.agent.refuse["phaseControlGroupVehCall"] = ErrorStatus.GEN_ERR
        bench.run(10_000)
        assert "refused" in bench.alarms()


class TestSilence:
    def test_a_silent_controller_is_told_and_comes_back(self) -> None:
        bench = phase_control(hold_down_s=5)
        bench.ask(CALL, "V4")
        bench.transport.mute = True
        bench.run(4_000)
        assert bench.alarms() == ["silent"]
        with pytest.raises(PortError, match=r"status at most 2000 ms old, found none: .* no answer"):
            bench.driver.observe(bench.now_ms)
        with pytest.raises(PortError, match="no answer"):
            bench.ask(CALL, "V2")
        bench.transport.mute = False
        bench.run(2_000)
        assert bench.agent.value("phaseControlGroupVehCall", 1) == 0, "what was in force is taken back before anything else"
        bench.run(6_000)
        assert not bench.alarms()
        bench.ask(CALL, "V2")
        assert bench.agent.value("phaseControlGroupVehCall", 1) == 2

    def test_a_lost_write_is_written_again(self) -> None:
        bench = phase_control()
        bench.ask(CALL, "V4")
        bench.transport.mute = True
        bench.ask(CALL)
        bench.run(500)
        bench.transport.mute = False
        bench.run(1_000)
        assert not bench.alarms()
        assert bench.agent.value("phaseControlGroupVehCall", 1) == 0

    @pytest.mark.parametrize("before", [False, True])
    def test_lost_splits_are_asked_again(self, before: bool) -> None:
        bench = Bench()
        if before:
            bench.ask(CommandKind.SPLITS, *GROUPS, durations_ms=(32_000, 20_000, 32_000, 20_000, 32_000))
        bench.transport.mute = True
        bench.ask(CommandKind.SPLITS, *GROUPS, durations_ms=DURATIONS_MS)
        bench.run(500)
        bench.transport.mute = False
        bench.run(1_000)
        assert not bench.alarms()
        number = bench.agent.value("systemPatternControl")
        assert number == (48 if before else 47)
        assert bench.agent.value("splitTime", number, 2) == 30

    def test_a_lost_first_command_is_asked_again(self) -> None:
        bench = phase_control()
        bench.transport.mute = True
        bench.ask(HOLD, "V2")
        bench.run(300)
        bench.transport.mute = False
        bench.run(1_000)
        assert bench.agent.value("phaseControlGroupHold", 1) == 2

    def test_a_lost_force_off_never_ends_the_next_green(self) -> None:
        bench = phase_control()
        bench.agent.show({2: GREEN})
        bench.run(6_000)
        bench.ask(CALL, "V4")
        bench.transport.mute = True
        bench.ask(FORCE, "V2")
        bench.agent.show({2: AMBER})
        bench.transport.mute = False
        bench.run(3_500)
        bench.agent.show({4: GREEN})
        bench.run(20_000)
        assert bench.agent.value("phaseControlGroupForceOff", 1) == 0
        assert 2 not in bench.agent.written("phaseControlGroupForceOff.1")

    def test_a_lost_release_is_owed(self) -> None:
        bench = phase_control()
        bench.ask(CALL, "V4")
        bench.transport.mute = True
        bench.ask(CommandKind.RELEASE)
        bench.run(500)
        bench.transport.mute = False
        bench.run(1_000)
        assert bench.agent.value("phaseControlGroupVehCall", 1) == 0

    def test_at_the_exit_a_silent_controller_is_left_to_its_deadman(self) -> None:
        bench = phase_control()
        bench.ask(CALL, "V4")
        bench.transport.mute = True
        bench.driver.close()
        with pytest.raises(PortError, match="closed"):
            bench.driver.observe(bench.now_ms)

    def test_one_that_was_never_there_is_told(self) -> None:
        transport = InProcess(TableAgent())
        transport.mute = True
        driver = NtcipDriver(spec_of_two_rings(), options(), lambda: 0, transport, threaded=False)
        assert [alarm.name for alarm in driver.alarms()] == ["silent"]
        with pytest.raises(PortError, match=r"none yet: .*no answer"):
            driver.observe(0)


class TestRefusals:
    @pytest.mark.parametrize("status", list(ErrorStatus))
    def test_a_refusal_is_an_alarm_and_takes_everything_back(self, status: ErrorStatus) -> None:
        bench = phase_control()
        bench.ask(CALL, "V4")
        bench.agent.refuse["phaseControlGroupHold"] = status
        bench.ask(HOLD, "V2")
        assert bench.alarms() == ["refused"]
        bench.agent.refuse.clear()
        bench.run(1_000)
        assert bench.agent.value("phaseControlGroupVehCall", 1) == 0

    def test_objects_that_some_controllers_lack_are_not_needed(self) -> None:
        bench = phase_control(agent=TableAgent(absent=("shortAlarmStatus", "unitAlarmStatus2", "coordPatternStatus", "sequenceData")))
        bench.ask(CALL, "V4")
        bench.run(5_000)
        assert not bench.alarms()
        tables = bench.driver.timing_tables()
        assert tables is not None
        assert tables.rings == ((2, 4), (6, 8))

    def test_a_controller_without_lamps_is_never_driven(self) -> None:
        bench = phase_control(agent=TableAgent(absent=("phaseStatusGroupGreens",)))
        bench.run(3_000)
        assert bench.alarms() == ["nonsense"]
        assert "noSuchName" in bench.driver.alarms()[0].text


DIFFERENT = (
    ({"p": 2, "MinimumGreen": 7}, "expected a minimum green of at most the site's minimum green 5000 ms, found 7000 ms"),
    ({"p": 2, "Walk": 7}, "expected a walk of at most"),
    ({"p": 4, "YellowChange": 25}, "expected amber 3000 ms, found 2500 ms"),
    ({"p": 4, "RedClear": 10}, "expected at least the intergreen 5000 ms, found 4000 ms"),
    ({"p": 4, "Options": 0}, "expected phase 4 to be in use"),
    ({"p": 3, "Options": 1}, "found none for phase 3"),
)


@pytest.mark.parametrize(("change", "text"), DIFFERENT)
def test_tables_that_disagree_keep_it_from_going_active(change: dict[str, int], text: str) -> None:
    agent = TableAgent()
    columns = {k: v for k, v in change.items() if k not in ("p", "Options")}
    agent.phase(change["p"], bool(change.get("Options", 1)), **columns)
    bench = phase_control(agent=agent)
    assert bench.alarms() == ["different"]
    assert text in bench.driver.alarms()[0].text


def test_concurrent_phases_of_conflicting_groups_keep_it_from_going_active() -> None:
    agent = TableAgent()
    agent.put("phaseConcurrency", bytes((4, 6)), 2)
    assert "found phases 2 and 4 concurrent" in phase_control(agent=agent).driver.alarms()[0].text


def test_a_longer_amber_is_told_and_no_hindrance() -> None:
    agent = TableAgent()
    agent.phase(2, True, YellowChange=40)
    bench = phase_control(agent=agent)
    assert not bench.alarms()
    assert [d.grave for d in bench.driver.differences()] == [False]
