"""Actuated control where stages overlap: the dual ring of the demo cabinet, closed loop, on its virtual street."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from controller.assemble import assemble
from hardware.ports import InputEvent
from hardware.registry import open_site
from hardware.signals import Aspect
from hardware.virtual.heads import VirtualHeads
from hardware.virtual.junction import VirtualJunction
from scenarios.cabinet_street import demo_junction, demo_street

TICK_MS = 100


class Crossing:
    """The demo junction with heads of ours; the same flows at every hour."""

    def __init__(self, control: str, *, load_ratio: float, seed: int = 1) -> None:
        self.junction = demo_junction()
        self.street = VirtualJunction(replace(demo_street(self.junction, seed=seed, start_h=7.0, load_ratio=load_ratio), profile_ratio=(1.0,) * 24))
        self.heads = VirtualHeads(self.junction.site_spec())
        self.control = assemble(self.junction, control, self, open_site(self.junction.site_spec(), self.heads, now_ms=0), None, start_ms=0)
        self.greens: list[tuple[int, frozenset[str]]] = []
        self.inside_ms = 0

    def poll(self, now_ms: int) -> Sequence[InputEvent]:
        return self.street.poll(now_ms)

    def run(self, duration_s: int) -> Crossing:
        for now_ms in range(TICK_MS, 1000 * duration_s + 1, TICK_MS):
            self.control.tick(now_ms)
            lamps = self.heads.lamps(now_ms)
            self.street.light(lamps)
            green = frozenset(g for g, aspect in lamps.items() if aspect is Aspect.GREEN)
            if not self.greens or self.greens[-1][1] != green:
                self.greens.append((now_ms, green))
            self.inside_ms += TICK_MS * sum(self.street.inside().values())
        return self

    def mean_time_s(self) -> float:
        """Return the mean time that a vehicle has spent on the street, those who are still there included."""
        return self.inside_ms / self.street.entered / 1000.0


FREE_S = 10.8  # of each lane, at free speed


@pytest.mark.parametrize(("load_ratio", "at_most_ratio"), [(0.5, 0.65), (0.9, 1.1)])
def test_actuated_holds_its_own_against_the_fixed_programme(load_ratio: float, at_most_ratio: float) -> None:
    """Going through all eight stages one by one costs 0.8 and 2.0 times the programme's delay."""
    actuated, fixed = (Crossing(control, load_ratio=load_ratio).run(1_800).mean_time_s() - FREE_S for control in ("actuated", "programme"))
    assert actuated <= at_most_ratio * fixed


def test_rings_end_their_greens_by_themselves() -> None:
    """From one stage to another that overlaps it, the common green goes on; and every group is served."""
    one = Crossing("actuated", load_ratio=0.9).run(1_200)
    kept = [a & c for (_, a), (_, b), (_, c) in zip(one.greens, one.greens[1:], one.greens[2:], strict=False) if b and a != c and a & b & c]
    assert len(kept) > 12
    served = [g for _, greens in one.greens for g in greens]
    assert set(served) == set(one.junction.nodes[0].groups)
