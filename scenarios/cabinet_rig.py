"""The demo cabinet's devices on one bench: street, controller or heads, loop cards on a bus, and the checker that looks at the lamps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from controller.junction import Junction, Purpose
from hardware.loops.modbus import ModbusOptions, ModbusUnit
from hardware.ntcip.options import NtcipOptions
from hardware.ports import Actuation
from hardware.virtual.controller import VirtualController
from hardware.virtual.heads import VirtualHeads
from hardware.virtual.junction import VirtualJunction
from hardware.virtual.loop_cards import Card, DigitalCard, Ld120Card, ModbusSlave
from hardware.virtual.world import LoopCard, VirtualWorld
from scenarios.cabinet_street import controller_detectors, demo_junction, demo_setup, demo_street, lamp_spec

CHANNELS: Final = 8  # of an input module
MANY_CHANNELS: Final = 16  # of those in accelerated worlds, where a bus of single loops would cost half of all time
FIRST_MODULE: Final = 21  # its unit number; the LD120s of the stop lines begin at 1
BACKUP_S: Final = 10
FIRST_VIRTUAL: Final = 8  # detectors from the next on have no loop: they are there to be called by the system
RESERVED_PATTERNS: Final = (47, 48)
RESERVED_SPLITS: Final = (19, 20)
HOLD_DOWN_S: Final = 10  # of the driver, after a controller that did not let itself be driven
BUS_BAUD: Final = 115_200


@dataclass(frozen=True)
class Bus:
    """One Modbus line: what the driver is told of it, the cards on it, and where each loop hangs."""

    units: tuple[ModbusUnit, ...]
    slave: ModbusSlave
    places: Mapping[str, tuple[LoopCard, int]]

    def options(self, port: str) -> ModbusOptions:
        """Return the driver's options for this bus at a port."""
        return ModbusOptions(port=port, baud=BUS_BAUD, units=self.units)


@dataclass(frozen=True)
class Rig:
    """All devices. Exactly one of ``controller`` (which owns its lamps) and ``heads`` (which are ours) is there."""

    junction: Junction
    world: VirtualWorld
    bus: Bus
    controller: VirtualController | None
    heads: VirtualHeads | None

    def loops(self) -> Sequence[str]:
        """Return the loops of the approaches."""
        return [d.id for d in self.junction.detectors if d.purpose is not Purpose.EXIT]


def build_rig(
    *, seed: int, start_h: float = 7.0, load_ratio: float = 1.0, own_heads: bool = False, start_ms: int = 0, backup_s: int = BACKUP_S, singles: bool = True
) -> Rig:
    """Return the devices; the controller has long been running its own plan. ``singles``: a card of its own for every stop loop."""
    junction = demo_junction()
    setup = demo_setup(junction, backup_s=backup_s)
    street = VirtualJunction(demo_street(junction, seed=seed, start_h=start_h, load_ratio=load_ratio), start_ms=start_ms)
    bus = loop_bus(junction, singles=singles)
    if own_heads:
        heads = VirtualHeads(junction.site_spec())
        world = VirtualWorld(street, junction.site_spec(), start_ms=start_ms, lamps=heads.lamps, cards=bus.places)
        return Rig(junction, world, bus, None, heads)
    controller = VirtualController(setup, now_ms=start_ms, warm=True)
    spec = lamp_spec(junction, setup)
    world = VirtualWorld(street, spec, start_ms=start_ms, controller=controller, cards=bus.places, detectors=controller_detectors(junction))
    return Rig(junction, world, bus, controller, None)


def loop_bus(junction: Junction, *, singles: bool = True) -> Bus:
    """Return the bus: with ``singles`` an LD120 for every stop loop, and modules with counters for all others; else modules without."""
    stops = [d.id for d in junction.detectors if d.purpose is Purpose.STOP and singles]
    others = [d.id for d in junction.detectors if d.id not in stops]
    channels = CHANNELS if singles else MANY_CHANNELS
    units, cards, places = [], dict[int, Card](), dict[str, tuple[LoopCard, int]]()
    for number, loop in enumerate(stops, start=1):
        single = Ld120Card()
        cards[number], places[loop] = single, (single, 1)
        units.append(ModbusUnit(unit=number, detectors={1: loop}))
    for number, first in enumerate(range(0, len(others), channels), start=FIRST_MODULE):
        names = dict(enumerate(others[first : first + channels], start=1))
        module = DigitalCard(channels)
        cards[number] = module
        places |= {loop: (module, channel) for channel, loop in names.items()}
        units.append(ModbusUnit(unit=number, detectors=names, profile="digital", counters=_counters(names) if singles else {}))
    return Bus(tuple(units), ModbusSlave(cards), places)


def _counters(channels: Iterable[int]) -> dict[int, int]:
    """Return where a module has each channel's counter: two registers each. Without singles none is read: no vehicle is missed at 10 Hz."""
    return {channel: 2 * (channel - 1) for channel in channels}


def called_detectors(junction: Junction, actuation: Actuation) -> dict[str, tuple[str, ...]]:
    """Return by signal group the virtual detectors that call it; none but in the actuation that needs them."""
    return {g.id: (f"detector {FIRST_VIRTUAL + g.links[0]}",) for g in junction.groups} if actuation is Actuation.CALLS else {}


def ntcip_options(junction: Junction, actuation: Actuation) -> NtcipOptions:
    """Return the driver's options for the rig's controller without a wire; each group's link is its phase."""
    return NtcipOptions(
        host="in-memory",
        community_secret_file="none",
        phases={g.id: f"phase {g.links[0]}" for g in junction.groups},
        detectors=called_detectors(junction, actuation),
        actuation=actuation,
        patterns=RESERVED_PATTERNS,
        splits=RESERVED_SPLITS,
        hold_down_s=HOLD_DOWN_S,
    )
