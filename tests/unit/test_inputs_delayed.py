"""What a neighbour's loop tells comes a message's way later, with its own times and in order."""

from __future__ import annotations

import pytest

from hardware.fake import FakeInputs
from hardware.inputs import DelayedInputs
from hardware.ports import InputEvent, InputKind


def edge(at_ms: int, source: str) -> InputEvent:
    return InputEvent(at_ms, InputKind.PRESENCE, source, 1)


EVENTS = [edge(200, "far"), edge(300, "own"), edge(1_100, "own"), edge(1_900, "far"), edge(2_500, "own")]


@pytest.mark.parametrize(("every_ms", "expected"), [
    (1_000, [(1_000, "own", 300), (2_000, "far", 200), (2_000, "own", 1_100), (3_000, "far", 1_900), (3_000, "own", 2_500)]),
    (3_000, [(3_000, "far", 200), (3_000, "own", 300), (3_000, "own", 1_100), (3_000, "far", 1_900), (3_000, "own", 2_500)]),
    (500, [(500, "own", 300), (1_500, "far", 200), (1_500, "own", 1_100), (2_500, "own", 2_500), (3_000, "far", 1_900)]),
])  # fmt: skip
def test_the_events_of_a_neighbour_come_late_and_in_order(every_ms: int, expected: list[tuple[int, str, int]]) -> None:
    port = DelayedInputs(FakeInputs(EVENTS), ["far"], 1_000)
    got = [(now_ms, e.source, e.at_ms) for now_ms in range(every_ms, 6_001, every_ms) for e in port.poll(now_ms)]
    assert got == expected


def test_nothing_is_delayed_where_there_is_no_neighbour() -> None:
    assert list(DelayedInputs(FakeInputs(EVENTS), [], 1_000).poll(3_000)) == EVENTS


def test_no_event_is_lost_where_the_port_gives_them_out_of_order() -> None:
    class Unordered:
        def poll(self, now_ms: int) -> list[InputEvent]:
            return [edge(900, "far"), edge(200, "far")] if now_ms == 1_000 else []

    port = DelayedInputs(Unordered(), ["far"], 1_000)
    assert [[e.at_ms for e in port.poll(now_ms)] for now_ms in (1_000, 1_300, 2_000)] == [[], [200], [900]]
