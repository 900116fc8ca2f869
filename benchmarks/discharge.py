"""Saturation flow and start-up loss of a queue that discharges, as the HCM measures them in the field.

Source: Highway Capacity Manual 2016, ch. 31, "Field measurement of saturation flow rate": rear ends over the stop line, saturation
headway from the fifth vehicle of the queue on, start-up lost time as what the first four need beyond four such headways.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

FIRST: Final = 4  # vehicles in whose headways the start-up is
BROKEN_GAP_MS: Final = 2_000  # an empty loop this long ends the queue


@dataclass(slots=True)
class Discharge:
    """The queue of one lane, green by green. Times are integer milliseconds."""

    broken_gap_ms: int = BROKEN_GAP_MS
    headways_ms: list[int] = field(default_factory=list)
    fourths_ms: list[int] = field(default_factory=list)
    _green_ms: int | None = None
    _left: int = 0
    _last_ms: int = 0

    def green(self, at_ms: int, *, standing: bool) -> None:
        """Take the begin of green; without a vehicle ``standing`` at the stop line there is no queue to measure."""
        self._green_ms, self._left, self._last_ms = (at_ms if standing else None), 0, at_ms

    def red(self) -> None:
        """Take the end of green."""
        self._green_ms = None

    def rise(self, at_ms: int) -> None:
        """Take a vehicle that reaches the stop loop; one that comes late was not in the queue."""
        if self._left and at_ms - self._last_ms > self.broken_gap_ms:
            self._green_ms = None

    def fall(self, at_ms: int) -> None:
        """Take a rear end that leaves the stop loop."""
        if self._green_ms is None:
            return
        self._left += 1
        if self._left == FIRST:
            self.fourths_ms.append(at_ms - self._green_ms)
        elif self._left > FIRST:
            self.headways_ms.append(at_ms - self._last_ms)
        self._last_ms = at_ms


@dataclass(frozen=True)
class Measured:
    """What discharging queues showed; nan where too few were seen."""

    flow_veh_h: float
    startup_s: float
    headways: int
    greens: int


def measured(lanes: list[Discharge]) -> Measured:
    """Return the figures over all lanes together."""
    headways_ms = [ms for lane in lanes for ms in lane.headways_ms]
    fourths_ms = [ms for lane in lanes for ms in lane.fourths_ms]
    headway_ms = math.fsum(headways_ms) / len(headways_ms) if headways_ms else math.nan
    fourth_ms = math.fsum(fourths_ms) / len(fourths_ms) if fourths_ms else math.nan
    return Measured(3_600_000.0 / headway_ms, (fourth_ms - FIRST * headway_ms) / 1000.0, len(headways_ms), len(fourths_ms))
