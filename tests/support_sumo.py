"""Short SUMO worlds for tests: the built crossing, a port over it, the same over libsumo and over TraCI."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from controller.junction import Junction
from hardware.sumo import SumoWorld
from hardware.sumo_heads import SumoHeads
from scenarios.catalogue import find_scenario, load_config
from scenarios.config import SumoConfig
from scenarios.importer import import_lights
from scenarios.loops import write_loops

ENGINES = ("libsumo", "traci")


@functools.cache
def cross() -> SumoConfig:
    """Return the configuration of the built crossing."""
    return load_config(find_scenario("cross"))


@functools.cache
def cross_junction() -> Junction:
    """Return its one light under ``net`` rules."""
    return import_lights(cross().net, rules="net").junctions[0]


@contextmanager
def running(engine: str, folder: Path, *options: str) -> Iterator[SumoWorld]:
    """Yield the crossing with our loops under one engine."""
    loops = folder / "loops.add.xml"
    write_loops([cross_junction()], loops)
    world = SumoWorld.start(["-c", str(cross().path), "--additional-files", str(loops), "--no-step-log", "--seed", "1", *options], engine)
    try:
        yield world
    finally:
        world.close()


def heads_of(world: SumoWorld, junction: Junction) -> SumoHeads:
    """Return the raw heads of the junction, as the runner builds them."""
    return world.heads(
        junction.id,
        junction.site_spec(),
        [group.links for group in junction.groups],
        turn_on_red=[group.turn_on_red for group in junction.groups],
        yields=[(p.yielding, p.priority) for p in junction.permissions],
    )
