"""The vocabulary of signals: aspects, group kinds, frames, and the plain data the interlock is built from.

``hardware`` knows a site only through `SiteSpec`; ``controller`` fills it from its junction model.
All times are integer milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum


class Aspect(IntEnum):
    """What one signal group shows."""

    DARK = 0
    RED = 1
    RED_AMBER = 2
    GREEN = 3
    AMBER = 4
    FLASHING_AMBER = 5  # seen at a controller: flashing, in a colour that it does not tell


class GroupKind(StrEnum):
    """Whom a signal group serves; each kind has its own order of aspects (see `interlock`)."""

    VEHICLE = "vehicle"
    PEDESTRIAN = "pedestrian"
    BICYCLE = "bicycle"
    TRANSIT = "transit"


@dataclass(frozen=True, slots=True)
class GroupSpec:
    """The limits of one signal group.

    ``amber_ms`` is 0 where the kind has none (pedestrians: green to red).
    ``red_amber_ms`` is 0 where red turns to green directly.
    """

    id: str
    kind: GroupKind
    min_green_ms: int
    amber_ms: int
    red_amber_ms: int = 0


@dataclass(frozen=True)
class SiteSpec:
    """All that the interlock knows of one controller's junction, fixed before the first frame.

    ``intergreen_ms[(clearing, entering)]`` holds every ordered pair of conflicting groups, from end of green to
    start of green (amber and red-amber inside). Pairs that are absent may be green together.
    ``head_start_ms[(yielding, priority)]``: the yielding group's green may begin only this long after the priority
    group's green began, where both begin in the same transition.
    """

    id: str
    groups: tuple[GroupSpec, ...]
    intergreen_ms: Mapping[tuple[str, str], int]
    head_start_ms: Mapping[tuple[str, str], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Frame:
    """One aspect per signal group, in the order of `SiteSpec.groups`, computed at monotonic time ``at_ms``."""

    at_ms: int
    aspects: tuple[Aspect, ...]
