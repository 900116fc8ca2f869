"""All sets of groups that may be green together and that no further group could join."""

from __future__ import annotations

from controller.junction import Junction, Node

LIMIT = 64


def all_compatible_stages(junction: Junction, node: Node, *, limit: int = LIMIT) -> tuple[tuple[str, ...], ...]:
    """Return the maximal compatible sets of the node's groups, at most ``limit``, each and all in the node's order.

    Groups are compatible unless they have an intergreen; permitted pairs count as compatible (Bron and Kerbosch 1973,
    algorithm 457, without pivot: junctions have few groups).
    """
    known = junction.intergreen_ms
    order = {g: at for at, g in enumerate(node.groups)}
    friends = {g: {h for h in node.groups if h != g and (g, h) not in known and (h, g) not in known} for g in node.groups}
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
