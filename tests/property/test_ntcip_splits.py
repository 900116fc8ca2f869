"""Splits that a ring-and-barrier controller can run: equal sums, aligned barriers, minimums, bounded steps, whole seconds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.ntcip.splits import cycle_of, fit, sections_of
from hardware.ntcip.timing import PhaseTiming, TimingTables
from hardware.ports import PortError


def phase(number: int, ring: int, concurrent: tuple[int, ...], **more: int) -> PhaseTiming:
    row = {"walk_ms": 0, "ped_clear_ms": 0, "min_green_ms": 5_000, "max_green_ms": 40_000, "passage_ms": 2_000, "amber_ms": 3_000, "red_clear_ms": 2_000}
    return PhaseTiming(number, ring, concurrent=concurrent, **{**row, **more})


def dual_ring(phases: frozenset[int] = frozenset(range(1, 9)), **more: int) -> TimingTables:
    """NEMA's eight phases in two rings, of which only some are in use."""
    sides = ((1, 2), (5, 6)), ((3, 4), (7, 8))
    rows = [
        phase(p, ring, tuple(q for q in other if q in phases), **more)
        for a, b in sides
        for ring, own, other in ((1, a, b), (2, b, a))
        for p in own
        if p in phases
    ]
    rings = tuple(tuple(p for p in ring if p in phases) for ring in ((1, 2, 3, 4), (5, 6, 7, 8)))
    return TimingTables(tuple(sorted(rows, key=lambda p: p.phase)), rings, 30_000)


TABLES = dual_ring()
DURATIONS = st.fixed_dictionaries({p: st.integers(1, 60_000) for p in range(1, 9)})
SUBSETS = st.frozensets(st.integers(1, 8), min_size=2)


def lawful(splits: dict[int, int], tables: TimingTables) -> None:
    for section in sections_of(tables):
        assert len({sum(splits[p] for p in part) for part in section}) == 1, "barriers line up"
    least = {p.phase: -(-p.least_ms // 1000) for p in tables.phases}
    assert all(splits[p] >= least[p] for p in splits)
    assert all(type(s) is int for s in splits.values())


def test_sections_of_a_dual_ring() -> None:
    assert sections_of(TABLES) == (((1, 2), (5, 6)), ((3, 4), (7, 8)))
    assert sections_of(dual_ring(frozenset((2, 4, 6)))) == (((2,), (6,)), ((4,),))


@given(DURATIONS)
def test_sums_are_equal_and_barriers_line_up(wanted: dict[int, int]) -> None:
    splits = fit(wanted, TABLES)
    lawful(splits, TABLES)
    assert {sum(splits[p] for p in ring) for ring in TABLES.rings} == {cycle_of(splits, TABLES)}


@given(DURATIONS, DURATIONS, st.integers(1, 20))
def test_a_step_is_bounded_and_lawful(before: dict[int, int], wanted: dict[int, int], step_s: int) -> None:
    now = fit(before, TABLES)
    new = fit(wanted, TABLES, before_s=now, step_s=step_s)
    lawful(new, TABLES)
    assert max(abs(new[p] - now[p]) for p in new) <= step_s


@given(DURATIONS, DURATIONS)
def test_steps_arrive(before: dict[int, int], wanted: dict[int, int]) -> None:
    splits, target = fit(before, TABLES), fit(wanted, TABLES)
    for _ in range(60):
        splits = fit(wanted, TABLES, before_s=splits, step_s=5)
    assert max(abs(splits[p] - target[p]) for p in target) <= 1


@given(st.integers(60, 200))
def test_what_fits_is_kept_and_rounding_keeps_the_cycle(cycle_s: int) -> None:
    """Both rings ask for one whole cycle, in sevenths of a second that no controller takes."""
    half_ms = cycle_s * 1000 / 2
    wanted = {p: round(half_ms * (3 if p % 2 else 4) / 7) for p in range(1, 9)}
    splits = fit(wanted, dual_ring(min_green_ms=1_000))
    assert cycle_of(splits, TABLES) == cycle_s
    assert all(abs(splits[p] - wanted[p] / 1000) <= 1.5 for p in splits)


@given(SUBSETS, st.data())
def test_any_phases_in_use(used: frozenset[int], data: st.DataObject) -> None:
    tables = dual_ring(used)
    wanted = {p: data.draw(st.integers(30_000, 60_000)) for p in sorted(used)}
    lawful(fit(wanted, tables), tables)


def test_a_walk_lengthens_its_phase() -> None:
    tables = dual_ring(walk_ms=7_000, ped_clear_ms=12_400)
    assert min(fit(dict.fromkeys(range(1, 9), 10_000), tables).values()) == 25


@pytest.mark.parametrize("wanted", [{1: 20_000}, {}, dict.fromkeys(range(1, 9), 0), {**dict.fromkeys(range(1, 8), 20_000), 8: -1}])
def test_missing_or_impossible_durations_are_refused(wanted: dict[int, int]) -> None:
    with pytest.raises(PortError, match="expected a duration above 0"):
        fit(wanted, TABLES)


@pytest.mark.parametrize(("each_ms", "cycle"), [(70_000, "280"), (5_000, "28")])
def test_a_cycle_out_of_range_is_refused(each_ms: int, cycle: str) -> None:
    tables = dual_ring(min_green_ms=1_000, red_clear_ms=0) if each_ms < 10_000 else TABLES
    wanted = dict.fromkeys(range(1, 9), each_ms + 2_000 if each_ms < 10_000 else each_ms)
    with pytest.raises(PortError, match=f"a cycle of 30 to 255 s, found {cycle}"):
        fit(wanted, tables)
