"""``umlauf bringup``: poke one detector line or controller by hand, before the daemon runs."""

from __future__ import annotations

import json
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.durations import seconds_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.cabinet.bringup import Device, Finding, Look
    from controller.cabinet.site import Site
    from controller.clock import Clock

_PACE_MS = 50


def bringup(
    file: Annotated[Path, typer.Argument(help="A site file.")],
    device: Annotated[
        str,
        typer.Argument(
            help="Which device: inputs[0], signals, a driver, a line such as /dev/ttyUSB0, or a detector, of which its unit is shown; default: all."
        ),
    ] = "",
    once: Annotated[bool, typer.Option("--once", help="Look shortly at each device, tell what was found, and end.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Show all octets, also those of exchanges that bring nothing new.")] = False,
    duration: Annotated[str | None, typer.Option(metavar="TIME", help="How long, such as 8s or 10m; default: until Ctrl-C.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON: one object a line as things happen, with --once one object in all.")] = False,
) -> None:
    """Watch octets and events of the detectors, read the controller's timing tables, compare them with the site. Nothing is commanded.

    Stop the daemon first: a line can be opened once. Exit code: 0 nothing wrong, 1 a device that does not answer, a fault, or a difference
    that forbids going active (the daemon refuses for the same reasons).
    """
    from controller.cabinet.bringup import chosen
    from controller.cabinet.site import read_site
    from controller.cabinet.site_addresses import demand_addresses
    from controller.clock import SystemClock

    clock, site = SystemClock(), read_site(file)
    devices = chosen(site, device)
    demand_addresses(site.path, ((one.name, one.choice) for one in devices))
    until_ms = None if duration is None else clock.now_ms() + round(seconds_of(duration, "--duration") * 1000)
    with ExitStack() as stack:
        looks = [stack.enter_context(closing(_look(one, site, clock, everything=everything))) for one in devices]
        _watch(looks, clock, quiet=once, as_json=as_json, until_ms=until_ms)
        findings = [look.finding() for look in looks]
    _tell(findings, site, as_json=as_json)
    if any(finding.problems for finding in findings):
        raise typer.Exit(1)


def _look(device: Device, site: Site, clock: Clock, *, everything: bool) -> Look:
    from controller.cabinet.bringup import SIGNALS_NAME
    from controller.cabinet.bringup_inputs import InputLook
    from controller.cabinet.bringup_signals import SignalsLook

    if device.name == SIGNALS_NAME:
        return SignalsLook(device, site.junction, clock)
    return InputLook(device, clock, everything=everything)


def _watch(looks: Sequence[Look], clock: Clock, *, quiet: bool, as_json: bool, until_ms: int | None) -> None:
    """Tell what happens until the time is over, a short look is done, or Ctrl-C."""
    try:
        while until_ms is None or clock.now_ms() < until_ms:
            now_ms = clock.now_ms()
            for look in looks:
                for one in look.news(now_ms):
                    if not quiet:
                        typer.echo(json.dumps(one.to_object()) if as_json else f"{one.at[11:23]}  {one.device:<10}  {one.what}")
            if quiet and all(look.enough(now_ms) for look in looks):
                return
            clock.wait_until(now_ms + _PACE_MS)
    except KeyboardInterrupt:
        if not as_json:
            typer.echo()


def _tell(findings: Sequence[Finding], site: Site, *, as_json: bool) -> None:
    problems = [f"{finding.device}: {problem}" for finding in findings for problem in finding.problems]
    if as_json:
        typer.echo(json.dumps({"site": site.id, "devices": [finding.to_object() for finding in findings], "problems": problems}))
        return
    for finding in findings:
        typer.echo("\n".join(finding.lines))
    for problem in problems:
        typer.echo(f"problem: {problem}", err=True)
    typer.echo(f"{site.id}: {len(problems)} problem{'s' * (len(problems) != 1)}.")
