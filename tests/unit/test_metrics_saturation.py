from __future__ import annotations

import pytest

from hardware.ports import InputEvent, InputKind
from scenarios.saturation import SaturationMeter


def passage(loop: str, on_ms: int, off_ms: int) -> list[InputEvent]:
    return [InputEvent(on_ms, InputKind.PRESENCE, loop, 1), InputEvent(off_ms, InputKind.PRESENCE, loop, 0)]


def test_headways_from_the_fifth_vehicle_of_a_standing_queue() -> None:
    meter = SaturationMeter(["stop"])
    meter.feed(passage("stop", 0, 10_000))  # stands at red, leaves at 10 s
    for number in range(1, 9):
        meter.feed(passage("stop", 10_000 + 2000 * number - 500, 10_000 + 2000 * number + 200))
    assert meter.headways == 5
    assert meter.flow_veh_h() == pytest.approx(1800.0)


def test_vehicles_that_did_not_queue_are_no_discharge() -> None:
    meter = SaturationMeter(["stop"])
    for number in range(20):
        meter.feed(passage("stop", 2000 * number, 2000 * number + 600))
        meter.feed(passage("elsewhere", 2000 * number, 2000 * number + 600))
    assert meter.flow_veh_h() is None


def test_a_gap_ends_the_queue() -> None:
    meter = SaturationMeter(["stop"])
    meter.feed(passage("stop", 0, 10_000))
    for number in range(1, 5):
        meter.feed(passage("stop", 10_000 + 2000 * number, 10_600 + 2000 * number))
    counted = meter.headways
    meter.feed(passage("stop", 30_000, 30_600))
    meter.feed(passage("stop", 32_000, 32_600))
    assert meter.headways == counted == 1
