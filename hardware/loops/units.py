"""Several units on one bus: each is asked in turn, and one that does not answer stops only itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from hardware.loops.serial_bus import Bus, Emit
from hardware.loops.tracks import LoopTrack
from hardware.ports import DetectorFault, PortError

SILENT_TURN: Final = 10  # a unit that is silent costs its whole timeout, so it is asked every tenth sweep only


class Unit(ABC):
    """One addressed device and its detectors, by channel."""

    def __init__(self, number: int, detectors: Mapping[int, str], silent_sweeps: int) -> None:
        self.number = number
        self.tracks = {channel: LoopTrack(detector) for channel, detector in sorted(detectors.items())}
        self.all_tracks = list(self.tracks.values())
        self._silent_sweeps = silent_sweeps
        self._misses = 0
        self._wait = 0
        self.silent = False

    @abstractmethod
    def ask(self, bus: Bus, emit: Emit, *, counters: bool) -> bool:
        """Ask for the unit's state, and for its counters where they are due. Return whether it answered with sense."""

    @abstractmethod
    def forget(self) -> None:
        """Take notice that the unit may be another one when it answers again."""

    def turn(self, bus: Bus, now: Callable[[], int], emit: Emit, *, counters: bool) -> None:
        """Ask where it is due, and keep count of silence."""
        if self._wait:
            self._wait -= 1
        elif self.ask(bus, emit, counters=counters):
            self._misses, self.silent = 0, False
        else:
            self._misses += 1
            if self._misses >= self._silent_sweeps:
                self._wait = SILENT_TURN - 1
                self.lost(now(), emit)

    def lost(self, now_ms: int, emit: Emit) -> None:
        """Tell that nothing is known of the unit's detectors."""
        self.silent = True
        self.forget()
        for track in self.all_tracks:
            track.set_fault(DetectorFault.WATCHDOG, now_ms, emit)

    def wake(self) -> None:
        """Have it asked with the next sweep."""
        self._wait = 0


class UnitCards:
    """The units of one bus (`hardware.loops.serial_bus.Cards`). The counters of one unit are read in each sweep, in turn."""

    def __init__(self, name: str, units: Sequence[Unit], now: Callable[[], int]) -> None:
        self._name, self._units, self._now = name, units, now
        self._turn = 0

    def sweep(self, bus: Bus, emit: Emit) -> None:
        """Ask every unit once. Raises `PortError` on a lost line and where no unit answers any more."""
        self._turn = (self._turn + 1) % len(self._units)
        for place, unit in enumerate(self._units):
            unit.turn(bus, self._now, emit, counters=place == self._turn)
        if all(unit.silent for unit in self._units):
            numbers = ", ".join(str(unit.number) for unit in self._units)
            raise PortError(
                f"{self._name}: no answer from unit {numbers}; check wiring, power, baud rate, parity and unit numbers (umlauf bringup shows the octets)"
            )

    def lost(self, now_ms: int, emit: Emit) -> None:
        """Mark every detector as unknown, and have all units asked once the line is back."""
        for unit in self._units:
            unit.lost(now_ms, emit)
            unit.wake()
