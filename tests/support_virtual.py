"""A dual-ring controller of eight phases with pedestrians, and its site, for the tests of virtual devices and of the drivers."""

from __future__ import annotations

from itertools import product

from hardware.ntcip.objects import ObjectTable
from hardware.signals import GroupKind, GroupSpec, SiteSpec
from hardware.virtual.checker import Checker
from hardware.virtual.controller import VirtualController
from hardware.virtual.setup import ControllerSetup, Head, PatternSetup, PhaseSetup

TABLE = ObjectTable()
LEFTS = (1, 5, 3, 7)
WALKS = (2, 6, 4, 8)
PATTERN = PatternSetup(1, 80, 0, {1: 15, 2: 30, 3: 10, 4: 25, 5: 15, 6: 30, 7: 10, 8: 25}, (2, 6))


def dual_ring(**more: object) -> ControllerSetup:
    """Return the classic set-up: ring 1 has phases 1 to 4, ring 2 has 5 to 8; 1, 2, 5, 6 are on one side of the barrier."""
    phases = tuple(
        PhaseSetup(p, 1 if p <= 4 else 2, 0 if p in (1, 2, 5, 6) else 1, walk_s=5 if p in WALKS else 0, ped_clear_s=8 if p in WALKS else 0) for p in range(1, 9)
    )
    heads = {f"p{p}": Head(p) for p in range(1, 9)} | {f"w{p}": Head(p, walks=True) for p in WALKS}
    options: dict[str, object] = {"patterns": (PATTERN,), "startup_phases": (2, 6), "detectors": tuple(range(1, 9)), "preempts": {1: (4, 7)}}
    return ControllerSetup("cross", phases, heads, **(options | more))  # type: ignore[arg-type]


def site(setup: ControllerSetup) -> SiteSpec:
    """Return what the checker holds it against: amber 3 s, intergreen 5 s, and 13 s after walking."""
    groups = tuple(GroupSpec(g, GroupKind.PEDESTRIAN if h.walks else GroupKind.VEHICLE, 5_000, 0 if h.walks else 3_000) for g, h in setup.heads.items())
    gaps = {}
    for (a, one), (b, other) in product(setup.heads.items(), repeat=2):
        first, second = setup.phase(one.phase), setup.phase(other.phase)
        if first.phase != second.phase and (first.side != second.side or first.ring == second.ring):
            gaps[a, b] = 13_000 if one.walks else 5_000
    return SiteSpec(setup.id, groups, gaps)


class Watched:
    """A controller whose lamps a checker looks at ten times a second."""

    def __init__(self, setup: ControllerSetup | None = None, *, warm: bool = True) -> None:
        self.setup = setup or dual_ring()
        self.controller = VirtualController(self.setup, warm=warm)
        self.spec = site(self.setup)
        self.checker = Checker(self.spec, tolerance_ms=0)
        self.greens: list[tuple[int, frozenset[int]]] = []

    def run(self, duration_s: float) -> None:
        """Let time pass and look."""
        until_ms = self.controller.now_ms + round(1000 * duration_s)
        while self.controller.now_ms < until_ms:
            self.controller.advance(self.controller.now_ms + 100)
            lamps = self.controller.lamps()
            self.checker.look(self.controller.now_ms, [lamps[g.id] for g in self.spec.groups])
            green = self.controller.rings.green
            if not self.greens or self.greens[-1][1] != green:
                self.greens.append((self.controller.now_ms, green))

    def get(self, name: str, *index: int) -> int:
        """Return a number."""
        value = self.controller.get(TABLE.oid(name, *index))
        assert isinstance(value, int)
        return value

    def set(self, name: str, value: int, *index: int) -> None:
        """Write a number."""
        self.controller.set([(TABLE.oid(name, *index), value)])

    def lengths_s(self, phase: int) -> list[float]:
        """Return how long each whole green of a phase lasted, in s."""
        found, begun_ms = [], None
        for at_ms, green in self.greens:
            if phase in green and begun_ms is None:
                begun_ms = at_ms
            elif phase not in green and begun_ms is not None:
                found.append((at_ms - begun_ms) / 1000)
                begun_ms = None
        return found
