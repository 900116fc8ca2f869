"""``umlauf junction``. Heavy imports happen inside the functions, so that ``--help`` is instant."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.errors import ConfigError, ScenarioError

if TYPE_CHECKING:
    from scenarios.importer import ImportResult
    from scenarios.intergreens import Rules

junction_app = typer.Typer(add_completion=False, no_args_is_help=True, help="Make junction files from SUMO nets.")


@junction_app.callback()
def junction() -> None:
    """Make junction files from SUMO nets."""


@junction_app.command("import")
def import_(
    net: Annotated[Path, typer.Argument(help="A .net.xml (or .net.xml.gz), or a .sumocfg whose additional files may bring signal programmes.")],
    tls: Annotated[str | None, typer.Option(help="The light to import; needed where the net has several.")] = None,
    rules: Annotated[
        str,
        typer.Option(
            help="Where the times come from: net (what the programme shows, made safe), published (3 s amber, no all-red), "
            "street (RiLSA-like, by speed and geometry)."
        ),
    ] = "net",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The junction file to write; default: print it.")] = None,
) -> None:
    """Import a light of a SUMO net as a junction file.

    Without --tls on a net of several lights: lists them. Exit code: 0 imported, 1 listed or error.
    """
    from controller.site import write_junction
    from controller.site_text import format_junction
    from scenarios.importer import import_lights

    source, programmes = _source(net)
    result = import_lights(source, rules=_rules(rules), tls=None if tls is None else [tls], programmes=programmes)
    if len(result.junctions) > 1:
        _list(net, result)
        raise typer.Exit(1)
    made = result.junctions[0]
    for line in (*result.warnings, *made.warnings()):
        typer.echo(f"warning: {line}", err=True)
    faults = made.validate()
    if faults:
        raise ScenarioError(f"Net {net}: light {made.id!r} imports with faults:\n" + "\n".join(f"  {f}" for f in faults))
    comments = [f"Junction {made.id}, imported from {net.name} under the rules '{made.rules}'.", *result.warnings]
    if output is None:
        typer.echo(format_junction(made, comments=comments), nl=False)
        return
    write_junction(made, output, comments=comments)
    typer.echo(f"{output}: junction {made.id}: {len(made.groups)} groups, {sum(len(n.stages) for n in made.nodes)} stages, {len(made.detectors)} detectors.")


def _source(path: Path) -> tuple[Path, tuple[Path, ...]]:
    """Return the net and the additional files that a ``.sumocfg`` names; a net stands for itself."""
    if path.suffix != ".sumocfg" and not path.name.endswith(".sumo.cfg"):
        return path, ()
    from scenarios.config import read_config

    config = read_config(path)
    return config.net, config.additional


def _rules(name: str) -> Rules:
    known: dict[str, Rules] = {"net": "net", "published": "published", "street": "street"}
    if name in known:
        return known[name]
    raise ConfigError(f"--rules: expected {', '.join(known)}, found {name!r}.")


def _list(net: Path, result: ImportResult) -> None:
    typer.echo(f"{net} has {len(result.junctions)} lights; choose one with --tls ID:")
    for made in result.junctions:
        stages = sum(len(n.stages) for n in made.nodes)
        typer.echo(f"  {made.id}  ({len(made.groups)} groups, {stages} stages, {len(made.lanes)} lanes)")
