"""The systemd units: no fault for systemd-analyze, hardened, ready and fed as the daemon does it; sysusers and tmpfiles make what they say."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from controller.cabinet.channel import SocketChannel
from controller.cabinet.codec import line_of, message_of

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "systemd"
UNITS = ("umlauf@.service", "umlauf-optimizer@.service", "umlauf-optimizer.socket")
SERVICES = tuple(name for name in UNITS if name.endswith(".service"))
MOST_EXPOSURE = 2.0


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Return a root folder with the units and the program in it, as `systemd-analyze verify` wants it: the program must exist."""
    root = tmp_path / "root"
    units = root / "usr" / "lib" / "systemd" / "system"
    units.mkdir(parents=True)
    for name in UNITS:
        shutil.copy(FOLDER / name, units)
    for name in ("basic.target", "sysinit.target", "shutdown.target", "sockets.target", "multi-user.target", "network.target"):
        (units / name).write_text("[Unit]\nDescription=of systemd\n", encoding="utf-8")
    for name in ("local-fs.target", "time-sync.target"):
        (units / name).write_text("[Unit]\nDescription=of systemd\n", encoding="utf-8")
    for place in ("usr/bin/umlauf", "usr/lib/umlauf/bin/python"):
        program = root / place
        program.parent.mkdir(parents=True)
        program.write_text("#!/bin/sh\n", encoding="utf-8")
        program.chmod(0o755)
    return root


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, check=False, capture_output=True, text=True)


def settings(unit: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in (FOLDER / unit).read_text(encoding="utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            name, value = line.split("=", 1)
            found.setdefault(name, []).append(value)
    return found


def verify(root: Path, unit: str) -> str:
    instance = unit.replace("@.", "@market.")
    done = run("systemd-analyze", "verify", "--recursive-errors=yes", "--man=no", f"--root={root}", instance)
    return done.stdout + done.stderr + (f"exit code {done.returncode}" if done.returncode else "")


@pytest.mark.tools("systemd-analyze")
@pytest.mark.parametrize("unit", UNITS)
def test_systemd_finds_no_fault(installed: Path, unit: str) -> None:
    assert verify(installed, unit) == ""


@pytest.mark.tools("systemd-analyze")
def test_systemd_would_find_a_fault(installed: Path) -> None:
    path = installed / "usr" / "lib" / "systemd" / "system" / "umlauf@.service"
    path.write_text(path.read_text(encoding="utf-8").replace("WatchdogSec=", "WatchdogSeconds="), encoding="utf-8")
    assert "WatchdogSeconds" in verify(installed, path.name)


def exposure(unit: str) -> float:
    done = run("systemd-analyze", "security", "--offline=true", "--no-pager", str(FOLDER / unit))
    found = re.search(r"Overall exposure level for .*: ([0-9.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    return float(found[1])


@pytest.mark.tools("systemd-analyze")
@pytest.mark.parametrize("unit", SERVICES)
def test_hardening_leaves_little_exposed(unit: str) -> None:
    assert exposure(unit) <= MOST_EXPOSURE


@pytest.mark.tools("systemd-analyze")
def test_a_site_with_a_controller_on_the_network_is_still_hardened(tmp_path: Path) -> None:
    unit = tmp_path / "umlauf@.service"
    addition = (FOLDER / "controller-address.conf").read_text(encoding="utf-8").split("[Service]")[1]
    unit.write_text((FOLDER / unit.name).read_text(encoding="utf-8").replace("[Install]", f"{addition}\n[Install]"), encoding="utf-8")
    assert exposure(str(unit)) <= MOST_EXPOSURE


@pytest.mark.parametrize("unit", SERVICES)
def test_both_say_when_they_are_ready_and_are_watched(unit: str) -> None:
    found = settings(unit)
    assert found["Type"] == ["notify"]
    assert found["NotifyAccess"] == ["main"]
    assert found["WatchdogSec"]


def test_only_what_compiles_may_write_code() -> None:
    assert settings("umlauf@.service")["MemoryDenyWriteExecute"] == ["yes"]
    assert "MemoryDenyWriteExecute" not in settings("umlauf-optimizer@.service")


def test_the_guard_talks_to_this_machine_alone_until_a_site_says_more() -> None:
    assert settings("umlauf@.service")["IPAddressDeny"] == ["any"]
    assert settings("umlauf@.service")["IPAddressAllow"] == ["localhost"]
    assert settings("umlauf-optimizer@.service")["PrivateNetwork"] == ["yes"]


@pytest.mark.tools("systemd-analyze")
def test_the_user_is_made(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    done = run("systemd-sysusers", f"--root={tmp_path}", str(FOLDER / "umlauf.sysusers"))
    assert done.returncode == 0, done.stderr
    (line,) = (tmp_path / "etc" / "passwd").read_text(encoding="utf-8").splitlines()
    assert re.fullmatch(r"umlauf:x:\d+:\d+:Umlauf traffic-signal control:/var/lib/umlauf:/usr/sbin/nologin", line)
    assert "umlauf:" in (tmp_path / "etc" / "group").read_text(encoding="utf-8")


@pytest.mark.tools("systemd-analyze")
def test_tmpfiles_has_no_fault(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    run("systemd-sysusers", f"--root={tmp_path}", str(FOLDER / "umlauf.sysusers"))
    done = run("systemd-tmpfiles", f"--root={tmp_path}", "--create", str(FOLDER / "umlauf.tmpfiles"))
    assert "umlauf.tmpfiles:" not in done.stderr, done.stderr
    assert (tmp_path / "etc" / "umlauf").is_dir()


def test_the_optimizer_that_the_unit_starts_exists() -> None:
    (command,) = settings("umlauf-optimizer@.service")["ExecStart"]
    assert (FOLDER.parents[1] / command.split(" -m ")[1].replace(".", "/")).with_suffix(".py").is_file()


@pytest.mark.tools("systemd-analyze")
def test_the_optimizer_answers_behind_its_socket(tmp_path: Path) -> None:
    """As the socket unit does it: one process for each connection, the socket as its standard input and output."""
    path = tmp_path / "optimizer.sock"
    command = settings("umlauf-optimizer@.service")["ExecStart"][0].split(" ", 1)[1].split()
    activate = ["systemd-socket-activate", "--accept", "--inetd", f"--listen={path}", "--", sys.executable, *command]
    process = subprocess.Popen(activate, cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        wait_until(path.exists)
        for _ in range(2):  # the second guard, or the same again, gets a process of its own
            channel = SocketChannel(path)
            channel.send(line_of(ping=7))
            answer = bytearray()
            wait_until(lambda: bool(answer.extend(channel.receive() or b"") or answer.endswith(b"\n")))  # noqa: B023
            assert message_of(bytes(answer))["pong"] == 7
            channel.close()
    finally:
        process.terminate()
        process.wait(timeout=10)


def wait_until(done: Callable[[], bool], most_s: float = 60.0) -> None:
    for _ in range(int(most_s / 0.02)):
        if done():
            return
        time.sleep(0.02)
    raise AssertionError("it took too long")
