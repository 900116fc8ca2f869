"""The gate before a controller: what no planner may ask, whatever it wants."""

from __future__ import annotations

from typing import Any

import pytest

from hardware.fake import FakeController
from hardware.interlock_controller import ControllerInterlock
from hardware.interlock_limits import SiteSpecError
from hardware.interlock_rules import Rule
from hardware.ports import CommandKind, ControllerCommand, FrameRefusedError, Observation, PortError
from hardware.signals import Aspect, GroupKind, GroupSpec, SiteSpec

D, R, U, G, A, F = Aspect
HOLD, FORCE_OFF, OMIT, CALL = CommandKind.HOLD, CommandKind.FORCE_OFF, CommandKind.OMIT, CommandKind.CALL
SPEC = SiteSpec(
    "corner",
    (GroupSpec("A", GroupKind.VEHICLE, 5000, 3000), GroupSpec("B", GroupKind.VEHICLE, 6000, 3000), GroupSpec("P", GroupKind.PEDESTRIAN, 4000, 0)),
    {("A", "B"): 5000, ("B", "A"): 4000, ("P", "B"): 8000, ("B", "P"): 2000},
)


class Bench:
    def __init__(self, **options: int) -> None:
        self.device = FakeController(SPEC)
        self.port = ControllerInterlock(self.device, SPEC, now_ms=0, **options)

    def ask(self, now_ms: int, kind: CommandKind, *groups: str, durations: tuple[int, ...] = (), value: int = 0) -> None:
        self.port.request(ControllerCommand(now_ms, kind, groups, durations, value), now_ms)

    def refused(self, now_ms: int, kind: CommandKind, *groups: str, durations: tuple[int, ...] = (), value: int = 0) -> str:
        sent, count = len(self.device.history), self.port.refusals
        with pytest.raises(FrameRefusedError) as error:
            self.ask(now_ms, kind, *groups, durations=durations, value=value)
        assert len(self.device.history) == sent, "nothing was sent"
        assert self.port.refusals == count + 1
        assert str(self.port.last_refusal) in str(error.value)
        return str(error.value)


def test_a_lawful_command_is_passed_on_unchanged() -> None:
    bench = Bench()
    command = ControllerCommand(100, CALL, ("A", "P"))
    bench.port.request(command, 100)
    assert bench.device.history == [(100, command)]
    assert (bench.port.refusals, bench.port.last_refusal) == (0, None)


@pytest.mark.parametrize(
    ("command", "now_ms", "text"),
    [
        (ControllerCommand(100, CALL), 99, "at 100 ms: clock: group -: expected a whole number of milliseconds, at least 100, found 99"),
        (ControllerCommand(100, CALL), 100.0, "at 100 ms: clock: group -: expected a whole number of milliseconds, at least 100, found 100.0"),
        (ControllerCommand(101, CALL), 100, "stale frame: group -: expected a command 0 to 500 ms old, found -1 ms"),
        (ControllerCommand(100, CALL), 601, "stale frame: group -: expected a command 0 to 500 ms old, found 501 ms"),
        (ControllerCommand(100, CALL, value=-1), 100, "frame: group -: expected a value of 0 to 255, found -1"),
        (ControllerCommand(100, CALL, value=256), 100, "frame: group -: expected a value of 0 to 255, found 256"),
        (ControllerCommand(100, CALL, value=float("nan")), 100, "frame: group -: expected a CommandKind and whole numbers, found"),  # type: ignore[arg-type]
        (ControllerCommand(100, CALL, value=True), 100, "frame: group -: expected a CommandKind and whole numbers, found"),
        (ControllerCommand(100, "call"), 100, "frame: group -: expected a CommandKind and whole numbers, found"),  # type: ignore[arg-type]
        (ControllerCommand(100, CALL, ("Z",)), 100, "frame: group Z: expected each group once, out of A, B, P, found Z"),
        (ControllerCommand(100, CALL, ("A", "B", "A")), 100, "frame: group A: expected each group once, out of A, B, P, found A, B, A"),
        (ControllerCommand(100, CALL, ("A",), (5000,)), 100, "frame: group -: expected 0 durations for call, one per group, found 1"),
        (ControllerCommand(100, CommandKind.PATTERN, ("A",)), 100, "frame: group A: expected no groups for pattern, found A"),
        (ControllerCommand(100, CommandKind.RELEASE, ("A", "B")), 100, "frame: group A: expected no groups for release, found A, B"),
    ],
)
def test_form(command: ControllerCommand, now_ms: Any, text: str) -> None:
    bench = Bench()
    bench.ask(100, CALL)
    with pytest.raises(FrameRefusedError) as error:
        bench.port.request(command, now_ms)
    assert str(error.value).startswith("interlock of corner at 100 ms: ")
    assert text in str(error.value)
    if text.endswith("whole numbers, found"):
        assert str(error.value).endswith(repr(command))
    assert len(bench.device.history) == 1


def test_the_bounds_of_form_are_lawful() -> None:
    bench = Bench()
    bench.ask(0, CommandKind.PATTERN, value=255)
    bench.port.request(ControllerCommand(0, CommandKind.PATTERN), 500)
    assert len(bench.device.history) == 2


def test_splits_hold_minimum_green_and_every_clearance() -> None:
    bench = Bench()
    splits, groups = CommandKind.SPLITS, ("A", "B", "P")
    bench.ask(0, splits, *groups, durations=(10_000, 10_000, 12_000))
    for durations, text in (
        ((9999, 10_000, 12_000), "split: group A: expected a split of at least 10000 ms, found 9999 ms"),
        ((10_000, 0, 12_000), "split: group B: expected a split of at least 10000 ms, found 0 ms"),
        ((10_000, 10_000, -1), "split: group P: expected a split of at least 12000 ms, found -1 ms"),
        ((10_000, 10_000), "expected 3 durations for splits, one per group, found 2"),
    ):
        assert text in bench.refused(0, splits, *groups, durations=durations)
    assert "group P: expected a split" in bench.refused(0, splits, "P", "A", "B", durations=(11_999, 10_000, 10_000))
    for durations in ((10_000, 10_000), (10_000, 10_000, 10_000)):
        assert "expected 3 durations for splits" in bench.refused(0, splits, "A", "B", durations=durations)


def test_splits_hold_the_amber_where_no_clearance_is_longer() -> None:
    alone = SiteSpec("alone", (GroupSpec("A", GroupKind.VEHICLE, 5000, 3000),), {})
    port = ControllerInterlock(FakeController(alone), alone, now_ms=0)
    port.request(ControllerCommand(0, CommandKind.SPLITS, ("A",), (8000,)), 0)
    with pytest.raises(FrameRefusedError, match="at least 8000 ms, found 7999 ms"):
        port.request(ControllerCommand(0, CommandKind.SPLITS, ("A",), (7999,)), 0)


def test_omit_leaves_at_least_one_group() -> None:
    bench = Bench()
    bench.ask(0, OMIT, "A", "B")
    assert "omit: group A: expected at least one group that is not omitted, found all omitted" in bench.refused(0, OMIT, "A", "B", "P")
    bench.ask(0, CALL, "A", "B", "P")


def test_force_off_needs_a_green_that_was_seen_for_its_minimum() -> None:
    bench = Bench()
    assert "minimum green: group A: expected a group seen green for at least 5000 ms, found not seen green" in bench.refused(0, FORCE_OFF, "A")
    bench.device.aspects = (G, R, R)
    bench.port.observe(1000)
    assert "minimum green: group A: expected a group seen green for at least 5000 ms, found 4999 ms" in bench.refused(5999, FORCE_OFF, "A")
    bench.ask(6000, FORCE_OFF, "A")
    bench.device.aspects = (A, R, R)
    bench.port.observe(7000)
    bench.device.aspects = (G, R, R)
    assert "found 0 ms" in bench.refused(20_000, FORCE_OFF, "A")


def test_a_gap_in_seeing_begins_the_minimum_anew() -> None:
    bench = Bench()
    bench.device.aspects = (G, R, R)
    bench.port.observe(0)
    bench.device.aspects = None
    assert bench.port.observe(1000).aspects is None
    bench.device.aspects = (G, R, R)
    assert "found 0 ms" in bench.refused(6000, FORCE_OFF, "A")
    bench.device.aspects = None
    assert "not seen green" in bench.refused(12_000, FORCE_OFF, "A")


def test_no_hold_and_force_off_of_the_same_group() -> None:
    bench = Bench()
    bench.device.aspects = (G, R, G)
    bench.port.observe(0)
    bench.ask(10_000, HOLD, "A")
    assert "hold: group A: expected no force-off of a group that is held, found held" in bench.refused(10_000, FORCE_OFF, "P", "A")
    bench.ask(10_000, HOLD)
    bench.ask(10_000, FORCE_OFF, "A")
    assert "hold: group A: expected no hold of a group that is forced off, found forced off" in bench.refused(10_000, HOLD, "P", "A")
    bench.ask(10_000, CommandKind.RELEASE)
    bench.ask(10_000, HOLD, "A")
    bench.ask(10_000, CommandKind.FLASH)
    bench.ask(10_000, FORCE_OFF, "A")
    bench.ask(10_000, FORCE_OFF)
    bench.ask(10_000, HOLD, "A")


def test_a_hold_ends() -> None:
    bench = Bench(hold_limit_ms=30_000)
    bench.ask(1000, HOLD, "A")
    bench.ask(20_000, HOLD, "A", "P")
    bench.ask(30_999, HOLD, "A")
    assert "hold: group A: expected a hold of less than 30000 ms, found 30000 ms" in bench.refused(31_000, HOLD, "A")
    bench.ask(31_000, HOLD)
    bench.ask(31_000, HOLD, "A")
    assert "found 120000 ms" in _long_hold()


def _long_hold() -> str:
    bench = Bench()
    bench.ask(0, HOLD, "A")
    bench.ask(119_999, HOLD, "A")
    return bench.refused(120_000, HOLD, "A")


@pytest.mark.parametrize(
    ("aspects", "text"),
    [
        ((G, G, R), "conflict: group A: expected no GREEN beside B, which shows GREEN, found GREEN"),
        ((A, G, R), "conflict: group B: expected no GREEN beside A, which shows AMBER, found GREEN"),
        ((R, G, G), "conflict: group B: expected no GREEN beside P, which shows GREEN, found GREEN"),
        ((R, R), "read-back: group -: expected 3 aspects or none, found 2"),
    ],
)
def test_a_controller_that_shows_a_conflict_is_asked_for_nothing_but_to_let_go(aspects: tuple[Aspect, ...], text: str) -> None:
    bench = Bench()
    bench.device.aspects = aspects
    assert text in bench.refused(0, CALL, "A")
    bench.ask(0, CommandKind.RELEASE)
    bench.ask(0, CommandKind.FLASH)


def test_compatible_greens_and_other_aspects_are_no_conflict() -> None:
    bench = Bench()
    for aspects in ((G, R, G), (A, A, R), (G, U, G), (F, F, D)):
        bench.device.aspects = aspects
        bench.ask(0, CALL, "A")


def test_a_controller_in_local_mode_or_with_an_old_state_is_asked_for_nothing() -> None:
    bench = Bench()
    bench.device.mode = "local"
    assert "device mode: group -: expected mode remote, found mode local" in bench.refused(0, CALL)

    class Slow(FakeController):
        lag_ms = 500

        def observe(self, now_ms: int) -> Observation:
            return Observation(now_ms - self.lag_ms, self.aspects)

    slow = Slow(SPEC)
    port = ControllerInterlock(slow, SPEC, now_ms=0)
    port.request(ControllerCommand(1000, CALL), 1000)
    for slow.lag_ms, found in ((501, "501"), (-1, "-1")):
        with pytest.raises(FrameRefusedError, match=f"1000 ms: stale frame: group -: expected a state 0 to 500 ms old, found {found} ms"):
            port.request(ControllerCommand(1000, CALL), 1000)


def test_the_age_limit_can_be_set() -> None:
    bench = Bench(stale_ms=10)
    with pytest.raises(FrameRefusedError, match="0 to 10 ms old, found 11 ms"):
        bench.port.request(ControllerCommand(0, CALL), 11)


def test_a_command_that_the_device_did_not_take_is_not_in_force() -> None:
    bench = Bench()
    bench.device.aspects = (G, R, R)
    bench.port.observe(0)
    broken = bench.device.request

    def fail(command: ControllerCommand, now_ms: int) -> None:
        raise PortError("no answer")

    bench.device.request = fail  # type: ignore[method-assign]
    with pytest.raises(PortError):
        bench.ask(10_000, HOLD, "A")
    bench.device.request = broken  # type: ignore[method-assign]
    bench.ask(10_000, FORCE_OFF, "A")


def test_wrong_limits_are_refused() -> None:
    with pytest.raises(SiteSpecError):
        ControllerInterlock(FakeController(SPEC), SiteSpec("x", (), {}), now_ms=0)
    assert Rule.SPLIT == "split"
