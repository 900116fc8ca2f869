"""Exits too short for a loop of their own: where they lead to a stop line, the loops of that approach tell whether they are full."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from controller.estimate import NEAR_M
from controller.junction import Detector, Junction, Purpose
from scenarios.approaches import continuation
from scenarios.net import Net


def with_relays(net: Net, junctions: Sequence[Junction]) -> tuple[Junction, ...]:
    """Return the junctions, each with an exit detector more for every exit without one that ends at a light's loops nearby."""
    loops = [(j.id, d) for j in junctions for d in j.detectors if d.purpose is not Purpose.EXIT and d.place is not None]
    found: list[Junction] = []
    for junction in junctions:
        covered = {lane for d in junction.detectors if d.purpose is Purpose.EXIT for lane in d.lanes}
        more = [r for e in junction.exits if e.id not in covered if (r := _relay(net, junction.id, e.id, loops)) is not None]
        found.append(replace(junction, detectors=(*junction.detectors, *more)) if more else junction)
    return tuple(found)


def _relay(net: Net, light: str, lane: str, loops: Sequence[tuple[str, Detector]]) -> Detector | None:
    """Return the loop nearest behind the junction as an exit detector of the light, None where none lies near enough."""
    begin_m, nearest = 0.0, None
    for part in continuation(net, lane):
        here = [(begin_m + d.place[1] + d.length_m, owner, d) for owner, d in loops if d.place is not None and d.place[0] == part]
        nearest = min(here, key=lambda x: x[0], default=None)
        if nearest is not None:
            break
        begin_m += net.lanes[part].length_m
    if nearest is None or nearest[0] > NEAR_M:
        return None
    distance_m, owner, d = nearest
    return Detector(f"{light}/{lane}/exit", Purpose.EXIT, (lane,), round(distance_m, 2), d.length_m, d.place, relayed_by="" if owner == light else owner)
