"""The simulator's own truth beside what the estimator believes: queues, arrivals, discharge.

Vehicle ids serve as keys inside this module only. The probe reads the estimator and never writes to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from benchmarks.truth_movements import MovementTruth
from controller.estimate import LoopEstimator
from controller.junction import Detector, Junction, Purpose
from controller.snapshot import LaneBelief, SignalState
from controller.vehicles import QUEUE_SPACING_M
from hardware.sumo import SumoWorld
from scenarios.loops import PREFIX

HALTED_M_S: Final = 1.0
NEAR_M: Final = 55.0
FAR_M: Final = 300.0
UNHINDERED_RATIO: Final = 0.5  # never below this share of the lane's speed between loop and stop line
STEADY_AFTER: Final = 4  # headways count from the fifth vehicle on (HCM 2010, ch. 31)
LONGEST_HEADWAY_MS: Final = 3_600
OFTEN: Final = 5  # so many headways and greens make a mean


@dataclass(slots=True)
class Errors:
    """Believed against true values of one kind."""

    number: int = 0
    true_value: float = 0.0
    error_value: float = 0.0
    square_value: float = 0.0

    def add(self, believed_value: float, true_value: float) -> None:
        """Take one pair."""
        self.number += 1
        self.true_value += true_value
        self.error_value += believed_value - true_value
        self.square_value += (believed_value - true_value) ** 2

    def figures(self) -> dict[str, float | int | None]:
        """Return number, mean of the truth, bias (believed minus true) and root mean square error."""
        if not self.number:
            return {"n": 0, "mean": None, "bias": None, "rmse": None}
        n = self.number
        return {
            "n": n,
            "mean": round(self.true_value / n, 4),
            "bias": round(self.error_value / n, 4),
            "rmse": round((self.square_value / n) ** 0.5, 4),
        }


@dataclass
class Findings:
    """What the probes of all lights of a run found."""

    queue: Errors = field(default_factory=Errors)  # vehicles
    joined: Errors = field(default_factory=Errors)  # vehicles
    near: Errors = field(default_factory=Errors)  # vehicles
    near_approach: Errors = field(default_factory=Errors)  # vehicles, lanes of one approach together
    arrival_last: Errors = field(default_factory=Errors)  # seconds until the stop line, from the last loop before it
    arrival_first: Errors = field(default_factory=Errors)  # the same from the loop where vehicles come into view
    headway: Errors = field(default_factory=Errors)  # seconds, by lane at the end, weighted by observed headways
    startup: Errors = field(default_factory=Errors)  # seconds, by lane at the end, weighted by observed greens
    movement: Errors = field(default_factory=Errors)  # probability given to the way that the first vehicle of a shared lane really takes; the truth is 1
    share: Errors = field(default_factory=Errors)  # share of a lane's vehicles that takes a way, by lane and way at the end, weighted by vehicles
    halted_beyond: Errors = field(default_factory=Errors)  # halted upstream of all loops: cannot be known
    unmatched: int = 0  # vehicles that a loop saw and the estimator did not keep apart


class WorldTruth:
    """What all lights share: speeds of all vehicles, and who halted since its last stop line. Refresh it after every step."""

    def __init__(self, world: SumoWorld) -> None:
        self.world = world
        self.speeds_m_s: dict[str, float] = {}
        self.halted: set[str] = set()

    def refresh(self) -> None:
        """Read every vehicle's speed."""
        speed_of = self.world.api.vehicle.getSpeed
        with self.world.link():
            self.speeds_m_s = {name: float(speed_of(name)) for name in self.world.api.vehicle.getIDList()}
        self.halted &= self.speeds_m_s.keys()
        self.halted.update(name for name, speed_m_s in self.speeds_m_s.items() if speed_m_s < HALTED_M_S)

    def ahead(self) -> Iterator[tuple[str, str, int, float, str]]:
        """Yield (vehicle, next light, its link, distance in m, lane) of all vehicles that have a light before them."""
        vehicle = self.world.api.vehicle
        with self.world.link():
            for name in self.speeds_m_s:
                lights = vehicle.getNextTLS(name)
                if lights:
                    light, link, distance_m, _letter = lights[0]
                    yield name, light, int(link), float(distance_m), vehicle.getLaneID(name)


class LoopTruth:
    """The vehicles over one SUMO loop, with sub-step times as the product's input port computes them."""

    def __init__(self, world: SumoWorld, detector: Detector) -> None:
        self._read: Callable[[str], Any] = world.api.inductionloop.getVehicleData
        self._name = PREFIX + detector.id
        self._covering: dict[str, int] = {}

    @property
    def covered(self) -> bool:
        """Return whether a vehicle covers the loop."""
        return bool(self._covering)

    def entered_and_left(self, since_ms: int, now_ms: int) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
        """Return (vehicle, time of entry) of those that came in this step, and of those that left in it."""
        came: list[tuple[str, int]] = []
        left: list[tuple[str, int]] = []
        seen: set[str] = set()
        for name, _length, entry_s, leave_s, _type in self._read(self._name):
            seen.add(name)
            leave_ms = round(leave_s * 1000) if leave_s >= 0 else None
            if name not in self._covering:
                if leave_ms is not None and leave_ms <= since_ms:
                    continue
                self._covering[name] = min(max(round(entry_s * 1000), since_ms), now_ms)
                came.append((name, self._covering[name]))
            if leave_ms is not None:
                left.append((name, self._covering.pop(name)))
        for name in [name for name in self._covering if name not in seen]:
            del self._covering[name]
        return came, left


class EntryProbe:
    """Records when vehicles come into view of a light, by loop: over those that no other loop precedes."""

    def __init__(self, world: SumoWorld, junction: Junction) -> None:
        first = [d for d in junction.detectors if d.purpose is not Purpose.EXIT and not d.upstream]
        self._loops = {d.id: LoopTruth(world, d) for d in first}
        self._since_ms = world.now_ms
        self.entries_ms: dict[str, list[int]] = {d.id: [] for d in first}

    def step(self, now_ms: int) -> None:
        """Look at one step."""
        for name, loop in self._loops.items():
            came, _ = loop.entered_and_left(self._since_ms, now_ms)
            self.entries_ms[name] += sorted(at_ms for _, at_ms in came)
        self._since_ms = now_ms


@dataclass(slots=True)
class LaneDischarge:
    """The true discharge of one lane's queue."""

    green_ms: int | None = None
    standing: bool = False  # a queue stood at the stop line when the green began
    leavers: int = 0
    last_ms: int = 0
    headways_ms: list[float] = field(default_factory=list)
    fourths_ms: list[float] = field(default_factory=list)

    def headway_ms(self) -> float:
        """Return the mean headway; there must be some."""
        return sum(self.headways_ms) / len(self.headways_ms)

    def startup_ms(self) -> float:
        """Return the mean start-up loss; there must be greens with a fourth vehicle."""
        return sum(self.fourths_ms) / len(self.fourths_ms) - (STEADY_AFTER - 1) * self.headway_ms()

    def follow(self, since_ms: int | None, *, standing: bool) -> None:
        """Take the lane's green."""
        if since_ms != self.green_ms:
            self.green_ms, self.standing, self.leavers = since_ms, standing, 0

    def leave(self, front_ms: float, *, queued: bool) -> None:
        """Take a vehicle that leaves, its front over the stop line at ``front_ms``; one that had not queued ends the queue."""
        if self.green_ms is None or not self.standing or not queued:
            self.standing = False
            return
        self.leavers += 1
        gap_ms = front_ms - self.last_ms
        if self.leavers > STEADY_AFTER and gap_ms <= LONGEST_HEADWAY_MS:
            self.headways_ms.append(gap_ms)
        if self.leavers == STEADY_AFTER:
            self.fourths_ms.append(front_ms - self.green_ms)
        self.last_ms = round(front_ms)


@dataclass(slots=True)
class _Prediction:
    arrival_ms: int
    made_ms: int
    last: bool
    free_m_s: float


class LightProbe:
    """Compares one light's estimator with the truth. ``signals`` returns the states of its nodes."""

    def __init__(
        self, truth: WorldTruth, junction: Junction, estimator: LoopEstimator, signals: Callable[[int], list[SignalState]], findings: Findings
    ) -> None:
        self._truth, self._junction, self._estimator, self._signals, self._findings = truth, junction, estimator, signals, findings
        world = truth.world
        self._lanes = {lane.id: lane for lane in junction.lanes}
        with world.link():
            links = world.api.trafficlight.getControlledLinks(junction.id)
        self._ways_of_link = [[(f, to) for f, to, _via in link if f in self._lanes] for link in links]
        self._movements = MovementTruth(junction)
        loops = [d for d in junction.detectors if d.purpose is not Purpose.EXIT]
        self._stops = [d for d in loops if d.purpose is Purpose.STOP]
        self._last = {name for d in self._stops for name in d.upstream}
        self._watched = [d for d in loops if d.purpose is not Purpose.STOP and (d.id in self._last or not d.upstream)]
        self._truths = {d.id: LoopTruth(world, d) for d in (*self._stops, *self._watched)}
        self._reach_m = {x: max((d.distance_m + d.length_m for d in loops if x in d.lanes), default=0.0) for x in self._lanes}
        self._groups = {x: [m.group for m in junction.movements if m.lane == x] for x in self._lanes}
        self._discharge = {x: LaneDischarge() for x in self._lanes}
        self._pending: dict[str, list[_Prediction]] = {}
        self._front_ms: dict[tuple[str, str], float] = {}
        self._since_ms = world.now_ms

    def step(self, now_ms: int) -> None:
        """Look at one step, after the control's tick."""
        self._watch_pending()
        for stop in self._stops:
            came, left = self._truths[stop.id].entered_and_left(self._since_ms, now_ms)
            for name, entered_ms in came:
                self._arrived(stop, name, entered_ms)
            for name, _ in left:
                self._left(stop, name)
        for loop in self._watched:
            _, left = self._truths[loop.id].entered_and_left(self._since_ms, now_ms)
            for name, entered_ms in left:
                self._predict(loop, name, entered_ms)
        self._follow_greens(now_ms)
        self._since_ms = now_ms

    def compare_queues(self, now_ms: int, ahead: Mapping[str, list[tuple[str, int, float, str]]]) -> None:
        """Compare queue and vehicles near the stop line, by lane. ``ahead``: by light (vehicle, link, distance in m, lane)."""
        halted, joined, near, beyond = (dict.fromkeys(self._lanes, 0.0) for _ in range(4))
        first: dict[str, tuple[float, str]] = {}
        for name, link, distance_m, at_lane in ahead.get(self._junction.id, ()):
            ways = self._ways_of_link[link]
            ways = [way for way in ways if way[0] == at_lane] or ways
            lanes = list(dict.fromkeys(lane for lane, _exit in ways))
            if distance_m <= NEAR_M:
                for lane, exit_lane in ways:
                    first[lane] = min(first.get(lane, (distance_m, exit_lane)), (distance_m, exit_lane))
                    self._movements.see(name, lane, exit_lane)
            for lane in lanes:
                share = 1.0 / len(lanes)
                if distance_m <= NEAR_M:
                    near[lane] += share
                if distance_m > max(self._reach_m[lane], NEAR_M):
                    beyond[lane] += share * (distance_m <= FAR_M and self._truth.speeds_m_s[name] < HALTED_M_S)
                    continue
                halted[lane] += share * (self._truth.speeds_m_s[name] < HALTED_M_S)
                joined[lane] += share * (name in self._truth.halted)
        beliefs = self._estimator.beliefs(now_ms)
        self._compare(now_ms, beliefs, halted, joined, near)
        for lane, (_, exit_lane) in first.items():
            if self._movements.shared(lane):
                self._findings.movement.add(self._movements.believed(beliefs[lane].head_ratio, lane, exit_lane), 1.0)
        for count in beyond.values():
            self._findings.halted_beyond.add(0.0, count)

    def _compare(
        self, now_ms: int, beliefs: Mapping[str, LaneBelief], halted: Mapping[str, float], joined: Mapping[str, float], near: Mapping[str, float]
    ) -> None:
        by_approach: dict[str, list[float]] = {}
        for name, lane in self._lanes.items():
            belief = beliefs[name]
            self._findings.queue.add(belief.queue_veh, halted[name])
            self._findings.joined.add(belief.queue_veh, joined[name])
            soon_ms = now_ms + 1000.0 * NEAR_M / lane.speed_m_s
            expected = sum(w for a, w in zip(belief.arrival_ms, belief.weight, strict=True) if a <= soon_ms)
            expected = min(expected, NEAR_M / QUEUE_SPACING_M)
            self._findings.near.add(expected, near[name])
            both = by_approach.setdefault(lane.approach or name, [0.0, 0.0])
            both[0] += expected
            both[1] += near[name]
        for believed, true in by_approach.values():
            self._findings.near_approach.add(believed, true)

    def conclude(self, now_ms: int) -> None:
        """Compare what was learned of headway and start-up with the truth, by lane; a lane weighs by its observations."""
        beliefs = self._estimator.beliefs(now_ms)
        for name, discharge in self._discharge.items():
            if not discharge.headways_ms:
                continue
            for _ in discharge.headways_ms:
                self._findings.headway.add(beliefs[name].headway_ms / 1000.0, discharge.headway_ms() / 1000.0)
            for _ in discharge.fourths_ms if self._movements.never_yields(name) else ():
                self._findings.startup.add(beliefs[name].startup_ms / 1000.0, discharge.startup_ms() / 1000.0)
        for name in self._lanes:
            for believed_ratio, true_ratio, vehicles in self._movements.shares(name, beliefs[name].movement_ratio):
                for _ in range(vehicles):
                    self._findings.share.add(believed_ratio, true_ratio)

    def discharge(self) -> dict[str, tuple[int, int]]:
        """Return the true headway and start-up loss in ms of the lanes that showed them often enough; who yields loses time for gaps, not for starting."""
        seen = {x: d for x, d in self._discharge.items() if len(d.headways_ms) >= OFTEN and len(d.fourths_ms) >= OFTEN and self._movements.never_yields(x)}
        return {x: (round(d.headway_ms()), max(round(d.startup_ms()), 0)) for x, d in seen.items()}

    def _watch_pending(self) -> None:
        """Drop predictions of vehicles that something holds up: they say nothing about the travel time."""
        speeds_m_s = self._truth.speeds_m_s
        for name in list(self._pending):
            speed_m_s = speeds_m_s.get(name)
            if speed_m_s is None:
                del self._pending[name]
                continue
            kept = [p for p in self._pending[name] if speed_m_s >= UNHINDERED_RATIO * p.free_m_s]
            if kept:
                self._pending[name] = kept
            else:
                del self._pending[name]

    def _arrived(self, stop: Detector, name: str, entered_ms: int) -> None:
        speed_m_s = max(self._truth.speeds_m_s.get(name, 0.0), HALTED_M_S)
        front_ms = self._front_ms[stop.id, name] = entered_ms + 1000.0 * (stop.distance_m + stop.length_m) / speed_m_s
        for prediction in self._pending.pop(name, ()):
            target = self._findings.arrival_last if prediction.last else self._findings.arrival_first
            target.add((prediction.arrival_ms - prediction.made_ms) / 1000.0, (front_ms - prediction.made_ms) / 1000.0)

    def _left(self, stop: Detector, name: str) -> None:
        front_ms = self._front_ms.pop((stop.id, name))
        for lane in stop.lanes:
            self._discharge[lane].leave(front_ms, queued=name in self._truth.halted)
        self._truth.halted.discard(name)

    def _predict(self, loop: Detector, name: str, entered_ms: int) -> None:
        """Keep what the estimator predicts for the vehicle that has just left the loop."""
        for lane in loop.lanes:
            for believed in self._estimator.vehicles.tracks[lane].vehicles:
                if believed.loop == loop.id and believed.passed_ms == entered_ms:
                    free_m_s = self._lanes[lane].speed_m_s
                    self._pending.setdefault(name, []).append(_Prediction(believed.arrival_ms, entered_ms, loop.id in self._last, free_m_s))
                    return
        self._findings.unmatched += 1

    def _follow_greens(self, now_ms: int) -> None:
        since = {group: ms for state in self._signals(now_ms) for group, ms in state.green_since_ms.items() if ms is not None}
        covered = {lane for d in self._stops if self._truths[d.id].covered for lane in d.lanes}
        for lane, discharge in self._discharge.items():
            began = [since[g] for g in self._groups[lane] if g in since]
            discharge.follow(min(began) if began else None, standing=lane in covered)
