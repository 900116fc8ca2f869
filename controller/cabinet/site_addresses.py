"""Addresses that nobody has filled in yet: a request to one would go out into the network, and never to a device of ours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from controller.cabinet.site_drivers import DriverChoice
from controller.config_file import faults_error

# Kept for documentation: RFC 5737, RFC 3849, RFC 9637. `umlauf site new` and our examples write such.
DOCUMENTATION: Final = tuple(map(ip_network, ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20")))


def unfilled(where: str, choice: DriverChoice) -> Iterator[str]:
    """Yield a fault for each address of a driver's options that is a placeholder; ``where`` is the driver's place in the site file."""
    for name in ("host", "port"):
        value = getattr(choice.options, name, None)
        host = _host(value)
        if is_placeholder(host):
            yield f"{where}.options.{name}: address not filled in yet: expected the device's own, found {value}, which is kept for documentation. Write it in."


def demand_addresses(path: Path, places: Iterable[tuple[str, DriverChoice]]) -> None:
    """Raise `ConfigError` where an address among drivers of the site file ``path``, each with its place there, is a placeholder."""
    if faults := [fault for where, choice in places for fault in unfilled(where, choice)]:
        raise faults_error(str(path), faults)


def is_placeholder(host: str) -> bool:
    """Tell whether a host is a numeric address out of the ranges for documentation."""
    with suppress(ValueError):
        address = ip_address(host)
        return any(address in network for network in DOCUMENTATION)
    return False


def _host(value: Any) -> str:
    """Return the host of an address, with a port or not, or of a URL such as socket://10.0.0.7:4001; empty for a line's device or a number."""
    if not isinstance(value, str):
        return ""
    with suppress(ValueError):
        return str(ip_address(value))
    with suppress(ValueError):
        return urlsplit(value if "://" in value else f"//{value}").hostname or ""
    return ""
