"""A junction as readable TOML: one line per lane, movement and detector, the intergreens as a matrix. Seconds and metres."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from controller.errors import ConfigError
from controller.free_stages import free_stages
from controller.junction import Detector, Exit, Group, GroupOffset, Junction, Lane, Node
from controller.transitions import transition_table

Value = str | float | int | bool | list["Value"] | dict[str, "Value"]


def format_junction(junction: Junction, *, comments: Iterable[str] = ()) -> str:
    """Return the text of the junction's file; reading it gives the same junction."""
    parts = [
        *(f"# {line}" for comment in comments for line in comment.splitlines()),
        "# Times in seconds, lengths in metres. Check after every change: umlauf check FILE",
        "",
        *_pairs({"id": junction.id, "rules": junction.rules, "net_hash": junction.net_hash}),
        "",
        "# Whom each signal group serves, and its times. links: indices in the light's state.",
        *_table("groups", (_group(g) for g in junction.groups)),
        "# Approach lanes up to their stop line; lanes of one approach can be changed between. person_weight: cars that a vehicle counts as.",
        *_table("lanes", (_lane(x) for x in junction.lanes)),
        "# Lanes that leave the junction; storage until the next stop line; onward: the neighbour's approach lanes that they lead to.",
        *_table("exits", (_exit(x) for x in junction.exits)),
        "# Ways across the junction; share_ratio: first guess of the shares of the lane's vehicles, learned online.",
        *_table("movements", _movements(junction)),
        "# Groups that may be green together, one giving way.",
        *_table("permissions", ({"yielding": p.yielding, "priority": p.priority, "head_start_s": p.head_start_ms / 1000} for p in junction.permissions)),
        "# Loops. distance_m: downstream edge to the stop line; place: SUMO lane and position of the upstream edge.",
        *_table("detectors", (_detector(d) for d in junction.detectors)),
        *_buttons(junction),
        *_intergreens(junction),
    ]
    for node in junction.nodes:
        parts += _node(junction, node)
    return "\n".join(parts).rstrip() + "\n"


def toml_value(value: Value) -> str:
    """Return a value as TOML on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")  # TOML's basic strings are JSON's, but for DEL
    if isinstance(value, list):
        return f"[{', '.join(toml_value(v) for v in value)}]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{toml_key(k)} = {toml_value(v)}" for k, v in value.items()) + " }"
    return repr(value)


def toml_key(key: str) -> str:
    """Return a key as TOML, in quotes where it needs them."""
    return key if key and all(c.isascii() and (c.isalnum() or c in "-_") for c in key) else toml_value(key)


def _pairs(values: dict[str, Value]) -> Iterator[str]:
    return (f"{toml_key(k)} = {toml_value(v)}" for k, v in values.items())


def _table(name: str, rows: Iterable[dict[str, Value]]) -> list[str]:
    lines = [f"  {toml_value(row)}," for row in rows]
    return [f"{name} = [", *lines, "]", ""] if lines else [f"{name} = []", ""]


def _group(g: Group) -> dict[str, Value]:
    row: dict[str, Value] = {"id": g.id, "kind": g.kind.value, "min_green_s": g.min_green_ms / 1000, "amber_s": g.amber_ms / 1000}
    for key, ms in (("max_green_s", g.max_green_ms), ("max_red_s", g.max_red_ms)):
        if ms is not None:
            row[key] = ms / 1000
    for key, ms in (("red_amber_s", g.red_amber_ms), ("walk_s", g.walk_ms), ("clearance_s", g.clearance_ms)):
        if ms:
            row[key] = ms / 1000
    if g.turn_on_red:
        row["turn_on_red"] = True
    row["links"] = list(g.links)
    return row


def _lane(x: Lane) -> dict[str, Value]:
    row: dict[str, Value] = {"id": x.id, "length_m": x.length_m, "speed_m_s": x.speed_m_s, "approach": x.approach}
    if x.person_weight != 1.0:
        row["person_weight"] = x.person_weight
    return row


def _exit(x: Exit) -> dict[str, Value]:
    row: dict[str, Value] = {"id": x.id, "storage_m": x.storage_m, "speed_m_s": x.speed_m_s}
    if x.onward:
        row["onward"] = [{"junction": o.junction, "lanes": list(o.lanes), "way_m": o.way_m} for o in x.onward]
    return row


def _movements(junction: Junction) -> Iterator[dict[str, Value]]:
    for m in junction.movements:
        row: dict[str, Value] = {"lane": m.lane, "exit": m.exit, "group": m.group, "direction": m.direction.value}
        row |= {"share_ratio": m.share_ratio, "crossing_m": m.crossing_m}
        if m.yields_to:
            row["yields_to"] = list(m.yields_to)
        yield row


def _detector(d: Detector) -> dict[str, Value]:
    row: dict[str, Value] = {"id": d.id, "purpose": d.purpose.value, "lanes": list(d.lanes), "distance_m": d.distance_m, "length_m": d.length_m}
    if d.place is not None:
        row |= {"place_lane": d.place[0], "place_m": d.place[1]}
    if d.upstream:
        row["upstream"] = list(d.upstream)
    if d.relayed_by:
        row["relayed_by"] = d.relayed_by
    return row


def _buttons(junction: Junction) -> list[str]:
    """Return the push buttons, nothing where there are none."""
    rows: list[dict[str, Value]] = [{"id": b.id, "groups": list(b.groups), **({"place": list(b.place)} if b.place else {})} for b in junction.buttons]
    head = "# Push buttons and the groups that they ask for. place: SUMO's crossing, and where those stand who press."
    return [head, *_table("buttons", rows)] if rows else []


def _intergreens(junction: Junction) -> list[str]:
    """Return the matrix: a line per clearing group with the groups that enter after it."""
    rows: dict[str, dict[str, Value]] = {}
    for i in junction.intergreens:
        rows.setdefault(i.clearing, {})[i.entering] = i.intergreen_ms / 1000
    head = "# Intergreens: end of green of the group on the left to start of green of each other; pairs not named may be green together."
    return [head, "[intergreens_s]", *_pairs(dict(rows.items())), ""]


def _offsets(found: Iterable[GroupOffset]) -> list[Value]:
    return [{"group": o.group, "offset_s": o.offset_ms / 1000} for o in found]


def _derived(junction: Junction, n: Node) -> list[str]:
    """Return comment lines that say what each transition does; junctions with faults get none."""
    if junction.validate():
        return []
    try:
        table = transition_table(junction, n)
    except ConfigError:
        return []
    lines = ["# Transitions (seconds after their begin), as intergreens and own transitions make them:"]
    for a, old in enumerate(n.stages):
        for b, new in enumerate(n.stages):
            pair = table.pairs[a][b]
            if a != b and pair.allowed:
                ends = [f"{g} ends {ms / 1000:g}" for g, ms in pair.ends_ms.items()]
                starts = [f"{g} starts {ms / 1000:g}" for g, ms in pair.starts_ms.items()]
                lines.append(f"#   {old.id} -> {new.id}: {', '.join([*ends, *starts]) or 'nothing changes'}")
    return [*lines, ""]


def _node(junction: Junction, n: Node) -> list[str]:
    transitions: list[dict[str, Value]] = [
        {"from_stage": t.from_stage, "to_stage": t.to_stage, "ends": _offsets(t.ends), "starts": _offsets(t.starts), "allowed": t.allowed}
        for t in n.transitions
    ]
    lines = ["[[nodes]]", *_pairs({"id": n.id, "groups": list(n.groups)})]
    if n.free_stages:
        names = ", ".join(s.id for s in free_stages(junction, n)) or "none"
        lines += [f"# Adaptive control may show these stages too, as they have no intergreen between their groups: {names}", *_pairs({"free_stages": True})]
    lines += _table("stages", ({"id": s.id, "green": list(s.green)} for s in n.stages))
    if n.transitions:
        lines += ["# Own transitions of ordered stage pairs; the others are derived from the intergreens.", *_table("transitions", transitions)]
    lines += _derived(junction, n)
    for p in n.programmes:
        lines += ["[[nodes.programmes]]", *_pairs({"id": p.id, "offset_s": p.offset_ms / 1000})]
        lines += _table("steps", ({"stage": s.stage, "green_s": s.green_ms / 1000} for s in p.steps))
    return lines
