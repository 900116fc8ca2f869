"""Who must stand between a stop line and a loop that a vehicle at rest covers, whoever was seen to come.

Who changes lanes behind the loops is missed on the lane he comes to: where all of an approach want one of its lanes, that lane's queue is
believed to be short while it reaches back to the next light. But a queue at rest has no gaps: where its loops are covered from the stop
line outwards, each since nobody has left, the way up to the last of them holds as many as have room there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from controller.snapshot import DetectorState
from controller.vehicles import LaneTrack, Vehicles

AT_REST_MS: Final = 5_000  # a loop covered for so long lies under a vehicle that stands
SPACING_M: Final = 8.5  # of queued vehicles, some of them long: rather too few are believed than too many


def fill_queue(vehicles: Vehicles, track: LaneTrack, states: Mapping[str, DetectorState], last_leave_ms: int, now_ms: int) -> None:
    """Add those who must stand on a lane and are not believed to.

    ``last_leave_ms``: when the lane's last vehicle left. Loops that are not trusted, or that several lanes share, tell nothing of one lane,
    nor do those farther out where the stop line has no loop of its own.
    """
    for loop, distance_m in track.queue_loops:
        state = states[loop]
        if not (state.trusted and state.occupied) or state.changed_ms < last_leave_ms or now_ms - state.changed_ms < AT_REST_MS:
            return
        if loop in track.stop_loops:
            continue
        inside_veh = sum([v.weights[track.lane.id] for v in track.vehicles if v.distance_m <= distance_m])
        missing = int(distance_m / SPACING_M + 1.0 - inside_veh)
        for ahead in range(missing):
            vehicles.assume(loop, track.lane.id, state.changed_ms - 1 - ahead)
        if missing > 0:
            vehicles.sort()
