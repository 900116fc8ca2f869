"""What the port has told of each detector, so that it tells every change once: presence, faults, and vehicles known from counters alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from hardware.ports import DetectorFault, InputEvent, InputKind

Emit = Callable[[InputEvent], None]

PULSE_MS: Final = 200  # of a vehicle that nobody saw: a car of 4 m at some 100 km/h on a loop of 2 m; a slower one would have been seen
HEADWAY_MS: Final = 250  # no loop counts vehicles faster than this; a counter that does was reset
OLD_MS: Final = 5_000  # vehicles missed between two readings that lie farther apart are too old for edges


class LoopTrack:
    """One detector: emits edges that alternate and faults that differ."""

    def __init__(self, detector: str) -> None:
        self.detector = detector
        self.occupied = False
        self.fault = DetectorFault.WHOLE
        self.rises = 0  # how many vehicles it has told of

    def see(self, occupied: bool, at_ms: int, emit: Emit) -> None:
        """Take the loop's present state."""
        if occupied == self.occupied:
            return
        self.occupied = occupied
        self.rises += occupied
        emit(InputEvent(at_ms, InputKind.PRESENCE, self.detector, int(occupied)))

    def add_vehicles(self, vehicles: int, at_ms: int, emit: Emit) -> None:
        """Tell of vehicles that came and went unseen until now; where the loop is occupied, one left and another came."""
        before = self.occupied
        for number in range(vehicles, 0, -1):
            begin_ms = at_ms - number * HEADWAY_MS
            self.see(not before, begin_ms, emit)
            self.see(before, begin_ms + PULSE_MS, emit)

    def add_missed(self, counter: CounterTrack, occupied: bool, at_ms: int, emit: Emit) -> None:
        """Tell of the vehicles that the counter knows and no edge told of, now that the loop's state has been read once more, but not yet seen."""
        missed = counter.missed(self.rises + (occupied and not self.occupied))
        if missed and counter.old:
            self.add_count(missed, at_ms, emit)
        elif missed:
            self.add_vehicles(missed, at_ms, emit)

    def add_count(self, vehicles: int, at_ms: int, emit: Emit) -> None:
        """Tell how many vehicles passed while nobody looked: a number for the records, too old for edges."""
        self.rises += vehicles
        emit(InputEvent(at_ms, InputKind.COUNT, self.detector, vehicles))

    def set_fault(self, fault: DetectorFault, at_ms: int, emit: Emit) -> None:
        """Take what the device says of the loop."""
        if fault is not self.fault:
            self.fault = fault
            emit(InputEvent(at_ms, InputKind.DETECTOR_FAULT, self.detector, int(fault)))


class CounterTrack:
    """A device's counter beside the edges that polling saw.

    The device counts while the bus is elsewhere. Read right after the state, a counter may be ahead of the edges without any vehicle
    being lost: one came between the two readings. So what is ahead waits for the next state; what that explains is told by its edge,
    the rest was missed. It does not matter whether the device counts arrivals or departures, for a counter that is behind only waits.
    """

    def __init__(self, bits: int) -> None:
        self.old = False  # what is missed is too old for edges
        self._modulus = 1 << bits
        self._value: int | None = None
        self._read_ms = 0
        self._rises = 0  # of the edges, when the counter was read
        self._ahead = 0
        self._behind_before = False

    def read(self, value: int, rises: int, occupied: bool, at_ms: int) -> None:
        """Take the counter as it was read after a state with ``rises`` edges so far."""
        if self._value is None:
            if not occupied:  # a device that counts departures has yet to count the vehicle that stands there
                self._begin(value, rises, at_ms)
            return
        counted = (value - self._value) % self._modulus
        ahead = self._ahead + counted - (rises - self._rises)
        behind = ahead < 0 and not occupied and counted == 0 and rises == self._rises
        if counted > (at_ms - self._read_ms) // HEADWAY_MS + 2 or (behind and self._behind_before):
            self._begin(value, rises, at_ms)  # the device was reset, or did not count what flickered
            return
        self.old = at_ms - self._read_ms > OLD_MS
        self._value, self._rises, self._read_ms, self._ahead, self._behind_before = value, rises, at_ms, ahead, behind

    def missed(self, rises: int) -> int:
        """Return how many vehicles were missed, given the edges after one more reading of the state."""
        return max(0, self._ahead - (rises - self._rises))

    def _begin(self, value: int, rises: int, at_ms: int) -> None:
        self._value, self._rises, self._read_ms, self._ahead, self._behind_before = value, rises, at_ms, 0, False
