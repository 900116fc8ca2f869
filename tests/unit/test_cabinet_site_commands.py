"""``umlauf check`` on site files, ``umlauf site new``, ``umlauf schema``, as an operator types them."""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from support_cabinet import drivers, junction_with_loops, site_file

from controller.cabinet.site import read_site
from controller.cabinet.site_check import examine
from controller.cli import main
from controller.site import write_junction
from hardware import registry

__all__ = ["drivers", "site_file"]  # fixtures
Write = Callable[..., Path]


def test_a_good_site_has_no_fault(site_file: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = site_file()
    assert main(["check", str(path)]) == 0
    told = capsys.readouterr()
    assert told.out.strip() == f"{path}: site market: junction j, mode adaptive, signals by box, inputs by bus, bus. No fault."
    assert told.err == ""


def test_check_tells_a_junction_from_a_site(site_file: Write, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(site_file().parent / "j.toml")]) == 0
    assert "junction j: 3 groups, 2 lanes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("old", "new", "needle"),
    [
        (', { channel = 2, detector = "a1" }', "", "detector 'a1': expected on a channel of an input, found on none"),
        ('detector = "b1"', 'detector = "a1"', "detector 'a1': expected on one channel, found on 2"),
        (", P = 12", "", "signals.options: group 'P': expected where the driver box finds it, found nothing"),
        ("P = 12", "P = 12, Q = 3", "signals.options: group 'Q': expected a group of the junction (A, B, P), found another"),
        ('host = "127.0.0.1"', 'host = "x"\ncommunity_secret_file = "open"', "signals.options.community_secret_file: "),
        ('host = "127.0.0.1"', 'host = "x"\ncommunity_secret_file = "none"', "No such file"),
        ('folder = "journal"', 'folder = "open"', "journal.folder: expected a folder, found the file"),
        ('folder = "state"', 'folder = "open/deep/er"', "state.folder: expected a folder, found the file"),
        ('"control.sock"', f'"{"x" * 100}/control.sock"', "operator.socket: "),
        ('"control.sock"', '"control.sock"\ngroup = "no-such-group"', "addgroup --system no-such-group"),
    ],
)
def test_what_only_the_machine_can_tell(site_file: Write, old: str, new: str, needle: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = site_file((old, new))
    (path.parent / "open").write_text("community\n")
    (path.parent / "open").chmod(0o644)
    assert main(["check", str(path)]) == 1
    assert needle in capsys.readouterr().err


def test_a_folder_where_we_may_not_write_is_a_fault(site_file: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    site = read_site(site_file())
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != site.path.parent and real(path, mode))  # root may write everywhere
    faults = examine(site).faults
    assert [line.split(":")[0] for line in faults] == ["journal.folder", "state.folder", "operator.socket"]
    assert "expected a folder, or one that can be made in" in faults[0]


def test_all_of_it_is_told_at_once(site_file: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = site_file((', { channel = 2, detector = "a1" }', ""), (", P = 12", ""), ('"/dev/zero"', '"/dev/null"'))
    assert main(["check", str(path)]) == 1
    told = capsys.readouterr().err
    assert "2 faults." in told
    assert "'a1'" in told
    assert "'P'" in told


def test_what_may_be_meant_is_a_warning(site_file: Write) -> None:
    path = site_file(('detector = "b1" }', 'detector = "b1" }, { channel = 3, detector = "button" }'))
    assert examine(read_site(path)).warnings == ["inputs[1]: 'button' is no detector of the junction; its events are recorded, no control uses them"]


def test_two_drivers_on_one_line_and_a_missing_device(tmp_path: Path, drivers: None) -> None:
    write_junction(junction_with_loops(), tmp_path / "j.toml")
    one = '[[inputs]]\ndriver = "modbus"\n[inputs.options]\nport = "/dev/ttyNONE"\nunits = [{{ unit = 1, detectors = {{ 1 = "{}" }} }}]\n'
    signals = 'id = "x"\njunction = "j.toml"\n[signals]\ndriver = "box"\noptions = { host = "x", phases = { A = 2, B = 4, P = 12 } }\n'
    (tmp_path / "site.toml").write_text(signals + "".join(map(one.format, ("a0", "b0"))))
    found = examine(read_site(tmp_path / "site.toml"))
    assert "inputs: /dev/ttyNONE: expected one driver on a line, found 2" in found.faults[2]
    assert "/dev/ttyNONE is not on this machine" in found.warnings[0]


@pytest.mark.parametrize(
    ("table", "needle"),
    [
        ('listen = "0.0.0.0:1"\ncertificate_file = "a"\nkey_file = "b"', "nobody could prove who they are"),
        ('listen = "0.0.0.0:1"\ncertificate_file = "a"\nkey_file = "b"\nclient_ca_file = "c"', "client_ca_file and roles together"),
        ('listen = "0.0.0.0:1"\ncertificate_file = "a"\nkey_file = "b"\ntokens_file = "c"', "remote: "),
    ],
)
def test_remote_access_that_cannot_work_is_a_fault(site_file: Write, table: str, needle: str) -> None:
    faults = examine(read_site(site_file(add=f"\n[remote]\n{table}\n"))).faults
    assert any(needle in line for line in faults)


@pytest.mark.parametrize("inputs", ["modbus", "modbus,modbus", "canoga", "ab3418", "bus"])
def test_a_new_site_passes_its_check_but_for_what_it_marks(
    tmp_path: Path, drivers: None, inputs: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_junction(junction_with_loops(), tmp_path / "j.toml")
    out = tmp_path / "site.toml"
    assert main(["site", "new", "--from", str(tmp_path / "j.toml"), "-o", str(out), "--signals", "box", "--inputs", inputs]) == 0
    told = capsys.readouterr().out
    text = out.read_text()
    lines = [line for line in text.splitlines() if "# CHANGE: " in line]
    assert f"Change {len(lines)} placeholders, then: umlauf check {out}" in told
    assert 'junction = "j.toml"' in text
    mended = text.replace('phases = ""', "phases = { A = 2, B = 4, P = 12 }").replace('channels = ""', "channels = []")
    mended = mended.replace('"/dev/ttyUSB0"', '"/dev/ttyUSB1"', 1)  # two lines are two devices
    for name in ("journal", "state"):
        mended = mended.replace(f'# folder = "/var/lib/umlauf/{name}"', f'folder = "{name}"')
    out.write_text(mended.replace('# socket = "/run/umlauf/control.sock"', 'socket = "control.sock"'))
    site = read_site(out)
    faults = examine(site).faults
    assert faults == [] if inputs != "bus" else len(faults) == 4
    assert len(site.inputs) == len(inputs.split(","))
    if inputs == "modbus,modbus":
        assert [one.options.sources() for one in site.inputs] == [("a0", "a1"), ("b0", "b1")]


def test_a_new_site_is_never_written_over_a_file(tmp_path: Path, drivers: None, capsys: pytest.CaptureFixture[str]) -> None:
    write_junction(junction_with_loops(), tmp_path / "j.toml")
    assert main(["site", "new", "--from", str(tmp_path / "j.toml"), "-o", str(tmp_path / "j.toml"), "--signals", "box"]) == 1
    assert "expected no file yet" in capsys.readouterr().err
    assert main(["site", "new", "--from", str(tmp_path / "j.toml"), "--signals", "bax"]) == 1
    assert "driver bax: expected one of box" in capsys.readouterr().err


def test_a_site_is_printed_without_an_output(tmp_path: Path, drivers: None, capsys: pytest.CaptureFixture[str]) -> None:
    write_junction(junction_with_loops(), tmp_path / "j.toml")
    assert main(["site", "new", "--from", str(tmp_path / "j.toml"), "--signals", "box"]) == 0
    data = tomllib.loads(capsys.readouterr().out)
    assert (data["id"], data["signals"]["driver"], data["inputs"][0]["driver"]) == ("j", "box", "modbus")


@pytest.mark.parametrize("kind", ["site", "junction"])
def test_the_schema_is_json(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", kind]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["additionalProperties"] is False
    if kind == "site":
        assert {f"{name}_Input" for name in registry.INPUTS} <= set(data["$defs"])


def test_a_token_is_shown_once_and_kept_as_a_hash(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["site", "token", "anna", "operator"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == f"anna operator {hashlib.sha256(lines[1].encode()).hexdigest()}"
    assert main(["site", "token", "anna", "boss"]) == 1
    assert main(["site", "token", "an na", "viewer"]) == 1


def test_a_new_site_with_an_ntcip_controller_needs_nothing_but_its_placeholders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_junction(junction_with_loops(), tmp_path / "j.toml")
    out = tmp_path / "site.toml"
    assert main(["site", "new", "--from", str(tmp_path / "j.toml"), "-o", str(out), "--inputs", "canoga"]) == 0
    told = capsys.readouterr().out
    for what in ("the controller's address", "a file with the community name, mode 0600", "the controller's phase, ped or overlap", "the line's device"):
        assert what in told
    text = out.read_text()
    for name in ("journal", "state"):
        text = text.replace(f'# folder = "/var/lib/umlauf/{name}"', f'folder = "{name}"')
    out.write_text(text.replace('# socket = "/run/umlauf/control.sock"', 'socket = "control.sock"'))
    assert main(["check", str(out)]) == 1
    assert "1 fault." in capsys.readouterr().err  # the secret is not there yet
    (tmp_path / "community.secret").touch(mode=0o600)
    (tmp_path / "community.secret").write_text("public\n")
    assert main(["check", str(out)]) == 0
    assert read_site(out).signals.options.phases == {"A": "phase 1", "B": "phase 2", "P": "ped 1"}
