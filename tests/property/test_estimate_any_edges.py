"""Whatever the loops say, the estimate stays sane: no error, weights that are chances, one order of the lanes, bounded memory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support_control import ENTRY_M, STAGES, Watch, arm_loops, drive, junction

from controller.junction import Junction
from controller.snapshot import LaneBelief
from hardware.ports import InputEvent, InputKind

pytestmark = pytest.mark.quick

ONE = junction()
# One arm with own loops per lane, one with a shared entry, and an exit: all kinds of loops, dense enough to interact.
LOOPS = (*(d.id for arm in "en" for d in arm_loops(arm, shared_entry=arm == "n")), "wout/x")
EPSILON = 1e-9
ROOM_VEH = ENTRY_M / 5.0 + 4


@st.composite
def edges(draw: st.DrawFn) -> list[InputEvent]:
    """Draw presence events and device faults at times that never run backwards; repeated values and odd order included."""
    at_ms = 0
    found = []
    for loop, wait_ms, value, faulty in draw(
        st.lists(st.tuples(st.sampled_from(LOOPS), st.sampled_from((0, 40, 300, 700, 2_000, 9_000)), st.integers(0, 1), st.integers(0, 40)), max_size=120)
    ):
        at_ms += wait_ms
        found.append(InputEvent(at_ms, InputKind.DETECTOR_FAULT if faulty == 40 else InputKind.PRESENCE, loop, value))
    return found


@st.composite
def greens(draw: st.DrawFn) -> dict[str, tuple[tuple[int, int], ...]]:
    return {g: ((start_ms, start_ms + draw(st.integers(1, 60_000))),) for g in STAGES for start_ms in [draw(st.integers(0, 60_000))]}


def check(watch: Watch, beliefs: dict[str, LaneBelief]) -> None:
    vehicles = {id(v): v for t in watch.estimator.vehicles.tracks.values() for v in t.vehicles}
    for vehicle in vehicles.values():
        assert vehicle.weights, "a vehicle that is nowhere is forgotten"
        assert all(0.0 <= w <= 1.0 + EPSILON for w in vehicle.weights.values())
        assert sum(vehicle.weights.values()) <= 1.0 + EPSILON
    for lane, track in watch.estimator.vehicles.tracks.items():
        here = [id(v) for v in track.vehicles]
        assert len(here) == len(set(here))
        assert set(here) == {i for i, v in vehicles.items() if lane in v.weights}
    for lane in watch.junction.lanes:
        one = beliefs[lane.id]
        assert len(one.arrival_ms) == len(one.weight)
        assert all(0.0 <= w <= 1.0 + EPSILON for w in one.weight)
        assert 0.0 <= one.queue_veh <= sum(one.weight) + EPSILON
        assert sum(one.weight) <= ROOM_VEH
        assert sum(one.movement_ratio) == pytest.approx(1.0)
        assert one.headway_ms > 0
        assert one.startup_ms >= 0
        assert one.flow_veh_s >= 0.0


@settings(max_examples=60, deadline=None)
@given(edges(), greens(), st.sampled_from((100, 500, 1_000)))
def test_any_edges_leave_a_sane_belief(events: list[InputEvent], windows: dict[str, tuple[tuple[int, int], ...]], tick_ms: int) -> None:
    end_ms = (events[-1].at_ms if events else 0) + 2_000
    watch = Watch(junction=ONE, events=events, greens=windows, tick_ms=max(tick_ms, end_ms // 60))
    for now_ms in range(0, end_ms + watch.tick_ms, watch.tick_ms):
        check(watch, watch.until(now_ms))


@settings(max_examples=15, deadline=None)
@given(edges(), greens())
def test_the_same_edges_give_the_same_belief(events: list[InputEvent], windows: dict[str, tuple[tuple[int, int], ...]]) -> None:
    end_ms = (events[-1].at_ms if events else 0) + 1_000
    first, second = (Watch(junction=ONE, events=events, greens=windows, tick_ms=2_000).until(end_ms) for _ in range(2))
    assert first == second


@settings(max_examples=15, deadline=None)
@given(edges())
@example([InputEvent(2_000, InputKind.PRESENCE, "e1/1", 1), InputEvent(2_000, InputKind.DETECTOR_FAULT, "e1/1", 1)])
def test_when_all_is_quiet_nothing_is_left(events: list[InputEvent]) -> None:
    """Ten minutes after every loop was left and is whole, no vehicle is believed anywhere."""
    end_ms = events[-1].at_ms if events else 0
    quiet = [InputEvent(end_ms + 100, kind, loop, 0) for loop in LOOPS for kind in (InputKind.PRESENCE, InputKind.DETECTOR_FAULT)]
    watch = Watch(junction=ONE, events=[*events, *quiet], tick_ms=2_000)
    beliefs = watch.until(end_ms + 600_000)
    assert {x: b.arrival_ms for x, b in beliefs.items() if b.arrival_ms} == {}


def flood(one: Junction, loops: tuple[str, ...], stuck: tuple[str, ...]) -> Iterator[int]:
    """Fire some loops 3 000 times while others stand covered; yield the number of vehicles kept."""
    watch = Watch(junction=one, tick_ms=20_000)
    watch.add(InputEvent(10, InputKind.PRESENCE, loop, 1) for loop in stuck)
    events = sorted(e for k in range(3_000) for n, loop in enumerate(loops) for e in drive(loop, 1_000 * k + 100 * n + 50, 50.0))
    watch.events = sorted([*watch.events, *events])
    for now_ms in range(0, 3_000_000, 100_000):
        watch.until(now_ms)
        yield len({id(v) for t in watch.estimator.vehicles.tracks.values() for v in t.vehicles})


@pytest.mark.parametrize(
    ("loops", "stuck"),
    [
        pytest.param(("e0/300",), (), id="the entry fires, the rest is silent"),
        pytest.param(("e0/300",), ("e0/120", "e0/1"), id="the entry fires, the next loops are stuck"),
        pytest.param(("e0/300", "e0/120", "e0/45"), ("e0/1",), id="all fire but a stuck stop loop"),
        pytest.param(("n/300",), ("n0/120", "n1/120"), id="a shared entry fires"),
    ],
)
def test_memory_is_bounded_when_nothing_ever_leaves(loops: tuple[str, ...], stuck: tuple[str, ...]) -> None:
    assert max(flood(ONE, loops, stuck)) <= 4 * ROOM_VEH
