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

    def milli(self, beliefs: Mapping[str, LaneBelief]) -> int:
        """Return the price in milli-vehicles: 0 while the queues go by the horizon, the highest where more comes than can be served, queue or not."""
        work_ms, used, flow_veh_s = [0.0] * self._stages, [0.0] * self._stages, 0.0
        for lane, home in self._lanes:
            belief = beliefs[lane]
            work_ms[home] = max(work_ms[home], belief.queue_veh * belief.headway_ms)
            used[home] = max(used[home], belief.flow_veh_s * belief.headway_ms / 1000)
            flow_veh_s += belief.flow_veh_s
        needed_ms = sum(work_ms)
        left = 1.0 - sum(used) - sum([LOST_MS for ms in work_ms if ms > 0.0]) / CYCLE_MS
        lasts_ms = needed_ms / left if left * LONGEST_MS > needed_ms else LONGEST_MS
        return int(max(lasts_ms - self._horizon_ms, 0.0) * flow_veh_s)
