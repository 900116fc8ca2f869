"""A junction's control with its planners in this process, as simulation and replay use it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from controller.actuated import ActuatedPlanner
from controller.build import MODES, SequencerFactory, build
from controller.errors import ConfigError
from controller.estimate import Estimator
from controller.fixed import FixedPlanner
from controller.journal import Journal
from controller.junction import Junction, Node
from controller.loop import JunctionControl
from controller.neighbours import NeighbourPort
from controller.planner import Planner, Remembering
from controller.sequencer import Sequencer
from controller.supervisor import Mode
from controller.transitions import transition_table
from hardware.ports import HeadPort, InputPort

if TYPE_CHECKING:
    from controller.solver import Solver

PlannerFactory = Callable[[Junction, Node], Planner]


def assemble(
    junction: Junction,
    control: str,
    inputs: InputPort,
    heads: HeadPort,
    journal: Journal | None,
    *,
    start_ms: int,
    estimator: Estimator | None = None,
    planner: PlannerFactory | None = None,
    solver: Solver | None = None,
    neighbours: NeighbourPort | None = None,
    sequencer: SequencerFactory = Sequencer,
) -> JunctionControl:
    """Return the control of one junction in the mode ``control`` (a key of `MODES`).

    ``planner`` replaces the mode's own planner (peers, users' controllers), ``solver`` the one in this process; without ``neighbours``
    it hears of none and tells none. ``sequencer`` makes what follows the plan where a controller owns the aspects
    (`controller.cabinet.follower`). Raises `ConfigError` where the junction has faults or the mode is unknown.
    """
    if control not in MODES and planner is None:
        raise ConfigError(f"control {control!r}: expected one of {', '.join(MODES)}")
    return build(
        junction,
        control,
        inputs,
        heads,
        journal,
        start_ms=start_ms,
        planners=partial(inline_planners, control=control, planner=planner, solver=solver),
        clears=planner is None,
        solvable=estimator is None and planner is None and solver is None,
        estimator=estimator,
        neighbours=neighbours,
        sequencer=sequencer,
    )


def inline_planners(
    junction: Junction, node: Node, *, control: str, planner: PlannerFactory | None = None, solver: Solver | None = None
) -> Mapping[Mode, Planner]:
    """Return the planner of the mode ``control`` and those it may fall back to, all in this process."""
    mode = MODES.get(control, Mode.ADAPTIVE)
    planners: dict[Mode, Planner] = {Mode.ACTUATED: ActuatedPlanner(junction, node), Mode.FIXED: FixedPlanner(node)}
    if planner is not None:
        planners[mode] = planner(junction, node)
    elif mode in (Mode.ADAPTIVE, Mode.CYCLE):
        planners |= optimizing_planners(junction, node, solver)
    return planners


def optimizing_planners(junction: Junction, node: Node, solver: Solver | None = None) -> Mapping[Mode, Remembering]:
    """Return the planners that need the optimizer; they share one solver, that of this process where none is given."""
    from controller.adaptive import AdaptivePlanner
    from controller.cycle import CyclePlanner
    from controller.solver import InlineSolver
    from controller.watched_solver import WatchedSolver

    watched, transitions = WatchedSolver(solver or InlineSolver()), transition_table(junction, node)
    return {Mode.ADAPTIVE: AdaptivePlanner(junction, node, transitions, watched), Mode.CYCLE: CyclePlanner(junction, node, transitions, watched)}
