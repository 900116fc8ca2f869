"""The commands of the ``umlauf.commands`` entry points, and their one-line help read without importing them."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Final

GROUP: Final = "umlauf.commands"


def find_commands() -> dict[str, EntryPoint]:
    """Return the commands by name, of whatever distribution registers them."""
    return {point.name: point for point in entry_points(group=GROUP)}


def summary(command: EntryPoint) -> str:
    """Return the first line of the command's help, read from its source; a command that is not there says so."""
    path = source_path(command.module)
    text = None if path is None else _documented(path.read_text(encoding="utf-8"), command.attr)
    return "(not installed)" if text is None else text


def source_path(module: str) -> Path | None:
    """Return the module's source file, or None; nothing is imported."""
    top, *rest = module.split(".")
    spec = find_spec(top)
    if spec is None:
        return None
    if not rest:
        return Path(spec.origin) if spec.origin else None
    candidates = (Path(root, *rest).with_suffix(".py") for root in spec.submodule_search_locations or ())
    return next((path for path in candidates if path.is_file()), None)


def _documented(source: str, name: str) -> str | None:
    """Return the first help line of the function or `typer.Typer` called ``name``, None where it is not defined."""
    found: str | None = None
    for statement in ast.parse(source).body:
        match statement:
            case ast.FunctionDef(name=defined) if defined == name or _is_callback(statement, name):
                found = _first_line(ast.get_docstring(statement)) or found or ""
            case ast.Assign(targets=[ast.Name(id=defined)], value=ast.Call(keywords=keywords)) if defined == name:
                found = _first_line(_help_keyword(keywords))
            case ast.AnnAssign(target=ast.Name(id=defined), value=ast.Call(keywords=keywords)) if defined == name:
                found = _first_line(_help_keyword(keywords))
            case _:
                continue
    return found


def _is_callback(function: ast.FunctionDef, name: str) -> bool:
    """Tell whether the function is decorated with ``@name.callback(...)``, whose docstring is typer's help of the group."""
    return any(ast.unparse(decorator).startswith(f"{name}.callback(") for decorator in function.decorator_list)


def _help_keyword(keywords: Sequence[ast.keyword]) -> str | None:
    for keyword in keywords:
        match keyword:
            case ast.keyword(arg="help", value=ast.Constant(value=str(text))):
                return text
            case _:
                continue
    return None


def _first_line(text: str | None) -> str:
    return text.strip().splitlines()[0] if text and text.strip() else ""
