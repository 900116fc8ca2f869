"""The junction file as pydantic models: frozen, unknown keys are errors, no NaN or infinity. Seconds and metres as people write them."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from controller.junction import Direction, Purpose
from hardware.signals import GroupKind

Seconds = Annotated[float, Field(ge=0, le=86_400)]
Metres = Annotated[float, Field(ge=0)]
Speed = Annotated[float, Field(gt=0)]
Weight = Annotated[float, Field(gt=0, le=100)]
Name = Annotated[str, Field(min_length=1)]


class Part(BaseModel):
    """What all parts of the file share."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class GroupModel(Part):
    """A signal group."""

    id: Name
    kind: GroupKind
    min_green_s: Seconds
    amber_s: Seconds
    max_green_s: Seconds | None = None
    red_amber_s: Seconds = 0.0
    max_red_s: Seconds | None = None
    walk_s: Seconds = 0.0
    clearance_s: Seconds = Field(default=0.0, description="Pedestrian clearance; it lies inside the intergreen.")
    turn_on_red: bool = Field(default=False, description="A static sign allows the turn after a stop.")
    links: tuple[int, ...] = Field(default=(), description="Indices of the SUMO light, or the controller's channels.")


class LaneModel(Part):
    """An approach lane up to its stop line."""

    id: Name
    length_m: Metres
    speed_m_s: Speed
    approach: str = ""
    person_weight: Weight = Field(default=1.0, description="As how many cars one of the lane's vehicles counts, for the persons in it.")


class OnwardModel(Part):
    """A neighbouring junction that an exit leads to. ``way_m``: from the exit's begin to its stop line."""

    junction: Name
    lanes: tuple[Name, ...]
    way_m: Metres


class ExitModel(Part):
    """A lane that leaves the junction."""

    id: Name
    storage_m: Metres
    speed_m_s: Speed
    onward: tuple[OnwardModel, ...] = Field(default=(), description="Neighbours to whom departures are told; none: it works for itself.")


class MovementModel(Part):
    """One way from lane to exit."""

    lane: Name
    exit: Name
    group: Name
    direction: Direction
    share_ratio: Annotated[float, Field(ge=0, le=1)]
    crossing_m: Metres = 0.0
    yields_to: tuple[Name, ...] = Field(default=(), description="Lanes to give way to: the ways with priority by a permission, all where none has it.")


class PermissionModel(Part):
    """Two groups that may be green together, one giving way."""

    yielding: Name
    priority: Name
    head_start_s: Seconds = 0.0


class DetectorModel(Part):
    """A loop. ``distance_m``: its downstream edge to the stop line of the first of its lanes."""

    id: Name
    purpose: Purpose
    lanes: tuple[Name, ...]
    distance_m: Metres
    length_m: Metres = 2.0
    place_lane: str | None = None
    place_m: Metres = 0.0
    upstream: tuple[Name, ...] = ()
    relayed_by: str = ""


class ButtonModel(Part):
    """A push button, on a channel of an input as a detector is. Who presses it gets green after 60 s at the latest."""

    id: Name
    groups: tuple[Name, ...]
    place: tuple[Name, ...] = Field(default=(), description="SUMO's crossing, then the walking areas where those stand who press it.")


class StageModel(Part):
    """Groups that are green together."""

    id: Name
    green: tuple[Name, ...]


class OffsetModel(Part):
    """When a group's green ends or starts after the transition's begin."""

    group: Name
    offset_s: Seconds


class TransitionModel(Part):
    """The engineer's own transition; what it leaves open is derived from the intergreens."""

    from_stage: Name
    to_stage: Name
    ends: tuple[OffsetModel, ...] = ()
    starts: tuple[OffsetModel, ...] = ()
    allowed: bool = True


class StepModel(Part):
    """A stage of a programme and how long it is shown."""

    stage: Name
    green_s: Seconds


class ProgrammeModel(Part):
    """A fixed-time programme."""

    id: str
    offset_s: float = 0.0
    steps: tuple[StepModel, ...]


class NodeModel(Part):
    """A partial node (Teilknoten): groups that are staged together."""

    id: Name
    groups: tuple[Name, ...]
    stages: tuple[StageModel, ...]
    transitions: tuple[TransitionModel, ...] = ()
    programmes: tuple[ProgrammeModel, ...] = ()
    free_stages: bool = Field(default=False, description="Adaptive control may also show other groups together, those without an intergreen between them.")


class JunctionModel(Part):
    """A junction file."""

    id: Name
    rules: str = "net"
    net_hash: str = Field(default="", description="Hash of the net's part that this was imported from.")
    groups: tuple[GroupModel, ...]
    lanes: tuple[LaneModel, ...]
    exits: tuple[ExitModel, ...] = ()
    movements: tuple[MovementModel, ...]
    permissions: tuple[PermissionModel, ...] = ()
    intergreens_s: dict[Name, dict[Name, Seconds]] = Field(
        default={}, description="Per clearing group, per entering group: end of green to start of green, amber and red-amber inside."
    )
    detectors: tuple[DetectorModel, ...] = ()
    buttons: tuple[ButtonModel, ...] = ()
    nodes: tuple[NodeModel, ...]
