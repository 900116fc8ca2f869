"""Read SUMO nets and the programmes in additional files. Standard library only, one pass over each file."""

from __future__ import annotations

import gzip
import math
import xml.etree.ElementTree as ET
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from controller.errors import ScenarioError
from scenarios.net import Connection, Logic, Net, NetEdge, NetJunction, NetLane, Phase


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
                f"Net {path}: element <{element.tag}> {where!r} is incomplete or malformed ({_reason(error)}). Write the net again with netconvert."
            ) from error
    if root != "net":
        raise ScenarioError(f"Net {path}: expected a SUMO net (root element <net>), found <{root}>. Give the .net.xml file.")
    broken = next((c for c in net.connections if c.from_lane not in net.lanes or c.to_lane not in net.lanes), None)
    if broken is not None:
        raise ScenarioError(
            f"Net {path}: the connection {broken.from_lane} -> {broken.to_lane} names a lane that the net does not have. Write the net again with netconvert."
        )
    return net


def _reason(error: Exception) -> str:
    return f"no attribute {error}" if isinstance(error, KeyError) else str(error)


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
