"""What is believed of each approach lane, from loops alone: vehicles and their arrivals, queue, headway, start-up, flow, blockage.

Deterministic: the same edges at the same ticks give the same belief, so a journal of edges rebuilds every snapshot.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, runtime_checkable

from controller.blind_lanes import BlindLane
from controller.detection import Edge
from controller.junction import Junction, Purpose
from controller.lane_model import NEVER_MS, LaneModel
from controller.snapshot import DetectorState, LaneBelief
from controller.standing import fill_queue
from controller.vehicles import LEAST_SLACK_MS, LaneTrack, Vehicle, Vehicles, ghost_slack_ms, station_quiet

FLOW_MEMORY_S: Final = 300.0
GAP_MS: Final = 4_000  # who comes within this time keeps a permitted turn waiting
EXIT_FULL_AFTER_MS: Final = 4_000  # an exit loop covered this long: standing traffic
NEAR_M: Final = 20.0  # behind a loop so near there is room for one vehicle more: none must follow the one that may stand there
NEAR_FULL_AFTER_MS: Final = 500  # at 14 m/s a vehicle covers a loop of 2 m for so long: who is slower may yet stand

MOST_FLOW_VEH_S: Final = 1.0  # of a lane; more was never learned
HIDDEN_MS: Final = 60_000  # who has come longer ago has gone another way, or the street behind is full

GreenSince = Mapping[str, int | None]
"""Per group: since when it is green; None where it is not."""


class Estimator(Protocol):
    """Turns edges into beliefs. One for loops, one for the simulator's own view."""

    def update(self, now_ms: int, edges: Iterable[Edge], states: Mapping[str, DetectorState], green: GreenSince) -> None:
        """Take what happened up to ``now_ms``; nobody changes ``states`` afterwards."""
        ...

    def beliefs(self, now_ms: int) -> dict[str, LaneBelief]:
        """Return the belief of every lane."""
        ...

    def blocked_exits(self) -> frozenset[str]:
        """Return the exits that take nobody."""
        ...


@runtime_checkable
class Learner(Protocol):
    """An estimator whose learned state outlives a restart."""

    def learned(self) -> dict[str, object]:
        """Return by lane what was learned, as JSON data."""
        ...

    def recall(self, learned: Mapping[str, Any], *, fresh: bool) -> None:
        """Go on from what `learned` returned; ``fresh``: so short a time ago that flows still hold. Raises `ValueError` where it is of other lanes."""
        ...


@dataclass(slots=True)
class _LaneState:
    track: LaneTrack
    model: LaneModel
    stop_loops: tuple[str, ...]
    blind: BlindLane
    flow_veh_s: float = 0.0

    def comes_by(self, at_ms: int) -> bool:
        """Return whether a vehicle is likely to reach the stop line until then."""
        lane = self.track.lane.id
        return bool([v for v in self.track.vehicles if v.arrival_ms <= at_ms and v.weights[lane] >= 0.5])


class LoopEstimator:
    """The product's estimator: loops only."""

    def __init__(self, junction: Junction, start_ms: int) -> None:
        self.vehicles = Vehicles(junction)
        self._junction = junction
        self._now_ms = start_ms
        self._on_loop: dict[str, Vehicle] = {}
        self._states: Mapping[str, DetectorState] = {}
        self._untrusted: frozenset[str] = frozenset()
        self._loops = {d.id: d for d in junction.detectors}
        exits = [d for d in junction.detectors if d.purpose is Purpose.EXIT]
        self._exits = {d.id: (d.lanes, NEAR_FULL_AFTER_MS if d.distance_m <= NEAR_M else EXIT_FULL_AFTER_MS) for d in exits}
        self._full: frozenset[str] = frozenset()
        self._lanes: dict[str, _LaneState] = {}
        for track in self.vehicles.tracks.values():
            movements = tuple(m for m in junction.movements if m.lane == track.lane.id)
            ways = tuple(junction.gives_way_to(m) for m in movements)
            model = LaneModel(movements, ways)
            self._lanes[track.lane.id] = _LaneState(track, model, track.stop_loops, BlindLane(self.vehicles, track, model, track.loops))
        self._far_loops = {x: _farthest(junction, x) for x in self._lanes}
        self._entries = tuple(d.id for d in junction.detectors if d.purpose is Purpose.ENTRY)
        self._stop_loops = frozenset(loop for lane in self._lanes.values() for loop in lane.stop_loops)
        first = {way for x in self._lanes.values() for ways in x.model.gives_way_to for way in ways}  # ways that somebody must let pass
        self._first = [(x, name, groups) for name, x in self._lanes.items() if (groups := sorted({group for lane, group in first if lane == name}))]
        self._green: GreenSince = {}

    def update(self, now_ms: int, edges: Iterable[Edge], states: Mapping[str, DetectorState], green: GreenSince) -> None:
        """Take the edges since the last call, the loops' present states and the groups' greens."""
        if states is not self._states:
            untrusted = frozenset([name for name, state in states.items() if not state.trusted])
            if untrusted != self._untrusted:
                self.vehicles.distrust(untrusted)
            self._states, self._untrusted = states, untrusted
        before, self._full = self._full, self._full_exits(now_ms)
        elapsed_s = (now_ms - self._now_ms) / 1000.0
        coming = [(name, groups) for lane, name, groups in self._first if lane.comes_by(now_ms + GAP_MS)]
        busy = frozenset([(name, group) for name, groups in coming for group in groups if green.get(group) is not None])
        changed, self._green = green != self._green or before != self._full, green
        for lane in self._lanes.values():
            lane.flow_veh_s *= 1.0 - elapsed_s / FLOW_MEMORY_S
            if changed or lane.model.may_yield:
                lane.model.follow(green, busy, now_ms, self._full, before_ms=self._now_ms)
        mine = [edge for edge in edges if edge.detector.purpose is not Purpose.EXIT]
        for edge in mine:
            self._edge(edge)
        before_ms, self._now_ms = self._now_ms, now_ms
        self._clear_left_loops()
        if mine:
            self.vehicles.sort()
        self._purge(now_ms)
        self._watch_blind(before_ms, now_ms)
        for lane in self._lanes.values():
            self._watch_stop_line(lane, now_ms)
            fill_queue(self.vehicles, lane.track, self._states, lane.model.last_leave_ms, now_ms)

    def beliefs(self, now_ms: int) -> dict[str, LaneBelief]:
        """Return the belief of every lane; arrivals in order from the stop line."""
        covered = frozenset([x for x in self._entries if self._stands(x, EXIT_FULL_AFTER_MS, now_ms)])
        return {name: self._belief(name, lane, covered, now_ms) for name, lane in self._lanes.items()}

    def blocked_exits(self) -> frozenset[str]:
        """Return the exits whose loop has been covered for some seconds."""
        return self._full

    def learned(self) -> dict[str, object]:
        """Return by lane what was learned and outlives a restart, as JSON data."""
        return {name: lane.model.learned() | {"flow_veh_s": lane.flow_veh_s} for name, lane in self._lanes.items()}

    def recall(self, learned: Mapping[str, Any], *, fresh: bool) -> None:
        """Go on from what `learned` returned; ``fresh``: so short a time ago that flows still hold. Raises `ValueError` where it is of other lanes."""
        if learned.keys() != self._lanes.keys():
            raise ValueError(f"expected lanes {sorted(self._lanes)}, found {sorted(learned)}")
        for name, lane in self._lanes.items():
            lane.model.recall(learned[name])
            flow_veh_s = float(learned[name]["flow_veh_s"])
            if fresh and 0.0 <= flow_veh_s <= MOST_FLOW_VEH_S:
                lane.flow_veh_s = flow_veh_s

    def _full_exits(self, now_ms: int) -> frozenset[str]:
        return frozenset(lane for loop, (lanes, after_ms) in self._exits.items() if self._stands(loop, after_ms, now_ms) for lane in lanes)

    def _stands(self, loop: str, after_ms: int, now_ms: int) -> bool:
        """Return whether traffic stands on the loop: it has been covered for so long."""
        state = self._states[loop]
        return state.trusted and state.occupied and now_ms - state.changed_ms >= after_ms

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
        waited = seen.free_ms < edge.at_ms - edge.occupied_ms - 1500 or edge.occupied_ms > 3000
        for lane in detector.lanes:
            self._lanes[lane].model.leave(edge.at_ms, waited=waited)
        self.vehicles.remove(seen)

    def _clear_left_loops(self) -> None:
        """Let go of vehicles whose loop is free again, though the edge of their leaving was lost while it had no trust."""
        for loop, vehicle in tuple(self._on_loop.items()):
            if self._states[loop].trusted and not self._states[loop].occupied:
                del self._on_loop[loop]
                if loop in self._stop_loops:
                    self.vehicles.remove(vehicle)

    def _watch_blind(self, before_ms: int, now_ms: int) -> None:
        """Assume who comes and who leaves where no stop loop is trusted."""
        for lane in self._lanes.values():
            if self._untrusted and lane.stop_loops and self._untrusted.issuperset(lane.stop_loops):
                lane.blind.update(self._states, before_ms, now_ms)
            elif lane.blind.active:
                lane.blind.end()

    def _purge(self, now_ms: int) -> None:
        """Take vehicles from lanes whose loops prove that they are not there."""
        changed: dict[str, tuple[bool, int]] = {}
        for name, lane in self._lanes.items():
            track = lane.track
            for vehicle in tuple(track.vehicles):
                station = self.vehicles.next_station(vehicle, name)
                while station is not None and self._untrusted and self._untrusted.issuperset(station.loops):
                    station = track.next_station(station.loops[0], "")  # a station without trust proves nothing, the one behind it may
                if station is None:
                    continue
                late_ms = now_ms - vehicle.arrival_ms + track.travel_ms(station.distance_m)
                if late_ms <= LEAST_SLACK_MS or late_ms <= ghost_slack_ms(track, vehicle.distance_m - station.distance_m):
                    continue
                if not changed:  # a loop without trust proves nothing
                    changed = {i: (s.occupied or not s.trusted, s.changed_ms) for i, s in self._states.items()}
                if station_quiet(track, station, changed, now_ms):
                    busy = self._busy_beside(vehicle, name, changed, now_ms)
                    if busy:
                        self.vehicles.shift(vehicle, name, busy)
                    else:
                        self.vehicles.doubt(vehicle, name)

    def _busy_beside(self, vehicle: Vehicle, name: str, changed: Mapping[str, tuple[bool, int]], now_ms: int) -> list[str]:
        """Return the lanes in which somebody is seen, of those that the vehicle's file leads to besides this one; none where it does not lead to this one."""
        lanes = self.vehicles.fed(vehicle.loop)
        if name not in lanes:
            return []
        stations = [(x, self.vehicles.next_station(vehicle, x)) for x in lanes if x != name]
        return [x for x, s in stations if s is not None and not station_quiet(self.vehicles.tracks[x], s, changed, now_ms)]

    def _watch_stop_line(self, lane: _LaneState, now_ms: int) -> None:
        for loop in lane.stop_loops:
            state = self._states[loop]
            if state.trusted and state.occupied:
                lane.model.wait(state.changed_ms, now_ms)

    def _belief(self, name: str, lane: _LaneState, covered: frozenset[str], now_ms: int) -> LaneBelief:
        """Return what is believed of one lane; ``covered``: the farthest loops under a queue."""
        track, model = lane.track, lane.model
        arrival, weight = [v.arrival_ms for v in track.vehicles], [v.weights[name] for v in track.vehicles]
        since_ms = min(track.vehicles[0].free_ms, track.vehicles[0].arrival_ms) if track.vehicles else NEVER_MS
        queue_veh = sum([w for a, w in zip(arrival, weight, strict=True) if a <= now_ms])
        flow_veh_s = max(lane.flow_veh_s, 0.0) if lane.blind.flow_veh_s is None else lane.blind.flow_veh_s
        inside_veh = model.inside_veh if model.must_yield else 0.0
        known_ms = track.travel_ms(self._reach_m(track))
        hidden_veh = self._hidden_veh(lane, now_ms) if track.reach_m <= NEAR_M else 0.0
        full = not covered.isdisjoint(self._far_loops[name])
        return LaneBelief(
            arrival_ms=tuple(arrival),
            weight=tuple(weight),
            queue_veh=queue_veh,
            movement_ratio=model.shares,
            head_ratio=model.head_ratio(),
            headway_ms=int(model.headway_ms),
            startup_ms=int(model.startup_ms),
            flow_veh_s=flow_veh_s,
            blocked_ms=model.blocked_ms,
            amber_use_ms=int(model.amber_use_ms),
            last_leave_ms=model.last_leave_ms,
            known_ms=known_ms,
            head_yields=model.head_yields,
            stuck_ms=model.stuck_ms,
            inside_veh=inside_veh,
            waiting_since_ms=since_ms,
            hidden_veh=hidden_veh,
            full=full,
        )

    def _reach_m(self, track: LaneTrack) -> float:
        """Return how far out a trusted loop sees who comes."""
        if not self._untrusted or self._untrusted.isdisjoint(track.loops):
            return track.reach_m
        return max([self._loops[x].distance_m for x in track.loops if x not in self._untrusted], default=0.0)

    def _hidden_veh(self, lane: _LaneState, now_ms: int) -> float:
        """Return how many have come, in the mean, since the loop of a short lane was covered; they stand where nobody sees them."""
        states = [self._states[x] for x in lane.stop_loops]
        covered_ms = max((now_ms - s.changed_ms for s in states if s.trusted and s.occupied), default=0)
        return max(lane.flow_veh_s, 0.0) * min(covered_ms, HIDDEN_MS) / 1000.0


def _farthest(junction: Junction, lane: str) -> tuple[str, ...]:
    """Return the loops at which the lane's vehicles come into view; not where that is only the stop line, which is covered at every red."""
    return tuple(d.id for d in junction.detectors if lane in d.lanes and d.purpose is Purpose.ENTRY)
