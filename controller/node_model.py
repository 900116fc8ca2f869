"""Who is served by which stage of a node: the tables that all planners need, worked out once."""

from __future__ import annotations

from dataclasses import dataclass

from controller.junction import Detector, Junction, Movement, Node, Purpose


@dataclass(frozen=True, slots=True)
class Service:
    """How one stage serves one lane's movement: by green, or by a turn on red that yields to all that conflicts."""

    movement: int  # index into the lane's movements
    group: str
    yields_to: tuple[str, ...]  # groups green in the stage that it must give way to


class NodeModel:
    """The lanes of a node and, per stage and lane, the movements served."""

    def __init__(self, junction: Junction, node: Node) -> None:
        self.junction, self.node = junction, node
        mine = set(node.groups)
        self.lanes = tuple(x for x in junction.lanes if any(m.lane == x.id and m.group in mine for m in junction.movements))
        self.movements: tuple[tuple[Movement, ...], ...] = tuple(tuple(m for m in junction.movements if m.lane == x.id) for x in self.lanes)
        self.lane_groups = tuple(frozenset(m.group for m in moves) for moves in self.movements)
        self.green = tuple(frozenset(s.green) for s in node.stages)
        priority: dict[str, set[str]] = {}
        for p in junction.permissions:
            priority.setdefault(p.yielding, set()).add(p.priority)
        conflicts: dict[str, set[str]] = {}
        for clearing, entering in junction.intergreen_ms:
            conflicts.setdefault(clearing, set()).add(entering)
        self.service: tuple[tuple[tuple[Service, ...], ...], ...] = tuple(
            tuple(self._serves(green, moves, priority, conflicts) for moves in self.movements) for green in self.green
        )
        self.group_lanes = {g: tuple(i for i, groups in enumerate(self.lane_groups) if g in groups) for g in node.groups}

    def _serves(self, green: frozenset[str], moves: tuple[Movement, ...], priority: dict[str, set[str]], conflicts: dict[str, set[str]]) -> tuple[Service, ...]:
        found = []
        for index, move in enumerate(moves):
            if move.group in green:
                found.append(Service(index, move.group, tuple(sorted(priority.get(move.group, set()) & green))))
            elif self.junction.group_by_id[move.group].turn_on_red:
                rivals = (conflicts.get(move.group, set()) | priority.get(move.group, set())) & green
                found.append(Service(index, move.group, tuple(sorted(rivals))))
        return tuple(found)

    def detectors(self, lane: str, *purposes: Purpose) -> tuple[Detector, ...]:
        """Return the lane's detectors of these purposes, nearest to the stop line first."""
        found = (d for d in self.junction.detectors if lane in d.lanes and d.purpose in purposes)
        return tuple(sorted(found, key=lambda d: d.distance_m))
