"""The vehicles believed to be on a junction's approaches, tracked from loop to loop.

A vehicle is born at a loop where vehicles come into view, moves on when a loop nearer to the stop line sees it, and leaves
at the stop loop. Until a loop that only one lane owns has seen it, it belongs to several lanes with weights: the lanes that
its loop feeds, and the lanes beside them that it may change to. Weights sum to less than one where some vehicles turn off
before the stop line. Shares are learned from where vehicles turn up. A loop proves vehicles right (unseen ones are created)
and wrong (one that should long have passed a loop that stays free is taken from that lane).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from controller.junction import Detector, Junction, Lane, Purpose
from controller.lane_shares import LEAST_SHARE, SAME_HEIGHT_M, LaneShares, first_shares, lane_shares, row_before

# Acceleration and length of a usual car: SUMO's default passenger type; 7.5 m of queue per vehicle is the usual planning value.
ACCELERATION_M_S2: Final = 2.6
VEHICLE_LENGTH_M: Final = 5.0
QUEUE_SPACING_M: Final = 7.5
_PACE_RANGE: Final = (0.7, 1.7)  # travel time against that at the speed limit; learned per lane
_LEARN_RATIO: Final = 0.05
_CHANGE_FROM_M: Final = 40.0  # nearer to the stop line nobody is expected to change lanes
_EARLY_RATIO: Final = 0.6  # a vehicle that comes earlier than this share of its travel time is another one
_SURE_RATIO: Final = 0.25  # the next likeliest vehicle is at most this likely, against the likeliest
_UNSEEN_RATIO: Final = 0.05  # how likely a vehicle is to pass a row of loops unseen, between two of them
_LATE_SCALE_MS: Final = 3_000.0
_LATEST_RATIO: Final = 1.5  # who is later than this times the scale is held up by a queue or a red: how late then tells nothing
_LEAST_WEIGHT: Final = 0.02
_HIDDEN_WEIGHT: Final = 0.1  # on a lane that the file in which a vehicle stands may hide
_DEAD_RATIO: Final = 0.5  # of a lane's first share
LEAST_SLACK_MS: Final = 3_000  # braking for a queue or a red costs a few seconds


@dataclass(slots=True, eq=False)
class Vehicle:
    """One believed vehicle. ``weights``: by lane, how likely it will reach that stop line."""

    loop: str  # that saw it last
    distance_m: float  # of that loop
    passed_ms: int
    arrival_ms: int
    weights: dict[str, float]
    free_ms: int = 0  # when it would have reached the stop line, had nothing held it up since it came into view


@dataclass(frozen=True, slots=True)
class Station:
    """The loops of one lane at one distance."""

    distance_m: float
    loops: tuple[str, ...]


class LaneTrack:
    """One approach lane: its stations from the stop line outwards, and the vehicles on it in order."""

    def __init__(self, lane: Lane, detectors: tuple[Detector, ...]) -> None:
        self.lane = lane
        self.vehicles: list[Vehicle] = []
        self.pace_ratio = 1.0
        mine = sorted((d for d in detectors if lane.id in d.lanes and d.purpose is not Purpose.EXIT), key=lambda d: d.distance_m)
        self.loops = tuple(d.id for d in mine)
        self.stop_loops = tuple(d.id for d in mine if d.purpose is Purpose.STOP)
        own = tuple((d.id, d.distance_m) for d in mine if d.lanes == (lane.id,))
        self.queue_loops = own if own and own[0][0] in self.stop_loops else ()  # from the stop line outwards; none where nothing tells of who stands there
        self.reach_m = mine[-1].distance_m if mine else 0.0
        self._next = self._next_loops(mine)

    def _next_loops(self, mine: list[Detector]) -> dict[str, Station]:
        """Return for each loop the station of this lane that follows it on the way to the stop line."""
        after: dict[str, list[Detector]] = {}
        for d in mine:
            for before in d.upstream:
                after.setdefault(before, []).append(d)
        return {name: Station(max(d.distance_m for d in found), tuple(d.id for d in found)) for name, found in after.items()}

    def travel_ms(self, distance_m: float) -> int:
        """Return the free travel time over ``distance_m``."""
        return int(1000.0 * self.pace_ratio * max(distance_m, 0.0) / self.lane.speed_m_s)

    def next_station(self, loop: str, beside: str) -> Station | None:
        """Return the station that follows on this lane after the loop, or after that of this lane ``beside`` it; None where none does."""
        return self._next.get(loop) or self._next.get(beside)

    def learn_pace(self, distance_m: float, took_ms: int) -> None:
        """Learn from one unhindered vehicle how fast this lane is driven."""
        free_ms = 1000.0 * distance_m / self.lane.speed_m_s
        if free_ms >= 1500.0:
            ratio = min(max(took_ms / free_ms, _PACE_RANGE[0]), _PACE_RANGE[1])
            self.pace_ratio += _LEARN_RATIO * (ratio - self.pace_ratio)


@dataclass(slots=True)
class _Loop:
    detector: Detector
    ancestors: frozenset[str]  # all loops on the ways that lead here, and those beside them
    shares: dict[str, float] = field(default_factory=dict)
    beside: dict[str, str] = field(default_factory=dict)  # per other lane of the approach: its loop at the same height
    gate: frozenset[str] = frozenset()  # the row of loops before it, one of which all pass who come here; empty where there is a way around


class Vehicles:
    """All believed vehicles of a junction."""

    def __init__(self, junction: Junction) -> None:
        self.tracks: dict[str, LaneTrack] = {x.id: LaneTrack(x, junction.detectors) for x in junction.lanes}
        approach = {x.id: x.approach or x.id for x in junction.lanes}
        loops = {d.id: d for d in junction.detectors if d.purpose is not Purpose.EXIT}
        beside = {i: _beside(d, loops, approach) for i, d in loops.items()}
        gates = {i: frozenset(row_before(d, loops, approach)) for i, d in loops.items()}
        self._loops = {i: _Loop(d, _ancestors(d, loops, beside), _first_shares(d, beside[i]), beside[i], gates[i]) for i, d in loops.items()}
        self._counted = {loop: shares for shares in lane_shares(loops, approach) for loop in shares.loops}
        self._told: set[str] = set()  # loops whose shares are told by counts
        self._unseen: set[str] = set()  # lanes whose vehicles nobody sees leave

    def enter(self, detector: Detector, at_ms: int) -> tuple[Vehicle, bool]:
        """Move the vehicle that ``detector`` sees to it, or create it where none was expected. Return it and whether it is new."""
        loop, counted = self._loops[detector.id], self._counted.get(detector.id)
        if counted is not None and counted.count(detector.id):
            self._take(counted)
        vehicle, sure = self._expected(loop, at_ms) if loop.ancestors else (None, False)
        if vehicle is None:
            vehicle = Vehicle(detector.id, detector.distance_m, at_ms, at_ms, {})
            self._spread(vehicle, loop, at_ms)
            vehicle.free_ms = vehicle.arrival_ms
            self._crowd_out(vehicle)
            return vehicle, True
        self._learn(vehicle, detector, at_ms, sure=sure)
        self._spread(vehicle, loop, at_ms)
        self._crowd_out(vehicle)
        return vehicle, False

    def slow(self, vehicle: Vehicle, occupied_ms: int, loop_m: float) -> None:
        """Correct the arrival of a vehicle that a loop saw driving slowly; it is expected to accelerate from there."""
        free_m_s = min((self.tracks[x].lane.speed_m_s for x in vehicle.weights), default=0.0)
        speed_m_s = 1000.0 * (VEHICLE_LENGTH_M + loop_m) / max(occupied_ms, 1)
        if 0.0 < speed_m_s < 0.85 * free_m_s:
            reach_m = (free_m_s**2 - speed_m_s**2) / (2.0 * ACCELERATION_M_S2)
            lost_s = (free_m_s - speed_m_s) ** 2 / (2.0 * ACCELERATION_M_S2 * free_m_s)
            vehicle.arrival_ms += int(1000.0 * lost_s * min(1.0, vehicle.distance_m / max(reach_m, 1.0)))

    def distrust(self, untrusted: frozenset[str]) -> None:
        """Take which loops are not trusted now."""
        for counted in self._counted.values():
            counted.hear(untrusted)

    def fed(self, loop: str) -> tuple[str, ...]:
        """Return the lanes whose vehicles pass the loop in one file."""
        return self._loops[loop].detector.lanes

    def _take(self, counted: LaneShares) -> None:
        told = counted.by_loop()
        self._told.difference_update(counted.loops)
        self._told.update(told)
        for loop, shares in told.items():
            self._loops[loop].shares = shares

    def lose_sight(self, lane: str) -> None:
        """Learn no more, from those who are seen in the lanes beside it, that nobody uses a lane; and forget that nobody did, for so a dead loop says."""
        self._unseen.add(lane)
        for loop in self._loops.values():
            first = _first_shares(loop.detector, loop.beside)
            if loop.shares.get(lane, 1.0) < _DEAD_RATIO * first.get(lane, 0.0):
                loop.shares = first
        for counted in {self._counted[x] for x in self.tracks[lane].stop_loops if x in self._counted}:
            counted.reset()

    def see_again(self, lane: str) -> None:
        """Learn again: who leaves the lane is seen."""
        self._unseen.discard(lane)

    def remove(self, vehicle: Vehicle) -> None:
        """Take a vehicle out of all lanes."""
        for lane in vehicle.weights:
            self.tracks[lane].vehicles.remove(vehicle)
        vehicle.weights.clear()

    def assume(self, loop: str, lane: str, at_ms: int) -> Vehicle:
        """Add a vehicle that nobody has seen, waiting on a lane since ``at_ms``; ``loop`` is the last that should have seen it."""
        vehicle = Vehicle(loop, self._loops[loop].detector.distance_m, at_ms, at_ms, {lane: 1.0}, at_ms)
        self.tracks[lane].vehicles.append(vehicle)
        return vehicle

    def leave(self, vehicle: Vehicle, lane: str) -> None:
        """Take a vehicle from a lane that it has left, if it was there; it may still be on the others, as likely as before."""
        del vehicle.weights[lane]
        self.tracks[lane].vehicles.remove(vehicle)
        if sum(vehicle.weights.values()) <= _LEAST_WEIGHT:
            self.remove(vehicle)

    def doubt(self, vehicle: Vehicle, lane: str) -> None:
        """Take a vehicle from a lane whose loop it should have passed; where no lane is left, its loop learns that it turned off."""
        total = sum(vehicle.weights.values())
        del vehicle.weights[lane]
        self.tracks[lane].vehicles.remove(vehicle)
        rest = sum(vehicle.weights.values())
        if rest > _LEAST_WEIGHT:
            for other in vehicle.weights:
                vehicle.weights[other] *= total / rest
            return
        shares = self._loops[vehicle.loop].shares
        for other in shares if self._learns(vehicle.loop) else ():
            shares[other] -= _LEARN_RATIO * shares[other]
        self.remove(vehicle)

    def shift(self, vehicle: Vehicle, lane: str, others: Sequence[str]) -> None:
        """Make a vehicle unlikely on a lane whose loop it should have passed, and so much likelier on others that its file leads to.

        Unlikely, not impossible: it may be hidden by the file, and drive there as soon as the file moves.
        """
        lost = vehicle.weights[lane] - _HIDDEN_WEIGHT
        if lost <= 0.0:
            return
        vehicle.weights[lane] = _HIDDEN_WEIGHT
        shares = self._loops[vehicle.loop].shares
        total = sum([shares[x] for x in others])
        for other in others:
            if other not in vehicle.weights:
                vehicle.weights[other] = 0.0
                self.tracks[other].vehicles.append(vehicle)
                self.tracks[other].vehicles.sort(key=_order)
            vehicle.weights[other] += lost * shares[other] / total

    def shares(self, loop: str) -> Mapping[str, float]:
        """Return how likely a vehicle that the loop sees is to reach each lane's stop line."""
        return self._loops[loop].shares

    def next_station(self, vehicle: Vehicle, lane: str) -> Station | None:
        """Return the station that the vehicle must pass next on the lane."""
        return self.tracks[lane].next_station(vehicle.loop, self._loops[vehicle.loop].beside.get(lane, ""))

    def sort(self) -> None:
        """Put every lane's vehicles in their order from the stop line."""
        for track in self.tracks.values():
            if len(track.vehicles) > 1:
                track.vehicles.sort(key=_order)

    def _expected(self, loop: _Loop, at_ms: int) -> tuple[Vehicle | None, bool]:
        """Return the likeliest vehicle, and whether no other one is nearly as likely.

        Of each loop upstream the first one that had the time to come counts, weighed by share and lateness.

        Nobody overtakes within a lane: one from a loop farther upstream counts only as far as those ahead of it may be elsewhere.
        """
        first: dict[str, Vehicle] = {}
        for lane in loop.detector.lanes:
            track = self.tracks[lane]
            for vehicle in track.vehicles:
                if vehicle.loop not in loop.ancestors or vehicle.loop in first:
                    continue
                gap_m = vehicle.distance_m - loop.detector.distance_m
                if at_ms >= vehicle.passed_ms + _EARLY_RATIO * track.travel_ms(gap_m) - 300:
                    first[vehicle.loop] = vehicle
        best, best_score, next_score = None, 0.0, 0.0
        for vehicle in first.values():
            weight = sum(vehicle.weights.get(x, 0.0) for x in loop.detector.lanes)
            for ahead in first.values():
                if vehicle.loop in self._loops[ahead.loop].ancestors:
                    weight *= max(0.0, 1.0 - sum(ahead.weights.get(x, 0.0) for x in loop.detector.lanes))
            if loop.gate and vehicle.loop not in loop.gate:
                weight *= _UNSEEN_RATIO
            travel_ms = self.tracks[loop.detector.lanes[0]].travel_ms(loop.detector.distance_m)
            late = (at_ms - (vehicle.arrival_ms - travel_ms)) / _LATE_SCALE_MS
            late = min(late, _LATEST_RATIO)
            score = weight / (1.0 + late * late)
            if score > best_score:
                best, best_score, next_score = vehicle, score, best_score
            else:
                next_score = max(next_score, score)
        return best, next_score <= _SURE_RATIO * best_score

    def _crowd_out(self, vehicle: Vehicle) -> None:
        """Take the first vehicle from a lane that holds more than fit between the loop just passed and the stop line: it left unseen."""
        room = vehicle.distance_m / VEHICLE_LENGTH_M + 2.0
        for lane in tuple(vehicle.weights):
            inside = [v for v in self.tracks[lane].vehicles if v.distance_m <= vehicle.distance_m]
            if sum(v.weights[lane] for v in inside) > room:
                self.remove(min(inside, key=_order))

    def _learn(self, vehicle: Vehicle, detector: Detector, at_ms: int, *, sure: bool) -> None:
        """Learn from where the vehicle went: the pace, and the shares of the loop that it came from.

        From where it is now it goes on as all do that this loop sees: so those farther out, too, learn of ways that turn off behind it.
        Shares are learned only where it cannot have been another one: else, while lanes side by side are full, a wrong guess would confirm itself.
        """
        shares = self._loops[vehicle.loop].shares
        onward = self._loops[detector.id].shares
        for lane in shares if sure and self._learns(vehicle.loop) else ():
            shares[lane] = max(shares[lane] + _LEARN_RATIO * (onward.get(lane, 0.0) - shares[lane]), LEAST_SHARE)
        track = self.tracks[detector.lanes[0]]
        if not any(v.arrival_ms < at_ms and v.distance_m < vehicle.distance_m for v in track.vehicles):
            track.learn_pace(vehicle.distance_m - detector.distance_m, at_ms - vehicle.passed_ms)

    def _learns(self, loop: str) -> bool:
        """Return whether a loop's shares are learned from where its vehicles turn up: all who come are seen, and no counts tell better."""
        return loop not in self._told and self._unseen.isdisjoint(self._loops[loop].shares)

    def _spread(self, vehicle: Vehicle, loop: _Loop, at_ms: int) -> None:
        """Give the vehicle the weights of the loop that sees it now."""
        keep = {x: w for x, w in loop.shares.items() if w > _LEAST_WEIGHT}
        for lane in [x for x in vehicle.weights if x not in keep]:
            self.tracks[lane].vehicles.remove(vehicle)
        for lane in keep:
            if lane not in vehicle.weights:
                self.tracks[lane].vehicles.append(vehicle)
        vehicle.weights = keep
        vehicle.loop, vehicle.distance_m, vehicle.passed_ms = loop.detector.id, loop.detector.distance_m, at_ms
        vehicle.arrival_ms = at_ms + self.tracks[loop.detector.lanes[0]].travel_ms(loop.detector.distance_m)


def _order(vehicle: Vehicle) -> tuple[float, int]:
    return (vehicle.distance_m, vehicle.passed_ms)


def _beside(d: Detector, loops: Mapping[str, Detector], approach: Mapping[str, str]) -> dict[str, str]:
    """Return, per lane of the same approach that ``d`` does not feed, the loop at whose height a vehicle that changes to it comes in.

    That is the lane's loop at the same height; where it has none (it begins later), its farthest one that is not its last.
    """
    mine = {approach[x] for x in d.lanes}
    leads_on = {u for o in loops.values() for u in o.upstream}
    found: dict[str, tuple[float, str]] = {}
    for other in loops.values():
        off_m = abs(other.distance_m - d.distance_m)
        if off_m >= SAME_HEIGHT_M and (other.id not in leads_on or other.distance_m > d.distance_m):
            continue
        for lane in other.lanes:
            if lane not in d.lanes and approach[lane] in mine:
                found[lane] = min(found.get(lane, (off_m, other.id)), (off_m, other.id))
    return {lane: name for lane, (_, name) in found.items()}


def _ancestors(d: Detector, loops: Mapping[str, Detector], beside: Mapping[str, Mapping[str, str]]) -> frozenset[str]:
    found: set[str] = set()
    todo = list(d.upstream)
    while todo:
        name = todo.pop()
        if name in found or name not in loops:
            continue
        found.add(name)
        found.update(beside[name].values())
        found.update(i for i, others in beside.items() if name in others.values() and loops[i].distance_m > d.distance_m)
        todo.extend(loops[name].upstream)
    return frozenset(found)


def _first_shares(d: Detector, beside: Mapping[str, str]) -> dict[str, float]:
    return first_shares(d.lanes, list(beside), max(d.distance_m - _CHANGE_FROM_M, 0.0))


def ghost_slack_ms(track: LaneTrack, distance_m: float) -> int:
    """Return how late a vehicle may pass a station before it is doubted."""
    return LEAST_SLACK_MS + int(0.4 * track.travel_ms(distance_m))


def station_quiet(track: LaneTrack, station: Station, changed: Mapping[str, tuple[bool, int]], now_ms: int) -> bool:
    """Return whether the station has seen nothing for a while and no queue can hide beside its loops.

    Two queued vehicles may stand astride a loop of 2 m, so a lane whose believed vehicles fill the way to the station is not quiet.
    """
    for loop in station.loops:
        occupied, changed_ms = changed[loop]
        if occupied or now_ms - changed_ms < 3_500:
            return False
    if station.distance_m < 25.0:
        return True
    ahead = sum(v.weights[track.lane.id] for v in track.vehicles if v.distance_m <= station.distance_m + 1.0)
    return ahead < 0.7 * station.distance_m / QUEUE_SPACING_M
