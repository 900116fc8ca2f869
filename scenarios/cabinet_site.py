"""The files that the demo writes for the daemon: junction, site and the controller's secret, in one folder."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from controller.cabinet.site_check import MOST_SOCKET_BYTES
from controller.errors import ConfigError
from controller.site import write_junction
from controller.site_text import toml_value
from hardware.loops.modbus import ModbusUnit
from scenarios.cabinet_folder import JOURNAL, SOCKET, STATE
from scenarios.cabinet_rig import BUS_BAUD, HOLD_DOWN_S, RESERVED_PATTERNS, RESERVED_SPLITS, Rig, called_detectors
from scenarios.cabinet_signals import DemoSignals

SECRET: Final = "community.secret"


@dataclass(frozen=True, slots=True)
class DemoSite:
    """A folder with a site file, and what the devices must know of it."""

    folder: Path
    community: str

    @property
    def site_file(self) -> Path:
        """Return the site file."""
        return self.folder / "site.toml"

    @property
    def socket(self) -> Path:
        """Return the operator's socket."""
        return self.folder / SOCKET

    @property
    def serial_link(self) -> Path:
        """Return the name of the serial line."""
        return self.folder / "loops"

    @property
    def journals(self) -> Path:
        """Return the journal's folder."""
        return self.folder / JOURNAL


def prepare(folder: Path) -> DemoSite:
    """Make the folder's secret, which only its owner may read. Raises `ConfigError` where the folder's path is too long for its sockets'."""
    site = DemoSite(folder, secrets.token_hex(8))
    if (found := len(os.fsencode(site.socket))) > MOST_SOCKET_BYTES:
        raise ConfigError(f"{site.socket}: expected at most {MOST_SOCKET_BYTES} bytes, found {found}. Choose a folder with a shorter path.")
    descriptor = os.open(folder / SECRET, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(site.community + "\n")
    return site


def write_site(site: DemoSite, rig: Rig, snmp_port: int, signals: DemoSignals) -> None:
    """Write junction and site file for a rig's devices. Raises `ConfigError` for heads."""
    write_junction(rig.junction, site.folder / "junction.toml", comments=("The demo cabinet's junction.",))
    phases = [f"{toml_value(g.id)} = {toml_value(f'phase {g.links[0]}')}" for g in rig.junction.groups]
    called = [f"{toml_value(group)} = {toml_value(list(names))}" for group, names in called_detectors(rig.junction, signals.actuation).items()]
    lines = [
        "# Written by: umlauf demo cabinet",
        f"id = {toml_value(rig.junction.id)}",
        'junction = "junction.toml"',
        f"mode = {toml_value(str(signals.mode))}",
        "[signals]",
        'driver = "ntcip"',
        "[signals.options]",
        'host = "127.0.0.1"',
        f"port = {snmp_port}",
        'profile = "v2c"',
        f"community_secret_file = {toml_value(SECRET)}",
        f"actuation = {toml_value(str(signals.actuation))}",
        f"hold_down_s = {HOLD_DOWN_S}",
        f"patterns = {list(RESERVED_PATTERNS)}",
        f"splits = {list(RESERVED_SPLITS)}",
        "[signals.options.phases]",
        *phases,
        *(["[signals.options.detectors]", *called] if called else []),
        "[[inputs]]",
        'driver = "modbus"',
        "[inputs.options]",
        f"port = {toml_value(str(site.serial_link))}",
        f"baud = {BUS_BAUD}",
        "units = [",
        *(f"    {_unit(unit)}," for unit in rig.bus.units),
        "]",
        "[journal]",
        f"folder = {toml_value(JOURNAL)}",
        "[state]",
        f"folder = {toml_value(STATE)}",
        "[operator]",
        f"socket = {toml_value(site.socket.name)}",
        'socket_mode = "0600"',
    ]
    site.site_file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _unit(unit: ModbusUnit) -> str:
    detectors = ", ".join(f"{channel} = {toml_value(name)}" for channel, name in unit.detectors.items())
    parts = [f"unit = {unit.unit}", f"profile = {toml_value(unit.profile)}", f"detectors = {{ {detectors} }}"]
    if unit.counters:
        parts.append("counters = { " + ", ".join(f"{channel} = {address}" for channel, address in unit.counters.items()) + " }")
    return "{ " + ", ".join(parts) + " }"
