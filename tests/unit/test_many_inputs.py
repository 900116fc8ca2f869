"""Several sources of events: one that is missing or lost costs its own loops, is tried again, and comes back."""

from __future__ import annotations

import pytest

from hardware.fake import FakeInputs
from hardware.many_inputs import ManyInputs, Source
from hardware.ports import DetectorFault, InputEvent, InputKind, InputPort, PortError

pytestmark = pytest.mark.quick


def edge(at_ms: int, source: str) -> InputEvent:
    return InputEvent(at_ms, InputKind.PRESENCE, source, 1)


class Bench:
    def __init__(self) -> None:
        self.a, self.b = FakeInputs([edge(150, "a1"), edge(15_050, "a1")]), FakeInputs([edge(120, "b1"), edge(15_020, "b1")])
        self.there = True
        self.opened = 0
        self.both = ManyInputs([Source("bus a", lambda: self.a, ("a1", "a2")), Source("bus b", self._open, ("b1",))])

    def _open(self) -> InputPort:
        self.opened += 1
        if not self.there:
            raise PortError("no such device")
        return self.b


def test_events_of_all_come_in_order_of_time() -> None:
    assert [e.source for e in Bench().both.poll(200)] == ["b1", "a1"]


def test_a_lost_one_costs_its_own_loops_until_it_is_back() -> None:
    bench = Bench()
    bench.both.poll(0)
    bench.a.mute = True
    assert [e.source for e in bench.both.poll(200)] == ["b1"]
    assert bench.both.poll(10_100) == []
    faults = bench.both.poll(10_200)
    assert [(e.kind, e.source, e.value) for e in faults] == [(InputKind.DETECTOR_FAULT, x, DetectorFault.WATCHDOG) for x in ("a1", "a2")]
    assert bench.both.poll(12_000) == [], "told once"
    bench.a.mute = False
    back = bench.both.poll(15_000)
    assert bench.both.news == ["bus a: lost: fake inputs: no answer; set mute to False", "bus a: answers again"]
    assert [(e.source, e.value) for e in back if e.kind is InputKind.DETECTOR_FAULT] == [("a1", DetectorFault.WHOLE), ("a2", DetectorFault.WHOLE)]


def test_one_that_is_missing_is_tried_again_every_five_seconds() -> None:
    bench = Bench()
    bench.there = False
    for now_ms in range(0, 14_000, 100):
        bench.both.poll(now_ms)
    assert bench.opened == 3
    bench.there = True
    bench.both.poll(15_000)
    assert [e.source for e in bench.both.poll(15_100)] == ["b1", "a1"]


def test_all_lost_is_lost() -> None:
    bench = Bench()
    bench.both.poll(0)
    bench.a.mute = bench.b.mute = True
    with pytest.raises(PortError, match="no answer"):
        bench.both.poll(100)


def test_no_source_at_all_is_no_loss() -> None:
    assert ManyInputs([]).poll(100) == []


def test_those_that_can_be_closed_are_closed() -> None:
    class Closing(FakeInputs):
        closed = False

        def close(self) -> None:
            self.closed = True

    one = Closing()
    both = ManyInputs([Source("a", lambda: one, ()), Source("b", FakeInputs, ())])
    both.poll(0)
    both.close()
    assert one.closed
