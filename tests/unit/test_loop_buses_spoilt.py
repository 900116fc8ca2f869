"""Detector drivers whose line spoils, delays, doubles or loses answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support_loop_buses import FAULT, PRESENCE, modbus_bench
from support_serial import KINDS, MemoryRig

from controller.clock import ManualClock
from hardware.loops.modbus import ModbusUnit
from hardware.ports import DetectorFault, PortError
from hardware.virtual.card_lines import MemoryWire
from hardware.virtual.loop_cards import Card, Ld120Card

pytestmark = pytest.mark.quick


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
