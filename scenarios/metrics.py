"""What a run cost its travellers, from SUMO's tripinfo and statistic files.

Mean delay counts every vehicle that was due to depart in the window: finished, still under way, and never inserted.
SUMO writes one ``tripinfo`` for each (``write-unfinished``, ``write-undeparted``); for the last kind ``depart`` is -1 and
``departDelay`` is the time from its due departure to the end. Vehicles due before the window are dropped by SUMO and absent.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MG_PER_G = 1000.0


@dataclass(frozen=True, slots=True)
class Trip:
    """One vehicle of a run, as far as it came."""

    depart_s: float  # -1: never inserted
    depart_delay_s: float
    time_loss_s: float
    waiting_s: float
    stops: int
    finished: bool
    co2_g: float | None

    @property
    def inserted(self) -> bool:
        """Return whether the vehicle ever entered the net."""
        return self.depart_s >= 0


def read_trips(path: Path) -> tuple[list[Trip], bool]:
    """Return the trips of a tripinfo file and whether the file was complete (a crash cuts it off)."""
    trips: list[Trip] = []
    try:
        for _, element in ET.iterparse(path, events=("end",)):
            if element.tag == "tripinfo":
                trips.append(_trip(element))
                element.clear()
    except (ET.ParseError, FileNotFoundError):
        return trips, False
    return trips, True


def _trip(element: ET.Element) -> Trip:
    get = element.attrib
    emissions = element.find("emissions")
    return Trip(
        depart_s=float(get["depart"]),
        depart_delay_s=float(get["departDelay"]),
        time_loss_s=float(get["timeLoss"]),
        waiting_s=float(get["waitingTime"]),
        stops=int(get["waitingCount"]),
        finished=float(get["arrival"]) >= 0 and get.get("vaporized", "") == "",
        co2_g=float(emissions.get("CO2_abs", "0")) / MG_PER_G if emissions is not None else None,
    )


def measure(trips: list[Trip], end_s: float) -> dict[str, float | int | None]:
    """Return the figures of a run that ended at ``end_s``. Means of nothing are None.

    ``max_wait_s`` is the longest time that one vehicle stood: its halts on the road and its wait for insertion together.
    """
    inserted = [trip for trip in trips if trip.inserted]
    finished = [trip for trip in inserted if trip.finished]
    emissions_g = [trip.co2_g for trip in inserted if trip.co2_g is not None]
    return {
        "mean_delay_s": _mean(trip.time_loss_s + trip.depart_delay_s for trip in trips),
        "vehicles": len(trips),
        "finished": len(finished),
        "unfinished": len(inserted) - len(finished),
        "never_inserted": len(trips) - len(inserted),
        "stops_per_vehicle": _mean(float(trip.stops) for trip in inserted),
        "max_wait_s": max((trip.waiting_s + trip.depart_delay_s for trip in trips), default=None),
        "co2_g_per_vehicle": _mean(iter(emissions_g)),
        "finished_time_loss_s": _mean(trip.time_loss_s for trip in finished),
        "resco_delay_s": resco_delay_s(trips, end_s),
    }


def resco_delay_s(trips: list[Trip], end_s: float) -> float | None:
    """Return the delay as the RESCO benchmark computes it (Ault & Sharon 2021).

    It counts a never-inserted vehicle only where it was due after the due time of the vehicle that departed last.
    """
    inserted = [trip for trip in trips if trip.inserted]
    if not inserted:
        return None
    last = max(inserted, key=lambda trip: trip.depart_s)
    last_due_s = last.depart_s - last.depart_delay_s
    late = [trip for trip in trips if not trip.inserted and end_s - trip.depart_delay_s > last_due_s]
    return _mean(trip.time_loss_s + trip.depart_delay_s for trip in [*inserted, *late])


def read_safety(path: Path) -> dict[str, int | None]:
    """Return teleports, collisions and emergency brakings from the statistic file; None where it is missing or cut off."""
    try:
        root = ET.parse(path).getroot()
    except (ET.ParseError, FileNotFoundError):
        return {"teleports": None, "collisions": None, "emergency_brakings": None}
    return {
        "teleports": _count(root, "teleports", "total"),
        "collisions": _count(root, "safety", "collisions"),
        "emergency_brakings": _count(root, "safety", "emergencyBraking"),
    }


def _count(root: ET.Element, tag: str, attribute: str) -> int | None:
    element = root.find(tag)
    return int(element.get(attribute, "0")) if element is not None else None


def _mean(values: Iterator[float]) -> float | None:
    total, count = 0.0, 0
    for value in values:
        total += value
        count += 1
    return total / count if count else None
