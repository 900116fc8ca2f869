"""Open an NTCIP driver over SNMP, as the registry does; importing this needs the extra ``ntcip``, the driver itself does not."""

from __future__ import annotations

from collections.abc import Callable

from hardware.ntcip.driver import NtcipDriver
from hardware.ntcip.objects import ObjectTable
from hardware.ntcip.options import NtcipOptions
from hardware.ntcip.snmp import SnmpTransport
from hardware.secret_files import read_secret
from hardware.signals import SiteSpec


def open_driver(spec: SiteSpec, options: NtcipOptions, now: Callable[[], int]) -> NtcipDriver:
    """Return a driver over SNMP. Raises `PortError` where the secret, an address or the map is wrong; a controller that is not there yet may come."""
    table, quirks = ObjectTable(options.objects), options.quirks()
    bare = frozenset(table.oid(name) for name in quirks.bare_scalars)
    community = read_secret(options.community_secret_file)
    transport = SnmpTransport(options.host, community, quirks, timeout_ms=options.timeout_ms, retries=options.retries, bare=bare)
    return NtcipDriver(spec, options, now, transport)
