"""Whatever a line does to the answers, a driver raises nothing, its edges alternate, and in the end it tells what is there and how many there were."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support_serial import KINDS, UNITS, MemoryRig

from hardware.ports import InputEvent, InputKind, PortError

pytestmark = pytest.mark.quick


class Line:
    """A device behind a line that spoils, cuts, holds back or doubles its answers, and babbles."""

    def __init__(self, device: object) -> None:
        self._device = device
        self._held = b""
        self.fault, self.noise = "", b""

    def feed(self, data: bytes) -> bytes:
        answer, held, self._held = bytes(self._device.feed(data)), self._held, b""  # type: ignore[attr-defined]
        match self.fault:
            case "cut":
                return held + answer[: len(answer) // 2]
            case "flip" if answer:
                place = len(self.noise) % len(answer)
                return held + bytes((*answer[:place], answer[place] ^ 0x24, *answer[place + 1 :]))
            case "late":
                self._held = answer  # it comes when the next question has been asked, before that one's own answer
                return held
            case "double":
                return held + answer * 2
            case "noise":
                return held + self.noise + answer
            case "silent":
                return held
            case _:
                return held + answer


STEP = st.tuples(
    st.sampled_from(UNITS),
    st.booleans(),
    st.sampled_from(["", "", "", "cut", "flip", "late", "double", "noise", "silent"]),
    st.binary(max_size=6),
)


def polled(rig: MemoryRig, ms: int = 100) -> list[InputEvent]:
    try:
        return rig.step(ms)
    except PortError as error:
        why = str(error)
    assert "driver failed" not in why
    return []


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(STEP, max_size=40))
def test_a_bad_line_makes_no_vehicle_and_loses_no_state(kind: str, steps: list[tuple[int, bool, str, bytes]]) -> None:
    rig = MemoryRig(kind)
    polled(rig)
    line = Line(rig.device)
    rig.wire.device = line
    seen: list[InputEvent] = []
    there, vehicles = dict.fromkeys(UNITS, False), dict.fromkeys(UNITS, 0)
    for unit, occupied, fault, noise in steps:
        vehicles[unit] += occupied and not there[unit]
        there[unit] = occupied
        rig.cover(unit, occupied)
        line.fault, line.noise = fault, noise
        seen += polled(rig)
    line.fault = ""
    for _ in range(20):
        seen += polled(rig)
    for _ in range(3):
        seen += polled(rig, 5_000)  # where the line counted as lost, it is opened again by now
    seen += [event for _ in range(20) for event in polled(rig)]
    for unit in UNITS:
        edges = [event.value for event in seen if event.kind is InputKind.PRESENCE and event.source == f"D{unit}"]
        assert edges == [(place + 1) % 2 for place in range(len(edges))], f"D{unit} alternates"
        counted = sum(event.value for event in seen if event.kind is InputKind.COUNT and event.source == f"D{unit}")
        if kind != "canoga":  # a card that tells of vehicles once they have left
            assert len(edges) % 2 == there[unit], f"D{unit} is as the loop is"
        if kind == "ab3418":
            assert sum(edges) <= vehicles[unit], "there is no counter, but nothing is made up"
        elif kind == "canoga":
            assert sum(edges) + counted <= vehicles[unit] - there[unit]
        else:
            assert sum(edges) + counted == vehicles[unit], f"D{unit}: every vehicle once"
    faults = [event.value for event in seen if event.kind is InputKind.DETECTOR_FAULT and event.source == "D1"]
    assert faults == [2, 0] * (len(faults) // 2), "a fault ends when the line is good again"
