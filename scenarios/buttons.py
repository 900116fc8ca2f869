"""Push buttons of an imported light: one at each crossing that has a signal group."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from controller.junction import Button
from hardware.signals import GroupKind
from scenarios.net import Connection, Net
from scenarios.programme import LinkGroup


def place_buttons(net: Net, light: str, groups: Iterable[LinkGroup], links: Mapping[int, Sequence[Connection]]) -> tuple[Button, ...]:
    """Return the buttons of the groups that walk, each with SUMO's crossing and the walking areas at its ends."""
    found: dict[str, Button] = {}
    for group in groups:
        for connection in (c for link in group.links for c in links[link]) if group.kind is GroupKind.PEDESTRIAN else ():
            if net.function(connection.to_lane) != "crossing":
                continue
            crossing = net.lanes[connection.to_lane].edge
            ends = [net.lanes[connection.from_lane].edge, *(net.lanes[c.to_lane].edge for c in net.outgoing.get(connection.to_lane, ()))]
            areas = [edge for edge in dict.fromkeys(ends) if net.edges[edge].function == "walkingarea"]
            name = f"{light}/{crossing}/button"
            before = found.get(name)
            asked = dict.fromkeys([*(before.groups if before else ()), group.id])
            found[name] = Button(name, tuple(asked), (crossing, *areas))
    return tuple(found.values())
