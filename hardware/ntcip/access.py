"""Where a controller is and who we are to it: its address, and a community (SNMPv1, v2c) or a user of SNMPv3 whose secrets no text shows."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final

AUTH_PROTOCOLS: Final = ("SHA-224", "SHA-256", "SHA-384", "SHA-512")  # RFC 7860; MD5 and SHA-1 are not offered
LEAST_PASSPHRASE: Final = 8  # characters (RFC 3414, 11.2)
MOST_USER: Final = 32  # octets (RFC 3414, usmUserName)
KNOWN_COMMUNITIES: Final = ("public", "private", "administrator")  # what scanners try first, and what controllers are delivered with
_BRACKETED: Final = re.compile(r"\[([^\]]*)\](?::(\d{1,5}))?")
_NAMED: Final = re.compile(r"([^\s:\[\]/%]+)(?::(\d{1,5}))?")


@dataclass(frozen=True, slots=True)
class Community:
    """All that SNMPv1 and v2c know of who asks; it travels in clear text."""

    name: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class User:
    """A user of SNMPv3's user-based security model (RFC 3414), authenticated and encrypted by AES-128 (RFC 3826)."""

    name: str
    auth_protocol: str
    auth_secret: str = field(repr=False)
    priv_secret: str = field(repr=False)


def split_host(text: str) -> tuple[str, int]:
    """Return address or name, and port, 0 where none is given. Raises `ValueError`: an IPv6 address with a port stands in brackets."""
    found = _BRACKETED.fullmatch(text)
    host, port = (found[1], found[2]) if found else (text, None)
    if found or text.count(":") > 1:
        try:
            address = ip_address(host)
        except ValueError:
            address = None
        if address is None or address.version != 6 or int(port or 0) > 65_535:
            raise ValueError(f"host: expected an address such as 10.0.0.7, [fd00::7] or [fd00::7]:161, or a name, found {text!r}")
        if address.is_link_local:
            raise ValueError(f"host: expected an address that is good without an interface's name, found the link-local {text!r}; give the controller another")
        return host, int(port or 0)
    named = _NAMED.fullmatch(text)
    if named is None or int(named[2] or 0) > 65_535:
        raise ValueError(f"host: expected an address such as 10.0.0.7, [fd00::7] or [fd00::7]:161, or a name, found {text!r}")
    return named[1], int(named[2] or 0)


def place_of(host: str, port: int) -> str:
    """Return address and port as people write them."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_this_machine(host: str) -> bool:
    """Tell whether the host is a loopback address, or the name of one."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
