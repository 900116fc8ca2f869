"""The virtual junction: vehicles that come, queue, discharge and drive over loops, in SimPy; the lamps are set from outside.

Theory of operation. Vehicles follow Newell's simplified car following (Transportation Research B 36, 2002): in places one jam spacing
apart, a vehicle leaves a place when it has driven there at free speed and the one ahead left the next place one reaction time ago. The
last place is the stop line, where it waits for its lamp and, on permitted ways, for a gap. Between places it drives at free speed, so that
each loop edge is known to the millisecond before it happens. Real time or a day in minutes is only a question of who calls `advance`.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import simpy

from hardware.ports import InputEvent
from hardware.signals import Aspect
from hardware.virtual.arrivals import gap_ms
from hardware.virtual.loops import LoopBank
from hardware.virtual.street import Approach, Street, Way

SPACING_M: Final = 7.5  # per standing car: 5 m and a gap of 2.5 m, as SUMO's default vehicle
VEHICLE_M: Final = 4.6
HEADWAY_MS: Final = 1_900.0  # 1 895 veh/h; the base saturation flow of HCM 2010 is 1 900 per lane
STARTUP_MS: Final = 1_100.0  # lost by the first vehicle (HCM 2010: about 2 s over the first four)
AMBER_GO_MS: Final = 1_600.0  # who reaches the stop line so soon after the end of green drives on
GAP_MS: Final = 4_500.0  # critical gap of a permitted left turn (HCM 2010)
LOOK_MS: Final = 500.0  # how often one who waits for a gap looks again
CROSSING_M_S: Final = 8.0

Process = Generator[simpy.Event, Any, None]


class _Lamp:
    """One group's lamp, for those who wait at it."""

    __slots__ = ("aspect", "changed", "since_ms")

    def __init__(self, env: simpy.Environment) -> None:
        self.aspect, self.since_ms, self.changed = Aspect.RED, 0.0, env.event()


class _Vehicle:
    """A vehicle; ``left_ms[i]``: when it left place ``i``, infinite while it has not."""

    __slots__ = ("came_ms", "leader", "left_ms", "waiter", "way")

    def __init__(self, way: Way, leader: _Vehicle | None, places: int, now_ms: float) -> None:
        self.way, self.leader, self.came_ms = way, leader, now_ms
        self.left_ms = [math.inf] * places
        self.waiter: simpy.Event | None = None


class _Crossing(NamedTuple):
    """A loop edge that a vehicle makes on leaving a place: how long after, at which loop, and onto it (+1) or off it (-1)."""

    after_ms: float
    loop: str
    change: int


class VirtualJunction:
    """The street of one junction. `advance` lets time pass, `light` sets the lamps, `poll` returns what the loops saw."""

    def __init__(self, street: Street, *, start_ms: int = 0) -> None:
        self.street = street
        self._env = simpy.Environment(initial_time=float(start_ms))
        self._start_ms = start_ms
        self._random = random.Random(street.seed)
        self._lamps: dict[str, _Lamp] = {way.group: _Lamp(self._env) for a in street.approaches for way in a.ways}
        self.loops = LoopBank(tuple(loop.id for loop in street.loops))
        self._edges: list[tuple[float, int, str, int]] = []
        self._count = 0
        self._lanes = {a.id: _Lane(a, street) for a in street.approaches}
        self.entered = self.passed = 0
        self.delay_sum_ms = 0.0
        for lane in self._lanes.values():
            self._env.process(self._arrivals(lane))

    def light(self, aspects: Mapping[str, Aspect]) -> None:
        """Set lamps, from the present moment on; groups without vehicles are ignored."""
        for group, aspect in aspects.items():
            lamp = self._lamps.get(group)
            if lamp is not None and lamp.aspect is not aspect:
                lamp.aspect, lamp.since_ms = aspect, self._env.now
                lamp.changed.succeed()
                lamp.changed = self._env.event()

    def advance(self, now_ms: int) -> None:
        """Let time pass until ``now_ms``; what is due at that very moment comes with the next call. Earlier times are ignored."""
        if now_ms > self._env.now:
            self._env.run(until=now_ms)
            self._drive_over_loops(now_ms)

    def poll(self, now_ms: int) -> Sequence[InputEvent]:
        """Return the loop edges up to ``now_ms`` not yet returned, each at its own time (an `InputPort`)."""
        self.advance(now_ms)
        return self.loops.take()

    def inside(self) -> Mapping[str, int]:
        """Return per lane how many vehicles are between its entry and its stop line."""
        return {lane.approach.id: lane.inside for lane in self._lanes.values()}

    def mean_delay_s(self) -> float:
        """Return the mean delay in s of those who passed their stop line; 0 where there are none."""
        return self.delay_sum_ms / self.passed / 1000.0 if self.passed else 0.0

    def _drive_over_loops(self, until_ms: float) -> None:
        while self._edges and self._edges[0][0] <= until_ms:
            at_ms, _, loop, change = heapq.heappop(self._edges)
            self.loops.drive(loop, change, round(at_ms))
        self.loops.chatter(round(until_ms))

    def _arrivals(self, lane: _Lane) -> Process:
        while True:
            yield self._env.timeout(gap_ms(lane.approach, self.street, self._env.now - self._start_ms, self._random))
            way = self._random.choices(lane.approach.ways, [w.share_ratio for w in lane.approach.ways])[0]
            vehicle = _Vehicle(way, lane.last, lane.places, self._env.now)
            lane.last = vehicle
            self.entered += 1
            lane.inside += 1
            self._env.process(self._drive(lane, vehicle))

    def _drive(self, lane: _Lane, vehicle: _Vehicle) -> Process:
        for place in range(lane.places - 1, -1, -1):
            if place < lane.places - 1:
                yield self._env.timeout(lane.step_ms)
            if vehicle.leader is not None:
                yield from self._follow(lane, vehicle.leader, place)
            if place == 0:
                yield from self._wait_at_the_line(vehicle)
            self._leave(vehicle, place, lane.crossings[place])
        vehicle.leader = None  # or the whole day's vehicles would hang on the last
        lane.inside -= 1
        self.passed += 1
        self.delay_sum_ms += max(0.0, self._env.now - vehicle.came_ms - (lane.places - 1) * lane.step_ms)
        self._drive_out(lane, vehicle.way)

    def _follow(self, lane: _Lane, leader: _Vehicle, place: int) -> Process:
        """Wait until the one ahead has left the next place for a reaction time; at the stop line, until it has left that for a headway."""
        ahead, lag_ms = (place - 1, lane.lag_ms) if place else (0, HEADWAY_MS)
        while math.isinf(leader.left_ms[ahead]):
            leader.waiter = self._env.event()
            yield leader.waiter
        rest_ms = leader.left_ms[ahead] + lag_ms - self._env.now
        if rest_ms > 0:
            yield self._env.timeout(rest_ms)

    def _wait_at_the_line(self, vehicle: _Vehicle) -> Process:
        lamp, stood = self._lamps[vehicle.way.group], False
        while True:
            age_ms = self._env.now - lamp.since_ms
            if lamp.aspect in (Aspect.DARK, Aspect.FLASHING_AMBER) or (lamp.aspect is Aspect.AMBER and age_ms <= AMBER_GO_MS and not stood):
                return
            if lamp.aspect is Aspect.GREEN:
                if stood and age_ms < STARTUP_MS:
                    yield self._env.timeout(STARTUP_MS - age_ms)
                elif self._gap(vehicle.way):
                    return
                else:
                    yield self._env.timeout(LOOK_MS)  # who still waits when the green ends clears the junction then
                continue
            stood = True
            yield lamp.changed

    def _gap(self, way: Way) -> bool:
        """Tell whether nobody with priority and a green of their own is within the critical gap of their stop line."""
        for other in way.yields_to:
            lane = self._lanes[other]
            if not any(self._lamps[w.group].aspect is Aspect.GREEN for w in lane.approach.ways):
                continue
            vehicle, near = lane.last, min(lane.places - 1, math.ceil(GAP_MS / lane.step_ms))
            while vehicle is not None:
                if math.isinf(vehicle.left_ms[0]) and not math.isinf(vehicle.left_ms[near]):
                    return False
                vehicle = vehicle.leader
        return True

    def _leave(self, vehicle: _Vehicle, place: int, crossings: Iterable[_Crossing]) -> None:
        vehicle.left_ms[place] = self._env.now
        if vehicle.waiter is not None:
            vehicle.waiter.succeed()
            vehicle.waiter = None
        self._edge(crossings)

    def _drive_out(self, lane: _Lane, way: Way) -> None:
        self._edge(lane.out.get((way.exit, way.crossing_m), ()))

    def _edge(self, crossings: Iterable[_Crossing]) -> None:
        for after_ms, loop, change in crossings:
            self._count += 1
            heapq.heappush(self._edges, (self._env.now + after_ms, self._count, loop, change))


class _Lane:
    """One approach, worked out: places, times, and the loop edges made on leaving each place."""

    def __init__(self, approach: Approach, street: Street) -> None:
        self.approach = approach
        self.places = math.ceil(approach.length_m / SPACING_M) + 1
        self.step_ms = 1000.0 * SPACING_M / approach.speed_m_s
        self.lag_ms = max(HEADWAY_MS - self.step_ms, 0.0)
        self.last: _Vehicle | None = None
        self.inside = 0
        self.crossings = [self._crossings(place, street) for place in range(self.places)]
        self.out = {(w.exit, w.crossing_m): _exit_crossings(w, street) for w in approach.ways}

    def _crossings(self, place: int, street: Street) -> tuple[_Crossing, ...]:
        begin_m = place * SPACING_M
        found = []
        for loop in street.loops:
            if self.approach.id not in loop.lanes:
                continue
            for at_m, change in ((loop.distance_m + loop.length_m, 1), (loop.distance_m - VEHICLE_M, -1)):
                here = begin_m - SPACING_M < at_m <= begin_m if place else at_m <= 0.0
                if here or (place == self.places - 1 and at_m > begin_m):
                    found.append(_Crossing(max(0.0, 1000.0 * (begin_m - at_m) / self.approach.speed_m_s), loop.id, change))
        return tuple(found)


def _exit_crossings(way: Way, street: Street) -> tuple[_Crossing, ...]:
    found = []
    for loop in street.loops:
        if way.exit in loop.lanes:
            on_m = way.crossing_m + loop.distance_m
            found.append(_Crossing(1000.0 * on_m / CROSSING_M_S, loop.id, 1))
            found.append(_Crossing(1000.0 * (on_m + loop.length_m + VEHICLE_M) / CROSSING_M_S, loop.id, -1))
    return tuple(found)
