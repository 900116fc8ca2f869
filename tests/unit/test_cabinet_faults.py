"""How a user names faults and durations, and what is told where that is wrong."""

from __future__ import annotations

import random

import pytest

from controller.errors import ConfigError
from scenarios.cabinet_faults import LASTS_S, Fault, Planned, parse_duration_s, parse_faults, random_faults


@pytest.mark.parametrize(("text", "duration_s"), [("60s", 60.0), ("1.5m", 90.0), ("1h", 3600.0), ("2d", 172_800.0), ("45", 45.0)])
def test_durations_have_a_unit_or_are_seconds(text: str, duration_s: float) -> None:
    assert parse_duration_s(text) == duration_s


@pytest.mark.parametrize("text", ["", "s", "0s", "-3s", "nan", "inf", "1e9h", "ten", "5 minutes"])
def test_what_is_no_duration_is_told(text: str) -> None:
    with pytest.raises(ConfigError, match="expected a number with s, m, h or d"):
        parse_duration_s(text)


def test_faults_come_in_the_order_of_time() -> None:
    assert parse_faults("guard-kill@30, loop-chatter@2.5,", 60.0) == (Planned(2.5, Fault.LOOP_CHATTER), Planned(30.0, Fault.GUARD_KILL))
    assert parse_faults("", 60.0) == ()


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_faults("sabotage@3,guard-kill@60,disk-full,loop-chatter@-1,clock-step@nan", 60.0)
    lines = str(caught.value).splitlines()
    assert len(lines) == 5
    assert "fault 'sabotage': expected one of optimizer-kill" in lines[0]
    assert "below the duration of 60 s, found 60" in lines[1]
    assert "expected NAME@T" in lines[2]


def test_random_faults_are_as_many_as_asked_for_and_the_same_from_the_same_seed() -> None:
    found = random_faults(random.Random(4), 86_400.0, every_s=600.0)
    assert 110 < len(found) < 180
    assert found == random_faults(random.Random(4), 86_400.0, every_s=600.0)
    assert {f.fault for f in found} == set(Fault)
    assert all(0.0 < f.at_s < 86_400.0 for f in found)


def test_how_long_each_lasts_is_written_down() -> None:
    assert set(LASTS_S) == set(Fault)
