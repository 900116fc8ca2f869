"""Stages beside the programme's: sets of groups that may be green together and that no further group could join.

They hold only pairs of groups that the engineer lets be green together: compatible ones, and permitted ones as the stages show them. Only
the adaptive planner chooses them, where it is sure who would gain (`StageChoice`); all others keep to the programme's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from controller.clearing import with_all_red
from controller.junction import Junction, Node, Stage

LIMIT = 64
MOST_FREE: Final = 8  # the search's tables grow with the square of the stages


def with_more_stages(junction: Junction) -> Junction:
    """Return the junction as it is controlled: with an all-red stage, then the free ones, behind the stages of each node that allows them."""
    junction = with_all_red(junction)
    return replace(junction, nodes=tuple(replace(n, stages=(*n.stages, *free_stages(junction, n))) if n.free_stages else n for n in junction.nodes))


def free_stages(junction: Junction, node: Node, *, limit: int = MOST_FREE) -> tuple[Stage, ...]:
    """Return the free stages worth having, named for their groups: those that serve vehicles as no stage of the node serves them.

    At most ``limit``, those with the most movements first. Turns may yield, as where the programme shows them so; or everybody is
    protected, which no set with those to whom they yield can give.
    """
    served = [_served(junction, s.green) for s in node.stages]
    names = {s.id for s in node.stages}
    found: dict[tuple[str, ...], frozenset[tuple[int, bool]]] = {}
    for protected in (False, True):
        for groups in all_compatible_stages(junction, node, protected=protected):
            mine = _served(junction, groups)
            if mine and not any(mine <= other for other in (*served, *found.values())):
                found[groups] = mine
    kept = sorted(found, key=lambda s: -len(found[s]))[:limit]
    return tuple(Stage(name, s, free=True) for s in kept if (name := "+".join(s)) not in names)


def _served(junction: Junction, green: Iterable[str]) -> frozenset[tuple[int, bool]]:
    """Return the movements that a stage serves, each with whether it is protected; who is protected is served as who yields, too."""
    shown = set(green)
    found: set[tuple[int, bool]] = set()
    for at, move in enumerate(junction.movements):
        if move.group in shown:
            yields = any(group in shown for _, group in junction.gives_way_to(move))
            found |= {(at, False)} if yields else {(at, False), (at, True)}
    return frozenset(found)


def all_compatible_stages(junction: Junction, node: Node, *, limit: int = LIMIT, protected: bool = False) -> tuple[tuple[str, ...], ...]:
    """Return the maximal compatible sets of the node's groups, at most ``limit``, each and all in the node's order.

    Groups are compatible unless they have an intergreen; permitted pairs count as compatible, unless ``protected`` (Bron and
    Kerbosch 1973, algorithm 457, without pivot: junctions have few groups).
    """
    apart = set(junction.intergreen_ms)
    if protected:
        apart |= {(p.yielding, p.priority) for p in junction.permissions}
    order = {g: at for at, g in enumerate(node.groups)}
    friends = {g: {h for h in node.groups if h != g and (g, h) not in apart and (h, g) not in apart} for g in node.groups}
    found: list[tuple[str, ...]] = []

    def grow(chosen: tuple[str, ...], possible: set[str], done: set[str]) -> None:
        if not possible and not done:
            found.append(tuple(sorted(chosen, key=order.__getitem__)))
        for g in sorted(possible, key=order.__getitem__):
            if len(found) >= limit:
                return
            grow((*chosen, g), possible & friends[g], done & friends[g])
            possible = possible - {g}
            done = done | {g}

    grow((), set(node.groups), set())
    return tuple(sorted((s for s in found if s), key=lambda s: [order[g] for g in s]))
