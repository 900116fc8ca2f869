"""Make junctions from the lights of a SUMO net."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from controller.errors import ScenarioError
from controller.junction import Group, Intergreen, Junction, Node, Permission, Programme, ProgrammeStep, Stage
from hardware.signals import GroupKind
from scenarios.approaches import approach_lanes, exits, movements
from scenarios.buttons import place_buttons
from scenarios.intergreens import Rules, Times
from scenarios.loops import place_loops
from scenarios.net import RAIL_TYPES, Connection, Logic, Net
from scenarios.net_reader import read_logics, read_net
from scenarios.programme import LinkGroup, StagePlan, check_logic, find_groups, find_stages, link_kind
from scenarios.relations import RightOfWay, relate
from scenarios.relays import with_relays


@dataclass(frozen=True, slots=True)
class ImportResult:
    """The junctions of a net, in the order of its lights, and what the user should know about them."""

    junctions: tuple[Junction, ...]
    warnings: tuple[str, ...]


def import_lights(
    net_path: Path,
    *,
    rules: Rules = "net",
    published_amber_s: float = 3.0,
    tls: Sequence[str] | None = None,
    programmes: Sequence[Path] = (),
) -> ImportResult:
    """Import the lights of a net, all or those named.

    ``programmes`` are additional files whose signal programmes replace the net's, as SUMO does. Raises `ScenarioError` where
    the net cannot be read, has no light, a named light is unknown, or a light cannot be imported.
    """
    net = read_net(net_path)
    for path in programmes:
        for logic in read_logics(path):
            net.logics[logic.light] = logic
    warnings: list[str] = []
    lights = select_lights(net, tls, warnings)
    junctions = tuple(import_light(net, light, rules=rules, published_amber_s=published_amber_s, warnings=warnings) for light in lights)
    return ImportResult(with_relays(net, junctions), tuple(warnings))


def select_lights(net: Net, tls: Sequence[str] | None, warnings: list[str]) -> tuple[str, ...]:
    """Return the ids of the lights to import; railway signals are left out with a warning. Raises `ScenarioError` on none or unknown ones."""
    rail = [light for light, logic in net.logics.items() if logic.type in RAIL_TYPES]
    rail += [j.id for j in net.junctions.values() if j.type in RAIL_TYPES and j.id not in rail]
    lights = tuple(light for light in net.logics if light not in rail and light in net.links)
    if not lights:
        found = f"only railway signals ({', '.join(rail)})" if rail else "none"
        raise ScenarioError(f"Net {net.path}: expected traffic lights, found {found}. Add lights with netedit, or choose another net.")
    if tls is not None:
        unknown = [t for t in tls if t not in lights]
        if unknown:
            raise ScenarioError(f"Net {net.path}: no light {', '.join(map(repr, unknown))}. It has: {', '.join(lights)}.")
        return tuple(t for t in lights if t in tls)
    if rail:
        warnings.append(f"Railway signals and crossings are not traffic lights and were left out: {', '.join(rail)}.")
    empty = [light for light in net.logics if light not in rail and light not in net.links]
    if empty:
        warnings.append(f"Lights that control no connection were left out: {', '.join(empty)}.")
    return lights


def import_light(net: Net, light: str, *, rules: Rules, published_amber_s: float, warnings: list[str]) -> Junction:
    """Import one light; what the user should know is appended to ``warnings``. Raises `ScenarioError` naming light and link."""
    logic, links = net.logics[light], net.links[light]
    check_logic(logic, tuple(links))
    rights = RightOfWay(net, logic, links)
    groups = find_groups(logic, {k: link_kind(net, links[k]) for k in links}, rights.foes)
    stages = find_stages(logic, groups)
    if not stages.sets:
        raise ScenarioError(
            f"Light {light!r}: the programme {logic.programme!r} shows no green to any link ({_spans(links)}). Give it a programme with green phases."
        )
    relations = relate(logic, groups, rights, as_shown=rules != "street")
    times = Times(net, logic, links, stages, rules=rules, published_amber_ms=round(published_amber_s * 1000))
    of_group = {g.id: times.of_group(g) for g in groups}
    order = {g.id: at for at, g in enumerate(groups)}
    pairs = sorted([(a, b) for x, y in relations.conflicts for a, b in ((x, y), (y, x))], key=lambda p: (order[p[0].id], order[p[1].id]))
    intergreens = []
    for a, b in pairs:
        foes = [(i, j) for i in a.links for j in b.links if rights.foes(i, j)]
        intergreens.append(Intergreen(a.id, b.id, times.intergreen_ms(a, b, of_group, foes)))
    ways = movements(net, groups, links, relations)
    exit_lanes = exits(net, ways)
    detectors, lanes = place_loops(net, light, approach_lanes(groups, links), [e.id for e in exit_lanes])
    warnings += [*relations.warnings, *times.warnings, *_unserved(light, groups, stages)]
    return Junction(
        id=light,
        groups=tuple(_group(g, of_group[g.id].min_green_ms, of_group[g.id].amber_ms, of_group[g.id].red_amber_ms, of_group[g.id].clearance_ms) for g in groups),
        lanes=lanes,
        exits=exit_lanes,
        movements=ways,
        permissions=tuple(Permission(a, b) for a, b in relations.permissions),
        intergreens=tuple(intergreens),
        detectors=detectors,
        nodes=(_node(logic, groups, stages, free=rules != "published"),),
        rules=rules,
        net_hash=net_hash(net, light),
        buttons=place_buttons(net, light, groups, links),
    )


def _group(g: LinkGroup, min_green_ms: int, amber_ms: int, red_amber_ms: int, clearance_ms: int) -> Group:
    return Group(
        id=g.id,
        kind=g.kind,
        min_green_ms=min_green_ms,
        amber_ms=amber_ms,
        red_amber_ms=red_amber_ms,
        walk_ms=min_green_ms if g.kind is GroupKind.PEDESTRIAN else 0,
        clearance_ms=clearance_ms,
        turn_on_red=any(letter in "so" for letter in g.column),
        links=g.links,
    )


def _node(logic: Logic, groups: Sequence[LinkGroup], stages: StagePlan, *, free: bool) -> Node:
    names = [stage_name(at) for at in range(len(stages.sets))]
    steps: list[ProgrammeStep] = []
    for stage, phase in stages.steps:
        duration = logic.phases[phase].duration_ms
        if steps and steps[-1].stage == names[stage]:
            duration += steps.pop().green_ms
        steps.append(ProgrammeStep(names[stage], duration))
    if len(steps) > 1 and steps[0].stage == steps[-1].stage:
        last = steps.pop()
        steps[0] = ProgrammeStep(last.stage, steps[0].green_ms + last.green_ms)
    return Node(
        id=logic.light,
        groups=tuple(g.id for g in groups),
        stages=tuple(Stage(name, green) for name, green in zip(names, stages.sets, strict=True)),
        programmes=(Programme(logic.programme, tuple(steps), logic.offset_ms),),
        free_stages=free,  # published figures allow only the programme's stages
    )


def stage_name(at: int) -> str:
    """Return A to Z, then A2 to Z2 and so on."""
    return chr(ord("A") + at % 26) + (str(at // 26 + 1) if at >= 26 else "")


def _unserved(light: str, groups: Sequence[LinkGroup], stages: StagePlan) -> list[str]:
    served = {g for s in stages.sets for g in s}
    return [f"Light {light!r}: the programme never serves {_spans(g.links)} (group {g.id})." for g in groups if g.id not in served]


def _spans(links: Sequence[int] | Mapping[int, object]) -> str:
    return f"link{'s' if len(links) > 1 else ''} {', '.join(str(k) for k in sorted(links))}"


def net_hash(net: Net, light: str) -> str:
    """Return a short hash of what an import depends on: the light's connections, their lanes, right-of-way and programme."""
    logic = net.logics[light]
    parts: list[str] = [f"{p.duration_ms} {p.state}" for p in logic.phases]
    nodes: set[str] = set()
    for k in sorted(net.links[light]):
        for c in net.links[light][k]:
            parts.append(_line(net, k, c))
            if c in net.requests:
                nodes.add(net.requests[c][0])
    parts += [" ".join((*net.junctions[n].response, *net.junctions[n].foes)) for n in sorted(nodes)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _line(net: Net, link: int, c: Connection) -> str:
    lane = net.lanes[c.from_lane]
    return f"{link} {c.from_lane} {c.to_lane} {c.direction} {lane.length_m:.2f} {lane.speed_m_s:.2f} {net.path_m(c):.2f}"
