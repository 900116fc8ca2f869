from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from scenarios.metrics import Trip, TripFile, measure, read_safety

TRIPINFO = """<tripinfos>
    <tripinfo id="a" depart="10.00" departDelay="2.00" arrival="60.00" timeLoss="8.00" waitingTime="5.00" waitingCount="1" vaporized="">
        <emissions CO2_abs="100000"/>
    </tripinfo>
    <tripinfo id="b" depart="20.00" departDelay="0.00" arrival="-1.00" timeLoss="30.00" waitingTime="25.00" waitingCount="3" vaporized="end">
        <emissions CO2_abs="300000"/>
    </tripinfo>
    <personinfo id="p" depart="1.00"/>
    <tripinfo id="c" depart="-1" departDelay="40.00" arrival="-1.00" timeLoss="0.00" waitingTime="0.00" waitingCount="0" vaporized="end"/>
</tripinfos>
"""


def trips_of(tmp_path: Path, text: str) -> TripFile:
    path = tmp_path / "tripinfo.xml"
    path.write_text(text)
    return TripFile(path)


def test_every_vehicle_due_counts_in_the_mean(tmp_path: Path) -> None:
    trips = trips_of(tmp_path, TRIPINFO)
    figures = measure(trips, 100.0)
    assert trips.complete
    assert figures["mean_delay_s"] == pytest.approx((2 + 8 + 30 + 40) / 3)
    assert (figures["vehicles"], figures["finished"], figures["unfinished"], figures["never_inserted"]) == (3, 1, 1, 1)
    assert figures["finished_time_loss_s"] == 8.0
    assert figures["stops_per_vehicle"] == 2.0
    assert figures["max_wait_s"] == 40.0
    assert figures["co2_g_per_vehicle"] == 200.0


def test_a_file_cut_off_by_a_crash_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    trips = trips_of(tmp_path, TRIPINFO[: TRIPINFO.index('<tripinfo id="c"') + 20])
    assert [trip.finished for trip in trips] == [True, False]
    assert not trips.complete
    absent = TripFile(tmp_path / "absent.xml")
    assert (list(absent), absent.complete, absent.is_whole()) == ([], False, False)


def test_a_day_of_trips_takes_no_more_room_than_an_hour(tmp_path: Path) -> None:
    one = TRIPINFO[TRIPINFO.index("<tripinfo id") : TRIPINFO.index("<personinfo")]
    peaks_kb = []
    for copies in (500, 5_000):
        trips = trips_of(tmp_path, f"<tripinfos>{one * copies}</tripinfos>")
        tracemalloc.start()
        assert measure(trips, 100.0)["vehicles"] == 2 * copies
        peaks_kb.append(tracemalloc.get_traced_memory()[1] / 1024)
        tracemalloc.stop()
    assert trips.is_whole()
    assert peaks_kb[1] < 2 * peaks_kb[0]


def test_nothing_measured_gives_none_and_not_zero() -> None:
    figures = measure([], 10.0)
    assert figures["mean_delay_s"] is None
    assert figures["max_wait_s"] is None
    assert figures["vehicles"] == 0


def trip(depart_s: float, delay_s: float, loss_s: float = 0.0) -> Trip:
    return Trip(depart_s, delay_s, loss_s, 0.0, 0, False, None)


def test_resco_formula_forgets_those_due_before_the_last_departure() -> None:
    # the last departure (at 90) was due at 80; of the two never inserted, due at 50 and 95, only the second is counted
    trips = [trip(10, 0, 5), trip(90, 10, 5), trip(-1, 50), trip(-1, 5)]
    assert measure(trips, 100.0)["resco_delay_s"] == pytest.approx((5 + 15 + 5) / 3)
    assert measure(trips, 100.0)["mean_delay_s"] == pytest.approx((5 + 15 + 50 + 5) / 4)


def test_safety_figures_and_their_absence(tmp_path: Path) -> None:
    path = tmp_path / "statistics.xml"
    path.write_text('<statistics><teleports total="2"/><safety collisions="1" emergencyStops="0" emergencyBraking="7"/></statistics>')
    assert read_safety(path) == {"teleports": 2, "collisions": 1, "emergency_brakings": 7}
    path.write_text("<statistics><tele")
    assert read_safety(path) == {"teleports": None, "collisions": None, "emergency_brakings": None}
