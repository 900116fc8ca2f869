"""What is in force by masks: hold, force-off, omit, calls of phases, and virtual detectors. Each request replaces one kind's whole set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hardware.ntcip.objects import PHASES_PER_GROUP, ObjectTable
from hardware.ntcip.pattern import compare
from hardware.ntcip.phase_map import Kind, PhaseMap
from hardware.ntcip.states import masks_of
from hardware.ntcip.transport import Pair, Transport
from hardware.ports import Actuation, CommandKind, ControllerCommand

PHASE_CONTROL: Final = "phaseControlGroup"
FORCE_OFF: Final = f"{PHASE_CONTROL}ForceOff"
VEHICLE_DETECTORS: Final = "vehicleDetectorControlGroupActuation"
PED_DETECTORS: Final = "pedestrianDetectorControlGroupActuation"
# Calls bring something on, force-offs end something: to let go, first nothing new is called, and what ends is left to the controller last.
RELEASE_ORDER: Final = (
    *(f"{PHASE_CONTROL}{n}" for n in ("VehCall", "PedCall", "PhaseOmit", "PedOmit", "Hold", "ForceOff")),
    VEHICLE_DETECTORS,
    PED_DETECTORS,
)
# By command: the column of vehicles and that of pedestrians, where there is one.
COLUMNS: Final[Mapping[CommandKind, tuple[str, str]]] = {
    CommandKind.HOLD: (f"{PHASE_CONTROL}Hold", ""),
    CommandKind.FORCE_OFF: (FORCE_OFF, ""),
    CommandKind.OMIT: (f"{PHASE_CONTROL}PhaseOmit", f"{PHASE_CONTROL}PedOmit"),
    CommandKind.CALL: (f"{PHASE_CONTROL}VehCall", f"{PHASE_CONTROL}PedCall"),
}


class Masks:
    """The masks in force at one controller, and how they get there. Everything that writes raises `PortError`."""

    def __init__(self, table: ObjectTable, places: PhaseMap, actuation: Actuation) -> None:
        self._table, self._places, self._actuation = table, places, actuation
        self._force: dict[str, frozenset[int]] = {}
        self._unsure: set[str] = set()  # columns of which a write was not answered

    @property
    def in_force(self) -> bool:
        """Tell whether anything is, or may be."""
        return bool(self._unsure) or any(self._force.values())

    @property
    def unsure(self) -> bool:
        """Tell whether a write was not answered, so that it must be written again."""
        return bool(self._unsure)

    @property
    def refreshed(self) -> bool:
        """Tell whether anything is that the controller would take back in backup mode: virtual detectors it would not."""
        return any(numbers for name, numbers in self._force.items() if name.startswith(PHASE_CONTROL))

    def request(self, command: ControllerCommand, transport: Transport) -> None:
        """Put the command's whole set in force, in as few requests as possible; what does not change is not written."""
        wanted = self._wanted(command)
        changed = {name: numbers for name, numbers in wanted.items() if self._force.get(name, frozenset()) != numbers}
        pairs = [pair for name, numbers in changed.items() for pair in self._pairs(name, self._force.get(name, frozenset()) | numbers, numbers)]
        self._force |= changed
        self._unsure |= set(changed)  # until the answer is there, the controller may have done it or not
        self._write(pairs, transport)
        self._unsure -= set(changed)

    def _wanted(self, command: ControllerCommand) -> dict[str, frozenset[int]]:
        groups = command.groups
        if command.kind is CommandKind.CALL and self._actuation is Actuation.CALLS:
            return {
                VEHICLE_DETECTORS: self._places.detector_numbers(groups, Kind.DETECTOR),
                PED_DETECTORS: self._places.detector_numbers(groups, Kind.PED_DETECTOR),
            }
        vehicles, peds = COLUMNS[command.kind]
        wanted = {vehicles: self._places.numbers(groups, Kind.PHASE)}
        return wanted | ({peds: self._places.numbers(groups, Kind.PED)} if peds else {})

    def green_ended(self, greens: frozenset[int]) -> None:
        """Forget force-offs of phases that are not green any more: the controller has reset these bits, and written again they would end the next green."""
        if FORCE_OFF in self._force:
            self._force[FORCE_OFF] &= greens

    def refresh(self, transport: Transport) -> None:
        """Write again what is in force and would be taken back, which restarts the controller's deadman."""
        pairs: list[Pair] = []
        for name, numbers in self._force.items():
            everywhere = frozenset(range(1, self._groups(name) * PHASES_PER_GROUP + 1))
            if name in self._unsure or name.startswith(PHASE_CONTROL):
                pairs += self._pairs(name, everywhere if name in self._unsure else numbers, numbers)
        self._write(pairs, transport)
        self._unsure.clear()

    def zero(self, transport: Transport) -> None:
        """Take everything back, also what an earlier process may have left. Raises `PortError` where it does not stand there afterwards."""
        pairs: list[Pair] = [(self._table.oid(name, g), 0) for name in RELEASE_ORDER for g in range(1, self._groups(name) + 1)]
        self._write(pairs, transport)
        compare(pairs, self._table, transport)
        self._force, self._unsure = {}, set()

    def _groups(self, name: str) -> int:
        """Return how many groups of eight of this column are ours to write."""
        places = self._places
        if self._actuation is Actuation.SPLITS or (self._actuation is Actuation.CALLS) is name.startswith(PHASE_CONTROL):
            return 0
        if name in (VEHICLE_DETECTORS, PED_DETECTORS):
            kind = Kind.DETECTOR if name == VEHICLE_DETECTORS else Kind.PED_DETECTOR
            return -(-max(places.detector_numbers(places.detectors, kind), default=0) // PHASES_PER_GROUP)
        return places.groups_of_eight(Kind.PHASE, Kind.PED)

    def _pairs(self, name: str, touched: frozenset[int], numbers: frozenset[int]) -> list[Pair]:
        """Return the writes of the groups of eight in which something is, or was, set."""
        masks = masks_of(numbers, self._groups(name))
        return [(self._table.oid(name, g), masks[g - 1]) for g in sorted({(n - 1) // PHASES_PER_GROUP + 1 for n in touched})]

    def _write(self, pairs: list[Pair], transport: Transport) -> None:
        most = transport.most_per_request
        for k in range(0, len(pairs), most):
            transport.set_many(pairs[k : k + most])
