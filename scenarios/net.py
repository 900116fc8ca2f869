"""Read a SUMO net: edges, lanes, connections, right-of-way, signal programmes. Standard library only, one pass."""

from __future__ import annotations

import gzip
import math
import xml.etree.ElementTree as ET
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO, Final, cast

from controller.errors import ScenarioError

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


def number(text: str) -> float:
    """Return a finite number. Raises ValueError."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"expected a finite number, found {text!r}")
    return value


def time_ms(text: str) -> int:
    """Return milliseconds of a SUMO time: seconds, or [days:]hours:minutes:seconds."""
    total = 0.0
    for part, factor in zip(reversed(text.split(":")), (1, 60, 3600, 86400), strict=False):
        total += number(part) * factor
    return round(total * 1000)


def elements(path: Path, *, what: str) -> Iterator[ET.Element]:
    """Yield the finished elements of a plain or gzipped XML file, root's children as wholes. Raises `ScenarioError` on a missing or broken file."""
    try:
        with cast("IO[bytes]", gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")) as stream:
            depth = 0
            for event, element in ET.iterparse(stream, events=("start", "end")):
                if event == "start":
                    depth += 1
                    continue
                depth -= 1
                if depth <= 1:
                    yield element
                    if depth == 1 and element.tag not in ("phase", "param"):  # a file may consist of one bare <tlLogic>
                        element.clear()
    except FileNotFoundError as error:
        raise ScenarioError(f"{what} {path}: expected a file, found none. Check the path.") from error
    except (OSError, EOFError, zlib.error) as error:
        raise ScenarioError(f"{what} {path}: cannot be read ({error}). Expected a readable .xml or .xml.gz file.") from error
    except ET.ParseError as error:
        raise ScenarioError(f"{what} {path}: not well-formed XML ({error}). Write it again with netconvert or netedit.") from error


def read_net(path: Path) -> Net:
    """Parse a ``.net.xml`` or ``.net.xml.gz``. Raises `ScenarioError` where it is missing, broken or no net."""
    net = Net(path)
    root = ""
    for element in elements(path, what="Net"):
        root = element.tag
        try:
            _take(net, element)
        except (KeyError, ValueError, IndexError) as error:
            where = element.get("id") or element.get("from") or "?"
            raise ScenarioError(
                f"Net {path}: element <{element.tag}> {where!r} is incomplete or malformed ({error!r}). Write the net again with netconvert."
            ) from error
    if root != "net":
        raise ScenarioError(f"Net {path}: expected a SUMO net (root element <net>), found <{root}>. Give the .net.xml file.")
    broken = next((c for c in net.connections if c.from_lane not in net.lanes or c.to_lane not in net.lanes), None)
    if broken is not None:
        raise ScenarioError(
            f"Net {path}: the connection {broken.from_lane} -> {broken.to_lane} names a lane that the net does not have. Write the net again with netconvert."
        )
    return net


def _take(net: Net, element: ET.Element) -> None:
    if element.tag == "edge":
        _take_edge(net, element)
    elif element.tag == "junction":
        if element.get("type") != "internal":
            requests = sorted(element.findall("request"), key=lambda r: int(r.attrib["index"]))
            net.junctions[element.attrib["id"]] = NetJunction(
                id=element.attrib["id"],
                type=element.get("type", ""),
                incoming=tuple(element.get("incLanes", "").split()),
                response=tuple(r.attrib["response"] for r in requests),
                foes=tuple(r.attrib["foes"] for r in requests),
            )
    elif element.tag == "connection":
        a = element.attrib
        net.connections.append(
            Connection(
                from_lane=f"{a['from']}_{a['fromLane']}",
                to_lane=f"{a['to']}_{a['toLane']}",
                via=a.get("via", ""),
                tl=a.get("tl", ""),
                link=int(a.get("linkIndex", "-1")),
                direction=a.get("dir", "s"),
            )
        )
    elif element.tag == "tlLogic":
        logic = read_logic(element)
        net.logics[logic.light] = logic  # SUMO runs the programme that is loaded last


def _take_edge(net: Net, element: ET.Element) -> None:
    edge = NetEdge(element.attrib["id"], element.get("from", ""), element.get("to", ""), element.get("function", "normal"))
    for lane in element.findall("lane"):
        a = lane.attrib
        parsed = NetLane(
            id=a["id"],
            edge=edge.id,
            index=int(a["index"]),
            length_m=number(a["length"]),
            speed_m_s=number(a["speed"]),
            shape=tuple((number(x), number(y)) for x, y, *_ in (p.split(",") for p in a["shape"].split())),
            allow=frozenset(a["allow"].split()) if "allow" in a else None,
            disallow=frozenset(a.get("disallow", "").split()),
        )
        edge.lanes.append(parsed)
        net.lanes[parsed.id] = parsed
    net.edges[edge.id] = edge


def read_logic(element: ET.Element) -> Logic:
    """Return the programme that a ``<tlLogic>`` element describes. Raises KeyError or ValueError on malformed attributes."""
    offset = element.get("offset", "0")
    return Logic(
        light=element.attrib["id"],
        programme=element.get("programID", ""),
        type=element.get("type", "static"),
        offset_ms=0 if offset == "begin" else time_ms(offset),
        phases=tuple(
            Phase(
                duration_ms=time_ms(p.attrib["duration"]),
                state=p.attrib["state"],
                min_ms=time_ms(p.attrib["minDur"]) if "minDur" in p.attrib else None,
                name=p.get("name", ""),
            )
            for p in element.findall("phase")
        ),
    )


def read_logics(path: Path) -> list[Logic]:
    """Return the programmes that an additional file holds, in its order (RiLSA examples, tools/game). Raises `ScenarioError`."""
    found: list[Logic] = []
    for element in elements(path, what="Additional file"):
        if element.tag == "tlLogic" and (element.find("phase") is not None):
            try:
                found.append(read_logic(element))
            except (KeyError, ValueError) as error:
                raise ScenarioError(f"Additional file {path}: the programme of light {element.get('id')!r} is malformed ({error!r}).") from error
    return found
