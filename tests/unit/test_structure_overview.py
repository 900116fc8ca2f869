"""Every file and function that docs/CODE_OVERVIEW.md names exists, where it says."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "CODE_OVERVIEW.md").read_text(encoding="utf-8")
SPAN = re.compile(r"`(?:(?P<file>[\w/]+\.py)|(?P<name>[A-Za-z_][\w.]*)\(\))`")


def defined_in(path: Path) -> set[str]:
    """Return the functions and methods of a module, methods with their class."""
    found: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        match node:
            case ast.FunctionDef(name=name):
                found.add(name)
            case ast.ClassDef(name=owner, body=body):
                found.update(f"{owner}.{part.name}" for part in body if isinstance(part, ast.FunctionDef))
            case _:
                pass
    return found


def faults_in(text: str) -> list[str]:
    """Return what the text names that does not exist; a name belongs to the file named before it."""
    faults, file, names = [], "", set[str]()
    for match in SPAN.finditer(text):
        if match["file"]:
            file = match["file"]
            names = defined_in(ROOT / file) if (ROOT / file).is_file() else set()
            faults += [] if (ROOT / file).is_file() else [file]
        elif match["name"] not in names:
            faults.append(f"{file}: {match['name']}()")
    return faults


def test_every_name_in_the_overview_exists() -> None:
    assert faults_in(TEXT) == []


def test_the_overview_names_enough_to_be_worth_checking() -> None:
    assert len({match["file"] for match in SPAN.finditer(TEXT) if match["file"]}) > 20
    assert len([match for match in SPAN.finditer(TEXT) if match["name"]]) > 30


def test_a_wrong_name_would_be_noticed() -> None:
    assert faults_in("`controller/loop.py`: `JunctionControl.tick()` -> `JunctionControl.tock()`, `controller/none.py`") == [
        "controller/loop.py: JunctionControl.tock()",
        "controller/none.py",
    ]
