"""``umlauf site`` and ``umlauf schema``: make a site file, and what editors need to know of it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from controller.errors import ConfigError

site_app = typer.Typer(help="Make a site file for umlauf run, and tokens for remote access.", add_completion=False, no_args_is_help=True)


class Kind(StrEnum):
    """What a schema describes."""

    SITE = "site"
    JUNCTION = "junction"


@site_app.command("new")
def new(
    junction_file: Annotated[Path, typer.Option("--from", metavar="FILE", help="The junction file, as written by: umlauf junction import.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="The site file to write; default: print it.")] = None,
    signals: Annotated[str, typer.Option("--signals", metavar="DRIVER", help="How the signals are driven.")] = "ntcip",
    inputs: Annotated[str, typer.Option("--inputs", metavar="DRIVER,...", help="The lines with detectors, one driver each; empty for none.")] = "modbus",
) -> None:
    """Write a commented site file for a junction; what only the street knows is marked CHANGE.

    umlauf site new --from junction.toml -o site.toml --signals ntcip --inputs modbus,modbus
    """
    from controller.cabinet.site_new import format_site, placeholders
    from controller.site import read_junction

    junction = read_junction(junction_file)
    if output is not None and output.exists():
        raise ConfigError(f"{output}: expected no file yet, found one. Choose another name, or remove it first")
    drivers = [name.strip() for name in inputs.split(",") if name.strip()] if junction.detectors else []
    text = format_site(junction, junction_file, output.parent if output is not None else Path(), signals, drivers)
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{output}: cannot be written ({error.strerror}). Choose a folder that exists and is writable.") from error
    changes = placeholders(text)
    typer.echo(f"{output}: written. Change {len(changes)} placeholders, then: umlauf check {output}")
    for change in changes:
        typer.echo(f"  {change}")


@site_app.command("token")
def token(
    name: Annotated[str, typer.Argument(help="Whose token it is; it appears in the audit log.")],
    role: Annotated[str, typer.Argument(help="viewer, operator or engineer.")],
) -> None:
    """Make a token for remote access: print it once, with the line for the site's tokens file, which holds only its hash."""
    import secrets

    from controller.cabinet.remote_access import token_hash
    from controller.cabinet.site_models import Role

    if role not in list(Role):
        raise ConfigError(f"role: expected one of {', '.join(Role)}, found {role!r}")
    if not name.isprintable() or len(name.split()) != 1 or "#" in name:
        raise ConfigError(f"name: expected one word without '#', found {name!r}")
    made = secrets.token_urlsafe(32)
    typer.echo(f"token, for {name} alone; keep it in a file of mode 0600, it is shown only now:\n{made}")
    typer.echo(f"line for the tokens file of [remote], mode 0600:\n{name} {role} {token_hash(made)}")


def schema(kind: Annotated[Kind, typer.Argument(help="site or junction.")] = Kind.SITE) -> None:
    """Print the JSON Schema of a site file (with the options of all drivers) or a junction file, for editors.

    umlauf schema site > site.schema.json; with the line "#:schema ./site.schema.json" at its head, editors (Even Better TOML, taplo) check the file.
    """
    import json

    if kind is Kind.SITE:
        from controller.cabinet.site_drivers import site_schema

        data = site_schema()
    else:
        from controller.site import json_schema

        data = json_schema()
    typer.echo(json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **data}, indent=2))
