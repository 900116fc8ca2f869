"""SUMO's raw heads: aspects there and back, letters by right of way, giving the light back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support_sumo import ENGINES, cross_junction, heads_of, running

from hardware.ports import PortError
from hardware.signals import Aspect, Frame, GroupKind, GroupSpec, SiteSpec
from hardware.sumo import SumoWorld
from hardware.sumo_heads import state_letters

pytestmark = pytest.mark.sim


@pytest.fixture(params=ENGINES)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SumoWorld]:
    with running(request.param, tmp_path) as started:
        started.step()
        yield started


@pytest.mark.parametrize("aspect", Aspect)
def test_every_aspect_is_read_back_as_it_was_shown(world: SumoWorld, aspect: Aspect) -> None:
    junction = cross_junction()
    heads = heads_of(world, junction)
    frame = Frame(world.now_ms, (aspect,) * len(junction.groups))
    heads.show(frame, world.now_ms)
    world.step()
    observation = heads.observe(world.now_ms)
    assert observation.aspects == frame.aspects
    assert observation.mode == "remote"


def test_a_light_that_somebody_else_switches_is_seen_as_local(world: SumoWorld) -> None:
    junction = cross_junction()
    heads = heads_of(world, junction)
    heads.show(Frame(world.now_ms, (Aspect.RED,) * len(junction.groups)), world.now_ms)
    world.api.trafficlight.setRedYellowGreenState(junction.id, "G" * 14)
    assert heads.observe(world.now_ms).mode == "local"


def test_it_is_released_only_while_everything_is_red(world: SumoWorld) -> None:
    junction = cross_junction()
    heads = heads_of(world, junction)
    programme = world.api.trafficlight.getProgram(junction.id)
    heads.show(Frame(world.now_ms, (Aspect.GREEN,) + (Aspect.RED,) * (len(junction.groups) - 1)), world.now_ms)
    assert not heads.release(world.now_ms)
    assert world.api.trafficlight.getProgram(junction.id) != programme
    heads.show(Frame(world.now_ms, (Aspect.RED,) * len(junction.groups)), world.now_ms)
    assert heads.release(world.now_ms)
    assert world.api.trafficlight.getProgram(junction.id) == programme
    assert heads.release(world.now_ms), "what we do not hold needs no giving back"


def test_it_is_released_where_the_programme_shows_no_amber_and_its_greens_last(world: SumoWorld) -> None:
    """The programme of the crossing changes at 42 s; its minimum green is 5 s."""
    junction = cross_junction()
    heads, lights = heads_of(world, junction), world.api.trafficlight
    red = Frame(world.now_ms, (Aspect.RED,) * len(junction.groups))
    heads.show(red, world.now_ms)
    change_s = world.now_ms / 1000 + 1
    while "y" not in programme_state(world, junction.id, change_s):
        change_s += 1
    while world.now_ms < (change_s - 4) * 1000:
        world.step()
    for _ in range(5):  # what SUMO shows changes with the step after the phase's end
        assert not heads.release(world.now_ms), "too little of the green is left"
        world.step()
    assert not heads.release(world.now_ms), "amber"
    assert set(lights.getRedYellowGreenState(junction.id)) == {"r"}
    assert heads.observe(world.now_ms).mode == "remote"
    assert heads.release(world.now_ms, hurried=True)
    assert "y" in lights.getRedYellowGreenState(junction.id)


def programme_state(world: SumoWorld, light: str, at_s: float) -> str:
    """Return what the first programme of the light shows at a time by its phases alone."""
    logic = world.api.trafficlight.getAllProgramLogics(light)[0]
    left_s = at_s % sum(phase.duration for phase in logic.phases)
    for phase in logic.phases:
        if left_s < phase.duration:
            return str(phase.state)
        left_s -= phase.duration
    raise AssertionError


def test_a_light_that_another_client_held_goes_back_to_its_own_programme(world: SumoWorld) -> None:
    junction = cross_junction()
    programme = world.api.trafficlight.getProgram(junction.id)
    world.api.trafficlight.setRedYellowGreenState(junction.id, "r" * 14)
    heads = heads_of(world, junction)
    heads.show(Frame(world.now_ms, (Aspect.RED,) * len(junction.groups)), world.now_ms)
    assert heads.release(world.now_ms)
    assert world.api.trafficlight.getProgram(junction.id) == programme


@pytest.mark.parametrize(
    ("links", "expected"),
    [
        ([(0,)], "2 groups but links for 1"),
        ([(0,), ()], "group 'b' drives no link"),
        ([(0,), (99,)], "names link 99"),
        ([(0, 1), (1,)], "link 1 belongs to two groups"),
    ],
)
def test_wrong_links_are_refused(world: SumoWorld, links: list[tuple[int, ...]], expected: str) -> None:
    spec = SiteSpec("x", tuple(GroupSpec(name, GroupKind.VEHICLE, 5000, 3000) for name in "ab"), {})
    with pytest.raises(PortError, match=expected):
        world.heads(world.light_ids()[0], spec, links)


def test_a_frame_of_another_junction_is_refused(world: SumoWorld) -> None:
    heads = heads_of(world, cross_junction())
    with pytest.raises(PortError, match="the frame has 1 aspects"):
        heads.show(Frame(world.now_ms, (Aspect.RED,)), world.now_ms)


def test_green_yields_only_while_the_priority_group_goes() -> None:
    links, red, yields = [(0, 2), (3,)], ["s", "r"], [(1,), ()]
    letters = [
        state_letters([mine, other], links, red, yields, 5)
        for mine, other in ((Aspect.GREEN, Aspect.GREEN), (Aspect.GREEN, Aspect.AMBER), (Aspect.GREEN, Aspect.RED), (Aspect.RED, Aspect.RED_AMBER))
    ]
    assert letters == ["grgGr", "grgyr", "GrGrr", "srsur"]
