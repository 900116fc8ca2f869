"""The perfect view of a simulation: every vehicle before a light. For ``--detection oracle`` and the peers that need it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from hardware.sumo import SumoWorld


class SeenVehicle(NamedTuple):
    """One vehicle before a light; ``link`` is the index of the light's state string that it will cross next.

    ``stop_lane`` and ``exit``: from which lane's stop line to which lane that link leads, empty for a crossing.
    """

    link: int
    lane: str
    distance_m: float
    speed_m_s: float
    waiting_s: float
    stop_lane: str
    exit: str
    name: str


_Ways = Sequence[Sequence[tuple[str, str, str]]]  # per link: (from lane, to lane, lane inside the junction)


class VehicleView:
    """All vehicles by light, read once per step on demand."""

    def __init__(self, world: SumoWorld) -> None:
        self._world = world
        self._read_ms = -1
        self._by_light: dict[str, list[SeenVehicle]] = {}
        self._inside: dict[str, list[SeenVehicle]] = {}
        self._ways: dict[str, _Ways] = {}
        self._way_of_inner: dict[str, tuple[str, int, str, str]] = {}  # lane inside a junction: light, link, from lane, to lane

    def before(self, light_id: str, range_m: float) -> list[SeenVehicle]:
        """Return the vehicles within ``range_m`` before the light's stop lines, in no particular order."""
        if self._read_ms != self._world.now_ms:
            self._refresh()
        return [seen for seen in self._by_light.get(light_id, ()) if seen.distance_m <= range_m]

    def inside(self, light_id: str) -> list[SeenVehicle]:
        """Return the vehicles between the light's stop lines and where they would wait for a gap; their distances are negative."""
        if self._read_ms != self._world.now_ms:
            self._refresh()
        return self._inside.get(light_id, [])

    def _read_ways(self) -> None:
        """Read once which link leads from where to where."""
        lights = self._world.api.trafficlight
        for light in lights.getIDList():
            self._ways[light] = [[way for way in link if not way[0].startswith(":")] for link in lights.getControlledLinks(light)]
            for link, ways in enumerate(self._ways[light]):
                self._way_of_inner.update({inner: (light, link, start, end) for start, end, inner in ways})

    def _refresh(self) -> None:
        vehicle = self._world.api.vehicle
        next_lights, lane_of = vehicle.getNextTLS, vehicle.getLaneID
        speed_of, waiting_of = vehicle.getSpeed, vehicle.getWaitingTime
        found: dict[str, list[SeenVehicle]] = {}
        inside: dict[str, list[SeenVehicle]] = {}
        with self._world.link():
            if not self._ways:
                self._read_ways()
            for name in vehicle.getIDList():
                lane = lane_of(name)
                if lane in self._way_of_inner:
                    light, link, start, end = self._way_of_inner[lane]
                    gone_m = max(vehicle.getLanePosition(name), 0.1)
                    inside.setdefault(light, []).append(SeenVehicle(link, lane, -gone_m, speed_of(name), waiting_of(name), start, end, name))
                ahead = next_lights(name)
                if not ahead:
                    continue
                light, link, distance_m, _letter = ahead[0]  # when it will reach the lights behind is up to this one
                ways = self._ways[light][link]
                start, end = next((way[:2] for way in ways if way[0] == lane), ways[0][:2] if ways else ("", ""))
                found.setdefault(light, []).append(SeenVehicle(link, lane, distance_m, speed_of(name), waiting_of(name), start, end, name))
        self._by_light, self._inside = found, inside
        self._read_ms = self._world.now_ms
