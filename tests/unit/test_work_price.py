"""What a second of lost green costs those who are still to come."""

from __future__ import annotations

import pytest
from support_control import Scene, junction

from controller.node_model import NodeModel
from controller.work_price import LONGEST_MS, WorkPrice

ONE = junction()
HORIZON_MS = 50_000
NOW_MS = 600_000
HEADWAY_MS = 2_000


def price_milli(queues: dict[str, int], flow_veh_s: dict[str, float]) -> int:
    beliefs = {lane: {"flow_veh_s": flow_veh_s.get(lane, 0.0), "headway_ms": HEADWAY_MS} for lane in {*queues, *flow_veh_s}}
    scene = Scene(now_ms=NOW_MS, arrivals_ms={lane: [NOW_MS - 1_000] * count for lane, count in queues.items()}, beliefs=beliefs)
    price, lanes = WorkPrice(NodeModel(ONE, ONE.nodes[0]), HORIZON_MS), scene.snapshot().lanes
    return price.milli(lanes, price.lasts_ms(lanes))


def test_queues_that_go_within_the_horizon_cost_nobody_else_anything() -> None:
    assert price_milli({}, {"n0": 0.2}) == 0
    assert price_milli({"n0": 20}, {}) == 0
    assert price_milli({"n0": 12, "s0": 12}, {"n0": 0.2, "s0": 0.2}) == 0, "24 s of green, of which 0.4 go to those who come, and 4 in 120 s are lost"


def test_a_busy_period_is_as_long_as_the_queues_need_beside_those_who_come() -> None:
    """60 s and 20 s of green; of each second those who come take 0.4 and 0.2, two changes in 120 s 0.067."""
    lasts_ms = 80_000 / (1.0 - 0.4 - 0.2 - 8.0 / 120.0)
    flow = {"n0": 0.2, "s0": 0.1, "e1": 0.1}
    assert price_milli({"n0": 30, "s0": 10, "e1": 10}, flow) == pytest.approx((lasts_ms - HORIZON_MS) * 0.4, abs=1)


def test_it_is_never_longer_than_a_limit() -> None:
    """More comes than can be served: the queues would never go."""
    most = int((LONGEST_MS - HORIZON_MS) * 1.0)
    assert price_milli({"n0": 30, "e0": 30}, {"n0": 0.5, "e0": 0.5}) == most
    assert price_milli({"n0": 60, "e0": 60}, {"n0": 0.5, "e0": 0.5}) == most


def test_without_anybody_to_come_there_is_no_price() -> None:
    assert price_milli({"n0": 60, "e0": 60}, {}) == 0
