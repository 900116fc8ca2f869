"""Serves ``/metrics`` on loopback from one thread that knows nothing but the newest status."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from controller.cabinet.status import Status
from controller.clock import Clock
from controller.errors import MissingError

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

CLIENT_S: Final = 2.0  # a client that is slower is cut off; one is served at a time
PATH: Final = "/metrics"


class MetricsServer:
    """Prometheus metrics of the newest status."""

    def __init__(self, host: str, port: int, clock: Clock) -> None:
        """Listen and serve. Raises `MissingError` without the extra ``metrics``, `OSError` where the port is taken."""
        self._newest: tuple[Status, int] | None = None
        self._clock = clock
        application = _application(self._read)
        kind = type("_Server", (WSGIServer,), {"address_family": socket.AF_INET6 if ":" in host else socket.AF_INET})
        self._server: WSGIServer = kind((host, port), _Handler)
        self._server.set_app(application)
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", kwargs={"poll_interval": 0.2}, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Return the port, which the system chose where 0 was asked for."""
        return int(self._server.server_address[1])

    def publish(self, status: Status, now_ms: int) -> None:
        """Show this status from now on."""
        self._newest = status, now_ms

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _read(self) -> tuple[Status, float] | None:
        newest = self._newest
        return None if newest is None else (newest[0], (self._clock.now_ms() - newest[1]) / 1000)


class _Handler(WSGIRequestHandler):
    timeout = CLIENT_S

    def address_string(self) -> str:
        """Return the address; its name would have to be asked for."""
        return str(self.client_address[0])

    def log_message(self, *_: Any) -> None:
        """Leave a scrape every few seconds out of the log."""


def _application(newest: Callable[[], tuple[Status, float] | None]) -> Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]:
    try:
        from prometheus_client import CollectorRegistry, make_wsgi_app

        from controller.cabinet.metrics import StatusCollector
    except ModuleNotFoundError as error:
        raise MissingError(f"[metrics] needs the Python module {error.name!r}, which is not installed; pip install 'umlauf[metrics]'") from error
    registry = CollectorRegistry(auto_describe=False)
    registry.register(StatusCollector(newest))
    metrics = make_wsgi_app(registry)

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] != "GET" or environ["PATH_INFO"] != PATH:
            start_response("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
            return [f"only GET {PATH} is served here\n".encode()]
        found: Iterable[bytes] = metrics(environ, start_response)
        return found

    return application
