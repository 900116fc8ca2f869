"""Place induction loops on the approaches and exits of a light, and write them as a SUMO additional file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final
from xml.sax.saxutils import quoteattr

from controller.errors import ScenarioError
from controller.junction import Detector, Junction, Lane, Purpose
from scenarios.approaches import RANGE_M, Segment, carries_vehicles, continuation, upstream
from scenarios.net import Net

LOOP_M: Final = 2.0
STOP_M: Final = 1.0  # downstream edge of the stop loop before the stop line
ADVANCE_M: Final = (45.0, 120.0)
SPACING_M: Final = 15.0  # two stations of one lane lie at least this far apart
SHORT_LANE_M: Final = 10.0  # on shorter lanes vehicles queue over the lane's begin: the stop loop lies upstream
SOURCE_M: Final = 15.0  # SUMO inserts a vehicle with its front up to its own length after the lane's begin; a loop nearer misses it
EXIT_M: Final = 30.0
EXIT_STORAGE_M: Final = 50.0
PREFIX: Final = "umlauf:"


@dataclass(slots=True)
class _Place:
    """A loop in the making. ``upto_m``: distance of its downstream edge to the stop line of each lane it feeds."""

    lane: str
    pos_m: float
    length_m: float
    rank: int
    upto_m: dict[str, float] = field(default_factory=dict)
    upstream: list[_Place] = field(default_factory=list)


def place_loops(net: Net, light: str, lanes: Sequence[str], exit_lanes: Sequence[str]) -> tuple[tuple[Detector, ...], tuple[Lane, ...]]:
    """Return the detectors of a light, and its approach lanes up to their farthest station.

    A loop on a lane that leads to several stop lines is one detector; its distance is the one to the first of its lanes.
    """
    places: list[_Place] = []
    for lane in lanes:
        if carries_vehicles(net.lanes[lane]):
            _place_lane(places, lane, upstream(net, lane))
    farthest = {lane: max((p.upto_m[lane] for p in places if lane in p.upto_m), default=0.0) for lane in lanes}
    loops = _unique([_detector(light, p, places) for p in places])
    ids = {id(p): d.id for p, d in zip(places, loops, strict=True)}
    loops = tuple(replace(d, upstream=tuple(ids[id(q)] for q in p.upstream)) for p, d in zip(places, loops, strict=True))
    detectors = _unique([*loops, *_exit_loops(net, light, exit_lanes)])
    approach = tuple(Lane(lane, max(round(farthest[lane], 2), round(net.lanes[lane].length_m, 2)), net.lanes[lane].speed_m_s) for lane in lanes)
    return detectors, approach


def _place_lane(places: list[_Place], lane: str, segments: Sequence[Segment]) -> None:
    """Put the stations of one stop line on every way that leads to it."""
    last: dict[int, float] = {}  # farthest station so far, by segment
    chain: dict[int, _Place] = {}  # the loop of that station, by segment
    children = {id(s.parent) for s in segments if s.parent is not None}
    stop_done: set[int] = set()
    for segment in segments:
        key = id(segment)
        before = last.get(id(segment.parent), 0.0) if segment.parent is not None else 0.0
        last[key] = before
        nearer = chain.get(id(segment.parent)) if segment.parent is not None else None
        if id(segment.parent) not in stop_done or segment.parent is None:
            may_move = key in children
            if segment.lane.length_m >= SHORT_LANE_M or not may_move:
                nearer = _put(places, lane, segment, STOP_M if segment.parent is None else segment.begin_m + STOP_M, 0, nearer)
                last[key] = nearer.upto_m[lane]
                stop_done.add(key)
            else:
                continue
        else:
            stop_done.add(key)
        for rank, target in enumerate(ADVANCE_M, 1):
            nearest = max(target, segment.begin_m + STOP_M)
            if target > segment.end_m - LOOP_M or nearest - last[key] < SPACING_M or _served(last[key], target):
                continue
            nearer = _put(places, lane, segment, nearest, rank, nearer)
            last[key] = nearer.upto_m[lane]
        if segment.leaf:
            margin = SOURCE_M if segment.source else STOP_M
            end = min(RANGE_M, segment.end_m - LOOP_M - margin)
            if end - last[key] >= SPACING_M and end >= segment.begin_m + STOP_M:
                nearer = _put(places, lane, segment, end, 3, nearer)
                last[key] = nearer.upto_m[lane]
        if nearer is not None:
            chain[key] = nearer


def _served(last_m: float, target_m: float) -> bool:
    """Tell whether a station already stands near or beyond the target."""
    return last_m > target_m - SPACING_M


def _put(places: list[_Place], lane: str, segment: Segment, upto_m: float, rank: int, nearer: _Place | None) -> _Place:
    """Return a new loop whose downstream edge is ``upto_m`` before the stop line, or the one that already lies there; ``nearer`` comes after it."""
    place = _at(places, lane, segment, upto_m, rank)
    if nearer is not None and nearer is not place and all(other is not place for other in nearer.upstream):
        nearer.upstream.append(place)
    return place


def _at(places: list[_Place], lane: str, segment: Segment, upto_m: float, rank: int) -> _Place:
    length = min(LOOP_M, round(max(0.1, segment.lane.length_m - 0.2), 2))
    highest = max(0.0, segment.lane.length_m - length - 0.1)
    pos = round(min(max(0.0, segment.end_m - upto_m - length), highest), 2)
    upto = round(segment.end_m - pos - length, 2)
    for other in places:
        near = abs(other.pos_m - pos) < (SPACING_M if rank else LOOP_M)
        if other.lane == segment.lane.id and near and (other.rank == 0) == (rank == 0):
            other.upto_m.setdefault(lane, upto)
            return other
    places.append(_Place(segment.lane.id, pos, length, rank, {lane: upto}))
    return places[-1]


def _detector(light: str, place: _Place, places: Sequence[_Place]) -> Detector:
    lanes = tuple(place.upto_m)
    if place.rank == 0:
        purpose = Purpose.STOP
    else:
        beyond = any(other.rank and other.upto_m.get(lane, 0.0) > place.upto_m[lane] for other in places for lane in lanes)
        purpose = Purpose.ADVANCE if beyond else Purpose.ENTRY
    distance = place.upto_m[lanes[0]]
    return Detector(f"{light}/{place.lane}/{distance:.0f}m", purpose, lanes, distance, place.length_m, (place.lane, place.pos_m))


def _exit_loops(net: Net, light: str, lanes: Sequence[str]) -> list[Detector]:
    """Return the exit loops; where exit lanes merge before their loop, it is one loop for them all."""
    found: dict[tuple[str, float] | None, Detector] = {}
    for lane in lanes:
        loop = _exit_loop(net, light, lane)
        if loop is not None:
            other = found.get(loop.place)
            found[loop.place] = loop if other is None else replace(other, lanes=(*other.lanes, lane))
    return list(found.values())


def _unique(detectors: Sequence[Detector]) -> tuple[Detector, ...]:
    """Return the detectors, those numbered whose ids are the same."""
    seen: dict[str, int] = {}
    found = []
    for d in detectors:
        seen[d.id] = seen.get(d.id, 0) + 1
        found.append(d if seen[d.id] == 1 else replace(d, id=f"{d.id}/{seen[d.id]}"))
    return tuple(found)


def _exit_loop(net: Net, light: str, lane: str) -> Detector | None:
    if not carries_vehicles(net.lanes[lane]):
        return None
    way = continuation(net, lane)
    if sum(net.lanes[x].length_m for x in way) < EXIT_STORAGE_M:
        return None
    begin = 0.0
    for part in way:
        length = net.lanes[part].length_m
        if begin + length >= EXIT_M and length >= LOOP_M + 0.2:
            pos = round(min(max(0.0, EXIT_M - LOOP_M - begin), length - LOOP_M - 0.1), 2)
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
                f'pos="{pos:.2f}" length="{d.length_m:.2f}" period="1000000" file="NUL" friendlyPos="true"/>'
            )
    lines.append("</additional>")
    try:
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError as error:
        raise ScenarioError(f"Loops file {path}: cannot be written ({error}). Choose a writable folder.") from error
