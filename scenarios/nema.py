"""SUMO's NEMA controller (dual ring, barrier) out of a light's own programme: the peer ``sumo-nema``.

Rings can be derived where two streets cross, or one ends on another: opposing through movements share a street (phases 2 and 6, 4 and
8), a left turn gets a phase of its own (1, 5, 3, 7) where the programme shows it without the opposing through traffic, and permitted left
turns stay with their through phase. Anything else is `NotApplicableError`: a guess would be a peer that nobody runs.
Sources: NEMA TS 2-2003, section 3 (phases, rings, barriers); SUMO user documentation, "Simulation/NEMA".
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Final

from controller.errors import NotApplicableError
from hardware.signals import GroupKind
from scenarios.importer import select_lights
from scenarios.net import Logic, Net
from scenarios.net_reader import read_logics, read_net
from scenarios.programme import GREEN, link_kind
from scenarios.relations import RightOfWay

LEFT: Final = frozenset("lLt")
STRAIGHT: Final = "s"
MIN_S: Final = 5.0
MAX_S: Final = 50.0  # as `sumo-actuated`
EXTENSION_S: Final = 2.0
AMBER_S: Final = 3.0
RINGS: Final = ((1, 2, 3, 4), (5, 6, 7, 8))
BARRIERS: Final = ((2, 6), (4, 8))  # the phases at which a street ends


@dataclass(frozen=True)
class Approach:
    """The links of one edge before the light. ``lefts`` are those that get a phase of their own."""

    edge: str
    through: tuple[int, ...]
    lefts: tuple[int, ...]
    permitted: tuple[int, ...]


@dataclass(frozen=True)
class NemaLight:
    """A light's phases by NEMA number as state strings, and its clearance times in s."""

    light: str
    phases: Mapping[int, str]
    amber_s: float
    red_s: float


def nema_lights(net_file: Path, programmes: Sequence[Path], tls: Sequence[str]) -> list[NemaLight]:
    """Return all lights of a net, or those named. Raises `NotApplicableError` where one of them has no rings, `ScenarioError` on a broken net."""
    net = read_net(net_file)
    for path in programmes:
        for logic in read_logics(path):
            net.logics[logic.light] = logic
    return [nema_light(net, light) for light in select_lights(net, tls or None, [])]


def nema_light(net: Net, light: str) -> NemaLight:
    """Return the phases of a light. Raises `NotApplicableError` where no rings can be derived."""
    logic, links = net.logics[light], net.links[light]
    rights = RightOfWay(net, logic, links)
    others = sorted({link_kind(net, links[k]).value for k in links if link_kind(net, links[k]) is not GroupKind.VEHICLE})
    if others:
        raise NotApplicableError(f"light {light!r}: SUMO's NEMA controller times no {' or '.join(others)} signals")
    directions = {k: {c.direction for c in links[k]} for k in links}
    by_edge: dict[str, list[int]] = {}
    for k in links:
        by_edge.setdefault(net.lanes[links[k][0].from_lane].edge, []).append(k)
    if not 3 <= len(by_edge) <= 4:
        raise NotApplicableError(f"light {light!r}: expected three or four approaches for rings and a barrier, found {len(by_edge)}")
    straight = {edge: [k for k in mine if STRAIGHT in directions[k]] for edge, mine in by_edge.items()}
    streets = _streets(light, straight, rights)
    lefts = {edge: [k for k in mine if directions[k] <= LEFT] for edge, mine in by_edge.items()}
    phases: dict[int, tuple[set[int], set[int]]] = {}  # by number: links with priority, links that give way
    for (first, second), (left_a, through_a, left_b, through_b) in zip(streets, ((5, 2, 1, 6), (7, 4, 3, 8)), strict=True):
        a = _approach(first, by_edge[first], lefts[first], straight[second] if second else [], logic)
        b = _approach(second, by_edge[second], lefts[second], straight[first], logic) if second else a
        for number, approach in ((through_a, a), (through_b, b)):
            phases[number] = set(approach.through), set(approach.permitted)
        for number, approach in ((left_a, a), (left_b, b)):
            if approach.lefts and second:
                phases[number] = set(approach.lefts), set()
    _check(light, phases, rights)
    states = {n: _state(logic, *phases[n]) for n in sorted(phases)}
    return NemaLight(light, states, *_clearance_s(logic))


def _streets(light: str, straight: Mapping[str, Sequence[int]], rights: RightOfWay) -> list[tuple[str, str]]:
    """Return both streets as pairs of opposing approaches; the second of a street that ends here is empty."""

    def opposing(a: str, b: str) -> bool:
        return bool(straight[a] and straight[b]) and not any(_clash(i, j, rights) for i in straight[a] for j in straight[b])

    pairs = [pair for pair in combinations(straight, 2) if opposing(*pair)]
    for pair in pairs:
        rest = [edge for edge in straight if edge not in pair]
        if len(rest) == 1:
            return [pair, (rest[0], "")]
        if tuple(rest) in pairs:
            return [pair, (rest[0], rest[1])]
    raise NotApplicableError(f"light {light!r}: expected two streets of opposing approaches, found no such pairs among {', '.join(straight)}")


def _clash(a: int, b: int, rights: RightOfWay) -> bool:
    return rights.foes(a, b) and not rights.together(a, b)


def _approach(edge: str, links: Sequence[int], lefts: Sequence[int], opposing: Sequence[int], logic: Logic) -> Approach:
    own = [k for k in lefts if any(p.state[k] in GREEN and not any(p.state[o] in GREEN for o in opposing) for p in logic.phases)] if opposing else []
    beside = [k for k in lefts if any(p.state[k] in GREEN and any(p.state[o] in GREEN for o in opposing) for p in logic.phases)] if opposing else []
    always_yields = [k for k in links if not any(p.state[k] == "G" for p in logic.phases)]
    permitted = {*beside, *always_yields} - (set(own) - set(beside))
    through = [k for k in links if k not in permitted and (k not in own)]
    return Approach(edge, tuple(through), tuple(own), tuple(sorted(permitted)))


def _check(light: str, phases: Mapping[int, tuple[set[int], set[int]]], rights: RightOfWay) -> None:
    """Refuse phases of the two rings that would be green together though their traffic crosses, and links that no phase serves."""
    for street in ((1, 2), (3, 4)):
        for a in street:
            for b in (n + 4 for n in street):
                for i, j in ((i, j) for i in set().union(*phases.get(a, ())) for j in set().union(*phases.get(b, ()))):
                    if _clash(i, j, rights):
                        raise NotApplicableError(f"light {light!r}: phases {a} and {b} would be green together, but links {i} and {j} cross")
        if any(not phases.get(n) for n in (street[1], street[1] + 4)):
            raise NotApplicableError(f"light {light!r}: a street without through traffic has no barrier phase")


def _state(logic: Logic, priority: set[int], yielding: set[int]) -> str:
    return "".join("G" if k in priority else "g" if k in yielding else "r" for k in range(len(logic.phases[0].state)))


def _clearance_s(logic: Logic) -> tuple[float, float]:
    """Return the longest amber of the programme (3 s where it shows none) and its longest all-red, in s."""
    ambers_ms = [p.duration_ms for p in logic.phases if set(p.state) & set("yY")]
    reds_ms = [p.duration_ms for p in logic.phases if not set(p.state) & set("gGyYuoO")]
    return (max(ambers_ms) / 1000 if ambers_ms else AMBER_S), max(reds_ms, default=0) / 1000


def write_nema(lights: Iterable[NemaLight], path: Path) -> None:
    """Write an additional file in which SUMO's NEMA controllers run these lights, uncoordinated and fully actuated."""
    root = ET.Element("additional")
    for one in lights:
        logic = ET.SubElement(root, "tlLogic", id=one.light, type="NEMA", programID="umlauf", offset="0")
        rings = {f"ring{at}": ",".join(str(n if n in one.phases else 0) for n in ring) for at, ring in enumerate(RINGS, 1)}
        barriers = {"barrierPhases": _numbers(BARRIERS[1]), "coordinatePhases": _numbers(BARRIERS[0])}
        params = {**rings, **barriers, "coordinate-mode": "false", "minRecall": "", "maxRecall": "", "total-cycle-length": "120"}
        for key, value in params.items():
            ET.SubElement(logic, "param", key=key, value=value)
        times = {"minDur": MIN_S, "maxDur": MAX_S, "vehext": EXTENSION_S, "yellow": one.amber_s, "red": one.red_s}
        for number, state in one.phases.items():
            ET.SubElement(logic, "phase", {"duration": "99", **{k: f"{v:g}" for k, v in times.items()}, "name": str(number), "state": state})
    ET.indent(root)
    ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _numbers(phases: Sequence[int]) -> str:
    return ",".join(map(str, phases))
