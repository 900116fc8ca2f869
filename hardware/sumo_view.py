"""The perfect view of a simulation: every vehicle before a light. For ``--detection oracle`` and the peers that need it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from hardware.sumo import SumoWorld


class SeenVehicle(NamedTuple):
    """One vehicle before a light; ``link`` is the index of the light's state string that it will cross next."""

    link: int
    lane: str
    distance_m: float
    speed_m_s: float
    waiting_s: float


class VehicleView:
    """All vehicles by light, read once per step on demand."""

    def __init__(self, world: SumoWorld) -> None:
        self._world = world
        self._read_ms = -1
        self._by_light: dict[str, list[SeenVehicle]] = {}

    def before(self, light_id: str, range_m: float) -> list[SeenVehicle]:
        """Return the vehicles within ``range_m`` before the light's stop lines, in no particular order."""
        if self._read_ms != self._world.now_ms:
            self._refresh()
        return [seen for seen in self._by_light.get(light_id, ()) if seen.distance_m <= range_m]

    def _refresh(self) -> None:
        vehicle = self._world.api.vehicle
        next_lights, lane_of = vehicle.getNextTLS, vehicle.getLaneID
        speed_of, waiting_of = vehicle.getSpeed, vehicle.getWaitingTime
        found: dict[str, list[SeenVehicle]] = {}
        with self._world.link():
            for name in vehicle.getIDList():
                ahead = next_lights(name)
                if not ahead:
                    continue
                lane, speed_m_s, waiting_s = lane_of(name), speed_of(name), waiting_of(name)
                light, link, distance_m, _letter = ahead[0]  # when it will reach the lights behind is up to this one
                found.setdefault(light, []).append(SeenVehicle(link, lane, distance_m, speed_m_s, waiting_s))
        self._by_light = found
        self._read_ms = self._world.now_ms
