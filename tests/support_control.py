"""A crossing of two roads for the tests of control, a road model that makes loop edges, and snapshots for planners.

Every arm has lane ``<arm>0`` (straight and right) and lane ``<arm>1`` (left), loops at 1, 45, 120 and 300 m per lane; on the north
and south arms one loop at 300 m stands before the widening and feeds both lanes. Left turns are protected in the north and
south, and permitted beside the opposite straight traffic in the east and west, with a stage of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

from controller.detection import Detection, HealthEvent
from controller.estimate import LoopEstimator
from controller.junction import (
    Detector,
    Direction,
    Exit,
    Group,
    Intergreen,
    Junction,
    Lane,
    Movement,
    Node,
    Permission,
    Programme,
    ProgrammeStep,
    Purpose,
    Stage,
)
from controller.plan import Plan
from controller.planner import Planner
from controller.sequencer import Sequencer
from controller.snapshot import DetectorState, LaneBelief, SignalState, Snapshot
from hardware.ports import InputEvent, InputKind
from hardware.signals import Aspect, GroupKind

SPEED_M_S = 12.5
ARMS = ("n", "e", "s", "w")
STOP_M, NEAR_M, FAR_M, ENTRY_M = 1.0, 45.0, 120.0, 300.0
LOOP_M, VEHICLE_M, SPACING_M = 2.0, 5.0, 7.5
INTERGREEN_MS, MIN_GREEN_MS, AMBER_MS = 5_000, 5_000, 3_000
STAGES = ("NS", "NSL", "EW", "EWL")
NEVER_MS = -(1 << 40)


def junction(*, detectors: tuple[Detector, ...] | None = None) -> Junction:
    """Return the crossing."""
    groups = tuple(Group(g, GroupKind.VEHICLE, MIN_GREEN_MS, AMBER_MS, links=(k,)) for k, g in enumerate(STAGES))
    foes = [("NS", "NSL"), ("NS", "EW"), ("NS", "EWL"), ("NSL", "EW"), ("NSL", "EWL")]
    gaps = tuple(Intergreen(a, b, INTERGREEN_MS) for x, y in foes for a, b in ((x, y), (y, x)))
    stages = (Stage("NS", ("NS",)), Stage("NSL", ("NSL",)), Stage("EW", ("EW", "EWL")), Stage("EWL", ("EWL",)))
    programme = Programme("day", (ProgrammeStep("NS", 20_000), ProgrammeStep("NSL", 8_000), ProgrammeStep("EW", 15_000), ProgrammeStep("EWL", 6_000)))
    return Junction(
        id="crossing",
        groups=groups,
        lanes=tuple(Lane(f"{a}{k}", ENTRY_M, SPEED_M_S, approach=a) for a in ARMS for k in (0, 1)),
        exits=tuple(Exit(f"{a}out", 100.0, SPEED_M_S) for a in ARMS),
        movements=tuple(m for a in ARMS for m in _movements(a)),
        permissions=(Permission("EWL", "EW"),),
        intergreens=gaps,
        detectors=loops() if detectors is None else detectors,
        nodes=(Node("node", STAGES, stages, programmes=(programme,)),),
    )


def _movements(arm: str) -> tuple[Movement, ...]:
    right, across, left = (f"{ARMS[(ARMS.index(arm) + k) % 4]}out" for k in (3, 2, 1))
    opposite = ARMS[(ARMS.index(arm) + 2) % 4]
    straight = "NS" if arm in "ns" else "EW"
    return (
        Movement(f"{arm}0", across, straight, Direction.STRAIGHT, 0.8, 25.0),
        Movement(f"{arm}0", right, straight, Direction.RIGHT, 0.2, 12.0),
        Movement(f"{arm}1", left, f"{straight}L", Direction.LEFT, 1.0, 22.0, yields_to=(f"{opposite}0",)),
    )


def shared_left(**more: Any) -> Junction:
    """Return the crossing in which east and west also turn left from the lane of their straight traffic, in the group of the left turns."""
    one = junction()
    left = (Movement(f"{a}0", exit_, "EWL", Direction.LEFT, 0.3, 22.0, yields_to=(f"{b}0",)) for a, b, exit_ in (("e", "w", "sout"), ("w", "e", "nout")))
    return replace(one, movements=(*one.movements, *left), **more)


def loops() -> tuple[Detector, ...]:
    """Return all loops of the crossing."""
    return tuple(d for a in ARMS for d in arm_loops(a, shared_entry=a in "ns")) + tuple(Detector(f"{a}out/x", Purpose.EXIT, (f"{a}out",), 20.0) for a in ARMS)


def arm_loops(arm: str, *, shared_entry: bool) -> tuple[Detector, ...]:
    """Return one arm's loops; with ``shared_entry`` one loop stands before the road widens."""
    lanes = (f"{arm}0", f"{arm}1")
    found = []
    for lane in lanes:
        entry = f"{arm}/300" if shared_entry else f"{lane}/300"
        found.append(Detector(f"{lane}/1", Purpose.STOP, (lane,), STOP_M, LOOP_M, upstream=(f"{lane}/45",)))
        found.append(Detector(f"{lane}/45", Purpose.ADVANCE, (lane,), NEAR_M, LOOP_M, upstream=(f"{lane}/120",)))
        found.append(Detector(f"{lane}/120", Purpose.ADVANCE, (lane,), FAR_M, LOOP_M, upstream=(entry,)))
        if not shared_entry:
            found.append(Detector(entry, Purpose.ENTRY, (lane,), ENTRY_M, LOOP_M))
    if shared_entry:
        found.append(Detector(f"{arm}/300", Purpose.ENTRY, lanes, ENTRY_M, LOOP_M))
    return tuple(found)


# Roads: vehicles that follow Newell's simplified car following (Transportation Research B 36, 2002), one lane each.


@dataclass(frozen=True)
class Road:
    """One lane's traffic: when each vehicle passes which distance from the stop line.

    A vehicle drives freely from its ``entries_ms`` on (at 302 m), and no closer to the one ahead than its path, a time and a
    spacing later. It passes the stop line only within ``greens_ms``; the first one after red starts ``startup_ms`` late.
    """

    entries_ms: tuple[int, ...]
    greens_ms: tuple[tuple[int, int], ...] = ((0, 1 << 40),)
    headway_ms: int = 2_000
    startup_ms: int = 1_200
    speed_m_s: float = SPEED_M_S

    def at(self, k: int, distance_m: float) -> int:
        """Return when the front of vehicle ``k`` is ``distance_m`` before the stop line (negative: beyond it)."""
        return round(self._at(k, round(distance_m, 3)))

    @cache  # noqa: B019 - roads live as long as a test
    def _at(self, k: int, distance_m: float) -> float:
        if distance_m < 0.0:
            return self._at(k, 0.0) - 1000.0 * distance_m / self.speed_m_s
        free = self.entries_ms[k] + 1000.0 * (ENTRY_M + LOOP_M - distance_m) / self.speed_m_s
        if k > 0:
            lag_ms = self.headway_ms - 1000.0 * SPACING_M / self.speed_m_s
            free = max(free, self._at(k - 1, round(distance_m - SPACING_M, 3)) + lag_ms)
        return self._through(free) if distance_m == 0.0 else free

    def _through(self, at_ms: float) -> float:
        for begin_ms, end_ms in self.greens_ms:
            if at_ms < begin_ms:
                return begin_ms + self.startup_ms
            if at_ms < end_ms:
                return at_ms
        return float(1 << 40)

    def events(self, names: Mapping[float, str] | str) -> list[InputEvent]:
        """Return the edges at the loops of a lane (by its id), or at ``names`` by distance."""
        where = lane_loops(names) if isinstance(names, str) else names
        found = []
        for k in range(len(self.entries_ms)):
            for distance_m, name in where.items():
                found += cover(name, self.at(k, distance_m + LOOP_M), self.at(k, distance_m - VEHICLE_M))
        return sorted(e for e in found if e.at_ms < 1 << 39)

    def inside(self, now_ms: int) -> int:
        """Return how many vehicles are between the entry loop and the stop loop's end."""
        return sum(1 for k, entry_ms in enumerate(self.entries_ms) if entry_ms <= now_ms < self.at(k, STOP_M - VEHICLE_M))


def lane_loops(lane: str) -> dict[float, str]:
    """Return the loops of a lane by distance."""
    return {d.distance_m: d.id for d in loops() if lane in d.lanes and d.purpose is not Purpose.EXIT}


def cover(loop: str, on_ms: int, off_ms: int) -> list[InputEvent]:
    """Return the edges of one vehicle over a loop."""
    return [InputEvent(on_ms, InputKind.PRESENCE, loop, 1), InputEvent(off_ms, InputKind.PRESENCE, loop, 0)]


def drive(loop: str, at_ms: int, speed_m_s: float = SPEED_M_S) -> list[InputEvent]:
    """Return the edges of one vehicle that crosses a loop at a speed."""
    return cover(loop, at_ms, at_ms + round(1000.0 * (LOOP_M + VEHICLE_M) / speed_m_s))


@dataclass
class Watch:
    """Detection and estimate fed with scripted events, in ticks."""

    junction: Junction = field(default_factory=junction)
    events: list[InputEvent] = field(default_factory=list)
    tick_ms: int = 500
    now_ms: int = 0
    greens: dict[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    health: list[HealthEvent] = field(default_factory=list)
    green_of: Callable[[int], Mapping[str, int | None]] | None = None

    def __post_init__(self) -> None:
        self.detection = Detection(self.junction, self.now_ms)
        self.estimator = LoopEstimator(self.junction, self.now_ms)
        self.events = sorted(self.events)
        self._next = 0
        self.estimator.update(self.now_ms, [], self.detection.states(), self.green_since())

    def add(self, *parts: Iterable[InputEvent]) -> None:
        """Add events that lie ahead."""
        self.events = sorted([*self.events, *(e for part in parts for e in part)])

    def until(self, end_ms: int) -> dict[str, LaneBelief]:
        """Tick until ``end_ms``; return the beliefs then."""
        while self.now_ms + self.tick_ms <= end_ms:
            self.now_ms += self.tick_ms
            first = self._next
            while self._next < len(self.events) and self.events[self._next].at_ms <= self.now_ms:
                self._next += 1
            edges, health = self.detection.feed(self.events[first : self._next], self.now_ms)
            self.health += health
            self.estimator.update(self.now_ms, edges, self.detection.states(), self.green_since())
        return self.estimator.beliefs(self.now_ms)

    def green_since(self) -> Mapping[str, int | None]:
        """Return since when each group is green, by script or by ``green_of``."""
        now_ms = self.now_ms
        if self.green_of is not None:
            return self.green_of(now_ms)
        return {g.id: next((a for a, b in self.greens.get(g.id, ()) if a <= now_ms < b), None) for g in self.junction.groups}


def total(beliefs: Mapping[str, LaneBelief], lanes: Iterable[str]) -> float:
    """Return the believed vehicles on some lanes."""
    return sum(sum(beliefs[x].weight) for x in lanes)


# Snapshots for planners, without an estimator.


def belief(arrivals_ms: Sequence[int] = (), now_ms: int = 0, **more: Any) -> LaneBelief:
    """Return a lane's belief with certain vehicles."""
    values: dict[str, Any] = {
        "arrival_ms": tuple(sorted(arrivals_ms)),
        "weight": (1.0,) * len(arrivals_ms),
        "queue_veh": float(sum(1 for a in arrivals_ms if a <= now_ms)),
        "movement_ratio": (1.0,),
        "headway_ms": 2_000,
        "startup_ms": 1_000,
        "flow_veh_s": 0.0,
        "blocked_ms": NEVER_MS,
        "known_ms": 24_000,
        "waiting_since_ms": min(arrivals_ms, default=1 << 40),
    }
    values |= more
    values["head_ratio"] = values.get("head_ratio", values["movement_ratio"])
    return LaneBelief(**{f.name: values[f.name] for f in fields(LaneBelief) if f.name in values})


@dataclass
class Scene:
    """What a planner is shown: the node stands in ``stage`` since ``since_ms``; beliefs by lane, loops by id."""

    junction: Junction = field(default_factory=junction)
    stage: int = 0
    since_ms: int = 0
    now_ms: int = 60_000
    arrivals_ms: dict[str, list[int]] = field(default_factory=dict)
    loops: dict[str, DetectorState] = field(default_factory=dict)
    beliefs: dict[str, dict[str, Any]] = field(default_factory=dict)
    blocked_exits: frozenset[str] = frozenset()
    shut_exits: frozenset[str] = frozenset()

    def see(self, loop: str, *, occupied: bool = False, changed_ms: int = 0, count: int = 0, trusted: bool = True) -> None:
        """Set one loop's state."""
        self.loops[loop] = DetectorState(trusted, occupied, changed_ms, count)

    def signals(self) -> SignalState:
        """Return where the node stands."""
        (node,) = self.junction.nodes
        green = node.stages[self.stage].green
        return SignalState(
            stage=self.stage,
            from_stage=self.stage,
            settled_ms=self.since_ms,
            earliest_leave_ms=self.since_ms + MIN_GREEN_MS,
            green_since_ms={g: self.since_ms if g in green else None for g in node.groups},
            red_since_ms={g: None if g in green else self.since_ms - INTERGREEN_MS for g in node.groups},
        )

    def snapshot(self) -> Snapshot:
        """Return the snapshot at ``now_ms``."""
        lanes = {}
        for lane in self.junction.lanes:
            ratio = tuple(m.share_ratio for m in self.junction.movements if m.lane == lane.id)
            more = {"movement_ratio": ratio, **self.beliefs.get(lane.id, {})}
            lanes[lane.id] = belief(self.arrivals_ms.get(lane.id, ()), self.now_ms, **more)
        states = {d.id: self.loops.get(d.id, DetectorState(True, False, 0, 0)) for d in self.junction.detectors}
        return Snapshot(self.now_ms // 1000, self.now_ms, self.signals(), states, lanes, self.blocked_exits, shut_exits=self.shut_exits)

    def go(self, stage: int, at_ms: int) -> None:
        """Let the node stand in another stage."""
        self.stage, self.since_ms = stage, at_ms


def without(one: Junction, *detectors: str) -> Junction:
    """Return the junction without some loops; the ways that led over them go on."""
    before = {d.id: d.upstream for d in one.detectors}
    kept = [d for d in one.detectors if d.id not in detectors]
    return replace(one, detectors=tuple(replace(d, upstream=tuple(x for u in d.upstream for x in (before[u] if u in detectors else (u,)))) for d in kept))


def gaps_ms(times_ms: Sequence[int]) -> list[int]:
    """Return the differences between neighbours."""
    return [b - a for a, b in pairwise(times_ms)]


class Stands(NamedTuple):
    """The node stood in a stage: from the tick in which all its groups were green to the tick in which the next transition began."""

    stage: str
    from_ms: int
    to_ms: int

    @property
    def green_ms(self) -> int:
        """Return how long it stood."""
        return self.to_ms - self.from_ms


class Play:
    """A planner, a sequencer and scripted loops together, tick by tick, as the junction's loop has them."""

    def __init__(self, planner: Planner, watch: Watch, *, one: Junction | None = None) -> None:
        self.watch, self.planner = watch, planner
        self.node = (one or watch.junction).nodes[0]
        self.sequencer = Sequencer(watch.junction, self.node, watch.now_ms)
        self.plans: list[Plan] = []
        self.stood: list[Stands] = []
        self._since: tuple[str, int] | None = None
        self._tick = 0
        watch.green_of = lambda now_ms: self.sequencer.state(now_ms).green_since_ms

    def run(self, end_ms: int) -> list[Stands]:
        """Go on until ``end_ms``; return the stages that stood, the present one included."""
        watch = self.watch
        while watch.now_ms + watch.tick_ms <= end_ms:
            now_ms = watch.now_ms + watch.tick_ms
            lanes = watch.until(now_ms)
            states, blocked = watch.detection.states(), watch.estimator.blocked_exits()
            self.planner.submit(Snapshot(self._tick, now_ms, self.sequencer.state(now_ms), states, lanes, blocked))
            plan = self.planner.poll()
            if plan is not None:
                self.plans.append(plan)
                self.sequencer.adopt(plan)
            self._record(self.sequencer.step(now_ms), now_ms)
            self._tick += 1
        return [*self.stood, *([Stands(*self._since, watch.now_ms)] if self._since else [])]

    def _record(self, aspects: Mapping[str, Aspect], now_ms: int) -> None:
        stage = self.node.stages[self.sequencer.state(now_ms).stage]
        stands = not self.sequencer.running and all(aspects[g] is Aspect.GREEN for g in stage.green)
        if self._since and (not stands or self._since[0] != stage.id):
            self.stood.append(Stands(*self._since, now_ms))
            self._since = None
        if stands and not self._since:
            self._since = (stage.id, now_ms)
