"""Street nets that we build: crossings of main and side streets in rows and columns, as netconvert's plain input."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from scenarios.demand import Stream

SPEED_M_S: Final = 13.89  # 50 km/h
ARM_M: Final = 400.0  # from the edge of the net to the first light
POCKET_M: Final = 70.0  # left-turn lane
NETCONVERT: Final = (
    *("--no-turnarounds", "true"),
    *("--default.junctions.radius", "8"),  # smaller ones let opposing left turns cross
    *("--tls.default-type", "static"),
    *("--tls.cycle.time", "90"),
    *("--tls.yellow.time", "3"),
    *("--tls.allred.time", "2"),
    *("--tls.left-green.time", "10"),
)
# side of the crossing: (column step, row step); a street is named after where it leads
SIDES: Final = {"e": (1, 0), "n": (0, 1), "w": (-1, 0), "s": (0, -1)}


@dataclass(frozen=True, slots=True)
class Layout:
    """Lights in ``columns`` and ``rows``; lanes per direction of the streets along the rows (main) and the columns (side)."""

    columns: int
    rows: int
    spacing_m: float
    main_lanes: int
    side_lanes: int

    def nodes(self) -> Iterator[tuple[int, int]]:
        """Yield the lights as (column, row)."""
        return ((c, r) for r in range(self.rows) for c in range(self.columns))

    def inside(self, column: int, row: int) -> bool:
        """Return whether a light stands there; else it is the edge of the net."""
        return 0 <= column < self.columns and 0 <= row < self.rows

    def lanes(self, side: str) -> int:
        """Return the lanes per direction of the street on that side of a light."""
        return self.main_lanes if side in "ew" else self.side_lanes


def node_name(column: int, row: int) -> str:
    """Return the id of the node at (column, row): letter and number, as on a chess board; the edge of the net included."""
    return f"{chr(ord('A') + column) if column >= 0 else 'w'}{row if row >= 0 else 's'}"


def edge_name(start: tuple[int, int], end: tuple[int, int]) -> str:
    """Return the id of the street from one node to the next."""
    return f"{node_name(*start)}{node_name(*end)}"


def plain_files(layout: Layout) -> dict[str, str]:
    """Return the node and edge files that netconvert turns into the net."""
    nodes, edges = ET.Element("nodes"), ET.Element("edges")
    placed: set[tuple[int, int]] = set()
    for at in layout.nodes():
        _node(layout, nodes, at, "traffic_light")
        for side, (dc, dr) in SIDES.items():
            other = (at[0] + dc, at[1] + dr)
            if not layout.inside(*other) and other not in placed:
                placed.add(other)
                _node(layout, nodes, other, "priority")
            edge = ET.SubElement(edges, "edge", _street(other, at, layout.lanes(side)))
            if not layout.inside(*other) or layout.spacing_m > POCKET_M:
                ET.SubElement(edge, "split", pos=f"{-POCKET_M:g}", lanes=" ".join(str(lane) for lane in range(layout.lanes(side) + 1)))
                edge[-1].set("id", f"{node_name(*at)}{side}")
            if not layout.inside(*other):
                ET.SubElement(edges, "edge", _street(at, other, layout.lanes(side)))
    for root in (nodes, edges):
        ET.indent(root)
    return {"net.nod.xml": ET.tostring(nodes, encoding="unicode"), "net.edg.xml": ET.tostring(edges, encoding="unicode")}


def _node(layout: Layout, nodes: ET.Element, at: tuple[int, int], kind: str) -> None:
    x, y = (_coordinate(index, count, layout.spacing_m) for index, count in zip(at, (layout.columns, layout.rows), strict=True))
    ET.SubElement(nodes, "node", id=node_name(*at), x=f"{x:g}", y=f"{y:g}", type=kind)


def _coordinate(index: int, count: int, spacing_m: float) -> float:
    if index < 0:
        return -ARM_M
    return index * spacing_m if index < count else (count - 1) * spacing_m + ARM_M


def _street(start: tuple[int, int], end: tuple[int, int], lanes: int) -> dict[str, str]:
    return {
        "id": edge_name(start, end),
        "from": node_name(*start),
        "to": node_name(*end),
        "numLanes": str(lanes),
        "speed": f"{SPEED_M_S:g}",
        "priority": str(lanes),
    }


def entries(layout: Layout) -> dict[str, list[tuple[str, str]]]:
    """Return per side of the net the streets (in, out) at its edge, in order of column or row."""
    found: dict[str, list[tuple[str, str]]] = {side: [] for side in SIDES}
    for at in layout.nodes():
        for side, (dc, dr) in SIDES.items():
            other = (at[0] + dc, at[1] + dr)
            if not layout.inside(*other):
                found[side].append((edge_name(other, at), edge_name(at, other)))
    return found


def through_and_turning(layout: Layout, main_veh_h: int, side_veh_h: int, turning_pct: int) -> list[Stream]:
    """Return streams from every entry: straight on across the net, and ``turning_pct`` shared among the exits on both flanks."""
    at_side = entries(layout)
    opposite = {"e": "w", "w": "e", "n": "s", "s": "n"}
    streams: list[Stream] = []
    for side, streets in at_side.items():
        volume = main_veh_h if side in "ew" else side_veh_h
        flanks = [out for other in SIDES if other not in (side, opposite[side]) for _, out in at_side[other]]
        for place, (into, _) in enumerate(streets):
            turning = volume * turning_pct // 100 // len(flanks)
            streams.append(Stream(into, at_side[opposite[side]][place][1], volume - turning * len(flanks), 5))
            streams += [Stream(into, out, turning, 5) for out in flanks]
    return streams
