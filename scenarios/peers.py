"""The peers ``greedy`` and ``max-pressure``, after the RESCO benchmark's definitions.

Source: J. Ault, G. Sharon, "Reinforcement Learning Benchmarks for Traffic Signal Control", NeurIPS 2021, and its
published code (agents MAXWAVE and MAXPRESSURE, states ``wave`` and ``mplight``). Every 10 s (5 s in arterial4x4) the
stage with the largest score is shown, in any order; ties go to the stage that comes first in the programme. RESCO
writes the lanes of each stage by hand; here they follow from the links that are green in it, so the peers run on any net.

They are planners: the same sequencer and the same interlock drive their lights as ours.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Final

from controller.assemble import assemble
from controller.junction import Junction, Node
from controller.plan import Plan, PlanStep
from controller.planner import Mailbox
from controller.snapshot import DetectorState, LaneBelief, Snapshot
from hardware.signals import GroupKind
from scenarios.case import Case
from scenarios.controls import Control, Place
from scenarios.peers_view import Approach, approaches_of_others, downstream_lanes
from scenarios.peers_ways import ways_by_stage

GREEDY_RANGE_M: Final = 50.0  # RESCO, agent configuration MAXWAVE, max_distance
PRESSURE_RANGE_M: Final = 200.0  # RESCO, agent configuration MAXPRESSURE, max_distance
DECISION_MS: Final = 10_000  # RESCO, map configuration, step_length
DECISION_SHORT_AMBER_MS: Final = 5_000  # the same for arterial4x4, the one map with an amber of 2 s
SHORT_AMBER_S: Final = 2.0

Scores = Callable[[], Mapping[int, int]]  # score by stage, of the stages that may be chosen


def greedy(place: Place) -> Control:
    """Return the control that shows the stage with the most vehicles within 50 m of its stop lines."""
    ways = ways_by_stage(place.junction)
    approach = Approach(place.world, [lane.id for lane in place.junction.lanes], GREEDY_RANGE_M)

    def scores() -> dict[int, int]:
        present, _ = approach.observe()
        return {at: sum(present[lane] for way in stage for lane in way.lanes) for at, stage in enumerate(ways) if stage}

    return _control(place, scores)


def max_pressure(place: Place) -> Control:
    """Return the control that shows the stage whose ways hold the most queued vehicles beyond those queued where they lead to.

    Queued before the stop lines within 200 m, minus queued on the approach of the next light, summed over the stage's ways.
    """
    world, junction = place.world, place.junction
    approach = Approach(world, [lane.id for lane in junction.lanes], PRESSURE_RANGE_M)
    others = approaches_of_others(world, junction.id)
    leads_to = {x.id: downstream_lanes(world, x.id, others) for x in junction.exits}
    beyond = {lanes: Approach(world, lanes, PRESSURE_RANGE_M) for lanes in dict.fromkeys(leads_to.values()) if lanes}
    ways = ways_by_stage(junction)

    def scores() -> dict[int, int]:
        _, queued = approach.observe()
        held = {lanes: sum(seen.observe()[1].values()) for lanes, seen in beyond.items()}
        pressure = [sum(sum(queued[lane] for lane in way.lanes) - held.get(leads_to[way.exit], 0) for way in stage) for stage in ways]
        return {at: pressure[at] for at, stage in enumerate(ways) if stage}

    return _control(place, scores)


class PeerPlanner(Mailbox):
    """Shows the stage with the largest score, for at least ``decision_ms`` and as long as the minimum greens ask for."""

    def __init__(self, name: str, node: Node, scores: Scores, decision_ms: int) -> None:
        self.name = name
        self._stages = tuple(stage.id for stage in node.stages)
        self._scores = scores
        self._decision_ms = decision_ms
        self._due_ms: int | None = None

    def submit(self, snapshot: Snapshot) -> None:
        """Decide where the decision step has passed and the lights may change."""
        if self._due_ms is not None and snapshot.now_ms < max(self._due_ms, snapshot.signals.earliest_leave_ms):
            return
        self._due_ms = snapshot.now_ms + self._decision_ms
        scores = self._scores()
        best = max(scores, key=lambda at: (scores[at], -at))
        reason = f"{self.name}: stage {self._stages[best]} has the largest score, {scores[best]}"
        self._plan = Plan(self.name, snapshot.now_ms, (PlanStep(best, None),), reason, {"scores": {self._stages[at]: score for at, score in scores.items()}})


class _NoEstimator:
    """No beliefs: the peers see vehicles."""

    def update(self, now_ms: int, edges: object, states: Mapping[str, DetectorState], green: object) -> None:
        """Take nothing."""

    def beliefs(self, now_ms: int) -> dict[str, LaneBelief]:
        """Return nothing."""
        del now_ms
        return {}

    def blocked_exits(self) -> frozenset[str]:
        """Return nothing."""
        return frozenset()


def decision_ms(case: Case) -> int:
    """Return how long RESCO waits between decisions on this scenario."""
    return DECISION_SHORT_AMBER_MS if case.published_amber_s == SHORT_AMBER_S else DECISION_MS


def peer_junction(junction: Junction, case: Case) -> Junction:
    """Return the junction with the minimum green that RESCO's step leaves under ``published``: the step minus the amber."""
    if case.rules != "published":
        return junction
    step_ms = decision_ms(case)
    vehicles = GroupKind.VEHICLE
    groups = tuple(dataclasses.replace(g, min_green_ms=step_ms - g.amber_ms) if g.kind is vehicles and g.amber_ms else g for g in junction.groups)
    return dataclasses.replace(junction, groups=groups)


def _control(place: Place, scores: Scores) -> Control:
    name, step_ms = place.case.control, decision_ms(place.case)
    blind = dataclasses.replace(place.junction, detectors=())  # a broken loop is nothing to a peer
    return assemble(
        blind,
        name,
        place.inputs,
        place.heads,
        place.journal,
        start_ms=place.world.now_ms,
        estimator=_NoEstimator(),
        planner=lambda _, node: PeerPlanner(name, node, scores, step_ms),
    )
