"""``umlauf status --watch``: shows every status that comes, says when none comes, and connects again when the daemon is back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import typer
from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from controller.cabinet.client import Client
from controller.cabinet.daemons import DaemonError
from controller.cabinet.status import Status, from_object
from controller.cabinet.status_view import BAD, view
from controller.cabinet.status_words import say
from controller.clock import SystemClock
from controller.words import Lang

STALE_S: Final = 3.0
RETRY_MS: Final = 1_000
MOST_ROWS: Final = 8  # of detectors and lanes: a terminal has no more room


def watch_json(connect: Callable[[], Client]) -> None:
    """Print one status a line until the daemon ends. Raises `DaemonError` then."""
    for answer in _statuses(connect):
        if answer is not None:
            typer.echo(json.dumps(answer["status"], ensure_ascii=False))


def watch_view(connect: Callable[[], Client], lang: Lang | None) -> None:
    """Show statuses until Ctrl-C. Raises `DaemonError` where there is no daemon at the start."""
    with connect() as client:
        chosen = lang or Lang(client.ask({"do": "ping"})["language"])
    clock = SystemClock()
    status: Status | None = None
    with Live(console=Console(), screen=True, auto_refresh=False, vertical_overflow="crop") as live:
        while True:
            try:
                for newest, notice in _with_notices(connect, status, chosen):
                    status = newest
                    live.update(_shown(status, chosen, notice), refresh=True)
            except DaemonError as error:
                live.update(_shown(status, chosen, say("lost", chosen, error=error)), refresh=True)
                clock.wait_until(clock.now_ms() + RETRY_MS)


def _shown(status: Status | None, lang: Lang, notice: str) -> RenderableType:
    return Text(notice, style=BAD) if status is None else view(status, lang, notice, MOST_ROWS)


def _with_notices(connect: Callable[[], Client], status: Status | None, lang: Lang) -> Iterator[tuple[Status | None, str]]:
    silent_s = 0.0
    for answer in _statuses(connect):
        silent_s = 0.0 if answer is not None else silent_s + STALE_S
        status = status if answer is None else from_object(answer["status"])
        yield status, say("stale", lang, time=f"{silent_s:.0f}") if silent_s else ""


def _statuses(connect: Callable[[], Client]) -> Iterator[dict[str, Any] | None]:
    with connect() as client:
        yield client.ask({"do": "subscribe"})
        yield from client.listen(STALE_S)
