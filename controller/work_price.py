"""What a second of green is worth while queues last: all who come until they have gone wait longer by each one that is lost.

How long the queues last is what they need of green, over what is left of each second beside the green for those who come and the changes: the
fluid model of a busy period (G. F. Newell, Applications of Queueing Theory, 2nd edition 1982, chapter 2). The part of it that lies beyond the
horizon the search cannot see, and takes it for nothing: it would change as if changes cost only those who stand there now. With this price a
green is worth what it takes away from the longest queue of its stage, and not how many lanes flow in it: that is how a junction carries most.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from controller.capacity import CYCLE_MS, LOST_MS, homes
from controller.node_model import NodeModel
from controller.snapshot import LaneBelief

CHANGE_MS: Final = 1_000  # a change loses so much more than its starts and ends say: measured, as is the next one (docs/decisions/0062-price-of-green.md)
LONGEST_MS: Final = 300_000  # of a busy period


class WorkPrice:
    """Tells of one node how many vehicles wait longer by each second of green that queues still need at the horizon."""

    def __init__(self, model: NodeModel, horizon_ms: int) -> None:
        self._lanes = [(x.id, home) for x, home in zip(model.lanes, homes(model), strict=True) if home is not None]
        self._stages, self._horizon_ms = len(model.green), horizon_ms

    def lasts_ms(self, beliefs: Mapping[str, LaneBelief]) -> float:
        """Return how long the queues last, at most LONGEST_MS, which it is where more comes than can be served, queue or not."""
        work_ms, used = [0.0] * self._stages, [0.0] * self._stages
        for lane, home in self._lanes:
            belief = beliefs[lane]
            work_ms[home] = max(work_ms[home], belief.queue_veh * belief.headway_ms)
            used[home] = max(used[home], belief.flow_veh_s * belief.headway_ms / 1000)
        needed_ms = sum(work_ms)
        left = 1.0 - sum(used) - sum([LOST_MS for ms in work_ms if ms > 0.0]) / CYCLE_MS
        return needed_ms / left if left * LONGEST_MS > needed_ms else LONGEST_MS

    def milli(self, beliefs: Mapping[str, LaneBelief], lasts_ms: float) -> int:
        """Return the price in milli-vehicles, for queues that last so long: 0 while they go by the horizon."""
        flow_veh_s = sum([beliefs[lane].flow_veh_s for lane, _ in self._lanes])
        return int(max(lasts_ms - self._horizon_ms, 0.0) * flow_veh_s)
