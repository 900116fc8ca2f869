"""When the next vehicle comes: a Poisson process whose rate follows the hour of day and, in part, platoons from a signal upstream."""

from __future__ import annotations

import random
from typing import Final

from hardware.virtual.street import Approach, Street

LEAST_GAP_MS: Final = 1_500.0  # two vehicles of one lane are never closer
GREEN_RATIO: Final = 0.4  # of the upstream signal's cycle, in which its platoon passes
HOUR_MS: Final = 3_600_000.0


def gap_ms(approach: Approach, street: Street, world_ms: float, source: random.Random) -> float:
    """Return the time to the approach's next vehicle from ``world_ms`` on, by thinning (Lewis and Shedler 1979)."""
    most_veh_h = approach.flow_veh_h * max(street.profile_ratio) * (1.0 - approach.platoon_ratio + approach.platoon_ratio / GREEN_RATIO)
    if most_veh_h <= 0.0:
        return HOUR_MS * 24.0 * 365.0
    at_ms = world_ms + LEAST_GAP_MS
    free_ms = max(HOUR_MS / most_veh_h - LEAST_GAP_MS, 100.0)
    while True:
        at_ms += source.expovariate(1.0 / free_ms)
        if source.random() * most_veh_h <= rate_veh_h(approach, street, at_ms):
            return at_ms - world_ms


def rate_veh_h(approach: Approach, street: Street, world_ms: float) -> float:
    """Return the approach's flow at a moment of the world, in veh/h."""
    hour = street.start_h + world_ms / HOUR_MS
    flow_veh_h = approach.flow_veh_h * street.profile_ratio[int(hour) % 24]
    in_platoon = world_ms % street.platoon_cycle_ms < GREEN_RATIO * street.platoon_cycle_ms
    platoon = approach.platoon_ratio / GREEN_RATIO if in_platoon else 0.0
    return flow_veh_h * (1.0 - approach.platoon_ratio + platoon)
