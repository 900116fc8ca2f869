"""One junction's tick: read, estimate, decide, sequence, show. The same code runs in simulation, cabinet and replay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from controller.decide import NodeControl
from controller.detection import Detection
from controller.estimate import Estimator
from controller.journal import Journal
from controller.junction import Junction
from controller.snapshot import SignalState, Snapshot
from controller.supervisor import ModeChange
from hardware.ports import HeadPort, InputPort
from hardware.signals import Aspect, Frame


@dataclass(slots=True)
class JunctionControl:
    """All that drives one junction. Build it with `controller.assemble.assemble`."""

    junction: Junction
    inputs: InputPort
    heads: HeadPort
    detection: Detection
    estimator: Estimator
    nodes: Sequence[NodeControl]
    journal: Journal | None
    plan_interval_ms: int = 1_000
    solve_ms: list[float] = field(default_factory=list)
    _tick: int = 0
    _plan_due_ms: int | None = None
    _signals: list[SignalState] = field(default_factory=list)

    def tick(self, now_ms: int) -> None:
        """Do one tick at monotonic time ``now_ms``. Raises `PortError` on a lost device, `FrameRefusedError` from the interlock."""
        if self.journal is not None:
            self.journal.tick(self._tick, now_ms)
        self._read(now_ms)
        if self._plan_due_ms is None or now_ms >= self._plan_due_ms:
            self._plan_due_ms = now_ms + self.plan_interval_ms
            self._decide(now_ms)
        self._show(now_ms)
        self._tick += 1

    @property
    def mode_changes(self) -> list[ModeChange]:
        """Return what the supervisors have done so far."""
        return [change for node in self.nodes for change in node.mode_changes]

    def _read(self, now_ms: int) -> None:
        events = self.inputs.poll(now_ms)
        edges, health = self.detection.feed(events, now_ms)
        self._signals = [node.state(now_ms) for node in self.nodes]
        green = {g: since for signals in self._signals for g, since in signals.green_since_ms.items()}
        self.estimator.update(now_ms, edges, self.detection.states(), green)
        if self.journal is not None:
            for event in events:
                self.journal.event(self.junction.id, event)
            for change in health:
                self.journal.note(change.at_ms, "detector", f"{change.detector}: {change.why}", {"trusted": change.trusted})

    def _decide(self, now_ms: int) -> None:
        lanes = self.estimator.beliefs(now_ms)
        states, blocked = self.detection.states(), self.estimator.blocked_exits()
        for node, signals in zip(self.nodes, self._signals, strict=True):
            snapshot = Snapshot(self._tick, now_ms, signals, states, lanes, blocked)
            took_ms = node.decide(snapshot, self.journal)
            if took_ms is not None:
                self.solve_ms.append(took_ms)

    def _show(self, now_ms: int) -> None:
        shown: dict[str, Aspect] = {}
        for node in self.nodes:
            shown.update(node.sequencer.step(now_ms))
        aspects = tuple(shown[g.id] for g in self.junction.groups)
        if self.journal is not None:
            self.journal.frame(self.junction.id, self._tick, now_ms, aspects)
        self.heads.show(Frame(now_ms, aspects), now_ms)
