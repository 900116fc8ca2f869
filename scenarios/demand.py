"""Demand of the scenarios that we build: counts per origin and destination, turned into departures with exact totals."""

from __future__ import annotations

import random
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

HOUR_S: Final = 3600
CAR: Final = "car"
TRUCK: Final = "truck"


@dataclass(frozen=True, slots=True)
class Stream:
    """Vehicles of one origin and destination (edge ids) in the hour; ``trucks_pct`` of them are heavy."""

    origin: str
    destination: str
    vehicles: int
    trucks_pct: int = 0


# Turning counts and heavy shares of the RiLSA example junctions 1 to 4 (FGSV, Richtlinien für Lichtsignalanlagen, examples),
# as numbers in tools/sumolib/scenario/scenarios/RealWorld/RiLSA_example*/makeRoutes.py of eclipse-sumo 1.28. Edge ids: from
# n(orth), e(ast), s(outh), w(est) towards the m(iddle), and back.
RILSA: Final = {
    "rilsa1": (
        Stream("nm", "ms", 159, 9),
        Stream("nm", "me", 59, 9),
        Stream("nm", "mw", 64, 12),
        Stream("wm", "me", 708, 10),
        Stream("wm", "mn", 80, 14),
        Stream("wm", "ms", 130, 2),
        Stream("em", "mw", 571, 10),
        Stream("em", "mn", 57, 9),
        Stream("em", "ms", 47, 3),
        Stream("sm", "mn", 154, 2),
        Stream("sm", "me", 49, 2),
        Stream("sm", "mw", 92, 2),
    ),
    "rilsa2": (
        Stream("wm", "me", 1143, 9),
        Stream("wm", "ms", 179, 8),
        Stream("em", "mw", 1296, 10),
        Stream("em", "ms", 312, 6),
        Stream("sm", "me", 270, 5),
        Stream("sm", "mw", 266, 6),
    ),
    "rilsa3": (
        Stream("nm", "ms", 383, 7),
        Stream("nm", "me", 54, 4),
        Stream("nm", "mw", 32, 6),
        Stream("wm", "me", 472, 6),
        Stream("wm", "mn", 65, 6),
        Stream("wm", "ms", 58, 8),
        Stream("em", "mw", 552, 7),
        Stream("em", "mn", 76, 5),
        Stream("em", "ms", 186, 6),
        Stream("sm", "mn", 402, 11),
        Stream("sm", "me", 387, 5),
        Stream("sm", "mw", 48, 9),
    ),
    "rilsa4": (
        Stream("nm", "ms", 160, 8),
        Stream("nm", "me", 60, 10),
        Stream("nm", "mw", 67, 11),
        Stream("wm", "me", 662, 11),
        Stream("wm", "mn", 64, 9),
        Stream("wm", "ms", 193, 5),
        Stream("em", "mw", 617, 11),
        Stream("em", "mn", 55, 6),
        Stream("em", "ms", 50, 4),
        Stream("sm", "mn", 156, 9),
        Stream("sm", "me", 59, 3),
        Stream("sm", "mw", 191, 5),
    ),
}


def trips_xml(streams: Sequence[Stream], seed: int = 1) -> str:
    """Return a route file with exactly the streams' vehicles, departing at times drawn evenly over the hour.

    The same streams and seed give the same text everywhere; SUMO's own seed then varies the drivers, not the demand.
    """
    draw = random.Random(seed)
    departures: list[tuple[float, str, str, str, str]] = []
    for stream in streams:
        trucks = round(stream.vehicles * stream.trucks_pct / 100)
        for number in range(stream.vehicles):
            kind = TRUCK if number < trucks else CAR
            name = f"{stream.origin}-{stream.destination}.{number}"
            departures.append((round(draw.random() * HOUR_S, 2), name, kind, stream.origin, stream.destination))
    root = ET.Element("routes")
    ET.SubElement(root, "vType", id=CAR, vClass="passenger")
    ET.SubElement(root, "vType", id=TRUCK, vClass="truck")
    for depart_s, name, kind, origin, destination in sorted(departures):
        ET.SubElement(root, "trip", {"id": name, "type": kind, "depart": f"{depart_s:.2f}", "from": origin, "to": destination})
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"
