"""All doors of a running cabinet behind one object that the guard polls: the operator's socket, the audit log, metrics, remote access.

A door that cannot be opened (a folder that is missing, a port in use) is told once, and tried again: control goes on without it.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from controller.cabinet.audit_log import DAEMON, AuditLog, Entry
from controller.cabinet.control_socket import ControlSocket
from controller.cabinet.desk import Desk
from controller.cabinet.operated import Operated
from controller.cabinet.site import Site
from controller.cabinet.status import OverrideStatus, Status
from controller.clock import Clock
from controller.errors import UmlaufError

if TYPE_CHECKING:
    from controller.cabinet.metrics_server import MetricsServer
    from controller.cabinet.remote_access import RemoteDoor

RETRY_MS: Final = 30_000
OF_ADDRESS: Final = {  # how to mend an address at which nobody can listen
    errno.EADDRINUSE: "stop what uses it, or name another port in listen",
    errno.EADDRNOTAVAIL: "name an address of this machine in listen",
    errno.EACCES: "name a port above 1023 in listen",
}


class Service:
    """Make it with the site before the first tick, then call `poll` in each tick and `publish` once a second. Neither blocks, neither raises."""

    def __init__(self, site: Site, guard: Operated, clock: Clock) -> None:
        self._site, self._clock = site, clock
        self.audit = AuditLog(site.state_folder, clock.utc)
        self.desk = Desk(guard, self.audit, clock, site=site.id, longest_override_ms=site.longest_override_ms, language=site.language)
        self.socket: ControlSocket | None = None
        self.metrics: MetricsServer | None = None
        self.remote: RemoteDoor | None = None
        self._overrides: dict[str, OverrideStatus] = {}  # by node, as the last status told them
        self._retry_ms: int | None = None
        self._told: dict[str, str] = {}  # by door, why it could not be opened

    def poll(self, now_ms: int) -> tuple[str, ...]:
        """Serve whoever asks, for a few milliseconds at most; return what the guard should record: doors that cannot be opened."""
        news: tuple[str, ...] = ()
        if self._retry_ms is None or now_ms >= self._retry_ms:
            self._retry_ms = now_ms + RETRY_MS
            news = tuple(self._open())
        if self.socket is not None:
            self.socket.poll(now_ms)
        return news

    def publish(self, status: Status, now_ms: int) -> None:
        """Show the newest status to whoever asks for it."""
        self._note_ends(status)
        self.desk.publish(status)
        if self.socket is not None:
            self.socket.publish()
        if self.metrics is not None:
            self.metrics.publish(status, now_ms)

    def note_suspicion(self, text: str) -> None:
        """Write down that a controller may be another than before."""
        self.audit.append(Entry(*DAEMON, "controller", result=text))

    def close(self) -> None:
        """Close all doors, and write what is pending."""
        for door in (self.remote, self.metrics, self.socket, self.audit):
            if door is not None:
                door.close()

    def _note_ends(self, status: Status) -> None:
        """Write down which overrides are over, whoever or whatever ended them."""
        found = {node.id: node.override for node in status.nodes if node.override is not None}
        for node, old in self._overrides.items():
            if node not in found:
                text = f"node {node}: {old.mode} wanted by {old.who} until {old.until} is no longer in force"
                self.audit.append(Entry(*DAEMON, "override over", why=old.reason, result=text))
        self._overrides = found

    def _open(self) -> list[str]:
        """Open what is not open; return what is new about doors that cannot be."""
        news: list[str] = []
        if self.socket is None:
            self._try("operator socket", self._open_socket, news)
        if self.socket is not None and not self.socket.entrusted:
            self._try("operator socket", self.socket.entrust, news)
        if self.metrics is None and self._site.metrics is not None:
            self._try("metrics", self._open_metrics, news, self._site.metrics)
        if self.remote is None and self._site.remote is not None and self.socket is not None:
            self._try("remote access", self._open_remote, news, (self._site.remote.host, self._site.remote.port))
        return news

    def _try(self, name: str, open_it: Callable[[], None], news: list[str], listen: tuple[str, int] = ("", 0)) -> None:
        try:
            open_it()
        except (UmlaufError, OSError) as error:
            mend = OF_ADDRESS.get(error.errno or 0) if isinstance(error, OSError) and listen[0] else None
            why = f"{listen[0]}:{listen[1]}: expected an address to listen at, found {error}; {mend}" if mend else str(error)
            if self._told.get(name) != why:
                self._told[name] = why
                news.append(f"{name}: {why}; it is tried again every {RETRY_MS // 1000} s")

    def _open_socket(self) -> None:
        self.socket = ControlSocket(self._site.socket, self.desk, group=self._site.socket_group, mode=self._site.socket_mode)

    def _open_metrics(self) -> None:
        from controller.cabinet.metrics_server import MetricsServer

        assert self._site.metrics is not None
        self.metrics = MetricsServer(*self._site.metrics, self._clock)

    def _open_remote(self) -> None:
        from controller.cabinet.remote_access import RemoteDoor

        assert self._site.remote is not None
        assert self.socket is not None
        self.remote = RemoteDoor(self._site.remote, self.socket.adopt, self._note_refused)

    def _note_refused(self, address: str, why: str) -> None:
        self.audit.append(Entry(address, "tls", "login", result=f"refused: {why}"))
