"""The plain junction of `support_control` with a pedestrians' crossing."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import support_control as support

from controller.junction import Group, Intergreen, Junction
from hardware.signals import GroupKind

BASE: Final = support.junction()
WALK: Final = Group("W", GroupKind.PEDESTRIAN, min_green_ms=5_000, amber_ms=0)


def with_a_walk_beside_the_side_street() -> Junction:
    (node,) = BASE.nodes
    stages = tuple(replace(s, green=(*s.green, "W")) if s.id == "EW" else s for s in node.stages)
    gaps = tuple(Intergreen(a, b, 5_000) for x in ("NS", "NSL") for a, b in (("W", x), (x, "W")))
    node = replace(node, groups=(*node.groups, "W"), stages=stages)
    return replace(BASE, groups=(*BASE.groups, replace(WALK, links=(len(BASE.groups),))), intergreens=(*BASE.intergreens, *gaps), nodes=(node,))
