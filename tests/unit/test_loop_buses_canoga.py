"""Canoga: the rules for what a reply may be."""

from __future__ import annotations

import pytest
from support_loop_buses import COUNT, Bench, pulses

from hardware.loops.canoga import CanogaOptions, CanogaUnit, canoga_inputs
from hardware.virtual.canoga_card import CanogaCard, CanogaSlave
from hardware.wire.canoga import DETECTION, Detection, Message, MessageReader, Vehicle

pytestmark = pytest.mark.quick


class Scripted:
    """A Canoga card whose replies are given."""

    def __init__(self) -> None:
        self.vehicle = Vehicle(0, 0, 0, 0)

    def feed(self, data: bytes) -> bytes:
        message = MessageReader().feed(data)[0]
        if message.payload == DETECTION:
            return Detection((self.vehicle,) + (Vehicle(0, 0, 0, 0),) * 3).encode()
        return Message(message.address, message.payload + b"x").encode()


def canoga_bench(first: Vehicle) -> Bench:
    options = CanogaOptions(port="memory", units=(CanogaUnit(unit=0, detectors={1: "D"}),))
    bench = Bench(Scripted(), lambda now, wire: canoga_inputs(options, now, wire))
    bench.device.vehicle = first
    assert bench.step(1_000) == [], "what was there before is no vehicle of ours"
    return bench


FIRST = Vehicle(400, 10_000, 7, 0)


@pytest.mark.parametrize(
    ("second", "vehicles"),
    [
        (Vehicle(300, 11_000, 8, 0), 1),
        (Vehicle(300, 12_000, 10, 0), 3),
        (Vehicle(300, 12_000, 7 + 16, 0), 16),
        (Vehicle(300, 12_000, 7 + 17, 0), 1),  # a gap: how many passed is unknown
        (Vehicle(300, 5, 1, 0), 1),  # the card was reset and has counted one
        (Vehicle(0, 0, 0, 0), 0),  # the card was reset
        (Vehicle(300, 10_000, 8, 0), 0),  # the same vehicle cannot have another duration
        (Vehicle(300, 11_000, 7, 0), 0),  # nor another vehicle the same count
        (Vehicle(120_001, 11_000, 8, 0), 0),  # longer than any vehicle
        (Vehicle(400 << 8, 9_000, 8, 0), 0),  # an octet was lost
    ],
)
def test_what_a_canoga_reply_can_be(second: Vehicle, vehicles: int) -> None:
    bench = canoga_bench(FIRST)
    bench.device.vehicle = second
    assert pulses(bench.step(4_900)) == [1, 0] * vehicles
    bench.device.vehicle = second if vehicles or second.is_reset else FIRST
    assert bench.step(times=3) == []


def test_a_doubtful_canoga_reply_is_believed_when_it_is_repeated() -> None:
    bench = canoga_bench(FIRST)
    bench.device.vehicle = Vehicle(125_000, 12_000, 8, 0)
    assert bench.step() == []
    assert bench.port.stats().units[0].note == "D: a vehicle of 125 s"
    assert pulses(bench.step()) == [1, 0]
    assert bench.step() == []
    assert bench.port.stats().units[0].note == ""


def test_the_count_of_a_canoga_card_wraps() -> None:
    bench = canoga_bench(Vehicle(400, 10_000, 255, 0))
    bench.device.vehicle = Vehicle(300, 11_000, 0, 0)
    assert pulses(bench.step()) == [1, 0]
    bench.device.vehicle = Vehicle(300, 100, 2, 0)
    assert pulses(bench.step(200)) == [1, 0], "the clock of the card began again"


def test_a_canoga_vehicle_has_the_length_that_the_card_measured() -> None:
    card = CanogaCard(lambda: 0)
    bench = Bench(CanogaSlave({0: card}), lambda now, wire: canoga_inputs(CanogaOptions(port="m", units=(CanogaUnit(unit=0, detectors={2: "D"}),)), now, wire))
    card._now = bench.clock.now_ms
    bench.step()
    bench.clock.wait_until(5_000)
    card.cover(True, 2)
    bench.clock.wait_until(5_640)
    card.cover(False, 2)
    on, off = bench.events()
    assert (off.at_ms - on.at_ms, off.at_ms) == (640, 5_740)


def test_vehicles_on_a_canoga_card_during_a_long_silence_are_a_count() -> None:
    bench = canoga_bench(FIRST)
    bench.device.vehicle = Vehicle(300, 60_000, 13, 0)
    assert bench.step(20_000) == [("D", COUNT, 6)]


def test_stamps_of_one_port_never_run_backwards() -> None:
    """A long vehicle on one channel is told after a short one on another; it began before that, and the order of the port holds."""
    options = CanogaOptions(port="memory", units=(CanogaUnit(unit=0, detectors={1: "D", 2: "E"}),))
    card = CanogaCard(lambda: 0)
    bench = Bench(CanogaSlave({0: card}), lambda now, wire: canoga_inputs(options, now, wire))
    card._now = bench.clock.now_ms
    bench.step()
    card.cover(True, 2)
    bench.step()
    card.cover(True, 1)
    bench.step(200)
    card.cover(False, 1)
    first = bench.events()
    bench.step(200)
    card.cover(False, 2)
    second = bench.events()
    assert [event.source for event in (*first, *second)] == ["D", "D", "E", "E"]
    stamps = [event.at_ms for event in (*first, *second)]
    assert stamps == sorted(stamps)
