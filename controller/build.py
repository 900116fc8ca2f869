"""Put a junction's control together from its model, its ports and its planners. Imports no optimizer, so that the cabinet's guard can."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from controller.clearing import Clearing
from controller.coordination import Coordination
from controller.decide import NodeControl
from controller.detection import Detection
from controller.detector_rules import Limits
from controller.errors import ConfigError
from controller.estimate import Estimator, LoopEstimator
from controller.free_stages import with_more_stages
from controller.journal_rows import JournalRows
from controller.journal_schema import OBSERVED
from controller.junction import Junction, Node
from controller.loop import JunctionControl
from controller.neighbours import NeighbourPort, NoNeighbours
from controller.planner import Planner
from controller.recall import Recall
from controller.recorder import Recorder
from controller.red_meter import RedMeter
from controller.sequencer import Sequencer, Sequencing
from controller.supervisor import Mode, Supervisor
from hardware.inputs import LastingInputs
from hardware.ports import HeadPort, InputPort

MODES: Final = {"adaptive": Mode.ADAPTIVE, "cycle": Mode.CYCLE, "actuated": Mode.ACTUATED, "programme": Mode.FIXED}

SequencerFactory = Callable[[Junction, Node, int], Sequencing]  # with the start in monotonic ms
Planners = Callable[[Junction, Node], Mapping[Mode, Planner]]
"""Gives a node its planner by mode; FIXED is never missing, for it is the last that plans."""


def build(
    junction: Junction,
    control: str,
    inputs: InputPort,
    heads: HeadPort,
    journal: JournalRows | None,
    *,
    start_ms: int,
    planners: Planners,
    clears: bool = True,
    solvable: bool = True,
    estimator: Estimator | None = None,
    neighbours: NeighbourPort | None = None,
    supervisor: Callable[[Mode], Supervisor] = Supervisor,
    sequencer: SequencerFactory = Sequencer,
    week_ms: int = 0,
    line_of: Mapping[str, str] | None = None,
    limits: Mapping[str, Limits] | None = None,
) -> JunctionControl:
    """Return the control of one junction that wants the mode ``control`` (a key of `MODES`; adaptive, where it is none).

    ``clears``: whether the junction is cleared where a full green lane does not move; ``solvable``: whether a journal of its inputs
    is enough to decide again. ``sequencer`` makes what follows the plan where a controller owns the aspects. Without ``neighbours`` it
    hears of none and tells none. ``week_ms``: the time since Monday 0:00 when the monotonic clock was zero, for the detectors' profile;
    ``line_of``: by detector, the input source that it hangs on, where there are several; ``limits``: those of its trust that are not the usual ones.
    Raises `ConfigError` where the junction has faults.
    """
    faults = junction.validate()
    if faults:
        raise ConfigError(f"junction {junction.id}: {len(faults)} faults; run `umlauf check`:\n" + "\n".join(faults))
    mode = MODES.get(control, Mode.ADAPTIVE)
    if journal is not None:
        journal.junction(junction, control, start_ms, solvable=solvable and sequencer is Sequencer)
        if sequencer is not Sequencer:
            journal.note(
                start_ms, OBSERVED, f"{junction.id}: the controller owns the aspects, and frames are what it was seen to show", {"junction": junction.id}
            )
    junction = with_more_stages(junction)
    nodes = tuple(
        NodeControl(
            junction.id,
            node.id,
            sequencer(junction, node, start_ms),
            supervisor(mode),
            planners(junction, node),
            (Clearing(junction, node), Recall(junction, node)) if clears else (),
            RedMeter(junction, node),
        )
        for node in junction.nodes
    )
    beliefs = estimator or LoopEstimator(junction, start_ms)
    detection = Detection(junction, start_ms, week_ms=week_ms, line_of=line_of, limits=limits)
    coordination = Coordination(junction, neighbours or NoNeighbours())
    return JunctionControl(junction, LastingInputs(inputs), heads, detection, beliefs, coordination, nodes, Recorder(journal, junction.id))
