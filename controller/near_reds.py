"""Stages that would send vehicles to a red some metres behind the junction, where they would stand inside it.

A link between two lights that takes two cars is full before anybody has seen that it fills: a message, a decision and an amber later
the third car stands in the junction, and where both lights do that to each other none of them moves again. So while the neighbour
tells that such a link has red, no stage that feeds it is chosen, and the present one is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from controller.estimate import NEAR_M
from controller.junction import Purpose
from controller.node_model import NodeModel
from controller.snapshot import LaneBelief, Snapshot
from controller.spillback import LIKELY_RATIO

SOON_MS: Final = 10_000  # who comes within this time is sent there


class NearReds:
    """The stages of one node that feed links which end at a red of a neighbour near by."""

    def __init__(self, model: NodeModel) -> None:
        self._model = model
        farthest_m = [max((d.distance_m for d in model.detectors(lane.id, *Purpose)), default=None) for lane in model.lanes]
        self._links = [i for i, m in enumerate(farthest_m) if m is not None and m <= NEAR_M]

    def feeding(self, beliefs: Sequence[LaneBelief], snapshot: Snapshot) -> frozenset[int]:
        """Return the stages under which most of a lane, on which somebody is or soon will be, goes to a red near by; beliefs in the lanes' order.

        Not those that alone serve a link from such a neighbour: their green opens its exit, and without it both would wait for each other.
        """
        shut = snapshot.shut_exits & self._model.exits
        if not shut:
            return frozenset()
        soon_ms, service = snapshot.now_ms + SOON_MS, self._model.service
        busy = [i for i, b in enumerate(beliefs) if b.arrival_ms and b.arrival_ms[0] <= soon_ms]
        feeding = [s for s, row in enumerate(service) if any(self._ratio(s, i, beliefs[i], shut) >= LIKELY_RATIO for i in busy if row[i])]
        others = [row for s, row in enumerate(service) if s not in feeding and not self._model.node.stages[s].free]
        return frozenset(s for s in feeding if all(any(row[i] for row in others) for i in self._links if service[s][i]))

    def _ratio(self, stage: int, lane: int, belief: LaneBelief, shut: frozenset[str]) -> float:
        moves = self._model.movements[lane]
        return sum(belief.movement_ratio[x.movement] for x in self._model.service[stage][lane] if moves[x.movement].exit in shut)
