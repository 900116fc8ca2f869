"""Means, intervals, pairs and locked runs, against figures worked out by hand."""

from __future__ import annotations

import math

import pytest

from benchmarks.statistics import T_95, gridlocks, mean_of, paired


def test_nist_handbook_1_3_6_7_2_t_values() -> None:
    assert (T_95[0], T_95[3], T_95[9], T_95[29]) == (12.706, 2.776, 2.228, 2.042)
    assert list(T_95) == sorted(T_95, reverse=True)


def test_interval_of_five_values() -> None:
    mean = mean_of([1.0, 2.0, 3.0, 4.0, 5.0])
    assert mean.value == 3.0
    assert mean.margin_value == pytest.approx(2.776 * math.sqrt(2.5) / math.sqrt(5))


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
