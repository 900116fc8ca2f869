"""Delay formulas against published figures, limits and a cumulative-curve calculation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from optimizer import delay


def test_gate_examination_uniform_delay():
    """GATE (civil engineering) question: 20 and 50 veh/min, red 30 s, green 30 s, no queue at first: 12.5 s per vehicle."""
    assert delay.uniform_s(60.0, 0.5, 20.0 / (50.0 * 0.5)) == pytest.approx(12.5)


def test_uniform_delay_is_the_area_between_the_cumulative_curves():
    """Arrivals at 0.2 veh/s, discharge at 0.5 veh/s, red 40 s of 90 s, added up in steps of 1 ms."""
    arrival, discharge, red, cycle, step = 0.2, 0.5, 40.0, 90.0, 0.001
    queue = area = 0.0
    for n in range(int(cycle / step)):
        queue = max(queue + (arrival - (discharge if n * step >= red else 0.0)) * step, 0.0)
        area += queue * step
    assert delay.uniform_s(cycle, (cycle - red) / cycle, arrival / (discharge * (cycle - red) / cycle)) == pytest.approx(area / (arrival * cycle), rel=1e-3)


def test_hcm_2000_uniform_delay_beyond_capacity_is_half_the_red():
    assert delay.uniform_s(90.0, 0.4, 1.0) == pytest.approx(0.5 * 90.0 * 0.6)
    assert delay.uniform_s(90.0, 0.4, 1.7) == pytest.approx(0.5 * 90.0 * 0.6)


def test_hcm_2000_incremental_delay_limits():
    """At x = 1 it is 900 T sqrt(4 / (c T)); far beyond it is that of a growing queue, 1800 T (x - 1); far below it vanishes."""
    capacity, hours = 800.0, 0.25
    assert delay.incremental_s(1.0, capacity, 900.0) == pytest.approx(900.0 * hours * math.sqrt(4.0 / (capacity * hours)))
    assert delay.incremental_s(3.0, 1e9, 900.0) == pytest.approx(1800.0 * hours * 2.0)
    assert delay.incremental_s(0.0, capacity, 900.0) == 0.0


def test_incremental_delay_of_a_long_period_is_websters_second_term():
    """As T grows, d2 with k = 0.5 tends to the steady state x / (2 c (1 - x)), which is x^2 / (2 q (1 - x)) for q = x c."""
    x, capacity = 0.8, 600.0
    assert delay.webster_random_s(x * capacity, x) == pytest.approx(3600.0 * x / (2.0 * capacity * (1.0 - x)))
    assert delay.incremental_s(x, capacity, 3.6e7) == pytest.approx(delay.webster_random_s(x * capacity, x), rel=1e-3)


def test_akcelik_1981_overflow_starts_at_its_degree_of_saturation_and_ends_deterministic():
    assert delay.akcelik_overflow_s(0.67 + 25.0 / 600.0, 1000.0, 90.0, 900.0) == 0.0
    assert delay.akcelik_overflow_s(0.72, 1000.0, 90.0, 900.0) > 0.0
    assert delay.akcelik_overflow_s(2.0, 1e9, 1e-6, 900.0) == pytest.approx(1800.0 * 0.25 * 1.0, rel=1e-3)


def test_websters_fitted_term_is_about_the_tenth_that_the_short_form_leaves_out():
    shares = []
    for x in (0.5, 0.7, 0.9):
        for green_ratio in (0.3, 0.5):
            flow = x * green_ratio * 1800.0
            two = delay.uniform_s(60.0, green_ratio, x) + delay.webster_random_s(flow, x)
            shares.append(1.0 - delay.webster_s(60.0, green_ratio, flow, x) / two)
    assert 0.04 < np.mean(shares) < 0.16
    assert delay.webster_short_s(60.0, 0.5, 450.0, 0.5) == pytest.approx(0.9 * (delay.uniform_s(60.0, 0.5, 0.5) + delay.webster_random_s(450.0, 0.5)))


def test_webster_is_infinite_at_saturation():
    assert math.isinf(delay.webster_s(60.0, 0.5, 900.0, 1.0))
    assert math.isinf(delay.webster_short_s(60.0, 0.5, 900.0, 1.2))


def test_an_initial_queue_costs_the_triangle_that_it_makes():
    """30 vehicles, capacity 600, demand 300 veh/h: gone after 360 s, 30 x 360 / 2 vehicle-seconds."""
    assert delay.queue_gone_s(30.0, 0.5, 600.0, 900.0) == pytest.approx(360.0)
    assert delay.queue_delay_veh_s(30.0, 0.5, 600.0, 900.0) == pytest.approx(30.0 * 360.0 / 2.0)


def test_an_initial_queue_that_outlasts_the_period_costs_the_trapezoid():
    """60 vehicles, spare 120 veh/h over 900 s: 30 are left: (60 + 30) / 2 x 900."""
    assert delay.queue_delay_veh_s(60.0, 0.8, 600.0, 900.0) == pytest.approx(45.0 * 900.0)
    assert delay.queue_delay_veh_s(60.0, 1.5, 600.0, 900.0) == pytest.approx(60.0 * 900.0)
