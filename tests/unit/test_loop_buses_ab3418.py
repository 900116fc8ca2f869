"""AB3418: presence, faults and volumes of the system detectors."""

from __future__ import annotations

import pytest
from support_loop_buses import COUNT, FAULT, PRESENCE, Bench

from hardware.loops.ab3418 import Ab3418Options, Ab3418Unit, ab3418_inputs
from hardware.ports import DetectorFault
from hardware.virtual.ab3418_box import Ab3418Box

pytestmark = pytest.mark.quick


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
