"""How a user names faults and durations, and what is told where that is wrong."""

from __future__ import annotations

import random

import pytest

from controller.errors import ConfigError
from scenarios.cabinet_faults import LASTS_S, Fault, Planned, parse_faults, random_faults


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
