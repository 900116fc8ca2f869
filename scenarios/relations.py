"""Who may be green together: relations between links from the net's right-of-way and from what the programme shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from scenarios.geometry import conflict_point
from scenarios.net import Connection, Logic, Net
from scenarios.programme import GREEN, LinkGroup


class RightOfWay:
    """Foes and yielding of one light's links, summed over the connections of each link index."""

    def __init__(self, net: Net, logic: Logic, links: Mapping[int, Sequence[Connection]]) -> None:
        self._net = net
        self._logic = logic
        self._links = links
        self._foes: dict[tuple[int, int], bool] = {}

    def foes(self, a: int, b: int) -> bool:
        """Tell whether two links cross or merge. Symmetric."""
        key = (min(a, b), max(a, b))
        if key not in self._foes:
            self._foes[key] = a != b and any(self._foe(ca, cb) for ca in self._links[key[0]] for cb in self._links[key[1]])
        return self._foes[key]

    def yields(self, a: int, b: int) -> bool:
        """Tell whether the net makes link ``a`` give way to link ``b``."""
        return any(self._bit(ca, cb, response=True) for ca in self._links[a] for cb in self._links[b])

    def beside(self, a: int, b: int) -> bool:
        """Tell whether the two links begin on lanes of one edge: the ways of neighbours in one queue that cross or merge."""
        return {c.from_lane.rpartition("_")[0] for c in self._links[a]} == {c.from_lane.rpartition("_")[0] for c in self._links[b]}

    def together(self, a: int, b: int) -> bool:
        """Tell whether the programme ever shows both links green."""
        return any(p.state[a] in GREEN and p.state[b] in GREEN for p in self._logic.phases)

    def _foe(self, a: Connection, b: Connection) -> bool:
        if a.from_lane == b.from_lane:
            return False
        request_a, request_b = self._net.requests.get(a), self._net.requests.get(b)
        known = request_a is not None and request_b is not None and self._has_bits(request_a) and self._has_bits(request_b)
        if known and request_a is not None and request_b is not None and request_a[0] == request_b[0]:
            return self._bit(a, b, response=False) or self._bit(b, a, response=False)
        if known and self._nodes(a) != self._nodes(b) and not self._near(a, b):
            return False
        if self.together(a.link, b.link):
            return False
        return a.to_lane == b.to_lane or conflict_point(self._net.shape_of(a), self._net.shape_of(b)) is not None

    def _nodes(self, c: Connection) -> str:
        request = self._net.requests.get(c)
        return request[0] if request is not None else ""

    def _near(self, a: Connection, b: Connection) -> bool:
        one, two = self._net.shape_of(a), self._net.shape_of(b)
        return all(min(p[k] for p in one) <= max(q[k] for q in two) and min(q[k] for q in two) <= max(p[k] for p in one) for k in (0, 1))

    def _has_bits(self, request: tuple[str, int]) -> bool:
        return request[1] < len(self._net.junctions[request[0]].foes)

    def _bit(self, a: Connection, b: Connection, *, response: bool) -> bool:
        request_a, request_b = self._net.requests.get(a), self._net.requests.get(b)
        if request_a is None or request_b is None or request_a[0] != request_b[0]:
            return False
        junction = self._net.junctions[request_a[0]]
        rows = junction.response if response else junction.foes
        if request_a[1] >= len(rows) or request_b[1] >= len(rows[request_a[1]]):
            return False
        row = rows[request_a[1]]
        return row[len(row) - 1 - request_b[1]] == "1"


@dataclass
class Relations:
    """Relations of the groups of one light.

    ``conflicts``: unordered pairs, the earlier group first. ``permissions``: (yielding, priority).
    ``gives_way``: per link the links to which it gives way where both are green.
    """

    conflicts: list[tuple[LinkGroup, LinkGroup]] = field(default_factory=list)
    permissions: list[tuple[str, str]] = field(default_factory=list)
    gives_way: dict[int, set[int]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def relate(logic: Logic, groups: Sequence[LinkGroup], rights: RightOfWay, *, as_shown: bool) -> Relations:
    """Return the relation of every pair of groups: conflicting where they are foes never shown together, permitted where they are.

    ``as_shown``: nobody yields who is 'G' whenever both are green, as under SUMO's own controls; else the net's matrix decides. Lanes of one
    edge whose ways cross are let go by the matrix even then, or their vehicles would drive into each other's way; but nobody waits for a
    gap there, for the two queues move together.
    """
    found = Relations()
    for a, b in combinations(groups, 2):
        foes = [(i, j) for i in a.links for j in b.links if rights.foes(i, j)]
        if not foes:
            continue
        if not any(a.green_in(p) and b.green_in(p) for p in range(len(logic.phases))):
            found.conflicts.append((a, b))
            continue
        owner = {link: g.id for g in (a, b) for link in g.links}
        for i, j in foes:
            beside = as_shown and rights.beside(i, j)
            for yielding, priority in _who_yields(logic, rights, i, j, found.warnings, as_shown=as_shown and not beside):
                if not beside:
                    found.gives_way.setdefault(yielding, set()).add(priority)
                pair = (owner[yielding], owner[priority])
                if pair not in found.permissions:
                    found.permissions.append(pair)
    return found


def _who_yields(logic: Logic, rights: RightOfWay, i: int, j: int, warnings: list[str], *, as_shown: bool) -> list[tuple[int, int]]:
    shown = {(p.state[i], p.state[j]) for p in logic.phases if p.state[i] in GREEN and p.state[j] in GREEN}
    pairs = [(a, b) for a, b in ((i, j), (j, i)) if rights.yields(a, b)]
    if as_shown:
        # A link that is 'G' whenever both are green gives way to nobody there, whatever the net's matrix says.
        minor = {link for letters in shown for link, letter in zip((i, j), letters, strict=True) if letter == "g"}
        pairs = [(a, b) for a, b in pairs if a in minor]
    if not pairs:
        pairs = [(a, b) for a, b, letters in ((i, j, ("g", "G")), (j, i, ("G", "g"))) if letters in shown]
    if not pairs and not as_shown:
        pairs = [(max(i, j), min(i, j))]
    if ("G", "G") in shown:
        fate = f"imported as permitted, link {pairs[0][0]} yields to link {pairs[0][1]}" if pairs else "taken as it is, neither yields"
        warnings.append(f"Light {logic.light!r}: the programme shows the foes link {min(i, j)} and link {max(i, j)} both 'G'; {fate}. Check the programme.")
    return pairs
