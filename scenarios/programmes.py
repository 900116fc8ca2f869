"""Signal programmes as SUMO writes them: reading the active ones, and rewriting them for the SUMO-driven baselines."""

from __future__ import annotations

import dataclasses
import math
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from controller.errors import ScenarioError
from scenarios.config import parse_time_s, read_text

LETTERS: Final = "rsuyYgGoO"
PROGRAMME_ID: Final = "umlauf"
ACTUATED_MIN_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class TlPhase:
    """One phase of a programme as written; ``min_s`` and ``max_s`` are None where the file gives none."""

    duration_s: float
    state: str
    min_s: float | None = None
    max_s: float | None = None

    @property
    def green(self) -> bool:
        """Return whether this is a green phase: somebody has green and nobody amber or red-amber."""
        return any(letter in "gG" for letter in self.state) and not any(letter in "yYu" for letter in self.state)


@dataclass(frozen=True, slots=True)
class TlProgramme:
    """One programme of one light; ``kind`` is SUMO's type (static, actuated, ...)."""

    light: str
    id: str
    kind: str
    offset_s: float
    phases: tuple[TlPhase, ...]

    @property
    def cycle_s(self) -> float:
        """Return the sum of the phase durations."""
        return sum(phase.duration_s for phase in self.phases)


def read_programmes(files: Iterable[Path]) -> dict[str, TlProgramme]:
    """Return each light's active programme: the one loaded last, net first, then the additional files in order.

    Raises `ScenarioError` on a broken file, unequal state strings in one programme or a letter that SUMO does not know.
    """
    active: dict[str, TlProgramme] = {}
    for file in files:
        try:
            root = ET.fromstring(read_text(file).encode())
        except ET.ParseError as error:
            raise ScenarioError(f"{file}: not readable as XML ({error}); write it again with netconvert or netedit") from error
        for element in root.iter("tlLogic"):
            if element.find("phase") is not None:
                programme = _programme(file, element)
                active[programme.light] = programme
    return active


def _programme(file: Path, element: ET.Element) -> TlProgramme:
    light, name = element.get("id", ""), element.get("programID", "")
    phases = tuple(_phase(file, light, name, i, phase) for i, phase in enumerate(element.iter("phase")))
    lengths = [len(phase.state) for phase in phases]
    expected = max(lengths, key=lengths.count, default=0)
    for i, found in enumerate(lengths):
        if found != expected:
            raise ScenarioError(
                f"{file}: light {light!r}, programme {name!r}, phase {i}: found a state of {found} letters, expected {expected} as in the others, "
                "one for each link; correct the state string"
            )
    offset = element.get("offset", "0")
    return TlProgramme(light, name, element.get("type", "static"), parse_time_s(offset) if offset != "begin" else 0.0, phases)


def _phase(file: Path, light: str, name: str, index: int, element: ET.Element) -> TlPhase:
    where = f"{file}: light {light!r}, programme {name!r}, phase {index}"
    state = element.get("state", "")
    unknown = sorted(set(state) - set(LETTERS))
    if unknown or not state:
        found = f"the letter {unknown[0]!r} at place {state.index(unknown[0])}" if unknown else "no state"
        raise ScenarioError(f"{where}: found {found}, expected letters out of {LETTERS}; correct the state string")
    bounds = [_time_s(where, element, key) if key in element.attrib else None for key in ("minDur", "maxDur")]
    return TlPhase(_time_s(where, element, "duration"), state, *bounds)


def _time_s(where: str, element: ET.Element, key: str) -> float:
    text = element.get(key, "")
    try:
        value_s = parse_time_s(text)
    except ValueError:
        value_s = math.nan
    if not 0 <= value_s < math.inf:
        raise ScenarioError(f"{where}: the {key} is {text!r}, expected seconds, 0 or more; correct it")
    return value_s


def actuated(programme: TlProgramme, max_s: float, kind: str = "actuated", *, own_minimum: bool = False) -> TlProgramme:
    """Return the programme as SUMO's own vehicle actuation runs it: green phases between 5 s and ``max_s``.

    With ``own_minimum`` only phases that carry a minimum are stretched, and keep it.
    """
    return dataclasses.replace(programme, id=PROGRAMME_ID, kind=kind, phases=tuple(_stretched(p, max_s, own_minimum=own_minimum) for p in programme.phases))


def _stretched(phase: TlPhase, max_s: float, *, own_minimum: bool) -> TlPhase:
    if not phase.green or (own_minimum and phase.min_s is None):
        return phase
    least_s = phase.min_s if own_minimum and phase.min_s is not None else ACTUATED_MIN_S
    most_s = max(max_s, least_s)
    return dataclasses.replace(phase, min_s=least_s, max_s=most_s, duration_s=min(max(phase.duration_s, least_s), most_s))


def all_green(programme: TlProgramme) -> TlProgramme:
    """Return a programme that shows all links of the light green for ever."""
    return dataclasses.replace(programme, id=PROGRAMME_ID, kind="static", offset_s=0.0, phases=(TlPhase(3600.0, "G" * len(programme.phases[0].state)),))


def write_programmes(programmes: Iterable[TlProgramme], path: Path, params: Mapping[str, str] | None = None) -> None:
    """Write an additional file that makes these programmes the active ones (SUMO runs the one loaded last)."""
    root = ET.Element("additional")
    for programme in programmes:
        logic = ET.SubElement(root, "tlLogic", id=programme.light, type=programme.kind, programID=programme.id, offset=_seconds(programme.offset_s))
        for key, value in (params or {}).items():
            ET.SubElement(logic, "param", key=key, value=value)
        for phase in programme.phases:
            attributes = {"duration": _seconds(phase.duration_s), "state": phase.state}
            if phase.min_s is not None:
                attributes["minDur"] = _seconds(phase.min_s)
            if phase.max_s is not None:
                attributes["maxDur"] = _seconds(phase.max_s)
            ET.SubElement(logic, "phase", attributes)
    ET.indent(root)
    ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _seconds(value_s: float) -> str:
    return f"{value_s:.2f}".rstrip("0").rstrip(".")
