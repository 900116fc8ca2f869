"""The probe's own arithmetic: errors, and the discharge of a queue, on made-up passings."""

from __future__ import annotations

import pytest

from benchmarks.truth import Errors, LaneDischarge


def test_errors_have_bias_and_root_mean_square() -> None:
    errors = Errors()
    for believed, true in ((3.0, 1.0), (1.0, 2.0)):
        errors.add(believed, true)
    assert errors.figures() == {"n": 2, "mean": 1.5, "bias": 0.5, "rmse": pytest.approx((5 / 2) ** 0.5, abs=1e-4)}
    assert Errors().figures() == {"n": 0, "mean": None, "bias": None, "rmse": None}


def discharge(queued: list[bool], *, standing: bool = True) -> LaneDischarge:
    lane = LaneDischarge()
    lane.follow(10_000, standing=standing)
    for number, waited in enumerate(queued):
        lane.leave(11_500.0 + 2_000.0 * number, queued=waited)
    return lane


def test_headways_count_from_the_fifth_vehicle_on() -> None:
    lane = discharge([True] * 7)
    assert lane.headways_ms == [2_000.0] * 3
    assert lane.fourths_ms == [7_500.0]


def test_a_vehicle_that_never_stood_ends_the_queue() -> None:
    assert discharge([True] * 5 + [False, True, True]).headways_ms == [2_000.0]
    assert discharge([True] * 7, standing=False).headways_ms == []


def test_red_ends_the_queue_and_the_next_green_begins_anew() -> None:
    lane = discharge([True] * 5)
    lane.follow(None, standing=False)
    lane.leave(30_000.0, queued=True)
    assert (lane.headways_ms, lane.fourths_ms) == ([2_000.0], [7_500.0])
