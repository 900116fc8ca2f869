"""All doors of a running cabinet behind one object that the guard polls: the operator's socket, the audit log, metrics, remote access."""

from __future__ import annotations

from controller.cabinet.operated import Operated
from controller.cabinet.site import Site
from controller.cabinet.status import Status
from controller.clock import Clock


class Service:
    """Open it with the site before the first tick, then call `poll` in each tick and `publish` once a second. Neither blocks, neither raises."""

    def __init__(self, site: Site, guard: Operated, clock: Clock) -> None:
        """Open the socket, and what else the site file asks for. Raises `ConfigError` or `OSError` where that cannot be."""
        self._site, self._guard, self._clock = site, guard, clock

    def poll(self, now_ms: int) -> None:
        """Serve whoever asks, for a few milliseconds at most."""

    def publish(self, status: Status) -> None:
        """Show the newest status to whoever asks for it."""

    def record(self, what: str, result: str) -> None:
        """Note in the audit log what happened to an override without anybody asking, such as its expiry."""

    def close(self) -> None:
        """Close all doors."""
