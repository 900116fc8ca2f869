"""What is asked of a controller in each actuation: sets of groups, or splits, from what the followers' plans want."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from controller.cabinet.controller_view import ControllerView
from controller.cabinet.follower import Follower
from controller.fixed import FixedPlanner
from controller.junction import Junction
from hardware.signals import GroupKind

HOLD_LIMIT_MS: Final = 90_000  # below the last gate's own limit, so that it never has to refuse
OMIT_LIMIT_MS: Final = 120_000  # somebody who waits and is never planned for gets the controller's own service after this
PAUSE_MS: Final = 20_000
CYCLE: Final = "cycle"  # the planner that shares out greens over a cycle (`controller.cycle`, which needs numba and is not imported here)


@dataclass(slots=True)
class Limited:
    """Lets each group be asked for only so long at a stretch, then not for a while."""

    limit_ms: int
    pause_ms: int = PAUSE_MS
    _since_ms: dict[str, int] = field(default_factory=dict)

    def memory(self) -> dict[str, int]:
        """Return since when each group is asked for."""
        return dict(self._since_ms)

    def recall(self, since_ms: Mapping[str, int]) -> None:
        """Go on from what `memory` returned."""
        self._since_ms = dict(since_ms)

    def allow(self, groups: Collection[str], now_ms: int) -> frozenset[str]:
        """Return those of the groups that may still be asked for."""
        self._since_ms = {g: self._since_ms.get(g, now_ms) for g in groups}
        for group, since_ms in self._since_ms.items():
            if now_ms - since_ms >= self.limit_ms + self.pause_ms:
                self._since_ms[group] = now_ms
        return frozenset(g for g, since_ms in self._since_ms.items() if now_ms - since_ms < self.limit_ms)


@dataclass(frozen=True, slots=True)
class PhaseWishes:
    """The sets of groups to be in force."""

    hold: frozenset[str] = frozenset()
    force_off: frozenset[str] = frozenset()
    omit: frozenset[str] = frozenset()
    call: frozenset[str] = frozenset()


class PhaseControl:
    """Holds what the plan keeps, and on the way to another stage calls what it has, omits what it has not, and ends what may end."""

    def __init__(self, junction: Junction, view: ControllerView, drivable: frozenset[str]) -> None:
        self._view, self._drivable = view, drivable
        self._groups = junction.group_by_id
        self.hold, self.omit = Limited(HOLD_LIMIT_MS), Limited(OMIT_LIMIT_MS)

    def wishes(self, followers: Sequence[Follower], now_ms: int) -> PhaseWishes:
        """Return what is to be in force from now on."""
        hold, force, omit, call = set[str](), set[str](), set[str](), set[str]()
        for follower in followers:
            if follower.wanted is None:
                continue
            wanted = frozenset(follower.node.stages[follower.wanted].green)
            green = {g for g in follower.node.groups if self._view.green(g)}
            vehicles = {g for g in follower.node.groups if self._groups[g].kind is not GroupKind.PEDESTRIAN}
            there = follower.settled and follower.stage == follower.wanted
            hold |= wanted & green & vehicles
            omit |= set(follower.node.groups) - wanted - green
            call |= (wanted & vehicles if there else wanted) - green
            force |= set() if there else {g for g in (green & vehicles) - wanted if self._may_end(g, now_ms)}
        omitted = self.omit.allow(omit & self._drivable, now_ms)
        return PhaseWishes(
            hold=self.hold.allow(hold & self._drivable, now_ms),
            force_off=frozenset(force & self._drivable),
            omit=omitted if omitted != frozenset(self._groups) else frozenset(),
            call=frozenset(call & self._drivable),
        )

    def _may_end(self, group: str, now_ms: int) -> bool:
        return now_ms - self._view.since_ms[group] >= self._groups[group].min_green_ms


def calls(followers: Sequence[Follower], drivable: frozenset[str]) -> frozenset[str]:
    """Return the groups to be called by virtual detectors: all of the stages that are wanted, whether they are green or not yet."""
    wanted = {g for f in followers if f.wanted is not None for g in f.node.stages[f.wanted].green}
    return frozenset(wanted & drivable)


class Splits:
    """Durations per group, from the greens that a plan shares out over a cycle."""

    def __init__(self, junction: Junction) -> None:
        self._least_ms = {
            g.id: g.min_green_ms + max([g.amber_ms, *(i.intergreen_ms for i in junction.intergreens if i.clearing == g.id)]) for g in junction.groups
        }
        self.shared_ms: dict[str, dict[int, int]] = {}  # by node and stage, what was shared out last

    def durations_ms(self, follower: Follower) -> dict[str, int] | None:
        """Return how long each group of the node is served per cycle, its clearance inside; None where its planner shares out no cycle."""
        slots_ms = self._slots_ms(follower)
        stages = follower.table.stages
        if not slots_ms:
            return None
        return {g: max(self._least_ms[g], sum(ms for k, ms in slots_ms.items() if g in stages[k])) for g in follower.node.groups}

    def cycle_ms(self, followers: Sequence[Follower]) -> int:
        """Return the longest of the nodes' cycles."""
        return max((sum(self._slots_ms(f).values()) for f in followers), default=0)

    def _slots_ms(self, follower: Follower) -> dict[int, int]:
        """Return per stage its green and the transition to the next stage."""
        greens_ms = self._greens_ms(follower)
        order = sorted(greens_ms)
        after = dict(zip(order, (*order[1:], *order[:1]), strict=True))
        return {k: greens_ms[k] + follower.table.pairs[k][after[k]].settle_ms for k in order}

    def _greens_ms(self, follower: Follower) -> dict[int, int]:
        """Return the greens by stage: a `cycle` planner tells them once a cycle, and they hold until it tells others; a programme has them."""
        plan, node = follower.plan, follower.node
        index = {s.id: k for k, s in enumerate(node.stages)}
        shares = plan.detail.get("greens_s") if plan is not None else None
        if plan is None or plan.planner not in (CYCLE, FixedPlanner.name):
            self.shared_ms.pop(node.id, None)
        elif isinstance(shares, Mapping):
            self.shared_ms[node.id] = {index[str(name)]: round(1000 * float(green_s)) for name, green_s in shares.items()}
        elif plan.planner == FixedPlanner.name:
            self.shared_ms[node.id] = {index[step.stage]: step.green_ms for step in node.programmes[0].steps} if node.programmes else {}
        return self.shared_ms.get(node.id, {})
