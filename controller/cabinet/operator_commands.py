"""``umlauf status``, ``umlauf mode`` and ``umlauf reset``: what an operator sees and does. Heavy imports happen inside the functions."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from controller.durations import seconds_of
from controller.errors import ConfigError
from controller.words import Lang, language_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from controller.cabinet.client import Client

SITE_HELP: Final = "Which site, where several run on this machine: its name or its site file; default: UMLAUF_SOCKET, then the only one that runs."

TYPED: Final = {"reason": "--reason", "override": "umlauf mode", "end": "umlauf mode --end", "reset": "umlauf reset"}  # by the daemon's name

SiteArgument = Annotated[str | None, typer.Argument(metavar="SITE", help=SITE_HELP)]
SocketOption = Annotated[Path | None, typer.Option("--socket", metavar="PATH", help="The daemon's socket, in place of SITE.")]
RemoteOption = Annotated[Path | None, typer.Option("--remote", metavar="FILE", help="A file that says how to reach a daemon from afar (docs/OPERATING.md).")]
ReasonOption = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, in a few words; it goes to the audit log.")]


def status(
    site: SiteArgument = None,
    watch: Annotated[bool, typer.Option("--watch", help="Go on showing it, until Ctrl-C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: one object, or one a line with --watch.")] = False,
    lang: Annotated[Lang | None, typer.Option("--lang", help="Language; default: LANG, then the site's.")] = None,
    socket: SocketOption = None,
    remote: RemoteOption = None,
) -> None:
    """Show what the running daemon does and why: mode, signals, detectors, queues, plan, faults, newest events."""
    from controller.cabinet.client import connector

    connect = connector(site, socket, remote, os.environ)
    if watch:
        from controller.cabinet.status_watch import watch_json, watch_view

        if as_json:
            watch_json(connect)
        else:
            watch_view(connect, lang or language_of(os.environ))
        return
    with connect() as client:
        answer = client.ask({"do": "status"})
        if as_json:
            import json

            typer.echo(json.dumps(answer["status"], ensure_ascii=False))
            return
        _print_view(answer, lang or language_of(os.environ) or Lang(client.ask({"do": "ping"})["language"]))


def _print_view(answer: dict[str, object], lang: Lang) -> None:
    from rich.console import Console

    from controller.cabinet.status import from_object
    from controller.cabinet.status_view import view

    status_object = answer["status"]
    assert isinstance(status_object, dict)
    Console().print(view(from_object(status_object), lang))


def mode(
    wanted: Annotated[str | None, typer.Argument(metavar="MODE", help="fixed, actuated, cycle, adaptive, release or flash.")] = None,
    site: SiteArgument = None,
    duration: Annotated[str | None, typer.Option("--for", metavar="TIME", help="For how long, such as 2h, 90m or 1h30m. Every override ends.")] = None,
    reason: ReasonOption = "",
    end: Annotated[bool, typer.Option("--end", help="End the override that is in force.")] = False,
    socket: SocketOption = None,
    remote: RemoteOption = None,
) -> None:
    """Override the mode for a time, or end the override. Faults and safety still go first.

    umlauf mode fixed --for 2h --reason "roadworks in Schulstraße"
    umlauf mode --end --reason "roadworks are over"

    Where several sites run, each takes the site's name too: umlauf mode fixed SITE --for …, umlauf mode --end SITE --reason ….
    """
    from controller.cabinet.operated import OVERRIDES

    if end and site is None and wanted not in OVERRIDES:
        site, wanted = wanted, None
    if end == (wanted is not None):
        raise ConfigError("expected a mode, or --end; say for example: umlauf mode fixed --for 2h --reason roadworks")
    if wanted is not None and wanted not in OVERRIDES:
        raise ConfigError(f"mode: expected one of {', '.join(OVERRIDES)}, found {wanted!r}")
    if not reason.strip():
        raise ConfigError("--reason: expected why, in a few words, for the audit log; found nothing")
    request: dict[str, object] = {"do": "end", "reason": reason}
    if wanted is not None:
        if duration is None:
            raise ConfigError("--for: expected for how long, such as 2h; found nothing. Every override ends by itself")
        request = {"do": "override", "mode": wanted, "for_s": round(seconds_of(duration, "--for", bare=False)), "reason": reason}
    _command(request, site, socket, remote, {"duration": f"--for {duration}"})


def reset(reason: ReasonOption, site: SiteArgument = None, socket: SocketOption = None, remote: RemoteOption = None) -> None:
    """Let the control go on after a refusal of the interlock, once an engineer has found out why."""
    _command({"do": "reset", "reason": reason}, site, socket, remote)


def _command(request: dict[str, object], site: str | None, socket: Path | None, remote: Path | None, typed: Mapping[str, str] | None = None) -> None:
    """Ask for it and tell the answer, in which what the daemon names is called as it was ``typed``."""
    from controller.cabinet.client import connector
    from controller.cabinet.daemons import DaemonError

    connect: Callable[[], Client] = connector(site, socket, remote, os.environ)
    acting_for = os.environ.get("SUDO_USER")
    with connect() as client:
        try:
            answer = client.ask({**request, **({"as": acting_for} if acting_for else {})})
        except DaemonError as error:
            name, colon, rest = str(error).partition(": ")
            said = {**TYPED, **(typed or {})}.get(name, name)
            raise DaemonError(f"{said}{colon}{rest}") from error
    typer.echo(answer["text"])
    if "warning" in answer:
        typer.echo(f"warning: {answer['warning']}", err=True)
