"""What one junction's loop tells the journal, and nothing where there is none."""

from __future__ import annotations

from collections.abc import Iterable

from controller.detection import HealthEvent
from controller.journal_rows import JournalRows
from controller.journal_schema import DETECTOR_NOTE, RESTART
from controller.neighbours import Message
from hardware.ports import InputEvent
from hardware.signals import Aspect


class Recorder:
    """Counts one junction's ticks, and writes them, its inputs, frames and restarts. ``number`` is the present tick's, from 0 on."""

    def __init__(self, journal: JournalRows | None, junction_id: str) -> None:
        self.journal = journal
        self.number = -1
        self._restarted = -1  # the tick with which it began again last
        self._junction_id = junction_id

    def tick(self, now_ms: int) -> None:
        """Begin the next tick."""
        self.number += 1
        if self.journal is not None:
            self.journal.tick(self.number, now_ms)

    def inputs(self, events: Iterable[InputEvent], health: Iterable[HealthEvent], messages: Iterable[Message] = ()) -> None:
        """Record what arrived, also from the neighbours, and what it told of the detectors."""
        if self.journal is not None:
            for event in events:
                self.journal.event(self._junction_id, event)
            for change in health:
                detail = {"trusted": change.trusted, "detector": change.detector, "fault": change.fault}
                self.journal.note(change.at_ms, DETECTOR_NOTE, f"{change.detector}: {change.why}", detail)
            for message in messages:
                self.journal.message(self._junction_id, message)

    def frame(self, now_ms: int, aspects: tuple[Aspect, ...]) -> None:
        """Record what is about to be shown."""
        if self.journal is not None:
            self.journal.frame(self._junction_id, self.number, now_ms, aspects)

    def restart(self, now_ms: int, why: str) -> bool:
        """Record that the junction begins again from red with the next tick; replays do the same. Return whether it did so with this one."""
        again, self._restarted = self._restarted == self.number, self.number + 1
        if self.journal is not None:
            text = "again" if again else f"{self._junction_id}: begins again from red: {why}"  # a lost device makes one each tick
            self.journal.note(now_ms, RESTART, text, {"junction": self._junction_id, "tick": self._restarted})
        return again
