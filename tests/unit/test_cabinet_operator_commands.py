"""``umlauf status``, ``mode`` and ``reset`` as an operator types them, against a running service; and against none."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support_cabinet import Running, drivers, run, site_file, status_of_day
from support_certificates import Authority

from controller.cabinet.site import Site, read_site
from controller.cabinet.status import from_object
from controller.cli import main
from controller.clock import SystemClock

__all__ = ["drivers", "run", "site_file"]  # fixtures


@pytest.fixture
def served(site_file: Callable[..., Path], run: Callable[[Site], Running], monkeypatch: pytest.MonkeyPatch) -> Running:
    running = run(read_site(site_file()))
    monkeypatch.setenv("UMLAUF_SOCKET", str(running.site.socket))
    for name in ("LC_ALL", "LC_MESSAGES", "SUDO_USER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.setenv("COLUMNS", "100")
    return running


def test_the_status_in_the_language_asked_for(served: Running, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["status"]) == 0
    assert "wanted: adaptive" in capsys.readouterr().out
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    assert main(["status"]) == 0
    assert "gewünscht: adaptiv" in capsys.readouterr().out
    assert main(["status", "--lang", "en"]) == 0
    assert "wanted: adaptive" in capsys.readouterr().out


def test_without_a_language_of_the_caller_the_sites_is_used(
    site_file: Callable[..., Path], run: Callable[[Site], Running], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    running = run(read_site(site_file(('mode = "adaptive"', 'mode = "adaptive"\nlanguage = "de"'))))
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    assert main(["status", "--socket", str(running.site.socket)]) == 0
    assert "Betriebsart" in capsys.readouterr().out


def test_the_status_as_json(served: Running, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--json"]) == 0
    assert from_object(json.loads(capsys.readouterr().out)) == status_of_day()


def test_an_override_and_its_end(served: Running, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "anna")
    assert main(["mode", "fixed", "--for", "2h", "--reason", "roadworks"]) == 0
    assert capsys.readouterr().out == "fixed is wanted\n"
    assert main(["mode", "--end", "--reason", "over"]) == 0
    assert main(["reset", "--reason", "looked"]) == 0
    assert [(what, why) for what, _, why in served.guard.calls] == [("override", "roadworks"), ("end", "over"), ("reset", "looked")]
    assert all(who.endswith("(for anna)") for _, who, _ in served.guard.calls)
    assert [entry["what"] for entry in served.written()] == ["override fixed", "end override", "reset"]


@pytest.mark.parametrize(
    ("arguments", "needle"),
    [
        (["mode"], "expected a mode, or --end"),
        (["mode", "fixed", "--end"], "expected a mode, or --end"),
        (["mode", "fixed", "--for", "2h"], "--reason: expected why"),
        (["mode", "fixed", "--reason", "x"], "--for: expected for how long"),
        (["mode", "fixed", "--for", "2", "--reason", "x"], "--for: expected a time such as 45s, 90m or 1h30m"),
        (["mode", "fixed", "--for", "3d", "--reason", "x"], "--for 3d: expected 10s to 24h, found 72h; every override ends"),
        (["mode", "fixed", "--for", "5s", "--reason", "x"], "--for 5s: expected 10s to 24h, found 5s; every override ends"),
        (["mode", "fixed", "--for", "1h", "--reason", "x" * 301], "--reason: expected at most 300 characters, found 301"),
        (["reset", "--reason", " "], "--reason: expected why"),
        (["mode", "manual", "--for", "2h", "--reason", "x"], "mode: expected one of fixed, actuated"),
        (["status", "--remote", "x", "--socket", "y"], "expected one of both"),
        (["status", "--remote", "/nowhere.toml"], "expected a file that says how to reach a daemon"),
    ],
)
def test_what_cannot_be_is_one_message(served: Running, arguments: list[str], needle: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 1
    assert needle in capsys.readouterr().err
    assert served.guard.calls == []


def test_a_wrong_mode_is_told_without_a_daemon(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mode", "nonsense", "--for", "2h", "--reason", "x", "--socket", str(tmp_path / "none")]) == 1
    assert "mode: expected one of fixed, actuated, cycle, adaptive, release, flash, found 'nonsense'" in capsys.readouterr().err


def test_no_daemon_is_a_message_that_helps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "control.sock"
    assert main(["status", "--socket", str(path)]) == 1
    assert "systemctl start umlauf@SITE" in capsys.readouterr().err
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert main(["status", "--socket", str(path)]) == 1
    assert "only the socket of one that has ended" in capsys.readouterr().err


def test_a_daemon_that_hangs_is_a_message(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.cabinet.client.ANSWER_S", 0.2)
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as hanging:
        hanging.bind(str(path))
        hanging.listen()
        assert main(["status", "--socket", str(path)]) == 1
    assert "the daemon hangs" in capsys.readouterr().err


def test_watching_as_json_gets_every_status(served: Running) -> None:
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    program = "import sys; from controller.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", program, "status", "--watch", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as watching:
        assert watching.stdout is not None
        seen = [json.loads(watching.stdout.readline())["ticks"]]
        for ticks in (1, 2, 3):
            served.status = status_of_day(ticks=ticks)
            seen.append(json.loads(watching.stdout.readline())["ticks"])
        watching.send_signal(signal.SIGINT)
        assert watching.wait(10) == 130
    assert seen == [7230, 1, 2, 3]


def test_from_afar_by_certificate(site_file: Callable[..., Path], run: Callable[[Site], Running], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Authority(tmp_path, "servers").issue("server")
    Authority(tmp_path, "clients").issue("otto")
    remote = '\n[remote]\nlisten = "127.0.0.1:0"\ncertificate_file = "server.crt"\nkey_file = "server.key"\nclient_ca_file = "clients.crt"\n'
    running = run(read_site(site_file(('folder = "state"', 'folder = "s"'), add=remote + 'roles = { otto = "operator" }\n')))
    profile = tmp_path / "market.toml"
    profile.write_text(f'address = "127.0.0.1:{running.remote_port}"\nca_file = "servers.crt"\ncertificate_file = "otto.crt"\nkey_file = "otto.key"\n')
    assert main(["mode", "flash", "--for", "60s", "--reason", "smoke", "--remote", str(profile)]) == 0
    assert running.guard.calls == [("override", "otto", "smoke")]
    assert main(["reset", "--reason", "x", "--remote", str(profile)]) == 1
    assert "umlauf reset: expected the role engineer, otto has operator" in capsys.readouterr().err
    profile.write_text(profile.read_text().replace("servers.crt", "clients.crt"))
    assert main(["status", "--remote", str(profile)]) == 1
    assert "the daemon's certificate is not accepted" in capsys.readouterr().err
    (tmp_path / "otto.key").chmod(0o644)
    assert main(["status", "--remote", str(profile)]) == 1
    assert "expected mode 0600" in capsys.readouterr().err


def test_the_clock_of_an_override_is_the_daemons(served: Running) -> None:
    assert main(["mode", "fixed", "--for", "1h", "--reason", "x"]) == 0
    (wish,) = served.guard.wishes
    assert 3_590_000 < wish.until_ms - SystemClock().now_ms() <= 3_600_000
