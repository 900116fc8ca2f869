"""Who is served by which stage of a node: the tables that all planners need, worked out once."""

from __future__ import annotations

from dataclasses import dataclass

from controller.junction import Detector, Junction, Movement, Node, Purpose

Way = tuple[int, int]
"""A lane's movement: index of the lane, index among the lane's movements."""


@dataclass(frozen=True, slots=True)
class Service:
    """How one stage serves one lane's movement: by green, or by a turn on red that yields to all that conflicts."""

    movement: int  # index into the lane's movements
    group: str
    foes: tuple[int, ...]  # lanes of the node, served by green in the stage, that it must give way to


class NodeModel:
    """The lanes of a node, the ``exits`` they lead to, and, per stage and lane, the movements served.

    ``ways``: all of a stage; ``free_ways``: those that need not yield.
    """

    def __init__(self, junction: Junction, node: Node) -> None:
        self.junction, self.node = junction, node
        mine = set(node.groups)
        self.lanes = tuple(x for x in junction.lanes if any(m.lane == x.id and m.group in mine for m in junction.movements))
        self.movements: tuple[tuple[Movement, ...], ...] = tuple(tuple(m for m in junction.movements if m.lane == x.id) for x in self.lanes)
        self.exits = frozenset(m.exit for moves in self.movements for m in moves)
        self.lane_groups = tuple(frozenset(m.group for m in moves) for moves in self.movements)
        self.green = tuple(frozenset(s.green) for s in node.stages)
        self.service: tuple[tuple[tuple[Service, ...], ...], ...] = tuple(tuple(self._serves(green, moves) for moves in self.movements) for green in self.green)
        self.ways = tuple(frozenset((i, s.movement) for i, lane in enumerate(row) for s in lane) for row in self.service)
        self.free_ways = tuple(frozenset((i, s.movement) for i, lane in enumerate(row) for s in lane if not s.foes) for row in self.service)

    def _serves(self, green: frozenset[str], moves: tuple[Movement, ...]) -> tuple[Service, ...]:
        places = {x.id: i for i, x in enumerate(self.lanes)}
        found = []
        for index, move in enumerate(moves):
            if move.group in green or self.junction.group_by_id[move.group].turn_on_red:
                foes = {places[lane] for lane, group in self.junction.gives_way_to(move) if group in green and lane in places}
                found.append(Service(index, move.group, tuple(sorted(foes))))
        return tuple(found)

    def detectors(self, lane: str, *purposes: Purpose) -> tuple[Detector, ...]:
        """Return the lane's detectors of these purposes, nearest to the stop line first."""
        found = (d for d in self.junction.detectors if lane in d.lanes and d.purpose in purposes)
        return tuple(sorted(found, key=lambda d: d.distance_m))

    def exit_loops(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Return the loops behind the node with the exits that they tell of.

        Those at another stop line are left out: an exit so short that it has no loop of its own is full at every red behind it.
        """
        taken = {d.place for d in self.junction.detectors if d.purpose is not Purpose.EXIT and d.place is not None}
        loops = [d for d in self.junction.detectors if d.purpose is Purpose.EXIT and not d.relayed_by and d.place not in taken]
        return tuple((d.id, lanes) for d in loops if (lanes := tuple(x for x in d.lanes if x in self.exits)))
