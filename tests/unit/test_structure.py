"""The habits of docs and STYLE that a machine can check: size, docstrings, units as the last word, one code path."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("controller", "optimizer", "hardware", "scenarios", "benchmarks")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
MOST_LINES = 400
LOOP_LINES = 80

UNITS = {
    *("s", "ms", "us", "h", "m", "km", "g", "kg", "mb", "veh", "pct", "ratio", "db"),
    *("m_s", "km_h", "m_s2", "veh_h", "veh_s", "veh_m", "s_veh", "g_veh"),
}
# Names of numbers that have no unit, and coordinates in the net's own frame.
WITHOUT_UNIT = {
    "weight",
    "share",
    "cost",
    "score",
    "value",
    "values",
    "x",
    "y",
    "quantile",
    "shares",
    "hours",
    "factor",
    "probability",
    "confidence",
    "default",
    "number",
    "text",
}
# Types whose numbers are described where they are: mappings, callbacks, mixed tuples, and options, which carry their help.
OF_THEIR_OWN = {"Callable", "Mapping", "dict", "str", "Option", "Argument"}
# Whole numbers need a unit where their name says that they measure something.
MEASURES = re.compile(r"(^|_)(time|duration|delay|interval|timeout|offset|distance|speed|flow|headway|green|amber|intergreen|cycle|wait|queue)$")


def trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in MODULES:
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def names_with_types(tree: ast.Module) -> Iterator[tuple[int, str, str]]:
    """Yield (line, name, annotation) of class fields and of the parameters of public functions."""
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef(body=body):
                for statement in body:
                    match statement:
                        case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation):
                            yield statement.lineno, name, ast.unparse(annotation)
                        case _:
                            pass
            case ast.FunctionDef(name=function, args=arguments) if not function.startswith("_"):
                for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
                    if argument.annotation is not None:
                        yield argument.lineno, argument.arg, ast.unparse(argument.annotation)
            case _:
                pass


def has_unit(name: str) -> bool:
    words = name.lower().strip("_").split("_")
    return any("_".join(words[-count:]) in UNITS for count in (1, 2, 3)) or name.strip("_").lower() in WITHOUT_UNIT or words[-1] in WITHOUT_UNIT


@pytest.mark.parametrize(
    ("name", "expected"), [("green_s", True), ("flow_veh_h", True), ("weight", True), ("green", False), ("speed", False), ("seconds", False)]
)
def test_the_unit_is_the_last_word(name: str, expected: bool) -> None:
    assert has_unit(name) is expected


def test_every_float_and_every_measure_names_its_unit() -> None:
    faults = []
    for path, tree in trees():
        for line, name, annotation in names_with_types(tree):
            kinds = set(re.findall(r"\w+", annotation))
            wanted = "float" in kinds or ("int" in kinds and MEASURES.search(name) is not None)
            if wanted and not kinds & OF_THEIR_OWN and not has_unit(name):
                faults.append(f"{path.relative_to(ROOT)}:{line}: {name}: {annotation}")
    assert not faults, "\n".join(["expected a unit as the last word of:", *faults])


def test_modules_are_small() -> None:
    long = {str(path.relative_to(ROOT)): count for path in MODULES if (count := len(path.read_text(encoding="utf-8").splitlines())) > MOST_LINES}
    assert not long


def test_the_loop_fits_on_one_screen() -> None:
    assert len((ROOT / "controller" / "loop.py").read_text(encoding="utf-8").splitlines()) <= LOOP_LINES


def test_every_module_says_what_it_is() -> None:
    assert not [str(path.relative_to(ROOT)) for path, tree in trees() if not ast.get_docstring(tree)]


def test_simulation_is_a_configuration_and_no_code_path() -> None:
    pattern = re.compile(r"\bif\s+(not\s+)?(self\.)?_?(is_)?simulat(ed|ion|ing)\b")
    assert not [str(path.relative_to(ROOT)) for path in MODULES if pattern.search(path.read_text(encoding="utf-8"))]


def test_only_the_clock_reads_the_clock() -> None:
    """Ruff bans the calls by name; this finds the module under any name."""
    faults = []
    for path, tree in trees():
        for node in ast.walk(tree):
            imported = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module] if isinstance(node, ast.ImportFrom) else []
            if "time" in imported:
                faults.append(str(path.relative_to(ROOT)))
    assert faults == ["controller/clock.py"]


def test_no_test_is_skipped() -> None:
    pattern = re.compile(r"pytest\.(mark\.)?(skip|xfail|skipif|importorskip)\b")
    tests = [path for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__)]
    assert not [str(path.relative_to(ROOT)) for path in tests if pattern.search(path.read_text(encoding="utf-8"))]
