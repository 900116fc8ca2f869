"""``umlauf replay --solve``: runs detection, estimate, planner and sequencer again from the recorded input events.

The control is the very one that runs on the street (`controller.assemble`), with the journal as its input port. What it
decides is journalled anew and compared with the old record: digests of the solver's arrays, plans, frames.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from controller.assemble import assemble
from controller.journal import Journal
from controller.journal_reader import EventRow, JournalReader, JunctionRow, MessageRow, PlanRow, SnapshotRow
from controller.journal_schema import FILE_NAME
from controller.loop import JunctionControl
from controller.neighbours import Message
from controller.plan import Plan, PlanStep
from controller.replay import Difference, Outcome, Ticks, compare_frames, restarts_of, shown
from hardware.fake import FakeHeads
from hardware.ports import InputEvent


class Decision(NamedTuple):
    """One thing that a node decided at a tick: a plan, or the digest of the arrays that it was solved from."""

    tick: int
    node_id: str
    what: str
    value: object


class JournalInputs:
    """An input port that gives each tick the events which arrived in it."""

    def __init__(self, ticks: Ticks, events: Iterable[EventRow]) -> None:
        self._ticks = iter([tick for tick, _ in ticks])
        self._events: dict[int, list[InputEvent]] = defaultdict(list)
        for row in events:
            self._events[row.tick].append(row.event)

    def poll(self, now_ms: int) -> Sequence[InputEvent]:  # noqa: ARG002 - the record says what arrived, whatever the time
        """Return the events of the next tick."""
        return self._events.get(next(self._ticks), ())


class JournalNeighbours:
    """A neighbours' port that gives each tick the messages which arrived in it; what is sent goes nowhere."""

    def __init__(self, ticks: Ticks, messages: Iterable[MessageRow]) -> None:
        self._ticks = iter([tick for tick, _ in ticks])
        self._messages: dict[int, list[Message]] = defaultdict(list)
        for row in messages:
            self._messages[row.tick].append(row.message)

    def send(self, receiver: str, message: Message) -> None:
        """Lose the message: what it led to is recorded."""

    def receive(self, now_ms: int) -> Sequence[Message]:  # noqa: ARG002 - the record says what arrived, whatever the time
        """Return the messages of the next tick."""
        return self._messages.get(next(self._ticks), ())


def replay_solve(reader: JournalReader, junction_id: str) -> Outcome:
    """Decide again from the recorded events and compare digests, plans and frames; the first difference is told."""
    row, ticks = reader.junctions[junction_id], list(reader.ticks())
    if not row.solvable:
        return Outcome(junction_id, 0, f"nothing to solve again: {row.control} saw or planned by something that no event records")
    with tempfile.TemporaryDirectory(prefix="umlauf-replay-") as folder:
        path = Path(folder) / FILE_NAME
        events = [event for event in reader.events() if event.junction_id == junction_id]
        messages = [message for message in reader.messages() if message.junction_id == junction_id]
        run_again(row, ticks, events, messages, dict(restarts_of(reader.notes(), junction_id)), path)
        with JournalReader(path) as again:
            old, new = list(_decisions(reader, junction_id)), list(_decisions(again, junction_id))
            frames = [frame for frame in reader.frames() if frame.junction_id == junction_id]
            difference = _first_difference(ticks, old, new)
            difference = difference or compare_frames(row.junction, ticks, frames, list(shown(ticks, again.frames())), "solved")
    return Outcome(junction_id, len(ticks), f"{len(old)} digests and plans", difference)


def run_again(
    row: JunctionRow, ticks: Ticks, events: Iterable[EventRow], messages: Iterable[MessageRow], restarts: Mapping[int, int], path: Path
) -> JunctionControl:
    """Run the junction's control again over these ticks with a new journal at ``path``; return it as it then stands."""
    with Journal.create(path, {}) as journal:
        heads = FakeHeads(row.junction.site_spec())
        inputs, neighbours = JournalInputs(ticks, events), JournalNeighbours(ticks, messages)
        control = assemble(row.junction, row.control, inputs, heads, journal, start_ms=row.start_ms, neighbours=neighbours)
        for tick, now_ms in ticks:
            if tick in restarts:
                control.restart(restarts[tick], "as recorded")
            control.tick(now_ms)
    return control


def _decisions(reader: JournalReader, junction_id: str) -> Iterator[Decision]:
    """Yield what was decided, in order of ticks; at one tick the digest comes before the plan that was made of it."""
    rows: list[PlanRow | SnapshotRow] = [*reader.snapshots(), *reader.plans()]
    for row in sorted((row for row in rows if row.junction_id == junction_id), key=lambda row: (row.tick, row.node_id)):
        match row:
            case PlanRow():
                yield Decision(row.tick, row.node_id, "plan", row.plan)
            case SnapshotRow():
                yield Decision(row.tick, row.node_id, "snapshot digest", row.digest)


def _first_difference(ticks: Ticks, old: Sequence[Decision], new: Sequence[Decision]) -> Difference | None:
    times_ms = dict(ticks)
    for before, after in zip_longest(old, new):
        if before is None and after is not None and after.tick == ticks[-1][0]:
            return None  # the run ended in the middle of its last tick
        if before != after:
            at = before or after
            what = at.what if before is None or after is None or before.what == after.what else "decision"
            text = f"  {what} of node {at.node_id}\n    recorded  {_text(before)}\n    solved    {_text(after)}"
            return Difference(at.tick, times_ms.get(at.tick, 0), text)
    return None


def _text(decision: Decision | None) -> str:
    match decision:
        case None:
            return "none"
        case Decision(value=Plan() as plan):
            steps = ", ".join(_step_text(step) for step in plan.steps)
            return f"tick {decision.tick}: {plan.planner}: {steps} ({plan.reason}) {plan.detail}"
        case Decision(value=bytes() as digest):
            return f"tick {decision.tick}: {digest.hex()}"
        case _:
            return f"tick {decision.tick}: {decision.value}"


def _step_text(step: PlanStep) -> str:
    clears = f", nothing green for {step.clear_ms / 1000:.1f} s," if step.clear_ms else ""
    return f"stage {step.stage}{clears}" + (f" until {step.until_ms / 1000:.1f} s" if step.until_ms is not None else "")
