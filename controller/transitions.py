"""Transitions between ordered pairs of stages: when each group ends and starts, from intergreens, head starts and the engineer's own offsets.

A transition begins at time 0. A group that is green in both stages stays green. A group only in the new stage starts as
soon as every conflicting group that ended before it is cleared, as if these had all ended at 0. A group only in the old
stage ends at the engineer's offset, else as late as it delays no start: where intergreens differ, those who clear fast go
on while the slowest clear, which costs nobody anything. It ends at 0, though, where others that are green in the new stage
must yield to it, for they gain by its end. The engineer's start offsets may delay, never shorten. Offsets are those of a
transition that begins with everything else at rest; the sequencer adds what really happened.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from controller.errors import ConfigError
from controller.junction import Group, Junction, Node, Transition
from hardware.signals import GroupKind


@dataclass(frozen=True, slots=True)
class StagePair:
    """The transition of one ordered stage pair. ``ends_ms`` and ``starts_ms`` are keyed by group; ``settle_ms``: when the last of them has happened."""

    ends_ms: Mapping[str, int]
    starts_ms: Mapping[str, int]
    delays_ms: Mapping[str, int]  # lower bounds of starts: the engineer's own offsets, and pedestrians beside vehicles
    settle_ms: int
    allowed: bool = True


@dataclass(frozen=True, slots=True)
class GroupRules:
    """What one group must wait for: (foe, intergreen but never below the foe's amber), (priority, head start), (yielding, head start).

    ``yielding``: the groups that must give way to it.
    """

    group: Group
    foes: tuple[tuple[str, int], ...]
    heads: tuple[tuple[str, int], ...]
    tails: tuple[tuple[str, int], ...]
    yielding: frozenset[str]


@dataclass(frozen=True)
class TransitionTable:
    """All transitions of a node. ``pairs[a][b]`` by stage index; ``next_stage[a][b]``: where to go first on the way from a to b."""

    stages: tuple[frozenset[str], ...]
    rules: Mapping[str, GroupRules]
    pairs: tuple[tuple[StagePair, ...], ...]
    next_stage: tuple[tuple[int, ...], ...]
    start: tuple[StagePair, ...]  # out of the all-red at the start, into each stage
    clear_ms: int  # longest intergreen of the whole junction: red before the first green
    amber_ms: int  # longest amber of the whole junction
    own: Mapping[tuple[int, int], Transition]  # the engineer's, by stage indices

    def pair_after(self, a: int, b: int, ended_ms: Mapping[str, int]) -> StagePair:
        """Return the transition as it is after groups have ended that still clear; ``ended_ms``: when, against its begin (negative)."""
        return stage_pair(self.rules, self.stages[a], self.stages[b], self.own.get((a, b)), ended_ms)

    def cleared_ms(self, a: int, b: int, group: str) -> int:
        """Return how long after the begin of the transition a to b the group may be green at the earliest, for what ends in it; 0: at once."""
        ends, wait_ms = self.pairs[a][b].ends_ms, self.rules[group].group.red_amber_ms
        return max([0, *(ends[foe] + max(ig, wait_ms) for foe, ig in self.rules[group].foes if foe in ends)])


def group_rules(junction: Junction, node: Node) -> dict[str, GroupRules]:
    """Return for each group of the node what it must wait for."""
    known = junction.group_by_id
    heads = [p for p in junction.permissions if p.head_start_ms > 0]
    return {
        g: GroupRules(
            known[g],
            foes=tuple((i.clearing, max(i.intergreen_ms, known[i.clearing].amber_ms)) for i in junction.intergreens if i.entering == g),
            heads=tuple((p.priority, max(p.head_start_ms, known[g].red_amber_ms)) for p in heads if p.yielding == g),
            tails=tuple((p.yielding, max(p.head_start_ms, known[g].red_amber_ms)) for p in heads if p.priority == g),
            yielding=frozenset(p.yielding for p in junction.permissions if p.priority == g),
        )
        for g in node.groups
    }


def in_head_start_order(rules: Mapping[str, GroupRules], groups: Iterable[str]) -> list[str]:
    """Return the groups so that each comes after those it yields to with a head start. Raises `ConfigError` on a circle."""
    todo = sorted(groups)
    ordered: list[str] = []
    while todo:
        free = [g for g in todo if not any(p in todo for p, _ in rules[g].heads)]
        if not free:
            raise ConfigError(f"head starts of {', '.join(todo)} wait for each other in a circle; drop one of these permissions' head starts")
        ordered += free
        todo = [g for g in todo if g not in free]
    return ordered


def stage_pair(
    rules: Mapping[str, GroupRules], old: frozenset[str], new: frozenset[str], own: Transition | None = None, ended_ms: Mapping[str, int] | None = None
) -> StagePair:
    """Return the transition from the stage with the groups ``old`` to that with ``new``, following the engineer's ``own`` where given.

    ``ended_ms``: when groups that end not in it did end, before its begin (negative): what is not yet cleared delays its starts.
    """
    own_ends = {o.group: o.offset_ms for o in own.ends} if own else {}
    own_starts = {o.group: o.offset_ms for o in own.starts} if own else {}
    ends = {g: own_ends.get(g, 0) for g in sorted(old - new)}
    before = {**(ended_ms or {}), **ends}
    starts: dict[str, int] = {}
    for g in in_head_start_order(rules, new - old):
        wait = rules[g].group.red_amber_ms
        cleared = [before[foe] + max(ig, wait) for foe, ig in rules[g].foes if foe in before]
        headed = [starts[p] + head for p, head in rules[g].heads if p in starts]
        starts[g] = max([own_starts.get(g, 0), wait, *cleared, *headed])
    walks = _walks_beside(rules, starts)
    delays = {g: ms for g, ms in {**own_starts, **walks}.items() if g in starts}
    starts |= walks
    ends |= {g: _latest_end(rules, g, new, starts) for g in ends if g not in own_ends}
    return StagePair(ends, starts, delays, max([0, *ends.values(), *starts.values()]), own.allowed if own else True)


def _walks_beside(rules: Mapping[str, GroupRules], starts: Mapping[str, int]) -> dict[str, int]:
    """Return later starts for the pedestrians who would start long before the first vehicles of the same stage.

    While an earlier walk still clears, the crossing beside it is free at once. To walk there already would end the vehicles' greens
    that go on meanwhile; so pedestrians start beside the vehicles, ahead of them by red-amber and head start.
    """
    walks = GroupKind.PEDESTRIAN
    first: list[int] = []
    later: dict[str, int] = {}
    for g, start_ms in starts.items():
        if rules[g].group.kind is not walks:
            first.append(start_ms - max([rules[g].group.red_amber_ms, *(head for p, head in rules[g].heads if p in starts)]))
    for g, start_ms in starts.items():
        if rules[g].group.kind is walks and first and start_ms < min(first):
            later[g] = min(first)
    return later


def _latest_end(rules: Mapping[str, GroupRules], group: str, new: frozenset[str], starts: Mapping[str, int]) -> int:
    """Return the latest end of the group's green that delays no start, its amber over before the last of them."""
    if rules[group].yielding & new:
        return 0
    limits_ms = [max(starts.values(), default=0) - rules[group].group.amber_ms]
    for entering, start_ms in starts.items():
        wait_ms = rules[entering].group.red_amber_ms
        limits_ms += [start_ms - max(ig, wait_ms) for foe, ig in rules[entering].foes if foe == group]
    return max(0, min(limits_ms))


def transition_table(junction: Junction, node: Node) -> TransitionTable:
    """Return all transitions of a node. Raises `ConfigError` where a stage cannot be reached from another."""
    rules = group_rules(junction, node)
    index = {s.id: i for i, s in enumerate(node.stages)}
    own = {(index[t.from_stage], index[t.to_stage]): t for t in node.transitions}
    stages = tuple(frozenset(s.green) for s in node.stages)
    pairs = tuple(tuple(stage_pair(rules, old, new, own.get((a, b))) for b, new in enumerate(stages)) for a, old in enumerate(stages))
    return TransitionTable(
        stages=stages,
        rules=rules,
        pairs=pairs,
        next_stage=tuple(_first_hops(node, pairs, a) for a in range(len(stages))),
        start=tuple(stage_pair(rules, frozenset(), stage) for stage in stages),
        clear_ms=max((i.intergreen_ms for i in junction.intergreens), default=0),
        amber_ms=max((g.amber_ms for g in junction.groups), default=0),
        own=own,
    )


def _first_hops(node: Node, pairs: tuple[tuple[StagePair, ...], ...], source: int) -> tuple[int, ...]:
    """Return for every target stage the first stage on the way from ``source`` (fewest stages, then shortest transitions)."""
    hops = {source: source}
    queue = [(1, pair.settle_ms, b, b) for b, pair in enumerate(pairs[source]) if b != source and pair.allowed]
    heapq.heapify(queue)
    while queue:
        count, cost_ms, stage, hop = heapq.heappop(queue)
        if stage in hops:
            continue
        hops[stage] = hop
        if node.stages[stage].free:
            continue  # no way round what the engineer has forbidden
        for nxt, pair in enumerate(pairs[stage]):
            if pair.allowed and nxt not in hops:
                heapq.heappush(queue, (count + 1, cost_ms + pair.settle_ms, nxt, hop))
    for b, missing in enumerate(node.stages):
        if b not in hops:
            here = node.stages[source].id
            raise ConfigError(f"node {node.id}: expected a way from stage {here} to stage {missing.id}, found every transition forbidden; allow one")
    return tuple(hops[b] for b in range(len(pairs)))
