"""What can be checked of a site without its street: what its drivers name against the junction, files and folders of this machine."""

from __future__ import annotations

import grp
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from controller.cabinet.site import Site
from controller.cabinet.site_addresses import unfilled
from controller.cabinet.site_drivers import named, secret_files
from controller.config_file import faults_error
from controller.errors import UmlaufError
from controller.supervisor import Mode
from hardware.ports import Actuation
from hardware.secret_files import read_secret

MOST_SOCKET_BYTES: Final = 107  # of a UNIX socket's path (unix(7))
SHARES_A_CYCLE: Final = (Mode.CYCLE, Mode.FIXED)
NEEDS_LOOPS: Final = (Mode.ADAPTIVE, Mode.CYCLE, Mode.ACTUATED)


@dataclass(frozen=True, slots=True)
class Findings:
    """What is wrong, by what follows from it; warnings may be meant but should be known."""

    of_site: list[str] = field(default_factory=list)  # the site file itself is wrong: it is not run
    of_secrets: list[str] = field(default_factory=list)  # without them the signals cannot be driven: it is run once they are mended
    of_machine: list[str] = field(default_factory=list)  # folders and doors: control does not depend on them
    warnings: list[str] = field(default_factory=list)

    @property
    def faults(self) -> list[str]:
        """Return all that is to be mended."""
        return [*self.of_site, *self.of_secrets, *self.of_machine]


class UnreadyError(UmlaufError, OSError):
    """A site cannot be run until something beside its file is mended."""


def examine(site: Site) -> Findings:
    """Return all that is wrong with a site that `read_site` could read. The street itself is for: umlauf bringup."""
    found = Findings(warnings=site.junction.warnings())
    _detectors(site, found)
    _groups(site, found)
    _actuation(site, found)
    _devices(site, found)
    found.of_site.extend(fault for where, one in site.drivers() for fault in unfilled(where, one))
    _secrets(site, found)
    found.of_machine.extend(_folders(site))
    _operator(site, found)
    _doors(site, found)
    return found


def demand_runnable(site: Site) -> Sequence[str]:
    """Return what should be known of a site that is going to be run: faults of its machine, which do not keep it from being controlled, and warnings.

    Raises `ConfigError` where its file is wrong, `UnreadyError` where only a secret is; both tell all faults.
    """
    found = examine(site)
    if found.of_site:
        raise faults_error(str(site.path), found.faults)
    if found.of_secrets:
        raise UnreadyError(str(faults_error(str(site.path), found.faults)))
    return [*found.of_machine, *found.warnings]


def _detectors(site: Site, found: Findings) -> None:
    """Compare the channels with the junction's loops: each needs one, two would count its vehicles twice."""
    told = [(where, one.driver, named(one, "sources")) for where, one in site.drivers()]
    count = Counter(name for _, _, sources in told for name in sources or ())
    where_of = {name: where for where, _, sources in told for name in sources or ()}
    silent = [f"{where} ({driver})" for where, driver, sources in told if sources is None and where != "signals"]
    relayed = {d.id for d in site.junction.detectors if d.relayed_by}
    known = {d.id: "detector" for d in site.junction.detectors} | {b.id: "button" for b in site.junction.buttons}
    for name, what in known.items():
        if count[name] > 1:
            found.of_site.append(f"{what} {name!r}: expected on one channel, found on {count[name]}. Drop all but one.")
        elif count[name] == 0 and name not in relayed and not silent:
            found.of_site.append(f"{what} {name!r}: expected on a channel of an input, found on none. Add it to its unit, or drop it from the junction.")
    for name in sorted(set(count) - known.keys()):
        found.warnings.append(f"{where_of[name]}: {name!r} is no detector or button of the junction; its events are recorded, no control uses them")
    if silent:
        found.warnings.append(f"{', '.join(silent)}: does not tell which detectors it feeds, so that those cannot be compared with the junction's")
    if not site.inputs and named(site.signals, "sources") is None and site.mode in NEEDS_LOOPS:
        found.warnings.append(f"inputs: none, but the mode {site.mode} lives from detectors; without any it falls back to fixed")


def _groups(site: Site, found: Findings) -> None:
    """Compare the driver's groups with the junction's: of one that it does not know, we would decide what is never shown."""
    groups = named(site.signals, "groups")
    if groups is None:
        return
    known = site.junction.group_by_id
    for name, times in Counter(groups).items():
        if name not in known:
            found.of_site.append(f"signals.options: group {name!r}: expected a group of the junction ({', '.join(known)}), found another. Correct the name.")
        elif times > 1:
            found.of_site.append(f"signals.options: group {name!r}: expected once, found {times} times. Drop all but one.")
    for name in known:
        if name not in groups:
            found.of_site.append(f"signals.options: group {name!r}: expected where the driver {site.signals.driver} finds it, found nothing. Add it.")


def _actuation(site: Site, found: Findings) -> None:
    """Tell of a mode that leaves the controller to itself: splits follow a plan that shares out a cycle, and no other."""
    if getattr(site.signals.options, "actuation", None) is Actuation.SPLITS and site.mode not in SHARES_A_CYCLE:
        found.warnings.append(
            f"mode {site.mode}: it shares out no cycle, so with actuation splits the controller runs its own plan. "
            f"Choose the mode {' or '.join(SHARES_A_CYCLE)}, or actuation {Actuation.PHASE_CONTROL} or {Actuation.CALLS}."
        )


def _devices(site: Site, found: Findings) -> None:
    ports = [(f"inputs[{i}]", str(getattr(one.options, "port", ""))) for i, one in enumerate(site.inputs)]
    for port, times in Counter(port for _, port in ports if port).items():
        if times > 1:
            found.of_site.append(f"inputs: {port}: expected one driver on a line, found {times}. Put all its units into one table, or name the other line.")
    for where, port in ports:
        if port.startswith("/dev/") and not Path(port).exists():
            found.warnings.append(f"{where}.options.port: {port} is not on this machine (now); the daemon would go on looking for it")


def _secrets(site: Site, found: Findings) -> None:
    """Read each secret, and have the driver's options judge it where they can."""
    for where, one in site.drivers():
        faults = found.of_secrets if where == "signals" else found.of_machine  # a lost input costs its own loops only
        for name, path in secret_files(one.options).items():
            place = f"{where}.options.{name}"
            try:
                secret = read_secret(path)
            except (UmlaufError, OSError) as error:
                faults.append(f"{place}: {error}")
                continue
            for judge, findings in (("secret_fault", faults), ("secret_warning", found.warnings)):
                said = getattr(one.options, judge, lambda _name, _secret: "")(name, secret)
                findings.extend([f"{place}: {said}"] if said else [])


def _folders(site: Site) -> Iterator[str]:
    for key, folder in (("journal.folder", site.journal_folder), ("state.folder", site.state_folder), ("operator.socket", site.socket.parent)):
        there = folder if folder.exists() else next((p for p in folder.parents if p.exists()), Path("/"))
        if not there.is_dir():
            yield f"{key}: expected a folder, found the file {there}. Choose another, or remove it."
        elif not os.access(there, os.W_OK | os.X_OK):
            what = "a folder where we may write" if there == folder else f"a folder, or one that can be made in {there}"
            yield f"{key}: {folder}: expected {what}, found none. Make it for the daemon's user: install -d -o USER {folder}"


def _operator(site: Site, found: Findings) -> None:
    if len(os.fsencode(site.socket)) > MOST_SOCKET_BYTES:
        found.of_site.append(
            f"operator.socket: {site.socket}: expected at most {MOST_SOCKET_BYTES} bytes, found {len(os.fsencode(site.socket))}. Choose a shorter path."
        )
    if site.socket_group:
        try:
            grp.getgrnam(site.socket_group)
        except KeyError:
            found.of_machine.append(
                f"operator.group: expected a group of this machine, found {site.socket_group!r}. Make it with: addgroup --system {site.socket_group}"
            )


def _doors(site: Site, found: Findings) -> None:
    if site.metrics is not None and find_spec("prometheus_client") is None:
        found.of_machine.append("metrics: needs the Python module 'prometheus_client', which is not installed; install it with: pip install 'umlauf[metrics]'")
    access = site.remote
    if access is None:
        return
    from controller.cabinet.remote_access import read_tokens, server_context

    if access.client_ca is None and access.tokens is None:
        found.of_site.append("remote: expected client_ca_file with roles, tokens_file, or both, found neither: nobody could prove who they are. Add one.")
    if (access.client_ca is None) != (not access.roles):
        found.of_site.append("remote: expected client_ca_file and roles together, found one of both. Add the other: a certificate without role may do nothing.")
    found.of_machine.extend(_raised("remote", lambda: server_context(access)))
    found.of_machine.extend(_raised("remote", lambda: read_tokens(access)))


def _raised(where: str, act: Callable[[], object]) -> Iterator[str]:
    try:
        act()
    except (UmlaufError, OSError) as error:
        yield f"{where}: {error}"
