"""Several sources of events as one: a bus that is missing, or lost, costs its own loops and no others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from hardware.ports import DetectorFault, InputEvent, InputKind, InputPort, PortError

REOPEN_MS: Final = 5_000
LOST_MS: Final = 10_000


class Source(NamedTuple):
    """What opens one port, and the detectors whose events come from there."""

    name: str
    open: Callable[[], InputPort]
    detectors: tuple[str, ...]


class _Line:
    """One source with its port, where there is one now."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.port: InputPort | None = None
        self.retry_ms: int | None = None
        self.lost_ms: int | None = None  # since when it fails
        self.told = False  # its loops are called broken

    def poll(self, now_ms: int) -> Sequence[InputEvent]:
        if self.port is None:
            if self.retry_ms is not None and now_ms < self.retry_ms:
                raise PortError(f"{self.source.name}: not there; it is tried again every {REOPEN_MS // 1000} s")
            self.retry_ms = now_ms + REOPEN_MS
            self.port = self.source.open()
        return self.port.poll(now_ms)

    def faults(self, now_ms: int, code: DetectorFault) -> list[InputEvent]:
        self.told = code is not DetectorFault.WHOLE
        return [InputEvent(now_ms, InputKind.DETECTOR_FAULT, detector, code) for detector in self.source.detectors]


class ManyInputs:
    """An input port over all sources. One that cannot be opened is tried again every five seconds.

    Where one has failed for ten seconds, its loops are reported broken, until it answers again. Only when all fail does `poll` raise.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self._lines = [_Line(source) for source in sources]
        self.news: list[str] = []  # which sources were lost and came back, for whoever takes it

    def poll(self, now_ms: int) -> Sequence[InputEvent]:
        """Return the events of all, ordered by time. Raises `PortError` where no source answers at all, and there is one."""
        events: list[InputEvent] = []
        errors: list[PortError] = []
        for line in self._lines:
            try:
                found = line.poll(now_ms)
            except PortError as error:
                errors.append(error)
                if line.lost_ms is None:
                    line.lost_ms = now_ms
                    self.news.append(f"{line.source.name}: lost: {error}")
                if not line.told and now_ms - line.lost_ms >= LOST_MS:
                    events += line.faults(now_ms, DetectorFault.WATCHDOG)
                continue
            if line.lost_ms is not None:
                self.news.append(f"{line.source.name}: answers again")
            line.lost_ms = None
            if line.told:
                events += line.faults(now_ms, DetectorFault.WHOLE)
            events += found
        if errors and len(errors) == len(self._lines) and not events:
            raise errors[0]
        return sorted(events, key=lambda event: event.at_ms) if len(self._lines) > 1 else events

    def close(self) -> None:
        """Close the ports that can be closed."""
        for line in self._lines:
            close = getattr(line.port, "close", None)
            if close is not None:
                close()
