"""The estimator with a perfect view: an upper bound on what sensing could bring, never a product result.

It is given the vehicles by a callable, so that it knows nothing of the simulator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol

from controller.detection import Edge
from controller.estimate import GreenSince, LoopEstimator
from controller.junction import Junction, Movement
from controller.snapshot import DetectorState, LaneBelief
from controller.vehicles import ACCELERATION_M_S2

RANGE_M: Final = 300.0
_HEAD_VEHICLES: Final = 4  # the movements of this many vehicles at the head are what the lane's shares are


class Seen(Protocol):
    """One vehicle before the light."""

    link: int
    lane: str
    distance_m: float
    speed_m_s: float
    waiting_s: float


class OracleEstimator:
    """Beliefs made of true positions. Headway, start-up and blockage are learned as by loops."""

    def __init__(self, junction: Junction, start_ms: int, view: Callable[[], Sequence[Seen]]) -> None:
        self._loops = LoopEstimator(junction, start_ms)
        self._view = view
        self._group_of_link = {k: g.id for g in junction.groups for k in g.links}
        self._movements: dict[str, tuple[Movement, ...]] = {x.id: tuple(m for m in junction.movements if m.lane == x.id) for x in junction.lanes}
        self._lanes_of_group: dict[str, tuple[str, ...]] = {}
        for m in junction.movements:
            known = self._lanes_of_group.get(m.group, ())
            if m.lane not in known:
                self._lanes_of_group[m.group] = (*known, m.lane)
        self._speeds = {x.id: x.speed_m_s for x in junction.lanes}

    def update(self, now_ms: int, edges: Iterable[Edge], states: Mapping[str, DetectorState], green: GreenSince) -> None:
        """Take what the loops tell, for what is learned from them."""
        self._loops.update(now_ms, edges, states, green)

    def blocked_exits(self) -> frozenset[str]:
        """Return the exits whose loop has been covered for some seconds."""
        return self._loops.blocked_exits()

    def beliefs(self, now_ms: int) -> dict[str, LaneBelief]:
        """Return the belief of every lane from the vehicles that are really there."""
        found: dict[str, list[tuple[float, int, float, str]]] = {x: [] for x in self._movements}
        for seen in self._view():
            group = self._group_of_link.get(seen.link)
            if group is None or seen.distance_m > RANGE_M:
                continue
            serving = self._lanes_of_group.get(group, ())
            lanes = (seen.lane,) if seen.lane in serving else serving
            for lane in lanes:
                arrival_ms = now_ms + _travel_ms(seen, self._speeds[lane])
                found[lane].append((seen.distance_m, arrival_ms, 1.0 / len(lanes), group))
        learned = self._loops.beliefs(now_ms)
        return {lane: self._belief(lane, sorted(vehicles), learned[lane], now_ms) for lane, vehicles in found.items()}

    def _belief(self, lane: str, vehicles: list[tuple[float, int, float, str]], learned: LaneBelief, now_ms: int) -> LaneBelief:
        heads = vehicles[:_HEAD_VEHICLES]
        total = sum(w for _, _, w, _ in heads)
        moves = self._movements[lane]
        ratio = learned.movement_ratio
        if total > 0.0:
            by_group = {g: sum(w for _, _, w, h in heads if h == g) / total for g in {m.group for m in moves}}
            ratio = tuple(by_group[m.group] / sum(1 for x in moves if x.group == m.group) for m in moves)
        return LaneBelief(
            arrival_ms=tuple(a for _, a, _, _ in vehicles),
            weight=tuple(w for _, _, w, _ in vehicles),
            queue_veh=sum(w for _, a, w, _ in vehicles if a <= now_ms),
            movement_ratio=ratio,
            head_ratio=self._head(moves, vehicles) or ratio,
            headway_ms=learned.headway_ms,
            startup_ms=learned.startup_ms,
            flow_veh_s=learned.flow_veh_s,
            blocked_ms=learned.blocked_ms,
            last_leave_ms=learned.last_leave_ms,
            known_ms=int(1000.0 * RANGE_M / self._speeds[lane]),
            head_yields=learned.head_yields,
            stuck_ms=learned.stuck_ms,
            inside_veh=learned.inside_veh,
            full=learned.full,
        )

    def _head(self, moves: tuple[Movement, ...], vehicles: list[tuple[float, int, float, str]]) -> tuple[float, ...]:
        """Return which way the first vehicle goes, by movement; empty where there is none."""
        if not vehicles:
            return ()
        mine = sum(1 for m in moves if m.group == vehicles[0][3])
        return tuple(1.0 / mine if m.group == vehicles[0][3] else 0.0 for m in moves)


def _travel_ms(seen: Seen, free_m_s: float) -> int:
    """Return the time to the stop line of a vehicle that accelerates to the free speed; minus its wait where it stands."""
    if seen.speed_m_s < 0.5:
        return -int(1000.0 * seen.waiting_s)
    lost_m_s = max(free_m_s - seen.speed_m_s, 0.0)
    lost_s = lost_m_s**2 / (2.0 * ACCELERATION_M_S2 * free_m_s)
    return int(1000.0 * (max(seen.distance_m, 0.0) / free_m_s + lost_s))
