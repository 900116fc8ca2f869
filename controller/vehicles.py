"""The vehicles believed to be on a junction's approaches, tracked from loop to loop.

A vehicle is born at the first loop that sees it, moves on when a loop nearer to the stop line sees it, and leaves at the
stop loop. Where a loop stands before the road widens, its vehicles belong to several lanes with weights that sum to one;
the next loop that only one lane owns decides. A loop proves vehicles right (unseen ones are created) and wrong (one that
should long have passed a loop that stays free is taken from that lane).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from controller.junction import Detector, Junction, Lane, Purpose

# Acceleration and length of a usual car: SUMO's default passenger type, close to what HCM 2010 ch. 31 assumes for queues.
ACCELERATION_M_S2: Final = 2.6
VEHICLE_LENGTH_M: Final = 5.0
QUEUE_SPACING_M: Final = 7.5
# A free vehicle drives a little under the limit on the mean; learned per lane from there.
_PACE_RATIO: Final = 1.0
_PACE_MIN: Final = 0.7
_PACE_MAX: Final = 1.7
_LEARN_RATIO: Final = 0.05
# A vehicle that comes this much earlier than predicted is taken for another one.
_EARLY_RATIO: Final = 0.6


@dataclass(slots=True, eq=False)
class Vehicle:
    """One believed vehicle. ``distance_m`` of the loop that saw it last; ``weights`` by lane sum to one."""

    distance_m: float
    passed_ms: int
    arrival_ms: int
    weights: dict[str, float]
    source: str  # the loop that it came in by
    free_ms: int = 0  # when it would have reached the stop line, had nothing held it up since it came in


@dataclass(frozen=True, slots=True)
class Station:
    """The loops of one lane at one distance."""

    distance_m: float
    loops: tuple[str, ...]
    own: bool  # no other lane shares them


class LaneTrack:
    """One approach lane: its stations from the stop line outwards, and the vehicles on it in order."""

    def __init__(self, lane: Lane, detectors: tuple[Detector, ...]) -> None:
        self.lane = lane
        self.vehicles: list[Vehicle] = []
        self.pace_ratio = _PACE_RATIO
        mine = sorted((d for d in detectors if lane.id in d.lanes and d.purpose is not Purpose.EXIT), key=lambda d: d.distance_m)
        stations: list[Station] = []
        for d in mine:
            if stations and d.distance_m - stations[-1].distance_m < 10.0:
                last = stations[-1]
                stations[-1] = Station(last.distance_m, (*last.loops, d.id), last.own and len(d.lanes) == 1)
            else:
                stations.append(Station(d.distance_m, (d.id,), len(d.lanes) == 1))
        self.stations = tuple(stations)
        self.stop = stations[0] if stations and stations[0].distance_m < 15.0 else None

    def travel_ms(self, distance_m: float) -> int:
        """Return the free travel time over ``distance_m``."""
        return int(1000.0 * self.pace_ratio * max(distance_m, 0.0) / self.lane.speed_m_s)

    def next_station(self, distance_m: float) -> Station | None:
        """Return the next station that a vehicle last seen at ``distance_m`` must pass."""
        found = None
        for station in self.stations:
            if station.distance_m >= distance_m - 1.0:
                break
            found = station
        return found

    def learn_pace(self, distance_m: float, took_ms: int) -> None:
        """Learn from one unhindered vehicle how fast this lane is driven."""
        free_ms = 1000.0 * distance_m / self.lane.speed_m_s
        if free_ms >= 1500.0:
            ratio = min(max(took_ms / free_ms, _PACE_MIN), _PACE_MAX)
            self.pace_ratio += _LEARN_RATIO * (ratio - self.pace_ratio)


class Vehicles:
    """All believed vehicles of a junction."""

    def __init__(self, junction: Junction) -> None:
        self.tracks: dict[str, LaneTrack] = {x.id: LaneTrack(x, junction.detectors) for x in junction.lanes}
        self._shares: dict[str, dict[str, float]] = {
            d.id: {x: 1.0 / len(d.lanes) for x in d.lanes} for d in junction.detectors if d.purpose is not Purpose.EXIT
        }
        self._outermost = {
            d.id: all(self.tracks[x].stations[-1].distance_m <= d.distance_m + 10.0 for x in d.lanes)
            for d in junction.detectors
            if d.purpose is not Purpose.EXIT
        }

    def enter(self, detector: Detector, at_ms: int) -> Vehicle:
        """Move the vehicle that ``detector`` sees to it, or create it where none was expected."""
        vehicle = None if self._outermost[detector.id] else self._expected(detector, at_ms)
        if vehicle is None:
            vehicle = Vehicle(detector.distance_m, at_ms, at_ms, dict(self._shares[detector.id]), detector.id)
            for lane in vehicle.weights:
                self.tracks[lane].vehicles.append(vehicle)
            self._place(vehicle, detector.distance_m, at_ms)
            vehicle.free_ms = vehicle.arrival_ms
        else:
            self._narrow(vehicle, detector, at_ms)
            self._place(vehicle, detector.distance_m, at_ms)
        return vehicle

    def slow(self, vehicle: Vehicle, occupied_ms: int, loop_m: float) -> None:
        """Correct the arrival of a vehicle that a loop saw driving slowly; it is expected to accelerate from there."""
        free_m_s = min(self.tracks[x].lane.speed_m_s for x in vehicle.weights) if vehicle.weights else 0.0
        speed_m_s = 1000.0 * (VEHICLE_LENGTH_M + loop_m) / max(occupied_ms, 1)
        if 0.0 < speed_m_s < 0.85 * free_m_s:
            gained_m_s = free_m_s - speed_m_s
            reach_m = (free_m_s**2 - speed_m_s**2) / (2.0 * ACCELERATION_M_S2)
            lost_s = gained_m_s**2 / (2.0 * ACCELERATION_M_S2 * free_m_s)
            vehicle.arrival_ms += int(1000.0 * lost_s * min(1.0, vehicle.distance_m / max(reach_m, 1.0)))

    def remove(self, vehicle: Vehicle) -> None:
        """Take a vehicle out of all lanes."""
        for lane in vehicle.weights:
            vehicles = self.tracks[lane].vehicles
            if vehicle in vehicles:
                vehicles.remove(vehicle)
        vehicle.weights.clear()

    def leave_lane(self, vehicle: Vehicle, lane: str) -> None:
        """Take a vehicle from one lane; its other lanes share the weight, and the last lane takes it out."""
        weight = vehicle.weights.pop(lane, 0.0)
        self.tracks[lane].vehicles.remove(vehicle)
        rest = 1.0 - weight
        for other in vehicle.weights:
            vehicle.weights[other] = vehicle.weights[other] / rest if rest > 1e-9 else 1.0 / len(vehicle.weights)

    def sort(self) -> None:
        """Put every lane's vehicles in their order from the stop line."""
        for track in self.tracks.values():
            if len(track.vehicles) > 1:
                track.vehicles.sort(key=_order)

    def _expected(self, detector: Detector, at_ms: int) -> Vehicle | None:
        best: Vehicle | None = None
        best_key = (0.0, 0.0)
        for lane in detector.lanes:
            track = self.tracks[lane]
            for vehicle in track.vehicles:
                gap_m = vehicle.distance_m - detector.distance_m
                if gap_m <= 5.0 or at_ms < vehicle.passed_ms + _EARLY_RATIO * track.travel_ms(gap_m) - 500:
                    continue
                key = (vehicle.distance_m, float(vehicle.passed_ms))
                if best is None or key < best_key:
                    best, best_key = vehicle, key
        return best

    def _narrow(self, vehicle: Vehicle, detector: Detector, at_ms: int) -> None:
        """Keep only the lanes that ``detector`` feeds, and learn from where the vehicle went."""
        keep = [x for x in detector.lanes if vehicle.weights.get(x, 0.0) > 0.0]
        if len(detector.lanes) == 1 and vehicle.source in self._shares:
            shares = self._shares[vehicle.source]
            went = detector.lanes[0]
            if went in shares and len(shares) > 1:
                for lane in shares:
                    shares[lane] += _LEARN_RATIO * ((1.0 if lane == went else 0.0) - shares[lane])
        for lane in [x for x in vehicle.weights if x not in keep]:
            self.tracks[lane].vehicles.remove(vehicle)
            del vehicle.weights[lane]
        total = sum(vehicle.weights.values())
        for lane in keep:
            vehicle.weights[lane] /= total
        if len(keep) == 1:
            track = self.tracks[keep[0]]
            if not any(v.arrival_ms < at_ms for v in track.vehicles if v is not vehicle):
                track.learn_pace(vehicle.distance_m - detector.distance_m, at_ms - vehicle.passed_ms)

    def _place(self, vehicle: Vehicle, distance_m: float, at_ms: int) -> None:
        vehicle.distance_m, vehicle.passed_ms = distance_m, at_ms
        travel_ms = min((self.tracks[x].travel_ms(distance_m) for x in vehicle.weights), default=0)
        vehicle.arrival_ms = at_ms + travel_ms


def _order(vehicle: Vehicle) -> tuple[float, int]:
    return (vehicle.distance_m, vehicle.passed_ms)


def ghost_slack_ms(track: LaneTrack, distance_m: float) -> int:
    """Return how late a vehicle may pass a station before it is doubted: braking for a queue or a red costs a few seconds."""
    return 3000 + int(0.4 * track.travel_ms(distance_m))


def station_quiet(track: LaneTrack, station: Station, changed: Mapping[str, tuple[bool, int]], now_ms: int) -> bool:
    """Return whether the station has seen nothing for a while and no queue can hide beside its loops.

    Two queued vehicles may stand astride a loop of 2 m, so a lane whose believed vehicles fill the way to the station is not quiet.
    """
    for loop in station.loops:
        occupied, changed_ms = changed[loop]
        if occupied or now_ms - changed_ms < 3500:
            return False
    ahead = sum(v.weights.get(track.lane.id, 0.0) for v in track.vehicles if v.distance_m <= station.distance_m + 1.0)
    return ahead < 0.7 * station.distance_m / QUEUE_SPACING_M or station is track.stop
