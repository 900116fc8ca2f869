"""What a decision knew, as the optimizer is told it and as a cabinet's journal keeps it.

A snapshot is mostly what the one before it was: a second's, with what stands before it as a dictionary, takes some 140 octets. Its numbers
are rounded where they are written, to far less than a planner tells apart, for else their last digits would be most of the journal.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, Final, NamedTuple

from controller.snapshot import Coming, DetectorState, LaneBelief, SignalState, Snapshot

DIGITS: Final = 4  # after the decimal point: 0.0001 vehicles, 0.4 veh/h
MOST_BYTES: Final = 1 << 26  # of one chunk
WHOLE_EVERY: Final = 120  # chunks; every so many one can be read without those before it

_BELIEF: Final = tuple(f.name for f in fields(LaneBelief))
_DETECTOR: Final = tuple(f.name for f in fields(DetectorState))
_SIGNALS: Final = tuple(f.name for f in fields(SignalState))
_WINDOW_BITS: Final = -15  # raw, for SQLite keeps the length


class Known(NamedTuple):
    """What one node's decision knew, and who was asked for a plan."""

    junction_id: str
    node_id: str
    planner: str
    snapshot: Snapshot


class Packer:
    """Makes chunks of what a journal's decisions knew; each needs the one before it, but for those that are whole."""

    def __init__(self) -> None:
        self._before = b""
        self._count = 0

    def pack(self, texts: Sequence[str]) -> tuple[int, bytes]:
        """Return whether the chunk is whole (1 or 0), and the chunk."""
        data = "\n".join(texts).encode()
        whole = self._count % WHOLE_EVERY == 0
        packing = zlib.compressobj(9, zlib.DEFLATED, _WINDOW_BITS, 9, zlib.Z_DEFAULT_STRATEGY, b"" if whole else self._before)
        self._before, self._count = data, self._count + 1
        return int(whole), packing.compress(data) + packing.flush()


def unpack(chunks: Iterator[tuple[int, bytes]]) -> Iterator[list[Known]]:
    """Yield what stands in each chunk, beginning with a whole one. Raises `ValueError` where it is damaged."""
    before = b""
    for whole, body in chunks:
        unpacking = zlib.decompressobj(_WINDOW_BITS, b"" if whole else before)
        try:
            before = unpacking.decompress(body, MOST_BYTES)
            if not unpacking.eof:
                raise ValueError(f"what a decision knew cannot be read: expected a whole chunk of at most {MOST_BYTES} bytes, found another")
            yield [_known(line) for line in before.decode().split("\n")]
        except (zlib.error, LookupError, TypeError) as error:
            raise ValueError(f"what a decision knew cannot be read: {error}") from error


def known_text(junction_id: str, node_id: str, planner: str, snapshot: Snapshot) -> str:
    """Return one line for a chunk; a NaN is kept, for the journal tells what was."""
    return json.dumps([junction_id, node_id, planner, snapshot_rows(snapshot)], separators=(",", ":"), ensure_ascii=False)


def _known(line: str) -> Known:
    junction_id, node_id, planner, rows = json.loads(line)
    return Known(junction_id, node_id, planner, snapshot_of(rows))


def snapshot_rows(s: Snapshot) -> list[object]:
    """Return a snapshot as JSON data, its numbers rounded; `snapshot_of` gives an equal one back, but for that."""
    return [
        s.tick,
        s.now_ms,
        [getattr(s.signals, name) for name in _SIGNALS],
        {name: [_rounded(getattr(d, f)) for f in _DETECTOR] for name, d in s.detectors.items()},
        {name: [_rounded(getattr(b, f)) for f in _BELIEF] for name, b in s.lanes.items()},
        sorted(s.blocked_exits),
        {name: [c.arrival_ms, c.weight_milli, _rounded(c.rest_ratio), c.told_ms, c.held_milli] for name, c in s.coming.items()},
        dict(s.exit_room_veh),
        sorted(s.shut_exits),
        dict(s.requests),
    ]


def _rounded(value: Any) -> Any:
    if type(value) is float:
        return round(value, DIGITS)
    return [_rounded(x) for x in value] if type(value) is tuple else value


def snapshot_of(rows: Sequence[Any]) -> Snapshot:
    """Return the snapshot that `snapshot_rows` wrote. Raises what malformed data raises."""
    tick, now_ms, signals, detectors, lanes, blocked, coming, room, *more = rows
    return Snapshot(
        tick,
        now_ms,
        SignalState(*signals),
        {name: DetectorState(*row) for name, row in detectors.items()},
        {name: LaneBelief(**_belief(row)) for name, row in lanes.items()},
        frozenset(blocked),
        {name: Coming(tuple(at), tuple(weight), rest, told, *held) for name, (at, weight, rest, told, *held) in coming.items()},
        room,
        *([frozenset(more[0])] if more else ()),
        *more[1:],
    )


def _belief(row: Sequence[Any]) -> Mapping[str, Any]:
    return {name: tuple(x) if isinstance(x, list) else x for name, x in zip(_BELIEF, row, strict=True)}
