"""The checker finds each kind of fault that it claims to find, and blames no lawful signal for one."""

from __future__ import annotations

import ast
import random
from contextlib import suppress
from pathlib import Path

import pytest

import hardware.virtual.checker as module
from hardware.fake import FakeHeads
from hardware.ports import FrameRefusedError
from hardware.registry import open_site
from hardware.signals import Aspect, Frame, GroupKind, GroupSpec, SiteSpec
from hardware.virtual.checker import Checker, FaultKind

RED, GREEN, AMBER, RED_AMBER, DARK, FLASHING = Aspect.RED, Aspect.GREEN, Aspect.AMBER, Aspect.RED_AMBER, Aspect.DARK, Aspect.FLASHING_AMBER
SPEC = SiteSpec(
    "corner",
    (
        GroupSpec("north", GroupKind.VEHICLE, 6_000, 3_000),
        GroupSpec("east", GroupKind.VEHICLE, 6_000, 3_000, red_amber_ms=1_000),
        GroupSpec("walk", GroupKind.PEDESTRIAN, 5_000, 0),
    ),
    {("north", "east"): 5_000, ("east", "north"): 5_000, ("walk", "east"): 9_000, ("east", "walk"): 6_000},
)
ALL_RED = (RED, RED, RED)
Step = tuple[int, tuple[Aspect | None, ...]]
LAWFUL: tuple[Step, ...] = (
    (0, ALL_RED),
    (10_000, (GREEN, RED, GREEN)),
    (16_000, (GREEN, RED, RED)),
    (20_000, (AMBER, RED, RED)),
    (23_000, ALL_RED),
    (24_000, (RED, RED_AMBER, RED)),
    (25_000, (RED, GREEN, RED)),
    (31_000, (RED, AMBER, RED)),
    (34_000, ALL_RED),
    (36_000, (GREEN, RED, RED)),
    (37_000, (GREEN, RED, GREEN)),
)


def kinds(*steps: Step) -> list[FaultKind]:
    checker = Checker(SPEC, tolerance_ms=0)
    return [fault.kind for at_ms, lamps in steps for fault in checker.look(at_ms, lamps)]


def test_a_lawful_cycle_is_blamed_for_nothing() -> None:
    assert kinds(*LAWFUL) == []


GREEN_NORTH: tuple[Step, ...] = ((0, ALL_RED), (10_000, (GREEN, RED, RED)))
ENDED_NORTH: tuple[Step, ...] = (*GREEN_NORTH, (20_000, (AMBER, RED, RED)), (23_000, ALL_RED))
FAULTS: dict[str, tuple[tuple[Step, ...], FaultKind]] = {
    "two conflicting greens": ((*GREEN_NORTH, (21_000, (GREEN, GREEN, RED))), FaultKind.CONFLICT),
    "green beside amber": ((*GREEN_NORTH, (20_000, (AMBER, RED_AMBER, RED)), (21_000, (AMBER, GREEN, RED))), FaultKind.CONFLICT),
    "short intergreen": ((*ENDED_NORTH, (23_500, (RED, RED_AMBER, RED)), (24_500, (RED, GREEN, RED))), FaultKind.INTERGREEN),
    "short minimum green": ((*GREEN_NORTH, (15_000, (AMBER, RED, RED))), FaultKind.MINIMUM_GREEN),
    "short minimum green of pedestrians": (((0, ALL_RED), (9_000, (RED, RED, GREEN)), (13_000, ALL_RED)), FaultKind.MINIMUM_GREEN),
    "no amber": ((*GREEN_NORTH, (20_000, ALL_RED)), FaultKind.AMBER),
    "short amber": ((*GREEN_NORTH, (20_000, (AMBER, RED, RED)), (22_000, ALL_RED)), FaultKind.AMBER),
    "amber without end": ((*GREEN_NORTH, (20_000, (AMBER, RED, RED)), (26_500, (AMBER, RED, RED))), FaultKind.AMBER),
    "amber after red": (((0, ALL_RED), (9_000, (AMBER, RED, RED))), FaultKind.ORDER),
    "green without red-amber": (((0, ALL_RED), (9_000, (RED, GREEN, RED))), FaultKind.ORDER),
    "green again after amber": ((*GREEN_NORTH, (20_000, (AMBER, RED, RED)), (23_000, (GREEN, RED, RED))), FaultKind.ORDER),
    "amber of pedestrians": (((0, ALL_RED), (9_000, (RED, RED, GREEN)), (15_000, (RED, RED, AMBER))), FaultKind.ORDER),
    "green out of the dark": (((0, (DARK,) * 3), (5_000, (GREEN, RED, RED))), FaultKind.ORDER),
    "pedestrian clearance cut": (
        ((0, ALL_RED), (9_000, (RED, RED, GREEN)), (15_000, ALL_RED), (22_000, (RED, RED_AMBER, RED)), (23_000, (RED, GREEN, RED))),
        FaultKind.PEDESTRIAN,
    ),
    "one lamp dark": ((*GREEN_NORTH, (20_000, (GREEN, DARK, RED))), FaultKind.MISSING),
    "one lamp not there": ((*GREEN_NORTH, (20_000, (GREEN, None, RED))), FaultKind.MISSING),
    "a lamp too few": ((*GREEN_NORTH, (20_000, (GREEN, RED))), FaultKind.MISSING),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_kind_of_fault_is_found(name: str) -> None:
    steps, kind = FAULTS[name]
    assert kind in kinds(*steps)
    assert kind not in kinds(*steps[:-1])


def test_each_kind_is_provoked_above() -> None:
    assert {kind for _, kind in FAULTS.values()} == set(FaultKind)


def test_a_conflict_goes_on_counting_while_it_lasts_and_is_told_in_words() -> None:
    checker = Checker(SPEC)
    for at_ms in range(0, 1_000, 100):
        checker.look(at_ms, (GREEN, GREEN, RED))
    assert (checker.frames, checker.unsafe_frames) == (10, 10)
    assert checker.counts == {FaultKind.CONFLICT: 10}
    assert checker.faults[0].text == "expected no GREEN beside east, found it GREEN"


def test_what_was_there_from_the_beginning_is_not_blamed_for_being_short() -> None:
    assert kinds((0, (GREEN, RED, RED)), (1_000, (AMBER, RED, RED)), (4_000, ALL_RED)) == []


def test_all_flashing_is_no_missing_aspect_and_a_power_failure_is_a_beginning() -> None:
    checker = Checker(SPEC, tolerance_ms=0)
    checker.look(0, ALL_RED)
    assert not checker.look(9_000, (FLASHING, FLASHING, DARK))
    assert not checker.look(12_000, ALL_RED)
    checker.forget()
    assert not checker.look(13_000, (GREEN, RED, RED))


def test_it_shares_no_code_with_the_interlock() -> None:
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= {"__future__", "collections.abc", "enum", "typing", "hardware.signals"}


@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_asked_of_the_interlock_the_checker_finds_nothing_in_what_it_lets_through(seed: int) -> None:
    source, heads, now_ms = random.Random(seed), FakeHeads(SPEC), 0
    guarded, checker = open_site(SPEC, heads, now_ms=0), Checker(SPEC, tolerance_ms=0)
    refused = greens = calm = 0
    for _ in range(6_000):
        now_ms += source.choice((100, 100, 100, 500, 1_000))
        asked = list(heads.observe(now_ms).aspects or ALL_RED)
        calm -= 1
        if calm > 0:
            asked = list(ALL_RED)
        elif source.random() < 0.3:
            asked[source.randrange(3)] = source.choice((RED, GREEN, AMBER, RED_AMBER))
        try:
            guarded.show(Frame(now_ms, tuple(asked)), now_ms)
        except FrameRefusedError:
            refused += 1
            calm = 60
            with suppress(FrameRefusedError):
                guarded.resume(now_ms)
        seen = heads.observe(now_ms).aspects
        assert seen is not None
        greens += GREEN in seen
        assert not checker.look(now_ms, seen)
    assert refused > 50
    assert greens > 50
