"""Put a junction's control together from its model, its ports and the wanted mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from controller.actuated import ActuatedPlanner
from controller.clearing import Clearing
from controller.coordination import Coordination
from controller.decide import NodeControl
from controller.detection import Detection
from controller.errors import ConfigError
from controller.estimate import Estimator, LoopEstimator
from controller.fixed import FixedPlanner
from controller.free_stages import with_more_stages
from controller.journal import Journal
from controller.junction import Junction, Node
from controller.loop import JunctionControl
from controller.neighbours import NeighbourPort, NoNeighbours
from controller.planner import Planner
from controller.recorder import Recorder
from controller.red_meter import RedMeter
from controller.sequencer import Sequencer, Sequencing
from controller.supervisor import Mode, Supervisor
from controller.transitions import transition_table
from hardware.inputs import LastingInputs
from hardware.ports import HeadPort, InputPort

if TYPE_CHECKING:
    from controller.solver import Solver

MODES: Final = {"adaptive": Mode.ADAPTIVE, "cycle": Mode.CYCLE, "actuated": Mode.ACTUATED, "programme": Mode.FIXED}

PlannerFactory = Callable[[Junction, Node], Planner]
SequencerFactory = Callable[[Junction, Node, int], Sequencing]  # with the start in monotonic ms


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
    faults = junction.validate()
    if faults:
        raise ConfigError(f"junction {junction.id}: {len(faults)} faults; run `umlauf check`:\n" + "\n".join(faults))
    if control not in MODES and planner is None:
        raise ConfigError(f"control {control!r}: expected one of {', '.join(MODES)}")
    mode = MODES.get(control, Mode.ADAPTIVE)
    if journal is not None:
        journal.junction(junction, control, start_ms, solvable=estimator is None and planner is None and solver is None)
    junction = with_more_stages(junction)
    nodes = tuple(
        NodeControl(
            junction.id,
            node.id,
            sequencer(junction, node, start_ms),
            Supervisor(mode),
            _planners(junction, node, mode, planner, solver),
            Clearing(junction, node) if planner is None else None,
            RedMeter(junction, node),
        )
        for node in junction.nodes
    )
    beliefs = estimator or LoopEstimator(junction, start_ms)
    coordination = Coordination(junction, neighbours or NoNeighbours())
    return JunctionControl(junction, LastingInputs(inputs), heads, Detection(junction, start_ms), beliefs, coordination, nodes, Recorder(journal, junction.id))


def _planners(junction: Junction, node: Node, mode: Mode, factory: PlannerFactory | None, solver: Solver | None) -> dict[Mode, Planner]:
    """Return the mode's planner and those it may fall back to."""
    planners: dict[Mode, Planner] = {Mode.ACTUATED: ActuatedPlanner(junction, node), Mode.FIXED: FixedPlanner(node)}
    if factory is not None:
        planners[mode] = factory(junction, node)
    elif mode in (Mode.ADAPTIVE, Mode.CYCLE):
        from controller.adaptive import AdaptivePlanner
        from controller.cycle import CyclePlanner
        from controller.solver import InlineSolver
        from controller.watched_solver import WatchedSolver

        watched, transitions = WatchedSolver(solver or InlineSolver()), transition_table(junction, node)
        planners[Mode.ADAPTIVE] = AdaptivePlanner(junction, node, transitions, watched)
        planners[Mode.CYCLE] = CyclePlanner(junction, node, transitions, watched)
    return planners
