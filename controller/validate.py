"""What can be wrong with a junction. Every rule runs, so that all faults are seen at once.

Each fault says what and where, what was expected and found, and how to mend it. Nothing runs before there are none.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import Final

from controller.junction import Group, Junction, Node, Purpose
from hardware.signals import GroupKind

MAX_AMBER_MS: Final = 10_000  # beyond this a time is a slip, not a choice
MAX_INTERGREEN_MS: Final = 60_000
SHARE_TOLERANCE: Final = 1e-3


def faults(junction: Junction) -> list[str]:
    """Return all faults, empty where the junction may run."""
    rules = (_ids, _groups, _street, _movements, _intergreens, _permissions, _nodes, _stages, _plans, _detectors, _buttons)
    return [f"Junction {junction.id!r}, {fault}" for rule in rules for fault in rule(junction)]


def warnings(junction: Junction) -> list[str]:
    """Return what may be meant but should be known: groups never served, lanes without a stop loop, groups without movements."""
    served = {g for n in junction.nodes for s in n.stages for g in s.green}
    moved = {m.group for m in junction.movements}
    seen = {lane for d in junction.detectors if d.purpose is Purpose.STOP for lane in d.lanes}
    found = [f"group {g.id!r}: no stage serves it." for g in junction.groups if g.id not in served]
    found += [f"group {g.id!r}: no movement runs under it." for g in junction.groups if g.id not in moved and g.kind is not GroupKind.PEDESTRIAN]
    found += [f"lane {x.id!r}: no stop loop; its vehicles are not seen at the line." for x in junction.lanes if x.id not in seen]
    return [f"Junction {junction.id!r}, {text}" for text in found]


def _seconds(ms: int) -> str:
    return f"{ms / 1000:g} s"


def _unknown(where: str, key: str, names: Iterable[str], known: Iterable[str], what: str) -> Iterator[str]:
    """Yield a fault for every name that is not known."""
    known = list(known)
    for name in names:
        if name not in known:
            listed = ", ".join(known[:12]) + (", …" if len(known) > 12 else "")
            yield f"{where}: {key}: expected one of the {what} ({listed or 'none'}), found {name!r}. Correct the name or add it."


def _ids(junction: Junction) -> Iterator[str]:
    lists = {
        "groups": [g.id for g in junction.groups],
        "lanes": [x.id for x in junction.lanes],
        "exits": [x.id for x in junction.exits],
        "detectors and buttons": junction.sources(),
        "nodes": [n.id for n in junction.nodes],
    } | {f"node {n.id!r}, stages": [s.id for s in n.stages] for n in junction.nodes}
    for what, ids in lists.items():
        for name, count in Counter(ids).items():
            if count > 1:
                yield f"{what}: expected different ids, found {name!r} {count} times. Rename all but one."
            if not name:
                yield f"{what}: expected an id, found an empty one. Name it."
    owners: dict[int, list[str]] = {}
    for g in junction.groups:
        for link in g.links:
            owners.setdefault(link, []).append(g.id)
    for link, ids in owners.items():
        if len(ids) > 1:
            yield f"link {link}: expected one group, found {', '.join(ids)}. Leave it in one of them."


def _groups(junction: Junction) -> Iterator[str]:
    if not junction.groups:
        yield "groups: expected at least one, found none. Add the signal groups."
    for g in junction.groups:
        where = f"group {g.id!r}"
        if g.min_green_ms <= 0:
            yield f"{where}: min_green_s: expected above 0 s, found {_seconds(g.min_green_ms)}. Give a minimum green."
        if not 0 <= g.amber_ms <= MAX_AMBER_MS:
            yield f"{where}: amber_s: expected 0 to {_seconds(MAX_AMBER_MS)}, found {_seconds(g.amber_ms)}. Correct it."
        if g.kind is GroupKind.PEDESTRIAN and g.amber_ms > 0:
            yield f"{where}: amber_s: expected 0 s (pedestrians change from green to red), found {_seconds(g.amber_ms)}. Use clearance_s instead."
        for key in ("red_amber_ms", "walk_ms", "clearance_ms"):
            if getattr(g, key) < 0:
                yield f"{where}: {key[:-3]}_s: expected 0 s or more, found {_seconds(getattr(g, key))}. Correct it."
        yield from _limits(g, where)


def _limits(g: Group, where: str) -> Iterator[str]:
    if g.max_green_ms is not None and g.max_green_ms < g.min_green_ms:
        least = _seconds(g.min_green_ms)
        yield f"{where}: max_green_s: expected at least min_green_s, {least}, found {_seconds(g.max_green_ms)}. Raise it or lower the minimum."
    if g.max_red_ms is not None and g.max_red_ms <= 0:
        yield f"{where}: max_red_s: expected above 0 s, found {_seconds(g.max_red_ms)}. Correct it, or leave it out."
    if any(link < 0 for link in g.links):
        yield f"{where}: links: expected indices from 0, found {list(g.links)}. Correct them."


def _positive(where: str, key: str, value: float, *, zero: bool = False) -> Iterator[str]:
    if not (math.isfinite(value) and (value >= 0 if zero else value > 0)):
        yield f"{where}: {key}: expected a number {'of 0 or more' if zero else 'above 0'}, found {value}. Correct it."


def _street(junction: Junction) -> Iterator[str]:
    for lane in junction.lanes:
        yield from _positive(f"lane {lane.id!r}", "length_m", lane.length_m)
        yield from _positive(f"lane {lane.id!r}", "speed_m_s", lane.speed_m_s)
    for out in junction.exits:
        yield from _positive(f"exit {out.id!r}", "storage_m", out.storage_m, zero=True)
        yield from _positive(f"exit {out.id!r}", "speed_m_s", out.speed_m_s)
        for way in out.onward:
            where = f"exit {out.id!r}: onward to {way.junction!r}"
            yield from _positive(where, "way_m", way.way_m, zero=True)
            if not way.lanes:
                yield f"{where}: lanes: expected the approach lanes that the exit leads to, found none. Name them, or remove the neighbour."


def _movements(junction: Junction) -> Iterator[str]:
    lanes, exits = [x.id for x in junction.lanes], [x.id for x in junction.exits]
    total: dict[str, float] = {}
    for m in junction.movements:
        where = f"movement {m.lane} -> {m.exit}"
        yield from _unknown(where, "lane", [m.lane], lanes, "lanes")
        yield from _unknown(where, "exit", [m.exit], exits, "exits")
        yield from _unknown(where, "group", [m.group], junction.group_by_id, "groups")
        yield from _unknown(where, "yields_to", m.yields_to, lanes, "lanes")
        yield from _positive(where, "share_ratio", m.share_ratio, zero=True)
        yield from _positive(where, "crossing_m", m.crossing_m, zero=True)
        total[m.lane] = total.get(m.lane, 0.0) + m.share_ratio
    for lane, share in total.items():
        if not abs(share - 1.0) <= SHARE_TOLERANCE:
            yield f"lane {lane!r}: share_ratio: expected shares that sum to 1 over its movements, found {share:g}. Correct them."
    for lane in lanes:
        if lane not in total:
            yield f"lane {lane!r}: expected at least one movement, found none. Add one or drop the lane."


def _intergreens(junction: Junction) -> Iterator[str]:
    times: dict[tuple[str, str], int] = {}
    for i in junction.intergreens:
        where = f"intergreen {i.clearing} -> {i.entering}"
        yield from _unknown(where, "clearing", [i.clearing], junction.group_by_id, "groups")
        yield from _unknown(where, "entering", [i.entering], junction.group_by_id, "groups")
        if (i.clearing, i.entering) in times:
            yield f"{where}: expected once, found again. Drop one of them."
        times[i.clearing, i.entering] = i.intergreen_ms
        if i.clearing == i.entering:
            yield f"{where}: expected two different groups, found one. Drop it."
        if not 0 <= i.intergreen_ms <= MAX_INTERGREEN_MS:
            yield f"{where}: intergreen_s: expected 0 to {_seconds(MAX_INTERGREEN_MS)}, found {_seconds(i.intergreen_ms)}. Correct it."
        clearing, entering = junction.group_by_id.get(i.clearing), junction.group_by_id.get(i.entering)
        for group, key in ((clearing, "amber"), (clearing, "clearance"), (entering, "red_amber")):
            least = int(getattr(group, f"{key}_ms", 0))
            if group is not None and i.intergreen_ms < least:
                found = _seconds(i.intergreen_ms)
                yield f"{where}: intergreen_s: expected at least the {key}_s of {group.id}, {_seconds(least)}, found {found}. Raise it."
    for first, second in times:
        if (second, first) not in times:
            yield (
                f"intergreen {second} -> {first}: expected a time, for {first} -> {second} has one, found none. "
                "Add it: conflicting groups need both directions."
            )


def _permissions(junction: Junction) -> Iterator[str]:
    for p in junction.permissions:
        where = f"permission {p.yielding} yields to {p.priority}"
        yield from _unknown(where, "yielding", [p.yielding], junction.group_by_id, "groups")
        yield from _unknown(where, "priority", [p.priority], junction.group_by_id, "groups")
        if p.yielding == p.priority:
            yield f"{where}: expected two different groups, found one. Drop it."
        if p.head_start_ms < 0:
            yield f"{where}: head_start_s: expected 0 s or more, found {_seconds(p.head_start_ms)}. Correct it."
        if (p.yielding, p.priority) in junction.intergreen_ms:
            yield f"{where}: expected no intergreen between groups that may be green together, found one. Drop the permission or the intergreens."


def _nodes(junction: Junction) -> Iterator[str]:
    if not junction.nodes:
        yield "nodes: expected at least one, found none. Add a node with its groups and stages."
    homes: dict[str, list[str]] = {}
    for n in junction.nodes:
        yield from _unknown(f"node {n.id!r}", "groups", n.groups, junction.group_by_id, "groups")
        for name in n.groups:
            homes.setdefault(name, []).append(n.id)
        if not n.stages:
            yield f"node {n.id!r}: stages: expected at least one, found none. Add the sets of groups that are green together."
    for g in junction.groups:
        found = homes.get(g.id, [])
        if len(found) != 1:
            yield f"group {g.id!r}: expected in exactly one node, found in {', '.join(found) or 'none'}. Correct the nodes' groups."


def _stages(junction: Junction) -> Iterator[str]:
    for n in junction.nodes:
        for s in n.stages:
            where = f"node {n.id!r}, stage {s.id!r}"
            yield from _unknown(where, "green", s.green, n.groups, "node's groups")
            if not s.green:
                yield f"{where}: green: expected at least one group, found none. Name its groups or drop the stage."
            if len(set(s.green)) < len(s.green):
                yield f"{where}: green: expected every group once, found {', '.join(s.green)}. Drop the repetition."
            for a, b in combinations(s.green, 2):
                if (a, b) in junction.intergreen_ms or (b, a) in junction.intergreen_ms:
                    yield f"{where}: expected groups that may be green together, found the conflicting {a} and {b}. Split the stage, or drop their intergreens."


def _plans(junction: Junction) -> Iterator[str]:
    for n in junction.nodes:
        stages = [s.id for s in n.stages]
        yield from _transitions(n, stages)
        for p in n.programmes:
            where = f"node {n.id!r}, programme {p.id!r}"
            if not p.steps:
                yield f"{where}: steps: expected at least one, found none. Add the stages it shows, or drop it."
            for step in p.steps:
                yield from _unknown(where, "stage", [step.stage], stages, "stages")
                if step.green_ms <= 0:
                    yield f"{where}, stage {step.stage!r}: green_s: expected above 0 s, found {_seconds(step.green_ms)}. Correct it."


def _transitions(n: Node, stages: list[str]) -> Iterator[str]:
    greens = {s.id: set(s.green) for s in n.stages}
    for t in n.transitions:
        where = f"node {n.id!r}, transition {t.from_stage} -> {t.to_stage}"
        yield from _unknown(where, "stage", [t.from_stage, t.to_stage], stages, "stages")
        old, new = greens.get(t.from_stage, set()), greens.get(t.to_stage, set())
        yield from _unknown(where, "ends", [o.group for o in t.ends], sorted(old - new), "groups that end")
        yield from _unknown(where, "starts", [o.group for o in t.starts], sorted(new - old), "groups that start")
        for o in (*t.ends, *t.starts):
            if o.offset_ms < 0:
                yield f"{where}, group {o.group!r}: offset_s: expected 0 s or more, found {_seconds(o.offset_ms)}. Correct it."


def _detectors(junction: Junction) -> Iterator[str]:
    lanes, exits = [x.id for x in junction.lanes], [x.id for x in junction.exits]
    ids = [d.id for d in junction.detectors]
    for d in junction.detectors:
        where = f"detector {d.id!r}"
        if not d.lanes:
            yield f"{where}: lanes: expected at least one, found none. Name the lanes that it feeds."
        if d.purpose is Purpose.EXIT:
            yield from _unknown(where, "lanes", d.lanes, exits, "exits")
        else:
            yield from _unknown(where, "lanes", d.lanes, lanes, "lanes")
        yield from _unknown(where, "upstream", d.upstream, ids, "detectors")
        yield from _positive(where, "distance_m", d.distance_m, zero=True)
        yield from _positive(where, "length_m", d.length_m)
        if d.place is not None:
            yield from _positive(where, "place", d.place[1], zero=True)


def _buttons(junction: Junction) -> Iterator[str]:
    groups = [g.id for g in junction.groups]
    for b in junction.buttons:
        where = f"button {b.id!r}"
        if not b.groups:
            yield f"{where}: groups: expected at least one, found none. Name the groups that it asks for."
        yield from _unknown(where, "groups", b.groups, groups, "groups")
