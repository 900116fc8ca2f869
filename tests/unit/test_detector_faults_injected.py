"""Broken loops for simulations: what each kind makes of true edges, and how the line of text that asks for them is read."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from controller.errors import ConfigError
from hardware.faulty_inputs import FaultKind, FaultyInputs, LoopFault
from hardware.ports import DetectorFault, InputEvent, InputKind
from scenarios.detector_faults import MIXED, faults_of, parse_faults

pytestmark = pytest.mark.quick

LOOPS = [f"A/{k}" for k in range(40)]


class Scripted:
    """An input port that tells what was written down."""

    def __init__(self, events: Sequence[InputEvent]) -> None:
        self._events = list(events)

    def poll(self, now_ms: int) -> list[InputEvent]:
        due = [e for e in self._events if e.at_ms <= now_ms]
        self._events = self._events[len(due) :]
        return due


def vehicles(loop: str, *times_ms: int) -> list[InputEvent]:
    return [e for t in times_ms for e in (InputEvent(t, InputKind.PRESENCE, loop, 1), InputEvent(t + 500, InputKind.PRESENCE, loop, 0))]


def told(kind: FaultKind, events: Sequence[InputEvent], until_ms: int, begin_ms: int = 10_000, end_ms: int | None = 30_000) -> list[tuple[int, int]]:
    port = FaultyInputs(Scripted(events), [LoopFault("a", kind, begin_ms, end_ms)], seed=1)
    found = [e for now_ms in range(1_000, until_ms + 1, 1_000) for e in port.poll(now_ms)]
    assert [e.at_ms for e in found] == sorted(e.at_ms for e in found)
    return [(e.at_ms, e.value) for e in found if e.kind is InputKind.PRESENCE]


BEFORE, AFTER = [(2_000, 1), (2_500, 0)], [(40_000, 1), (40_500, 0)]
TRUE = vehicles("a", 2_000, 9_800, 15_000, 18_000, 40_000)


@pytest.mark.parametrize(
    ("kind", "between"),
    [
        (FaultKind.STUCK_ON, [(9_800, 1), (30_000, 0)]),
        (FaultKind.STUCK_OFF, [(9_800, 1), (10_000, 0)]),
        (FaultKind.SILENT, [(9_800, 1), (30_000, 0)]),
        (
            FaultKind.DOUBLE,
            [(9_800, 1), (10_300, 0), (10_450, 1), (10_650, 0)] + [(t + d, v) for t in (15_000, 18_000) for d, v in ((0, 1), (500, 0), (650, 1), (850, 0))],
        ),
        (FaultKind.HALF, [(9_800, 1), (10_300, 0), (15_000, 1), (15_500, 0)]),
        (FaultKind.OPEN, [(9_800, 1), (30_000, 0)]),
    ],
)
def test_what_a_fault_makes_of_true_edges(kind: FaultKind, between: list[tuple[int, int]]) -> None:
    assert told(kind, TRUE, 60_000) == [*BEFORE, *between, *AFTER]


def test_chatter_flickers_until_it_ends_and_is_the_same_every_time() -> None:
    one = told(FaultKind.CHATTER, TRUE, 60_000)
    flicker = [at_ms for at_ms, _ in one if 10_000 <= at_ms < 30_000]
    assert len(flicker) > 100
    assert one[-2:] == AFTER
    assert one == told(FaultKind.CHATTER, TRUE, 60_000)


def test_a_second_pulse_gives_way_to_the_next_vehicle() -> None:
    assert told(FaultKind.DOUBLE, vehicles("a", 15_000, 15_700), 16_000) == [(15_000, 1), (15_500, 0), (15_650, 1), (15_700, 0), (15_700, 1)]


def test_cards_report_open_and_short_loops_and_that_they_are_whole_again() -> None:
    port = FaultyInputs(Scripted([]), [LoopFault("a", FaultKind.SHORT, 5_000, 8_000)], seed=1)
    codes = [(e.at_ms, e.value) for now_ms in (4_000, 6_000, 9_000) for e in port.poll(now_ms) if e.kind is InputKind.DETECTOR_FAULT]
    assert codes == [(5_000, DetectorFault.SHORT), (8_000, DetectorFault.WHOLE)]


def test_other_loops_and_other_inputs_pass_as_they_are() -> None:
    events = [*vehicles("b", 12_000), InputEvent(13_000, InputKind.PUSH_BUTTON, "a", 1)]
    port = FaultyInputs(Scripted(events), [LoopFault("a", FaultKind.STUCK_OFF, 0)], seed=1)
    assert list(port.poll(20_000)) == events


def test_a_share_breaks_that_many_loops_with_all_kinds_at_times_between_the_two() -> None:
    faults = faults_of(parse_faults("0.25=mixed@100-200"), LOOPS, seed=3)
    assert len(faults) == 10
    assert {f.kind for f in faults} == set(MIXED)
    assert all(100_000 <= f.begin_ms <= 200_000 and f.end_ms is None for f in faults)
    assert faults == faults_of(parse_faults("0.25=mixed@100-200"), reversed(LOOPS), seed=3)
    assert faults != faults_of(parse_faults("0.25=mixed@100-200"), LOOPS, seed=4)


def test_named_loops_go_before_shares() -> None:
    faults = {f.loop: f for f in faults_of(parse_faults("1=half@5; A/1?=silent@60-90"), LOOPS, seed=1)}
    assert len(faults) == len(LOOPS)
    assert {f.kind for name, f in faults.items() if name.startswith("A/1") and name != "A/1"} == {FaultKind.SILENT}
    assert faults["A/2"] == LoopFault("A/2", FaultKind.HALF, 5_000)
    assert faults["A/12"] == LoopFault("A/12", FaultKind.SILENT, 60_000, 90_000)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("0.25", "expected LOOP=KIND@FROM"),
        ("=silent@4", "expected LOOP=KIND@FROM"),
        ("0.25=broken@0", "unknown kind 'broken'"),
        ("1.5=mixed@0", "more than 0 and at most 1"),
        ("0=mixed@0", "more than 0 and at most 1"),
        ("A=silent@9-3", "FROM before TO"),
        ("A=silent@soon", "FROM before TO"),
        ("A=silent@nan", "FROM before TO"),
    ],
)
def test_a_wrong_line_says_what_was_expected(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match="--detector-faults") as caught:
        parse_faults(text)
    assert told in str(caught.value)


def test_a_loop_that_is_not_there_is_named_with_one_that_is() -> None:
    with pytest.raises(ConfigError, match="did you mean 'A/12'"):
        faults_of(parse_faults("A-12=silent@4"), LOOPS, seed=1)
