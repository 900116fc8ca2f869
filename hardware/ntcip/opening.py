"""Open an NTCIP driver over SNMP, as the registry does; importing this needs the extra ``ntcip``, the driver itself does not."""

from __future__ import annotations

from collections.abc import Callable

from hardware.ntcip.access import Community, User, split_host
from hardware.ntcip.driver import NtcipDriver
from hardware.ntcip.objects import ObjectTable
from hardware.ntcip.options import NtcipOptions
from hardware.ntcip.snmp import SnmpTransport
from hardware.ports import PortError
from hardware.secret_files import read_secret
from hardware.signals import SiteSpec


def open_driver(spec: SiteSpec, options: NtcipOptions, now: Callable[[], int]) -> NtcipDriver:
    """Return a driver over SNMP. Raises `PortError` where the secret, an address or the map is wrong; a controller that is not there yet may come."""
    table, quirks = ObjectTable(options.objects), options.quirks()
    bare = frozenset(table.oid(name) for name in quirks.bare_scalars)
    access = access_of(options)
    transport = SnmpTransport(split_host(options.host)[0], access, quirks, timeout_ms=options.timeout_ms, retries=options.retries, bare=bare)
    return NtcipDriver(spec, options, now, transport)


def access_of(options: NtcipOptions) -> Community | User:
    """Return who we are to the controller, with the secrets read from their files. Raises `PortError`, which never holds one."""
    if options.quirks().version != "3":
        return Community(_secret(options, "community_secret_file"))
    return User(options.user, options.auth_protocol, _secret(options, "auth_secret_file"), _secret(options, "priv_secret_file"))


def _secret(options: NtcipOptions, name: str) -> str:
    file: str = getattr(options, name)
    secret = read_secret(file)
    if fault := options.secret_fault(name, secret):
        raise PortError(f"{file}: {fault}")
    return secret
