"""Explains a decision of a cabinet from what its journal holds: what was known, and the optimizer asked again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import takewhile

from controller.adaptive import SETTINGS, AdaptivePlanner
from controller.alternatives import weigh_all
from controller.explain import Base, Explanation, Proof, with_alternatives
from controller.free_stages import with_more_stages
from controller.horizon_model import HorizonModel
from controller.journal_reader import PlanRow
from controller.junction import Junction, Node
from controller.known import Known
from controller.node_model import NodeModel
from controller.plan import OFF
from controller.replay_known import OPTIMIZED, Again, Answers, Asking, difference
from controller.transitions import transition_table

_BACK_TICKS = 600  # how far back a node's newest decision may lie


def explain_known(base: Base) -> list[Explanation]:
    """Return the explanation of each node's newest decision. Raises `JournalError`."""
    junction, tick = with_more_stages(base.row.junction), base.ticks[-1][0]
    newest = {known.node_id: known for known in _until(base, tick - _BACK_TICKS, tick)}
    return [_of_node(base, junction, node, newest.get(node.id)) for node in junction.nodes]


def _until(base: Base, first_tick: int, tick: int) -> Iterator[Known]:
    """Yield what the junction's decisions knew from ``first_tick``, or some minutes before it, up to ``tick``."""
    rows = takewhile(lambda known: known.snapshot.tick <= tick, base.reader.known(first_tick))
    return (known for known in rows if known.junction_id == base.row.junction.id)


def _of_node(base: Base, junction: Junction, node: Node, known: Known | None) -> Explanation:
    lanes = NodeModel(junction, node).lanes
    if known is None:
        return base.of(node, lanes)
    snapshot, optimized = known.snapshot, known.planner in OPTIMIZED
    again, row, proof = _asked_again(base, node.id, known) if optimized else (None, None, Proof(True, from_ms=snapshot.now_ms))
    one = base.of(node, lanes, snapshot.tick, row)
    one = replace(one, snapshot=snapshot, proof=proof, decider=known.planner, unanswered=row is None and again is not None and again.plan is not None)
    if again is not None and isinstance(again.planner, AdaptivePlanner) and again.planner.problem is not None:
        return with_alternatives(one, again.planner, snapshot)
    if one.row is not None and any(step.stage == OFF for step in one.row.plan.steps):
        return one
    return _measured(one, junction, node)


def _asked_again(base: Base, node_id: str, known: Known) -> tuple[Again, PlanRow | None, Proof]:
    """Ask the planner again from where the journal tells its memory up to this decision, and compare what it says with what came then."""
    memories = [m for m in base.reader.memories() if (m.node_id, m.planner) == (node_id, known.planner) and m.tick <= known.snapshot.tick]
    first = memories[-1].tick if memories else known.snapshot.tick
    asking, answers = Asking(base.row.junction, memories), Answers(base.reader, base.row.junction.id, base.plans)
    asked = [k for k in _until(base, first, known.snapshot.tick) if (k.node_id, k.planner) == (node_id, known.planner) and k.snapshot.tick >= first]
    compared, differs_ms = 0, None
    for one in asked:
        again, (row, digest) = asking.ask(one), answers.take(one)
        if row is not None:
            compared += 1
            differs = bool(difference(again, row, digest))
            differs_ms = one.snapshot.now_ms if differs and differs_ms is None else differs_ms
    solved = again.planner.last_digest.hex() if row is not None else ""
    return again, row, Proof(True, compared, differs_ms, digest.hex(), solved, asked[0].snapshot.now_ms)


def _measured(one: Explanation, junction: Junction, node: Node) -> Explanation:
    """Return the explanation with what each choice would have cost by the measure of `adaptive`, though another planner has decided."""
    assert one.snapshot is not None
    problem = HorizonModel(junction, node, transition_table(junction, node), SETTINGS).problem(one.snapshot)
    taken, alternatives = weigh_all(problem, one.first_stage if one.fresh else problem.stage)
    return replace(one, problem=problem, taken=taken, alternatives=tuple(alternatives), measured=True)
