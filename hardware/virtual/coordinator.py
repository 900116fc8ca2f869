"""Patterns of a virtual controller: when each phase's green is due to end, and why a pattern cannot run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from hardware.virtual.setup import ControllerSetup, PhaseSetup


class SplitMode(IntEnum):
    """How a phase is served in a pattern (NTCIP 1202, splitMode)."""

    OTHER = 1
    NONE = 2
    MINIMUM_RECALL = 3
    MAXIMUM_RECALL = 4
    PEDESTRIAN_RECALL = 5
    MAXIMUM_AND_PEDESTRIAN_RECALL = 6
    OMITTED = 7


class FreeStatus(IntEnum):
    """Why the controller runs free (NTCIP 1202, localFreeStatus)."""

    OTHER = 1
    NOT_FREE = 2
    COMMANDED = 3
    BAD_PLAN = 7
    BAD_CYCLE = 8
    SPLIT_OVERRUN = 9


MISSED_RATIO = 0.9  # a yield point that lies so much of a cycle ahead at the begin of green has just been missed


@dataclass(frozen=True, slots=True)
class Split:
    """One phase's row of a split table."""

    phase: int
    split_ms: int
    mode: SplitMode = SplitMode.NONE
    coordinated: bool = False


@dataclass(frozen=True)
class Pattern:
    """A pattern that is in effect: the cycle with its splits, worked out against the phases' times."""

    number: int
    cycle_ms: int
    offset_ms: int
    splits: Mapping[int, Split]

    def fault(self, setup: ControllerSetup, phases: Mapping[int, PhaseSetup]) -> FreeStatus | None:
        """Return why it cannot run: no cycle, a split below its phase's least, rings that do not fill the cycle or meet at no barrier."""
        if self.cycle_ms <= 0:
            return FreeStatus.BAD_CYCLE
        if not any(s.coordinated for s in self.splits.values()):
            return FreeStatus.BAD_PLAN
        served = {p: s for p, s in self.splits.items() if s.mode is not SplitMode.OMITTED}
        if any(s.split_ms < phases[p].least_ms for p, s in served.items()):
            return FreeStatus.SPLIT_OVERRUN
        sums = [{side: sum(s.split_ms for p, s in served.items() if p in setup.ring(ring, side)) for side in setup.sides} for ring in setup.rings]
        if any(sum(one.values()) != self.cycle_ms for one in sums):
            return FreeStatus.BAD_CYCLE
        return None if all(one == sums[0] for one in sums) else FreeStatus.SPLIT_OVERRUN

    def local_ms(self, world_ms: int) -> int:
        """Return the local cycle timer, which is 0 when the first side of the barrier begins."""
        return (world_ms - self.offset_ms) % self.cycle_ms

    def due_ms(self, phase: PhaseSetup, ring: Sequence[int], begun_ms: int) -> int | None:
        """Return when the phase's green is due to end; ``ring``: its ring's phases from local zero. Coordinated ones end at their yield point."""
        split = self.splits.get(phase.phase)
        if split is None:
            return None
        clear_ms = phase.amber_ms + phase.red_clear_ms
        if not split.coordinated:
            return begun_ms + split.split_ms - clear_ms
        served = [p for p in ring[: ring.index(phase.phase) + 1] if self.splits[p].mode is not SplitMode.OMITTED]
        yield_ms = sum(self.splits[p].split_ms for p in served) - clear_ms
        ahead_ms = (yield_ms - self.local_ms(begun_ms)) % self.cycle_ms
        return begun_ms if ahead_ms > MISSED_RATIO * self.cycle_ms else begun_ms + ahead_ms
