"""What was known at one decision, and what else could have been chosen: rebuilt from the journal.

The control runs again over the recorded input events up to the tick asked for, as `controller.replay_solve` does it. The digests that
this gives are compared with the recorded ones: where they are the same, so is everything that the planner was given.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from controller.alternatives import Alternative, weigh_all
from controller.build import MODES
from controller.errors import ConfigError
from controller.free_stages import with_more_stages
from controller.journal_reader import JournalReader, JunctionRow, PlanRow
from controller.journal_schema import FILE_NAME, JournalError
from controller.junction import Junction, Lane, Node
from controller.loop import JunctionControl
from controller.node_model import NodeModel
from controller.reasons import Reason, reason_of
from controller.replay import Ticks, restarts_of, shown, up_to_damage
from controller.replay_solve import run_again
from controller.snapshot import Snapshot
from controller.solver import HorizonProblem
from controller.words import clock
from hardware.signals import Aspect


@dataclass(frozen=True, slots=True)
class Proof:
    """Whether what was rebuilt is what was known: digests compared, the recorded and the rebuilt one of this decision ("" where none was made)."""

    rebuilt: bool  # False: the control saw or planned by something that no event records
    compared: int = 0
    first_difference_ms: int | None = None
    recorded: str = ""
    again: str = ""


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

    @property
    def fresh(self) -> bool:
        """Tell whether the plan in force was made by this very decision."""
        return self.row is not None and self.row.tick == self.tick

    @property
    def first_stage(self) -> int | None:
        """Return the stage that the plan goes to or keeps."""
        return self.row.plan.steps[0].stage if self.row is not None else None

    @property
    def chosen(self) -> Alternative | None:
        """Return the alternative whose first choice is the plan's."""
        return next((a for a in self.alternatives if self.fresh and a.stage == self.first_stage), None)

    @property
    def path(self) -> Alternative | None:
        """Return the sequence that the plan follows, where the search gave it."""
        return self.taken if self.taken is not None and self.fresh and self.taken.stage == self.first_stage else None


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
    row = reader.junctions[junction_id]
    ticks, damage = _ticks_until(reader, at_ms)
    tick = ticks[-1][0]
    plans, plan_damage = up_to_damage(p for p in reader.plans() if p.junction_id == junction_id)
    events, event_damage = up_to_damage(e for e in reader.events() if e.junction_id == junction_id and e.tick <= tick)
    messages, message_damage = up_to_damage(m for m in reader.messages() if m.junction_id == junction_id and m.tick <= tick)
    if not plans:
        raise JournalError(plan_damage or f"{reader.path}: expected plans of light {junction_id}, found none; nothing was decided in this run")
    if damage or event_damage or message_damage or (plan_damage and plans[-1].tick < tick):
        raise JournalError(damage or event_damage or message_damage or plan_damage)
    frames, _ = up_to_damage(f for f in reader.frames() if f.junction_id == junction_id and f.tick < tick)
    *_, before = [(), *shown(ticks, frames)]
    base = _Base(reader, row, at_ms, ticks, plans, len(events), dict(zip((g.id for g in row.junction.groups), before, strict=False)))
    if not row.solvable:
        return [base.of(node, NodeModel(row.junction, node).lanes) for node in with_more_stages(row.junction).nodes]
    with tempfile.TemporaryDirectory(prefix="umlauf-explain-") as folder:
        path = Path(folder) / FILE_NAME
        control = run_again(row, ticks, events, messages, dict(restarts_of(reader.notes(), row.junction.id)), path)
        with JournalReader(path) as again:
            return [_known(base, control, again, k) for k in range(len(control.nodes))]


def _ticks_until(reader: JournalReader, at_ms: int) -> tuple[Ticks, str]:
    ticks, damage = up_to_damage(reader.ticks())
    if not ticks:
        raise JournalError(damage or f"{reader.path}: expected ticks, found none; the run ended before its first decision")
    first_ms, last_ms = ticks[0][1], ticks[-1][1]
    if first_ms <= at_ms <= last_ms:
        return [t for t in ticks if t[1] <= at_ms], ""
    if damage and at_ms > last_ms:
        return ticks, damage
    wanted = f"expected a time of the run, {first_ms / 1000:g} to {last_ms / 1000:g} s ({clock(first_ms)} to {clock(last_ms)})"
    hint = f"; {at_ms / 1000:g} s after its begin is --at {(at_ms + first_ms) / 1000:g}" if 0 <= at_ms <= last_ms - first_ms else ""
    raise ConfigError(f"--at: {wanted}, found {at_ms / 1000:g} s{hint}")


@dataclass(frozen=True, slots=True)
class _Base:
    """What all nodes of the light share."""

    reader: JournalReader
    row: JunctionRow
    at_ms: int
    ticks: Ticks
    plans: Sequence[PlanRow]
    events: int
    aspects: dict[str, Aspect]

    def of(self, node: Node, lanes: tuple[Lane, ...], tick: int | None = None) -> Explanation:
        """Return what the journal alone tells of a node's decision at a tick, the last one where None."""
        at = tick if tick is not None else self.ticks[-1][0]
        rows = [p for p in self.plans if p.node_id == node.id and p.tick <= at]
        plan = rows[-1] if rows else None
        if plan is not None and not all(0 <= s.stage < len(node.stages) for s in plan.plan.steps):
            raise JournalError(f"{self.reader.path}: the plan of tick {plan.tick} names a stage that node {node.id} does not have; the journal is damaged")
        modes, _ = up_to_damage(m for m in self.reader.modes() if m.junction_id == self.row.junction.id and m.tick <= at)
        mode = modes[-1].mode if modes else str(MODES.get(self.row.control, self.row.control))
        now_ms = dict(self.ticks)[at]
        made_ms = plan.now_ms if plan else None
        shown_now = {g: self.aspects[g] for g in node.groups if g in self.aspects}
        return Explanation(self.row.junction, node, self.row.control, mode, self.at_ms, now_ms, at, self.events, Proof(False), made_ms, plan, shown_now, lanes)


def _known(base: _Base, control: JunctionControl, again: JournalReader, place: int) -> Explanation:
    """Return the explanation of one node with what the control, run again, knows."""
    from controller.adaptive import AdaptivePlanner

    node, decider = control.junction.nodes[place], control.nodes[place]
    model = NodeModel(control.junction, node)
    snapshot, planner = decider.seen, decider.asked
    one = base.of(node, model.lanes, None if snapshot is None else snapshot.tick)
    one = replace(one, snapshot=snapshot, proof=_proof(base, again, node.id, one.tick))
    if snapshot is None or not isinstance(planner, AdaptivePlanner) or planner.problem is None:
        return one
    problem = planner.problem
    taken, alternatives = weigh_all(problem, one.first_stage if one.fresh else None)
    one = replace(one, problem=problem, lanes=planner.lanes, taken=taken, alternatives=tuple(alternatives))
    chosen = one.chosen
    if one.row is None or chosen is None:
        return one
    steps = one.row.plan.steps
    caught = planner.caught_by(snapshot, steps[0].stage)
    return replace(one, why=reason_of(planner.lanes, snapshot, problem, steps, _recorded_costs(one), caught, *planner.exits_told(snapshot)))


def _recorded_costs(one: Explanation) -> dict[int, int]:
    """Return the costs that the sentence in the journal was made of, so that every language tells the same."""
    recorded = one.row.plan.detail.get("alternatives_ms") if one.row is not None else None
    found = {k: recorded[s.id] for k, s in enumerate(one.node.stages) if s.id in recorded} if isinstance(recorded, dict) else {}
    if one.chosen is not None:
        found.setdefault(one.chosen.stage, one.chosen.cost_ms)
    return found


def _proof(base: _Base, again: JournalReader, node_id: str, tick: int) -> Proof:
    def digests(reader: JournalReader) -> dict[int, str]:
        rows, _ = up_to_damage(reader.snapshots())
        return {r.tick: r.digest.hex() for r in rows if r.junction_id == base.row.junction.id and r.node_id == node_id and r.tick <= tick}

    old, new = digests(base.reader), digests(again)
    differing = [t for t in sorted({*old, *new}) if old.get(t) != new.get(t)]
    first_ms = dict(base.ticks).get(differing[0]) if differing else None
    return Proof(True, len(old), first_ms, old.get(tick, ""), new.get(tick, ""))
