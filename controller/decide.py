"""One node's deciding: the mode chooses the planner, the planner's plan goes to the sequencer and into the journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from controller.clearing import Clearing
from controller.journal_rows import JournalRows
from controller.junction import Junction
from controller.plan import Plan, PlanStep
from controller.planner import Planner, Predicted
from controller.recall import Recall
from controller.recorder import Recorder
from controller.red_meter import RedMeter
from controller.sequencer import Sequencing
from controller.snapshot import SignalState, Snapshot
from controller.solve_times import SolveTimes
from controller.supervisor import Event, Mode, ModeChange, Supervisor
from hardware.signals import Aspect

PLANNER_ERRORS: Final = (ArithmeticError, LookupError, TypeError, ValueError)  # what a planner may fail with; its fallback then decides

OFF_MODES: Final = (Mode.FLASH, Mode.RELEASE)  # all nodes go off in the same tick

UNPLANNED: Final = (*OFF_MODES, Mode.PREEMPT, Mode.MANUAL)  # others decide, and nobody takes over from them


class Moment(NamedTuple):
    """When something is recorded, and where."""

    tick: int
    now_ms: int
    journal: JournalRows | None


def aspects_of(nodes: Sequence[NodeControl], junction: Junction, now_ms: int) -> tuple[Aspect, ...]:
    """Step the sequencers and return what they show, in the order of the junction's groups."""
    shown: dict[str, Aspect] = {}
    for node in nodes:
        shown.update(node.sequencer.step(now_ms))
    return tuple(shown[group.id] for group in junction.groups)


def take_answers(nodes: Sequence[NodeControl], record: Recorder, now_ms: int) -> None:
    """Let the nodes follow what planners answer between two questions."""
    for node in nodes:
        node.take(record, now_ms)


class NodeControl:
    """A node's sequencer, supervisor and planners by mode."""

    def __init__(
        self,
        junction_id: str,
        node_id: str,
        sequencer: Sequencing,
        supervisor: Supervisor,
        planners: Mapping[Mode, Planner],
        keepers: Sequence[Clearing | Recall] = (),
        reds: RedMeter | None = None,
    ) -> None:
        self.sequencer = sequencer
        self.id, self._junction_id = node_id, junction_id
        self.supervisor, self._planners, self._keepers, self._reds = supervisor, planners, keepers, reds
        self.mode_changes: list[ModeChange] = []
        self.seen: Snapshot | None = None  # what the newest decision knew, and the planner that was asked, None while clearing: for `controller.explain`
        self.asked: Planner | None = None
        self.plan: Plan | None = None  # the newest
        self.decisions = 0  # plans taken
        self.solve_ms = SolveTimes()
        self._anew = False  # the sequencer has lost its plan, or follows one of another mode

    def state(self, now_ms: int) -> SignalState:
        """Return where the node's signals stand."""
        return self.sequencer.state(now_ms)

    def plans_in(self, mode: Mode) -> bool:
        """Tell whether the mode has a planner of its own."""
        return mode in self._planners

    @property
    def longest_red_ms(self) -> Mapping[str, int]:
        """Return per group how long it was red at a stretch while its stop loop was occupied and its exit free."""
        return self._reds.longest_ms if self._reds is not None else {}

    def restart(self, now_ms: int) -> None:
        """Begin again from red; the plan must come anew, whether or not the planner has a new one."""
        self.sequencer.restart(now_ms)
        self._anew = True

    def decide(self, snapshot: Snapshot, journal: JournalRows | None) -> None:
        """Ask the mode's planner and follow its plan.

        A planner that fails is an event for the supervisor; its fallback decides in the same tick.
        """
        self.seen, self.asked = snapshot, None
        self._watch_reds(snapshot, journal)
        for keeper in self._keepers:
            left_alone = UNPLANNED if keeper.over_clock else (*UNPLANNED, Mode.FIXED)
            if self.supervisor.mode not in left_alone and self._kept(keeper, snapshot, journal):
                return
        moment = Moment(snapshot.tick, snapshot.now_ms, journal)
        self._change(self.supervisor.tick(snapshot.now_ms), moment)
        planner, plan = self._ask(snapshot, moment)
        self.asked = planner
        if plan is None and self._anew:
            plan = Plan(planner.name, snapshot.now_ms, (PlanStep(snapshot.signals.stage, None),), f"{planner.name} takes over and keeps the stage")
            self.sequencer.adopt(plan)
        self._anew = False
        self._keep_known(planner.name, snapshot, journal)
        self._record(planner, plan, moment)
        if planner.last_solve_ms is not None:
            self.solve_ms.add(planner.last_solve_ms)

    def _kept(self, keeper: Clearing | Recall, snapshot: Snapshot, journal: JournalRows | None) -> bool:
        """Let the keeper take over where that is due, and return whether it decides this tick."""
        plan = keeper.plan(snapshot)
        if plan is not None:
            self.sequencer.adopt(plan)
            if journal is not None:
                journal.plan(self._junction_id, self.id, snapshot.tick, snapshot.now_ms, plan)
        if not keeper.active(snapshot.now_ms):
            return False
        self._keep_known(keeper.name, snapshot, journal)
        return True

    def take(self, record: Recorder, now_ms: int) -> None:
        """Follow the plan that the planner asked last has made meanwhile, if it still decides."""
        planner, moment = self.asked, Moment(record.number, now_ms, record.journal)
        if planner is None or planner is not self._planner():
            return
        try:
            plan = planner.poll()
            if plan is not None:
                self.sequencer.adopt(plan)
        except PLANNER_ERRORS as error:
            self._failed(f"{planner.name}: {error}", moment)
        else:
            if plan is not None:
                self._anew = False
                self._record(planner, plan, moment)

    def report(self, event: Event, why: str, record: Recorder, now_ms: int) -> None:
        """Tell the supervisor what happened; a change of mode is recorded as of the tick that has just been."""
        self._change(self.supervisor.report(event, now_ms, why), Moment(record.number, now_ms, record.journal))

    def override(self, mode: Mode, until_ms: int, who: str, why: str, record: Recorder, now_ms: int) -> None:
        """Want another mode until then, as `Supervisor.override` does."""
        self._change(self.supervisor.override(mode, until_ms, who, why, now_ms), Moment(record.number, now_ms, record.journal))

    def end_override(self, who: str, why: str, record: Recorder, now_ms: int) -> None:
        """Want the site's own mode again."""
        self._change(self.supervisor.end_override(who, why, now_ms), Moment(record.number, now_ms, record.journal))

    def predicted(self) -> Sequence[Predicted]:
        """Return who leaves when by the plan just made; nothing while the junction is cleared."""
        return self.asked.predicted() if self.asked is not None else ()

    def _watch_reds(self, snapshot: Snapshot, journal: JournalRows | None) -> None:
        for red in self._reds.watch(snapshot) if self._reds is not None else ():
            if journal is not None:
                since_s = (snapshot.now_ms - red.since_ms) // 1000
                text = f"{self._junction_id}: {red.group} has been red for {since_s} s while its stop loop {red.loop} was occupied and its exit free"
                journal.note(snapshot.now_ms, "long red", text, {"junction": self._junction_id, **red._asdict()})

    def _keep_known(self, planner: str, snapshot: Snapshot, journal: JournalRows | None) -> None:
        if journal is not None and journal.keeps_known:
            journal.known(self._junction_id, self.id, planner, snapshot)

    def _record(self, planner: Planner, plan: Plan | None, moment: Moment) -> None:
        """Journal a plan, and what the planner tells beside it."""
        tick, now_ms, journal = moment
        if plan is not None:
            self.plan, self.decisions = plan, self.decisions + 1
        if journal is None:
            return
        if plan is not None:
            journal.plan(self._junction_id, self.id, tick, now_ms, plan)
        for note in planner.notes:
            journal.note(now_ms, note.kind, f"{self._junction_id}/{self.id}: {note.text}", note.detail)
        if planner.last_digest:
            journal.snapshot(self._junction_id, self.id, tick, planner.last_digest)

    def _ask(self, snapshot: Snapshot, moment: Moment) -> tuple[Planner, Plan | None]:
        """Return the planner that decides this tick and its new plan, already adopted. Raises what even the programme's planner raises."""
        while True:
            planner = self._planner()
            try:
                planner.submit(snapshot)
                plan = planner.poll()
                if plan is not None:
                    self.sequencer.adopt(plan)
            except PLANNER_ERRORS as error:
                if planner is self._planners[Mode.FIXED]:
                    raise
                self._failed(f"{planner.name}: {error}", moment)
            else:
                return planner, plan

    def _failed(self, why: str, moment: Moment) -> None:
        """Leave the mode whose planner failed. The failure is over with this tick: after the hold-down the planner is tried again."""
        optimized = self.supervisor.mode in (Mode.ADAPTIVE, Mode.CYCLE)
        event = Event.OPTIMIZER_LOST if optimized else Event.PLANNER_FAILED
        self._change(self.supervisor.report(event, moment.now_ms, why), moment)
        if optimized:
            self._change(self.supervisor.report(Event.OPTIMIZER_RECOVERED, moment.now_ms, "tried again after the hold-down"), moment)

    def _planner(self) -> Planner:
        """Return the mode's planner; where a mode has none of its own, as MANUAL, the programme is kept ready."""
        return self._planners.get(self.supervisor.mode, self._planners[Mode.FIXED])

    def _change(self, change: ModeChange | None, moment: Moment) -> None:
        if change is None:
            return
        self._anew = True
        self.mode_changes.append(change)
        if moment.journal is not None:
            moment.journal.mode(self._junction_id, moment.tick, moment.now_ms, change.after, change.event, change.why)
