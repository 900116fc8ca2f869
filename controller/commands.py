"""``umlauf check``. Heavy imports happen inside the function, so that ``--help`` is instant."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def check(file: Annotated[Path, typer.Argument(help="A junction file, as written by: umlauf junction import.")]) -> None:
    """Check a junction file and print all its faults at once.

    Exit code: 0 no fault, 1 any fault. What may be meant but should be known is printed as a warning and is no fault.
    """
    from controller.site import read_junction

    junction = read_junction(file)
    faults = junction.validate()
    for line in faults:
        typer.echo(f"{file}: fault: {line}", err=True)
    for line in junction.warnings():
        typer.echo(f"{file}: warning: {line}", err=True)
    if faults:
        typer.echo(f"{file}: {len(faults)} fault{'s' if len(faults) > 1 else ''}.", err=True)
        raise typer.Exit(1)
    stages = sum(len(n.stages) for n in junction.nodes)
    typer.echo(
        f"{file}: junction {junction.id}: {len(junction.groups)} groups, {len(junction.lanes)} lanes, {stages} stages, "
        f"{len(junction.detectors)} detectors, rules {junction.rules}. No fault."
    )
