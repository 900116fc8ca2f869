"""Shares by counts: they have the counted sums, change as few lanes as these allow, and say nothing where the sums do not fit."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support_control import Watch, cover, drive, junction, loops, total, without

from controller.junction import Detector, Junction, Purpose
from controller.lane_shares import LEAST_SHARE, LaneShares, lane_shares, row_before
from controller.vehicles import Vehicles

pytestmark = pytest.mark.quick

ONE = junction()
APPROACH = {x.id: x.approach for x in ONE.lanes}
LOOPS = {d.id: d for d in loops() if d.purpose is not Purpose.EXIT}


def east(one: Junction = ONE) -> LaneShares:
    """Return the shares of the east arm."""
    (found,) = [x for x in lane_shares({d.id: d for d in one.detectors if d.purpose is not Purpose.EXIT}, APPROACH) if "e0/1" in x.loops]
    return found


def counted(shares: LaneShares, **veh: int) -> dict[str, dict[str, float]]:
    """Count so many vehicles over each loop, in turn, and return the shares."""
    left = {name.replace("_", "/"): number for name, number in veh.items()}
    while any(left.values()):
        for name in [name for name, number in left.items() if number]:
            left[name] -= 1
            shares.count(name)
    return shares.by_loop()


def test_nobody_is_thought_to_change_where_the_sums_need_no_change() -> None:
    found = counted(east(), e0_45=60, e1_45=30, e0_1=60, e1_1=30)
    assert found["e0/45"]["e0"] > 0.95
    assert found["e1/45"]["e1"] > 0.95


def test_the_sums_tell_who_changes() -> None:
    """Both lanes bring as many, and nearly all leave from the left one: those of the right lane have changed."""
    found = counted(east(), e0_45=120, e1_45=120, e0_1=20, e1_1=220)
    assert found["e0/45"]["e1"] == pytest.approx(0.8, abs=0.1)
    assert found["e1/45"]["e1"] > 0.95


@given(st.integers(20, 120), st.integers(20, 120), st.floats(0.1, 0.9))
def test_a_table_of_shares_has_the_counted_sums(right: int, left: int, leaves_right_ratio: float) -> None:
    """Checked against the counts themselves, with the twenty vehicles of the prior at each loop."""
    gone_right = round((right + left) * leaves_right_ratio)
    found = counted(east(), e0_45=right, e1_45=left, e0_1=gone_right, e1_1=right + left - gone_right)
    passed = {"e0/45": right + 20.0, "e1/45": left + 20.0}
    for line in found.values():
        assert sum(line.values()) == pytest.approx(1.0, abs=0.01)
    reached = sum(veh * found[loop]["e0"] for loop, veh in passed.items())
    assert reached == pytest.approx(gone_right + 20.0, abs=2.0 + 2.0 * LEAST_SHARE * (right + left))


def test_nothing_is_said_where_many_turn_off_before_the_stop_lines() -> None:
    assert counted(east(), e0_45=100, e1_45=100, e0_1=50, e1_1=80) == {}


def test_nothing_is_counted_while_a_loop_is_not_trusted() -> None:
    shares = east()
    before = counted(shares, e0_45=40, e1_45=40, e0_1=40, e1_1=40)
    shares.hear(frozenset({"e1/1"}))
    assert counted(shares, e0_45=80, e1_45=80, e0_1=160) == before
    shares.hear(frozenset())
    assert counted(shares, e0_45=80, e1_45=80, e0_1=150, e1_1=10)["e1/45"]["e0"] > 0.3


def test_what_was_counted_can_be_forgotten() -> None:
    shares = east()
    fresh = shares.by_loop()
    counted(shares, e0_45=80, e1_45=80, e0_1=150, e1_1=10)
    shares.reset()
    assert shares.by_loop() == fresh


def test_old_counts_fade() -> None:
    shares = east()
    counted(shares, e0_45=120, e1_45=120, e0_1=20, e1_1=220)
    assert counted(shares, e0_45=600, e1_45=600, e0_1=600, e1_1=600)["e0/45"]["e0"] > 0.9


def test_a_row_with_a_way_around_it_is_none() -> None:
    """Without the loop at 45 m in one lane, who comes on it is seen by nobody there."""
    one = without(ONE, "e1/45")
    left = {d.id: d for d in one.detectors if d.purpose is not Purpose.EXIT}
    assert set(row_before(LOOPS["e0/1"], LOOPS, APPROACH)) == {"e0/45", "e1/45"}
    assert row_before(left["e0/1"], left, APPROACH) == ()
    assert not [x for x in lane_shares(left, APPROACH) if "e0/1" in x.loops]


def test_a_lane_with_two_stop_loops_is_not_counted() -> None:
    twice = Detector("e0/9", Purpose.STOP, ("e0",), 9.0, 2.0, upstream=("e0/45",))
    assert not [x for x in lane_shares({**LOOPS, twice.id: twice}, APPROACH) if "e0/1" in x.loops]


def pocket() -> Junction:
    """Return the crossing with an east arm of one file that parts into its lanes behind the 45 m loop."""
    arm = (
        Detector("e0/1", Purpose.STOP, ("e0",), 1.0, 2.0, upstream=("e/45",)),
        Detector("e1/1", Purpose.STOP, ("e1",), 1.0, 2.0, upstream=("e/45",)),
        Detector("e/45", Purpose.ADVANCE, ("e0", "e1"), 45.0, 2.0, upstream=("e/120",)),
        Detector("e/120", Purpose.ENTRY, ("e0", "e1"), 120.0, 2.0),
    )
    return replace(ONE, detectors=(*[d for d in ONE.detectors if not d.id.startswith(("e0/", "e1/"))], *arm))


def test_who_drives_in_one_file_is_where_the_file_is_seen() -> None:
    """The first of six waits to turn left, and all behind him with him; when he has gone, two go straight on, and the rest is not lost."""
    watch = Watch(junction=pocket())
    for k in range(6):
        watch.add(drive("e/120", 4_000 + 2_000 * k), drive("e/45", 10_000 + 2_000 * k))
    watch.add(cover("e1/1", 14_000, 60_000))
    held = watch.until(55_000)
    assert total(held, ("e0", "e1")) == pytest.approx(6.0, abs=0.1)
    assert sum(held["e0"].weight) < 0.6
    watch.add(drive("e0/1", 63_000), drive("e0/1", 65_500))
    moved = watch.until(66_500)
    assert total(moved, ("e0", "e1")) == pytest.approx(3.0, abs=0.3)
    assert sum(moved["e0"].weight) > 2.5


def test_who_leaves_has_passed_the_loops_before() -> None:
    """One waits to turn left, one behind him goes straight on later than he could; that a third one from farther out comes in time makes it not him."""
    watch = Watch(junction=pocket())
    watch.add(drive("e/120", 40_000), drive("e/45", 46_000), [e for e in drive("e1/1", 50_000) if e.value])
    watch.add(drive("e/120", 52_500), drive("e/45", 58_500), drive("e/120", 56_000), drive("e0/1", 66_000))
    watch.until(66_500)
    assert {v.loop for lane in ("e0", "e1") for v in watch.estimator.vehicles.tracks[lane].vehicles} == {"e0/1", "e1/1", "e/120"}


def test_counts_begin_anew_where_a_stop_loop_is_lost() -> None:
    """While it was dying, all seemed to leave by the other lane; once it is mended, this is forgotten."""
    vehicles = Vehicles(ONE)

    def drive_each(way: dict[str, str], times: int) -> None:
        for _ in range(times):
            for before, stop in way.items():
                vehicles.enter(LOOPS[before], 0)
                vehicles.enter(LOOPS[stop], 0)

    drive_each({"e0/45": "e1/1", "e1/45": "e1/1"}, 50)
    assert vehicles.shares("e0/45")["e0"] < 0.5
    vehicles.distrust(frozenset({"e0/1"}))
    vehicles.lose_sight("e0")
    vehicles.see_again("e0")
    vehicles.distrust(frozenset())
    drive_each({"e0/45": "e0/1", "e1/45": "e1/1"}, 5)
    assert vehicles.shares("e0/45")["e0"] > 0.9
