"""Put a cabinet's guard together from its site file: drivers, the last gate, journal, optimizer, learned state, the operator's doors."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

from controller.build import SequencerFactory
from controller.cabinet.channel import Channel, ChildChannel, SocketChannel
from controller.cabinet.controller_heads import AlarmTeller, follow
from controller.cabinet.day_journal import DayJournal
from controller.cabinet.guard import Guard
from controller.cabinet.guard_ports import Signals
from controller.cabinet.optimizer_link import OptimizerLink
from controller.cabinet.service import Service
from controller.cabinet.shadow import Comparison, ShadowController, ShadowHeads
from controller.cabinet.site import Site
from controller.cabinet.site_addresses import demand_addresses
from controller.cabinet.state_file import StateKeeper, hash_of
from controller.clock import Clock
from controller.journal_schema import junction_text
from controller.sequencer import Sequencer
from controller.supervisor import Mode
from hardware.many_inputs import ManyInputs, Source
from hardware.ports import Observation
from hardware.registry import SIGNALS, driver_of, open_inputs, open_site

OPTIMIZER_SOCKET: Final = Path("/run/umlauf-optimizer.sock")


def open_cabinet(site: Site, clock: Clock, *, shadow: bool = False) -> tuple[Guard, Callable[[], None]]:
    """Return the guard of a site, and what closes its ports once it has ended.

    Raises `ConfigError` and `PortError` where the site cannot be driven as it is written; a device that is not there yet may come.
    """
    demand_addresses(site.path, site.drivers())
    driver: Any = driver_of(SIGNALS, site.signals.driver).load_factory()(site.junction.site_spec(), site.signals.options, clock.now_ms)
    journal = DayJournal(site.journal_folder, site.id, clock.utc, {"site": site.id, "shadow": shadow}, keep_days=site.retention_days)
    signals, sequencer, refuge, seen = _signals(site, driver, clock, journal, shadow=shadow)
    sources = _sources(site, driver, clock)
    inputs = ManyInputs(sources)
    text = junction_text(site.junction)
    link = OptimizerLink(site.junction, optimizer_channel, text) if site.mode in (Mode.ADAPTIVE, Mode.CYCLE) else None
    guard = Guard(
        site.junction,
        site.mode,
        inputs,
        signals,
        clock=clock,
        optimizer=link,
        journal=journal,
        refuge=refuge,
        sequencer=sequencer,
        line_of={loop: f"{source.name} {number}" for number, source in enumerate(sources, 1) for loop in source.detectors},
        limits=site.detector_limits,
        shadow=shadow,
        site=site.id,
    )
    guard.service = service = Service(site, guard, clock)
    keeper = StateKeeper(site.state_folder / "learned.json", guard, hash_of(text))
    guard.after_tick.append(keeper)
    guard.at_end.append(keeper.close)
    guard.after_tick.append(InputTeller(inputs, guard.tell))
    if hasattr(driver, "alarms"):
        guard.after_tick.append(AlarmTeller(driver, guard.tell, service.note_suspicion))
    if shadow:
        comparison = Comparison(guard, seen)
        guard.after_tick.append(comparison)
        guard.at_end.append(comparison.tell)

    def close() -> None:
        inputs.close()
        with suppress(AttributeError):
            driver.close()

    return guard, close


class InputTeller:
    """Tells, after each tick, which inputs were lost and came back."""

    def __init__(self, inputs: ManyInputs, tell: Callable[[str, str], str]) -> None:
        self._inputs, self._tell = inputs, tell

    def __call__(self, now_ms: int) -> None:
        """Tell what is new."""
        del now_ms
        while self._inputs.news:
            self._tell("inputs", self._inputs.news.pop(0))


def optimizer_channel() -> Channel:
    """Return a way to a new optimizer: by systemd's socket where there is one, else a child. Raises `OSError` where neither works."""
    return SocketChannel(OPTIMIZER_SOCKET) if OPTIMIZER_SOCKET.exists() else ChildChannel()


def _signals(
    site: Site, driver: Any, clock: Clock, journal: DayJournal, *, shadow: bool
) -> tuple[Signals, SequencerFactory, Mode, Callable[[int], Observation]]:
    """Return the signals behind the last gate, what follows the plans, where to flee to, and what is really shown."""
    now_ms, seen = clock.now_ms(), driver.observe
    if hasattr(driver, "show"):
        heads = ShadowHeads(driver) if shadow else driver
        return open_site(site.junction.site_spec(), heads, now_ms=now_ms), Sequencer, Mode.FLASH, seen
    controller, followers = follow(site.junction, ShadowController(driver) if shadow else driver, now_ms, journal)
    return controller, followers, Mode.RELEASE, seen


def _sources(site: Site, driver: Any, clock: Clock) -> list[Source]:
    """Return the site's inputs, and what the controller tells of itself."""
    found = []
    for choice in site.inputs:
        named: tuple[str, ...] = getattr(choice.options, "sources", tuple)()
        mine = tuple(name for name in site.junction.sources() if name in named)
        found.append(Source(f"inputs {choice.driver}", partial(open_inputs, choice.driver, choice.options, clock.now_ms), mine))
    if hasattr(driver, "poll"):
        found.append(Source(f"signals {site.signals.driver}", lambda: driver, ()))
    return found
