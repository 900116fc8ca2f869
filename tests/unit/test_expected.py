"""Who is expected beyond the loops: an even flow without neighbours; with them, those told of and what nobody tells of."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support_control import belief

from controller.expected import LEAST_MILLI, STEP_MS, expected
from controller.neighbours import SURE_FOR_MS, SURE_MILLI
from controller.snapshot import Coming

pytestmark = pytest.mark.quick
NOW_MS, HORIZON_MS = 100_000, 50_000
LANE = replace(belief(), flow_veh_s=0.1, known_ms=20_000)


def test_without_neighbours_it_is_an_even_flow_up_to_the_horizon() -> None:
    times, weights = expected(LANE, None, 20_000, NOW_MS, HORIZON_MS)
    assert times == list(range(22_000, 50_000, STEP_MS))
    assert weights == [400] * len(times)


def test_a_flow_too_thin_to_matter_is_none() -> None:
    assert expected(replace(LANE, flow_veh_s=0.004), None, 20_000, NOW_MS, HORIZON_MS) == ([], [])


def test_whom_the_neighbours_tell_of_come_beside_what_nobody_tells_of() -> None:
    coming = Coming((NOW_MS + 20_000, NOW_MS + 31_000, NOW_MS + 49_999, NOW_MS + 50_000), (700, 600, 10, 900), 0.0, NOW_MS + 20_000)
    times, weights = expected(LANE, coming, 20_000, NOW_MS, HORIZON_MS)
    packets = dict(zip(times, weights, strict=True))
    assert packets[31_000] == 600
    assert 20_000 not in packets, "who must be over the farthest loop is left to the loops"
    assert 49_999 not in packets, "too unlikely"
    even = {t: w for t, w in packets.items() if t % 2_000 == 0}
    assert list(even) == list(range(22_000, 50_000, STEP_MS))
    assert list(even.values()) == sorted(even.values()), "the later, the less the neighbours know"
    assert even[22_000] == pytest.approx(400 * (1 - SURE_MILLI / 1000 + 0.044), abs=1)


def test_long_after_the_message_all_is_even_flow_again() -> None:
    coming = Coming((), (), 0.0, NOW_MS - SURE_FOR_MS - 1_000 + 20_000)
    assert expected(LANE, coming, 20_000, NOW_MS, HORIZON_MS) == expected(LANE, None, 20_000, NOW_MS, HORIZON_MS)


def test_what_no_neighbour_accounts_for_stays() -> None:
    coming = Coming((), (), 1.0, NOW_MS + 20_000)
    assert expected(LANE, coming, 20_000, NOW_MS, HORIZON_MS) == expected(LANE, None, 20_000, NOW_MS, HORIZON_MS)


packets = st.lists(st.tuples(st.integers(NOW_MS - 5_000, NOW_MS + 60_000), st.integers(0, 1000)), max_size=20).map(sorted)


@given(packets, st.floats(0, 1), st.integers(-20_000, 40_000), st.integers(0, 49_000), st.floats(0, 0.6))
def test_packets_are_in_order_and_within_the_horizon(told: list[tuple[int, int]], rest: float, told_in_ms: int, begin_ms: int, flow_veh_s: float) -> None:
    coming = Coming(tuple(t for t, _ in told), tuple(w for _, w in told), rest, NOW_MS + told_in_ms)
    lane = replace(LANE, flow_veh_s=flow_veh_s, known_ms=min(begin_ms, 20_000))
    times, weights = expected(lane, coming, begin_ms, NOW_MS, HORIZON_MS)
    assert times == sorted(times)
    assert all(begin_ms <= t < HORIZON_MS for t in times)
    assert all(w >= LEAST_MILLI for w in weights)
