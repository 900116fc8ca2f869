"""Two corners in a row: the south exit of the first leads to the north lane of the second, 250 m on. Traffic drives through at free speed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from support_junction_day import SECONDS, SPEED_M_S, START_MS, junction, traffic

from controller.assemble import assemble
from controller.journal import Journal
from controller.junction import Junction, Onward
from controller.loop import JunctionControl
from controller.neighbours import NeighbourPort
from hardware.fake import FakeHeads, FakeInputs
from hardware.ports import InputEvent
from scenarios.neighbour_link import PostOffice

WAY_M = 250.0


def pair() -> tuple[Junction, Junction]:
    """Return the first and the second corner."""
    one = junction()
    exits = tuple(replace(x, onward=(Onward("second", ("n",), WAY_M),)) if x.id == "south" else x for x in one.exits)
    return replace(one, id="first", exits=exits), replace(one, id="second")


def apart() -> tuple[Junction, Junction]:
    """Return the two corners that know nothing of each other."""
    one = junction()
    return replace(one, id="first"), replace(one, id="second")


def through() -> dict[str, list[InputEvent]]:
    """Return each corner's edges; who passes the first's stop line comes to the second's loops."""
    return {"first": traffic(), "second": traffic()}


def control_of(one: Junction, port: NeighbourPort | None, journal: Journal | None = None, control: str = "adaptive") -> JunctionControl:
    """Return the control of a corner over its traffic."""
    inputs, heads = FakeInputs(through()[one.id]), FakeHeads(one.site_spec())
    return assemble(one, control, inputs, heads, journal, start_ms=START_MS, neighbours=port)


def record_pair(folder: Path, corners: tuple[Junction, Junction], office: PostOffice, seconds: int = SECONDS) -> tuple[JunctionControl, JunctionControl]:
    """Run both corners over the traffic into one journal in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    with Journal.create(folder / "journal.sqlite", {}) as journal:
        first, second = (control_of(one, office.port(one.id), journal) for one in corners)
        for second_ms in range(START_MS, START_MS + 1_000 * seconds, 1_000):
            first.tick(second_ms)
            second.tick(second_ms)
    return first, second


__all__ = ["SPEED_M_S", "START_MS", "WAY_M", "apart", "control_of", "pair", "record_pair"]
