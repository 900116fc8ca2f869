"""Place induction loops on the approaches and exits of a light, and write them as a SUMO additional file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final
from xml.sax.saxutils import quoteattr

from controller.errors import ScenarioError
from controller.junction import Detector, Junction, Lane, Purpose
from scenarios.approaches import RANGE_M, Segment, carries_vehicles, continuation, is_transit_only, upstream
from scenarios.net import Net, NetLane

LOOP_M: Final = 2.0
STOP_M: Final = 1.0  # downstream edge of the stop loop before the stop line
FREE_M: Final = 0.1  # loops keep this far from a lane's ends
ADVANCE_M: Final = (45.0, 120.0)
NEAR_RATIO: Final = 0.75  # a station may lie this much nearer than wished where that keeps it on the stop line's side of a junction
SPACING_M: Final = 15.0  # two stations of one way lie at least this far apart
ENTRY_SPACING_M: Final = 30.0  # an entry nearer to the station before it tells nothing new
SOURCE_M: Final = 15.0  # SUMO inserts a vehicle with its front up to its own length after the lane's begin; a loop nearer misses it
EXIT_M: Final = 30.0
EXIT_STORAGE_M: Final = 50.0
TRANSIT_WEIGHT: Final = 40.0  # persons in a bus or tram against those in a car: a half-full one in the peak hour
PREFIX: Final = "umlauf:"
# SUMO keeps all that crossed a loop in the running period and the one before, and walks through it at each reading (`MSInductLoop`): with
# one long period a day grows by 130 B for each vehicle and loop, and each step takes longer than the one before.
PERIOD_S: Final = 60


@dataclass(slots=True)
class _Place:
    """A loop in the making. ``upto_m``: distance of its downstream edge to the stop line, per lane that it feeds."""

    lane: str
    pos_m: float
    length_m: float
    is_stop: bool
    upto_m: dict[str, float] = field(default_factory=dict)
    upstream: list[_Place] = field(default_factory=list)  # the next stations on the ways that lead here


def place_loops(net: Net, light: str, lanes: Sequence[str], exit_lanes: Sequence[str]) -> tuple[tuple[Detector, ...], tuple[Lane, ...]]:
    """Return the detectors of a light, and its approach lanes up to their farthest station.

    A loop on a lane that leads to several stop lines is one detector; its distance is the one to the first of its lanes.
    """
    places: list[_Place] = []
    for lane in lanes:
        if carries_vehicles(net.lanes[lane]):
            _place_lane(net, places, upstream(net, lane))
    loops = _unique([_detector(light, p) for p in places])
    ids = {id(p): d.id for p, d in zip(places, loops, strict=True)}
    loops = [replace(d, upstream=tuple(ids[id(q)] for q in p.upstream)) for p, d in zip(places, loops, strict=True)]
    detectors = (*loops, *_unique(_exit_loops(net, light, exit_lanes)))
    return detectors, tuple(_lane(net.lanes[lane], places) for lane in lanes)


def _lane(lane: NetLane, places: Sequence[_Place]) -> Lane:
    farthest = max((p.upto_m[lane.id] for p in places if lane.id in p.upto_m), default=0.0)
    weight = TRANSIT_WEIGHT if is_transit_only(lane) else 1.0
    return Lane(lane.id, round(max(farthest, min(lane.length_m, RANGE_M)), 2), lane.speed_m_s, approach=lane.edge, person_weight=weight)


def _place_lane(net: Net, places: list[_Place], segments: Sequence[Segment]) -> None:
    """Put the stations of one stop line (of ``segments[0]``) on every way that leads to it."""
    stops = _place_stop(net, places, segments)
    last: dict[int, _Place | None] = {}  # the farthest station so far, by segment
    name = segments[0].lane.id
    for segment in segments:
        at = stops.get(id(segment)) or (last[id(segment.parent)] if segment.parent is not None else None)
        for target, upto in _wishes(segment):
            before = at.upto_m[name] if at is not None else 0.0
            spacing = SPACING_M if target is not None or before < SPACING_M else ENTRY_SPACING_M
            if upto - before < spacing or (target is not None and before >= NEAR_RATIO * target):
                continue
            place = _put(places, name, segment.lane, segment.end_m, upto, is_stop=False)
            if at is not None and all(other is not place for other in at.upstream):
                at.upstream.append(place)
            at = place
        last[id(segment)] = at


def _wishes(segment: Segment) -> list[tuple[float | None, float]]:
    """Return the stations that this lane could hold, nearest first: the distance aimed at (None: the entry of the way) and where it would lie."""
    nearest = segment.begin_m + STOP_M
    margin = (SOURCE_M if segment.source else STOP_M) if segment.leaf else FREE_M
    farthest = min(segment.end_m - LOOP_M - margin, RANGE_M)
    if farthest < nearest:
        return []
    wished: list[tuple[float | None, float]] = [(target, min(max(target, nearest), farthest)) for target in ADVANCE_M if NEAR_RATIO * target <= farthest]
    return [*wished, (None, farthest)] if segment.leaf else wished


def _place_stop(net: Net, places: list[_Place], segments: Sequence[Segment]) -> dict[int, _Place]:
    """Put the stop loop on the stop line's lane; where that is too short for it, just upstream on every way. Return the loops by segment.

    Then they lie on the turning lanes of U-turns, too, which no other station follows: who waits there would never be seen.
    """
    root = segments[0]
    children: dict[int, list[Segment]] = {}
    for s in segments[1:]:
        children.setdefault(id(s.parent), []).append(s)
    if root.lane.length_m >= STOP_M + LOOP_M + FREE_M or not children:
        return {id(root): _put(places, root.lane.id, root.lane, root.end_m, STOP_M, is_stop=True)}
    found: dict[int, _Place] = {}
    waiting = list(children[id(root)])
    short = [root]
    for segment in waiting:
        end = segment.begin_m - sum(x.length_m for x in segment.inside)
        for lane in (*reversed(segment.inside), segment.lane):
            begin, end = end, end + lane.length_m
            if lane.length_m >= LOOP_M + 2 * FREE_M:
                found[id(segment)] = _put(places, root.lane.id, lane, end, max(STOP_M, begin + FREE_M), is_stop=True)
                break
        else:
            waiting.extend(children.get(id(segment), ()))
            short.append(segment)
    for segment in short:
        _place_short_ways(net, places, root, segment, children.get(id(segment), []))
    return found or {id(root): _put(places, root.lane.id, root.lane, root.end_m, STOP_M, is_stop=True)}


def _place_short_ways(net: Net, places: list[_Place], root: Segment, segment: Segment, followed: Sequence[Segment]) -> None:
    """Put stop loops inside the junctions from which ways lead onto a lane that is too short for one, where no segment follows them."""
    known = {s.lane.id for s in followed}
    for c in net.incoming.get(segment.lane.id, ()):
        if c.from_lane in known or not carries_vehicles(net.lanes[c.from_lane]):
            continue
        begin = segment.end_m
        for lane in reversed([net.lanes[x] for x in net.path_of(c)]):
            if lane.length_m >= LOOP_M + 2 * FREE_M:
                _put(places, root.lane.id, lane, begin + lane.length_m, max(STOP_M, begin + FREE_M), is_stop=True)
                break
            begin += lane.length_m


def _put(places: list[_Place], name: str, lane: NetLane, end_m: float, upto_m: float, *, is_stop: bool) -> _Place:
    """Return the loop whose downstream edge is ``upto_m`` before the stop line of lane ``name``; join one that already lies there."""
    length = round(max(min(LOOP_M, lane.length_m - 2 * FREE_M), min(FREE_M, lane.length_m)), 2)
    pos = round(max(0.0, min(end_m - upto_m - length, lane.length_m - length - FREE_M)), 2)
    upto = round(end_m - pos - length, 2)
    for other in places:
        if other.lane == lane.id and other.is_stop == is_stop and abs(other.pos_m - pos) < (LOOP_M if is_stop else SPACING_M):
            other.upto_m.setdefault(name, round(end_m - other.pos_m - other.length_m, 2))
            return other
    places.append(_Place(lane.id, pos, length, is_stop, {name: upto}))
    return places[-1]


def _detector(light: str, place: _Place) -> Detector:
    lanes = tuple(place.upto_m)
    purpose = Purpose.STOP if place.is_stop else Purpose.ADVANCE if place.upstream else Purpose.ENTRY
    distance = place.upto_m[lanes[0]]
    return Detector(f"{light}/{place.lane}/{distance:.0f}m", purpose, lanes, distance, place.length_m, (place.lane, place.pos_m))


def _exit_loops(net: Net, light: str, lanes: Sequence[str]) -> list[Detector]:
    """Return the exit loops; where exit lanes merge before their loop, it is one loop for them all."""
    found: dict[str, Detector] = {}  # by the loop's lane: at most one exit loop on each
    for lane in lanes:
        loop = _exit_loop(net, light, lane)
        if loop is not None and loop.place is not None:
            other = found.get(loop.place[0])
            found[loop.place[0]] = loop if other is None else replace(other, lanes=(*other.lanes, lane))
    return list(found.values())


def _unique(detectors: Sequence[Detector]) -> list[Detector]:
    """Return the detectors, those numbered whose ids are the same."""
    seen: dict[str, int] = {}
    found = []
    for d in detectors:
        seen[d.id] = seen.get(d.id, 0) + 1
        found.append(d if seen[d.id] == 1 else replace(d, id=f"{d.id}/{seen[d.id]}"))
    return found


def _exit_loop(net: Net, light: str, lane: str) -> Detector | None:
    if not carries_vehicles(net.lanes[lane]):
        return None
    way = continuation(net, lane)
    if sum(net.lanes[x].length_m for x in way) < EXIT_STORAGE_M:
        return None
    begin = 0.0
    for part in way:
        length = net.lanes[part].length_m
        if begin + length >= EXIT_M and length >= LOOP_M + 2 * FREE_M:
            pos = round(min(max(FREE_M, EXIT_M - LOOP_M - begin), length - LOOP_M - FREE_M), 2)
            distance = round(begin + pos + LOOP_M, 2)
            return Detector(f"{light}/{part}/exit", Purpose.EXIT, (lane,), distance, LOOP_M, (part, pos))
        begin += length
    return None


def write_loops(junctions: Sequence[Junction], path: Path) -> None:
    """Write one ``inductionLoop`` per detector, id ``umlauf:<detector id>``. SUMO writes no output for them. Raises `ScenarioError`."""
    lines = ["<additional>"]
    for junction in junctions:
        for d in junction.detectors:
            if d.place is None:
                raise ScenarioError(f"Junction {junction.id!r}, detector {d.id!r}: expected a place (lane and position), found none. Give it a place.")
            lane, pos = d.place
            lines.append(
                f"    <inductionLoop id={quoteattr(PREFIX + d.id)} lane={quoteattr(lane)} "
                f'pos="{pos:.2f}" length="{d.length_m:.2f}" period="{PERIOD_S}" file="NUL" friendlyPos="true"/>'
            )
    lines.append("</additional>")
    try:
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError as error:
        raise ScenarioError(f"Loops file {path}: cannot be written ({error}). Choose a writable folder.") from error
