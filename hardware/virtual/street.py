"""The virtual junction's street as plain data: lanes, ways across the junction, loops, and how many vehicles come when.

``hardware`` does not know the junction file; whoever does (`scenarios.cabinet_street`) fills this from it. Distances are metres before
the stop line, on exits metres behind the exit's begin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

# Share of the busiest hour's flow in each hour: a working day with two peaks, made up, and no count of any street.
WORKING_DAY: Final = (
    *(0.10, 0.06, 0.05, 0.06, 0.12, 0.35, 0.75, 1.00, 0.90, 0.70, 0.62, 0.64),
    *(0.68, 0.68, 0.72, 0.82, 0.95, 1.00, 0.88, 0.65, 0.48, 0.36, 0.28, 0.18),
)


@dataclass(frozen=True, slots=True)
class Way:
    """One way from a lane across the junction, under one signal group; vehicles give way to those on the lanes ``yields_to``."""

    group: str
    exit: str
    share_ratio: float
    crossing_m: float = 20.0
    yields_to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Approach:
    """One lane up to its stop line. ``flow_veh_h``: in the busiest hour; ``platoon_ratio``: the share that comes in platoons."""

    id: str
    length_m: float
    speed_m_s: float
    flow_veh_h: float
    ways: tuple[Way, ...]
    platoon_ratio: float = 0.0


@dataclass(frozen=True, slots=True)
class Loop:
    """An induction loop across ``lanes``, all of them approaches or all exits; ``distance_m`` is to its downstream edge."""

    id: str
    lanes: tuple[str, ...]
    distance_m: float
    length_m: float = 2.0


@dataclass(frozen=True, slots=True)
class Street:
    """All of it. ``profile_ratio``: share of the busiest hour per hour of day; ``start_h``: hour of day at the world's time 0.

    Platoons leave a signal upstream that turns every ``platoon_cycle_ms``.
    """

    id: str
    approaches: tuple[Approach, ...]
    loops: tuple[Loop, ...]
    profile_ratio: tuple[float, ...] = WORKING_DAY
    start_h: float = 7.0
    platoon_cycle_ms: int = 80_000
    seed: int = 1
