"""Calibration: discharge after the HCM on figures worked out by hand, the search for tau, and what is read of a scenario."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.calibrate import driving_of, measure_scenario, solve_tau
from benchmarks.discharge import Discharge, Measured, measured
from benchmarks.queue_road import Driving, QueueRoad
from controller.errors import SimulationError
from scenarios.config import read_config


def queue(*falls_ms: int, green_ms: int = 10_000, standing: bool = True) -> Discharge:
    lane = Discharge()
    lane.green(green_ms, standing=standing)
    for fall_ms in falls_ms:
        lane.rise(fall_ms - 500)
        lane.fall(fall_ms)
    return lane


def test_hcm_2016_saturation_headway_from_the_fifth_and_lost_time_of_the_first_four() -> None:
    found = measured([queue(13_500, 15_800, 17_900, 19_900, 21_900, 23_900, 25_900)])
    assert found.flow_veh_h == pytest.approx(1_800.0)
    assert found.startup_s == pytest.approx(9.9 - 4 * 2.0)
    assert (found.headways, found.greens) == (3, 1)


def test_who_comes_later_was_not_in_the_queue() -> None:
    found = measured([queue(13_500, 15_800, 17_900, 19_900, 21_900, 25_900, 27_900)])
    assert found.headways == 1


def test_without_a_standing_vehicle_or_green_nothing_is_measured() -> None:
    assert measured([queue(13_500, 15_800, 17_900, 19_900, 21_900, standing=False)]).headways == 0
    lane = queue(13_500, 15_800)
    lane.red()
    lane.fall(17_900)
    assert not lane.fourths_ms
    assert math.isnan(measured([lane]).flow_veh_h)


def falling(tau_s: float) -> Measured:
    return Measured(3_600.0 / (0.9 + tau_s), 1.0, 100, 10)


@pytest.mark.parametrize("target_veh_h", [1_400.0, 1_800.0, 1_900.0, 2_300.0])
def test_tau_is_found_where_the_flow_falls_with_it(target_veh_h: float) -> None:
    solved = solve_tau(falling, target_veh_h)
    assert solved is not None
    assert solved[0] == pytest.approx(3_600.0 / target_veh_h - 0.9, abs=0.02)
    assert solved[1] == falling(solved[0])


@pytest.mark.parametrize(("target_veh_h", "tau_s"), [(1_800.0, 1.02), (1_900.0, 0.9), (1_300.0, 1.84)])
def test_a_tau_below_the_step_is_taken_only_where_it_is_needed(target_veh_h: float, tau_s: float) -> None:
    """As measured with steps of 1 s and sigma 0.5, where the flow is highest at 0.8 s."""
    taus_s, flows_veh_h = (0.3, 0.5, 0.7, 0.8, 0.9, 1.0, 1.2, 1.5, 2.0, 3.0), (1787, 1849, 1918, 1987, 1900, 1815, 1664, 1465, 1222, 913)

    def peaked(at_s: float) -> Measured:
        return Measured(float(np.interp(at_s, taus_s, flows_veh_h)), 1.0, 100, 10)

    solved = solve_tau(peaked, target_veh_h, step_s=1.0)
    assert solved is not None
    assert solved[0] == pytest.approx(tau_s, abs=0.03)


def test_what_no_tau_gives_is_not_proposed() -> None:
    assert solve_tau(falling, 3_500.0) is None
    assert solve_tau(falling, 500.0) is None


def test_the_commonest_vehicle_speed_and_step_are_read(tmp_path: Path) -> None:
    lanes = "".join(f'<lane id="e_{n}" index="{n}" speed="{speed}" length="9" shape="0,0 1,1"/>' for n, speed in enumerate((13.9, 13.9, 8.3)))
    (tmp_path / "n.net.xml").write_text(f'<net><edge id=":x"><lane id=":x_0" speed="3"/></edge><edge id="e">{lanes}</edge></net>', encoding="utf-8")
    types = '<vType id="bus" length="12"/><vType id="pkw" tau="1.2" sigma="0.3" length="4.5" speedFactor="normc(1,0.1,0.2,2)"/>'
    trips = '<trip id="1" type="bus" depart="0"/><trip id="2" type="pkw" depart="1"/><trip id="3" type="pkw" depart="2"/>'
    (tmp_path / "r.rou.xml").write_text(f"<routes>{types}{trips}</routes>", encoding="utf-8")
    inputs = '<net-file value="n.net.xml"/><route-files value="r.rou.xml"/><step-length value="0.5"/><step-method.ballistic value="true"/>'
    (tmp_path / "s.sumocfg").write_text(f"<configuration>{inputs}</configuration>", encoding="utf-8")
    found = driving_of(read_config(tmp_path / "s.sumocfg"))
    assert found == Driving(tau_s=1.2, sigma_ratio=0.3, length_m=4.5, speed_m_s=13.9, step_s=0.5, ballistic=True)


@pytest.mark.sim
def test_the_road_shows_newells_headway() -> None:
    """Without dawdling, with steps too short to matter: headway = tau + (length + gap) / speed at the stop line (Newell 2002), which is below the limit."""
    driving = Driving(sigma_ratio=0.0, speed_dev_ratio=0.0, step_s=0.1, ballistic=True, accel_m_s2=6.0, speed_m_s=8.33)
    with QueueRoad() as road:
        found = road.measure(driving)
        slower = road.measure(replace(driving, tau_s=1.5))
    assert 3_600 / found.flow_veh_h == pytest.approx(1.0 + 7.5 / 8.33, abs=0.1)
    assert 3_600 / slower.flow_veh_h - 3_600 / found.flow_veh_h == pytest.approx(0.5, abs=0.08)


@pytest.mark.sim
def test_a_road_that_sumo_refuses_is_told() -> None:
    with QueueRoad() as road, pytest.raises(SimulationError, match="the road's simulation failed with Driving"):
        road.measure(Driving(length_m=-5.0))


@pytest.mark.sim
def test_a_scenarios_queues_are_measured(tmp_path: Path) -> None:
    found = measure_scenario("cross", 900.0, tmp_path)
    assert 1_600 < found.flow_veh_h < 2_200
    assert 0.0 < found.startup_s < 4.0
    assert found.greens > 20


@pytest.mark.sim
def test_a_target_that_no_lane_has_is_refused_at_once() -> None:
    umlauf = str(Path(sys.executable).with_name("umlauf"))
    done = subprocess.run([umlauf, "calibrate", "cross", "--target", "90"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "--target: found 90, expected a saturation flow of one lane, 1200 to 2400 veh/h" in done.stderr
