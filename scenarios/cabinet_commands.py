"""``umlauf demo cabinet``: a virtual junction and the cabinet's daemon against it, without any hardware."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from controller.durations import seconds_of
from controller.errors import ConfigError
from controller.words import Lang
from scenarios.cabinet_faults import Fault, parse_faults
from scenarios.cabinet_folder import JOURNAL, at_end, at_start, demo_folder
from scenarios.cabinet_signals import DemoSignals

demo_app = typer.Typer(no_args_is_help=True, add_completion=False, help="Shows what Umlauf does, without hardware.")


@demo_app.callback()
def _demo() -> None:
    """Show Umlauf at work without hardware: umlauf demo cabinet."""


@demo_app.command()
def cabinet(
    duration: Annotated[str, typer.Option(help="How long, such as 60s, 10m or 1h.")] = "60s",
    speed: Annotated[
        float, typer.Option(help="1: the real daemon in real time, over a pseudo-terminal and SNMP. More: in this process, so many times faster.")
    ] = 1.0,
    fault: Annotated[str, typer.Option(help=f"Faults as NAME@T, several with commas, T in s. Names: {', '.join(Fault)}.")] = "",
    signals: Annotated[
        DemoSignals, typer.Option(help="How the controller is driven, by the site file's names; or heads of our own, with --speed above 1 only.")
    ] = DemoSignals.PHASE_CONTROL,
    seed: Annotated[int, typer.Option(help="Of the traffic and of what is chosen at random.")] = 1,
    keep: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A new or empty folder for the journal, and in real time the site file, audit log and the daemon's log.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else to standard output.")] = False,
    lang: Annotated[Lang, typer.Option(help="Language of the summary.")] = Lang.EN,
) -> None:
    """Run the cabinet's daemon at a virtual junction; it ends by itself and tells what happened. Exit code 1 where a lamp was unsafe."""
    duration_s = seconds_of(duration, "--duration")
    if not speed >= 1.0:
        raise ConfigError(f"speed {speed:g}: expected 1 or more: a real controller does not slow down. Correct it.")
    faults = parse_faults(fault, duration_s)

    def tell(text: str) -> None:
        if not as_json:
            typer.echo(text)

    with demo_folder(keep) as folder:

        def ready() -> None:
            typer.echo(at_start(folder, accelerated=speed > 1.0, lang=lang), err=True)

        try:
            if speed > 1.0:
                from scenarios.cabinet_fast import run_fast

                ready()
                report = run_fast(folder, duration_s, speed, faults, seed=seed, tell=tell, signals=signals)
            else:
                from scenarios.cabinet_live import run_live

                report = run_live(folder, duration_s, faults, seed=seed, tell=tell, ready=ready, signals=signals)
            if as_json:
                typer.echo(json.dumps(report.to_object(), ensure_ascii=False))
            else:
                from scenarios.cabinet_report import summary

                typer.echo(summary(report, lang))
        finally:  # also where it was interrupted
            if (folder / JOURNAL).is_dir():
                typer.echo(at_end(folder, kept=keep is not None, lang=lang), err=True)
    if report.unsafe_frames:
        raise typer.Exit(1)
