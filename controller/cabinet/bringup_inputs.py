"""A look at a line with detectors: octets in both directions, decoded events, and how each unit answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from queue import Empty, SimpleQueue
from typing import Any, Final

from controller.cabinet.bringup import Device, Finding, News, Stamper, columns
from controller.cabinet.site_drivers import named
from controller.clock import Clock
from hardware.loops.serial_bus import BusStats
from hardware.ports import DetectorFault, InputEvent, InputKind, PortError
from hardware.registry import open_inputs

SWEEPS: Final = 5  # of a short look; after so many a unit that is silent is told of
LEAST_MS: Final = 1_000
MOST_MS: Final = 15_000
_OVER_MS: Final = 1_000
_SILENT_RATIO: Final = 0.05  # more than this share of unanswered requests is a problem
_LEAST_SILENT: Final = 2

Octets = tuple[int, str, bytes]


class InputLook:
    """Opens a driver of detectors as the daemon does, and listens on its line; where a detector is meant, to its unit only.

    ``everything``: exchanges that bring nothing new are told, too.

    Raises `PortError` where the driver cannot be made.
    """

    def __init__(self, device: Device, clock: Clock, *, everything: bool) -> None:
        self._device, self._everything, self._unit = device, everything, device.unit
        self._stamp, self._begin_ms = Stamper(clock), clock.now_ms()
        self._heard: SimpleQueue[tuple[int, Octets]] = SimpleQueue()
        self._exchange: list[Octets] = []
        self._waiting: list[tuple[int, News]] = []
        self._answers: dict[bytes, bytes] = {}
        self._occupied = {
            name: False for name in named(device.choice, "sources") or () if self._unit is None or device._replace(detector=name).unit == self._unit
        }
        self._faults: dict[str, str] = {}
        self._lost = self._now_lost = ""
        self._port: Any = open_inputs(device.choice.driver, device.choice.options, clock.now_ms)
        if hasattr(self._port, "watch"):
            self._port.watch(lambda at_ms, unit, way, data: self._heard.put((unit, (at_ms, way, data))))

    def news(self, now_ms: int) -> Sequence[News]:
        """Return octets, events, and the line lost or back, in the order of their time; what comes behind an exchange waits for its end."""
        events = self._poll(now_ms)
        self._waiting += [(octets[0], self._of_octets(octets)) for octets in self._new_octets(now_ms)]
        self._waiting += [(event.at_ms, self._of_event(event)) for event in events if self._unit is None or event.source in self._occupied]
        self._waiting.sort(key=lambda pair: (pair[0], pair[1].kind == "event"))
        until_ms = self._exchange[0][0] if self._exchange else now_ms
        news = [one for at_ms, one in self._waiting if at_ms <= until_ms]
        del self._waiting[: len(news)]
        return [*news, *self._of_link(now_ms)]

    def enough(self, now_ms: int) -> bool:
        """Return whether all units have been asked some times, or it took too long."""
        took_ms = now_ms - self._begin_ms
        stats = self._stats()
        swept = stats is not None and stats.sweeps >= SWEEPS and took_ms >= LEAST_MS
        return swept or took_ms >= MOST_MS

    def finding(self) -> Finding:
        """Return the detectors' states, the units' answers, and the times of the bus."""
        stats = self._stats()
        units = {} if stats is None else {n: asdict(unit) for n, unit in sorted(stats.units.items()) if self._unit in (None, n)}
        detectors = {name: {"occupied": on, "fault": self._faults.get(name, "")} for name, on in self._occupied.items()}
        problems = [self._lost] if self._lost else list(_unit_problems(units))
        told = _SILENT if problems else ""  # a line or unit that does not answer says so for all its detectors
        problems += [f"detector {name}: {fault}" for name, fault in self._faults.items() if fault not in ("", told)]
        rows = [("detector", "state", "fault"), *((name, _state(d), d["fault"]) for name, d in detectors.items())]
        lines = [f"{self._device.title}:"]
        data: dict[str, Any] = {"driver": self._device.choice.driver, "port": self._device.port, "detectors": detectors, "units": units}
        if stats is not None:
            counts = ("sweeps", "sweep_ms", "max_sweep_ms", "max_handover_ms", "opened", "lost")
            data["bus"] = {name: getattr(stats, name) for name in counts}
            lines.append(f"  {stats.sweeps} sweeps, the last in {stats.sweep_ms} ms, the longest in {stats.max_sweep_ms} ms; line lost {stats.lost} times")
            head = ("unit", "asked", "answered", "silent", "senseless", "reply ms", "")
            lines += _indented(
                [head, *((n, u["requests"], u["replies"], u["silent"], u["refused"], u["reply_ms"], u["note"]) for n, u in units.items())] if units else []
            )
        lines += _indented(rows)
        return Finding(self._device.name, tuple(lines), data, tuple(problems))

    def close(self) -> None:
        """Let go of the line."""
        self._port.close()

    def _stats(self) -> BusStats | None:
        return self._port.stats() if hasattr(self._port, "stats") else None

    def _poll(self, now_ms: int) -> list[InputEvent]:
        try:
            events = list(self._port.poll(now_ms))
        except PortError as error:
            self._now_lost = str(error)
            return []
        self._now_lost = ""
        return events

    def _of_link(self, now_ms: int) -> Iterator[News]:
        before, self._lost = self._lost, self._now_lost
        if self._lost and self._lost != before:
            yield News(self._stamp(now_ms), self._device.name, "lost", f"lost: {self._lost}", {"why": self._lost})
        elif before and not self._lost:
            yield News(self._stamp(now_ms), self._device.name, "back", "the line is back")

    def _new_octets(self, now_ms: int) -> Iterator[Octets]:
        """Yield the octets of those exchanges that are over and bring anything new. One ends where the next begins, or after a while."""
        while True:
            try:
                unit, octets = self._heard.get_nowait()
            except Empty:
                break
            if octets[1] == ">":
                yield from self._ended()
                self._exchange = [octets] if self._unit in (None, unit) else []
            elif self._exchange:
                self._exchange.append(octets)
        if self._exchange and now_ms - self._exchange[-1][0] > _OVER_MS:
            yield from self._ended()
            self._exchange = []

    def _ended(self) -> Sequence[Octets]:
        if not self._exchange:
            return ()
        request = self._exchange[0][2]
        answer = b"".join(data for _, way, data in self._exchange if way == "<")
        same, self._answers[request] = self._answers.get(request) == answer, answer
        if same and not self._everything:
            return ()
        silence = () if answer else ((self._exchange[0][0], "<", b""),)
        return (*self._exchange, *silence)

    def _of_octets(self, octets: Octets) -> News:
        at_ms, way, data = octets
        text = data.hex(" ") if data else "no answer"
        return News(self._stamp(at_ms), self._device.name, "octets", f"{way} {text}", {"way": "sent" if way == ">" else "received", "octets": data.hex(" ")})

    def _of_event(self, event: InputEvent) -> News:
        match event.kind:
            case InputKind.PRESENCE:
                self._occupied[event.source] = bool(event.value)
                what = "occupied" if event.value else "free"
            case InputKind.DETECTOR_FAULT:
                fault = DetectorFault(event.value)
                self._faults[event.source] = what = "" if fault is DetectorFault.WHOLE else _WORDS[fault]
                what = what or "whole again"
            case InputKind.COUNT:
                what = f"{event.value} vehicles counted"
            case _:
                what = f"{event.kind} {event.value}"
        data = {"source": event.source, "event": str(event.kind), "value": event.value}
        return News(self._stamp(event.at_ms), self._device.name, "event", f"{event.source}: {what}", data)


_SILENT: Final = "its unit does not answer"
_WORDS: Final = {
    DetectorFault.OTHER: "the device reports a fault",
    DetectorFault.WATCHDOG: _SILENT,
    DetectorFault.OPEN: "open loop",
    DetectorFault.SHORT: "shorted loop",
    DetectorFault.EXCESSIVE_CHANGE: "excessive change of inductance",
}


def _state(detector: dict[str, Any]) -> str:
    if detector["fault"] == _SILENT:
        return "unknown"
    return "occupied" if detector["occupied"] else "free"


def _unit_problems(units: dict[int, dict[str, Any]]) -> Iterator[str]:
    for number, unit in units.items():
        if unit["note"]:
            yield f"unit {number}: {unit['note']}"
        elif unit["requests"] > 1 and unit["replies"] == 0:
            yield f"unit {number}: no answer to {unit['requests']} requests; check its number, wiring and power"
        elif unit["silent"] >= _LEAST_SILENT and unit["silent"] > _SILENT_RATIO * unit["requests"]:
            yield f"unit {number}: {unit['silent']} of {unit['requests']} requests without an intact answer; check wiring, termination and baud rate"


def _indented(rows: Sequence[Sequence[object]]) -> list[str]:
    return [f"  {line}" for line in columns(rows)] if rows else []
