"""What the built wheel holds. `.ci/run` names the wheel in UMLAUF_WHEEL; without it one is built from a copy of the sources."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {"controller", "optimizer", "hardware", "scenarios", "benchmarks"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    given = os.environ.get("UMLAUF_WHEEL")
    return zipfile.ZipFile(given) if given else zipfile.ZipFile(built(tmp_path_factory.mktemp("wheel")))


def built(folder: Path) -> Path:
    source = folder / "source"
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(source)], check=True)
    return next(folder.glob("*.whl"))


def project() -> dict[str, object]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        content: dict[str, object] = tomllib.load(file)["project"]
    return content


def test_the_wheel_holds_our_packages_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == PACKAGES


def test_every_module_and_data_file_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    tracked = subprocess.run(["git", "ls-files", *sorted(PACKAGES)], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    missing = {name for name in tracked if not name.startswith("benchmarks/results/") and Path(ROOT, name).exists()} - set(wheel.namelist())
    assert not missing


def test_no_test_and_no_run_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    assert not [name for name in wheel.namelist() if "tests" in name.split("/") or Path(name).name.startswith("test_")]


def test_metadata_names_licence_python_and_extras(wheel: zipfile.ZipFile) -> None:
    (metadata,) = [name for name in wheel.namelist() if name.endswith("/METADATA")]
    text = wheel.read(metadata).decode()
    assert "License-Expression: Apache-2.0" in text
    assert "Requires-Python: >=3.11" in text
    for extra in ("sumo", "report", "export", "virtual", "serial", "test", "lint", "mutation", "all"):
        assert f"Provides-Extra: {extra}\n" in text
    (licence,) = [name for name in wheel.namelist() if name.endswith("LICENSE")]
    assert b"Apache License" in wheel.read(licence)


def test_the_core_stays_lean() -> None:
    dependencies = project()["dependencies"]
    assert isinstance(dependencies, list)
    assert {str(one).split(">")[0] for one in dependencies} == {"numpy", "numba", "pydantic", "typer", "rich", "platformdirs"}


def test_every_command_points_to_a_module_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    (points,) = [name for name in wheel.namelist() if name.endswith("/entry_points.txt")]
    parser = ConfigParser()
    parser.read_string(wheel.read(points).decode())
    assert parser["console_scripts"]["umlauf"] == "controller.cli:main"
    for name, value in parser["umlauf.commands"].items():
        assert value.split(":")[0].replace(".", "/") + ".py" in wheel.namelist(), name
