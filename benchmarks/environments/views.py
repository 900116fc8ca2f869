"""What an agent sees of its node: a snapshot as numbers between 0 and 1, the same ones in training and when a saved policy controls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from controller.junction import Junction, Node, Purpose
from controller.snapshot import LaneBelief, Snapshot

GREEN_S: Final = 60.0
QUEUE_VEH: Final = 20.0
ARRIVALS_VEH: Final = 10.0
WAIT_S: Final = 120.0
FLOW_VEH_S: Final = 0.5
NEAR_MS: Final = 5_000  # arrivals at the stop line are counted up to here,
FAR_MS: Final = 20_000  # and up to here
OF_NODE: Final = ("green_time", "may_leave", "in_transition")
OF_LANE: Final = ("queue", "arrivals_5s", "arrivals_20s", "first_waits", "flow", "stop_loop", "green", "exit_blocked")


class View:
    """Turns snapshots of one node into observations. ``names`` tells what each number is."""

    def __init__(self, junction: Junction, node: Node) -> None:
        self.green_stages = green_stages(node)
        self.stages = tuple(node.stages[index].id for index in self.green_stages)
        groups: dict[str, list[str]] = {m.lane: [] for m in junction.movements if m.group in node.groups}
        exits: dict[str, list[str]] = {lane: [] for lane in groups}
        for m in junction.movements:
            if m.lane in groups:
                groups[m.lane].append(m.group)
                exits[m.lane].append(m.exit)
        self.lanes = tuple(lane.id for lane in junction.lanes if lane.id in groups)
        self._groups, self._exits = groups, exits
        stop = [d for d in junction.detectors if d.purpose is Purpose.STOP]
        self._stop_loops = {lane: [d.id for d in stop if lane in d.lanes] for lane in self.lanes}
        self.names = (
            *(f"stage:{stage}" for stage in self.stages),
            *OF_NODE,
            *(f"{what}:{lane}" for lane in self.lanes for what in OF_LANE),
        )

    def observe(self, seen: Snapshot) -> NDArray[np.float32]:
        """Return the observation, one number by name, each in 0 to 1."""
        signals, now_ms = seen.signals, seen.now_ms
        values = [float(index == signals.stage) for index in self.green_stages]
        values += [(now_ms - signals.settled_ms) / 1000 / GREEN_S, float(may_change(seen)), float(now_ms < signals.settled_ms)]
        for lane in self.lanes:
            values += self._lane(lane, seen.lanes[lane], seen)
        return np.clip(np.array(values, dtype=np.float32), 0.0, 1.0)

    def _lane(self, lane: str, belief: LaneBelief, seen: Snapshot) -> Sequence[float]:
        near_veh, far_veh = (
            sum(w for at_ms, w in zip(belief.arrival_ms, belief.weight, strict=True) if at_ms <= seen.now_ms + ahead_ms) for ahead_ms in (NEAR_MS, FAR_MS)
        )
        waits_s = max(0, seen.now_ms - belief.waiting_since_ms) / 1000
        occupied = any(seen.detectors[loop].occupied for loop in self._stop_loops[lane] if seen.detectors[loop].trusted)
        green = any(seen.signals.green_since_ms.get(group) is not None for group in self._groups[lane])
        blocked = sum(exit_lane in seen.blocked_exits for exit_lane in self._exits[lane]) / len(self._exits[lane])
        return (
            belief.queue_veh / QUEUE_VEH,
            near_veh / ARRIVALS_VEH,
            far_veh / (2 * ARRIVALS_VEH),
            waits_s / WAIT_S,
            belief.flow_veh_s / FLOW_VEH_S,
            float(occupied),
            float(green),
            blocked,
        )


def green_stages(node: Node) -> tuple[int, ...]:
    """Return the indices of the stages that an agent chooses among: those in which anybody has green."""
    return tuple(index for index, stage in enumerate(node.stages) if stage.green)


def may_change(seen: Snapshot) -> bool:
    """Return whether the sequencer would begin a transition to another stage now: none is running, and all minimum greens are over."""
    return seen.signals.settled_ms <= seen.now_ms and seen.signals.earliest_leave_ms <= seen.now_ms
