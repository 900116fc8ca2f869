"""The floor: what the same traffic loses with all lights green and right of way ignored.

Vehicles still follow each other, keep to the speed limits and wait for room to be inserted; they drive through each other on the
junctions. Whatever a control loses beyond that is owed to the crossing of streets. It is a bound, not a control: nothing can reach it.
"""

from __future__ import annotations

from typing import Final

from hardware.sumo import SumoWorld

# SUMO's speed mode: safe speed (1), most acceleration (2), most deceleration (4), and right of way disregarded within junctions too
# (32); neither right of way before them (8) nor red lights (16) are heeded. Source: SUMO, TraCI/Change Vehicle State, "speed mode".
SPEED_MODE: Final = 1 | 2 | 4 | 32


class Heedless:
    """Makes every vehicle ignore right of way from its departure on."""

    def __init__(self, world: SumoWorld) -> None:
        self._world = world

    def tick(self) -> None:
        """Take the vehicles that departed in the last step. Raises `PortError`."""
        with self._world.link():
            for name in self._world.api.simulation.getDepartedIDList():
                self._world.api.vehicle.setSpeedMode(name, SPEED_MODE)
