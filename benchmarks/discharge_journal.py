"""How the queues of a recorded run discharged: loop edges and frames out of its journal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks.discharge import Discharge, Measured, measured
from controller.journal_reader import JournalReader
from controller.junction import Junction, Purpose
from hardware.ports import InputKind
from hardware.signals import Aspect

GREEN: Final = Aspect.GREEN
_Change = tuple[int, int, str, bool, tuple[Aspect, ...] | None]


def measure_journal(path: Path) -> Measured:
    """Return what the lanes showed that one group alone serves and that never give way; others lose time for gaps, not for starting."""
    lanes: list[Discharge] = []
    with JournalReader(path) as journal:
        for name, row in journal.junctions.items():
            lanes += _of_junction(journal, name, row.junction)
    return measured(lanes)


def free_stop_loops(junction: Junction) -> dict[str, str]:
    """Return by stop loop of one lane the only group of that lane, where none of its movements gives way."""
    found = {}
    for d in junction.detectors:
        movements = [m for m in junction.movements if m.lane in d.lanes]
        groups = {m.group for m in movements}
        if d.purpose is Purpose.STOP and len(d.lanes) == 1 and len(groups) == 1 and not any(junction.gives_way_to(m) for m in movements):
            found[d.id] = groups.pop()
    return found


def _of_junction(journal: JournalReader, name: str, junction: Junction) -> list[Discharge]:
    loops = free_stop_loops(junction)
    at = {group.id: i for i, group in enumerate(junction.groups)}
    lanes = {loop: Discharge() for loop in loops}
    covered = dict.fromkeys(loops, False)
    green = dict.fromkeys(loops, False)
    for at_ms, source, value, aspects in _merged(journal, name):
        if aspects is not None:
            for loop, group in loops.items():
                now_green = aspects[at[group]] is GREEN
                if now_green and not green[loop]:
                    lanes[loop].green(at_ms, standing=covered[loop])
                elif green[loop] and not now_green:
                    lanes[loop].red()
                green[loop] = now_green
        elif source in loops:
            covered[source] = value
            (lanes[source].rise if value else lanes[source].fall)(at_ms)
    return list(lanes.values())


def _merged(journal: JournalReader, name: str) -> Iterator[tuple[int, str, bool, tuple[Aspect, ...] | None]]:
    """Yield edges and frames of a junction in order of time; what a step saw comes before what was shown at its end."""
    events = (row.event for row in journal.events() if row.junction_id == name)
    edges: list[_Change] = [(e.at_ms, 0, e.source, bool(e.value), None) for e in events if e.kind is InputKind.PRESENCE]
    frames: list[_Change] = [(f.now_ms, 1, "", False, f.aspects) for f in journal.frames() if f.junction_id == name]
    for at_ms, _, source, value, aspects in sorted([*edges, *frames], key=lambda change: change[:2]):
        yield at_ms, source, value, aspects
