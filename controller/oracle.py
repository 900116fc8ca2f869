"""The estimator with parts of its belief replaced by what is really there: what sensing could bring at most, never a product result.

It is given the vehicles by a callable, so that it knows nothing of the simulator. Each part alone, and all together, make the
ladder of `benchmarks.ladder`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import zip_longest
from typing import Final, NamedTuple, Protocol

from controller.detection import Edge
from controller.estimate import GreenSince, LoopEstimator
from controller.junction import Junction, Movement, Purpose
from controller.lane_model import NEVER_MS
from controller.snapshot import DetectorState, LaneBelief
from controller.vehicles import ACCELERATION_M_S2

RANGE_M: Final = 300.0
UNKNOWN: Final = -1  # no movement is known
_HELD_RATIO: Final = 0.5  # who is slower than this share of the free speed is held up: it is late since it was last seen to drive freely
_HEAD_VEHICLES: Final = 4  # the movements of this many vehicles at the head are what the lane's shares are
_NO_FLOW_MS: Final = 1 << 30  # known that far ahead: nothing is expected beyond
_AHEAD_MS: Final = 90_000  # farther than any horizon


class Part(StrEnum):
    """What of a belief can be replaced by the truth."""

    LANES = "lanes"  # which of the lanes side by side each vehicle that the loops know of is on
    POSITIONS = "positions"  # who is there, where, on which lane, within the view
    WAYS = "ways"  # which movement of its lane each vehicle takes
    INSIDE = "inside"  # who waits for a gap inside the junction
    DISCHARGE = "discharge"  # headway and start-up loss of each lane, from a run before
    COMING = "coming"  # who will come into view within the horizon, from a run before


SEEN: Final = frozenset({Part.POSITIONS, Part.WAYS, Part.INSIDE})
"""All that can be seen at one moment: ``--detection oracle``."""


class Seen(Protocol):
    """One vehicle before the light, or, where ``distance_m`` is negative, on its way across the junction behind the stop line."""

    name: str
    stop_lane: str  # the lane whose stop line it heads for
    exit: str
    distance_m: float
    speed_m_s: float
    waiting_s: float


@dataclass(frozen=True)
class Foresight:
    """What only a run before can tell: per lane headway and start-up loss in ms, per loop when vehicles come into view there, in order."""

    discharge_ms: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    entries_ms: Mapping[str, Sequence[int]] = field(default_factory=dict)


class _Vehicle(NamedTuple):
    arrival_ms: int
    weight: float
    way: int = UNKNOWN


class OracleEstimator:
    """Beliefs with some parts true, the others from the loops. Blockage is always learned as by loops."""

    def __init__(
        self,
        junction: Junction,
        start_ms: int,
        view: Callable[[], Sequence[Seen]],
        parts: frozenset[Part] = SEEN,
        foresight: Foresight | None = None,
    ) -> None:
        self._loops = LoopEstimator(junction, start_ms)
        self._view = view
        self._parts = parts
        self._foresight = foresight or Foresight()
        self._lanes = {x.id: x for x in junction.lanes}
        self._movements: dict[str, tuple[Movement, ...]] = {x.id: tuple(m for m in junction.movements if m.lane == x.id) for x in junction.lanes}
        self._ways = {(m.lane, m.exit): i for moves in self._movements.values() for i, m in enumerate(moves)}
        self._yielding = {(m.lane, m.exit) for m in junction.movements if junction.gives_way_to(m)}
        self._approaches: dict[str, list[str]] = {}
        for lane in junction.lanes:
            self._approaches.setdefault(lane.approach or lane.id, []).append(lane.id)
        self._arrival_ms: dict[str, int] = {}  # when each vehicle is at the stop line, or could have been there, had nothing held it up
        self._entries = {d.id: d for d in junction.detectors if d.purpose is not Purpose.EXIT and not d.upstream}

    def update(self, now_ms: int, edges: Iterable[Edge], states: Mapping[str, DetectorState], green: GreenSince) -> None:
        """Take what the loops tell, for what is learned from them."""
        self._loops.update(now_ms, edges, states, green)

    def blocked_exits(self) -> frozenset[str]:
        """Return the exits whose loop has been covered for some seconds."""
        return self._loops.blocked_exits()

    def beliefs(self, now_ms: int) -> dict[str, LaneBelief]:
        """Return the belief of every lane, the parts asked for from the vehicles that are really there."""
        learned = self._loops.beliefs(now_ms)
        before, inside = self._look(now_ms)
        if Part.POSITIONS in self._parts:
            vehicles = {lane: [_Vehicle(self._arrival_ms[v.name], 1.0) for v in there] for lane, there in before.items()}
        elif Part.LANES in self._parts:
            vehicles = self._split(before, learned)
        else:
            vehicles = {lane: _believed(learned[lane]) for lane in before}
        if Part.WAYS in self._parts:
            vehicles = {lane: self._with_ways(lane, vehicles[lane], there) for lane, there in before.items()}
        found = {lane: self._belief(lane, vehicles[lane], learned[lane], now_ms) for lane in before}
        if Part.INSIDE in self._parts:
            found = {lane: replace(b, inside_veh=inside[lane]) for lane, b in found.items()}
        known_ms = self._foresight.discharge_ms if Part.DISCHARGE in self._parts else {}
        for lane in found.keys() & known_ms.keys():  # those of other lights are in it, too
            headway_ms, startup_ms = known_ms[lane]
            found[lane] = replace(found[lane], headway_ms=headway_ms, startup_ms=startup_ms)
        return self._with_entries(found, now_ms) if Part.COMING in self._parts else found

    def _look(self, now_ms: int) -> tuple[dict[str, list[Seen]], dict[str, float]]:
        """Return by lane the vehicles before its stop line in order, and how many wait inside; remember since when each is late."""
        before: dict[str, list[Seen]] = {x: [] for x in self._movements}
        inside = dict.fromkeys(self._movements, 0.0)
        found_ms: dict[str, int] = {}
        for seen in sorted(self._view(), key=lambda v: v.distance_m):
            if seen.stop_lane not in before:
                continue
            if seen.distance_m < 0.0:
                inside[seen.stop_lane] += (seen.stop_lane, seen.exit) in self._yielding
            elif seen.distance_m <= RANGE_M:
                before[seen.stop_lane].append(seen)
                speed_m_s = self._lanes[seen.stop_lane].speed_m_s
                arrival_ms = now_ms + _travel_ms(seen, speed_m_s)
                if seen.speed_m_s < _HELD_RATIO * speed_m_s:
                    arrival_ms = min(self._arrival_ms.get(seen.name, arrival_ms), arrival_ms)
                found_ms[seen.name] = arrival_ms
        self._arrival_ms = found_ms
        return before, inside

    def _split(self, before: Mapping[str, list[Seen]], learned: Mapping[str, LaneBelief]) -> dict[str, list[_Vehicle]]:
        """Return the vehicles that the loops know of, of each approach the n-th one on the lane where the n-th one really is."""
        found: dict[str, list[_Vehicle]] = {}
        for lanes in self._approaches.values():
            tracks = {lane: self._loops.vehicles.tracks[lane].vehicles for lane in lanes}
            known = sorted({id(v): v for lane in lanes for v in tracks[lane]}.values(), key=lambda v: (v.distance_m, v.passed_ms))
            there = sorted((v for lane in lanes for v in before[lane]), key=lambda v: v.distance_m)
            on: dict[str, list[_Vehicle]] = {lane: [] for lane in lanes}
            for vehicle, seen in zip_longest(known, there[: len(known)]):
                weights = vehicle.weights if seen is None else {seen.stop_lane: sum(vehicle.weights.values())}
                for lane, weight in weights.items():
                    on.setdefault(lane, []).append(_Vehicle(vehicle.arrival_ms, weight))
            found.update(on)
        return {lane: found[lane] if len(self._approaches[self._lanes[lane].approach or lane]) > 1 else _believed(learned[lane]) for lane in before}

    def _with_ways(self, lane: str, vehicles: list[_Vehicle], there: list[Seen]) -> list[_Vehicle]:
        """Return the vehicles with the ways of those really there, whole ones in the same order."""
        ways = iter([self._ways.get((lane, v.exit), UNKNOWN) for v in there])
        return [v._replace(way=next(ways, UNKNOWN)) if v.weight >= 0.5 else v for v in vehicles]

    def _belief(self, lane: str, vehicles: list[_Vehicle], learned: LaneBelief, now_ms: int) -> LaneBelief:
        vehicles = sorted(vehicles, key=lambda v: v.arrival_ms) if Part.POSITIONS not in self._parts else vehicles
        moves = self._movements[lane]
        heads = [v.way for v in vehicles if v.way != UNKNOWN][:_HEAD_VEHICLES]
        ratio, head = learned.movement_ratio, learned.head_ratio
        if heads:
            ratio = tuple(heads.count(i) / len(heads) for i in range(len(moves)))
            head = tuple(float(i == heads[0]) for i in range(len(moves)))
        return replace(
            learned,
            arrival_ms=tuple(v.arrival_ms for v in vehicles),
            weight=tuple(v.weight for v in vehicles),
            queue_veh=sum(v.weight for v in vehicles if v.arrival_ms <= now_ms),
            movement_ratio=ratio,
            head_ratio=head,
            ways=tuple(v.way for v in vehicles) if heads else (),
            waiting_since_ms=min([*(v.arrival_ms for v in vehicles[:1]), *([learned.waiting_since_ms] if vehicles else [])], default=NEVER_MS),
        )

    def _with_entries(self, beliefs: dict[str, LaneBelief], now_ms: int) -> dict[str, LaneBelief]:
        """Return the beliefs with those who will come into view, instead of the expected flow."""
        coming: dict[str, list[tuple[int, float]]] = {lane: [] for lane in beliefs}
        for loop in self._entries.values():
            shares = self._loops.vehicles.shares(loop.id)
            times = self._foresight.entries_ms.get(loop.id, ())
            for at_ms in times[bisect_right(times, now_ms) : bisect_right(times, now_ms + _AHEAD_MS)]:
                for lane, share in shares.items():
                    coming[lane].append((at_ms + self._loops.vehicles.tracks[lane].travel_ms(loop.distance_m), share))
        found = {}
        for lane, belief in beliefs.items():
            new = sorted(coming[lane])
            found[lane] = replace(
                belief,
                arrival_ms=(*belief.arrival_ms, *(a for a, _ in new)),
                weight=(*belief.weight, *(w for _, w in new)),
                flow_veh_s=0.0,
                known_ms=_NO_FLOW_MS,
            )
        return found


def _believed(learned: LaneBelief) -> list[_Vehicle]:
    return [_Vehicle(a, w) for a, w in zip(learned.arrival_ms, learned.weight, strict=True)]


def _travel_ms(seen: Seen, free_m_s: float) -> int:
    """Return the time to the stop line of a vehicle that accelerates to the free speed; minus its wait where it stands."""
    if seen.speed_m_s < 0.5:
        return -int(1000.0 * seen.waiting_s)
    lost_m_s = max(free_m_s - seen.speed_m_s, 0.0)
    lost_s = lost_m_s**2 / (2.0 * ACCELERATION_M_S2 * free_m_s)
    return int(1000.0 * (max(seen.distance_m, 0.0) / free_m_s + lost_s))
