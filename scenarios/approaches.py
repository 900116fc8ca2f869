"""The street around a light: approach lanes, exits, movements, and the ways that lead to a stop line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from controller.junction import Direction, Exit, Movement, Onward
from hardware.signals import GroupKind
from scenarios.net import MOTOR_CLASSES, TRANSIT_CLASSES, Connection, Net, NetLane
from scenarios.programme import LinkGroup
from scenarios.relations import Relations

RANGE_M: Final = 300.0  # how far upstream detectors may lie
ONWARD_M: Final = 700.0  # how far downstream neighbours are looked for: 50 s, the horizon of the planner, at 50 km/h
WAYS: Final = 4  # ways followed to one stop line, so at most as many loops at one distance
DIRECTIONS: Final = {
    "s": Direction.STRAIGHT,
    "l": Direction.LEFT,
    "L": Direction.LEFT,
    "r": Direction.RIGHT,
    "R": Direction.RIGHT,
    "t": Direction.TURN,
    "T": Direction.TURN,
}
WEIGHTS: Final = {Direction.STRAIGHT: 3.0, Direction.LEFT: 1.0, Direction.RIGHT: 1.0, Direction.TURN: 0.05}  # prior only; learned online


@dataclass(slots=True)
class Segment:
    """A lane on the way to a stop line. ``begin_m``: distance from its downstream end to the stop line; ``parent``: the lane it feeds.

    ``inside``: the internal lanes between it and its parent, in the direction of travel.
    """

    lane: NetLane
    begin_m: float
    parent: Segment | None
    inside: tuple[NetLane, ...] = ()
    leaf: bool = False
    source: bool = False  # vehicles may be inserted here: nothing real lies upstream

    @property
    def end_m(self) -> float:
        """Return the distance from the lane's upstream end to the stop line."""
        return self.begin_m + self.lane.length_m


def carries_vehicles(lane: NetLane) -> bool:
    """Tell whether anything but pedestrians uses the lane."""
    return any(lane.allows(c) for c in (*MOTOR_CLASSES, *TRANSIT_CLASSES, "bicycle"))


def is_motor(lane: NetLane) -> bool:
    """Tell whether motor vehicles or trams use the lane."""
    return any(lane.allows(c) for c in (*MOTOR_CLASSES, *TRANSIT_CLASSES))


def is_transit_only(lane: NetLane) -> bool:
    """Tell whether buses or trams have the lane for themselves; taxis may use it, bicycles not, for loops count them too."""
    return any(lane.allows(c) for c in TRANSIT_CLASSES) and not any(lane.allows(c) for c in (*MOTOR_CLASSES, "bicycle") if c != "taxi")


def approach_lanes(groups: Sequence[LinkGroup], links: Mapping[int, Sequence[Connection]]) -> tuple[str, ...]:
    """Return the lanes that end at the light's stop lines, in order of their links."""
    return tuple(dict.fromkeys(c.from_lane for c, _ in _ways(groups, links)))


def _ways(groups: Sequence[LinkGroup], links: Mapping[int, Sequence[Connection]]) -> list[tuple[Connection, str]]:
    """Return the vehicles' connections with their groups; a crossing may share its index with them and is left out."""
    return [(c, g.id) for g in groups if g.kind is not GroupKind.PEDESTRIAN for k in g.links for c in links[k] if not c.from_lane.startswith(":")]


def movements(net: Net, groups: Sequence[LinkGroup], links: Mapping[int, Sequence[Connection]], relations: Relations) -> tuple[Movement, ...]:
    """Return one movement per connection, with prior shares: every exit edge counts by its direction, its lanes share alike."""
    found = _ways(groups, links)
    order = {lane: at for at, lane in enumerate(approach_lanes(groups, links))}
    found.sort(key=lambda x: (order[x[0].from_lane], x[0].link))
    weights = [_weight(net, c, [o for o, _ in found if o.from_lane == c.from_lane]) for c, _ in found]
    total = {lane: sum(w for w, (c, _) in zip(weights, found, strict=True) if c.from_lane == lane) for lane in order}
    return tuple(
        Movement(
            lane=c.from_lane,
            exit=c.to_lane,
            group=group,
            direction=DIRECTIONS.get(c.direction, Direction.STRAIGHT),
            share_ratio=round(w / total[c.from_lane], 4),
            crossing_m=round(net.path_m(c), 2),
            yields_to=_yields_to(c, links, relations),
        )
        for w, (c, group) in zip(weights, found, strict=True)
    )


def _weight(net: Net, c: Connection, siblings: Sequence[Connection]) -> float:
    edge = net.lanes[c.to_lane].edge
    lanes = sum(1 for o in siblings if net.lanes[o.to_lane].edge == edge)
    return WEIGHTS[DIRECTIONS.get(c.direction, Direction.STRAIGHT)] / lanes


def _yields_to(c: Connection, links: Mapping[int, Sequence[Connection]], relations: Relations) -> tuple[str, ...]:
    lanes = (o.from_lane for k in sorted(relations.gives_way.get(c.link, ())) for o in links[k] if not o.from_lane.startswith(":"))
    return tuple(dict.fromkeys(lanes))


def exits(net: Net, ways: Sequence[Movement]) -> tuple[Exit, ...]:
    """Return the exit lanes with their storage up to the next stop line, following a single continuation."""
    lanes = dict.fromkeys(m.exit for m in ways)
    return tuple(
        Exit(lane, round(sum(net.lanes[x].length_m for x in continuation(net, lane)), 2), net.lanes[lane].speed_m_s, onward(net, lane)) for lane in lanes
    )


def onward(net: Net, exit_lane: str) -> tuple[Onward, ...]:
    """Return the lights that the exit leads to, the nearest first, each with all lanes of its approach; vehicles may change lanes on the way.

    Every way is followed up to its first light, at most `ONWARD_M`.
    """
    found: dict[tuple[str, str], Onward] = {}
    start = net.lanes[exit_lane].edge
    waiting, seen = [(0.0, start)], {start}
    while waiting:
        at_m, edge = min(waiting)
        waiting.remove((at_m, edge))
        lanes = [lane for lane in net.edges[edge].lanes if carries_vehicles(lane)]
        ways = [c for lane in lanes for c in net.outgoing.get(lane.id, ()) if not net.lanes[c.to_lane].edge.startswith(":")]
        end_m = at_m + max((lane.length_m for lane in lanes), default=0.0)
        for light in dict.fromkeys(c.tl for c in ways if c.tl):
            names = tuple(dict.fromkeys(c.from_lane for c in ways if c.tl == light))
            found.setdefault((light, edge), Onward(light, names, round(end_m, 2)))
        for c in [] if any(c.tl for c in ways) else ways:
            to = net.lanes[c.to_lane].edge
            to_m = end_m + net.path_m(c)
            if to not in seen and to_m < ONWARD_M and not _turns_back(net, c) and carries_vehicles(net.lanes[c.to_lane]):
                seen.add(to)
                waiting.append((to_m, to))
    return tuple(sorted(found.values(), key=lambda o: (o.way_m, o.junction)))


def continuation(net: Net, lane: str) -> list[str]:
    """Return the lane and, as far as there is exactly one way on without a light, the lanes after it (at most `RANGE_M`)."""
    found = [lane]
    length = net.lanes[lane].length_m
    while length < RANGE_M:
        onward = [c for c in net.outgoing.get(found[-1], ()) if not _turns_back(net, c) and not net.lanes[c.to_lane].edge.startswith(":")]
        if len(onward) != 1 or onward[0].tl or onward[0].to_lane in found:
            break
        found.append(onward[0].to_lane)
        length += net.lanes[onward[0].to_lane].length_m
    return found


def _turns_back(net: Net, c: Connection) -> bool:
    """Tell whether the connection is a U-turn: by its direction, by its edges' ends, or by their names (x and -x)."""
    a, b = net.edges[net.lanes[c.from_lane].edge], net.edges[net.lanes[c.to_lane].edge]
    return c.direction in "tT" or (bool(a.from_node) and a.from_node == b.to_node) or a.id == f"-{b.id}" or b.id == f"-{a.id}"


def feeders(net: Net, lane: str) -> list[Connection]:
    """Return the ways that lead onto the lane, straight ones first, without U-turns; not those that a light controls."""
    order = {"s": 0, "r": 1, "R": 1, "l": 2, "L": 2}
    target = net.lanes[lane]
    found = [
        c
        for c in net.incoming.get(lane, ())
        if not _turns_back(net, c) and carries_vehicles(net.lanes[c.from_lane]) and (is_motor(net.lanes[c.from_lane]) or not is_motor(target))
    ]
    return sorted(found, key=lambda c: order.get(c.direction, 3))


def _entries(net: Net, lane: NetLane) -> list[Connection]:
    """Return the lane's feeders, or, where it begins beside others (a turning bay), those of the nearest lane that has some."""
    same = sorted(net.edges[lane.edge].lanes, key=lambda o: (abs(o.index - lane.index), o.index))
    return next((found for o in same if is_motor(o) == is_motor(lane) and (found := feeders(net, o.id))), [])


def upstream(net: Net, lane: str) -> list[Segment]:
    """Return the lanes on the ways to the stop line, each after the lane that it feeds, up to `RANGE_M` or the stop line before.

    Where a merge would make more than `WAYS` ways, none of it is followed: a loop before the merge sees them all.
    """
    found: list[Segment] = []
    waiting = [Segment(net.lanes[lane], 0.0, None)]
    ways = 1
    while waiting:
        segment = min(waiting, key=lambda s: s.end_m)
        waiting.remove(segment)
        found.append(segment)
        entries = _entries(net, segment.lane)
        passed = _edges(segment)
        onward = [c for c in entries if not c.tl and net.lanes[c.from_lane].edge not in passed]
        segment.source = not entries
        segment.leaf = len(onward) < len(entries) or not onward
        if segment.end_m >= RANGE_M or ways + len(onward) - 1 > WAYS:
            segment.leaf = True
            continue
        ways += max(0, len(onward) - 1)
        for c in onward:
            inside = tuple(net.lanes[x] for x in net.path_of(c))
            waiting.append(Segment(net.lanes[c.from_lane], segment.end_m + sum(x.length_m for x in inside), segment, inside))
    return found


def _edges(segment: Segment) -> set[str]:
    """Return the edges between here and the stop line."""
    found: set[str] = set()
    at: Segment | None = segment
    while at is not None:
        found.add(at.lane.edge)
        at = at.parent
    return found
