"""Detector drivers on a wire in memory and a clock that is moved by hand: what each sequence of a Modbus unit's answers makes the port tell."""

from __future__ import annotations

from typing import Any

import pytest
from support_loop_buses import COUNT, FAULT, PRESENCE, Bench, ld120_bench, modbus_bench, pulses

from hardware.loops.modbus import ModbusOptions, ModbusUnit, modbus_inputs
from hardware.ports import DetectorFault
from hardware.virtual.loop_cards import Card, DigitalCard, Ld120Card, ModbusSlave
from hardware.wire.modbus import Function

pytestmark = pytest.mark.quick


def test_a_vehicle_that_is_seen_is_told_once() -> None:
    card = Ld120Card(count=77)
    bench = ld120_bench(card)
    card.cover(True)
    assert bench.step() == [("D", PRESENCE, 1)]
    assert bench.step(times=20) == [], "the counter tells of no second vehicle"
    card.cover(False)
    assert bench.step() == [("D", PRESENCE, 0)]
    assert bench.step(times=20) == []


@pytest.mark.parametrize("start", [0, 0xFFFF, 0xFFFF_FFFE, 0xFFFF_FFFF])
def test_vehicles_between_two_polls_are_recovered_from_the_counter(start: int) -> None:
    card = Ld120Card(count=start)
    bench = ld120_bench(card)
    for _ in range(2):
        card.cover(True)
        card.cover(False)
    events = bench.events(times=3)
    assert [event.value for event in events] == [1, 0, 1, 0]
    assert all(events[i + 1].at_ms - events[i].at_ms > 0 for i in range(3)), "vehicles that last and part"
    assert bench.step(times=20) == []


def test_a_vehicle_change_under_an_occupied_loop_is_recovered() -> None:
    card = Ld120Card()
    bench = ld120_bench(card)
    card.cover(True)
    bench.step()
    card.cover(False)
    card.cover(True)
    assert pulses(bench.step(times=3)) == [0, 1]
    card.cover(False)
    assert pulses(bench.step(times=3)) == [0]


def test_a_vehicle_that_comes_between_state_and_counter_is_told_once() -> None:
    card = Ld120Card()

    class Coming(ModbusSlave):
        """Lets a vehicle come right after the state was read, now and then let it leave before the next reading."""

        reads = 0

        def feed(self, data: bytes) -> bytes:
            answer = super().feed(data)
            if data[1] == Function.INPUT_REGISTERS:
                self.reads += 1
                card.cover(self.reads % 6 == 3)
            return answer

    bench = Bench(Coming({1: card}), lambda now, wire: modbus_inputs(ModbusOptions(port="m", units=(ModbusUnit(unit=1, detectors={1: "D"}),)), now, wire))
    events = pulses(bench.step(times=60))
    assert card.count >= 9
    assert events == [1, 0] * card.count


class Departures(Ld120Card):
    """Counts a vehicle when it has left."""

    def cover(self, occupied: bool, channel: int = 1) -> None:
        self.count += self.occupied and not occupied
        self.occupied = occupied


def test_a_device_that_counts_departures_gives_the_same_vehicles() -> None:
    card = Departures()
    bench = ld120_bench(card)
    card.cover(True)
    assert pulses(bench.step(times=5)) == [1]
    card.cover(False)
    assert pulses(bench.step(times=5)) == [0]
    card.cover(True)
    card.cover(False)
    assert pulses(bench.step(times=5)) == [1, 0]


@pytest.mark.parametrize("kind", [Ld120Card, Departures])
def test_a_vehicle_on_the_loop_at_the_start_is_one_vehicle(kind: type[Ld120Card]) -> None:
    card = kind(count=9)
    card.cover(True)
    bench = modbus_bench({1: card}, ModbusUnit(unit=1, detectors={1: "D"}))
    assert pulses(bench.step(times=5)) == [1]
    card.cover(False)
    assert pulses(bench.step(times=5)) == [0]


@pytest.mark.parametrize("value", [0, 3, 5_000_000])
def test_a_counter_that_leaps_was_reset_and_makes_no_vehicles(value: int) -> None:
    card = Ld120Card(count=1_000)
    bench = ld120_bench(card)
    bench.step(times=3)
    card.count = value
    assert bench.step(times=10) == []
    card.cover(True)
    card.cover(False)
    assert pulses(bench.step(times=3)) == [1, 0]


def test_a_counter_that_does_not_count_what_flickers_is_taken_as_it_stands() -> None:
    card = Ld120Card()
    bench = ld120_bench(card)
    for _ in range(3):
        card.cover(True)
        card.count -= 1
        bench.step()
        card.cover(False)
        bench.step()
    bench.step(times=5)
    card.cover(True)
    card.cover(False)
    assert pulses(bench.step(times=3)) == [1, 0], "a vehicle missed later is still recovered"


def test_vehicles_of_a_long_silence_are_a_count_and_no_edges() -> None:
    card = Ld120Card()
    bench = ld120_bench(card)
    bench.device.mute.add(1)
    for _ in range(12):
        bench.clock.wait_until(bench.clock.now_ms() + 1_000)
        card.cover(True)
        card.cover(False)
    bench.device.mute.clear()
    assert bench.step(times=5) == [("D", COUNT, 12)]
    card.cover(True)
    assert bench.step() == [("D", PRESENCE, 1)]


@pytest.mark.parametrize(
    ("broken", "fault"), [({"open_circuit": True}, DetectorFault.OPEN), ({"short_circuit": True}, DetectorFault.SHORT)], ids=["open", "short"]
)
def test_a_broken_loop_is_told_with_its_kind_and_when_it_is_whole(broken: dict[str, bool], fault: DetectorFault) -> None:
    card = Ld120Card()
    bench = ld120_bench(card)
    card.break_loop(**broken)
    assert bench.step(times=5) == [("D", FAULT, fault)]
    card.break_loop()
    assert bench.step(times=5) == [("D", FAULT, DetectorFault.WHOLE)]


def test_another_fault_has_its_own_kind() -> None:
    class Odd(Ld120Card):
        def values(self, function: Function) -> dict[int, int]:
            return {**super().values(function), **({1: 1} if function is Function.INPUT_REGISTERS else {})}

    bench = modbus_bench({1: Odd()}, ModbusUnit(unit=1, detectors={1: "D"}))
    assert bench.step(times=3) == [("D", FAULT, DetectorFault.OTHER)]


def test_one_silent_unit_stops_only_itself() -> None:
    cards: dict[int, Card] = {1: Ld120Card(), 2: Ld120Card(), 3: Ld120Card()}
    bench = modbus_bench(cards, *(ModbusUnit(unit=u, detectors={1: f"D{u}"}) for u in cards), silent_sweeps=3)
    bench.step()
    bench.device.mute.add(2)
    assert bench.step(times=2) == []
    assert bench.step() == [("D2", FAULT, DetectorFault.WATCHDOG)]
    asked = bench.port.stats().units[2].requests
    bench.step(times=20)
    assert bench.port.stats().units[2].requests == asked + 2, "it is asked every tenth sweep only"
    for unit in (1, 3):
        card = cards[unit]
        assert isinstance(card, Ld120Card)
        card.cover(True)
        assert bench.step() == [(f"D{unit}", PRESENCE, 1)]
    bench.device.mute.clear()
    assert bench.step(times=12) == [("D2", FAULT, DetectorFault.WHOLE)]


def test_where_no_unit_answers_the_link_is_lost() -> None:
    bench = modbus_bench({1: Ld120Card()}, ModbusUnit(unit=1, detectors={1: "D"}), silent_sweeps=3)
    bench.step()
    bench.device.mute.add(1)
    assert bench.step(times=3) == [("D", FAULT, DetectorFault.WATCHDOG)]
    assert "no answer from unit 1; check wiring, power, baud rate" in bench.lost()
    bench.lost()
    bench.device.mute.clear()
    bench.clock.wait_until(bench.clock.now_ms() + 10_000)
    assert bench.step() == [("D", FAULT, DetectorFault.WHOLE)]
    assert bench.port.stats().lost == 1
    assert bench.step(times=5) == []


def test_a_unit_of_another_type_is_not_believed_and_named() -> None:
    bench = modbus_bench({1: DigitalCard(), 2: Ld120Card()}, *(ModbusUnit(unit=u, detectors={1: f"D{u}"}) for u in (1, 2)), silent_sweeps=2)
    assert bench.step(times=4) == [("D1", FAULT, DetectorFault.WATCHDOG)]
    assert bench.port.stats().units[1].note == "expected module type 34 (LD120) in register 30001, found 0; correct profile or unit"
    assert bench.port.stats().units[1].refused > 0


def test_a_refusal_is_no_answer_and_is_noted() -> None:
    units = ModbusUnit(unit=1, profile="digital", detectors={9: "D"}), ModbusUnit(unit=2, detectors={1: "E"})
    bench = modbus_bench({1: DigitalCard(channels=8), 2: Ld120Card()}, *units, silent_sweeps=2)
    assert bench.step(times=3) == [("D", FAULT, DetectorFault.WATCHDOG)]
    assert bench.port.stats().units[1].note == "refuses function 2 at address 0, count 9: exception 2"


@pytest.mark.parametrize("inputs", ["discrete", "coils"])
@pytest.mark.parametrize("inverted", [(), (3,)])
def test_digital_inputs_by_first_address_and_sense(inputs: Any, inverted: tuple[int, ...]) -> None:
    card = DigitalCard(channels=4, first=16)
    unit = ModbusUnit(unit=7, profile="digital", inputs=inputs, detectors={1: "A", 3: "B"}, first=16, inverted=inverted)
    bench = modbus_bench({7: card}, unit)
    assert bench.step() == [("B", PRESENCE, 1)] * len(inverted)
    card.cover(True, 3)
    assert bench.step() == [("B", PRESENCE, 0 if inverted else 1)]
    card.cover(True, 2)
    card.cover(True, 1)
    assert bench.step() == [("A", PRESENCE, 1)]


def test_digital_counters_recover_vehicles_by_channel() -> None:
    card = DigitalCard()
    bench = modbus_bench({1: card}, ModbusUnit(unit=1, profile="digital", detectors={1: "A", 2: "B"}, counters={2: 2}))
    bench.step()
    for channel in (1, 2):
        card.cover(True, channel)
        card.cover(False, channel)
    assert bench.step(times=3) == [("B", PRESENCE, 1), ("B", PRESENCE, 0)], "channel 1 has no counter"


def test_a_mistake_of_a_driver_is_a_lost_link_with_its_name() -> None:
    class Broken:
        def feed(self, data: bytes) -> bytes:
            raise ZeroDivisionError("by design")

    options = ModbusOptions(port="memory", units=(ModbusUnit(unit=1, detectors={1: "D"}),))
    bench = Bench(Broken(), lambda now, wire: modbus_inputs(options, now, wire))
    bench.step()
    assert bench.lost() == "memory: the driver failed: ZeroDivisionError: by design"


def test_a_line_lost_in_mid_tick_is_told_once() -> None:
    bench = ld120_bench(Ld120Card())
    bench.wire.plugged = False
    bench.clock.wait_until(bench.clock.now_ms() + 100)
    now_ms = bench.clock.now_ms()
    assert list(bench.port.poll(now_ms - 1)) == [], "what was told of the detectors is not due yet, and the loss comes behind it"
    assert [event.kind for event in bench.port.poll(now_ms)] == [FAULT]
    assert "unplugged" in bench.lost(1)
    assert "unplugged" in bench.lost(1)


def test_the_trace_tells_every_octet_of_both_directions() -> None:
    bench = ld120_bench(Ld120Card())
    told: list[tuple[int, int, str, str]] = []
    bench.port.watch(lambda at_ms, unit, way, data: told.append((at_ms, unit, way, data.hex(" "))))
    bench.step()
    assert told[:2] == [(1_200, 1, ">", "01 04 00 01 00 01 60 0a"), (1_200, 1, "<", "01 04 02 00 00 b9 30")]
    bench.port.watch(None)
    count = len(told)
    bench.step(times=3)
    assert len(told) == count
