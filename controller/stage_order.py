"""Which stage comes next where lanes call and stages overlap: local actuation's order of stages.

Theory of operation. Stages have their turns in a fixed order, and those that serve no call are skipped. Stages that overlap, as the eight of a
dual ring do (2+6, 1+6, 2+5, 1+5, ...), ask for three things more; where no two stages share a signal group, none of them ever acts:

* *Instead.* Where 3 and 8 call, 3+8 is worth more than the 3+7 whose turn it is. Another stage is taken instead where it serves all of that
  one's calls and others besides, none of them worse protected. The turn stays that of the first. Stages beyond the programme that serve
  nobody else have no turn of their own; they are there to be taken instead.
* *In part.* A dual-ring controller ends each ring's phase by itself (NEMA TS 2-2003, section 3; FHWA Traffic Signal Timing Manual, 2008,
  chapter 4), and control by signal groups, as RiLSA and VS-PLUS know it, ends only those whom an enemy stream asks to: from 1+5 to 1+6, though
  1 goes on. So a stage that keeps who still runs, and serves a call of the next turn, is taken at once. That is no turn, and who was green
  since the last turn is no reason for one; so there are fewer of them between two turns than movements.
* *Had already.* A stage whose callers have all been green since its last turn, within others, is passed over, as a ring goes through each of
  its phases once before the barrier. With its turn that is forgotten, so that no call is passed over twice running.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from controller.node_model import NodeModel, Way

Ways = frozenset[Way]
_NOTHING: Final[tuple[int, int | None]] = (-1, None)


class StageOrder:
    """The stages of a node: those in ``turns`` come in this order, all in ``turns`` and ``others`` may be shown. Tell it first what is seen."""

    def __init__(self, model: NodeModel, turns: Sequence[int], others: Sequence[int] = ()) -> None:
        self._model, self._turns, self._all = model, tuple(turns), (*turns, *others)
        self._forbidden = model.node.forbidden()
        self._had: dict[int, Ways] = dict.fromkeys(self._turns, frozenset())  # per stage: who was green since its last turn
        self._shown: Ways = frozenset()  # who was green since the last turn of any
        self._turn = -1  # an index into the turns
        self._now = -1
        self.in_part = False  # whether the present stage is no turn of its own, but what a part of the one before left
        self._asked = _NOTHING  # a stage, and the one whose turn that will be; none if it is no turn

    def see(self, stage: int) -> None:
        """Note which stage is shown. One that was not asked for has its own turn."""
        if stage != self._now:
            asked, turn = self._asked
            turn = turn if asked == stage else stage
            self.in_part = turn is None
            if turn is not None:
                self._pass_to(turn)
            self._now, self._asked = stage, _NOTHING
        self._shown |= self._model.ways[stage]
        for k in self._turns:
            self._had[k] |= self._model.ways[stage]

    def step(self, calling: Iterable[int]) -> int:
        """Return the stage that follows the one seen last for the lanes that call; the next one where none serves them."""
        lanes = frozenset(calling)
        due, calls = self._due(lanes)
        self._asked = (self._instead(due, calls, lanes) if calls else due), due
        return self._asked[0]

    def part(self, calling: Iterable[int], keep: AbstractSet[str]) -> int | None:
        """Return the stage that leaves the groups ``keep`` green and serves a call of the next turn; None where there is none."""
        lanes = frozenset(calling)
        calls = self._due(lanes)[1] - self._shown
        served = {k: len(gain) for k in self._all if self._keeps(k, keep) and (gain := self._gain(k, lanes) & calls)}
        if not served:
            return None
        self._asked = max(served, key=lambda k: served[k]), None
        return self._asked[0]

    def _due(self, lanes: AbstractSet[int]) -> tuple[int, Ways]:
        """Return whose turn is next, with whom it would serve; nobody where no stage serves a call."""
        row = [*self._turns[self._turn + 1 :], *self._turns[: self._turn + 1]]
        served = [(k, gain) for k in row if (gain := self._gain(k, lanes))]
        if not served:
            return next((k for k in row if k != self._now), row[0]), frozenset()
        return next(((k, gain) for k, gain in served if not gain <= self._had[k]), served[0])

    def _pass_to(self, stage: int) -> None:
        """Give the stage its turn; those whose turn is over, or is passed over, begin to count anew."""
        to = self._turns.index(stage) if stage in self._turns else -1
        if self._turn >= 0 and to >= 0:
            gone = self._turns[self._turn : to] if self._turn < to else (*self._turns[self._turn :], *self._turns[:to])
            self._had |= dict.fromkeys(gone, frozenset())
        self._turn, self._shown = to, frozenset()

    def _gain(self, stage: int, lanes: AbstractSet[int]) -> Ways:
        """Return what the stage serves of the lanes and the present one does not, of those lanes that it serves more of."""
        now, service = self._now, self._model.service
        more = {i for i in lanes if len(service[stage][i]) > len(service[now][i])}
        return frozenset(way for way in self._model.ways[stage] - self._model.ways[now] if way[0] in more)

    def _instead(self, due: int, calls: Ways, lanes: AbstractSet[int]) -> int:
        """Return the stage whose turn it is, or what is to be taken instead of it."""
        best, free = due, self._model.free_ways
        for k in self._all:
            more = self._gain(k, lanes)
            if calls < more and calls & free[best] <= free[k] and (self._now, k) not in self._forbidden:
                best, calls = k, more
        return best

    def _keeps(self, stage: int, keep: AbstractSet[str]) -> bool:
        """Tell whether the stage may follow the present one and shows the groups, of which none has to yield that does not now."""
        now, model = self._now, self._model
        held = [(i, s.movement) for i, lane in enumerate(model.service[now]) for s in lane if s.group in keep and not s.foes]
        allowed = stage != now and (now, stage) not in self._forbidden
        return allowed and bool(keep) and keep <= model.green[stage] and model.free_ways[stage].issuperset(held)
