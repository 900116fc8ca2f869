"""Replay: runs a recorded junction again from its recorded plans and proves the same frames, or finds the first difference.

The recorded plans go to fresh sequencers at the ticks at which they arrived. That is exact on every machine, for neither
numbers nor clocks are involved. `controller.replay_solve` goes further back, to the recorded input events.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeVar

from controller.free_stages import with_more_stages
from controller.journal_reader import FrameRow, JournalDamagedError, JournalReader, JunctionRow, NoteRow, PlanRow
from controller.journal_schema import CABINET_FILES, FILE_NAME, OBSERVED, RESTART, RESUME, JournalError, letters
from controller.junction import Junction
from controller.sequencer import Sequencer
from hardware.signals import Aspect

Aspects = tuple[Aspect, ...]
Ticks = Sequence[tuple[int, int]]
_Row = TypeVar("_Row")

WINDOW_S: Final = 30  # how much is shown before and after a difference


class Difference(NamedTuple):
    """The first difference: at which tick and time, and a text that shows it."""

    tick: int
    now_ms: int
    text: str


class Outcome(NamedTuple):
    """What replaying one junction gave: how much was compared, and the first difference or None."""

    junction_id: str
    ticks: int
    compared: str
    difference: Difference | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """What the journal tells of one junction, up to the first damage."""

    row: JunctionRow
    ticks: Ticks
    plans: Sequence[PlanRow]
    frames: Sequence[FrameRow]
    restarts: Ticks = ()
    memory: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # by node: what its sequencer remembered where the journal begins in mid-run
    observed: bool = False  # a controller owned the aspects


def find_journals(folder: Path) -> list[Path]:
    """Return the journal in ``folder``, a cabinet's journals in it, or those in its subfolders. Raises `JournalError` where there is none."""
    own = folder if folder.is_file() else folder / FILE_NAME
    found = [own] if own.is_file() else sorted(folder.glob(CABINET_FILES), key=_by_numbers) or sorted(folder.glob(f"*/{FILE_NAME}"))
    if not found:
        wanted = f"expected a run folder with {FILE_NAME}, one that holds such folders, or a cabinet's journal folder"
        raise JournalError(f"{folder}: {wanted}; 'umlauf simulate --output DIR' writes them (but where SUMO drives the signals), and 'umlauf run'")
    return found


def _by_numbers(path: Path) -> list[str | int]:
    """Return a key by which a day's first file, which has no number, comes before its second, and this before its tenth."""
    return [int(part) if part.isdigit() else part for part in re.split(r"([0-9]+)", path.stem)]


def run_of(path: Path) -> Path:
    """Return what a journal is known by: its run's folder, or the file itself where a folder holds many."""
    return path.parent if path.name == FILE_NAME else path


def read_records(reader: JournalReader) -> tuple[list[Record], str]:
    """Return the junctions' records, and what is damaged in the journal ("" where it is whole)."""
    ticks, damage = up_to_damage(reader.ticks())
    plans, plan_damage = up_to_damage(reader.plans())
    frames, frame_damage = up_to_damage(reader.frames())
    ends = [rows[-1].tick - 1 if rows else -1 for rows, broken in ((plans, plan_damage), (frames, frame_damage)) if broken]
    whole = [tick for tick in ticks if tick[0] <= min(ends, default=tick[0])]
    notes, note_damage = up_to_damage(reader.notes())
    records = [
        Record(
            row,
            whole,
            [p for p in plans if p.junction_id == name],
            [f for f in frames if f.junction_id == name],
            restarts_of(notes, name),
            _memory_of(notes, name),
            any(n.kind == OBSERVED and n.detail.get("junction") == name for n in notes),
        )
        for name, row in reader.junctions.items()
    ]
    return records, damage or plan_damage or frame_damage or note_damage


def restarts_of(notes: Iterable[NoteRow], junction_id: str) -> Ticks:
    """Return with which ticks the junction began again from red, and when that was decided."""
    return [(int(str(n.detail["tick"])), n.now_ms) for n in notes if n.kind == RESTART and n.detail.get("junction") == junction_id]


def _memory_of(notes: Iterable[NoteRow], junction_id: str) -> Mapping[str, Any]:
    found: Any = next((n.detail["nodes"] for n in notes if n.kind == RESUME and n.detail.get("junction") == junction_id), {})
    return dict(found)


def up_to_damage(rows: Iterable[_Row]) -> tuple[list[_Row], str]:
    """Return the rows before the damage, and what is damaged."""
    found: list[_Row] = []
    try:
        for row in rows:
            found.append(row)  # noqa: PERF402 - the rows before an error count
    except JournalDamagedError as error:
        return found, str(error)
    return found, ""


def shown(ticks: Ticks, frames: Iterable[FrameRow]) -> Iterator[Aspects]:
    """Yield what was shown at each tick; () before the first frame."""
    changes = {frame.tick: frame.aspects for frame in frames}
    aspects: Aspects = ()
    for tick, _ in ticks:
        aspects = changes.get(tick, aspects)
        yield aspects


def sequence(
    row: JunctionRow, ticks: Ticks, plans: Iterable[PlanRow], restarts: Ticks = (), memory: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
) -> Iterator[Aspects]:
    """Yield what the junction's sequencers show at each tick when given these plans; at ``restarts`` they begin again from red.

    ``memory``: by node, what a sequencer remembers before the first tick. Raises `JournalError` where it is damaged.
    """
    junction = with_more_stages(row.junction)
    sequencers = {node.id: Sequencer(junction, node, row.start_ms) for node in junction.nodes}
    try:
        for node_id, kept in memory.items():
            sequencers[node_id].recall(kept)
    except (LookupError, TypeError, ValueError) as error:
        raise JournalError(f"junction {row.junction.id}: the journal's head does not tell where its sequencers stood ({error!r})") from error
    anew_ms = dict(restarts)
    arriving: dict[int, list[PlanRow]] = defaultdict(list)
    for plan in plans:
        arriving[plan.tick].append(plan)
    for tick, now_ms in ticks:
        if tick in anew_ms:
            for sequencer in sequencers.values():
                sequencer.restart(anew_ms[tick])
        for plan in arriving.pop(tick, ()):
            sequencers[plan.node_id].adopt(plan.plan)
        aspects = {group: aspect for sequencer in sequencers.values() for group, aspect in sequencer.step(now_ms).items()}
        yield tuple(aspects[group.id] for group in junction.groups)


def replay_frames(record: Record) -> Outcome:
    """Sequence the recorded plans again and compare the frames with the recorded ones."""
    if record.observed:
        return Outcome(record.row.junction.id, 0, "nothing to prove: a controller owned the aspects, and the frames are what it was seen to show")
    replayed = list(sequence(record.row, record.ticks, record.plans, record.restarts, record.memory))
    difference = compare_frames(record.row.junction, record.ticks, record.frames, replayed, "replayed")
    return Outcome(record.row.junction.id, len(record.ticks), f"{len(record.plans)} plans", difference)


def compare_frames(junction: Junction, ticks: Ticks, frames: Sequence[FrameRow], again: Sequence[Aspects], word: str) -> Difference | None:
    """Return the first tick at which ``again`` differs from the recorded frames, shown as a text that names it by ``word``.

    The last tick is not compared where nothing was recorded at it: the run ended in the middle of that tick.
    """
    recorded = list(shown(ticks, frames))
    for i, (tick, now_ms) in enumerate(ticks):
        unfinished = i + 1 == len(ticks) and (not frames or frames[-1].tick < tick)
        if recorded[i] != again[i] and not unfinished:
            return Difference(tick, now_ms, difference_text(junction, ticks, recorded, again, i, word))
    return None


def difference_text(junction: Junction, ticks: Ticks, recorded: Sequence[Aspects], again: Sequence[Aspects], at: int, word: str) -> str:
    """Return one line per signal group, one character a second, around index ``at``; groups that differ have both lines."""
    moments = list(_each_second([now_ms for _, now_ms in ticks], at))
    column = moments.index(at)
    width = max(len(group.id) for group in junction.groups)
    lines = []
    for k, group in enumerate(junction.groups):
        old, new = (_letters_of(frames, moments, k) for frames in (recorded, again))
        if old == new:
            lines.append(f"  {group.id:<{width}}  both      {old}")
        else:
            lines += [f"  {group.id:<{width}}  recorded  {old}", f"  {'':<{width}}  {word:<8}  {new}"]
    lines.append(f"  {'':<{width}}            {' ' * column}^ tick {ticks[at][0]}, {ticks[at][1] / 1000:.1f} s")
    return "\n".join(lines)


def _each_second(times_ms: Sequence[int], at: int) -> Iterator[int]:
    """Yield the indices nearest to whole seconds before and after index ``at``, which is one of them."""
    last = None
    for i, now_ms in enumerate(times_ms):
        second = (now_ms - times_ms[at]) // 1000
        if abs(second) <= WINDOW_S and second != last and (second != 0 or i == at):
            last = second
            yield i


def _letters_of(frames: Sequence[Aspects], moments: Iterable[int], group: int) -> str:
    return "".join(letters([frames[i][group]]) if frames[i] else " " for i in moments)
