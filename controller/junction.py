"""The junction model: what stands on the street and what may be shown, in plain frozen data.

A `Junction` is what one controller drives. It holds one or more partial nodes (Teilknoten), each with its own stages,
mode and plan. All times are integer milliseconds; ids are strings that people know.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from hardware.signals import GroupKind, GroupSpec, SiteSpec


class Direction(StrEnum):
    """Where a movement turns to."""

    LEFT = "left"
    STRAIGHT = "straight"
    RIGHT = "right"
    TURN = "turn"


class Purpose(StrEnum):
    """What a detector is for."""

    STOP = "stop"  # at the stop line
    ADVANCE = "advance"  # between stop line and entry
    ENTRY = "entry"  # the farthest upstream of its lane
    EXIT = "exit"  # downstream of the junction; blockage only


@dataclass(frozen=True, slots=True)
class Group:
    """A signal group. ``links`` are the indices of the SUMO light, or the controller's channels, that it drives."""

    id: str
    kind: GroupKind
    min_green_ms: int
    amber_ms: int
    max_green_ms: int | None = None
    red_amber_ms: int = 0
    max_red_ms: int | None = None
    walk_ms: int = 0
    clearance_ms: int = 0  # pedestrian clearance; it lies inside the intergreen
    turn_on_red: bool = False  # a static sign allows the turn after a stop (SUMO's letter 's')
    links: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Lane:
    """An approach lane up to its stop line; ``length_m`` reaches upstream as far as its detectors may lie.

    Vehicles may change between the lanes of one ``approach`` before they reach the stop line. ``person_weight``: as how many
    cars one of its vehicles counts, for the persons in it; more than 1 on lanes of buses and trams.
    """

    id: str
    length_m: float
    speed_m_s: float
    approach: str = ""
    person_weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Onward:
    """Where an exit leads: to these approach lanes of the neighbour ``junction``, whose stop line is ``way_m`` from the exit's begin."""

    junction: str
    lanes: tuple[str, ...]
    way_m: float


@dataclass(frozen=True, slots=True)
class Exit:
    """A lane that leaves the junction; ``storage_m`` until the next stop line or the end of the lane. ``onward``: the neighbours there."""

    id: str
    storage_m: float
    speed_m_s: float
    onward: tuple[Onward, ...] = ()


@dataclass(frozen=True, slots=True)
class Movement:
    """One way from an approach lane to an exit lane under one group. ``share_ratio`` is the prior among its lane's movements.

    ``yields_to``: the approach lanes to whose vehicles it gives way while both are green (permitted green).
    """

    lane: str
    exit: str
    group: str
    direction: Direction
    share_ratio: float
    crossing_m: float = 0.0  # length of the path across the junction
    yields_to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Permission:
    """``yielding`` may be green with ``priority`` and gives way; its green begins at least ``head_start_ms`` later."""

    yielding: str
    priority: str
    head_start_ms: int = 0


@dataclass(frozen=True, slots=True)
class Intergreen:
    """End of green of ``clearing`` to start of green of ``entering``, amber and red-amber inside."""

    clearing: str
    entering: str
    intergreen_ms: int


@dataclass(frozen=True, slots=True)
class Stage:
    """The groups that are green together. Groups of the node that are not named are red.

    ``free``: no stage of the engineer's, made of groups that are compatible (`controller.free_stages`).
    """

    id: str
    green: tuple[str, ...]
    free: bool = False


@dataclass(frozen=True, slots=True)
class GroupOffset:
    """When, after the transition's begin, the group's green ends or starts (a group does one of both)."""

    group: str
    offset_ms: int


@dataclass(frozen=True, slots=True)
class Transition:
    """The engineer's own transition of an ordered stage pair; what it leaves open is derived from the intergreens."""

    from_stage: str
    to_stage: str
    ends: tuple[GroupOffset, ...] = ()
    starts: tuple[GroupOffset, ...] = ()
    allowed: bool = True


@dataclass(frozen=True, slots=True)
class ProgrammeStep:
    """One stage of a fixed programme and how long it is shown (transition into it not counted)."""

    stage: str
    green_ms: int


@dataclass(frozen=True, slots=True)
class Programme:
    """A fixed-time programme: stages in order; ``offset_ms`` shifts it against the synchronisation time."""

    id: str
    steps: tuple[ProgrammeStep, ...]
    offset_ms: int = 0


@dataclass(frozen=True, slots=True)
class Node:
    """A partial node: groups that are staged together. ``free_stages``: whether control may make more stages of compatible groups."""

    id: str
    groups: tuple[str, ...]
    stages: tuple[Stage, ...]
    transitions: tuple[Transition, ...] = ()
    programmes: tuple[Programme, ...] = ()
    free_stages: bool = False

    def forbidden(self) -> frozenset[tuple[int, int]]:
        """Return the transitions that the engineer rules out, as indices of their stages."""
        index = {stage.id: k for k, stage in enumerate(self.stages)}
        return frozenset((index[t.from_stage], index[t.to_stage]) for t in self.transitions if not t.allowed)


@dataclass(frozen=True, slots=True)
class Detector:
    """A loop. ``distance_m``: its downstream edge to the stop line (for an exit: to the junction's end).

    ``lanes``: the approach lanes that it feeds (several, where the road widens after it), or the exit lane (several, where
    they merge before it); the distance is that of the first.
    ``upstream``: the next loops on the ways that lead to this one; empty where vehicles come into view here.
    ``place`` says where the device is: a SUMO lane id and the position of the loop's upstream edge on it.
    ``relayed_by``: the junction whose loop it is and that passes its edges on, later by a message; empty for a loop of one's own.
    """

    id: str
    purpose: Purpose
    lanes: tuple[str, ...]
    distance_m: float
    length_m: float = 2.0
    place: tuple[str, float] | None = None
    upstream: tuple[str, ...] = ()
    relayed_by: str = ""


@dataclass(frozen=True, slots=True)
class Button:
    """A push button that asks for the green of ``groups``. ``place``: SUMO's crossing, then the walking areas where those stand who press it."""

    id: str
    groups: tuple[str, ...]
    place: tuple[str, ...] = ()


@dataclass(frozen=True)
class Junction:
    """All that one controller drives. Build it with `controller.site`, the importer, or by hand in tests; then `validate()`."""

    id: str
    groups: tuple[Group, ...]
    lanes: tuple[Lane, ...]
    exits: tuple[Exit, ...]
    movements: tuple[Movement, ...]
    permissions: tuple[Permission, ...]
    intergreens: tuple[Intergreen, ...]
    detectors: tuple[Detector, ...]
    nodes: tuple[Node, ...]
    rules: str = "net"
    net_hash: str = ""
    buttons: tuple[Button, ...] = ()

    @cached_property
    def group_by_id(self) -> dict[str, Group]:
        """Return the groups by id."""
        return {g.id: g for g in self.groups}

    @cached_property
    def intergreen_ms(self) -> dict[tuple[str, str], int]:
        """Return the intergreens by (clearing, entering)."""
        return {(i.clearing, i.entering): i.intergreen_ms for i in self.intergreens}

    def sources(self) -> list[str]:
        """Return what input events may come from: detectors, then buttons."""
        return [*(d.id for d in self.detectors), *(b.id for b in self.buttons)]

    def gives_way_to(self, move: Movement) -> frozenset[tuple[str, str]]:
        """Return the ways, as (lane, group), that the movement must let pass where they are green.

        Of a lane to yield to, the ways whose group has the priority by a permission; all of them where none has, as between
        movements of one group. Turning on red gives way to every green of such a lane.
        """
        on_red = self.group_by_id[move.group].turn_on_red
        pairs = {(p.yielding, p.priority) for p in self.permissions}
        found: set[tuple[str, str]] = set()
        for lane in move.yields_to:
            groups = {m.group for m in self.movements if m.lane == lane} if lane != move.lane else set()
            first = groups if on_red else {g for g in groups if (move.group, g) in pairs}
            found.update((lane, g) for g in first or groups)
        return frozenset(found)

    def validate(self) -> list[str]:
        """Return all faults at once (what, where, expected, found, how to mend); nothing runs before there are none."""
        from controller.validate import faults

        return faults(self)

    def warnings(self) -> list[str]:
        """Return what may be meant but should be known, such as groups that no stage serves."""
        from controller.validate import warnings

        return warnings(self)

    def site_spec(self) -> SiteSpec:
        """Return what the interlock may know."""
        return SiteSpec(
            id=self.id,
            groups=tuple(GroupSpec(g.id, g.kind, g.min_green_ms, g.amber_ms, g.red_amber_ms) for g in self.groups),
            intergreen_ms=dict(self.intergreen_ms),
            head_start_ms={(p.yielding, p.priority): p.head_start_ms for p in self.permissions if p.head_start_ms > 0},
        )
