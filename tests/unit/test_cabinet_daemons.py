"""Several sites on one machine: each has a socket and a state folder of its own, and the operator's commands find the one that is meant."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support_cabinet import Running, drivers, run, site_file, status_of_day

from controller.cabinet import daemons, site_models
from controller.cabinet.site import Site, read_site
from controller.cabinet.state_claim import ClaimedError, claimed
from controller.cli import main

__all__ = ["drivers", "run", "site_file"]  # fixtures
OVERRIDE = ["--for", "1h", "--reason", "roadworks"]


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the run folder; site files of systemd's instances stand in ``sites`` beside it."""
    for name in ("run", "sites"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(site_models, "RUN_FOLDER", str(tmp_path / "run"))
    monkeypatch.setattr(daemons, "SITES_FOLDER", tmp_path / "sites")
    monkeypatch.delenv("UMLAUF_SOCKET", raising=False)
    return tmp_path / "run"


@pytest.fixture
def start(folders: Path, site_file: Callable[..., Path], run: Callable[[Site], Running]) -> Callable[[str], Running]:
    """Return a function that serves a site, by id, at its usual socket."""

    def serve(name: str) -> Running:
        path = site_file(('id = "market"', f'id = "{name}"'), ('socket = "control.sock"', ""), ('folder = "state"', f'folder = "{name}"'))
        running = run(read_site(path))
        running.status = status_of_day(site=name)
        while running._published is not running.status:
            threading.Event().wait(0.001)
        return running

    return serve


def site_asked(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return which site's daemon answers."""
    assert main(["status", "--json", *arguments]) == 0
    return str(json.loads(capsys.readouterr().out)["site"])


@pytest.fixture
def two(start: Callable[[str], Running]) -> dict[str, Running]:
    return {name: start(name) for name in ("market", "school")}


def test_the_only_one_that_runs_is_meant(start: Callable[[str], Running], folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    running = start("market")
    assert running.site.socket == folders / "market.sock"
    with socket.socket(socket.AF_UNIX) as dead:  # of a daemon that was killed
        dead.bind(str(folders / "school.sock"))
    assert site_asked(capsys) == "market"
    assert main(["mode", "fixed", *OVERRIDE]) == 0
    assert [call[0] for call in running.guard.calls] == ["override"]


def test_of_several_one_must_be_named(two: dict[str, Running], capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["status"], ["mode", "fixed", *OVERRIDE], ["mode", "--end", "--reason", "x"], ["reset", "--reason", "x"]):
        assert main(arguments) == 1
        assert "found 2 running: market, school. Name one, such as: umlauf status market" in capsys.readouterr().err
    assert all(one.guard.calls == [] for one in two.values())


def test_a_name_finds_its_site(two: dict[str, Running], capsys: pytest.CaptureFixture[str]) -> None:
    assert (site_asked(capsys, "market"), site_asked(capsys, "school")) == ("market", "school")
    assert main(["mode", "fixed", "school", *OVERRIDE]) == 0
    assert main(["mode", "--end", "school", "--reason", "over"]) == 0
    assert main(["reset", "market", "--reason", "looked"]) == 0
    assert {name: [call[0] for call in one.guard.calls] for name, one in two.items()} == {"market": ["reset"], "school": ["override", "end"]}


def test_a_site_file_finds_its_site_wherever_its_socket_is(two: dict[str, Running], folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = two["school"].site.path
    assert site_asked(capsys, str(path)) == "school"
    path.rename(folders.parent / "sites" / "north.toml")  # systemd's instance is not named as the site is
    assert site_asked(capsys, "north") == "school"
    (folders.parent / "sites" / "north.toml").write_text('id = "school"')
    assert main(["status", "north"]) == 1
    assert "signals: expected a value, found none" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "needle"),
    [
        (["status", "harbour"], "site harbour: expected a running one, found 2 running: market, school. Name one of them"),
        (["status", "harbour.toml"], "expected a site file, found none"),
        (["status", "market", "--socket", "x"], "SITE and --socket: expected one of both"),
        (["status", "market", "--remote", "x"], "SITE and --remote: expected one of both"),
        (["mode", "fixd", *OVERRIDE], "mode: expected one of fixed, actuated"),
        (["mode", "fixed", "--end", "--reason", "x"], "expected a mode, or --end"),
    ],
)
def test_what_leads_nowhere_is_told(two: dict[str, Running], arguments: list[str], needle: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 1
    assert needle in capsys.readouterr().err


def test_none_that_runs_is_a_message_that_helps(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["status"], ["status", "market"]):
        assert main(arguments) == 1
        assert "expected a running daemon's socket, found none. Start" in capsys.readouterr().err
    folders.rmdir()
    assert main(["status"]) == 1
    assert "found none. Start one" in capsys.readouterr().err


def test_the_variable_names_a_socket_and_a_site_goes_before_it(
    two: dict[str, Running], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("UMLAUF_SOCKET", str(two["school"].site.socket))
    assert (site_asked(capsys), site_asked(capsys, "market")) == ("school", "market")


def test_a_folder_where_we_may_not_look_is_told(folders: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(self: Path) -> Iterator[Path]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)  # root may look everywhere
    assert main(["status"]) == 1
    assert "expected the right to look for daemons' sockets" in capsys.readouterr().err


def test_a_state_folder_has_one_daemon_until_it_ends(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "state"
    hold = (
        "import sys; from pathlib import Path; from controller.cabinet.state_claim import claimed\nwith claimed(Path(sys.argv[1])): print(flush=True); input()"
    )
    with subprocess.Popen([sys.executable, "-c", hold, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(ClaimedError, match=r"expected it for this site alone, found another daemon"), claimed(folder):
            pass
        other.kill()
    with claimed(folder):
        assert folder.is_dir()
    with claimed(folder):  # and it was let go in order
        pass


def test_a_state_folder_that_cannot_be_made_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with claimed(tmp_path / "file" / "state"):
        pass


def test_a_second_daemon_of_one_site_does_not_run(site_file: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    path = site_file()
    with claimed(read_site(path).state_folder):
        assert main(["run", str(path)]) == 1
    assert "found another daemon that uses it" in capsys.readouterr().err
