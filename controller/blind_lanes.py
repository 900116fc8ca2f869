"""Lanes whose stop loop is not trusted: who comes to them and who leaves is assumed, and never that nobody is there.

Who is seen by a loop farther out is believed as ever. Where the lane has no trusted loop at all, vehicles are assumed at the flow that stands
in for its loops. They leave under green one after the other, at the lane's headway. And who was not served for a minute is recalled: one
vehicle is taken to wait, so that every movement gets its green within `RECALL_MS` and the longest wait of the planner.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from controller.lane_model import NEVER_MS, LaneModel
from controller.snapshot import DetectorState
from controller.vehicles import LaneTrack, Vehicle, Vehicles

RECALL_MS: Final = 60_000
_YIELDS: Final = 2.5  # headways while others have the right of way, HCM 2010 ch. 31: a saturation flow of 0.1 to 0.7
_SLOWER: Final = 1.25  # headways: who is wrongly taken to have left waits unseen for a whole cycle, who is wrongly taken to be there costs a second
_SURPLUS: Final = 1.5  # more are assumed than stand in: whom chance brings beyond the mean would wait for ever, for no loop tells of them
_MOST_VEH: Final = 20  # assumed at most: a queue that nobody sees is not believed to be longer


class BlindLane:
    """One lane, from the loss of its last stop loop until one is back. ``loops``: all of its loops but exits, the stop loops first."""

    def __init__(self, vehicles: Vehicles, track: LaneTrack, model: LaneModel, loops: tuple[str, ...]) -> None:
        self._vehicles, self._track, self._model, self._loops = vehicles, track, model, loops
        self._lane = track.lane.id
        self.active = False
        self.flow_veh_s: float | None = None  # what is assumed, where no loop of the lane is trusted
        self._owed_veh = 0.0
        self._served_ms = -NEVER_MS
        self._next_ms = -NEVER_MS  # when the next one may leave
        self._assumed: list[Vehicle] = []

    def update(self, states: Mapping[str, DetectorState], before_ms: int, now_ms: int) -> None:
        """Let time pass from ``before_ms`` on: some come, some leave."""
        if not self.active:
            self._begin(now_ms)
        seen = any(states[x].trusted for x in self._loops)
        self.flow_veh_s = None if seen else states[self._loops[0]].instead_veh_s
        if self.flow_veh_s is not None:
            self._owed_veh += _SURPLUS * self.flow_veh_s * (now_ms - before_ms) / 1000.0
        if self._model.is_open:
            self._served_ms = now_ms
            self._leave(now_ms)
            # Whoever must yield may stand at the line or wait inside for a gap: they are let out before others turn green.
            self._model.head_yields = self._model.must_yield and any(v.arrival_ms <= now_ms for v in self._track.vehicles)
        elif now_ms - self._served_ms >= RECALL_MS and not self._track.vehicles:
            self._owed_veh = max(self._owed_veh, 1.0)
        while self._owed_veh >= 1.0:
            self._owed_veh -= 1.0
            self._assume(now_ms)

    def end(self) -> None:
        """Forget who was only assumed: a stop loop is trusted again."""
        self.active, self.flow_veh_s, self._owed_veh = False, None, 0.0
        self._vehicles.see_again(self._lane)
        for vehicle in self._assumed:
            self._vehicles.remove(vehicle)
        self._assumed.clear()

    def _begin(self, now_ms: int) -> None:
        self.active = True
        self._vehicles.lose_sight(self._lane)
        self._next_ms = now_ms
        self._model.forget_head()

    def _assume(self, now_ms: int) -> None:
        self._assumed = [v for v in self._assumed if v.weights]
        if len(self._assumed) < _MOST_VEH:
            self._assumed.append(self._vehicles.assume(self._loops[0], self._lane, now_ms))

    def _leave(self, now_ms: int) -> None:
        """Let those leave who must have, were there a queue."""
        model = self._model
        self._next_ms = max(self._next_ms, model.since_green_ms + int(model.startup_ms))
        while self._track.vehicles:
            first = min(self._track.vehicles, key=lambda v: (v.distance_m, v.passed_ms))
            at_ms = max(self._next_ms, first.arrival_ms)
            if at_ms > now_ms:
                return
            weight = first.weights[self._lane]
            self._vehicles.leave(first, self._lane)
            model.assume_left(at_ms, weight)
            self._next_ms = at_ms + int(model.headway_ms * weight * (_YIELDS if model.must_yield else _SLOWER))
