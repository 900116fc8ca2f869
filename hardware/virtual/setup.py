"""How a virtual controller is set up: the numbers that an engineer enters at a real one. NTCIP's units: whole seconds, tenths as ms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PhaseSetup:
    """One phase. ``ring`` from 1; ``side`` of the barrier from 0: phases of one side and different rings may be green together."""

    phase: int
    ring: int
    side: int
    min_green_s: int = 5
    max_green_s: int = 40
    passage_ms: int = 2_000
    amber_ms: int = 3_000
    red_clear_ms: int = 2_000
    walk_s: int = 0  # 0: no pedestrians
    ped_clear_s: int = 0

    @property
    def least_ms(self) -> int:
        """Return the shortest time from its begin of green to the next phase's."""
        return 1000 * max(self.min_green_s, self.walk_s + self.ped_clear_s) + self.amber_ms + self.red_clear_ms


@dataclass(frozen=True, slots=True)
class PatternSetup:
    """A coordinated pattern; its split has the same number. ``splits_s``: per phase, amber and red clearance inside."""

    pattern: int
    cycle_s: int
    offset_s: int
    splits_s: Mapping[int, int]
    coordinated: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Head:
    """Which phase a signal group belongs to, as vehicles or as pedestrians."""

    phase: int
    walks: bool = False


@dataclass(frozen=True, slots=True)
class ControllerSetup:
    """All of one controller. ``detectors``: per detector, in the order of their numbers, the phase that it calls.

    ``local_pattern`` runs when no system asks for anything: a pattern's number, or 254 for free.
    """

    id: str
    phases: tuple[PhaseSetup, ...]
    heads: Mapping[str, Head]
    patterns: tuple[PatternSetup, ...] = ()
    local_pattern: int = 254
    backup_s: int = 10
    startup_flash_s: int = 5
    all_red_s: int = 6
    startup_phases: tuple[int, ...] = ()
    detectors: tuple[int, ...] = ()
    preempts: Mapping[int, tuple[int, ...]] = field(default_factory=dict)  # per preempt, the phases that dwell green

    def phase(self, number: int) -> PhaseSetup:
        """Return one phase. Raises `KeyError`."""
        for one in self.phases:
            if one.phase == number:
                return one
        raise KeyError(number)

    def ring(self, number: int, side: int) -> tuple[int, ...]:
        """Return the phases of one ring on one side of the barrier, in order of sequence."""
        return tuple(p.phase for p in self.phases if p.ring == number and p.side == side)

    @property
    def rings(self) -> tuple[int, ...]:
        """Return the rings' numbers."""
        return tuple(sorted({p.ring for p in self.phases}))

    @property
    def sides(self) -> tuple[int, ...]:
        """Return the sides of the barrier."""
        return tuple(sorted({p.side for p in self.phases}))
