"""What a run cost its travellers, from SUMO's tripinfo and statistic files.

Mean delay counts every vehicle that was due to depart in the window: finished, still under way, and never inserted.
SUMO writes one ``tripinfo`` for each (``write-unfinished``, ``write-undeparted``); for the last kind ``depart`` is -1 and
``departDelay`` is the time from its due departure to the end. Vehicles due before the window are dropped by SUMO and absent.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from copy import copy
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


class TripFile:
    """The trips of a tripinfo file, read anew each time they are gone through: a day's need not be in memory at once.

    ``complete`` tells, after that, whether the file was whole; a crash cuts it off.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.complete = False

    def __iter__(self) -> Iterator[Trip]:
        self.complete = False
        try:
            elements = ET.iterparse(self._path, events=("start", "end"))
            _, root = next(elements)
            for event, element in elements:
                if event == "end" and element.tag == "tripinfo":
                    yield _trip(element)
                    root.clear()
        except (ET.ParseError, FileNotFoundError):
            return
        self.complete = True

    def is_whole(self) -> bool:
        """Read the file to its end, and tell whether it has one."""
        for _ in self:
            pass
        return self.complete


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


def measure(trips: Iterable[Trip], end_s: float) -> dict[str, float | int | None]:
    """Return the figures of a run that ended at ``end_s``. Means of nothing are None.

    ``max_wait_s`` is the longest time that one vehicle stood: its halts on the road and its wait for insertion together.
    """
    delay_s, inserted_delay_s, stops, co2_g, finished_loss_s = _Mean(), _Mean(), _Mean(), _Mean(), _Mean()
    never: list[Trip] = []
    max_wait_s: float | None = None
    last: Trip | None = None  # to depart
    for trip in trips:
        delay_s.add(trip.time_loss_s + trip.depart_delay_s)
        max_wait_s = max(max_wait_s or 0.0, trip.waiting_s + trip.depart_delay_s)
        if not trip.inserted:
            never.append(trip)
            continue
        inserted_delay_s.add(trip.time_loss_s + trip.depart_delay_s)
        stops.add(trip.stops)
        if trip.co2_g is not None:
            co2_g.add(trip.co2_g)
        if trip.finished:
            finished_loss_s.add(trip.time_loss_s)
        if last is None or trip.depart_s > last.depart_s:
            last = trip
    return {
        "mean_delay_s": delay_s.value,
        "vehicles": delay_s.count,
        "finished": finished_loss_s.count,
        "unfinished": stops.count - finished_loss_s.count,
        "never_inserted": len(never),
        "stops_per_vehicle": stops.value,
        "max_wait_s": max_wait_s,
        "co2_g_per_vehicle": co2_g.value,
        "finished_time_loss_s": finished_loss_s.value,
        "resco_delay_s": _resco_delay_s(inserted_delay_s, last, never, end_s),
    }


def _resco_delay_s(of_inserted_s: _Mean, last: Trip | None, never: Iterable[Trip], end_s: float) -> float | None:
    """Return the delay as the RESCO benchmark computes it (Ault & Sharon 2021).

    It counts a never-inserted vehicle only where it was due after the due time of the vehicle that departed ``last``.
    """
    if last is None:
        return None
    mean_s, last_due_s = copy(of_inserted_s), last.depart_s - last.depart_delay_s
    for trip in never:
        if end_s - trip.depart_delay_s > last_due_s:
            mean_s.add(trip.time_loss_s + trip.depart_delay_s)
    return mean_s.value


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


class _Mean:
    """The mean of what was added, None of nothing."""

    def __init__(self) -> None:
        self._total, self.count = 0.0, 0

    def add(self, value: float) -> None:
        self._total += value
        self.count += 1

    @property
    def value(self) -> float | None:
        return self._total / self.count if self.count else None
