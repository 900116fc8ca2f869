"""Small worlds that provoke what may go wrong at a light, one each: to see that the control copes, and what it would be like if it did not."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from scenarios.case import FAILS, STALLS, Outage
from scenarios.streets import NETCONVERT, POCKET_M, Layout, plain_files

PREFIX: Final = "stress/"
CONNECTIONS: Final = "net.con.xml"
CAR: Final = "car"
BUS: Final = "bus"
STUBBORN: Final = "stubborn"  # drives into the junction though its exit is full
LORRY: Final = "lorry"
# SUMO's vehicle classes; a stubborn driver keeps the junction clear for two seconds only (SUMO: jmIgnoreKeepClearTime).
KINDS: Final[Mapping[str, Mapping[str, str]]] = {
    CAR: {"vClass": "passenger"},
    BUS: {"vClass": "bus"},
    STUBBORN: {"vClass": "passenger", "jmIgnoreKeepClearTime": "2"},
    LORRY: {"vClass": "truck"},
}
# The crossing A0 with its ends in the east (B0), north (A1), west (w0) and south (As).
WEST, EAST, NORTH, SOUTH = "w0A0", "B0A0", "A1A0", "AsA0"
TO_WEST, TO_EAST, TO_NORTH, TO_SOUTH = "A0w0", "A0B0", "A0A1", "A0As"
OPPOSITE: Final = ((WEST, TO_EAST), (EAST, TO_WEST), (NORTH, TO_SOUTH), (SOUTH, TO_NORTH))
LEFT: Final = ((WEST, TO_NORTH), (EAST, TO_SOUTH), (NORTH, TO_EAST), (SOUTH, TO_WEST))
RIGHT: Final = ((WEST, TO_SOUTH), (EAST, TO_NORTH), (NORTH, TO_WEST), (SOUTH, TO_EAST))


@dataclass(frozen=True, slots=True)
class Flow:
    """Vehicles at random times on one way, or at even intervals where ``even``; ``stop_s``: how long each stands ``stop_m`` into its exit."""

    origin: str
    destination: str
    veh_h: float
    kind: str = CAR
    begin_s: int = 0
    end_s: int = 1200
    even: bool = False
    stop_s: int = 0
    stop_m: float = 30.0


@dataclass(frozen=True, slots=True)
class Stress:
    """A world: its crossing, its demand, and when the optimizer is out of order."""

    about: str
    layout: Layout
    flows: tuple[Flow, ...]
    end_s: int
    changed: Mapping[str, str] = field(default_factory=dict)  # options of netconvert, against those of the street nets
    closed: tuple[tuple[str, str], ...] = ()  # ways that nobody may take
    outages: tuple[Outage, ...] = ()

    @property
    def netconvert(self) -> tuple[str, ...]:
        """Return the options of netconvert."""
        usual = dict(zip(NETCONVERT[::2], NETCONVERT[1::2], strict=True))
        return tuple(part for option in (usual | dict(self.changed) | {"-x": CONNECTIONS}).items() for part in option)

    def files(self) -> dict[str, str]:
        """Return the files that netconvert and SUMO read, by name."""
        root = ET.Element("connections")
        for origin, destination in self.closed:
            ET.SubElement(root, "delete", {"from": f"{origin}.{-POCKET_M:g}", "to": destination})
        return {**plain_files(self.layout), CONNECTIONS: ET.tostring(root, encoding="unicode"), "demand.rou.xml": routes_xml(self.flows)}


def routes_xml(flows: Sequence[Flow]) -> str:
    """Return the flows as a route file; SUMO's seed draws the random times."""
    root = ET.Element("routes")
    for kind in dict.fromkeys(flow.kind for flow in flows):
        ET.SubElement(root, "vType", {"id": kind, **KINDS[kind]})
    for place, flow in enumerate(sorted(flows, key=lambda f: f.begin_s)):
        period = f"{3600 / flow.veh_h:.2f}" if flow.even else f"exp({flow.veh_h / 3600:.6f})"
        times = {"begin": str(flow.begin_s), "end": str(flow.end_s), "period": period}
        name = f"{flow.origin}-{flow.destination}-{flow.kind}-{place}"
        way = {"from": flow.origin, "to": flow.destination, "departLane": "best", "departSpeed": "max"}
        made = ET.SubElement(root, "flow", {"id": name, "type": flow.kind, **times, **way})
        if flow.stop_s:
            ET.SubElement(made, "stop", lane=f"{flow.destination}_0", endPos=f"{flow.stop_m:g}", duration=str(flow.stop_s))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"


def _flows(ways: Sequence[tuple[str, str]], veh_h: float, kind: str = CAR, end_s: int = 1200) -> tuple[Flow, ...]:
    return tuple(Flow(origin, destination, veh_h, kind, end_s=end_s) for origin, destination in ways)


STRESS: Final[Mapping[str, Stress]] = {
    "starvation": Stress(
        "buses from a side street, one every two minutes and six at once, against saturated main streets",
        Layout(columns=1, rows=1, spacing_m=300, main_lanes=2, side_lanes=1),
        (
            *_flows(OPPOSITE[:2], 2600),
            *_flows(LEFT[:2], 100),
            Flow(NORTH, TO_SOUTH, 720, BUS, end_s=30, even=True),
            Flow(NORTH, TO_SOUTH, 30, BUS, begin_s=120, end_s=1200, even=True),
        ),
        end_s=1500,
    ),
    "blocked-exit": Stress(
        "a lorry that stops for two minutes in every five, 30 m behind the crossing, where drivers do not keep the crossing clear",
        Layout(columns=1, rows=1, spacing_m=300, main_lanes=1, side_lanes=1),
        (
            *_flows(OPPOSITE[:1], 420, STUBBORN),
            *_flows(OPPOSITE[2:], 480, STUBBORN),
            *_flows(RIGHT[2:], 40, STUBBORN),
            Flow(WEST, TO_EAST, 12, LORRY, begin_s=60, even=True, stop_s=120),
        ),
        end_s=1500,
        closed=RIGHT[:1],
    ),
    "turners": Stress(
        "left turns, buses among them, that must find gaps from all sides, at a full crossing whose programme has no all red",
        Layout(columns=1, rows=1, spacing_m=300, main_lanes=2, side_lanes=2),
        (*_flows(OPPOSITE, 500), *_flows(LEFT, 400), *_flows(LEFT, 60, BUS), *_flows(RIGHT, 100)),
        end_s=1500,
        changed={"--default.junctions.radius": "4", "--tls.allred.time": "0", "--tls.left-green.time": "6"},
    ),
    "lock": Stress(
        "left turns without a stage of their own that find no gap in a saturated street, while no side traffic makes the light change",
        Layout(columns=1, rows=1, spacing_m=300, main_lanes=2, side_lanes=1),
        (*_flows(OPPOSITE[:1], 3400), *_flows(OPPOSITE[1:2], 400), *_flows(LEFT[1:2], 60)),
        end_s=1500,
        changed={"--tls.left-green.time": "0"},
    ),
    "near": Stress(
        "two crossings whose stop lines are nine metres apart, and left turns on the link between them from both sides",
        Layout(columns=2, rows=1, spacing_m=32, main_lanes=2, side_lanes=1),
        (
            *_flows((("w0A0", "B0C0"), ("C0B0", "A0w0")), 450),
            *_flows((("w0A0", "B0B1"), ("C0B0", "A0As"), ("BsB0", "A0As"), ("A1A0", "B0B1")), 120),
            *_flows((("A1A0", "A0As"), ("AsA0", "A0A1"), ("B1B0", "B0Bs"), ("BsB0", "B0B1")), 150),
        ),
        end_s=1500,
        changed={"--default.junctions.radius": "5"},
    ),
    "fallback": Stress(
        "an optimizer that fails for three minutes and later does not answer for three minutes",
        Layout(columns=1, rows=1, spacing_m=300, main_lanes=2, side_lanes=1),
        (*_flows(OPPOSITE[:2], 550), *_flows(OPPOSITE[2:], 250), *_flows(LEFT, 80), *_flows(RIGHT, 60)),
        end_s=1500,
        outages=(Outage(300, 480, FAILS), Outage(780, 960, STALLS)),
    ),
}
