"""The driver: what each actuation writes, how it is refreshed and taken back, and what it makes of agents that refuse, lose or lie."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from support_ntcip import AMBER, GREEN, PHASES, TABLE, Bench, TableAgent, options, spec_of_two_rings

from hardware.ntcip.driver import NtcipDriver
from hardware.ntcip.objects import Oid, Value
from hardware.ntcip.options import NtcipOptions
from hardware.ntcip.transport import ErrorStatus, InProcess
from hardware.ports import Actuation, CommandKind, PortError
from hardware.registry import SIGNALS, driver_of

HOLD, FORCE, OMIT, CALL = CommandKind.HOLD, CommandKind.FORCE_OFF, CommandKind.OMIT, CommandKind.CALL
GROUPS = tuple(PHASES)
DURATIONS_MS = (30_000, 20_000, 30_000, 20_000, 30_000)
CONTROLS = ("PhaseOmit", "PedOmit", "Hold", "ForceOff", "VehCall", "PedCall")


def phase_control(**more: Any) -> Bench:
    return Bench(actuation=Actuation.PHASE_CONTROL, **more)


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
    DETECTORS: Mapping[str, tuple[str, ...]] = {"V4": ("detector 33", "detector 34"), "P2": ("ped detector 2",)}

    def bench(self, **more: Any) -> Bench:
        agent = TableAgent()
        for d in (33, 34):
            agent.put("vehicleDetectorCallPhase", 4, d)
        for g in range(1, 6):
            agent.put("vehicleDetectorControlGroupActuation", 0, g)
        agent.put("pedestrianDetectorControlGroupActuation", 0, 1)
        return Bench(agent, actuation=Actuation.CALLS, detectors=self.DETECTORS, **more)

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
        bench = Bench(agent, actuation=Actuation.CALLS, detectors=self.DETECTORS)
        assert bench.alarms() == ["different"]
        assert "expected detector 34 to call phase 4, found phase 2" in bench.driver.alarms()[0].text

    def test_a_group_without_detectors_is_refused(self) -> None:
        with pytest.raises(PortError, match=r"expected groups out of .* with actuation calls, found"):
            self.bench().ask(CALL, "V2")


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
        assert bench.agent.value("splitTime", number, 2) == 30  # type: ignore[arg-type]

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


@pytest.mark.parametrize(
    ("actuation", "kind", "groups"),
    [
        (Actuation.SPLITS, HOLD, ("V2",)),
        (Actuation.PHASE_CONTROL, CommandKind.SPLITS, GROUPS),
        (Actuation.CALLS, FORCE, ("V2",)),
    ],
)
def test_commands_of_another_actuation_are_refused(actuation: Actuation, kind: CommandKind, groups: Sequence[str]) -> None:
    more = {"detectors": TestCalls.DETECTORS} if actuation is Actuation.CALLS else {}
    bench = Bench(actuation=actuation, **more)
    with pytest.raises(PortError, match="expected one of"):
        bench.ask(kind, *groups, durations_ms=DURATIONS_MS if kind is CommandKind.SPLITS else ())


def test_a_driver_with_its_thread_answers_at_once_and_ends() -> None:
    agent, now = TableAgent(), [0]
    slow = threading.Event()

    class Slow(InProcess):
        def get_many(self, oids: Sequence[Oid]) -> Sequence[Value]:
            slow.wait(0.05)
            return super().get_many(oids)

    driver = NtcipDriver(spec_of_two_rings(), options(poll_ms=100), lambda: now[0], Slow(agent, most_per_request=40))
    with pytest.raises(PortError, match="none yet"):
        driver.observe(0)
    for _ in range(100):
        now[0] += 10
        slow.wait(0.05)
        if driver._session.sweeps > 2:
            break
    assert driver.observe(now[0]).mode == "remote"
    assert driver.observe(now[0]).at_ms <= now[0]
    driver.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("ntcip")]


def test_a_thread_that_dies_is_told() -> None:
    class Broken(InProcess):
        def get_many(self, oids: Sequence[Oid]) -> Sequence[Value]:
            raise RuntimeError("a fault of ours")

    caught: list[object] = []
    hook, threading.excepthook = threading.excepthook, lambda args: caught.append(args.exc_value)
    try:
        driver = NtcipDriver(spec_of_two_rings(), options(), lambda: 0, Broken(TableAgent()))
        assert driver._thread is not None
        driver._thread.join(5)
        with pytest.raises(PortError, match=r"its driver has ended .*a fault of ours"):
            driver.observe(0)
        driver.close()
    finally:
        threading.excepthook = hook
    assert [str(error) for error in caught] == ["a fault of ours"]


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"phases": {**PHASES, "X": "phase 1"}}, "unknown \\['X'\\]"),
        ({"phases": {"V2": "phase 2"}}, "missing"),
        ({"phases": {**PHASES, "V2": "detector 2"}}, "expected a phase, ped or overlap, found detector 2"),
        ({"detectors": {"V2": ("phase 2",)}}, "expected detectors, found phase 2"),
    ],
)
def test_a_map_that_does_not_fit_the_site_is_refused(more: dict[str, Any], text: str) -> None:
    with pytest.raises(PortError, match=text):
        NtcipDriver(spec_of_two_rings(), options(**more), lambda: 0, InProcess(TableAgent()), threaded=False)


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"phases": {"V2": "phase"}}, "expected a place such as"),
        ({"phases": {}}, "phases: expected a value"),
        ({"profile": "cobald"}, "expected one of standard, v2c, v3, cobalt, maxtime"),
        ({"version": "4"}, "expected 1, 2c or 3, found '4'"),
        ({"version": "3"}, "user: expected a value with SNMP version 3"),
        ({"user": "umlauf"}, "user: expected none with SNMP version 1, found 'umlauf'"),
        ({"user": "u" * 33}, "user: expected at most 32 ASCII letters"),
        ({"community_secret_file": ""}, "community_secret_file: expected a value with SNMP version 1, found none"),
        ({"host": "[fd00::7"}, "host: expected an address such as"),
        ({"host": "fd00::7:x"}, "host: expected an address such as"),
        ({"host": "[10.0.0.7]:161"}, "host: expected an address such as"),
        ({"host": "10.0.0.7:99999"}, "host: expected an address such as"),
        ({"host": "two words"}, "host: expected an address such as"),
        ({"host": "fe80::7%eth0"}, "found the link-local 'fe80::7%eth0'"),
        ({"host": "[::1]:161", "port": 161}, "port: expected none beside the one in host"),
        ({"patterns": (47, 47)}, "patterns: expected two different numbers"),
        ({"patterns": (254, 255)}, "of 1 to 253"),
        ({"poll_ms": 5}, "poll_ms: expected 100 to 10000, found 5"),
        ({"status_age_ms": 300}, "status_age_ms: expected 600"),
        ({"objects": {"nothing": "1.2.3"}}, "object nothing: expected one of"),
        ({"bare_scalars": ("phaseWalk",)}, "expected 1 index numbers"),
        ({"actuation": Actuation.CALLS}, "expected virtual detectors"),
    ],
)
def test_options_that_make_no_sense_are_refused(more: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        options(**more)


def test_a_profile_is_overridden_value_by_value() -> None:
    quirks = options(profile="cobalt", objects_per_request=8, bare_scalars=("sysUpTime",)).quirks()
    assert (quirks.version, quirks.port, quirks.objects_per_request, quirks.bare_scalars) == ("1", 501, 8, ("sysUpTime",))
    assert [options(profile="cobalt", **more).quirks().port for more in ({"port": 7}, {"host": "[::1]:8"}, {"host": "::1"})] == [7, 8, 501]


@pytest.mark.parametrize(
    ("host", "community", "warned"),
    [("10.0.0.7", "Public", True), ("[fd00::7]:161", "private", True), ("10.0.0.7", "4 own", False), ("::1", "public", False), ("127.0.0.1", "public", False)],
)
def test_a_community_that_everybody_tries_first_is_warned_of_beyond_this_machine(host: str, community: str, warned: bool) -> None:
    assert bool(options(host=host).secret_warning("community_secret_file", community)) == warned


def test_without_its_library_the_registry_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [m for m in sys.modules if m.startswith("pysnmp") or m in ("hardware.ntcip.opening", "hardware.ntcip.snmp")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pysnmp", None)
    driver = driver_of(SIGNALS, "ntcip")
    assert driver.load_options() is NtcipOptions
    with pytest.raises(PortError, match=r"pip install 'umlauf\[ntcip\]'"):
        driver.load_factory()
