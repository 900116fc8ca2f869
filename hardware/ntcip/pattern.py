"""Write a pattern with its splits where nothing runs it, read it back, and only then have the controller run it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from hardware.ntcip.objects import ObjectTable
from hardware.ntcip.transport import ErrorStatus, ObjectError, Pair, Transport
from hardware.ports import PortError

SPLIT_MODE_NONE: Final = 2  # of splitMode: no recall and no omit, what is called is served
VERIFY_READS: Final = 20  # how often the state of a transaction is read before it counts as stuck


class Transaction(IntEnum):
    """``dbCreateTransaction`` of NTCIP 1201."""

    NORMAL = 1
    TRANSACTION = 2
    VERIFY = 3
    DONE = 6


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern and the splits that it uses; ``splits_s`` by phase."""

    number: int
    split: int
    cycle_s: int
    offset_s: int
    sequence: int
    splits_s: Mapping[int, int]
    coordinated: frozenset[int]

    def pairs(self, table: ObjectTable) -> list[Pair]:
        """Return all that is to be written."""
        n, s = self.number, self.split
        pairs: list[Pair] = [
            (table.oid("patternCycleTime", n), self.cycle_s),
            (table.oid("patternOffsetTime", n), self.offset_s),
            (table.oid("patternSplitNumber", n), s),
            (table.oid("patternSequenceNumber", n), self.sequence),
        ]
        for phase, split_s in sorted(self.splits_s.items()):
            pairs.append((table.oid("splitTime", s, phase), split_s))
            pairs.append((table.oid("splitMode", s, phase), SPLIT_MODE_NONE))
            pairs.append((table.oid("splitCoordPhase", s, phase), int(phase in self.coordinated)))
        return pairs


def write_pattern(pattern: Pattern, table: ObjectTable, transport: Transport) -> None:
    """Write the pattern and compare what stands there then. Raises `PortError` on the first difference; it must not be active meanwhile."""
    pairs = pattern.pairs(table)
    try:
        transport.set_many(pairs)
    except ObjectError as error:
        if error.status not in (ErrorStatus.TOO_BIG, ErrorStatus.GEN_ERR):
            raise
        _write_in_parts(pairs, table, transport)
    compare(pairs, table, transport)


def compare(pairs: Sequence[Pair], table: ObjectTable, transport: Transport) -> None:
    """Read back what was written. Raises `PortError` where it is not there."""
    found = transport.get_many([oid for oid, _ in pairs])
    for (oid, value), there in zip(pairs, found, strict=True):
        if there != value:
            raise PortError(
                f"controller: object {table.name(oid)}: expected the written {value!r} to stand there, found {there!r}; is another station writing?"
            )


def _write_in_parts(pairs: Sequence[Pair], table: ObjectTable, transport: Transport) -> None:
    """Write in a transaction of the controller's, or one part after the other where it knows none: nothing runs the pattern meanwhile."""
    control = table.oid("dbCreateTransaction")
    try:
        transport.set_many([(control, Transaction.TRANSACTION)])
    except ObjectError as error:
        if error.status is not ErrorStatus.NO_SUCH_NAME:
            raise
        _in_parts(pairs, transport)
        return
    try:
        _in_parts(pairs, transport)
        transport.set_many([(control, Transaction.VERIFY)])
        _await_verified(table, transport)
    finally:
        transport.set_many([(control, Transaction.NORMAL)])


def _await_verified(table: ObjectTable, transport: Transport) -> None:
    state = 0
    for _ in range(VERIFY_READS):
        state = int(transport.get_many([table.oid("dbCreateTransaction")])[0])
        if state in (Transaction.DONE, Transaction.NORMAL):
            return
    raise PortError(f"controller: dbCreateTransaction: expected {int(Transaction.DONE)} (done) after the verification, found {state}")


def _in_parts(pairs: Sequence[Pair], transport: Transport) -> None:
    """Write in requests as large as the agent takes, half as large after each that was too big."""
    todo, most = list(pairs), transport.most_per_request
    while todo:
        try:
            transport.set_many(todo[:most])
        except ObjectError as error:
            if error.status not in (ErrorStatus.TOO_BIG, ErrorStatus.GEN_ERR) or most == 1:
                raise
            most = max(1, most // 2)
        else:
            todo = todo[most:]
