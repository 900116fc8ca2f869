"""A look at a controller: its timing tables beside the site, what it shows, and whether the daemon would go active. Nothing is written to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, Final

from controller.cabinet.bringup import Device, Finding, News, Stamper, columns
from controller.cabinet.status_words import name
from controller.clock import Clock
from controller.junction import Junction
from controller.words import Lang
from hardware.ports import PortError
from hardware.registry import open_for_reading

MOST_MS: Final = 15_000
_HEAD: Final = ("phase", "ring", "min green s", "max green s", "passage s", "amber s", "red clear s", "walk s", "ped clear s", "concurrent")


class SignalsLook:
    """Reads a controller as the daemon's driver does. Raises `PortError` where the driver cannot be made."""

    def __init__(self, device: Device, junction: Junction, clock: Clock) -> None:
        self._device, self._groups = device, tuple(g.id for g in junction.groups)
        self._stamp, self._begin_ms = Stamper(clock), clock.now_ms()
        self._reading = open_for_reading(device.choice.driver, junction.site_spec(), device.choice.options, clock.now_ms)
        self._shown: tuple[str, str] = ("", "")
        self._mode = ""
        self._aspects: dict[str, str] = {}
        self._lost = "it has not answered yet"

    def news(self, now_ms: int) -> Sequence[News]:
        """Return what the controller shows, where that has changed."""
        return list(self._news(now_ms))

    def enough(self, now_ms: int) -> bool:
        """Return whether its tables have been read and it has told what it shows, or it took too long."""
        return (self._reading.timing_tables() is not None and not self._lost) or now_ms - self._begin_ms >= MOST_MS

    def finding(self) -> Finding:
        """Return the timing tables and where they disagree with the site."""
        tables, differences = self._reading.timing_tables(), self._reading.differences()
        lines = [f"{self._device.title}:"]
        data: dict[str, Any] = {"driver": self._device.choice.driver, "port": self._device.port, "mode": self._mode, "aspects": self._aspects}
        problems = [f"no answer: {self._lost}"] if self._lost else []
        if tables is not None:
            data["tables"] = asdict(tables)
            rings = "; ".join(f"ring {number}: {' '.join(map(str, ring))}" for number, ring in enumerate(tables.rings, start=1))
            lines.append(f"  deadman {tables.backup_ms / 1000:g} s; {rings}; mode {self._mode or 'unknown'}")
            lines += [f"  {line}" for line in columns([_HEAD, *(_row(phase) for phase in tables.phases if phase.ring > 0)])]
        data["differences"] = [asdict(one) for one in differences]
        data["may_go_active"] = tables is not None and not any(one.grave for one in differences)
        if differences:
            lines += ["  controller and site differ:", *(f"  {line}" for line in columns([("", "where", "what"), *map(_difference, differences)]))]
        elif tables is not None:
            lines.append("  controller and site agree")
        problems += [f"{one.what}: {one.text}" for one in differences if one.grave]
        return Finding(self._device.name, tuple(lines), data, tuple(problems))

    def close(self) -> None:
        """Let go of the controller."""
        self._reading.close()

    def _news(self, now_ms: int) -> Iterator[News]:
        try:
            seen = self._reading.observe(now_ms)
        except PortError as error:
            if str(error) != self._lost:
                self._lost = str(error)
                yield News(self._stamp(now_ms), self._device.name, "lost", f"{'lost' if self._mode else 'no answer yet'}: {error}", {"why": str(error)})
            return
        self._lost, self._mode = "", seen.mode
        self._aspects = dict(zip(self._groups, (name(aspect.name.lower(), Lang.EN) for aspect in seen.aspects or ()), strict=False))
        words = " ".join(f"{group} {aspect}" for group, aspect in self._aspects.items())
        if (shown := (seen.mode, words)) != self._shown:
            self._shown = shown
            yield News(self._stamp(seen.at_ms), self._device.name, "signals", f"{seen.mode}: {words}", {"mode": seen.mode, "aspects": self._aspects})


def _row(phase: Any) -> tuple[object, ...]:
    times_ms = (phase.min_green_ms, phase.max_green_ms, phase.passage_ms, phase.amber_ms, phase.red_clear_ms, phase.walk_ms, phase.ped_clear_ms)
    return (phase.phase, phase.ring, *(f"{ms / 1000:g}" for ms in times_ms), " ".join(map(str, phase.concurrent)))


def _difference(one: Any) -> tuple[str, str, str]:
    return ("forbids going active" if one.grave else "should be known", one.what, one.text)
