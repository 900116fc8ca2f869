"""Which daemon an operator means: one socket a site in the machine's run folder, found by the site's name, its file, or because it is the only one."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Final

from controller.cabinet import site_models
from controller.errors import UmlaufError

SITES_FOLDER: Final = Path("/etc/umlauf")  # umlauf@NAME.service runs NAME.toml of it


class DaemonError(UmlaufError, OSError):
    """No daemon answers, or it refuses; the message says how to mend it."""


def socket_of(site: str) -> Path:
    """Return the socket of a site: of a site file, of a systemd instance's site file, or by the site's id. Raises `ConfigError` for a file."""
    from controller.cabinet.site import read_socket

    if "/" in site or site.endswith(".toml"):
        return read_socket(Path(site))
    named = Path(site_models.default_socket(site))
    instance = SITES_FOLDER / f"{site}.toml"
    if _is_file(instance):
        return read_socket(instance)
    running = running_sockets()
    if running and named not in running:
        raise DaemonError(f"site {site}: expected a running one, {_told(running)}. Name one of them, a site file, or a socket with --socket")
    return named


def only_socket() -> Path:
    """Return the socket of the only site that runs. Raises `DaemonError` where there are none or several."""
    running = running_sockets()
    if not running:
        raise DaemonError(
            f"{site_models.RUN_FOLDER}: expected a running daemon's socket, found none. Start one (systemctl start umlauf@SITE, or umlauf run SITE.toml), "
            "or name its site file, or its socket with --socket or UMLAUF_SOCKET"
        )
    if len(running) > 1:
        raise DaemonError(f"expected to know which site is meant, {_told(running)}. Name one, such as: umlauf status {running[0].stem}")
    return running[0]


def running_sockets() -> list[Path]:
    """Return the sockets in the run folder at which somebody listens, in order. Raises `DaemonError` where we may not look."""
    folder = Path(site_models.RUN_FOLDER)
    try:
        return sorted(path for path in folder.iterdir() if path.suffix == ".sock" and _listens(path))
    except FileNotFoundError:
        return []
    except PermissionError as error:
        raise DaemonError(
            f"{folder}: expected the right to look for daemons' sockets, found none. Join its group (ls -ld {folder}), then log in again"
        ) from error


def _told(running: list[Path]) -> str:
    return f"found {len(running)} running: {', '.join(path.stem for path in running)}"


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except PermissionError:
        return False


def _listens(path: Path) -> bool:
    """Tell whether somebody serves a socket, also one that we may not connect to or whose queue of newcomers is full."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return path.is_socket()
    return True
