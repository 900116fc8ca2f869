"""Two nodes of one controller: its two rings without a barrier between them, each the whole of a small crossing of four ways."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from support_controlled import Controlled, controlled_junction
from support_virtual import dual_ring

from controller.junction import Junction, Node, Programme, ProgrammeStep, Stage
from hardware.ports import Actuation
from hardware.virtual.setup import ControllerSetup, Head

NODES = {"west": (1, 2, 3, 4), "east": (5, 6, 7, 8)}
PHASES = {f"p{p}": f"phase {p}" for p in range(1, 9)}


def two_rings(**more: object) -> ControllerSetup:
    """Return the dual ring with all phases of one ring concurrent with all of the other, and without pedestrians."""
    one = dual_ring(backup_s=10, **more)
    phases = tuple(replace(p, side=0, walk_s=0, ped_clear_s=0) for p in one.phases)
    return replace(one, phases=phases, heads={f"p{p.phase}": Head(p.phase) for p in phases}, preempts={})


def two_nodes(setup: ControllerSetup) -> Junction:
    """Return the junction of both nodes; the greens of their programmes differ, so that they do not keep step by chance."""
    return replace(controlled_junction(setup, {f"p{p}": (f"p{p}",) for p in range(1, 9)}), nodes=tuple(_node(name, phases) for name, phases in NODES.items()))


def _node(name: str, phases: tuple[int, ...]) -> Node:
    stages = tuple(Stage(f"s{p}", (f"p{p}",)) for p in phases)
    greens_ms = (10_000, 20_000) if name == "west" else (12_000, 23_000)
    steps = tuple(ProgrammeStep(s.id, greens_ms[k % 2]) for k, s in enumerate(stages))
    return Node(name, tuple(f"p{p}" for p in phases), stages, programmes=(Programme("day", steps),))


def controlled(control: str, actuation: Actuation, **more: Any) -> Controlled:
    """Return our loop before that controller."""
    setup = two_rings()
    return Controlled(control, actuation, setup=setup, junction=two_nodes(setup), phases=PHASES, own_loops=True, **more)
