"""The object tree of a virtual controller: which instances there are, what they hold, and what a SET may change, all or nothing."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence

from hardware.ntcip.objects import ObjectSpec, ObjectTable, Oid, Value
from hardware.ntcip.transport import ErrorStatus, ObjectError, Pair

Index = tuple[int, ...]
Reader = Callable[[Index], Value]


class ObjectStore:
    """Stored and computed instances. ``stored``: initial values by name and index; ``computed``: readers with the indices they have."""

    def __init__(
        self, table: ObjectTable, stored: Mapping[tuple[str, Index], Value], computed: Mapping[str, tuple[Sequence[Index], Callable[..., Value]]]
    ) -> None:
        self.table = table
        self._values = dict(stored)
        self._readers = {name: read for name, (_, read) in computed.items()}
        keys = [*self._values, *((name, index) for name, (indices, _) in computed.items() for index in indices)]
        self._places = {table.oid(name, *index): (table.spec(name), index) for name, index in keys}
        self._order = sorted(self._places)
        self._indices: dict[str, list[Index]] = {}
        for name, index in self._values:
            self._indices.setdefault(name, []).append(index)

    def value(self, name: str, *index: int) -> int:
        """Return a stored number. Raises `KeyError` where there is none of that name and index."""
        found = self._values[name, index]
        return found if isinstance(found, int) else int.from_bytes(found, "big")

    def put(self, name: str, index: Index, value: Value) -> None:
        """Store a value from inside, as the controller itself does. Raises `KeyError` where there is none of that name and index."""
        if (name, index) not in self._values:
            raise KeyError((name, index))
        self._values[name, index] = value

    def indices(self, name: str) -> Sequence[Index]:
        """Return the index numbers under which a stored object is there."""
        return self._indices.get(name, ())

    def get(self, oid: Oid) -> Value:
        """Return one value. Raises `ObjectError` noSuchName."""
        spec, index = self._find(oid)
        reader = self._readers.get(spec.name)
        return self._values[spec.name, index] if reader is None else reader(*index)

    def get_next(self, oid: Oid) -> tuple[Oid, Value] | None:
        """Return the first instance behind ``oid`` with its value, None at the end of the tree."""
        place = bisect_right(self._order, oid)
        if place == len(self._order):
            return None
        return self._order[place], self.get(self._order[place])

    def check(self, pairs: Sequence[Pair]) -> list[tuple[ObjectSpec, Index, Value]]:
        """Return what a SET names, judged as a whole. Raises `ObjectError` naming the first object at fault; nothing is changed."""
        found = []
        for oid, value in pairs:
            spec, index = self._find(oid)
            if not spec.writable or spec.name in self._readers:
                raise ObjectError(ErrorStatus.READ_ONLY, oid)
            if spec.octets != isinstance(value, bytes) or (isinstance(value, int) and not spec.low <= value <= spec.high):
                raise ObjectError(ErrorStatus.BAD_VALUE, oid)
            found.append((spec, index, value))
        return found

    def _find(self, oid: Oid) -> tuple[ObjectSpec, Index]:
        found = self._places.get(oid)
        if found is None:
            raise ObjectError(ErrorStatus.NO_SUCH_NAME, oid)
        return found
