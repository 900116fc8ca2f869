"""A street through several lights as the journal tells it: where its stop lines lie, when they were green, and who drove over its loops."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from controller.errors import ConfigError
from controller.journal_reader import FrameRow, JournalReader
from controller.junction import Direction, Junction, Movement
from controller.vehicles import VEHICLE_LENGTH_M
from hardware.ports import InputKind
from hardware.signals import Aspect

LEAST_M_S: Final = 0.5  # who covers a loop for longer stands


@dataclass(frozen=True, slots=True)
class Passage:
    """A vehicle over a loop: when its front came, how long it covered the loop, where that lies along the street, and its speed."""

    at_ms: int
    occupied_ms: int
    place_m: float
    speed_m_s: float


@dataclass(frozen=True, slots=True)
class StreetLight:
    """A light of the street: its stop line along the street, its speed limit, the spans in which the street's way on is green, and the passages before it."""

    id: str
    place_m: float
    speed_m_s: float
    greens_ms: tuple[tuple[int, int], ...]
    passages: tuple[Passage, ...]


def read_street(reader: JournalReader, lights: Sequence[str], from_ms: int, to_ms: int) -> list[StreetLight]:
    """Return the street through these lights in their order.

    Raises `ConfigError` where one is unknown or does not lead to the next, or where the journal holds nothing of that time.
    """
    ways = street_ways({name: row.junction for name, row in reader.junctions.items()}, lights)
    ticks_ms = [now_ms for _, now_ms in reader.ticks()]
    if not ticks_ms or from_ms > ticks_ms[-1] or to_ms <= ticks_ms[0]:
        held = f"{ticks_ms[0] // 1000} to {ticks_ms[-1] // 1000} s" if ticks_ms else "which is empty"
        raise ConfigError(f"--from: expected a time of the journal, {held}; found {from_ms // 1000} s")
    frames: dict[str, list[FrameRow]] = {light: [] for light in lights}
    for frame in reader.frames():
        if frame.junction_id in frames and frame.now_ms < to_ms:
            frames[frame.junction_id].append(frame)
    covered: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for row in reader.events():
        if row.junction_id in frames and row.event.kind is InputKind.PRESENCE and from_ms <= row.event.at_ms < to_ms:
            covered[row.junction_id, row.event.source].append((row.event.at_ms, row.event.value))
    found = []
    for light, (place_m, moves) in zip(lights, ways, strict=True):
        junction = reader.junctions[light].junction
        lanes = {m.lane for m in moves}
        passages = [
            _passage(on_ms, off_ms, place_m - d.distance_m, d.length_m)
            for d in junction.detectors
            if lanes.intersection(d.lanes)
            for on_ms, off_ms in _presences(covered[light, d.id])
        ]
        speed_m_s = max(x.speed_m_s for x in junction.lanes if x.id in lanes)
        found.append(StreetLight(light, place_m, speed_m_s, _greens(junction, moves, frames[light], from_ms, to_ms), tuple(passages)))
    return found


def street_ways(junctions: Mapping[str, Junction], lights: Sequence[str]) -> list[tuple[float, list[Movement]]]:
    """Return, for each light, its stop line along the street and the movements by which the street goes on. Raises `ConfigError`."""
    unknown = [light for light in lights if light not in junctions]
    if unknown or len(lights) < 2:
        found = f"no light {unknown[0]!r} among them" if unknown else f"{len(lights)} of them"
        raise ConfigError(f"--lights: expected two or more lights of the journal in their order along a street, found {found}: {', '.join(junctions)}")
    ways: list[tuple[float, list[Movement]]] = []
    place_m, lanes = 0.0, set[str]()
    for light, after in zip(lights, [*lights[1:], ""], strict=True):
        junction = junctions[light]
        onward = {x.id: next((o for o in x.onward if o.junction == after), None) for x in junction.exits}
        moves = [m for m in junction.movements if not lanes or m.lane in lanes]
        moves = [m for m in moves if onward[m.exit] is not None] if after else moves
        straight = [m for m in moves if m.direction is Direction.STRAIGHT]
        if not moves:
            raise ConfigError(f"--lights: expected lights in their order along a street, but {light} does not lead to {after}")
        ways.append((place_m, straight or moves))
        way = onward[ways[-1][1][0].exit]
        if way is not None:
            place_m += ways[-1][1][0].crossing_m + way.way_m
            lanes = set(way.lanes)
    return ways


def bands(one: StreetLight, other: StreetLight) -> list[tuple[int, int, int]]:
    """Return who drives from a green of one light into a green of the next at the speed limit: first and last departure, and the travel time (ms)."""
    travel_ms = int(1000 * (other.place_m - one.place_m) / other.speed_m_s)
    both = ((max(a, c - travel_ms), min(b, d - travel_ms)) for a, b in one.greens_ms for c, d in other.greens_ms)
    return [(begin_ms, end_ms, travel_ms) for begin_ms, end_ms in both if begin_ms < end_ms]


def _presences(edges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    found, on_ms = [], None
    for at_ms, value in sorted(edges):
        if value:
            on_ms = at_ms
        elif on_ms is not None:
            found.append((on_ms, at_ms))
            on_ms = None
    return found


def _passage(on_ms: int, off_ms: int, place_m: float, loop_m: float) -> Passage:
    occupied_ms = max(off_ms - on_ms, 1)
    return Passage(on_ms, occupied_ms, place_m, 1000.0 * (VEHICLE_LENGTH_M + loop_m) / occupied_ms)


def _greens(junction: Junction, moves: Sequence[Movement], frames: Sequence[FrameRow], from_ms: int, to_ms: int) -> tuple[tuple[int, int], ...]:
    """Return when any of the movements was green."""
    groups = [k for k, g in enumerate(junction.groups) if g.id in {m.group for m in moves}]
    spans: list[tuple[int, int]] = []
    begin_ms: int | None = None
    for frame in frames:
        green = any(frame.aspects[k] is Aspect.GREEN for k in groups)
        if green and begin_ms is None:
            begin_ms = frame.now_ms
        elif not green and begin_ms is not None:
            spans.append((begin_ms, frame.now_ms))
            begin_ms = None
    if begin_ms is not None:
        spans.append((begin_ms, to_ms))
    return tuple((max(a, from_ms), min(b, to_ms)) for a, b in spans if b > from_ms and a < to_ms)
