"""What a run leaves for its report: the vehicles standing before each light every 10 s, and where each signal leads.

It is recorded for every control alike, from the simulator's truth, and read by nothing but the report.
"""

from __future__ import annotations

import csv
import json
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from hardware.sumo import SumoWorld

QUEUES: Final = "queues.csv"
LIGHTS: Final = "lights.json"
HEADER: Final = ("time_s", "light", "approach", "standing_veh")
STANDING_M_S: Final = 0.1  # SUMO's own limit for a halting vehicle
EVERY_MS: Final = 10_000
COMPASS: Final = ("north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west")


class Link(NamedTuple):
    """Where one index of a light's state string leads from, and which way; ``side`` is where its traffic comes from."""

    approach: str
    side: str
    direction: str


class QueueRecorder:
    """Counts, every 10 s, the standing vehicles before each light by the approach edge that they will leave over."""

    def __init__(self, world: SumoWorld, folder: Path) -> None:
        self._world = world
        self._links = {light: _links(world, light) for light in world.light_ids()}
        links = {light: [link._asdict() if link else None for link in of] for light, of in self._links.items()}
        about = {"begin_s": world.now_ms / 1000, "lights": links}
        (folder / LIGHTS).write_text(json.dumps(about) + "\n", encoding="utf-8")
        self._file = (folder / QUEUES).open("w", encoding="utf-8", newline="")
        self._rows = csv.writer(self._file)
        self._rows.writerow(HEADER)
        self._due_ms = world.now_ms + EVERY_MS
        for light, of in self._links.items():
            for approach in dict.fromkeys(link.approach for link in of if link):
                self._rows.writerow((world.now_ms / 1000, light, approach, 0))

    def tick(self, now_ms: int) -> None:
        """Record where the time has come; rows of nobody standing are left out. Raises `PortError` on a lost simulator."""
        if now_ms < self._due_ms:
            return
        self._due_ms += EVERY_MS
        for (light, approach), count in sorted(self._standing().items()):
            self._rows.writerow((now_ms / 1000, light, approach, count))

    def close(self) -> None:
        """Finish the file."""
        self._file.close()

    def _standing(self) -> Counter[tuple[str, str]]:
        found: Counter[tuple[str, str]] = Counter()
        vehicle = self._world.api.vehicle
        with self._world.link():
            for name in vehicle.getIDList():
                if vehicle.getSpeed(name) >= STANDING_M_S:
                    continue
                ahead = vehicle.getNextTLS(name)
                if not ahead:
                    continue
                links = self._links.get(ahead[0][0], ())
                link = links[ahead[0][1]] if ahead[0][1] < len(links) else None
                if link is not None:
                    found[ahead[0][0], link.approach] += 1
        return found


def _links(world: SumoWorld, light: str) -> list[Link | None]:
    """Return where each index of the state string leads; None where it controls nothing but pedestrians or nothing."""
    found: list[Link | None] = []
    with world.link():
        for controlled in world.api.trafficlight.getControlledLinks(light):
            lane, to_lane = (controlled[0][0], controlled[0][1]) if controlled else ("", "")
            if not lane or lane.startswith(":"):
                found.append(None)
                continue
            ways = [way[6] for way in world.api.lane.getLinks(lane) if way[0] == to_lane]
            found.append(Link(lane.rpartition("_")[0], _side(world.api.lane.getShape(lane)), ways[0] if ways else "s"))
    return found


def _side(shape: Sequence[Any]) -> str:
    """Return the side that traffic on the lane comes from, by the last stretch before the stop line."""
    (x0, y0), (x1, y1) = shape[-2][:2], shape[-1][:2]
    degrees = math.degrees(math.atan2(x0 - x1, y0 - y1)) % 360  # clockwise from north, looking back
    return COMPASS[round(degrees / 45) % 8]
