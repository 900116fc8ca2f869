"""Which loops the others accuse: of not changing while vehicles passed, or of counting twice or half as many.

Where two sets of loops count differently it must be said which of them is wrong. A loop with witnesses on both sides is wrong where both
accuse it. One with a single witness is wrong where that witness is cleared by its own other ones; else the one whose flow has changed more
than the whole junction's is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import log
from typing import Final, NamedTuple

from controller.detector_between import between_of
from controller.detector_halves import halves_of
from controller.detector_rules import EVIDENCE, Fault
from controller.detector_witness import Counted, Witness, Witnesses
from controller.detector_words import why
from controller.junction import Junction
from controller.stand_in import Flows

SUSPECT_RATIO: Final = 0.2  # a loop against which so much of a proof stands may be the one that counts wrongly: others are not found guilty by it
CLEAR_RATIO: Final = 0.3  # a witness is cleared where so much less speaks against it
SUSPECT_DUE_VEH: Final = 10.0
_NOTHING: Final = 1e-3
_COVERED: Final = ("covered", Fault.STUCK_ON)
_FREE: Final = ("free", Fault.STUCK_OFF)
_NOBODY: Final[tuple[float, tuple[str, ...]]] = (0.0, ())


class Finding(NamedTuple):
    """What speaks against a loop."""

    fault: Fault
    why: str


class Verdicts:
    """Judges a junction's loops by their witnesses."""

    def __init__(self, junction: Junction, witnesses: Witnesses, flows: Flows) -> None:
        self._of, self._between, self._flows = witnesses.of, between_of(witnesses.of, junction), flows
        self._halves = halves_of(witnesses.of, junction)
        self._alone = {name: tuple(w for w in found if not w.mates) for name, found in witnesses.of.items()}  # those that tell of the loop alone
        self._missed: dict[str, tuple[float, tuple[str, ...]]] = {}  # per loop, who must have passed it unseen, against what proves it, and who says so
        self._suspects: frozenset[str] = frozenset()
        self._flow_ratio = 0.0
        self.doubted: frozenset[str] = frozenset()  # loops that count otherwise than their witnesses, or these otherwise than they

    def look(self, loops: Mapping[str, Counted], changed: Mapping[str, bool]) -> None:
        """Take the witnesses' present state. ``changed``: the loops that have changed since the last look."""
        self._missed = {name: _NOBODY if changed[name] else self._missed_at(name, loop) for name, loop in loops.items()}
        self.doubted = frozenset([x for x, witnesses in self._alone.items() for w in witnesses if w.strong and w.doubts])
        self._flow_ratio = self._flows.change([x for x, loop in loops.items() if loop.trusted]) or 0.0
        due_veh = self._flows.due_veh
        self._suspects = frozenset([x for x, (proof, _) in self._missed.items() if proof >= SUSPECT_RATIO or due_veh[x] >= SUSPECT_DUE_VEH])
        for name, between in self._between.items():
            between.look(loops[name])
        for name, halves in self._halves.items():
            halves.look(loops[name])

    def _missed_at(self, name: str, loop: Counted) -> tuple[float, tuple[str, ...]]:
        """Return who must have passed a loop since it last changed, against what proves it, and who says so."""
        found = [_missed_by(w, loop) for w in self._of[name] if w.heard]
        between = self._between.get(name)
        if between is not None:
            found.append((between.proof_ratio(loop), between.loops))
        return max(found, default=_NOBODY)

    def stuck(self, name: str, loops: Mapping[str, Counted], now_ms: int) -> Finding | None:
        """Return what a loop is found guilty of by vehicles that must have passed it."""
        occupied = loops[name].occupied
        state, fault = _COVERED if occupied else _FREE
        proof_ratio, seen_by = self._missed[name]
        if proof_ratio >= 1.0:
            return Finding(fault, why(f"{state}_missed", seen=" and ".join(seen_by)))
        if self._flow_ratio < EVIDENCE.flows_ratio:
            return None
        between = self._between.get(name)
        if between is not None and (queue_ms := between.queue_ms(loops[name], loops, now_ms)) >= EVIDENCE.covered_ms:
            return Finding(fault, why("free_queue", seen=" and ".join(between.ahead), long=queue_ms // 1000))
        due_veh = self._flows.due_veh[name]
        if due_veh >= (EVIDENCE.due_covered_veh if occupied else EVIDENCE.due_free_veh):
            return Finding(fault, why(f"{state}_due", veh=round(due_veh)))
        return None

    def covered(self, covered_ms: int, longest_ms: int) -> Finding | None:
        """Return whether a loop is covered far longer than ever before, while the junction flows."""
        e = EVIDENCE
        if covered_ms < max(e.covered_ms, e.covered_ratio * longest_ms) or self._flow_ratio < e.flows_ratio:
            return None
        return Finding(Fault.STUCK_ON, why("covered_long", long=covered_ms // 1000, before=longest_ms // 1000))

    def miscounts(self, name: str, loops: Mapping[str, Counted]) -> Finding | None:
        """Return whether a loop is found to count too many or too few."""
        if name in self._suspects:
            return None
        between = self._between.get(name)
        if between is not None and between.few:
            return Finding(Fault.UNDERCOUNT, why("few", counted=between.few[0], passed=between.few[1], seen=" and ".join(between.loops)))
        doubted = self._alone[name] if name in self.doubted else ()  # what convicts is more than what raises doubts
        strong = [w for w in doubted if w.heard and w.strong and self._suspects.isdisjoint(w.loops)]
        over = [w.over_charge for w in strong]
        under = [w.under_charge for w in strong]
        if max(over, default=0.0) >= EVIDENCE.over_ratio and self._guilty(name, strong, [x / EVIDENCE.over_ratio for x in over], loops):
            return Finding(Fault.OVERCOUNT, why("overcount", seen=_seen(strong)))
        if max(under, default=0.0) >= EVIDENCE.under_ratio and self._guilty(name, strong, [x / EVIDENCE.under_ratio for x in under], loops):
            return Finding(Fault.UNDERCOUNT, why("undercount", seen=_seen(strong)))
        return self._half(name, loops[name])

    def _half(self, name: str, loop: Counted) -> Finding | None:
        """Return whether a loop misses every second vehicle, by its gaps and the others' counts, or by its gaps alone where nobody counts with it."""
        gaps_ratio, halves = loop.followers.charge_ratio, self._halves[name]
        if halves.charge_ratio >= EVIDENCE.half_ratio and gaps_ratio >= halves.gaps_ratio:
            return Finding(Fault.UNDERCOUNT, why("half", seen=" and ".join(halves.loops)))
        if gaps_ratio >= EVIDENCE.no_follower_ratio and loop.followers.known and not halves.known:
            return Finding(Fault.UNDERCOUNT, why("no_followers"))
        return None

    def _guilty(self, name: str, strong: Sequence[Witness], charge: Sequence[float], loops: Mapping[str, Counted]) -> bool:
        if len(strong) > 1:
            return min(charge) >= 0.5
        others = [w for x in strong[0].loops for w in self._alone[x] if w.heard and w.strong and name not in w.loops]
        if others:
            return all(max(w.over_ratio, w.under_ratio) < CLEAR_RATIO * max(strong[0].over_ratio, strong[0].under_ratio) for w in others)
        return self._changed_more((name,), strong[0].loops, loops)

    def _changed_more(self, mine: Collection[str], others: Collection[str], loops: Mapping[str, Counted]) -> bool:
        """Return whether the flow over some loops has changed more than that over others, against the change of the whole junction."""
        rest = [x for x, loop in loops.items() if loop.trusted and x not in mine and x not in others]
        everywhere, one, two = self._flows.change(rest), self._flows.change(mine), self._flows.change(others)
        if one is None or two is None:
            return False
        usual = log(max(everywhere or 1.0, _NOTHING))
        return abs(log(max(one, _NOTHING)) - usual) > abs(log(max(two, _NOTHING)) - usual)


def _missed_by(witness: Witness, loop: Counted) -> tuple[float, tuple[str, ...]]:
    seen, mates = witness.looked_seen, witness.looked_own - loop.count
    proof = witness.beyond_veh(seen) / EVIDENCE.beyond_veh if not witness.mates else 0.0
    if witness.road and not loop.occupied:
        proof = max(proof, witness.passed_veh(seen, mates) / EVIDENCE.passed_veh)
    return proof, witness.loops


def _seen(strong: Sequence[Witness]) -> str:
    return " and ".join(x for w in strong for x in w.loops)
