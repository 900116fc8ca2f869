"""One node's deciding: the mode chooses the planner, the planner's plan goes to the sequencer and into the journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from controller.clearing import Clearing
from controller.journal import Journal
from controller.junction import Junction
from controller.plan import Plan, PlanStep
from controller.planner import Planner, Predicted
from controller.red_meter import RedMeter
from controller.sequencer import Sequencing
from controller.snapshot import SignalState, Snapshot
from controller.supervisor import Event, Mode, ModeChange, Supervisor
from hardware.signals import Aspect


def aspects_of(nodes: Sequence[NodeControl], junction: Junction, now_ms: int) -> tuple[Aspect, ...]:
    """Step the sequencers and return what they show, in the order of the junction's groups."""
    shown: dict[str, Aspect] = {}
    for node in nodes:
        shown.update(node.sequencer.step(now_ms))
    return tuple(shown[group.id] for group in junction.groups)


class NodeControl:
    """A node's sequencer, supervisor and planners by mode."""

    def __init__(
        self,
        junction_id: str,
        node_id: str,
        sequencer: Sequencing,
        supervisor: Supervisor,
        planners: Mapping[Mode, Planner],
        clearing: Clearing | None = None,
        reds: RedMeter | None = None,
    ) -> None:
        self.sequencer = sequencer
        self._junction_id, self._node_id = junction_id, node_id
        self._supervisor, self._planners, self._clearing, self._reds = supervisor, planners, clearing, reds
        self.mode_changes: list[ModeChange] = []
        self.seen: Snapshot | None = None  # what the newest decision knew, and the planner that was asked, None while clearing: for `controller.explain`
        self.asked: Planner | None = None
        self._anew = False  # the sequencer has lost its plan

    def state(self, now_ms: int) -> SignalState:
        """Return where the node's signals stand."""
        return self.sequencer.state(now_ms)

    @property
    def longest_red_ms(self) -> Mapping[str, int]:
        """Return per group how long it was red at a stretch while its stop loop was occupied and its exit free."""
        return self._reds.longest_ms if self._reds is not None else {}

    def restart(self, now_ms: int) -> None:
        """Begin again from red; the plan must come anew, whether or not the planner has a new one."""
        self.sequencer.restart(now_ms)
        self._anew = True

    def decide(self, snapshot: Snapshot, journal: Journal | None) -> float | None:
        """Ask the mode's planner and follow its plan. Return how many milliseconds a solver took, None where none ran.

        A planner that fails is an event for the supervisor; its fallback decides in the same tick.
        """
        changes = len(self.mode_changes)
        self.seen, self.asked = snapshot, None
        self._watch_reds(snapshot, journal)
        if self._clearing is not None:
            plan = self._clearing.plan(snapshot)
            if plan is not None:
                self._follow(plan, snapshot, journal)
            if self._clearing.active(snapshot.now_ms):
                return None
        self._change(self._supervisor.tick(snapshot.now_ms), snapshot, journal)
        planner, plan = self._ask(snapshot, journal)
        self.asked = planner
        if plan is None and (self._anew or len(self.mode_changes) > changes):
            plan = Plan(planner.name, snapshot.now_ms, (PlanStep(snapshot.signals.stage, None),), f"{planner.name} takes over and keeps the stage")
            self.sequencer.adopt(plan)
        self._anew = False
        if journal is not None and plan is not None:
            self._record(plan, snapshot, journal)
        if journal is not None:
            for note in planner.notes:
                journal.note(snapshot.now_ms, note.kind, f"{self._junction_id}/{self._node_id}: {note.text}", note.detail)
        if journal is not None and planner.last_digest:
            journal.snapshot(self._junction_id, self._node_id, snapshot.tick, planner.last_digest)
        return planner.last_solve_ms

    def predicted(self) -> Sequence[Predicted]:
        """Return who leaves when by the plan just made; nothing while the junction is cleared."""
        return self.asked.predicted() if self.asked is not None else ()

    def _watch_reds(self, snapshot: Snapshot, journal: Journal | None) -> None:
        for red in self._reds.watch(snapshot) if self._reds is not None else ():
            if journal is not None:
                since_s = (snapshot.now_ms - red.since_ms) // 1000
                text = f"{self._junction_id}: {red.group} has been red for {since_s} s while its stop loop {red.loop} was occupied and its exit free"
                journal.note(snapshot.now_ms, "long red", text, {"junction": self._junction_id, **red._asdict()})

    def _follow(self, plan: Plan, snapshot: Snapshot, journal: Journal | None) -> None:
        self.sequencer.adopt(plan)
        if journal is not None:
            self._record(plan, snapshot, journal)

    def _record(self, plan: Plan, snapshot: Snapshot, journal: Journal) -> None:
        journal.plan(self._junction_id, self._node_id, snapshot.tick, snapshot.now_ms, plan)

    def _ask(self, snapshot: Snapshot, journal: Journal | None) -> tuple[Planner, Plan | None]:
        """Return the planner that decides this tick and its new plan, already adopted. Raises what even the programme's planner raises."""
        while True:
            planner = self._planner()
            try:
                planner.submit(snapshot)
                plan = planner.poll()
                if plan is not None:
                    self.sequencer.adopt(plan)
            except (ArithmeticError, LookupError, TypeError, ValueError) as error:
                if planner is self._planners[Mode.FIXED]:
                    raise
                self._failed(f"{planner.name}: {error}", snapshot, journal)
            else:
                return planner, plan

    def _failed(self, why: str, snapshot: Snapshot, journal: Journal | None) -> None:
        """Leave the mode whose planner failed. The failure is over with this tick: after the hold-down the planner is tried again."""
        optimized = self._supervisor.mode in (Mode.ADAPTIVE, Mode.CYCLE)
        event = Event.OPTIMIZER_LOST if optimized else Event.PLANNER_FAILED
        self._change(self._supervisor.report(event, snapshot.now_ms, why), snapshot, journal)
        if optimized:
            self._change(self._supervisor.report(Event.OPTIMIZER_RECOVERED, snapshot.now_ms, "tried again after the hold-down"), snapshot, journal)

    def _planner(self) -> Planner:
        """Return the mode's planner; modes in which others decide (flash, release, manual) keep the programme ready."""
        return self._planners.get(self._supervisor.mode, self._planners[Mode.FIXED])

    def _change(self, change: ModeChange | None, snapshot: Snapshot, journal: Journal | None) -> None:
        if change is None:
            return
        self.mode_changes.append(change)
        if journal is not None:
            journal.mode(self._junction_id, snapshot.tick, snapshot.now_ms, change.after, change.event, change.why)
