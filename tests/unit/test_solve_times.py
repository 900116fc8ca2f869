"""What is told of the solve times, and that they take no more room after a day than after an hour."""

from __future__ import annotations

import random

import pytest

from controller.solve_times import SolveTimes

pytestmark = pytest.mark.quick


def times(*values_ms: float) -> SolveTimes:
    kept = SolveTimes()
    for ms in values_ms:
        kept.add(ms)
    return kept


def test_of_nothing_nothing_is_told() -> None:
    assert times().figures_ms() == {"mean": None, "p99": None, "max": None}
    assert times().percentile_ms(50) is None


def test_few_times() -> None:
    assert times(1.0, 3.0).figures_ms() == {"mean": 2.0, "p99": 3.0, "max": 3.0}
    assert times(0.0).figures_ms() == {"mean": 0.0, "p99": 0.0, "max": 0.0}


@pytest.mark.parametrize(("percent", "expected_ms"), [(1, 1.0), (50, 50.0), (99, 99.0), (100, 100.0)])
def test_percentile_is_the_nearest_rank_within_one_per_cent(percent: int, expected_ms: float) -> None:
    found_ms = times(*(float(ms) for ms in range(100, 0, -1))).percentile_ms(percent)
    assert found_ms is not None
    assert expected_ms <= found_ms <= 1.0101 * expected_ms


def test_several_nodes_together() -> None:
    one, other = [0.25, 0.5, 14.0], [3.0, 0.25]
    assert SolveTimes.together([times(*one), times(*other), times()]) == times(*one, *other)


def test_a_day_of_solves_takes_no_more_room_than_an_hour() -> None:
    chance = random.Random(1)
    kept = SolveTimes()
    bins = []
    for _ in range(2):
        for _ in range(50_000):
            kept.add(chance.lognormvariate(0.0, 1.0))
        bins.append(len(kept.bins))
    assert kept.solves == 100_000
    assert bins[1] < 1.1 * bins[0] < 1_000
