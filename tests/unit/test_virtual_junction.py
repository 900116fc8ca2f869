"""The virtual junction: what its loops see is what its vehicles do, to the millisecond, and the same from the same seed."""

from __future__ import annotations

from itertools import pairwise

import pytest

from hardware.ports import InputEvent, InputKind
from hardware.signals import Aspect
from hardware.virtual.junction import HEADWAY_MS, VEHICLE_M, VirtualJunction
from hardware.virtual.loops import LoopFault
from hardware.virtual.street import Approach, Loop, Street, Way

HOUR_MS = 3_600_000
SPEED_M_S = 12.5
FLAT = (1.0,) * 24


def street(*, flow_veh_h: float = 400.0, yields: bool = False, seed: int = 3, platoon_ratio: float = 0.0) -> Street:
    """Return a lane with three loops and an exit loop, and on demand a second one that gives way to it."""
    main = Approach("m", 150.0, SPEED_M_S, flow_veh_h, (Way("main", "out", 1.0),), platoon_ratio)
    left = Approach("l", 150.0, SPEED_M_S, 200.0, (Way("left", "side", 1.0, yields_to=("m",)),))
    loops = (Loop("m/1", ("m",), 1.0), Loop("m/45", ("m",), 45.0), Loop("m/120", ("m",), 120.0), Loop("out/5", ("out",), 5.0), Loop("l/1", ("l",), 1.0))
    return Street("test", (main, left) if yields else (main,), loops, profile_ratio=FLAT, seed=seed)


def run(world: VirtualJunction, until_ms: int, step_ms: int = 100) -> list[InputEvent]:
    """Let time pass in steps and return all edges."""
    return [event for now_ms in range(step_ms, until_ms + 1, step_ms) for event in world.poll(now_ms)]


def onto(events: list[InputEvent], loop: str) -> list[int]:
    return [e.at_ms for e in events if e.source == loop and e.value == 1]


def test_under_green_everyone_drives_through_at_free_speed_and_is_seen_by_each_loop() -> None:
    world = VirtualJunction(street())
    world.light({"main": Aspect.GREEN})
    events = run(world, HOUR_MS)
    ons = {loop: onto(events, loop) for loop in ("m/120", "m/45", "m/1", "out/5")}
    assert 340 < len(ons["m/1"]) < 460
    assert [b - a for a, b in zip(ons["m/120"], ons["m/45"], strict=False)][:50] == pytest.approx([75.0 / SPEED_M_S * 1000] * 50, abs=500)
    assert world.passed == pytest.approx(len(ons["out/5"]), abs=3)
    assert world.mean_delay_s() < 1.0


def test_an_edge_has_the_time_at_which_it_happened_and_not_that_of_the_poll() -> None:
    fine, coarse = VirtualJunction(street()), VirtualJunction(street())
    for world in (fine, coarse):
        world.light({"main": Aspect.GREEN})
    assert run(fine, HOUR_MS // 6, 10) == run(coarse, HOUR_MS // 6, 1_000)


def test_one_vehicle_covers_a_loop_for_its_own_and_the_loops_length() -> None:
    world = VirtualJunction(street(flow_veh_h=60.0))
    world.light({"main": Aspect.GREEN})
    events = [e for e in run(world, HOUR_MS // 6) if e.source == "m/45"]
    assert [b.at_ms - a.at_ms for a, b in pairwise(events) if a.value == 1] == pytest.approx(
        [1000 * (2.0 + VEHICLE_M) / SPEED_M_S] * (len(events) // 2), abs=1.5
    )


def test_a_queue_discharges_at_the_saturation_headway() -> None:
    world = VirtualJunction(street(flow_veh_h=1500.0))
    run(world, 90_000)
    assert world.inside()["m"] >= 18
    world.light({"main": Aspect.GREEN})
    passed = [e for e in (e for now_ms in range(90_100, 130_000, 100) for e in world.poll(now_ms)) if e.source == "out/5" and e.value == 1]
    gaps = [b.at_ms - a.at_ms for a, b in pairwise(passed)]
    assert len(gaps) >= 15
    assert gaps[:15] == pytest.approx([HEADWAY_MS] * 15, abs=1.5)


def test_nobody_passes_a_red_lamp() -> None:
    world = VirtualJunction(street())
    events = run(world, HOUR_MS // 2)
    assert world.passed == 0
    assert not onto(events, "out/5")
    assert world.loops.presence("m/1")
    assert world.loops.presence("m/45")


def test_who_gives_way_passes_only_in_gaps() -> None:
    busy, empty = VirtualJunction(street(flow_veh_h=1400.0, yields=True)), VirtualJunction(street(flow_veh_h=30.0, yields=True))
    for world in (busy, empty):
        world.light({"main": Aspect.GREEN, "left": Aspect.GREEN})
        run(world, HOUR_MS // 4)
    assert busy.inside()["l"] > 5 + empty.inside()["l"]


@pytest.mark.parametrize("platoon_ratio", [0.0, 0.7])
def test_the_same_seed_gives_the_same_day_and_the_flow_asked_for(platoon_ratio: float) -> None:
    days = []
    for seed in (5, 5, 6):
        world = VirtualJunction(street(seed=seed, platoon_ratio=platoon_ratio))
        world.light({"main": Aspect.GREEN})
        days.append(run(world, 2 * HOUR_MS, 1_000))
        assert world.entered == pytest.approx(800, abs=90)
    assert days[0] == days[1] != days[2]


class TestLoopFaults:
    def after(self, fault: LoopFault) -> list[InputEvent]:
        world = VirtualJunction(street())
        world.light({"main": Aspect.GREEN})
        run(world, 60_000)
        world.loops.fail("m/1", fault, 60_000)
        events = [e for now_ms in range(60_100, 240_000, 100) for e in world.poll(now_ms)]
        world.loops.fail("m/1", None, 240_000)
        events += world.poll(240_100)
        assert world.loops.presence("m/1") == (world.loops._loops["m/1"].vehicles > 0)
        return [e for e in events if e.source == "m/1"]

    @pytest.mark.parametrize(("fault", "value"), [(LoopFault.STUCK_ON, 1), (LoopFault.STUCK_OFF, 0)])
    def test_a_stuck_loop_says_one_thing(self, fault: LoopFault, value: int) -> None:
        events = [e for e in self.after(fault) if e.at_ms < 240_000]
        assert [e.value for e in events] in ([], [value])

    def test_a_chattering_loop_switches_some_times_a_second(self) -> None:
        events = self.after(LoopFault.CHATTER)
        assert 1_000 < len(events) < 1_300
        assert all(a.value != b.value for a, b in pairwise(events))

    def test_a_card_tells_of_an_open_loop_and_of_its_mending(self) -> None:
        told = [(e.at_ms, e.value) for e in self.after(LoopFault.OPEN) if e.kind is InputKind.DETECTOR_FAULT]
        assert told == [(60_000, 1), (240_000, 0)]
