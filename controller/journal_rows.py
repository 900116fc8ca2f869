"""The journal's rows as they gather in memory: calls are cheap (a list append), and what is pending goes to disk together on `flush`.

Call `JournalRows.tick` first in each tick: what follows is recorded as belonging to it, and `flush` is called by itself now and then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from controller.journal_schema import TABLES, json_text, junction_text, letters, steps_text
from controller.junction import Junction
from controller.known import Packer, known_text
from controller.neighbours import Message, message_text
from controller.plan import Plan
from controller.snapshot import Snapshot
from hardware.ports import InputEvent
from hardware.signals import Aspect

FLUSH_ROWS: Final = 5_000
FLUSH_INTERVAL_MS: Final = 10_000

Batch = Mapping[str, Sequence[tuple[object, ...]]]
"""Rows by table, as they are inserted."""


class JournalRows:
    """Gathers rows; a subclass says where they go."""

    def __init__(self, flush_rows: int = FLUSH_ROWS, flush_interval_ms: int = FLUSH_INTERVAL_MS) -> None:
        self._flush_rows = flush_rows
        self._flush_interval_ms = flush_interval_ms
        self._rows: dict[str, list[tuple[object, ...]]] = {table: [] for table in TABLES}
        self._messages: list[tuple[int, int, Message]] = []
        self._plans: list[tuple[int, int, int, int, int, Plan]] = []
        self._frames: list[tuple[int, int, int, Sequence[Aspect]]] = []
        self.keeps_known = False  # whether `known` is to be told: where the events alone are not enough to decide again
        self._known: list[str] = []
        self._known_tick = -1  # of the first of them
        self._packer = Packer()
        self._names: dict[str, int] = {}
        self._shown: dict[int, tuple[Aspect, ...]] = {}
        self._tick = -1
        self._now_ms = 0
        self._run: list[int] | None = None  # first tick, first ms, step ms, count of the run of ticks not yet written
        self._flushed_ms: int | None = None

    def flush(self) -> None:
        """Send what is pending on its way to the disk."""
        raise NotImplementedError

    def close(self) -> None:
        """Flush, and leave one self-contained file."""
        raise NotImplementedError

    def junction(self, junction: Junction, control: str, start_ms: int = 0, *, solvable: bool = True) -> None:
        """Record the junction as it is driven, whole, so that a replay needs nothing else.

        ``solvable`` False: its estimator or planner was given from outside, so its decisions cannot be rebuilt from events.
        """
        self._rows["junction"].append((self._name(junction.id), control, junction_text(junction), start_ms, int(solvable)))

    def tick(self, tick: int, now_ms: int) -> None:
        """Begin a tick; the rows that follow belong to it. Further calls with the same tick change nothing."""
        if tick == self._tick:
            return
        self._extend_run(tick, now_ms)
        self._tick, self._now_ms = tick, now_ms
        if self._flushed_ms is None:
            self._flushed_ms = now_ms
        elif now_ms - self._flushed_ms >= self._flush_interval_ms or self._pending() >= self._flush_rows:
            self.flush()

    def event(self, junction_id: str, event: InputEvent) -> None:
        """Record one input event as having arrived in the present tick."""
        name = self._name
        self._rows["event"].append((name(junction_id), self._tick, event.at_ms, name(event.kind), name(event.source), event.value))

    def message(self, junction_id: str, message: Message) -> None:
        """Record a neighbour's message as having arrived in the present tick."""
        self._messages.append((self._name(junction_id), self._tick, message))

    def plan(self, junction_id: str, node_id: str, tick: int, now_ms: int, plan: Plan) -> None:
        """Record a plan with the tick at which the sequencer took it."""
        name = self._name
        self._plans.append((name(junction_id), name(node_id), tick, now_ms, name(plan.planner), plan))

    def frame(self, junction_id: str, tick: int, now_ms: int, aspects: tuple[Aspect, ...]) -> None:
        """Record what was shown, where it differs from the last frame of this junction."""
        number = self._name(junction_id)
        if self._shown.get(number) != aspects:
            self._shown[number] = aspects
            self._frames.append((number, tick, now_ms, aspects))

    def mode(self, junction_id: str, tick: int, now_ms: int, mode: str, event: str, reason: str) -> None:
        """Record that the mode changed, through which event, and why."""
        name = self._name
        self._rows["mode"].append((name(junction_id), tick, now_ms, name(mode), name(event), reason))

    def snapshot(self, junction_id: str, node_id: str, tick: int, digest: bytes) -> None:
        """Record the digest of the snapshot that the planner was given."""
        self._rows["snapshot"].append((self._name(junction_id), self._name(node_id), tick, digest))

    def known(self, junction_id: str, node_id: str, planner: str, snapshot: Snapshot) -> None:
        """Record what a decision knew, and which planner was asked."""
        text = known_text(junction_id, node_id, planner, snapshot)
        if not self._known:
            self._known_tick = snapshot.tick
        self._known.append(text)

    def memory(self, junction_id: str, node_id: str, tick: int, planner: str, memory: Mapping[str, object]) -> None:
        """Record what a planner remembered before it was asked in that tick."""
        name = self._name
        self._rows["memory"].append((name(junction_id), name(node_id), tick, name(planner), json_text(memory)))

    def note(self, now_ms: int, kind: str, text: str, detail: Mapping[str, object] | None = None) -> None:
        """Record anything else that a reader of the journal wants to know."""
        self._rows["note"].append((now_ms, self._name(kind), text, json_text(detail or {})))

    def _batch(self) -> Batch:
        """Return what is pending, as it is inserted."""
        rows = {table: list(pending) for table, pending in self._rows.items() if pending}
        rows["message"] = [(*key, message_text(message)) for *key, message in self._messages]
        rows["plan"] = [(*key, p.made_ms, steps_text(p), p.reason, json_text(p.detail)) for *key, p in self._plans]
        rows["frame"] = [(*key, letters(aspects)) for *key, aspects in self._frames]
        rows["known"] = [(self._known_tick, *self._packer.pack(self._known))] if self._known else []
        rows["ticks"] = [*self._rows["ticks"], *([tuple(self._run)] if self._run else [])]
        return rows

    def _clear(self) -> None:
        """Forget what is pending, for it has been taken over."""
        for pending in self._rows.values():
            pending.clear()
        self._messages.clear()
        self._plans.clear()
        self._frames.clear()
        self._known.clear()
        self._run = None
        self._flushed_ms = self._now_ms

    def _name(self, text: str) -> int:
        number = self._names.get(text)
        if number is None:
            number = self._names[text] = len(self._names) + 1
            self._rows["name"].append((number, str(text)))
        return number

    def _pending(self) -> int:
        return len(self._messages) + len(self._plans) + len(self._frames) + len(self._known) + sum(map(len, self._rows.values()))

    def _extend_run(self, tick: int, now_ms: int) -> None:
        run = self._run
        step_ms = now_ms - self._now_ms
        if run is not None and tick == run[0] + run[3] and (run[3] == 1 or step_ms == run[2]):
            run[2] = step_ms
            run[3] += 1
            return
        if run is not None:
            self._rows["ticks"].append(tuple(run))
        self._run = [tick, now_ms, 0, 1]
