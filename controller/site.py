"""Read and write junction files (TOML) and translate them once into the plain data of `controller.junction`.

Nothing below this module sees a configuration object.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from controller.config_file import fault_text, faults_error, parse_toml, read_text
from controller.errors import ConfigError
from controller.junction import (
    Button,
    Detector,
    Exit,
    Group,
    GroupOffset,
    Intergreen,
    Junction,
    Lane,
    Movement,
    Node,
    Onward,
    Permission,
    Programme,
    ProgrammeStep,
    Stage,
    Transition,
)
from controller.site_models import DetectorModel, GroupModel, JunctionModel, NodeModel, OffsetModel, TransitionModel

# Faults of form that do not keep the rest of a file from being checked -> what stands there meanwhile; unknown keys are left out.
PLACEHOLDERS: Final = {"greater_than_equal": 5.0, "greater_than": 5.0, "finite_number": 5.0}


def read_junction(path: Path) -> Junction:
    """Read a junction file. Raises `ConfigError` with all faults of form: key, expected, found. `Junction.validate()` checks the rest."""
    text = read_text(path, "junction file", f"Write one with: umlauf junction import NET -o {path}")
    return parse_junction(text, where=str(path))


def parse_junction(text: str, *, where: str = "junction file") -> Junction:
    """Parse the text of a junction file. Raises `ConfigError` as `read_junction` does."""
    data = parse_toml(text, where)
    if "signals" in data and isinstance(named := data.get("junction"), str):
        raise ConfigError(f"{where}: expected a junction file, found a site file. Name the junction file that it names: {named}")
    try:
        model = JunctionModel.model_validate_json(json.dumps(data, default=str))
    except ValidationError as error:
        faults = error.errors(include_url=False)
        lines = [fault_text(e, data) for e in faults]
        rest = _faults_of_the_rest(data, faults)
        note = "; stages, intergreens and names are checked once these are mended" if rest is None else ""
        raise faults_error(where, [*lines, *(rest or ())], note) from error
    return _junction(model)


def _faults_of_the_rest(data: dict[str, Any], faults: Sequence[ErrorDetails]) -> list[str] | None:
    """Return what `Junction.validate` finds beside faults of form, so that all are told at once; None where these hide it."""
    try:
        for fault in faults:
            *path, key = fault["loc"]
            place: Any = data
            for part in path:
                place = place[part]
            if fault["type"] == "extra_forbidden":
                del place[key]
            else:
                place[key] = PLACEHOLDERS[fault["type"]]
        return _junction(JunctionModel.model_validate_json(json.dumps(data, default=str))).validate()
    except (LookupError, TypeError, ValidationError):
        return None


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a junction file, for editors."""
    return JunctionModel.model_json_schema()


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _ms_or_none(seconds: float | None) -> int | None:
    return None if seconds is None else _ms(seconds)


def _junction(m: JunctionModel) -> Junction:
    return Junction(
        id=m.id,
        groups=tuple(_group(g) for g in m.groups),
        lanes=tuple(Lane(x.id, x.length_m, x.speed_m_s, x.approach, x.person_weight) for x in m.lanes),
        exits=tuple(Exit(x.id, x.storage_m, x.speed_m_s, tuple(Onward(o.junction, o.lanes, o.way_m) for o in x.onward)) for x in m.exits),
        movements=tuple(Movement(x.lane, x.exit, x.group, x.direction, x.share_ratio, x.crossing_m, x.yields_to) for x in m.movements),
        permissions=tuple(Permission(p.yielding, p.priority, _ms(p.head_start_s)) for p in m.permissions),
        intergreens=tuple(Intergreen(a, b, _ms(s)) for a, row in m.intergreens_s.items() for b, s in row.items()),
        detectors=tuple(_detector(d) for d in m.detectors),
        nodes=tuple(_node(n) for n in m.nodes),
        rules=m.rules,
        net_hash=m.net_hash,
        buttons=tuple(Button(b.id, b.groups, b.place) for b in m.buttons),
    )


def _group(g: GroupModel) -> Group:
    return Group(
        id=g.id,
        kind=g.kind,
        min_green_ms=_ms(g.min_green_s),
        amber_ms=_ms(g.amber_s),
        max_green_ms=_ms_or_none(g.max_green_s),
        red_amber_ms=_ms(g.red_amber_s),
        max_red_ms=_ms_or_none(g.max_red_s),
        walk_ms=_ms(g.walk_s),
        clearance_ms=_ms(g.clearance_s),
        turn_on_red=g.turn_on_red,
        links=g.links,
    )


def _detector(d: DetectorModel) -> Detector:
    place = None if d.place_lane is None else (d.place_lane, d.place_m)
    return Detector(d.id, d.purpose, d.lanes, d.distance_m, d.length_m, place, d.upstream, d.relayed_by)


def _node(n: NodeModel) -> Node:
    return Node(
        id=n.id,
        groups=n.groups,
        stages=tuple(Stage(s.id, s.green) for s in n.stages),
        transitions=tuple(_transition(t) for t in n.transitions),
        programmes=tuple(Programme(p.id, tuple(ProgrammeStep(s.stage, _ms(s.green_s)) for s in p.steps), _ms(p.offset_s)) for p in n.programmes),
        free_stages=n.free_stages,
    )


def _transition(t: TransitionModel) -> Transition:
    def offsets(found: Sequence[OffsetModel]) -> tuple[GroupOffset, ...]:
        return tuple(GroupOffset(o.group, _ms(o.offset_s)) for o in found)

    return Transition(t.from_stage, t.to_stage, offsets(t.ends), offsets(t.starts), t.allowed)


def write_junction(junction: Junction, path: Path, *, comments: Iterable[str] = ()) -> None:
    """Write a readable junction file; ``comments`` stand at its head. Raises `ConfigError` where it cannot be written."""
    from controller.site_text import format_junction

    try:
        path.write_text(format_junction(junction, comments=comments), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({error.strerror}). Choose a writable folder.") from error
