"""What the guard says of itself: plain data, made once a second, shown by `umlauf status`, the metrics and the fault campaign.

Times of day are UTC in ISO 8601. ``to_object`` gives JSON; `from_object` takes it back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class OverrideStatus:
    """An operator's wish that is in force."""

    mode: str
    until: str
    who: str
    reason: str


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """One partial node: who decides and why, what is shown and what comes next."""

    id: str
    mode: str
    mode_why: str
    mode_since: str
    wanted: str
    faults: tuple[str, ...]
    override: OverrideStatus | None
    stage: str
    planner: str
    plan_reason: str
    next_steps: tuple[tuple[str, float], ...] = ()  # stage and in how many seconds it begins
    asked: tuple[tuple[str, float], ...] = ()  # group and for how many seconds somebody who pressed its button has waited


@dataclass(frozen=True, slots=True)
class DetectorStatus:
    """One detector and whether it is believed."""

    id: str
    purpose: str
    occupied: bool
    trusted: bool
    why: str
    count: int


@dataclass(frozen=True, slots=True)
class LaneStatus:
    """What is believed of one lane."""

    id: str
    queue_veh: float
    flow_veh_h: float
    saturation_veh_h: float


@dataclass(frozen=True, slots=True)
class Status:
    """All of it. ``ages_s``: how old the newest answer of each watched part is (optimizer, inputs, signals, journal, systemd watchdog)."""

    site: str
    junction: str
    version: str
    at: str
    uptime_s: float
    shadow: bool
    nodes: tuple[NodeStatus, ...]
    aspects: Mapping[str, str]
    detectors: tuple[DetectorStatus, ...]
    lanes: tuple[LaneStatus, ...]
    optimizer: str  # ready, starting, lost, off
    signals: str  # remote, local, fault, lost
    ages_s: Mapping[str, float]
    ticks: int
    late_ticks: int
    max_lateness_ms: float
    decisions: int
    detector_events: int
    refusals: int
    events: tuple[tuple[str, str, str], ...] = ()  # the newest last: when, kind, text
    numbers: Mapping[str, float] = field(default_factory=dict)  # whatever else a part counts, by metric name

    def to_object(self) -> dict[str, Any]:
        """Return plain JSON data."""
        nodes = [{**_fields(node), "override": None if node.override is None else _fields(node.override)} for node in self.nodes]
        return {**_fields(self), "nodes": nodes, "detectors": [*map(_fields, self.detectors)], "lanes": [*map(_fields, self.lanes)]}


def _fields(one: Any) -> dict[str, Any]:
    """Return a part's fields as they are: `dataclasses.asdict` copies what is in them too, which takes the guard some ten times as long."""
    return {name: getattr(one, name) for name in one.__slots__}


def from_object(data: Mapping[str, Any]) -> Status:
    """Return the status that ``data`` was made from. Raises `KeyError` or `TypeError` where it is none."""
    nodes = tuple(
        NodeStatus(
            **{
                **node,
                "faults": tuple(node["faults"]),
                "override": OverrideStatus(**node["override"]) if node["override"] else None,
                "next_steps": tuple((stage, after_s) for stage, after_s in node["next_steps"]),
                "asked": tuple((group, for_s) for group, for_s in node.get("asked", ())),
            }
        )
        for node in data["nodes"]
    )
    detectors = tuple(DetectorStatus(**d) for d in data["detectors"])
    lanes = tuple(LaneStatus(**lane) for lane in data["lanes"])
    events = tuple((at, kind, text) for at, kind, text in data["events"])
    return Status(**{**data, "nodes": nodes, "detectors": detectors, "lanes": lanes, "events": events})
