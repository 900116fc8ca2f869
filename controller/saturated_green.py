"""Far beyond capacity, a green that its queues use in full is not cut: what a switch loses is lost to all who wait.

Where more comes than can be served, no order of the queues makes them shorter; only fewer switches do (Vincent and Peirce, MOVA: Traffic
responsive, self-optimising signal control for isolated intersections, TRRL Research Report 170, 1988: the oversaturated mode). The search
looks ahead less far than such queues last, and follows chance differences between them. So the green goes on while most of the lanes that
would lose it run at saturation flow, as long as the other queues can have as much before their longest red.
"""

from __future__ import annotations

from typing import Final

from controller.capacity import LOST_MS, homes
from controller.node_model import NodeModel
from controller.snapshot import Snapshot

FAR_RATIO: Final = 1.75  # the degree of saturation from which this holds; below 1.6 the search does better without
LEAST_MS: Final = 20_000  # the longest green is no shorter than this, however many stages wait
MOST_MS: Final = 60_000  # and no longer: with two stages the switches then lose a thirteenth of the time, which longer reds would not be worth
_START_MS: Final = 1_000  # of each stage besides what the transitions lose: nobody leaves at once
_FLOWS_HEADWAYS: Final = 2.0  # a lane whose last vehicle left longer ago than this does not run at saturation flow
_FLOWING_RATIO: Final = 0.5  # of the lanes that would lose their green
_STANDS_VEH: Final = 0.5


class SaturatedGreen:
    """Says of one node's green whether it is used in full. ``max_red_ms``: by when a stop line that waits is served."""

    def __init__(self, model: NodeModel, max_red_ms: int) -> None:
        self._model, self._homes, self._max_red_ms = model, homes(model), max_red_ms

    def lasts(self, snapshot: Snapshot, target: int) -> bool:
        """Return whether the present stage's green is worth more than its end, if stage `target` were to come next."""
        now_ms, since_ms = snapshot.now_ms, snapshot.signals.green_since_ms
        losing, flowing, longest_ms = 0, 0, 0
        for i, lane in enumerate(self._model.lanes):
            later = {s.movement for s in self._model.service[target][i]}
            lost = [s.group for s in self._model.service[snapshot.signals.stage][i] if s.movement not in later]
            begun = [begun_ms for group in lost if (begun_ms := since_ms.get(group)) is not None]
            belief = snapshot.lanes[lane.id]
            if not begun or belief.blocked_ms > now_ms:
                continue
            losing += 1
            longest_ms = max(longest_ms, now_ms - min(begun))
            flowing += now_ms - max(belief.last_leave_ms, min(begun)) < _FLOWS_HEADWAYS * belief.headway_ms
        return flowing > 0 and flowing >= _FLOWING_RATIO * losing and longest_ms < self._limit_ms(snapshot)

    def _limit_ms(self, snapshot: Snapshot) -> int:
        """Return for how long each of the stages with a queue can be green before the next but one has waited for its longest red."""
        queued = {home for lane, home in zip(self._model.lanes, self._homes, strict=True) if snapshot.lanes[lane.id].queue_veh >= _STANDS_VEH}
        others = len(queued - {None, snapshot.signals.stage})
        if not others:
            return MOST_MS
        each_ms = (self._max_red_ms - (LOST_MS + _START_MS) * (others + 1)) // others
        return max(min(each_ms, MOST_MS), LEAST_MS)
