"""What a site file says of an NTCIP controller: plain values, checked as a whole when they are made."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from hardware.ntcip.access import AUTH_PROTOCOLS, KNOWN_COMMUNITIES, LEAST_PASSPHRASE, MOST_USER, is_this_machine, split_host
from hardware.ntcip.objects import BYTE_MOST, ObjectTable
from hardware.ntcip.phase_map import SIGNALS, parse_place
from hardware.ntcip.quirks import PROFILES, Quirks
from hardware.ports import Actuation

PATTERN_MOST: Final = 253  # 254 is free, 255 flash


@dataclass(frozen=True, slots=True)
class NtcipOptions:
    """How to reach the controller, what its phases are to the site, and how it is driven. Raises `ValueError` for values that make no sense.

    ``host``: an address, or a name; an IPv6 address with a port as "[fd00::7]:161". With version 1 or 2c we are known by
    ``community_secret_file``, with version 3 by ``user`` and its two secrets; each is a file of one line and mode 0600.
    ``phases``: by signal group "phase 2", "ped 2" or "overlap 1". ``detectors`` (actuation ``calls`` only): by signal group the virtual
    detectors that call it, "detector 33" or "ped detector 2". ``patterns`` and ``splits`` (actuation ``splits`` only): two numbers each
    that nobody else uses; they are overwritten. ``objects``: by object name where it stands on this controller. 0 and empty texts
    stand for the profile's own values. ``step_s``: by how much a split may change from one pattern to the next.
    """

    host: str
    phases: dict[str, str]
    community_secret_file: str = ""
    user: str = ""
    auth_protocol: str = "SHA-256"
    auth_secret_file: str = ""
    priv_secret_file: str = ""
    actuation: Actuation = Actuation.SPLITS
    profile: str = "standard"
    port: int = 0
    version: str = ""
    objects_per_request: int = 0
    bare_scalars: tuple[str, ...] = ()
    objects: dict[str, str] = field(default_factory=dict)
    timeout_ms: int = 500
    retries: int = 1
    poll_ms: int = 300
    status_age_ms: int = 2_000
    hold_down_s: int = 60
    patterns: tuple[int, ...] = ()
    splits: tuple[int, ...] = ()
    coordinated: tuple[int, ...] = (2, 6)
    offset_s: int = 0
    sequence: int = 1
    step_s: int = 5
    detectors: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        faults = [*self._faults_of_numbers(), *self._faults_of_names(), *self._faults_of_access()]
        if faults:
            raise ValueError("; ".join(faults))

    def groups(self) -> tuple[str, ...]:
        """Return the signal groups that are named."""
        return tuple(dict.fromkeys((*self.phases, *self.detectors)))

    def quirks(self) -> Quirks:
        """Return the profile with this controller's own values."""
        quirks = PROFILES[self.profile]
        return replace(
            quirks,
            version=self.version or quirks.version,
            port=self.port or split_host(self.host)[1] or quirks.port,
            objects_per_request=self.objects_per_request or quirks.objects_per_request,
            bare_scalars=self.bare_scalars or quirks.bare_scalars,
        )

    def secret_fault(self, name: str, secret: str) -> str:
        """Return what is wrong with the secret of an option, without it; empty where nothing is."""
        if name != "community_secret_file" and len(secret) < LEAST_PASSPHRASE:
            return f"expected a passphrase of {LEAST_PASSPHRASE} characters or more (RFC 3414), found {len(secret)}. Choose a longer one, there and here."
        return ""

    def secret_warning(self, name: str, secret: str) -> str:
        """Return what should be known of the secret of an option; empty where there is nothing."""
        if name == "community_secret_file" and secret.lower() in KNOWN_COMMUNITIES and not is_this_machine(split_host(self.host)[0]):
            return 'it holds a community that everybody tries first: whoever reaches the controller may drive it. Choose another, or SNMPv3 (profile = "v3").'
        return ""

    def _faults_of_numbers(self) -> list[str]:
        bounds = {
            "port": (self.port, 0, 65_535),
            "objects_per_request": (self.objects_per_request, 0, 128),
            "timeout_ms": (self.timeout_ms, 50, 10_000),
            "retries": (self.retries, 0, 10),
            "poll_ms": (self.poll_ms, 100, 10_000),
            "status_age_ms": (self.status_age_ms, 2 * self.poll_ms, 60_000),
            "hold_down_s": (self.hold_down_s, 1, 3_600),
            "offset_s": (self.offset_s, 0, BYTE_MOST - 1),
            "sequence": (self.sequence, 1, BYTE_MOST),
            "step_s": (self.step_s, 1, 60),
        }
        faults = [f"{name}: expected {low} to {high}, found {value}" for name, (value, low, high) in bounds.items() if not low <= value <= high]
        for name, pair, most in (("patterns", self.patterns, PATTERN_MOST), ("splits", self.splits, BYTE_MOST)):
            if self.actuation is not Actuation.SPLITS and not pair:
                continue
            if len(set(pair)) != 2 or len(pair) != 2 or not all(1 <= n <= most for n in pair):
                faults.append(f"{name}: expected two different numbers of 1 to {most} that nobody else uses, found {list(pair)}")
        return faults

    def _faults_of_names(self) -> list[str]:
        faults = [f"{name}: expected a value, found none" for name in ("host", "phases") if not getattr(self, name)]
        if self.profile not in PROFILES:
            faults.append(f"profile: expected one of {', '.join(PROFILES)}, found {self.profile!r}")
        if self.version not in ("", "1", "2c", "3"):
            faults.append(f"version: expected 1, 2c or 3, found {self.version!r}")
        if self.actuation is Actuation.CALLS and not self.detectors:
            faults.append("detectors: expected virtual detectors for actuation calls, found none")
        try:
            for group, place in self.phases.items():
                if parse_place(place).kind not in SIGNALS:
                    faults.append(f"phases: {group}: expected a phase, ped or overlap, found {place}")
            for group, many in self.detectors.items():
                faults += [f"detectors: {group}: expected a detector or ped detector, found {d}" for d in many if parse_place(d).kind in SIGNALS]
            table = ObjectTable(self.objects)
            for name in self.bare_scalars:
                table.oid(name)
        except OSError as error:
            faults.append(str(error))
        return faults

    def _faults_of_access(self) -> list[str]:
        """Return what is wrong with the address and with who we are; what a version has no use for was meant for another."""
        faults = []
        try:
            if self.host and split_host(self.host)[1] and self.port:
                faults.append(f"port: expected none beside the one in host, found {self.port}")
        except ValueError as error:
            faults.append(str(error))
        if not self.user.isascii() or len(self.user) > MOST_USER:
            faults.append(f"user: expected at most {MOST_USER} ASCII letters, found {self.user!r}")
        if self.auth_protocol not in AUTH_PROTOCOLS:
            faults.append(f"auth_protocol: expected one of {', '.join(AUTH_PROTOCOLS)}, found {self.auth_protocol!r}")
        if self.profile not in PROFILES:
            return faults
        version = self.version or PROFILES[self.profile].version
        of_v3 = ("user", "auth_secret_file", "priv_secret_file")
        needed, others = (of_v3, ("community_secret_file",)) if version == "3" else (("community_secret_file",), of_v3)
        faults += [f"{name}: expected a value with SNMP version {version}, found none" for name in needed if not getattr(self, name)]
        faults += [f"{name}: expected none with SNMP version {version}, found {getattr(self, name)!r}" for name in others if getattr(self, name)]
        return faults
