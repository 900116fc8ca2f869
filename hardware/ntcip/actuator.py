"""What is in force at one controller, by masks or by a pattern, and how it is kept in force and taken back.

The controller takes everything back by itself unitBackupTime after the last SET of a system control parameter. That is the deadman:
what is in force is written again after at most a third of it, so that two losses in a row do no harm. A pattern is only refreshed by
writing ``systemPatternControl``; its splits stand in the controller's own memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from hardware.ntcip.masks import COLUMNS, Masks
from hardware.ntcip.objects import ObjectTable
from hardware.ntcip.options import NtcipOptions
from hardware.ntcip.pattern import Pattern, compare, write_pattern
from hardware.ntcip.phase_map import Kind, PhaseMap
from hardware.ntcip.splits import cycle_of, fit
from hardware.ntcip.states import FLASHING, STANDBY
from hardware.ntcip.status import ControllerStatus
from hardware.ntcip.timing import TimingTables
from hardware.ntcip.transport import Transport
from hardware.ports import Actuation, CommandKind, ControllerCommand, PortError

REFRESHES: Final = 3  # per unitBackupTime
AFTER_FLASH_MS: Final = 30_000  # a controller has a shortest flash and an all red of its own on the way back
CYCLES_TO_RUN: Final = 3  # 1202 gives the controller three cycles to run a called pattern before it is a coordination alarm

KINDS: Final[Mapping[Actuation, frozenset[CommandKind]]] = {
    Actuation.SPLITS: frozenset((CommandKind.SPLITS, CommandKind.PATTERN, CommandKind.RELEASE, CommandKind.FLASH)),
    Actuation.PHASE_CONTROL: frozenset((*COLUMNS, CommandKind.PATTERN, CommandKind.RELEASE, CommandKind.FLASH)),
    Actuation.CALLS: frozenset((CommandKind.CALL, CommandKind.RELEASE, CommandKind.FLASH)),
}


class Actuator:
    """Puts commands in force. Everything that writes raises `PortError`, and `ObjectError` where the controller refuses."""

    def __init__(self, table: ObjectTable, places: PhaseMap, options: NtcipOptions, transport: Transport, now: Callable[[], int]) -> None:
        self._table, self._places, self._options, self._transport, self._now = table, places, options, transport, now
        self._masks = Masks(table, places, options.actuation)
        self._tables = TimingTables((), (), 0)
        self._splits_s: dict[int, int] = {}
        self._pattern = STANDBY
        self._activated_ms = 0
        self._flash_end_ms = 0  # until when a flash that was taken back may last
        self._set_ms: int | None = None  # when the newest SET that restarts the deadman was sent
        self.clean = False  # nothing of ours, or of an earlier process, is in force

    def connect(self, tables: TimingTables) -> None:
        """Take the controller's tables; what is in force there is unknown."""
        self._tables, self._splits_s, self.clean = tables, {}, False

    @property
    def in_force(self) -> bool:
        """Tell whether anything is, or may be."""
        return self._masks.in_force or self._pattern != STANDBY

    @property
    def flashing(self) -> bool:
        """Tell whether the controller flashes because we asked for it, or may do so still."""
        return self._pattern == FLASHING or self._now() < self._flash_end_ms

    def command(self, command: ControllerCommand, status: ControllerStatus) -> None:
        """Put one command in force."""
        if command.kind is CommandKind.RELEASE:
            self.let_go()
            return
        if not self.clean:
            self.let_go()
        if command.kind is CommandKind.SPLITS:
            self._run_splits(command, status)
        elif command.kind is CommandKind.PATTERN:
            self._activate(command.value)
        elif command.kind is CommandKind.FLASH:
            self.let_go()
            self._activate(FLASHING)
        elif command.kind in KINDS[self._options.actuation]:
            self._set_ms = self._now()
            self._masks.request(command, self._transport)

    def refresh_due(self) -> bool:
        """Tell whether what is in force must be written now, because the next chance may come after a third of the deadman, or a write was lost."""
        if self._masks.unsure:
            return True
        if not (self._masks.refreshed or self._pattern != STANDBY) or self._set_ms is None:
            return False
        slowest_ms = self._options.poll_ms + self._options.timeout_ms * (self._options.retries + 1)
        return self._now() - self._set_ms >= self._tables.backup_ms // REFRESHES - slowest_ms

    def refresh(self) -> None:
        """Write again what is in force."""
        sent_ms = self._now()
        if self._masks.refreshed or self._masks.unsure:
            self._masks.refresh(self._transport)
        if self._pattern != STANDBY:
            self._transport.set_many([(self._table.oid("systemPatternControl"), self._pattern)])
        self._set_ms = sent_ms

    def green_ended(self, greens: frozenset[int]) -> None:
        """Learn which phases are green: of these alone a force-off still stands."""
        self._masks.green_ended(greens)

    def expired(self) -> bool:
        """Tell whether the controller's deadman must have taken everything back by now."""
        driven = self._masks.refreshed or self._pattern != STANDBY
        return driven and self._set_ms is not None and self._now() - self._set_ms >= self._tables.backup_ms

    def not_running(self, status: ControllerStatus) -> str:
        """Return what is wrong where the controller does not run the pattern long after it should, else an empty text."""
        if self._pattern in (STANDBY, FLASHING) or status.pattern in (-1, self._pattern):
            return ""
        cycle_s = cycle_of(self._splits_s, self._tables) if self._splits_s else 120
        if status.at_ms - self._activated_ms < CYCLES_TO_RUN * cycle_s * 1000:
            return ""
        return f"expected pattern {self._pattern} within {CYCLES_TO_RUN} cycles, found pattern status {status.pattern}"

    def let_go(self) -> None:
        """Take everything back: calls, omits, holds, force-offs, then the pattern; and see that it is gone."""
        self.clean = False
        self._masks.zero(self._transport)
        if self._pattern == FLASHING:
            self._flash_end_ms = self._now() + AFTER_FLASH_MS
        if self._pattern != STANDBY or self._options.actuation is Actuation.SPLITS:
            self._activate(STANDBY)
        self._splits_s = {}
        self._set_ms, self.clean = None, True

    def _run_splits(self, command: ControllerCommand, status: ControllerStatus) -> None:
        """Write the splits into the reserved pattern that is not active, and have it run; nothing is written where they run already."""
        wanted: dict[int, int] = {}
        for group, duration_ms in zip(command.groups, command.durations_ms, strict=True):
            place = self._places.places[group]
            if place.kind is not Kind.OVERLAP:
                wanted[place.number] = max(wanted.get(place.number, 0), duration_ms)
        splits = fit(wanted, self._tables, before_s=self._splits_s or None, step_s=self._options.step_s)
        if splits == self._splits_s and self._pattern in self._options.patterns:
            return
        which = 0 if self._options.patterns[0] not in (self._pattern, status.pattern, status.system_pattern) else 1
        number = self._options.patterns[which]
        if number in (status.pattern, self._pattern):
            raise PortError(f"controller: expected pattern {number} not active while it is written, found it active; reserve two patterns for us")
        pattern = Pattern(
            number=number,
            split=self._options.splits[which],
            cycle_s=cycle_of(splits, self._tables),
            offset_s=self._options.offset_s,
            sequence=self._options.sequence,
            splits_s=splits,
            coordinated=frozenset(self._options.coordinated),
        )
        write_pattern(pattern, self._table, self._transport)
        self._splits_s = splits
        self._activate(number)

    def _activate(self, number: int) -> None:
        """Have the controller run a pattern, by a SET of its own, and read it back."""
        sent_ms = self._now()
        pairs = [(self._table.oid("systemPatternControl"), number)]
        self._pattern = number if number != STANDBY else self._pattern
        self._transport.set_many(pairs)
        compare(pairs, self._table, self._transport)
        self._pattern, self._activated_ms, self._set_ms = number, sent_ms, sent_ms
