"""``umlauf replay --solve`` of a cabinet's journal: asks planners again what the optimizer process was asked.

What each decision knew is recorded (`controller.known`), so neither loops nor estimator are run again. A planner is given back what it remembered
where the journal tells that: at the head of a file, after each start of the optimizer, after each question without an answer, and every ten minutes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from controller.assemble import optimizing_planners
from controller.free_stages import with_more_stages
from controller.journal_reader import JournalReader, MemoryRow, PlanRow
from controller.journal_schema import JournalError, json_text, steps_text
from controller.junction import Junction
from controller.known import Known
from controller.plan import Plan
from controller.planner import Remembering
from controller.replay import Difference, Outcome
from controller.supervisor import Mode

OPTIMIZED = (str(Mode.ADAPTIVE), str(Mode.CYCLE))

Place = tuple[str, str, int]
"""Node, planner, and a tick or a time."""


class Again(NamedTuple):
    """One question asked again. ``sure``: whether the planner remembers what it did then, as far as the journal tells."""

    known: Known
    planner: Remembering
    plan: Plan | None
    sure: bool


class Asking:
    """A junction's planners of the optimizer, to be asked the recorded questions in order."""

    def __init__(self, junction: Junction, memories: Iterable[MemoryRow]) -> None:
        junction = with_more_stages(junction)
        self._planners = {(node.id, str(mode)): p for node in junction.nodes for mode, p in optimizing_planners(junction, node).items()}
        self._memories: Mapping[Place, dict[str, Any]] = {(m.node_id, m.planner, m.tick): m.memory for m in memories if m.junction_id == junction.id}
        self._sure: set[tuple[str, str]] = set()

    def ask(self, known: Known) -> Again:
        """Ask what was asked. Raises `JournalError` where the journal tells of no such planner, or no memory of it."""
        key = known.node_id, known.planner
        try:
            planner, memory = self._planners[key], self._memories.get((*key, known.snapshot.tick))
            if memory is not None:
                planner.recall(memory)
                self._sure.add(key)
            planner.submit(known.snapshot)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise JournalError(f"tick {known.snapshot.tick}: what {known.planner} of node {known.node_id} knew or remembered is damaged ({error!r})") from error
        return Again(known, planner, planner.poll(), key in self._sure)


class Answers:
    """The plans that came from the optimizer, by what they answer: they are taken in a later tick than the question's."""

    def __init__(self, reader: JournalReader, junction_id: str, plans: Iterable[PlanRow]) -> None:
        digests = {(s.node_id, s.tick): s.digest for s in reader.snapshots() if s.junction_id == junction_id}
        self.left: dict[Place, PlanRow] = {}  # which nobody has asked for so far
        self._digests: dict[Place, bytes] = {}
        for row in plans:
            if row.plan.planner in OPTIMIZED:
                place = row.node_id, row.plan.planner, row.plan.made_ms
                self.left[place] = row
                self._digests[place] = digests.get((row.node_id, row.tick), b"")

    def take(self, known: Known) -> tuple[PlanRow | None, bytes]:
        """Return the answer to a question and the digest of its arrays; (None, b"") where none came in time."""
        place = known.node_id, known.planner, known.snapshot.now_ms
        row = self.left.pop(place, None)
        if row is None or row.tick <= known.snapshot.tick:  # in the same tick only a stage is kept, until the answer comes
            return None, b""
        return row, self._digests[place]


def is_kept(reader: JournalReader) -> bool:
    """Tell whether the journal holds what decisions knew."""
    return next(reader.known(), None) is not None


def replay_known(reader: JournalReader, junction_id: str) -> Outcome:
    """Ask again all that the optimizer was asked, and compare plans and digests with those that came; the first difference is told."""
    asking = Asking(reader.junctions[junction_id].junction, reader.memories())
    answers = Answers(reader, junction_id, (p for p in reader.plans() if p.junction_id == junction_id))
    compared = unsure = asked = 0
    first_ms = None
    for known in (k for k in reader.known() if k.junction_id == junction_id):
        first_ms = known.snapshot.now_ms if first_ms is None else first_ms
        if known.planner not in OPTIMIZED:
            continue
        asked += 1
        again, (row, digest) = asking.ask(known), answers.take(known)
        if row is None:
            continue
        if not again.sure:
            unsure += 1
            continue
        compared += 1
        text = difference(again, row, digest)
        if text:
            return Outcome(junction_id, asked, f"{compared} plans of the optimizer", Difference(row.tick, row.now_ms, text))
    words = f"{compared} plans of the optimizer" + (f" ({unsure} more are not proven: what their planner remembered is not recorded)" if unsure else "")
    orphan = next((r for r in answers.left.values() if first_ms is not None and r.plan.made_ms >= first_ms), None)
    return Outcome(junction_id, asked, words, None if orphan is None else _unasked(orphan))


def difference(again: Again, row: PlanRow, digest: bytes) -> str:
    """Return in which the recorded answer and the one solved again differ, "" where in nothing."""
    lines = list(_differing(row.plan, again.plan))
    if digest != again.planner.last_digest:
        lines += [f"    recorded  digest {digest.hex() or 'none'}", f"    solved    digest {again.planner.last_digest.hex() or 'none'}"]
    head = f"  {row.plan.planner} of node {row.node_id}, asked in tick {again.known.snapshot.tick}"
    return "\n".join([head, *lines]) if lines else ""


def _differing(old: Plan, new: Plan | None) -> Iterator[str]:
    told = [_text(old), "none" if new is None else _text(new)]
    if told[0] != told[1]:
        yield from (f"    {word:<8}  {text}" for word, text in zip(("recorded", "solved"), told, strict=True))


def _text(plan: Plan) -> str:
    return f"{steps_text(plan)} ({plan.reason}) {json_text(plan.detail)}"


def _unasked(row: PlanRow) -> Difference:
    text = f"  {row.plan.planner} of node {row.node_id}: a plan of {row.plan.made_ms / 1000:.1f} s is recorded, but no question that it answers"
    return Difference(row.tick, row.now_ms, text)
