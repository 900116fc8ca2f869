"""Means, intervals, pairs and locked runs, against figures worked out by hand."""

from __future__ import annotations

import math

import pytest

from benchmarks.statistics import gridlocks, holm, mean_of, paired, paired_p
from scenarios.student import two_sided_p, two_sided_quantile, within_probability


@pytest.mark.parametrize(("freedom", "t_value"), [(1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (10, 2.228), (30, 2.042), (100, 1.984)])
def test_nist_handbook_1_3_6_7_2_t_values(freedom: int, t_value: float) -> None:
    assert round(two_sided_quantile(freedom), 3) == t_value
    assert two_sided_p(t_value, freedom) == pytest.approx(0.05, abs=2e-4)


def test_nist_handbook_1_3_6_7_2_t_values_of_99_percent() -> None:
    assert [round(two_sided_quantile(n, 0.99), 3) for n in (1, 5, 9)] == [63.657, 4.032, 3.250]


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 7, 12])
def test_the_density_of_t_integrates_to_the_probability(freedom: int) -> None:
    """Simpson's rule over the density of Student (1908)."""
    scale = math.gamma((freedom + 1) / 2) / (math.sqrt(freedom * math.pi) * math.gamma(freedom / 2))
    end, steps = 1.7, 400
    values = [(1 + (end * k / steps) ** 2 / freedom) ** (-(freedom + 1) / 2) for k in range(steps + 1)]
    simpson = end / steps / 3 * (values[0] + values[-1] + 4 * sum(values[1:-1:2]) + 2 * sum(values[2:-1:2]))
    assert within_probability(end, freedom) == pytest.approx(2 * scale * simpson, abs=1e-8)


def test_no_degree_of_freedom_is_an_error() -> None:
    with pytest.raises(ValueError, match="found 0"):
        within_probability(1.0, 0)


def test_holm_1979_steps_down() -> None:
    """Smallest times four, next times three, ...; none smaller than one before it, none above one; the order is kept."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_paired_test_of_student_1908() -> None:
    """Cushny and Peebles' sleep data, the example of Student's paper: differences in hours, t = 4.0621 on 9 degrees of freedom, p = 0.002833."""
    gained = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]
    assert paired_p(dict(enumerate(gained)), dict.fromkeys(range(10), 0.0)) == pytest.approx(0.002833, abs=1e-6)


def test_equal_differences_decide_and_one_seed_does_not() -> None:
    assert paired_p({1: 3.0, 2: 4.0}, {1: 3.0, 2: 4.0}) == 1.0
    assert paired_p({1: 3.0, 2: 4.0}, {1: 4.0, 2: 5.0}) == 0.0
    assert paired_p({1: 3.0}, {1: 4.0}) is None


def test_interval_of_five_values() -> None:
    mean = mean_of([1.0, 2.0, 3.0, 4.0, 5.0])
    assert mean.value == 3.0
    assert mean.margin_value == pytest.approx(2.776445 * math.sqrt(2.5) / math.sqrt(5))


def test_one_value_has_no_interval_and_is_never_surely_below_zero() -> None:
    mean = mean_of([-4.0])
    assert math.isnan(mean.margin_value)
    assert not mean.below_zero


def test_no_values_are_an_error() -> None:
    with pytest.raises(ValueError, match="at least one value"):
        mean_of([])


def test_pairs_use_shared_seeds_only() -> None:
    difference = paired({1: 10.0, 2: 20.0, 3: 99.0}, {1: 13.0, 2: 25.0, 4: 0.0})
    assert difference is not None
    assert (difference.value, difference.number) == (-4.0, 2)
    assert paired({1: 1.0}, {2: 1.0}) is None


def test_pairing_sees_what_the_spread_over_seeds_hides() -> None:
    ours, theirs = {1: 10.0, 2: 50.0, 3: 90.0}, {1: 12.0, 2: 52.1, 3: 91.9}
    difference = paired(ours, theirs)
    assert difference is not None
    assert difference.below_zero


@pytest.mark.parametrize(("delays", "locked"), [({1: 10.0, 2: 11.0, 3: 70.0}, [3]), ({1: 10.0, 2: 11.0, 3: 21.9}, []), ({}, []), ({1: 500.0}, [])])
def test_a_run_above_twice_its_median_has_locked_up(delays: dict[int, float], locked: list[int]) -> None:
    assert gridlocks(delays) == locked
