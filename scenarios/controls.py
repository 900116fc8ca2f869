"""Who switches the lights: our engine, the peers with a perfect view, or SUMO itself."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, cast

from controller.decide import NodeControl
from controller.errors import MissingError
from controller.journal import Journal
from controller.junction import Junction, Purpose
from controller.neighbours import NeighbourPort
from controller.supervisor import ModeChange
from hardware.faulty_inputs import FaultyInputs, LoopFault
from hardware.inputs import DelayedInputs
from hardware.interlock import Interlock
from hardware.ports import InputPort
from hardware.registry import open_site
from hardware.sumo import SumoWorld
from scenarios.case import OURS, PEERS, Case
from scenarios.handback import Held
from scenarios.loops import PREFIX
from scenarios.own_controllers import NodeTask, OwnPlanner, load_own
from scenarios.saturation import MeteredInputs, SaturationMeter

if TYPE_CHECKING:
    from controller.assemble import PlannerFactory
    from controller.oracle import Seen


class Control(Protocol):
    """Switches one light."""

    @property
    def nodes(self) -> Sequence[NodeControl]:
        """Return its partial nodes."""
        ...

    @property
    def mode_changes(self) -> Sequence[ModeChange]:
        """Return the changes of mode so far; in a simulation each one means that a planner failed."""
        ...

    def tick(self, now_ms: int) -> None:
        """Read, decide and show, once per simulation step. Raises `FrameRefusedError` or `PortError`."""
        ...


@dataclass(frozen=True)
class Place:
    """All that a control of one light is given. ``heads`` are behind the interlock."""

    world: SumoWorld
    case: Case
    junction: Junction
    inputs: InputPort
    heads: Interlock
    journal: Journal | None
    neighbours: NeighbourPort


MESSAGE_MS: Final = 1_000  # the way of a message from a neighbour

ControlFactory = Callable[[Place], Control]


def loops_of(junction: Junction) -> dict[str, str]:
    """Return SUMO's loop id per detector of the junction."""
    return {detector.id: PREFIX + detector.id for detector in junction.detectors}


def stop_loops_of(junction: Junction) -> dict[str, str]:
    """Return SUMO's loop id per detector at a stop line of the junction."""
    return {detector.id: PREFIX + detector.id for detector in junction.detectors if detector.purpose is Purpose.STOP}


def build_control(
    world: SumoWorld,
    case: Case,
    junction: Junction,
    journal: Journal | None,
    meter: SaturationMeter,
    neighbours: NeighbourPort,
    faults: Sequence[LoopFault] = (),
    planner: PlannerFactory | None = None,
) -> tuple[Control, Held]:
    """Return the control of one light, and the light as it is held; ``planner`` decides in place of the case's control.

    Raises `ConfigError`, `MissingError` or `PortError`.
    """
    if case.control in PEERS:
        from scenarios.peers import peer_junction

        junction = peer_junction(junction, case)
    spec = junction.site_spec()
    raw = world.heads(
        junction.id,
        spec,
        [group.links for group in junction.groups],
        turn_on_red=[group.turn_on_red for group in junction.groups],
        yields=[(p.yielding, p.priority) for p in junction.permissions],
    )
    heads = open_site(spec, raw, now_ms=world.now_ms)
    relayed = [d.id for d in junction.detectors if d.relayed_by]
    broken = [fault for fault in faults if fault.loop in {d.id for d in junction.detectors}]
    buttons = {button.id: button.place for button in junction.buttons if button.place}
    true = MeteredInputs(world.inputs(loops_of(junction), buttons), meter)  # the report's saturation flow is that of the street, not of broken loops
    inputs = DelayedInputs(FaultyInputs(true, broken, case.seed), relayed, MESSAGE_MS)
    place = Place(world, case, junction, inputs, heads, journal, neighbours)
    control = _peer(case.control)(place) if case.control in PEERS else _ours(place, planner or planner_of(case))
    return control, Held(junction.id, heads, raw)


def view_of(world: SumoWorld, light_id: str) -> Callable[[], Sequence[Seen]]:
    """Return what sees all vehicles before a light and on its junctions."""
    from controller.oracle import RANGE_M

    return lambda: cast("Sequence[Seen]", [*world.vehicles_before(light_id, RANGE_M), *world.vehicles_inside(light_id)])


def _ours(place: Place, planner: PlannerFactory | None) -> Control:
    """Return one of our own controls, or a user's: the same beliefs, sequencer and interlock."""
    from controller.assemble import assemble
    from controller.oracle import OracleEstimator

    world, junction = place.world, place.junction
    estimator = None
    if place.case.detection == "oracle":
        estimator = OracleEstimator(junction, world.now_ms, view_of(world, junction.id))
    solver = None
    if place.case.outages and place.case.control != "actuated":
        from scenarios.outages import FailingSolver

        solver = FailingSolver(place.case.outages, lambda: world.now_ms)
    ports = place.inputs, place.heads, place.journal
    start_ms, neighbours = world.now_ms, place.neighbours
    return assemble(junction, place.case.control, *ports, start_ms=start_ms, estimator=estimator, planner=planner, solver=solver, neighbours=neighbours)


def planner_of(case: Case) -> PlannerFactory | None:
    """Return what makes the planners of a user's own controller, None for our own controls. Raises `MissingError` or `ControllerError`."""
    if case.control in OURS:
        return None
    make = load_own(case.control)
    return lambda junction, node: OwnPlanner(case.control, make, NodeTask(junction, node, case.scenario, case.seed))


def _peer(name: str) -> ControlFactory:
    module, function = PEERS[name].split(":")
    try:
        factory: ControlFactory = getattr(importlib.import_module(module), function)
    except (ModuleNotFoundError, AttributeError) as error:
        raise MissingError(f"control {name!r} needs {PEERS[name]}, which cannot be loaded ({error}); install a version that has it") from error
    return factory
