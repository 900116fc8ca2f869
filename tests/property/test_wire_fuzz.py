"""Whatever a line brings, the readers raise nothing, keep little, and find the next frame that is whole."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.virtual.ab3418_box import Ab3418Box
from hardware.virtual.canoga_card import CanogaCard, CanogaSlave
from hardware.virtual.loop_cards import DigitalCard, Ld120Card, ModbusSlave
from hardware.wire import ab3418, canoga, modbus
from hardware.wire.modbus import Function, Refusal, Reply, Request

OCTET, WORD = st.integers(0, 255), st.integers(0, 65_535)
# Noise that looks like something: beginnings of real frames, flags, and anything.
SCRAPS = st.sampled_from([b"\x01\x04\x02", b"\x01\x10\x00\x00\x00\x02\xff", b"\x7e\x05\x13\xc0", b"\x7d", b"<08\x00", b"<FF\x01", b"<", b">"])
NOISE = st.lists(st.one_of(SCRAPS, st.binary(max_size=12)), max_size=12).map(b"".join)
ASKED = Request(1, Function.INPUT_REGISTERS, 1, 1)
READERS: dict[str, tuple[Callable[[], Any], bytes, Any]] = {
    "modbus master": (lambda: modbus.ReplyReader(ASKED), Reply(1, 4, (2,)).encode(), Reply(1, 4, (2,))),
    "modbus slave": (modbus.RequestReader, ASKED.encode(), ASKED),
    "canoga master": (lambda: canoga.ReplyReader(canoga.Message(3, b"B")), canoga.Message(3, b"B1").encode(), canoga.Message(3, b"B1")),
    "canoga slave": (canoga.MessageReader, canoga.Message(3, b"B").encode(), canoga.Message(3, b"B")),
    "ab3418": (ab3418.MessageReader, ab3418.Message(5, 0x8C).encode(), ab3418.Message(5, 0x8C)),
}


def chunks(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in itertools.pairwise(places)]


def found(reader: Any, parts: list[bytes]) -> list[Any]:
    seen = []
    for part in parts:
        answer = reader.feed(part)
        seen += answer if isinstance(answer, list) else [] if answer is None else [answer]
    return seen


@pytest.mark.parametrize("name", READERS)
@given(noise=NOISE, cuts=st.lists(st.integers(0, 200), max_size=8))
def test_a_whole_frame_is_found_behind_any_noise(name: str, noise: bytes, cuts: list[int]) -> None:
    open_reader, octets, message = READERS[name]
    assert message in found(open_reader(), chunks(noise + octets, cuts))


@pytest.mark.parametrize("name", READERS)
@given(noise=NOISE, cuts=st.lists(st.integers(0, 200), max_size=8))
def test_how_the_octets_are_cut_makes_no_difference(name: str, noise: bytes, cuts: list[int]) -> None:
    open_reader, octets, _ = READERS[name]
    data = noise + octets + noise
    assert found(open_reader(), chunks(data, cuts))[:1] == found(open_reader(), [data])[:1]


@given(data=st.binary(max_size=120))
def test_a_detection_is_never_made_of_anything_but_37_octets(data: bytes) -> None:
    answer = canoga.DetectionReader().feed(data)
    assert answer is None or (len(data) == 37 and answer.encode() == data)


@given(data=st.lists(NOISE, max_size=6))
def test_virtual_devices_answer_noise_with_nothing_but_frames(data: list[bytes]) -> None:
    for device in (ModbusSlave({1: Ld120Card(), 2: DigitalCard()}), CanogaSlave({0: CanogaCard(lambda: 0)}), Ab3418Box()):
        assert all(isinstance(device.feed(part), bytes) for part in data)


@given(unit=OCTET, function=st.sampled_from(list(Function)), first=WORD, count=st.integers(1, 120), data=st.data())
def test_modbus_there_and_back(unit: int, function: Function, first: int, count: int, data: st.DataObject) -> None:
    request = Request(unit, function, first, count)
    assert modbus.RequestReader().feed(request.encode()) == [request]
    bits = function in (Function.COILS, Function.DISCRETE_INPUTS)
    reply = Reply(unit, function, tuple(data.draw(st.lists(st.integers(0, 1) if bits else WORD, min_size=count, max_size=count))))
    assert modbus.ReplyReader(request).feed(reply.encode()) == reply
    refusal = Refusal(unit, function, data.draw(OCTET))
    assert modbus.ReplyReader(request).feed(refusal.encode()) == refusal


@given(address=OCTET, payload=st.binary(min_size=1, max_size=248))
def test_canoga_there_and_back(address: int, payload: bytes) -> None:
    assert canoga.MessageReader().feed(canoga.Message(address, payload).encode()) == [canoga.Message(address, payload)]


@given(address=OCTET, kind=OCTET, payload=st.binary(max_size=300))
def test_ab3418_there_and_back(address: int, kind: int, payload: bytes) -> None:
    message = ab3418.Message(address, kind, payload)
    octets = message.encode()
    assert ab3418.MessageReader().feed(octets) == [message]
    assert 0x7E not in octets[1:-1]


@given(data=st.binary(min_size=32, max_size=32))
def test_any_long_status_is_understood(data: bytes) -> None:
    status = ab3418.decode_long_status8(data)
    assert status is not None
    wanted = bytearray(data)
    wanted[12] &= 0x0F  # of detectors 29 to 32 there are none
    assert status.encode() == wanted


@pytest.mark.parametrize("name", READERS)
def test_a_line_that_babbles_for_ever_takes_no_memory(name: str) -> None:
    reader = READERS[name][0]()
    babble = (b"<\x01\x04\x02\x7d\x05\x13" * 40)[:256]
    reader.feed(babble * 8)
    tracemalloc.start()
    try:
        for _ in range(200):
            reader.feed(babble)
        assert tracemalloc.get_traced_memory()[0] < 20_000
    finally:
        tracemalloc.stop()
