"""The driver: what each actuation writes, and how it is refreshed and taken back."""

from __future__ import annotations

from typing import Any

import pytest
from support_ntcip import (
    AMBER,
    CALL,
    CONTROLS,
    DETECTORS,
    DURATIONS_MS,
    FORCE,
    GREEN,
    GROUPS,
    HOLD,
    OMIT,
    TABLE,
    Bench,
    TableAgent,
    phase_control,
)

from hardware.ntcip.objects import Oid, Value
from hardware.ports import Actuation, CommandKind, PortError


class TestPhaseControl:
    def test_masks_name_the_groups_phases(self) -> None:
        bench = phase_control()
        bench.ask(HOLD, "V2", "V6")
        bench.ask(CALL, "V8", "P2")
        bench.ask(OMIT, "V4", "P2")
        assert [bench.agent.value(f"phaseControlGroup{n}", 1) for n in CONTROLS] == [8, 2, 34, 0, 128, 2]
        bench.ask(HOLD, "V6")
        bench.ask(OMIT)
        assert [bench.agent.value(f"phaseControlGroup{n}", 1) for n in CONTROLS] == [0, 0, 32, 0, 128, 2]

    def test_the_first_command_clears_what_an_earlier_process_left(self) -> None:
        bench = phase_control()
        bench.agent.put("phaseControlGroupVehCall", 255, 1)
        bench.ask(HOLD, "V2")
        assert bench.agent.value("phaseControlGroupVehCall", 1) == 0

    def test_nothing_is_written_before_the_first_command(self) -> None:
        bench = phase_control()
        bench.run(60_000)
        bench.driver.close()
        assert not bench.agent.history

    @pytest.mark.parametrize("backup_s", [6, 10, 30, 300])
    def test_it_is_refreshed_within_a_third_of_the_deadman(self, backup_s: int) -> None:
        bench = phase_control(agent=TableAgent(backup_s=backup_s))
        bench.ask(HOLD, "V2")
        times: list[int] = []
        count = len(bench.agent.history)

        def look(now_ms: int) -> None:
            nonlocal count
            times.extend([now_ms] * (len(bench.agent.history) - count))
            count = len(bench.agent.history)

        bench.run(backup_s * 4_000, each=look)
        gaps = [b - a for a, b in zip([0, *times], times, strict=False)]
        assert len(times) >= 11
        assert max(gaps) <= backup_s * 1_000 / 3

    def test_a_force_off_ends_with_its_green_and_is_not_written_again(self) -> None:
        bench = phase_control()
        bench.agent.show({2: GREEN})
        bench.run(6_000)
        bench.ask(FORCE, "V2")
        assert bench.agent.written("phaseControlGroupForceOff.1") == [0, 2]
        bench.agent.put("phaseControlGroupForceOff", 0, 1)
        bench.agent.show({2: AMBER})
        bench.run(3_000)
        bench.agent.all_red()
        bench.ask(CALL, "V4")
        bench.run(60_000)
        assert bench.agent.written("phaseControlGroupForceOff.1") == [0, 2], "written again, it would end the next green"

    def test_the_exit_takes_back_calls_first_and_force_offs_last(self) -> None:
        bench = phase_control()
        for kind in (HOLD, CALL, OMIT):
            bench.ask(kind, "V2")
        bench.driver.close()
        assert [name.removeprefix("phaseControlGroup") for name, _ in bench.agent.history[-1]] == [
            *("VehCall.1", "PedCall.1", "PhaseOmit.1", "PedOmit.1", "Hold.1", "ForceOff.1")
        ]
        assert {value for _, value in bench.agent.history[-1]} == {0}

    @pytest.mark.parametrize("most", [1, 2, 5])
    def test_an_agent_that_takes_few_objects_gets_more_requests(self, most: int) -> None:
        bench = phase_control(most=most)
        bench.ask(CALL, "V8", "P2")
        bench.run(60_000)
        assert [bench.agent.value(f"phaseControlGroup{n}", 1) for n in CONTROLS] == [0, 0, 0, 0, 128, 2]
        assert max(map(len, bench.agent.history)) <= most
        bench.driver.close()
        assert [bench.agent.value(f"phaseControlGroup{n}", 1) for n in CONTROLS] == [0] * 6


class TestSplits:
    def test_the_pattern_is_written_read_back_and_then_run(self) -> None:
        bench = Bench()
        bench.ask(CommandKind.SPLITS, *GROUPS, durations_ms=DURATIONS_MS)
        assert [len(pairs) for pairs in bench.agent.history] == [1, 16, 1], "standby, the whole pattern in one request, its activation"
        assert bench.agent.history[-1] == [("systemPatternControl", 47)]
        assert [bench.agent.value("splitTime", 47, p) for p in (2, 4, 6, 8)] == [30, 20, 30, 20]
        assert [bench.agent.value("splitCoordPhase", 47, p) for p in (2, 4, 6, 8)] == [1, 0, 1, 0]
        assert bench.agent.value("patternCycleTime", 47) == 50

    def test_new_splits_go_where_nothing_runs_in_bounded_steps(self) -> None:
        bench = Bench(step_s=4)
        bench.ask(CommandKind.SPLITS, *GROUPS, durations_ms=DURATIONS_MS)
        bench.agent.put("coordPatternStatus", 47)
        bench.run(1_000)
        bench.ask(CommandKind.SPLITS, *GROUPS, durations_ms=(40_000, 20_000, 40_000, 20_000, 40_000))
        assert bench.agent.value("systemPatternControl") == 48
        assert bench.agent.value("splitTime", 48, 2) == 34
        assert bench.agent.value("splitTime", 47, 2) == 30, "what runs is not touched"

    def test_equal_splits_are_not_written_again(self) -> None:
        bench = Bench()
        for _ in range(3):
            bench.ask(CommandKind.SPLITS, *GROUPS, durations_ms=DURATIONS_MS)
        assert len(bench.agent.history) == 3

    def test_only_the_activation_is_refreshed(self) -> None:
        bench = Bench()
        bench.ask(CommandKind.SPLITS, *GROUPS, durations_ms=DURATIONS_MS)
        bench.run(60_000)
        assert len(bench.agent.history) > 8
        assert {tuple(pairs) for pairs in bench.agent.history[3:]} == {(("systemPatternControl", 47),)}

    @pytest.mark.parametrize("most", [1, 7])
    def test_a_controller_that_takes_few_objects_gets_a_transaction(self, most: int) -> None:
        bench = Bench(Verifying(), most=most)
        bench.ask(CommandKind.SPLITS, *GROUPS, durations_ms=DURATIONS_MS)
        assert not bench.alarms()
        assert bench.agent.written("dbCreateTransaction") == [2, 3, 1]
        assert bench.agent.value("splitTime", 47, 2) == 30
        assert bench.agent.value("systemPatternControl") == 47

    def test_a_transaction_that_is_never_done_is_left_and_told(self) -> None:
        agent = TableAgent()
        agent.put("dbCreateTransaction", 1)
        bench = Bench(agent, most=7)
        bench.ask(CommandKind.SPLITS, *GROUPS, durations_ms=DURATIONS_MS)
        assert agent.written("dbCreateTransaction") == [2, 3, 1]
        assert "expected 6 (done) after the verification, found 3" in bench.driver.alarms()[0].text
        assert agent.value("systemPatternControl") == 0

    @pytest.mark.parametrize("most", [1, 7])
    def test_a_controller_without_transactions_gets_single_requests(self, most: int) -> None:
        bench = Bench(most=most)
        bench.ask(CommandKind.SPLITS, *GROUPS, durations_ms=DURATIONS_MS)
        assert bench.agent.value("systemPatternControl") == 47
        assert max(map(len, bench.agent.history)) <= most

    def test_what_is_read_back_otherwise_is_not_run(self) -> None:
        bench = Bench(Forgetful())
        bench.ask(CommandKind.SPLITS, *GROUPS, durations_ms=DURATIONS_MS)
        assert bench.alarms() == ["refused"]
        assert bench.agent.value("systemPatternControl") == 0
        assert "expected the written 30 to stand there, found 29" in bench.driver.alarms()[0].text

    def test_a_cycle_that_cannot_be_run_is_told(self) -> None:
        bench = Bench()
        bench.ask(CommandKind.SPLITS, *GROUPS, durations_ms=(200_000,) * 5)
        assert bench.alarms() == ["refused"]
        assert "expected a cycle of 30 to 255 s, found 400 s" in bench.driver.alarms()[0].text

    def test_release_gives_the_controller_its_own_plan(self) -> None:
        bench = Bench()
        bench.ask(CommandKind.SPLITS, *GROUPS, durations_ms=DURATIONS_MS)
        bench.ask(CommandKind.RELEASE)
        assert bench.agent.value("systemPatternControl") == 0
        count = len(bench.agent.history)
        bench.run(60_000)
        assert len(bench.agent.history) == count


class Verifying(TableAgent):
    """Keeps what is written in a transaction aside until it is verified (NTCIP 1201)."""

    def __init__(self) -> None:
        super().__init__()
        self.put("dbCreateTransaction", 1)

    def get(self, oid: Oid) -> Value:
        state = oid == TABLE.oid("dbCreateTransaction")
        return 6 if state and super().get(oid) == 3 else super().get(oid)


class Forgetful(TableAgent):
    """Takes a split of 30 s for one of 29 s."""

    def get(self, oid: Oid) -> Value:
        value = super().get(oid)
        return 29 if value == 30 and oid[:-2] == TABLE.spec("splitTime").oid else value


class TestCalls:
    def bench(self, **more: Any) -> Bench:
        agent = TableAgent()
        for d in (33, 34):
            agent.put("vehicleDetectorCallPhase", 4, d)
        for g in range(1, 6):
            agent.put("vehicleDetectorControlGroupActuation", 0, g)
        agent.put("pedestrianDetectorControlGroupActuation", 0, 1)
        return Bench(agent, actuation=Actuation.CALLS, detectors=DETECTORS, **more)

    def test_calls_go_to_virtual_detectors_and_nowhere_else(self) -> None:
        bench = self.bench()
        bench.ask(CALL, "V4", "P2")
        assert bench.agent.value("vehicleDetectorControlGroupActuation", 5) == 3
        assert bench.agent.value("pedestrianDetectorControlGroupActuation", 1) == 2
        bench.ask(CALL)
        assert bench.agent.value("vehicleDetectorControlGroupActuation", 5) == 0
        assert not [name for pairs in bench.agent.history for name, _ in pairs if "DetectorControlGroup" not in name]

    def test_they_are_taken_back_at_the_exit(self) -> None:
        bench = self.bench()
        bench.ask(CALL, "V4", "P2")
        bench.driver.close()
        assert bench.agent.value("vehicleDetectorControlGroupActuation", 5) == 0
        assert bench.agent.value("pedestrianDetectorControlGroupActuation", 1) == 0

    def test_what_no_deadman_takes_back_is_not_refreshed(self) -> None:
        bench = self.bench()
        bench.ask(CALL, "V4")
        count = len(bench.agent.history)
        bench.run(60_000)
        assert len(bench.agent.history) == count
        assert bench.agent.value("vehicleDetectorControlGroupActuation", 5) == 3, "and stays when we die: docs/hardware/ntcip.md"

    def test_a_detector_of_another_phase_keeps_it_from_going_active(self) -> None:
        agent = self.bench().agent
        agent.put("vehicleDetectorCallPhase", 2, 34)
        bench = Bench(agent, actuation=Actuation.CALLS, detectors=DETECTORS)
        assert bench.alarms() == ["different"]
        assert "expected detector 34 to call phase 4, found phase 2" in bench.driver.alarms()[0].text

    def test_a_group_without_detectors_is_refused(self) -> None:
        with pytest.raises(PortError, match=r"expected groups out of .* with actuation calls, found"):
            self.bench().ask(CALL, "V2")
