"""`.ci/sumo_libraries` names the one line that installs what is missing; `.ci/find_python` finds only what works."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CI = Path(__file__).resolve().parents[2] / ".ci"
MISSING = "libGL.so.1 => not found\\nlibm.so.6 => /lib/libm.so.6 (0x1)\\nlibX11.so.6 => not found\\nlibodd.so.3 => not found\\n"


def tool(folder: Path, name: str, body: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{body}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def fakes(tmp_path: Path) -> Path:
    folder = tmp_path / "fakes"
    folder.mkdir()
    tool(folder, "ldd", f"printf '{MISSING}'")
    return folder


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """Return a folder that looks like a virtual environment with SUMO in it."""
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    site = tmp_path / "venv" / "site"
    (site / "sumo" / "bin").mkdir(parents=True)
    (site / "sumo" / "bin" / "sumo").touch()
    tool(tmp_path / "venv" / "bin", "python", f"echo {site}")
    return tmp_path / "venv"


def check(venv: Path, fakes: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": f"{fakes}:{os.environ['PATH']}"}
    return subprocess.run([CI / "sumo_libraries", venv], env=environment, check=False, capture_output=True, text=True)


def test_missing_libraries_are_named_with_one_line(venv: Path, fakes: Path) -> None:
    tool(fakes, "id", "echo 1000")
    done = check(venv, fakes)
    assert done.returncode == 1
    assert "libGL.so.1 libX11.so.6 libodd.so.3" in done.stderr
    assert "\n    apt-get install --no-install-recommends libgl1 libodd.so.3 libx11-6\n" in done.stderr


def test_root_gets_them_installed(venv: Path, fakes: Path, tmp_path: Path) -> None:
    tool(fakes, "id", "echo 0")
    tool(fakes, "apt-get", f'echo "$@" >> {tmp_path}/calls; [ "$1" = update ] || printf "#!/bin/sh\\n" > {fakes}/ldd')
    done = check(venv, fakes)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "calls").read_text().splitlines() == ["update -qq", "install -y --no-install-recommends libgl1 libodd.so.3 libx11-6"]


def test_root_is_told_when_installing_did_not_help(venv: Path, fakes: Path) -> None:
    tool(fakes, "id", "echo 0")
    tool(fakes, "apt-get", "exit 100")
    done = check(venv, fakes)
    assert done.returncode == 1
    assert "apt-get install" in done.stderr


def test_nothing_missing_says_nothing(venv: Path, fakes: Path) -> None:
    tool(fakes, "ldd", "printf 'libm.so.6 => /lib/libm.so.6\\n'")
    done = check(venv, fakes)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def find_python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{folder}:/usr/bin:/bin", "HOME": str(folder)}
    return subprocess.run([CI / "find_python", *arguments], env=environment, check=False, capture_output=True, text=True)


def test_a_python_of_the_version_is_found_and_a_broken_one_is_not(tmp_path: Path) -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    tool(tmp_path, "python3.99", f'exec "{sys._base_executable}" "$@"')
    assert find_python(tmp_path, "3.99").returncode == 1, "it says 3.99, but is another version"
    tool(tmp_path, f"python{version}", f'exec "{sys._base_executable}" "$@"')
    found = find_python(tmp_path, version)
    assert found.returncode == 0
    assert Path(found.stdout.strip()).resolve() == Path(sys._base_executable).resolve()


def test_no_python_is_told_how_to_get_one(tmp_path: Path) -> None:
    for name in ("python3", "python3.11", "python3.12", "python3.13"):
        tool(tmp_path, name, "exit 127")
    environment = {"PATH": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run(["/bin/bash", CI / "find_python"], env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "apt-get install python3 python3-venv" in done.stderr
