"""What the peers see: every vehicle on the approach lanes of a light, and the approaches that its exits lead to.

A view that no street has. Vehicle ids serve as keys inside this module only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from hardware.sumo import SumoWorld
from scenarios.peers_ways import edge_of

DOWNSTREAM_EDGES: Final = 12  # how many edges an exit is followed to find the next light
TURNING_BACK: Final = ("t", "T")


class Approach:
    """The vehicles on a set of approach lanes of one light, as RESCO observes them (Ault & Sharon 2021).

    A vehicle counts while it is on one of the lanes and at most ``range_m`` before the next stop line. Once seen
    standing it counts as queued until it is gone from the lanes, even where it creeps forward.
    """

    def __init__(self, world: SumoWorld, lanes: Sequence[str], range_m: float) -> None:
        self._world = world
        self._lanes = tuple(lanes)
        self._range_m = range_m
        self._queued: set[str] = set()

    def observe(self) -> tuple[dict[str, int], dict[str, int]]:
        """Return vehicles and queued vehicles per lane. Call it once per decision: what was seen standing is remembered."""
        present: dict[str, int] = {}
        queued: dict[str, int] = {}
        still: set[str] = set()
        vehicle = self._world.api.vehicle
        with self._world.link():
            for lane in self._lanes:
                names = [name for name in self._world.api.lane.getLastStepVehicleIDs(lane) if self._in_range(name)]
                standing = [name for name in names if name in self._queued or vehicle.getWaitingTime(name) > 0]
                present[lane], queued[lane] = len(names), len(standing)
                still.update(standing)
        self._queued = still
        return present, queued

    def _in_range(self, name: str) -> bool:
        ahead = self._world.api.vehicle.getNextTLS(name)
        return bool(ahead) and ahead[0][2] <= self._range_m


def approaches_of_others(world: SumoWorld, own_light: str) -> dict[str, tuple[str, ...]]:
    """Return, per edge that ends at another light than ``own_light``, its controlled lanes in order."""
    found: dict[str, list[str]] = {}
    with world.link():
        for light in world.api.trafficlight.getIDList():
            if light == own_light:
                continue
            for lane in world.api.trafficlight.getControlledLanes(light):
                known = found.setdefault(edge_of(lane), [])
                if not lane.startswith(":") and lane not in known:
                    known.append(lane)
    return {edge: tuple(sorted(lanes)) for edge, lanes in found.items()}


def downstream_lanes(world: SumoWorld, exit_lane: str, approaches: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return the lanes of the next light's approach that an exit leads to, straight on; none where the road ends or forks first.

    ``approaches`` are those of the other lights (`approaches_of_others`). Turning back is no way on.
    """
    edge = edge_of(exit_lane)
    with world.link():
        for _ in range(DOWNSTREAM_EDGES):
            if edge in approaches:
                return approaches[edge]
            following = _next_edges(world, edge)
            if len(following) != 1:
                return ()
            edge = following.pop()
    return ()


def _next_edges(world: SumoWorld, edge: str) -> set[str]:
    """Return the edge that follows straight on, or the only one that follows; several or none where neither is clear."""
    straight: set[str] = set()
    all_edges: set[str] = set()
    for index in range(world.api.edge.getLaneNumber(edge)):
        for link in world.api.lane.getLinks(f"{edge}_{index}"):
            to_edge, direction = edge_of(link[0]), link[6]
            if direction not in TURNING_BACK:
                all_edges.add(to_edge)
            if direction == "s":
                straight.add(to_edge)
    return straight if len(straight) == 1 else all_edges
