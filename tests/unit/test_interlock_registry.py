"""The registry is the only way to signal ports, and fakes fail as real devices do."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from support_safety_junctions import spec_of_four

from hardware.fake import FakeController, FakeHeads, FakeInputs
from hardware.interlock import Interlock
from hardware.interlock_controller import ControllerInterlock
from hardware.ports import CommandKind, ControllerCommand, InputEvent, InputKind, PortError
from hardware.registry import CONTROLLERS, HEADS, open_controller, open_site
from hardware.signals import Aspect, Frame

ROOT = Path(__file__).parents[2]
PACKAGES = ("controller", "optimizer", "hardware", "scenarios", "benchmarks")
RED = (Aspect.RED,) * 4


def test_backends_are_opened_by_name_and_wrapped() -> None:
    heads = open_site(spec_of_four(), "fake", now_ms=0, blind=True)
    assert isinstance(heads, Interlock)
    assert heads.observe(0).aspects is None
    assert isinstance(open_controller(spec_of_four(), "fake", now_ms=0), ControllerInterlock)
    assert set(HEADS) == set(CONTROLLERS) == {"fake"}


def test_an_unknown_backend_is_named_with_those_that_are_known() -> None:
    with pytest.raises(PortError, match="backend toaster: expected one of fake"):
        open_site(spec_of_four(), "toaster", now_ms=0)


def test_only_the_loop_and_the_interlock_show_frames() -> None:
    """``heads.show(frame, now)`` outside the interlock stands in the loop alone, whose heads come from `open_site`."""
    callers = set()
    for path in (p for package in PACKAGES for p in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "show" and len(node.args) == 2:
                callers.add(path.relative_to(ROOT).as_posix())
    assert callers == {"hardware/interlock.py", "controller/loop.py"}


def test_only_the_registry_makes_interlocks_and_only_backends_make_raw_ports() -> None:
    makers: dict[str, set[str]] = {"Interlock": set(), "ControllerInterlock": set(), "SumoHeads": set()}
    for path in (p for package in PACKAGES for p in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in makers:
                makers[node.func.id].add(path.relative_to(ROOT).as_posix())
    registry = {"hardware/registry.py"}
    assert makers == {"Interlock": registry, "ControllerInterlock": registry, "SumoHeads": {"hardware/sumo.py"}}


class TestFakeHeads:
    def test_mute_heads_neither_show_nor_tell(self) -> None:
        heads = FakeHeads(spec_of_four())
        heads.mute = True
        with pytest.raises(PortError, match="no answer"):
            heads.show(Frame(0, RED), 0)
        with pytest.raises(PortError, match="no answer"):
            heads.observe(0)
        assert heads.history == []

    def test_what_is_no_aspect_is_rejected(self) -> None:
        with pytest.raises(PortError, match="group B: expected an Aspect, found 'r'"):
            FakeHeads(spec_of_four()).show(Frame(0, (Aspect.RED, "r", "r", "r")), 0)  # type: ignore[arg-type]

    def test_a_held_frame_is_shown_on_release(self) -> None:
        heads = FakeHeads(spec_of_four(), first=Aspect.DARK)
        heads.hold = True
        heads.show(Frame(0, RED), 0)
        assert heads.observe(0).aspects == (Aspect.DARK,) * 4
        heads.release()
        assert heads.observe(0).aspects == RED
        heads.release()
        assert heads.history == [(0, RED)]


class TestFakeInputs:
    def test_events_come_when_due_and_once(self) -> None:
        early, late = (InputEvent(ms, InputKind.PRESENCE, "d", 1) for ms in (100, 200))
        inputs = FakeInputs([late, early])
        assert inputs.poll(100) == [early]
        assert inputs.poll(150) == []
        inputs.push(InputEvent(151, InputKind.COUNT, "d", 2))
        assert [e.at_ms for e in inputs.poll(200)] == [151, 200]

    def test_time_runs_forwards(self) -> None:
        inputs = FakeInputs()
        inputs.push(InputEvent(5, InputKind.COUNT, "d", 1))
        inputs.poll(100)
        with pytest.raises(PortError, match="at least 100 ms, found 99 ms"):
            inputs.poll(99)
        with pytest.raises(PortError, match="an event after 100 ms, found d at 100 ms"):
            inputs.push(InputEvent(100, InputKind.COUNT, "d", 1))
        inputs.mute = True
        with pytest.raises(PortError, match="no answer"):
            inputs.poll(101)


def test_a_mute_controller_raises() -> None:
    device = FakeController(spec_of_four())
    device.mute = True
    with pytest.raises(PortError, match="no answer"):
        device.observe(0)
    with pytest.raises(PortError, match="no answer"):
        device.request(ControllerCommand(0, CommandKind.RELEASE), 0)
