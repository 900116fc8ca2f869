"""What a stage is for: the ways that the peers count when they score it.

RESCO names by hand, for each stage of its lights, two movements with their lanes. These rules give the same lanes on
cologne1, cologne8, ingolstadt1 and grid4x4, and an answer on any other net:

* a lane counts in the stages that serve the most of its ways: elsewhere its first vehicle may hold up the others;
* turning back is not counted;
* a left turn that the programme also shows permitted is not counted where the stage serves anything else: its vehicles
  get away in the stage of the others;
* a right turn is counted only beside a left turn of its approach and without the straight way, or where its approach has
  nothing else: elsewhere it runs along;
* where nothing is left of a stage's lanes, all their ways count but turning back; that too where there is nothing else.

A stage without a lane that counts is never chosen (RESCO leaves such stages out by hand, or they lose every tie).
A lane that serves two of the counted ways counts in both, as RESCO's lane sets do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from controller.junction import Direction, Junction, Movement, Stage


@dataclass(frozen=True, slots=True)
class Way:
    """All movements from one approach edge to one exit edge; ``exit`` is one of the exit lanes."""

    lanes: tuple[str, ...]
    exit: str


def edge_of(lane: str) -> str:
    """Return the edge of a SUMO lane id."""
    return lane.rpartition("_")[0]


def ways_by_stage(junction: Junction) -> list[tuple[Way, ...]]:
    """Return, per stage of the junction's first node, the ways that it is for; none where it is never to be chosen."""
    stages = junction.nodes[0].stages
    permitted = {m for stage in stages for m in _permitted(junction, stage)}
    served = [Counter(m.lane for m in _green(junction, stage)) for stage in stages]
    most = {lane.id: max(count[lane.id] for count in served) for lane in junction.lanes}
    return [_ways(_counted(junction, _served_well(junction, stage, most), permitted)) for stage in stages]


def _green(junction: Junction, stage: Stage) -> list[Movement]:
    return [m for m in junction.movements if m.group in stage.green]


def _served_well(junction: Junction, stage: Stage, most: Mapping[str, int]) -> list[Movement]:
    """Return the stage's movements from the lanes of which no stage serves more ways."""
    green = _green(junction, stage)
    count = Counter(m.lane for m in green)
    return [m for m in green if count[m.lane] == most[m.lane]]


def _permitted(junction: Junction, stage: Stage) -> list[Movement]:
    """Return the movements that are green in the stage and give way to another that is."""
    pairs = {(p.yielding, p.priority) for p in junction.permissions}
    green = _green(junction, stage)
    return [m for m in green if any(x.lane in m.yields_to and (m.group, x.group) in pairs for x in green)]


def _counted(junction: Junction, green: list[Movement], permitted: set[Movement]) -> list[Movement]:
    onward = [m for m in green if m.direction is not Direction.TURN]
    main = [m for m in onward if m not in permitted]
    return [m for m in main if m.direction is not Direction.RIGHT or _right_counts(junction, m, main)] or onward or green


def _right_counts(junction: Junction, right: Movement, main: Sequence[Movement]) -> bool:
    """Return whether a right turn is more than something that runs along."""
    edge = edge_of(right.lane)
    beside = {m.direction for m in main if edge_of(m.lane) == edge} - {Direction.RIGHT}
    others = {m.direction for m in junction.movements if edge_of(m.lane) == edge} - {Direction.RIGHT, Direction.TURN}
    return beside == {Direction.LEFT} or not others


def _ways(movements: Sequence[Movement]) -> tuple[Way, ...]:
    lanes: dict[tuple[str, str], list[str]] = {}
    exits: dict[tuple[str, str], str] = {}
    for m in movements:
        key = (edge_of(m.lane), edge_of(m.exit))
        exits.setdefault(key, m.exit)
        known = lanes.setdefault(key, [])
        if m.lane not in known:
            known.append(m.lane)
    return tuple(Way(tuple(of), exits[key]) for key, of in lanes.items())
