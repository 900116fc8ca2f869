"""What was known at one decision, and what else could have been chosen: rebuilt from the journal.

The control runs again over the recorded input events up to the tick asked for, as `controller.replay_solve` does it. The digests that
this gives are compared with the recorded ones: where they are the same, so is everything that the planner was given.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from controller.adaptive import AdaptivePlanner
from controller.alternatives import Alternative, weigh_all
from controller.build import MODES
from controller.errors import ConfigError
from controller.free_stages import with_more_stages
from controller.journal_reader import FrameRow, JournalReader, JunctionRow, ModeRow, PlanRow
from controller.journal_schema import FILE_NAME, JournalError
from controller.journal_time import TimeBase
from controller.junction import Junction, Lane, Node
from controller.loop import JunctionControl
from controller.node_model import NodeModel
from controller.plan import OFF
from controller.reasons import Reason, reason_of
from controller.replay import Ticks, restarts_of, up_to_damage
from controller.replay_known import is_kept
from controller.replay_solve import run_again
from controller.snapshot import Snapshot
from controller.solver import HorizonProblem
from controller.words import clock
from hardware.signals import Aspect


@dataclass(frozen=True, slots=True)
class Proof:
    """Whether what was rebuilt is what was known: digests compared, the recorded and the rebuilt one of this decision ("" where none was made)."""

    rebuilt: bool  # False: the control saw or planned by something that is not recorded
    compared: int = 0
    first_difference_ms: int | None = None
    recorded: str = ""
    again: str = ""
    from_ms: int | None = None  # since when the planner was asked again, where the journal holds what was known; None where events rebuilt it


@dataclass(frozen=True, slots=True)
class Explanation:
    """One node's decision. ``snapshot`` is None where it cannot be rebuilt; ``problem`` and what follows from it only for the adaptive planner."""

    junction: Junction
    node: Node
    control: str
    mode: str
    asked_ms: int
    now_ms: int
    tick: int
    events: int  # recorded input events up to here
    proof: Proof
    made_ms: int | None  # when the plan in force was made
    row: PlanRow | None
    aspects: dict[str, Aspect]  # shown since the tick before
    lanes: tuple[Lane, ...]
    snapshot: Snapshot | None = None
    problem: HorizonProblem | None = None
    taken: Alternative | None = None  # what the search gave
    alternatives: tuple[Alternative, ...] = ()
    why: Reason | None = None
    measured: bool = False  # the alternatives were weighed afterwards, by the measure of `adaptive`, which did not decide
    since: ModeRow | None = None  # the last change of mode
    decider: str = ""  # who was asked for a plan, where the journal tells
    unanswered: bool = False  # the optimizer was asked, but no answer came in time
    base: TimeBase | None = None  # of a cabinet, whose times are told by the clock

    @property
    def fresh(self) -> bool:
        """Tell whether the plan in force was made by this very decision."""
        return self.row is not None and self.row.plan.made_ms == self.now_ms

    @property
    def first_stage(self) -> int | None:
        """Return the stage that the plan goes to or keeps."""
        return self.row.plan.steps[0].stage if self.row is not None else None

    @property
    def chosen(self) -> Alternative | None:
        """Return the alternative whose first choice is the plan's."""
        stage = self.first_stage if self.fresh else self.problem.stage if self.measured and self.problem is not None else None
        return next((a for a in self.alternatives if a.stage == stage), None)

    @property
    def path(self) -> Alternative | None:
        """Return the sequence that the plan follows, where the search gave it."""
        follows = self.fresh and not self.measured
        return self.taken if self.taken is not None and follows and self.taken.stage == self.first_stage else None


def choose_junction(reader: JournalReader, tls: str | None) -> str:
    """Return the light to explain. Raises `ConfigError` where it is unknown, or where there are several and none is named."""
    known = list(reader.junctions)
    if tls is not None and tls not in known:
        raise ConfigError(f"--tls {tls}: expected one of the lights in {reader.path}: {', '.join(known) or 'none'}")
    if not known:
        raise JournalError(f"{reader.path}: expected a run whose signals Umlauf drove, found none; run 'umlauf simulate' with --control adaptive")
    if tls is None and len(known) > 1:
        raise ConfigError(f"{reader.path} holds {len(known)} lights; name one with --tls:\n" + "\n".join(f"  {name}" for name in known))
    return tls or known[0]


def explain(reader: JournalReader, junction_id: str, at_ms: int) -> list[Explanation]:
    """Return the explanation of each node's newest decision at ``at_ms``. Raises `ConfigError`, `JournalError`."""
    row, time_base = reader.junctions[junction_id], TimeBase(reader)
    ticks, damage = _ticks_until(reader, at_ms, time_base)
    tick = ticks[-1][0]
    plans, plan_damage = up_to_damage(p for p in reader.plans() if p.junction_id == junction_id)
    events, event_damage = up_to_damage(e for e in reader.events() if e.junction_id == junction_id and e.tick <= tick)
    messages, message_damage = up_to_damage(m for m in reader.messages() if m.junction_id == junction_id and m.tick <= tick)
    kept = is_kept(reader)
    if not plans and not kept:
        raise JournalError(plan_damage or f"{reader.path}: expected plans of light {junction_id}, found none; nothing was decided in this run")
    if damage or event_damage or message_damage or (plan_damage and not any(p.tick >= tick for p in plans)):
        raise JournalError(damage or event_damage or message_damage or plan_damage)
    frames, _ = up_to_damage(f for f in reader.frames() if f.junction_id == junction_id and f.tick < tick)
    base = Base(reader, row, at_ms, ticks, plans, len(events), frames, time_base if time_base.cabinet else None)
    if kept:
        from controller.explain_known import explain_known

        return explain_known(base)
    if not row.solvable:
        return [base.of(node, NodeModel(row.junction, node).lanes) for node in with_more_stages(row.junction).nodes]
    with tempfile.TemporaryDirectory(prefix="umlauf-explain-") as folder:
        path = Path(folder) / FILE_NAME
        control = run_again(row, ticks, events, messages, dict(restarts_of(reader.notes(), row.junction.id)), path)
        with JournalReader(path) as again:
            return [_known(base, control, again, k) for k in range(len(control.nodes))]


def _ticks_until(reader: JournalReader, at_ms: int, base: TimeBase) -> tuple[Ticks, str]:
    ticks, damage = up_to_damage(reader.ticks())
    if not ticks:
        raise JournalError(damage or f"{reader.path}: expected ticks, found none; the run ended before its first decision")
    first_ms, last_ms = ticks[0][1], ticks[-1][1]
    if first_ms <= at_ms <= last_ms:
        return [t for t in ticks if t[1] <= at_ms], ""
    if damage and at_ms > last_ms:
        return ticks, damage
    if base.cabinet:
        raise ConfigError(f"--at: expected a time of the journal, {base.words(first_ms)} to {base.words(last_ms)}, found {base.words(at_ms)}")
    wanted = f"expected a time of the run, {first_ms / 1000:g} to {last_ms / 1000:g} s ({clock(first_ms)} to {clock(last_ms)})"
    hint = f"; {at_ms / 1000:g} s after its begin is --at {(at_ms + first_ms) / 1000:g}" if 0 <= at_ms <= last_ms - first_ms else ""
    raise ConfigError(f"--at: {wanted}, found {at_ms / 1000:g} s{hint}")


@dataclass(frozen=True, slots=True)
class Base:
    """What all nodes of the light share."""

    reader: JournalReader
    row: JunctionRow
    at_ms: int
    ticks: Ticks
    plans: Sequence[PlanRow]
    events: int
    frames: Sequence[FrameRow]
    times: TimeBase | None

    def of(self, node: Node, lanes: tuple[Lane, ...], tick: int | None = None, answer: PlanRow | None = None) -> Explanation:
        """Return what the journal alone tells of a node's decision at a tick, the last one where None; ``answer``: the plan that came of it later."""
        at = tick if tick is not None else self.ticks[-1][0]
        rows = [p for p in self.plans if p.node_id == node.id and p.tick <= at]
        plan = answer or (rows[-1] if rows else None)
        if plan is not None and not all(s.stage == OFF or 0 <= s.stage < len(node.stages) for s in plan.plan.steps):
            raise JournalError(f"{self.reader.path}: the plan of tick {plan.tick} names a stage that node {node.id} does not have; the journal is damaged")
        modes, _ = up_to_damage(m for m in self.reader.modes() if m.junction_id == self.row.junction.id and m.tick <= at)
        mode = modes[-1].mode if modes else str(MODES.get(self.row.control, self.row.control))
        now_ms = dict(self.ticks)[at]
        made_ms = plan.now_ms if plan else None
        before = next((f.aspects for f in reversed(self.frames) if f.tick < at), ())
        shown_now = {g.id: a for g, a in zip(self.row.junction.groups, before, strict=False) if g.id in node.groups}
        told = self.row.junction, node, self.row.control, mode, self.at_ms, now_ms, at, self.events, Proof(False), made_ms, plan, shown_now, lanes
        return Explanation(*told, since=modes[-1] if modes else None, base=self.times)


def _known(base: Base, control: JunctionControl, again: JournalReader, place: int) -> Explanation:
    """Return the explanation of one node with what the control, run again, knows."""
    node, decider = control.junction.nodes[place], control.nodes[place]
    model = NodeModel(control.junction, node)
    snapshot, planner = decider.seen, decider.asked
    one = base.of(node, model.lanes, None if snapshot is None else snapshot.tick)
    one = replace(one, snapshot=snapshot, proof=_proof(base, again, node.id, one.tick))
    if snapshot is None or not isinstance(planner, AdaptivePlanner) or planner.problem is None:
        return one
    return with_alternatives(one, planner, snapshot)


def with_alternatives(one: Explanation, planner: AdaptivePlanner, snapshot: Snapshot) -> Explanation:
    """Return the explanation with the alternatives to what the planner solved last, and why it chose as it did."""
    assert planner.problem is not None
    problem = planner.problem
    taken, alternatives = weigh_all(problem, one.first_stage if one.fresh else None)
    one = replace(one, problem=problem, lanes=planner.lanes, taken=taken, alternatives=tuple(alternatives))
    chosen = one.chosen
    if one.row is None or chosen is None:
        return one
    steps = one.row.plan.steps
    caught = planner.caught_by(snapshot, steps[0].stage)
    told = planner.exits_told(snapshot)
    return replace(one, why=reason_of(planner.lanes, snapshot, problem, steps, _recorded_costs(one), caught, *told))


def _recorded_costs(one: Explanation) -> dict[int, int]:
    """Return the costs that the sentence in the journal was made of, so that every language tells the same."""
    recorded = one.row.plan.detail.get("alternatives_ms") if one.row is not None else None
    found = {k: recorded[s.id] for k, s in enumerate(one.node.stages) if s.id in recorded} if isinstance(recorded, dict) else {}
    if one.chosen is not None:
        found.setdefault(one.chosen.stage, one.chosen.cost_ms)
    return found


def _proof(base: Base, again: JournalReader, node_id: str, tick: int) -> Proof:
    def digests(reader: JournalReader) -> dict[int, str]:
        rows, _ = up_to_damage(reader.snapshots())
        return {r.tick: r.digest.hex() for r in rows if r.junction_id == base.row.junction.id and r.node_id == node_id and r.tick <= tick}

    old, new = digests(base.reader), digests(again)
    differing = [t for t in sorted({*old, *new}) if old.get(t) != new.get(t)]
    first_ms = dict(base.ticks).get(differing[0]) if differing else None
    return Proof(True, len(old), first_ms, old.get(tick, ""), new.get(tick, ""))
