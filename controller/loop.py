"""One junction's tick: read, estimate, decide, sequence, show. The same code runs in simulation, cabinet and replay."""

from __future__ import annotations

from dataclasses import dataclass, field

from controller.coordination import Coordination
from controller.decide import NodeControl, aspects_of, take_answers
from controller.detection import Detection
from controller.estimate import Estimator
from controller.grid import Grid
from controller.junction import Junction
from controller.recorder import Recorder
from controller.snapshot import SignalState, Snapshot
from controller.supervisor import ModeChange
from hardware.inputs import LastingInputs
from hardware.ports import FrameRefusedError, HeadPort, PortError
from hardware.signals import Frame


@dataclass(slots=True)
class JunctionControl:
    """All that drives one junction. Build it with `controller.assemble.assemble`."""

    junction: Junction
    inputs: LastingInputs
    heads: HeadPort
    detection: Detection
    estimator: Estimator
    neighbours: Coordination
    nodes: tuple[NodeControl, ...]
    record: Recorder
    plan_grid: Grid = field(default_factory=lambda: Grid(1_000))

    def tick(self, now_ms: int) -> None:
        """Do one tick at monotonic time ``now_ms``. Raises `PortError` on a lost device, `FrameRefusedError` from the interlock."""
        self.record.tick(now_ms)
        signals = [node.state(now_ms) for node in self.nodes]
        self._read(now_ms, signals)
        if self.plan_grid.due(now_ms):
            self._decide(now_ms, signals)
        else:
            take_answers(self.nodes, self.record, now_ms)
        self._show(now_ms)
        self.inputs.check()

    def restart(self, now_ms: int, why: str) -> None:
        """Begin again from red with the next tick, as after a lost device, a refusal or flashing signals."""
        for node in self.nodes:
            node.restart(now_ms)
        if not self.record.restart(now_ms, why):  # while a device is lost, each tick begins again; nothing is to be decided more often for it
            self.plan_grid.restart()

    @property
    def mode_changes(self) -> list[ModeChange]:
        """Return what the supervisors have done so far."""
        return [change for node in self.nodes for change in node.mode_changes]

    def _read(self, now_ms: int, signals: list[SignalState]) -> None:
        events = self.inputs.poll(now_ms)
        edges, health = self.detection.feed(events, now_ms)
        self.estimator.update(now_ms, edges, self.detection.states(), {g: since for s in signals for g, since in s.green_since_ms.items()})
        self.record.inputs(events, health, self.neighbours.receive(now_ms))

    def _decide(self, now_ms: int, signals: list[SignalState]) -> None:
        lanes = self.estimator.beliefs(now_ms)
        seen = self.detection.states(), lanes, self.estimator.blocked_exits(), *self.neighbours.told(lanes, now_ms), self.detection.asked_ms(signals, now_ms)
        snapshots = [Snapshot(self.record.number, now_ms, state, *seen) for state in signals]
        for node, snapshot in zip(self.nodes, snapshots, strict=True):
            node.decide(snapshot, self.record.journal)
        self.neighbours.tell(snapshots, self.nodes)

    def _show(self, now_ms: int) -> None:
        aspects = aspects_of(self.nodes, self.junction, now_ms)
        self.record.frame(now_ms, aspects)
        try:
            self.heads.show(Frame(now_ms, aspects), now_ms)
        except (PortError, FrameRefusedError) as error:
            self.restart(now_ms, str(error))
            raise
