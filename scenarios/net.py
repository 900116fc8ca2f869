"""A SUMO net in memory: edges, lanes, connections, right-of-way, signal programmes. `scenarios.net_reader` reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

Point = tuple[float, float]
LETTERS: Final = frozenset("rugGyYsoO")  # SUMO user documentation, "Simulation/Traffic Lights", signal state definitions
RAIL_TYPES: Final = frozenset({"rail_signal", "rail_crossing"})
MOTOR_CLASSES: Final = ("passenger", "private", "taxi", "hov", "delivery", "truck", "trailer", "motorcycle", "moped", "evehicle", "custom1", "custom2")
TRANSIT_CLASSES: Final = ("bus", "coach", "tram", "rail_urban", "rail", "rail_electric", "rail_fast", "subway", "cable_car")


@dataclass(frozen=True, slots=True)
class NetLane:
    """A lane; ``allow`` and ``disallow`` as written (None where absent)."""

    id: str
    edge: str
    index: int
    length_m: float
    speed_m_s: float
    shape: tuple[Point, ...]
    allow: frozenset[str] | None
    disallow: frozenset[str]

    def allows(self, vehicle_class: str) -> bool:
        """Tell whether vehicles of this SUMO class may use the lane."""
        if self.allow is not None:
            return vehicle_class in self.allow or "all" in self.allow
        return vehicle_class not in self.disallow and "all" not in self.disallow


@dataclass(slots=True)
class NetEdge:
    """An edge; ``function`` is normal, internal, crossing, walkingarea or connector."""

    id: str
    from_node: str
    to_node: str
    function: str
    lanes: list[NetLane] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Connection:
    """A way from lane to lane. ``tl`` is empty where no light controls it; ``link`` is the index in the light's state."""

    from_lane: str
    to_lane: str
    via: str
    tl: str
    link: int
    direction: str


@dataclass(frozen=True, slots=True)
class NetJunction:
    """A junction with its right-of-way: per request the bit strings of whom it yields to and whom it crosses (last character: request 0)."""

    id: str
    type: str
    incoming: tuple[str, ...]
    response: tuple[str, ...]
    foes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase of a programme; ``min_ms`` only where the file gives it."""

    duration_ms: int
    state: str
    min_ms: int | None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Logic:
    """A signal programme of one light."""

    light: str
    programme: str
    type: str
    offset_ms: int
    phases: tuple[Phase, ...]


@dataclass
class Net:
    """A parsed net."""

    path: Path
    edges: dict[str, NetEdge] = field(default_factory=dict)
    lanes: dict[str, NetLane] = field(default_factory=dict)
    junctions: dict[str, NetJunction] = field(default_factory=dict)
    connections: list[Connection] = field(default_factory=list)
    logics: dict[str, Logic] = field(default_factory=dict)

    @cached_property
    def outgoing(self) -> Mapping[str, list[Connection]]:
        """Return the connections by the lane they leave, in the file's order (which defines the request indices)."""
        return _by(self.connections, incoming=False)

    @cached_property
    def incoming(self) -> Mapping[str, list[Connection]]:
        """Return the connections from real lanes (not internal ones) by the lane they reach."""
        return _by([c for c in self.connections if not c.from_lane.startswith(":")], incoming=True)

    @cached_property
    def links(self) -> Mapping[str, dict[int, list[Connection]]]:
        """Return, per light and link index, the controlled connections that begin on the street (not inside the junction)."""
        found: dict[str, dict[int, list[Connection]]] = {}
        for c in self.connections:
            if c.tl and not self.is_inside(c.from_lane):
                found.setdefault(c.tl, {}).setdefault(c.link, []).append(c)
        return found

    @cached_property
    def requests(self) -> Mapping[Connection, tuple[str, int]]:
        """Return junction and request index per connection, counted as SUMO counts them.

        Ways onto walking areas, and off them to anything but a crossing, have no request.
        """
        found: dict[Connection, tuple[str, int]] = {}
        for junction in self.junctions.values():
            at = 0
            for lane in junction.incoming:
                for c in self.outgoing.get(lane, ()):
                    to_function = self.function(c.to_lane)
                    if to_function == "walkingarea" or (self.function(lane) == "walkingarea" and to_function != "crossing"):
                        continue
                    found[c] = (junction.id, at)
                    at += 1
        return found

    def function(self, lane: str) -> str:
        """Return the function of the lane's edge."""
        return self.edges[self.lanes[lane].edge].function

    def is_inside(self, lane: str) -> bool:
        """Tell whether the lane is part of a junction's inside, where vehicles have passed the stop line."""
        return self.function(lane) == "internal"

    def path_of(self, connection: Connection) -> tuple[str, ...]:
        """Return the internal lanes that the connection runs over, in order; for a crossing the crossing itself."""
        if self.function(connection.to_lane) == "crossing":
            return (connection.to_lane,)
        lanes: list[str] = []
        via = connection.via
        while via and via in self.lanes and via not in lanes:
            lanes.append(via)
            via = next((c.via for c in self.outgoing.get(via, ()) if c.to_lane == connection.to_lane or self.is_inside(c.to_lane)), "")
        return tuple(lanes)

    def path_m(self, connection: Connection) -> float:
        """Return the length of the connection's way across the junction."""
        return sum(self.lanes[lane].length_m for lane in self.path_of(connection))

    def shape_of(self, connection: Connection) -> tuple[Point, ...]:
        """Return the polyline of the way across the junction; a straight line where the net has no internal lanes."""
        points = [p for lane in self.path_of(connection) for p in self.lanes[lane].shape]
        if len(points) >= 2:
            return tuple(points)
        return (self.lanes[connection.from_lane].shape[-1], self.lanes[connection.to_lane].shape[0])


def _by(connections: list[Connection], *, incoming: bool) -> dict[str, list[Connection]]:
    found: dict[str, list[Connection]] = {}
    for c in connections:
        found.setdefault(c.to_lane if incoming else c.from_lane, []).append(c)
    return found
