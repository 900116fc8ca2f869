"""How long the lists, dictionaries and queues are that an object holds, directly or by way of others."""

from __future__ import annotations

import types
from collections import Counter, deque
from collections.abc import Iterator
from functools import partial

_PLAIN = (str, bytes, int, float, type(None), type, types.ModuleType, types.BuiltinFunctionType)


def lengths(root: object) -> Counter[str]:
    """Return the sums of the lengths by the path of attributes that leads to them; ``[]`` stands for all that a container holds."""
    found: Counter[str] = Counter()
    seen: set[int] = set()
    waiting: list[tuple[str, object]] = [("", root)]
    while waiting:
        path, one = waiting.pop()
        if isinstance(one, _PLAIN) or id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, (dict, list, tuple, set, frozenset, deque, bytearray)):
            found[path] += len(one)
        waiting += [(path + name, part) for name, part in _parts(one)]
    return found


def _parts(one: object) -> Iterator[tuple[str, object]]:
    if isinstance(one, dict):
        yield from (("[]", part) for pair in one.items() for part in pair)
    elif isinstance(one, (list, tuple, set, frozenset, deque)):
        yield from (("[]", part) for part in one)
    elif isinstance(one, types.MethodType):
        yield "", one.__self__
    elif isinstance(one, types.FunctionType):
        yield from (("()", cell.cell_contents) for cell in one.__closure__ or ())
    elif isinstance(one, partial):
        yield from (("()", part) for part in (one.func, one.args, one.keywords))
    else:
        slots = [name for kind in type(one).__mro__ for name in _slots(kind) if hasattr(one, name)]
        yield from ((f".{name}", getattr(one, name)) for name in (*slots, *getattr(one, "__dict__", ())))


def _slots(kind: type) -> tuple[str, ...]:
    names = kind.__dict__.get("__slots__", ())
    return (names,) if isinstance(names, str) else tuple(names)


def grown(before: Counter[str], middle: Counter[str], after: Counter[str], least: int) -> list[str]:
    """Return what grew by ``least`` or more in both halves of a time."""
    rows = ((path, before[path], middle[path], after[path]) for path in after)
    return [f"{path}: {a}, {b}, {c}" for path, a, b, c in rows if b - a >= least and c - b >= least]
