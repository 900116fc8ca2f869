"""The saturation flow that a run showed: headways over stop loops while a queue discharges."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from hardware.ports import InputEvent, InputKind, InputPort

STOOD_MS: Final = 3000  # a vehicle that covered the stop loop this long was at the head of a queue
SKIPPED_HEADWAYS: Final = 3  # those of the start-up (HCM 2016, ch. 31: the flow is measured from the fifth vehicle on)
BROKEN_GAP_MS: Final = 2000  # an empty loop this long ends the queue


class SaturationMeter:
    """Collects discharge headways per stop loop from presence edges."""

    def __init__(self, stop_loops: Iterable[str]) -> None:
        # per loop: time of the last rising edge, of the last falling edge, vehicles since the queue's head (-1: no queue)
        self._loops: dict[str, list[int]] = {loop: [0, -BROKEN_GAP_MS, -1] for loop in stop_loops}
        self._sum_ms = 0
        self._count = 0

    def feed(self, events: Iterable[InputEvent]) -> None:
        """Take events in order of time; those of other inputs are passed over."""
        for event in events:
            loop = self._loops.get(event.source)
            if loop is None or event.kind is not InputKind.PRESENCE:
                continue
            if event.value:
                self._rise(loop, event.at_ms)
            else:
                if event.at_ms - loop[0] >= STOOD_MS:
                    loop[2] = 0
                loop[1] = event.at_ms

    def _rise(self, loop: list[int], at_ms: int) -> None:
        if loop[2] >= 0:
            if at_ms - loop[1] > BROKEN_GAP_MS:
                loop[2] = -1
            else:
                loop[2] += 1
                if loop[2] > SKIPPED_HEADWAYS:
                    self._sum_ms += at_ms - loop[0]
                    self._count += 1
        loop[0] = at_ms

    @property
    def headways(self) -> int:
        """Return how many headways were measured."""
        return self._count

    def flow_veh_h(self) -> float | None:
        """Return the saturation flow per lane, None where no queue was long enough."""
        return 3_600_000 * self._count / self._sum_ms if self._sum_ms else None


class MeteredInputs:
    """An input port whose events the meter sees as they pass."""

    def __init__(self, port: InputPort, meter: SaturationMeter) -> None:
        self._port = port
        self._meter = meter

    def poll(self, now_ms: int) -> Sequence[InputEvent]:
        """Return the port's events. Raises `PortError` as the port does."""
        events = self._port.poll(now_ms)
        self._meter.feed(events)
        return events
