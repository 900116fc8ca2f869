"""Look at the devices of a site one by one, by hand: what travels on their lines, what it means, and what is wrong. Nothing is commanded.

A `Look` at a device gives news while it goes on and a finding at its end. ``at`` is UTC, from the clock's monotonic time since the look began.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, NamedTuple, Protocol

from controller.cabinet.site import Site
from controller.cabinet.site_drivers import DriverChoice, named
from controller.clock import Clock
from controller.errors import ConfigError

SIGNALS_NAME: Final = "signals"  # of the place in `Site.drivers`


class Device(NamedTuple):
    """A device of the site. ``name`` is its place in the site file; ``port`` what it hangs on; ``detector`` the one that is meant of it, empty for all."""

    name: str
    choice: DriverChoice
    detector: str = ""

    @property
    def port(self) -> str:
        """Return the line or address that its options name, nothing where they name none."""
        options = self.choice.options
        host, port = getattr(options, "host", ""), getattr(options, "port", "")
        return f"{host}:{port}" if host and port else str(host or port)

    @property
    def title(self) -> str:
        """Return what it is called in messages."""
        unit = "" if self.unit is None else f", unit {self.unit}"
        return f"{self.name} ({self.choice.driver} {self.port}{unit})".replace(" )", ")")

    @property
    def unit(self) -> int | None:
        """Return the unit with the detector that is meant, None where all of it is."""
        unit_of = getattr(self.choice.options, "unit_of", None)
        return unit_of(self.detector) if self.detector and unit_of is not None else None


@dataclass(frozen=True, slots=True)
class News:
    """One thing that was seen; ``what`` says it in words, ``data`` for programs."""

    at: str
    device: str
    kind: str
    what: str
    data: Mapping[str, Any] = field(default_factory=dict)

    def to_object(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {"at": self.at, "device": self.device, "kind": self.kind, **self.data}


@dataclass(frozen=True, slots=True)
class Finding:
    """What a look at a device has shown: lines for people, data for programs, and what is wrong."""

    device: str
    lines: tuple[str, ...]
    data: Mapping[str, Any]
    problems: tuple[str, ...]

    def to_object(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {"device": self.device, **self.data, "problems": list(self.problems)}


class Look(Protocol):
    """A look at one device."""

    def news(self, now_ms: int) -> Sequence[News]:
        """Return what has happened since the last call."""
        ...

    def enough(self, now_ms: int) -> bool:
        """Return whether a short look has seen all that it can."""
        ...

    def finding(self) -> Finding:
        """Return what it has shown so far."""
        ...

    def close(self) -> None:
        """Let go of the device."""
        ...


class Stamper:
    """Monotonic milliseconds to UTC with milliseconds, by where both clocks stood at the beginning."""

    def __init__(self, clock: Clock) -> None:
        self._begin, self._begin_ms = clock.utc(), clock.now_ms()

    def __call__(self, at_ms: int) -> str:
        """Return the time of day."""
        return (self._begin + timedelta(milliseconds=at_ms - self._begin_ms)).isoformat(timespec="milliseconds")


def devices_of(site: Site) -> list[Device]:
    """Return the site's devices, inputs first."""
    return [Device(where, one) for where, one in site.drivers()]


def chosen(site: Site, word: str) -> list[Device]:
    """Return the devices that a word means: place, driver, line, or a detector on it; all for no word. Raises `ConfigError` naming what there is."""
    devices = devices_of(site)
    if not word:
        return devices
    found = [d for d in devices if word in (d.name, d.choice.driver, d.port)]
    found = found or [d._replace(detector=word) for d in devices if word in (named(d.choice, "sources") or ())]
    if not found:
        known = ", ".join(d.title for d in devices)
        raise ConfigError(f"device {word!r}: expected a place, a driver, a line or a detector of the site, found none of these: {known}")
    return found


def columns(rows: Sequence[Sequence[object]]) -> list[str]:
    """Return rows as lines with aligned columns; numbers to the right."""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in texts) for i in range(len(texts[0]))] if texts else []
    numeric = [all(isinstance(row[i], int) for row in rows[1:]) for i in range(len(widths))]
    return ["  ".join(cell.rjust(w) if right else cell.ljust(w) for cell, w, right in zip(row, widths, numeric, strict=True)).rstrip() for row in texts]
