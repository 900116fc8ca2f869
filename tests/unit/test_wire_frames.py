"""Serial frames, one table for both directions: octets to messages and messages to octets, whole, one by one, in noise, and spoilt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from crcmod.predefined import mkCrcFun

from hardware.wire import ab3418, canoga, modbus
from hardware.wire.checks import crc_modbus, crc_x25, xor_sum
from hardware.wire.modbus import Function, Refusal, Reply, Request

COUNTER = Request(254, Function.HOLDING_REGISTERS, 9, 2)
STATE = Request(1, Function.INPUT_REGISTERS, 1, 1)
INPUTS = Request(17, Function.DISCRETE_INPUTS, 196, 22)
COILS = Request(17, Function.COILS, 19, 37)
STATUS = ab3418.LongStatus8(
    *(1, 0x21, 0x7E, 0x5A, 0x7D, 0x81, 0x02, 0x44),
    intervals=(ab3418.Interval.MIN_GREEN, ab3418.Interval.RED_CLEARANCE),
    presence=0x8000001,
    master_clock_s=89,
    local_clock_s=12,
    sequence=200,
    system=(
        *(ab3418.SystemDetector(7, 40), ab3418.SystemDetector(0, 210), ab3418.SystemDetector(0, 211), ab3418.SystemDetector(0, 212)),
        *(ab3418.SystemDetector(0, 213), ab3418.SystemDetector(0, 214), ab3418.SystemDetector(99, 215), ab3418.SystemDetector(255, 205)),
    ),
)
DETECTION = canoga.Detection(
    (canoga.Vehicle(410, 86_400_000, 255, 0), canoga.Vehicle(0, 0, 0, 0), canoga.Vehicle(119_999, 4_294_967_295, 16, 1), canoga.Vehicle(0x3C3E2A, 60, 42, 3))
)


class Case(NamedTuple):
    """A frame. ``reader()`` has a method feed that returns what it found: one message, a list, or None."""

    octets: bytes
    message: Any
    reader: Callable[[], Any]
    encoded: Any = None  # whose encode() gives the octets, where that is not the message


def status_case() -> Case:
    message = ab3418.Message(ab3418.CONTROLLER, ab3418.LONG_STATUS8, STATUS.encode())
    octets = bytes.fromhex("7e 05 13 c0 cc 01 21 7d5e 5a 7d5d 81 02 44 f2 01 00 00 08 59 0c c8 07 28 00 d2 00 d3 00 d4 00 d5 00 d6 63 d7 ff cd") + _check(
        "05 13 c0 cc 01 21 7e 5a 7d 81 02 44 f2 01 00 00 08 59 0c c8 07 28 00 d2 00 d3 00 d4 00 d5 00 d6 63 d7 ff cd"
    )
    return Case(octets, STATUS, ab3418.StatusReader, message)


def _check(body: str) -> bytes:
    """Return check sequence and closing flag, by crcmod."""
    return int(mkCrcFun("x-25")(bytes.fromhex(body))).to_bytes(2, "little") + b"\x7e"


# Modbus: the examples of the application protocol's specification (6.1, 6.2) with the sum that crcmod gives; 6.3 and 6.4 in the LD120's registers.
CASES = {
    "modbus request, coils": Case(bytes.fromhex("11 01 0013 0025 0e84"), COILS, modbus.RequestReader),
    "modbus request, discrete inputs": Case(bytes.fromhex("11 02 00c4 0016 baa9"), INPUTS, modbus.RequestReader),
    "modbus request, counter": Case(bytes.fromhex("fe 03 0009 0002 0006"), COUNTER, modbus.RequestReader),
    "modbus request, state": Case(bytes.fromhex("01 04 0001 0001 600a"), STATE, modbus.RequestReader),
    "modbus reply, coils": Case(
        bytes.fromhex("11 01 05 cd6bb20e1b 45e6"),
        Reply(17, 1, tuple(int(c) for c in "1011001111010110010011010111000011011")),
        lambda: modbus.ReplyReader(COILS),
    ),
    "modbus reply, discrete inputs": Case(
        bytes.fromhex("11 02 03 acdb35 2018"),
        Reply(17, 2, tuple(int(c) for c in "0011010111011011101011")),
        lambda: modbus.ReplyReader(INPUTS),
    ),
    "modbus reply, counter": Case(bytes.fromhex("fe 03 04 0001 0002 253d"), Reply(254, 3, (1, 2)), lambda: modbus.ReplyReader(COUNTER)),
    "modbus reply, state": Case(bytes.fromhex("01 04 02 0102 3961"), Reply(1, 4, (0x102,)), lambda: modbus.ReplyReader(STATE)),
    "modbus exception": Case(bytes.fromhex("01 84 02 c2c1"), Refusal(1, 4, 2), lambda: modbus.ReplyReader(STATE)),
    "canoga request": Case(b"<08\x00*1E>", canoga.Message(0, b"*"), canoga.MessageReader),
    "canoga request, version": Case(b"<08\x01B77>", canoga.Message(1, b"B"), canoga.MessageReader),
    "canoga reply, version": Case(b"<12\x81BC924 V1.23" + b"E8>", canoga.Message(0x81, b"BC924 V1.23"), lambda: canoga.ReplyReader(canoga.Message(0x81, b"B"))),
    "ab3418 request": Case(bytes.fromhex("7e 05 13 c0 8c b6 7c 7e"), ab3418.Message(5, ab3418.GET_LONG_STATUS8), ab3418.MessageReader),
    "ab3418 status": status_case(),
}
NOISES = (b"\x00", b"\xff" * 7, b"<", b"<08\x00*1", b"<FF", b"~", b"}", b"\x01\x04\x02", b"\x11\x0f\x00\x13\x00\x0a\xff", bytes(range(256)) * 3)


def found(reader: Any, data: bytes) -> list[Any]:
    """Return what the reader makes of octets, as a list."""
    seen = reader.feed(data)
    return list(seen) if isinstance(seen, list) else [] if seen is None else [seen]


def one_by_one(reader: Any, data: bytes) -> list[Any]:
    return [message for octet in data for message in found(reader, bytes((octet,)))]


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def test_the_message_gives_the_octets(case: Case) -> None:
    assert (case.encoded or case.message).encode() == case.octets


def test_the_octets_give_the_message_whole_and_one_by_one(case: Case) -> None:
    assert found(case.reader(), case.octets) == [case.message]
    reader = case.reader()
    seen = [found(reader, bytes((octet,))) for octet in case.octets]
    assert seen == [*[[]] * (len(case.octets) - 1), [case.message]]


@pytest.mark.parametrize("noise", NOISES)
def test_noise_before_and_after_costs_nothing(case: Case, noise: bytes) -> None:
    assert case.message in found(case.reader(), noise + case.octets + noise)
    assert case.message in one_by_one(case.reader(), noise + case.octets)


def test_a_frame_cut_short_is_none_and_spoils_not_the_next(case: Case) -> None:
    for size in range(len(case.octets)):
        reader = case.reader()
        assert found(reader, case.octets[:size]) == []
        assert found(reader, case.octets)[-1:] == [case.message]


def test_any_one_wrong_octet_is_noticed_and_the_next_frame_is_found(case: Case) -> None:
    for place in range(len(case.octets)):
        for flip in (0x01, 0x10, 0x80, 0xFF):
            spoilt = bytearray(case.octets)
            spoilt[place] ^= flip
            reader = case.reader()
            assert found(reader, bytes(spoilt)) == [], f"octet {place} ^ {flip:02x}"
            assert case.message in found(reader, case.octets)


def test_other_addresses_functions_and_sizes_are_no_answer() -> None:
    wrong = (
        Reply(2, 4, (1,)),
        Reply(1, 3, (1,)),
        Reply(1, 4, (1, 2)),
        Refusal(1, 3, 2),
        Refusal(2, 4, 2),
    )
    for answer in wrong:
        reader = modbus.ReplyReader(STATE)
        assert reader.feed(answer.encode()) is None
        assert reader.feed(Reply(1, 4, (5,)).encode()) == Reply(1, 4, (5,))
    other = canoga.ReplyReader(canoga.Message(1, b"B"))
    assert other.feed(canoga.Message(2, b"Bx").encode() + canoga.Message(1, b"ax").encode() + canoga.Message(1, b"B").encode()) is None
    assert other.feed(canoga.Message(1, b"Bx").encode()) == canoga.Message(1, b"Bx")
    status = ab3418.StatusReader(6)
    data = STATUS.encode()
    assert status.feed(ab3418.Message(5, 0xCC, data).encode() + ab3418.Message(6, 0xC4, data).encode() + ab3418.Message(6, 0xCC, data[:-1]).encode()) is None
    assert status.feed(ab3418.Message(6, 0xCC, data).encode()) == STATUS


def test_a_doubled_answer_is_two_answers_to_whoever_listens_on() -> None:
    octets = ab3418.Message(5, 0xC4, b"\x01").encode()
    assert found(ab3418.MessageReader(), octets * 2) == [ab3418.Message(5, 0xC4, b"\x01")] * 2
    assert found(ab3418.MessageReader(), octets + octets[1:]) == [ab3418.Message(5, 0xC4, b"\x01")] * 2, "one flag may end a frame and begin the next"
    assert found(modbus.RequestReader(), STATE.encode() * 3) == [STATE] * 3
    assert found(canoga.MessageReader(), b"<08\x00*1E>" * 2) == [canoga.Message(0, b"*")] * 2


def test_a_request_to_write_is_heard_so_that_it_can_be_refused() -> None:
    several = bytes.fromhex("11 10 0001 0002 04 000a 0102")
    octets = several + crc_modbus(several).to_bytes(2, "little")
    assert found(modbus.RequestReader(), octets + STATE.encode()) == [Request(0x11, 16, 1, 2), STATE]


def test_a_canoga_detection_is_37_octets_after_silence_or_nothing() -> None:
    """Its sum of one octet is too weak to look for it in noise: what is too long or wrong stays unanswered, and the card is asked again."""
    octets = DETECTION.encode()
    assert len(octets) == 37
    assert octets[:9] == bytes.fromhex("00019a 05265c00 ff 00")
    assert canoga.DetectionReader().feed(octets) == DETECTION
    assert one_by_one(canoga.DetectionReader(), octets) == [DETECTION]
    reader = canoga.DetectionReader()
    assert reader.feed(b"\x00" + octets) is None
    assert reader.feed(octets) is None
    assert canoga.DetectionReader().feed(octets[:-1]) is None
    for place in range(37):
        spoilt = bytearray(octets)
        spoilt[place] ^= 0x40
        assert canoga.DetectionReader().feed(bytes(spoilt)) is None


def test_long_status_tells_detectors_signals_and_faults() -> None:
    assert [detector for detector in range(1, 29) if STATUS.present(detector)] == [1, 28]
    assert STATUS.alarms() == {ab3418.Alarm.PREEMPT, ab3418.Alarm.DETECTOR_FAULT}
    assert STATUS.phases_on() == (3, 7)
    assert [s.fault for s in STATUS.system[1:7]] == list(ab3418.LoopFault)
    assert (STATUS.system[0].occupancy_pct, STATUS.system[0].fault) == (20.0, None)
    assert (STATUS.system[7].occupancy_pct, STATUS.system[7].fault) == (None, None), "201 to 209 are reserved"
    assert ab3418.decode_long_status8(STATUS.encode()[:-1]) is None


def test_a_frame_that_never_ends_is_dropped() -> None:
    reader = ab3418.MessageReader()
    assert reader.feed(b"\x7e" + b"\x05" * 100_000) == []
    assert found(reader, CASES["ab3418 request"].octets) == [CASES["ab3418 request"].message]
    assert reader.spoilt == 1


@pytest.mark.parametrize("payload", [b"x" * 249, b"x" * 300])
def test_a_payload_that_no_frame_can_hold_is_refused(payload: bytes) -> None:
    with pytest.raises(ValueError, match=f"at most 248 octets, found {len(payload)}"):
        canoga.Message(0, payload).encode()


@pytest.mark.parametrize("data", [b"", b"\x00", b"123456789", bytes(range(256))])
def test_check_sums_are_those_of_crcmod(data: bytes) -> None:
    assert crc_modbus(data) == mkCrcFun("modbus")(data)
    assert crc_x25(data) == mkCrcFun("x-25")(data)


def test_check_sums_of_the_catalogue() -> None:
    """The check values that every catalogue of CRCs gives for 123456789; the good residue of X.25 is F0B8 before its complement."""
    assert crc_modbus(b"123456789") == 0x4B37
    assert crc_x25(b"123456789") == 0x906E
    sealed = b"123456789" + crc_x25(b"123456789").to_bytes(2, "little")
    assert crc_x25(sealed) ^ 0xFFFF == 0xF0B8
    assert xor_sum(b"<08\x00*") == 0x1E
