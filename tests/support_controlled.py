"""The classic dual-ring crossing as a junction of ours, the virtual controller that owns its lamps, and traffic on its loops, on one clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from support_virtual import WALKS, dual_ring, site

from controller.assemble import assemble
from controller.cabinet.controller_heads import ControllerHeads, follow
from controller.junction import Detector, Direction, Exit, Group, Intergreen, Junction, Lane, Movement, Node, Programme, ProgrammeStep, Purpose, Stage
from controller.loop import JunctionControl
from hardware.ntcip.driver import NtcipDriver
from hardware.ntcip.options import NtcipOptions
from hardware.ntcip.transport import InProcess, Transport
from hardware.ports import Actuation, InputEvent
from hardware.signals import Aspect
from hardware.virtual.checker import Checker
from hardware.virtual.controller import VirtualController
from hardware.virtual.junction import VirtualJunction
from hardware.virtual.setup import ControllerSetup
from hardware.virtual.street import Approach, Loop, Street, Way

FLOWS_VEH_H = {1: 120.0, 2: 420.0, 3: 90.0, 4: 300.0, 5: 110.0, 6: 450.0, 7: 100.0, 8: 280.0}
PHASES = {f"p{p}": f"phase {p}" for p in range(1, 9)} | {f"w{p}": f"ped {p}" for p in WALKS}
STAGES = {"left main": ("p1", "p5"), "main": ("p2", "p6", "w2", "w6"), "left side": ("p3", "p7"), "side": ("p4", "p8", "w4", "w8")}


def controlled_junction(setup: ControllerSetup, green: Mapping[str, tuple[str, ...]] = STAGES) -> Junction:
    """Return the junction whose groups are the controller's phases, one lane with two loops each; ``green``: its stages."""
    spec = site(setup)
    groups = tuple(Group(g.id, g.kind, g.min_green_ms, g.amber_ms) for g in spec.groups)
    lanes = tuple(Lane(f"l{p}", 150.0, 12.5, approach=f"a{p}") for p in range(1, 9))
    exits = tuple(Exit(f"x{p}", 100.0, 12.5) for p in range(1, 9))
    moves = tuple(Movement(f"l{p}", f"x{p}", f"p{p}", Direction.LEFT if p % 2 else Direction.STRAIGHT, 1.0, 20.0) for p in range(1, 9))
    loops = tuple(
        Detector(f"l{p}/{name}", purpose, (f"l{p}",), at_m, upstream=up)
        for p in range(1, 9)
        for name, purpose, at_m, up in (("1", Purpose.STOP, 1.0, (f"l{p}/100",)), ("100", Purpose.ENTRY, 100.0, ()))
    )
    stages = tuple(Stage(name, groups) for name, groups in green.items())
    programme = Programme("day", tuple(ProgrammeStep(name, 10_000 if "left" in name else 20_000) for name in green))
    gaps = tuple(Intergreen(a, b, ms) for (a, b), ms in spec.intergreen_ms.items())
    node = Node("node", tuple(g.id for g in groups), stages, programmes=(programme,))
    return Junction(setup.id, groups, lanes, exits, moves, (), gaps, loops, (node,))


def street_of(junction: Junction, *, seed: int = 1) -> Street:
    approaches = tuple(Approach(f"l{p}", 150.0, 12.5, flow, (Way(f"p{p}", f"x{p}", 1.0),)) for p, flow in FLOWS_VEH_H.items())
    loops = tuple(Loop(d.id, d.lanes, d.distance_m) for d in junction.detectors)
    return Street(junction.id, approaches, loops, profile_ratio=(1.0,) * 24, seed=seed)


def ntcip_options(actuation: Actuation, **more: Any) -> NtcipOptions:
    detectors = {f"p{p}": (f"detector {p}",) for p in range(1, 9)} if actuation is Actuation.CALLS else {}
    given = {"host": "127.0.0.1", "community_secret_file": "none", "phases": PHASES, "patterns": (47, 48), "splits": (15, 16), "poll_ms": 100}
    return NtcipOptions(**{**given, "actuation": actuation, "detectors": detectors, **more})


class Controlled:
    """Our loop before the virtual controller, behind it a street; ``unsafe`` counts what an independent checker blames."""

    def __init__(
        self,
        control: str,
        actuation: Actuation,
        *,
        setup: ControllerSetup | None = None,
        junction: Junction | None = None,
        transport: Callable[[VirtualController], Transport] = InProcess,
        seed: int = 1,
        own_loops: bool = False,
        **more: Any,
    ) -> None:
        self.now_ms = 0
        self.setup = setup or dual_ring(backup_s=10)
        self.controller = VirtualController(self.setup, warm=True)
        self.junction = junction or controlled_junction(self.setup)
        self.street = VirtualJunction(street_of(self.junction, seed=seed))
        self.checker = Checker(site(self.setup))
        self.driver = NtcipDriver(self.junction.site_spec(), ntcip_options(actuation, **more), lambda: self.now_ms, transport(self.controller), threaded=False)
        self.heads: ControllerHeads
        self.heads, factory = follow(self.junction, self.driver, 0)
        self._own_loops = own_loops
        self.control: JunctionControl = assemble(self.junction, control, self, self.heads, None, start_ms=0, sequencer=factory)
        self.greens: list[tuple[int, frozenset[str]]] = []
        self.alarms: list[str] = []

    def poll(self, now_ms: int) -> Sequence[InputEvent]:
        """Return the loops' edges; those at the stop lines are the controller's own as well, if it has any."""
        events = self.street.poll(now_ms)
        for event in events if self._own_loops else ():
            lane, place = event.source.split("/")
            if place == "1":
                self.controller.detect(int(lane[1:]), bool(event.value))
        return events

    def lamps(self) -> Mapping[str, Aspect]:
        return self.controller.lamps()

    def run(self, duration_s: float, *, blind: bool = False) -> None:
        """Let time pass; ``blind``: our loop does nothing meanwhile."""
        for _ in range(round(duration_s * 10)):
            self.now_ms += 100
            self.controller.advance(self.now_ms)
            lamps = self.lamps()
            self.checker.look(self.now_ms, [lamps[g.id] for g in self.junction.groups])
            self.street.light(lamps)
            if blind:
                self.poll(self.now_ms)
            green = frozenset(g for g, a in lamps.items() if a is Aspect.GREEN and g[0] == "p")
            if green and (not self.greens or self.greens[-1][1] != green):
                self.greens.append((self.now_ms, green))
            if not blind:
                self.control.tick(self.now_ms)
                self.alarms += [a.text for a in self.driver.alarms() if a.text not in self.alarms]
