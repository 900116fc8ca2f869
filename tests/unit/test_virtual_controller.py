"""The virtual controller obeys its own times whatever it is asked, and does what NTCIP 1202 says to each object."""

from __future__ import annotations

import random

import pytest
from support_virtual import PATTERN, TABLE, Watched, dual_ring

from hardware.ntcip.transport import ErrorStatus, ObjectError
from hardware.signals import Aspect
from hardware.virtual.controller import VirtualController

STANDBY, FREE, FLASH = 0, 254, 255
BACKUP, SYSTEM = 4, 2


def call_all(one: Watched) -> None:
    for detector in range(1, 9):
        one.controller.detect(detector, True)


class TestFree:
    def test_it_rests_where_nobody_waits_and_goes_to_who_calls(self) -> None:
        one = Watched()
        one.run(30)
        assert one.greens[-1][1] == {2, 6}
        one.controller.detect(4, True)
        one.run(10)
        assert one.greens[-1][1] == {4, 8}  # dual entry
        one.controller.detect(4, False)
        one.run(20)
        assert one.greens[-1][1] == {2, 6}  # recall
        assert not one.checker.unsafe_frames

    def test_with_all_called_each_phase_gets_its_maximum_in_order(self) -> None:
        one = Watched()
        call_all(one)
        one.run(600)
        order = [green for _, green in one.greens if len(green) == 2]
        assert order[:5] == [{2, 6}, {3, 7}, {4, 8}, {1, 5}, {2, 6}]
        assert set(one.lengths_s(4)) <= {40.0, 40.1}
        assert not one.checker.unsafe_frames

    def test_a_green_without_vehicles_gaps_out_after_its_minimum(self) -> None:
        one = Watched()
        one.controller.detect(4, True)
        one.run(1)
        one.controller.detect(4, False)
        one.run(30)
        assert one.lengths_s(4) == [5.0]

    def test_pedestrians_walk_and_are_cleared_before_the_green_ends(self) -> None:
        one = Watched()
        one.controller.push_button(4)
        one.run(60)
        assert one.lengths_s(4) == [13.0]
        assert not one.checker.unsafe_frames


class TestPattern:
    def test_it_keeps_cycle_splits_and_offset(self) -> None:
        one = Watched(dual_ring(local_pattern=1))
        call_all(one)
        one.run(400)
        begins = [at_ms for at_ms, green in one.greens if green == {2, 6}][1:]
        assert [b % 80_000 for b in begins] == [begins[0] % 80_000] * len(begins)
        assert set(one.lengths_s(4)[1:]) == {20.0}
        assert one.get("coordPatternStatus") == 1
        assert not one.checker.unsafe_frames

    @pytest.mark.parametrize(("what", "value"), [("splitTime", 12), ("patternCycleTime", 79), ("patternSplitNumber", 0)])
    def test_a_pattern_that_cannot_run_runs_free_and_says_so(self, what: str, value: int) -> None:
        one = Watched()
        one.set("systemPatternControl", 1)
        assert one.get("coordPatternStatus") == 1
        one.set(what, value, *((1, 2) if what == "splitTime" else (1,)))
        assert one.get("coordPatternStatus") == FREE
        assert one.get("localFreeStatus") in (7, 8, 9)

    def test_a_downloaded_pattern_runs_and_other_splits_take_effect(self) -> None:
        one = Watched()
        call_all(one)
        pairs = [(TABLE.oid("patternCycleTime", 9), 70), (TABLE.oid("patternSplitNumber", 9), 9), (TABLE.oid("splitCoordPhase", 9, 2), 1)]
        pairs += [(TABLE.oid("splitCoordPhase", 9, 6), 1)]
        pairs += [(TABLE.oid("splitTime", 9, p), s) for p, s in {1: 10, 2: 20, 3: 15, 4: 25, 5: 10, 6: 20, 7: 15, 8: 25}.items()]
        one.controller.set(pairs)
        for _ in range(60):
            one.set("systemPatternControl", 9)
            one.run(5)
        assert one.get("unitControlStatus") == SYSTEM
        assert set(one.lengths_s(3)[1:]) == {10.0}
        assert not one.checker.unsafe_frames


class TestOrders:
    def test_hold_keeps_a_green_and_force_off_ends_it_once(self) -> None:
        one = Watched(dual_ring(backup_s=200))
        call_all(one)
        one.set("phaseControlGroupHold", 0b100010, 1)
        one.run(100)
        assert one.greens[-1][1] == {2, 6}
        one.set("phaseControlGroupHold", 0, 1)
        one.run(30)
        assert one.greens[-1][1] != {2, 6}
        now = one.greens[-1][1]
        one.set("phaseControlGroupForceOff", sum(1 << p - 1 for p in now), 1)
        one.run(12)
        assert one.greens[-1][1] != now
        assert one.get("phaseControlGroupForceOff", 1) == 0
        assert not one.checker.unsafe_frames

    def test_a_force_off_does_not_cut_minimum_or_pedestrians(self) -> None:
        one = Watched(dual_ring(backup_s=200))
        one.set("phaseControlGroupForceOff", 255, 1)
        one.controller.push_button(4)
        one.run(60)
        assert one.lengths_s(4)[0] == 13.0

    def test_an_omitted_phase_is_left_out_and_a_called_one_served(self) -> None:
        one = Watched(dual_ring(backup_s=0))
        one.set("phaseControlGroupPhaseOmit", 0b1000100, 1)
        one.set("phaseControlGroupVehCall", 0b11111111, 1)
        one.run(200)
        shown = frozenset().union(*(green for _, green in one.greens))
        assert shown == {1, 2, 4, 5, 6, 8}

    def test_flash_comes_after_all_greens_have_ended_and_ends_over_all_red(self) -> None:
        one = Watched(dual_ring(backup_s=60))
        one.run(20)
        one.set("systemPatternControl", FLASH)
        one.run(20)
        assert set(one.controller.lamps().values()) == {Aspect.FLASHING_AMBER, Aspect.DARK}
        assert one.get("unitFlashStatus") == 3
        one.set("systemPatternControl", STANDBY)
        one.run(40)
        assert one.get("unitFlashStatus") == 2
        assert not one.checker.unsafe_frames

    def test_a_preempt_dwells_on_its_phases(self) -> None:
        one = Watched()
        call_all(one)
        one.run(33)
        one.controller.preempt(1)
        one.run(30)
        assert one.greens[-1][1] == {4, 7}
        assert one.get("shortAlarmStatus") & 1
        one.controller.preempt(0)
        one.run(60)
        assert one.greens[-1][1] != {4, 7}
        assert not one.checker.unsafe_frames


class TestDeadman:
    def test_without_news_all_is_zeroed_and_its_own_plan_runs(self) -> None:
        one = Watched(dual_ring(local_pattern=1))
        one.set("systemPatternControl", FREE)
        one.set("phaseControlGroupHold", 1, 1)
        one.run(9.9)
        assert (one.get("unitControlStatus"), one.get("coordPatternStatus")) == (SYSTEM, FREE)
        one.run(0.2)
        assert (one.get("unitControlStatus"), one.get("coordPatternStatus")) == (BACKUP, 1)
        assert (one.get("phaseControlGroupHold", 1), one.get("systemPatternControl")) == (0, 0)
        one.set("systemPatternControl", FREE)
        assert one.get("unitControlStatus") == SYSTEM

    def test_only_system_control_parameters_restart_it(self) -> None:
        one = Watched()
        one.set("systemPatternControl", 1)
        for _ in range(4):
            one.run(3)
            one.set("patternOffsetTime", 5, 2)
        assert one.get("unitControlStatus") == BACKUP

    def test_zero_means_that_it_never_falls_back(self) -> None:
        one = Watched(dual_ring(backup_s=0))
        one.set("systemPatternControl", 1)
        one.run(1_000)
        assert one.get("systemPatternControl") == 1


class TestUnit:
    def test_it_flashes_at_power_up_and_starts_over_all_red(self) -> None:
        one = Watched(warm=False)
        one.run(4)
        assert one.get("unitFlashStatus") == 7
        assert one.get("phaseStatusGroupGreens", 1) == one.get("phaseStatusGroupReds", 1) == 0
        one.run(5)
        assert set(one.controller.lamps().values()) == {Aspect.RED}
        one.run(4)
        assert one.greens[-1][1] == {2, 6}
        assert not one.checker.unsafe_frames

    def test_a_reboot_forgets_system_control_and_the_time_since_it_started(self) -> None:
        one = Watched()
        one.run(60)
        one.set("systemPatternControl", 1)
        assert one.get("sysUpTime") == 6_000
        one.controller.power_up(one.controller.now_ms)
        assert (one.get("sysUpTime"), one.get("systemPatternControl")) == (0, 0)

    def test_the_conflict_monitor_takes_the_lamps_away_until_reset(self) -> None:
        one = Watched()
        one.run(10)
        one.controller.fail(one.controller.now_ms)
        one.run(60)
        assert one.get("unitFlashStatus") == 6
        assert one.get("unitAlarmStatus1") & 16
        one.controller.reset(one.controller.now_ms)
        one.run(20)
        assert one.get("unitFlashStatus") == 2

    def test_status_masks_say_what_the_lamps_show(self) -> None:
        one = Watched()
        one.controller.push_button(4)
        for _ in range(300):
            one.run(0.1)
            lamps = one.controller.lamps()
            for mask, aspect in (("Greens", Aspect.GREEN), ("Yellows", Aspect.AMBER), ("Reds", Aspect.RED)):
                told = one.get(f"phaseStatusGroup{mask}", 1)
                assert told == sum(1 << p - 1 for p in range(1, 9) if lamps[f"p{p}"] is aspect)
            walks = one.get("phaseStatusGroupWalks", 1)
            assert walks == sum(1 << p - 1 for p in (2, 4, 6, 8) if lamps[f"w{p}"] is Aspect.GREEN)


class TestObjects:
    @pytest.mark.parametrize(
        ("name", "index", "value", "status"),
        [
            ("systemPatternControl", (), 256, ErrorStatus.BAD_VALUE),
            ("phaseControlGroupHold", (1,), b"1", ErrorStatus.BAD_VALUE),
            ("phaseControlGroupHold", (7,), 1, ErrorStatus.NO_SUCH_NAME),
            ("phaseStatusGroupGreens", (1,), 1, ErrorStatus.READ_ONLY),
            ("phaseNumber", (1,), 1, ErrorStatus.READ_ONLY),
            ("splitMode", (1, 1), 8, ErrorStatus.BAD_VALUE),
        ],
    )
    def test_a_set_that_fails_names_the_object_and_changes_nothing(self, name: str, index: tuple[int, ...], value: int | bytes, status: ErrorStatus) -> None:
        controller = VirtualController(dual_ring())
        good = TABLE.oid("patternCycleTime", 5)
        with pytest.raises(ObjectError) as caught:
            controller.set([(good, 90), (TABLE.oid(name, *index), value)])
        assert (caught.value.status, caught.value.oid) == (status, TABLE.oid(name, *index))
        assert controller.get(good) == 0

    def test_a_walk_passes_every_object_once_in_order(self) -> None:
        controller, oid, seen = VirtualController(dual_ring()), (1,), []
        while (found := controller.get_next(oid)) is not None:
            oid, value = found
            seen.append(oid)
            assert controller.get(oid) == value
        assert seen == sorted(set(seen))
        assert len(seen) > 500
        assert TABLE.oid("phaseConcurrency", 1) in seen

    def test_within_a_transaction_the_database_changes_only_when_it_is_verified(self) -> None:
        one = Watched()
        one.set("dbCreateTransaction", 2)
        one.set("patternCycleTime", 99, 5)
        assert one.get("patternCycleTime", 5) == 0
        with pytest.raises(ObjectError, match="genErr"):
            one.set("dbCreateTransaction", 6)
        one.set("dbCreateTransaction", 3)
        assert (one.get("patternCycleTime", 5), one.get("dbCreateTransaction")) == (99, 6)
        one.set("dbCreateTransaction", 1)
        one.set("dbCreateTransaction", 2)
        one.set("patternCycleTime", 50, 5)
        one.set("dbCreateTransaction", 1)
        assert one.get("patternCycleTime", 5) == 99


@pytest.mark.parametrize("seed", range(5))
def test_whatever_is_set_its_lamps_are_lawful(seed: int) -> None:
    source = random.Random(seed)
    one = Watched(dual_ring(local_pattern=source.choice((FREE, PATTERN.pattern)), backup_s=source.choice((0, 5, 10))))
    names = [f"phaseControlGroup{m}" for m in ("PhaseOmit", "PedOmit", "Hold", "ForceOff", "VehCall", "PedCall")]
    for _ in range(250):
        roll = source.random()
        if roll < 0.5:
            one.set(source.choice(names), source.choice((0, source.randrange(256))), 1)
        elif roll < 0.6:
            one.set("systemPatternControl", source.choice((0, 0, 1, 1, 254, 255, 7)))
        elif roll < 0.7:
            one.set("splitTime", source.randrange(0, 60), 1, source.randrange(1, 9))
        elif roll < 0.75:
            one.set("preemptControlState", source.randrange(2), 1)
        elif roll < 0.78:
            one.controller.preempt(source.randrange(2))
        elif roll < 0.8:
            one.set("splitMode", source.randrange(1, 8), 1, source.randrange(1, 9))
        else:
            one.controller.detect(source.randrange(1, 9), source.random() < 0.5)
            one.controller.push_button(source.choice((2, 4, 6, 8)))
        one.run(source.choice((0.1, 1.0, 5.0, 15.0)))
    assert not one.checker.faults
    assert len(one.greens) > 10


def test_with_everything_called_nobody_starves_after_any_order() -> None:
    one = Watched(dual_ring(backup_s=10))
    one.set("phaseControlGroupPhaseOmit", 255, 1)
    call_all(one)
    one.run(300)
    assert all(one.lengths_s(p) for p in (1, 3, 4, 5, 7, 8))
