"""``umlauf warmup`` and ``umlauf version``."""

from __future__ import annotations

import importlib
import pkgutil
import platform
from importlib import metadata
from typing import Final

import typer

from controller.clock import elapsed_s

_SHOWN_VERSIONS: Final = ("umlauf", "numpy", "numba", "eclipse-sumo", "libsumo")


def warmup() -> None:
    """Compile the numba kernels ahead of time, so that the first run starts at once."""
    begin_s = elapsed_s()
    package = importlib.import_module("optimizer")
    modules = [info.name for info in pkgutil.walk_packages(package.__path__, "optimizer.")]
    for name in modules:
        before_s = elapsed_s()
        importlib.import_module(name)
        typer.echo(f"{name:<28}{elapsed_s() - before_s:7.2f} s")
    typer.echo(f"{'ready':<28}{elapsed_s() - begin_s:7.2f} s")


def version() -> None:
    """Print the version of umlauf and of what its results depend on."""
    typer.echo(f"umlauf {metadata.version('umlauf')}")
    for name in _SHOWN_VERSIONS[1:]:
        typer.echo(f"{name} {_version_or_none(name)}")
    typer.echo(f"python {platform.python_version()}")


def _version_or_none(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
