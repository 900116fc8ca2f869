"""``umlauf check``. Heavy imports happen inside the functions, so that ``--help`` is instant."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer


def check(file: Annotated[Path, typer.Argument(help="A junction file (umlauf junction import) or a site file (umlauf site new).")]) -> None:
    """Check a junction file or a site file and print all its faults at once.

    Of a site, all is checked that needs no street: its junction, the drivers and their options, detectors and groups that nobody
    reads or shows, files, folders, secrets. The street is for: umlauf bringup.
    Exit code: 0 no fault, 1 any fault. What may be meant but should be known is printed as a warning and is no fault.
    """
    from controller.config_file import parse_toml, read_text

    text = read_text(file, "junction file or site file", "Write one with: umlauf junction import, umlauf site new")
    data = parse_toml(text, str(file))
    if isinstance(data.get("junction"), str) or "signals" in data or "inputs" in data:
        _check_site(file, data)
    else:
        _check_junction(file, text)


def _check_junction(file: Path, text: str) -> None:
    from controller.site import parse_junction

    junction = parse_junction(text, where=str(file))
    _tell(file, junction.validate(), junction.warnings())
    stages = sum(len(n.stages) for n in junction.nodes)
    typer.echo(
        f"{file}: junction {junction.id}: {len(junction.groups)} groups, {len(junction.lanes)} lanes, {stages} stages, "
        f"{len(junction.detectors)} detectors, rules {junction.rules}. No fault."
    )


def _check_site(file: Path, data: dict[str, Any]) -> None:
    from controller.cabinet.site import site_of
    from controller.cabinet.site_check import examine

    site = site_of(data, file)
    found = examine(site)
    _tell(file, found.faults, found.warnings)
    drivers = ", ".join(one.driver for one in site.inputs) or "none"
    typer.echo(f"{file}: site {site.id}: junction {site.junction.id}, mode {site.mode}, signals by {site.signals.driver}, inputs by {drivers}. No fault.")


def _tell(file: Path, faults: Sequence[str], warnings: Sequence[str]) -> None:
    """Print what was found. Exits with 1 where there is any fault."""
    from controller.config_file import counted_faults

    for line in faults:
        typer.echo(f"{file}: fault: {line}", err=True)
    for line in warnings:
        typer.echo(f"{file}: warning: {line}", err=True)
    if faults:
        typer.echo(f"{file}: {counted_faults(len(faults))}.", err=True)
        raise typer.Exit(1)
