"""Whether another distribution owns one of our package names, which are generic (docs/decisions/0001-flat-packages.md).

`importlib.metadata.packages_distributions` answers the same question, but parses every RECORD (0.2 s and more in a
usual environment); here each is only searched for five byte strings.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

OUR_PACKAGES: Final = ("controller", "optimizer", "hardware", "scenarios", "benchmarks")
_OURS: Final = "umlauf"


def foreign_packages(path: Iterable[str] | None = None) -> list[str]:
    """Return one message for each package name of ours that another distribution owns or shadows on ``path`` (sys.path)."""
    faults = list(_shadowed()) if path is None else []
    for folder in dict.fromkeys(sys.path if path is None else path):
        root = Path(folder or ".")
        if root.is_dir():
            for info in (*root.glob("*.dist-info"), *root.glob("*.egg-info")):
                faults += _owned(info)
    return faults


def _shadowed() -> Iterator[str]:
    """Yield a message for each package of ours that Python would import from another folder than this one."""
    home = Path(__file__).resolve().parent.parent
    for name in OUR_PACKAGES:
        spec = find_spec(name)
        found = Path(spec.origin).resolve().parent.parent if spec is not None and spec.origin else None
        if found != home:
            yield f"package '{name}' must come from {home}, but Python finds {found or 'none'}; install umlauf into a virtual environment of its own"


def _owned(info: Path) -> Iterator[str]:
    distribution = info.name.split("-")[0].removesuffix(".egg")
    if distribution.lower() == _OURS:
        return
    top_level = (_bytes(info / "top_level.txt") or b"").split()
    record = b"\n" + (_bytes(info / "RECORD") or b"")
    for name in OUR_PACKAGES:
        if name.encode() in top_level or f"\n{name}/".encode() in record:
            yield f"package '{name}' is also installed by the distribution '{distribution}' ({info}); install umlauf into a virtual environment of its own"


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
