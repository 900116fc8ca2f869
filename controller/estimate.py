"""What is believed of each approach lane, from loops alone: vehicles and their arrivals, queue, headway, start-up, flow, blockage.

Deterministic: the same edges at the same ticks give the same belief, so a journal of edges rebuilds every snapshot.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from controller.detection import Edge
from controller.junction import Junction, Movement, Purpose
from controller.snapshot import DetectorState, LaneBelief
from controller.vehicles import LaneTrack, Vehicle, Vehicles, ghost_slack_ms, station_quiet

HEADWAY_MS: Final = 1_950  # first guess; learned per lane
STARTUP_MS: Final = 1_300  # first guess of the start-up loss
FLOW_MEMORY_S: Final = 300.0
LOCKED_AFTER_MS: Final = 8_000  # green, covered, and nobody leaves: the lane is blocked
EXIT_FULL_AFTER_MS: Final = 4_000  # an exit loop covered this long: standing traffic
_HEADWAY_RATE: Final = 0.06
_HEADWAY_RANGE_MS: Final = (1_200, 3_600)

GreenSince = Mapping[str, int | None]
"""Per group: since when it is green; None where it is not."""


class Estimator(Protocol):
    """Turns edges into beliefs. One for loops, one for the simulator's own view."""

    def update(self, now_ms: int, edges: Iterable[Edge], states: Mapping[str, DetectorState], green: GreenSince) -> None:
        """Take what happened up to ``now_ms``."""
        ...

    def beliefs(self, now_ms: int) -> dict[str, LaneBelief]:
        """Return the belief of every lane."""
        ...

    def blocked_exits(self) -> frozenset[str]:
        """Return the exits that take nobody."""
        ...


@dataclass(slots=True)
class _LaneState:
    track: LaneTrack
    movements: tuple[Movement, ...]
    stop_loops: tuple[str, ...]
    headway_ms: float = HEADWAY_MS
    startup_ms: float = STARTUP_MS
    flow_veh_s: float = 0.0
    last_leave_ms: int = -(1 << 40)
    last_waited: bool = False
    leavers: int = 0  # since the present green began
    green_ms: int | None = None
    blocked_ms: int = -(1 << 40)
    shares: list[float] = field(default_factory=list)


class LoopEstimator:
    """The product's estimator: loops only."""

    def __init__(self, junction: Junction, start_ms: int) -> None:
        self.vehicles = Vehicles(junction)
        self._junction = junction
        self._now_ms = start_ms
        self._on_loop: dict[str, Vehicle] = {}
        self._states: Mapping[str, DetectorState] = {}
        self._loops = {d.id: d for d in junction.detectors}
        self._exit_of = {d.id: d.lanes[0] for d in junction.detectors if d.purpose is Purpose.EXIT}
        self._lanes: dict[str, _LaneState] = {}
        for track in self.vehicles.tracks.values():
            movements = tuple(m for m in junction.movements if m.lane == track.lane.id)
            self._lanes[track.lane.id] = _LaneState(track, movements, track.stop_loops, shares=[m.share_ratio for m in movements])

    def update(self, now_ms: int, edges: Iterable[Edge], states: Mapping[str, DetectorState], green: GreenSince) -> None:
        """Take the edges since the last call, the loops' present states and the groups' greens."""
        self._states = states
        elapsed_s = (now_ms - self._now_ms) / 1000.0
        for lane in self._lanes.values():
            lane.flow_veh_s *= 1.0 - elapsed_s / FLOW_MEMORY_S
            self._follow_green(lane, green)
        for edge in edges:
            if edge.detector.purpose is not Purpose.EXIT:
                self._edge(edge)
        self._now_ms = now_ms
        self.vehicles.sort()
        self._purge(now_ms)
        for lane in self._lanes.values():
            self._judge_blockage(lane, now_ms)

    def beliefs(self, now_ms: int) -> dict[str, LaneBelief]:
        """Return the belief of every lane; arrivals in order from the stop line."""
        return {name: self._belief(name, lane, now_ms) for name, lane in self._lanes.items()}

    def blocked_exits(self) -> frozenset[str]:
        """Return the exits whose loop has been covered for some seconds."""
        return frozenset(
            lane
            for loop, lane in self._exit_of.items()
            if self._states[loop].trusted and self._states[loop].occupied and self._now_ms - self._states[loop].changed_ms >= EXIT_FULL_AFTER_MS
        )

    def _edge(self, edge: Edge) -> None:
        detector = edge.detector
        at_stop = detector.purpose is Purpose.STOP
        if edge.on:
            vehicle, new = self.vehicles.enter(detector, edge.at_ms)
            self._on_loop[detector.id] = vehicle
            if new:
                for lane, weight in vehicle.weights.items():
                    self._lanes[lane].flow_veh_s += weight / FLOW_MEMORY_S
            return
        seen = self._on_loop.pop(detector.id, None)
        if seen is None:
            return
        if not at_stop:
            self.vehicles.slow(seen, edge.occupied_ms, detector.length_m)
            return
        for lane in detector.lanes:
            self._leave(self._lanes[lane], seen, edge)
        self.vehicles.remove(seen)

    def _leave(self, lane: _LaneState, vehicle: Vehicle, edge: Edge) -> None:
        """Learn headway and start-up from a vehicle that leaves over the stop line."""
        on_ms = edge.at_ms - edge.occupied_ms
        waited = vehicle.free_ms < on_ms - 1500 or edge.occupied_ms > 3000
        if lane.green_ms is not None and edge.at_ms >= lane.green_ms:
            gap_ms = edge.at_ms - lane.last_leave_ms
            if lane.leavers >= 2 and waited and lane.last_waited and _HEADWAY_RANGE_MS[0] <= gap_ms <= _HEADWAY_RANGE_MS[1]:
                lane.headway_ms += _HEADWAY_RATE * (gap_ms - lane.headway_ms)
            lane.leavers += 1
        lane.last_leave_ms, lane.last_waited = edge.at_ms, waited

    def _follow_green(self, lane: _LaneState, green: GreenSince) -> None:
        began = [g for m in lane.movements if (g := green.get(m.group)) is not None]
        since_ms = min(began) if began else None
        if since_ms != lane.green_ms:
            lane.green_ms, lane.leavers = since_ms, 0

    def _purge(self, now_ms: int) -> None:
        """Take vehicles from lanes whose loops prove that they are not there."""
        changed = {i: (s.occupied, s.changed_ms) for i, s in self._states.items()}
        for name, lane in self._lanes.items():
            track = lane.track
            for vehicle in tuple(track.vehicles):
                station = self.vehicles.next_station(vehicle, name)
                if station is None:
                    continue
                way_m = vehicle.distance_m - station.distance_m
                due_ms = vehicle.arrival_ms - track.travel_ms(station.distance_m) + ghost_slack_ms(track, way_m)
                if now_ms > due_ms and station_quiet(track, station, changed, now_ms):
                    self.vehicles.doubt(vehicle, name)

    def _judge_blockage(self, lane: _LaneState, now_ms: int) -> None:
        if lane.green_ms is None or now_ms - lane.green_ms < LOCKED_AFTER_MS:
            return
        for loop in lane.stop_loops:
            state = self._states[loop]
            if state.trusted and state.occupied and now_ms - max(state.changed_ms, lane.green_ms) >= LOCKED_AFTER_MS:
                lane.blocked_ms = now_ms + LOCKED_AFTER_MS // 2

    def _belief(self, name: str, lane: _LaneState, now_ms: int) -> LaneBelief:
        vehicles = lane.track.vehicles
        arrival, weight = [v.arrival_ms for v in vehicles], [v.weights[name] for v in vehicles]
        if lane.stop_loops and not any(self._states[x].trusted for x in lane.stop_loops):
            # A lane without a trusted stop loop is recalled: one vehicle is always taken to wait.
            arrival.insert(0, now_ms - 20_000)
            weight.insert(0, 1.0)
        return LaneBelief(
            arrival_ms=tuple(arrival),
            weight=tuple(weight),
            queue_veh=sum(w for a, w in zip(arrival, weight, strict=True) if a <= now_ms),
            movement_ratio=tuple(lane.shares),
            headway_ms=int(lane.headway_ms),
            startup_ms=int(lane.startup_ms),
            flow_veh_s=max(lane.flow_veh_s, 0.0),
            blocked_ms=lane.blocked_ms,
            last_leave_ms=lane.last_leave_ms,
            known_ms=lane.track.travel_ms(lane.track.reach_m),
        )
