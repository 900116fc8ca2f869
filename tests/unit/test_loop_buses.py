"""Detector drivers on a wire in memory and a clock that is moved by hand: what each sequence of answers makes the port tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support_serial import KINDS, MemoryRig

from controller.clock import ManualClock
from hardware.loops.ab3418 import Ab3418Options, Ab3418Unit, ab3418_inputs
from hardware.loops.canoga import CanogaOptions, CanogaUnit, canoga_inputs
from hardware.loops.modbus import ModbusOptions, ModbusUnit, modbus_inputs
from hardware.loops.serial_bus import DetectorInputs
from hardware.ports import DetectorFault, InputEvent, InputKind, PortError
from hardware.virtual.ab3418_box import Ab3418Box
from hardware.virtual.canoga_card import CanogaCard, CanogaSlave
from hardware.virtual.card_lines import MemoryWire
from hardware.virtual.loop_cards import Card, DigitalCard, Ld120Card, ModbusSlave
from hardware.wire.canoga import DETECTION, Detection, Message, MessageReader, Vehicle
from hardware.wire.modbus import Function

pytestmark = pytest.mark.quick
FAULT, PRESENCE, COUNT = InputKind.DETECTOR_FAULT, InputKind.PRESENCE, InputKind.COUNT


class Bench:
    """A driver, the device at its far end, and time."""

    def __init__(self, device: Any, opened: Callable[[Callable[[], int], MemoryWire], DetectorInputs]) -> None:
        self.clock = ManualClock(1_000)
        self.device = device
        self.wire = MemoryWire(device)
        self.port = opened(self.clock.now_ms, self.wire)

    def step(self, ms: int = 100, times: int = 1) -> list[tuple[str, InputKind, int]]:
        """Let time pass, so often, and return who told what."""
        return [(event.source, event.kind, event.value) for event in self.events(ms, times)]

    def events(self, ms: int = 100, times: int = 1) -> list[InputEvent]:
        seen: list[InputEvent] = []
        for _ in range(times):
            self.clock.wait_until(self.clock.now_ms() + ms)
            seen += self.port.poll(self.clock.now_ms())
        assert [event.at_ms for event in seen] == sorted(event.at_ms for event in seen)
        return seen

    def lost(self, ms: int = 100) -> str:
        """Let time pass and return why the link is lost."""
        self.clock.wait_until(self.clock.now_ms() + ms)
        with pytest.raises(PortError) as caught:
            self.port.poll(self.clock.now_ms())
        return str(caught.value)


def modbus_bench(cards: dict[int, Card], *units: ModbusUnit, **options: Any) -> Bench:
    chosen = ModbusOptions(port="memory", units=units, **options)
    return Bench(ModbusSlave(cards), lambda now, wire: modbus_inputs(chosen, now, wire))


def ld120_bench(card: Ld120Card) -> Bench:
    bench = modbus_bench({1: card}, ModbusUnit(unit=1, detectors={1: "D"}))
    assert bench.step() == []
    return bench


def pulses(events: list[tuple[str, InputKind, int]]) -> list[int]:
    assert all(kind is PRESENCE for _, kind, _ in events)
    return [value for _, _, value in events]


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


class Spoiling:
    """A device whose answers are spoilt, held back, doubled or preceded by foreign ones."""

    def __init__(self, device: Any) -> None:
        self._device = device
        self.spoil: Callable[[bytes], bytes] = lambda answer: answer

    def feed(self, data: bytes) -> bytes:
        return self.spoil(self._device.feed(data))


def swapped(answer: bytes) -> bytes:
    return answer[:-1] + bytes((answer[-1] ^ 0x55,)) if answer else answer


SPOILS: dict[str, Callable[[bytes], bytes]] = {
    "wrong check sum": swapped,
    "cut short": lambda answer: answer[:-1],
    "silence": lambda answer: b"",
    "another address": lambda answer: b"" if not answer else bytes((answer[0] ^ 0x3, *answer[1:])),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("spoil", SPOILS)
def test_spoilt_answers_tell_nothing_and_the_next_good_one_tells_all(kind: str, spoil: str) -> None:
    rig = MemoryRig(kind)
    line = Spoiling(rig.device)
    rig.wire.device = line
    assert rig.step() == []
    rig.cover(1, True)
    line.spoil = SPOILS[spoil]
    assert [event for _ in range(3) for event in rig.step()] == []
    line.spoil = lambda answer: answer
    rig.cover(2, True)
    rig.cover(2, False)
    rig.cover(1, False)
    rig.cover(1, True)
    events = rig.step()
    rig.cover(1, False)
    events += [event for _ in range(5) for event in rig.step()]
    values = [event.value for event in events if event.source == "D1"]
    assert values == [1, 0] * (1 if kind == "ab3418" else 2), "two vehicles; AB3418 has no counter that would tell of the first one's leaving"
    stats = rig.port.stats()
    assert sum(unit.silent for unit in stats.units.values()) >= 3


@pytest.mark.parametrize("kind", ["ld120", "digital", "ab3418"])
def test_doubled_answers_and_echoes_tell_everything_once(kind: str) -> None:
    rig = MemoryRig(kind)
    line = Spoiling(rig.device)
    line.spoil = lambda answer: answer * 2
    rig.wire.device = line
    rig.step()
    for _ in range(5):
        rig.cover(1, True)
        assert [(event.source, event.value) for event in rig.step()] == [("D1", 1)]
        rig.cover(1, False)
        assert [(event.source, event.value) for event in rig.step()] == [("D1", 0)]


@pytest.mark.parametrize("kind", ["digital", "ab3418"])
def test_what_is_left_of_a_doubled_answer_is_no_answer_to_the_next_question(kind: str) -> None:
    """Octet by octet, so that the second copy is still on its way when the first is whole."""

    class OneByOne(MemoryWire):
        def read(self, timeout_ms: int) -> bytes:
            data, self._received = bytes(self._received[:1]), self._received[1:]
            return data

    clock = ManualClock(1_000)
    device, cover = KINDS[kind].device(clock.now_ms)
    line = Spoiling(device)
    line.spoil = lambda answer: answer * 2
    port = KINDS[kind].open(KINDS[kind].options("memory"), clock.now_ms, OneByOne(line))
    port.poll(clock.now_ms())
    values = []
    for occupied in (True, False) * 4:
        cover(1, occupied)
        clock.wait_until(clock.now_ms() + 100)
        values.append([event.value for event in port.poll(clock.now_ms())])
    assert values == [[1], [0]] * 4, "each change is told by the answer to the next question"


def test_a_late_answer_is_not_taken_for_the_next_units() -> None:
    """Unit 1 answers when unit 2 has been asked: unit 2's silence is noticed, and unit 1's old state is not unit 2's."""
    cards: dict[int, Card] = {1: Ld120Card(), 2: Ld120Card()}
    bench = modbus_bench(cards, *(ModbusUnit(unit=u, detectors={1: f"D{u}"}) for u in cards))
    bench.step()
    held: list[bytes] = [b""]

    class Late(Spoiling):
        def feed(self, data: bytes) -> bytes:
            held.append(self._device.feed(data))
            return held.pop(0)

    bench.wire.device = Late(bench.device)
    first = cards[1]
    assert isinstance(first, Ld120Card)
    first.cover(True)
    assert bench.step() == []
    assert bench.port.stats().units[2].silent > 0


# Canoga: the rules for what a reply may be.


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


# AB3418: faults and volumes of the system detectors.


def box_bench() -> Bench:
    units = (Ab3418Unit(detectors={1: "A", 28: "B"}, system_detectors={1: "A", 8: "C"}),)
    bench = Bench(Ab3418Box(), lambda now, wire: ab3418_inputs(Ab3418Options(port="memory", units=units), now, wire))
    assert bench.step() == []
    return bench


def test_presence_of_the_first_and_the_last_detector() -> None:
    bench = box_bench()
    bench.device.cover(True, 28)
    bench.device.cover(True, 1)
    bench.device.cover(True, 2)
    assert bench.step() == [("A", PRESENCE, 1), ("B", PRESENCE, 1)]


@pytest.mark.parametrize(
    ("octet", "fault"),
    [
        (210, DetectorFault.OTHER),
        (211, DetectorFault.OTHER),
        (212, DetectorFault.OPEN),
        (213, DetectorFault.SHORT),
        (214, DetectorFault.EXCESSIVE_CHANGE),
        (215, DetectorFault.OTHER),
    ],
)
@pytest.mark.parametrize(("number", "name"), [(1, "A"), (8, "C")])
def test_faults_of_system_detectors(octet: int, fault: DetectorFault, number: int, name: str) -> None:
    bench = box_bench()
    bench.device.sample(number, 5, octet)
    assert bench.step(times=2) == [(name, FAULT, fault)]
    bench.device.sample(number, 0, 209)
    assert bench.step(times=2) == [(name, FAULT, DetectorFault.WHOLE)], "201 to 209 are reserved"


def test_a_volume_is_told_once_in_its_sample() -> None:
    bench = box_bench()
    bench.device.sample(8, 12, 60)
    assert bench.step(times=5) == [("C", COUNT, 12)]
    bench.device.sample(1, 3, 60)
    assert bench.step(times=5) == [("A", COUNT, 3), ("C", COUNT, 12)], "a sample that equals the last one counts, too"


def test_a_sample_that_began_in_a_silence_is_not_counted_twice_or_late() -> None:
    bench = box_bench()
    bench.device.sample(8, 12, 60)
    assert bench.step() == [("C", COUNT, 12)]
    bench.device.mute = True
    bench.step(times=5)
    bench.device.sample(8, 9, 60)
    bench.device.mute = False
    told = bench.step(10_000)
    assert [event for event in told if event[1] is COUNT] == []
    bench.device.sample(8, 4, 60)
    assert bench.step(times=2) == [("C", COUNT, 4)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_lost_wire_is_told_and_the_detectors_come_back_as_they_are(kind: str) -> None:
    rig = MemoryRig(kind)
    rig.step()
    rig.cover(1, True)
    before = rig.step()
    rig.wire.plugged = False
    faults = rig.step()
    assert [(event.source, event.kind, event.value) for event in faults] == [(f"D{u}", FAULT, DetectorFault.WATCHDOG) for u in (1, 2, 3)]
    with pytest.raises(PortError, match="unplugged"):
        rig.step()
    rig.cover(2, True)
    rig.wire.plugged = True
    after = rig.step(5_000)
    assert {(event.source, event.kind, event.value) for event in after if event.kind is FAULT} == {(f"D{u}", FAULT, 0) for u in (1, 2, 3)}
    rig.cover(1, False)
    rig.cover(2, False)
    edges = [(event.source, event.value) for event in [*before, *after, *rig.step()] if event.kind is PRESENCE]
    assert {name: [value for source, value in edges if source == name] for name in ("D1", "D2")} == {"D1": [1, 0], "D2": [1, 0]}


def test_a_mistake_of_a_driver_is_a_lost_link_with_its_name() -> None:
    class Broken:
        def feed(self, data: bytes) -> bytes:
            raise ZeroDivisionError("by design")

    options = ModbusOptions(port="memory", units=(ModbusUnit(unit=1, detectors={1: "D"}),))
    bench = Bench(Broken(), lambda now, wire: modbus_inputs(options, now, wire))
    bench.step()
    assert bench.lost() == "memory: the driver failed: ZeroDivisionError: by design"


def test_the_trace_tells_every_octet_of_both_directions() -> None:
    bench = ld120_bench(Ld120Card())
    told: list[tuple[int, str, str]] = []
    bench.port.watch(lambda at_ms, way, data: told.append((at_ms, way, data.hex(" "))))
    bench.step()
    assert told[:2] == [(1_200, ">", "01 04 00 01 00 01 60 0a"), (1_200, "<", "01 04 02 00 00 b9 30")]
    bench.port.watch(None)
    count = len(told)
    bench.step(times=3)
    assert len(told) == count
