"""Loop edges out of SUMO: presence, as a street loop gives it, from the exact entry and leave times of each step; and presses of buttons.

SUMO's vehicle ids serve as keys inside this module only; nothing that leaves it says which vehicle it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from hardware.ports import InputEvent, InputKind

if TYPE_CHECKING:
    from hardware.sumo import SumoWorld
    from hardware.sumo_buttons import SumoButtons

LAST_STEP_VEHICLE_DATA: Final = 0x17  # TraCI variable of an induction loop: id, length, entry, leave, type per vehicle


class _Loop:
    """What one loop is covered by."""

    __slots__ = ("covering", "detector", "occupied", "sumo_id")

    def __init__(self, detector: str, sumo_id: str) -> None:
        self.detector = detector
        self.sumo_id = sumo_id
        self.covering: set[str] = set()
        self.occupied = False


class SumoInputs:
    """The input port over a set of SUMO loops, and buttons where there are any. ``collect`` runs after every step; ``poll`` hands out what it gathered."""

    def __init__(self, world: SumoWorld, loops: Mapping[str, str], buttons: SumoButtons | None = None) -> None:
        self._world, self._buttons = world, buttons
        self._loops = [_Loop(detector, sumo_id) for detector, sumo_id in loops.items()]
        self._pending: list[InputEvent] = []
        self._read = world.api.inductionloop.getVehicleData
        self._collected_ms = world.now_ms
        if not world.direct:
            with world.link():
                for loop in self._loops:
                    world.api.inductionloop.subscribe(loop.sumo_id, (LAST_STEP_VEHICLE_DATA,))

    def poll(self, now_ms: int) -> Sequence[InputEvent]:
        """Return the presence edges up to ``now_ms`` not yet returned, ordered by time."""
        if self._pending and self._pending[-1].at_ms <= now_ms:
            events, self._pending = self._pending, []
            return events
        events = [event for event in self._pending if event.at_ms <= now_ms]
        self._pending = self._pending[len(events) :]
        return events

    def collect(self) -> None:
        """Read all loops once after a step. Raises the simulator's own error; the world translates it."""
        now_ms, since_ms = self._world.now_ms, self._collected_ms
        self._collected_ms = now_ms
        fresh: list[InputEvent] = []
        if self._world.direct:
            read = self._read
            for loop in self._loops:
                data = read(loop.sumo_id)
                if data or loop.covering:
                    _edges(loop, data, since_ms, now_ms, fresh)
        else:
            results = self._world.api.inductionloop.getAllSubscriptionResults()
            for loop in self._loops:
                data = results.get(loop.sumo_id, {}).get(LAST_STEP_VEHICLE_DATA, ())
                if data or loop.covering:
                    _edges(loop, data, since_ms, now_ms, fresh)
        if self._buttons is not None:
            fresh += self._buttons.collect()
        fresh.sort(key=_at)
        self._pending.extend(fresh)


def _at(event: InputEvent) -> int:
    return event.at_ms


def _edges(loop: _Loop, data: Sequence[Any], since_ms: int, now_ms: int, out: list[InputEvent]) -> None:
    """Turn one step's vehicles on one loop into its edges. Overlapping vehicles give one presence, as on the street.

    A vehicle that entered and left before ``since_ms`` was reported by the step before; one that vanished from the
    loop without leaving it (changed lane, was taken out) ends its presence now.
    """
    changes: list[tuple[int, int, str]] = []  # time, +1 enters / -1 leaves, vehicle; leaving sorts before entering
    seen: set[str] = set()
    for vehicle, _length, entry_s, leave_s, _type in data:
        seen.add(vehicle)
        leave_ms = round(leave_s * 1000) if leave_s >= 0 else None
        if vehicle not in loop.covering:
            if leave_ms is not None and leave_ms <= since_ms:
                continue
            changes.append((min(max(round(entry_s * 1000), since_ms), now_ms), 1, vehicle))
        if leave_ms is not None:
            changes.append((min(max(leave_ms, since_ms), now_ms), -1, vehicle))
    changes.extend((now_ms, -1, vehicle) for vehicle in loop.covering if vehicle not in seen)
    changes.sort()
    for at_ms, change, vehicle in changes:
        if change > 0:
            loop.covering.add(vehicle)
        else:
            loop.covering.discard(vehicle)
        occupied = bool(loop.covering)
        if occupied != loop.occupied:
            loop.occupied = occupied
            out.append(InputEvent(at_ms, InputKind.PRESENCE, loop.detector, int(occupied)))
