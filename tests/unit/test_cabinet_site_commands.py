"""``umlauf check`` on site files, ``umlauf site new``, ``umlauf schema``, as an operator types them."""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support_cabinet import drivers, junction_with_loops, site_file

from controller.cabinet.site import read_site
from controller.cabinet.site_check import demand_runnable, examine
from controller.cli import main
from controller.config_file import counted_faults
from controller.junction import Button
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


@pytest.mark.parametrize(
    ("replaced", "code"),
    [
        ([("P = 12", "P = 12, Q = 3")], 64),
        ([("P = 12", "P = 12, Q = 3"), ('host = "127.0.0.1"', 'host = "x"\ncommunity_secret_file = "none"')], 64),
        ([('host = "127.0.0.1"', 'host = "x"\ncommunity_secret_file = "none"'), ('folder = "journal"', 'folder = "j.toml"')], 1),
    ],
)
def test_a_site_with_faults_is_not_run_and_they_are_those_of_its_check(
    site_file: Write, replaced: list[tuple[str, str]], code: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(self: registry.Driver) -> None:
        raise AssertionError("no driver may be made")

    monkeypatch.setattr(registry.Driver, "load_factory", opened)
    path = site_file(*replaced)
    faults = examine(read_site(path)).faults
    assert faults
    assert main(["run", str(path)]) == code
    assert capsys.readouterr().err.splitlines() == [f"umlauf run: {path}: {counted_faults(len(faults))}", *(f"  {line}" for line in faults)]


def test_what_control_does_not_depend_on_is_told_and_does_not_keep_a_site_from_being_run(site_file: Write) -> None:
    path = site_file(
        ('folder = "journal"', 'folder = "j.toml"'), ('folder = "state"', 'folder = "j.toml/x"'), ('"control.sock"', '"c"\ngroup = "no-such-group"')
    )
    remote = '\n[remote]\nlisten = "127.0.0.1:1"\ncertificate_file = "a"\nkey_file = "b"\ntokens_file = "c"\n'
    path.write_text(path.read_text() + remote)
    found = examine(read_site(path))
    assert [line.split(":")[0] for line in found.faults] == ["journal.folder", "state.folder", "operator.group", "remote", "remote"]
    assert demand_runnable(read_site(path)) == [*found.faults, *found.warnings]


def test_what_may_be_meant_is_a_warning(site_file: Write) -> None:
    path = site_file(('detector = "b1" }', 'detector = "b1" }, { channel = 3, detector = "button" }'))
    assert examine(read_site(path)).warnings == ["inputs[1]: 'button' is no detector or button of the junction; its events are recorded, no control uses them"]


def test_two_drivers_on_one_line_and_a_missing_device(tmp_path: Path, drivers: None) -> None:
    write_junction(junction_with_loops(), tmp_path / "j.toml")
    one = '[[inputs]]\ndriver = "modbus"\n[inputs.options]\nport = "/dev/ttyNONE"\nunits = [{{ unit = 1, detectors = {{ 1 = "{}" }} }}]\n'
    signals = 'id = "x"\njunction = "j.toml"\n[signals]\ndriver = "box"\noptions = { host = "x", phases = { A = 2, B = 4, P = 12 } }\n'
    (tmp_path / "site.toml").write_text(signals + "".join(map(one.format, ("a0", "b0"))))
    found = examine(read_site(tmp_path / "site.toml"))
    assert "inputs: /dev/ttyNONE: expected one driver on a line, found 2" in found.faults[2]
    assert "/dev/ttyNONE is not on this machine" in found.warnings[0]


def test_a_missing_device_does_not_keep_a_site_from_being_run(site_file: Write, tmp_path: Path) -> None:
    bus = 'driver = "bus"\n[inputs.options]\ndevice = "/dev/null"\nchannels = [{ channel = 1, detector = "a0" }, { channel = 2, detector = "a1" }]'
    modbus = 'driver = "modbus"\n[inputs.options]\nport = "/dev/ttyNONE"\nunits = [{ unit = 1, profile = "digital", detectors = { 1 = "a0", 2 = "a1" } }]'
    told = demand_runnable(read_site(site_file((bus, modbus))))
    assert [line.split(":")[0] for line in told] == ["inputs[0].options.port"]


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


def at_home(text: str) -> str:
    """Return a new site's text with its folders and socket beside it."""
    for usual, ours in (("/var/lib/umlauf/journal", "journal"), ("/var/lib/umlauf/state/j", "state"), ("/run/umlauf/j.sock", "control.sock")):
        key = "socket" if usual.endswith(".sock") else "folder"
        assert f'# {key} = "{usual}"' in text
        text = text.replace(f'# {key} = "{usual}"', f'{key} = "{ours}"')
    return text


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
    out.write_text(at_home(mended))
    site = read_site(out)
    faults = examine(site).faults
    assert faults == [] if inputs != "bus" else len(faults) == 4
    assert len(site.inputs) == len(inputs.split(","))
    if inputs == "modbus,modbus":
        assert [one.options.sources() for one in site.inputs] == [("a0", "a1"), ("b0", "b1")]


@pytest.mark.parametrize(("driver", "profile"), [("modbus", "digital"), ("ab3418", None)])
def test_a_new_site_has_a_channel_for_each_button(tmp_path: Path, drivers: None, driver: str, profile: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    junction = replace(junction_with_loops(), buttons=(Button("walk north", ("P",)), Button("walk south", ("P",))))
    write_junction(junction, tmp_path / "j.toml")
    out = tmp_path / "site.toml"
    assert main(["site", "new", "--from", str(tmp_path / "j.toml"), "-o", str(out), "--signals", "box", "--inputs", driver]) == 0
    unit = tomllib.loads(out.read_text())["inputs"][0]["options"]["units"][-1]
    assert (unit.get("profile"), unit["detectors"]) == (profile, {"1": "walk north", "2": "walk south"})
    mended = at_home(out.read_text().replace('phases = ""', "phases = { A = 2, B = 4, P = 12 }"))
    out.write_text(mended)
    assert examine(read_site(out)).faults == []
    out.write_text(mended.replace(', 2 = "walk south"', "").replace(', "2" = "walk south"', ""))
    (fault,) = examine(read_site(out)).faults
    assert fault.startswith("button 'walk south': expected on a channel of an input, found on none.")


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
    out.write_text(at_home(text))
    assert main(["check", str(out)]) == 1
    told = capsys.readouterr().err
    assert "2 faults." in told  # the secret is not there yet either
    assert "signals.options.host: address not filled in yet: expected the device's own, found 192.0.2.1" in told
    (tmp_path / "community.secret").touch(mode=0o600)
    (tmp_path / "community.secret").write_text("public\n")
    out.write_text(out.read_text().replace("192.0.2.1", "10.0.0.7"))
    assert main(["check", str(out)]) == 0
    told = capsys.readouterr()
    assert "mode cycle, signals by ntcip" in told.out
    assert "warning: signals.options.community_secret_file: it holds a community that everybody tries first" in told.err
    assert "shares out no cycle" not in told.err
    out.write_text(out.read_text().replace('mode = "cycle"', 'mode = "adaptive"'))
    assert main(["check", str(out)]) == 0
    assert "warning: mode adaptive: it shares out no cycle, so with actuation splits the controller runs its own plan" in capsys.readouterr().err
    assert read_site(out).signals.options.phases == {"A": "phase 1", "B": "phase 2", "P": "ped 1"}


@pytest.mark.parametrize(
    ("lines", "needle"),
    [
        ('community_secret_file = "long"', "community_secret_file: expected none with SNMP version 3"),
        ('user = "umlauf"\nauth_secret_file = "long"', "priv_secret_file: expected a value with SNMP version 3, found none"),
        ('user = "umlauf"\nauth_secret_file = "long"\npriv_secret_file = "long"\nauth_protocol = "MD5"', "auth_protocol: expected one of SHA-224, SHA-256"),
        ('user = "umlauf"\nauth_secret_file = "long"\npriv_secret_file = "short"', "priv_secret_file: expected a passphrase of 8 characters or more"),
        ('user = "umlauf"\nauth_secret_file = "open"\npriv_secret_file = "long"', "auth_secret_file: "),
        ('user = "umlauf"\nauth_secret_file = "none"\npriv_secret_file = "long"', "expected a readable file"),
        ('user = "umlauf"\nauth_secret_file = "long"\npriv_secret_file = "long"', ""),
    ],
)
def test_a_user_of_snmpv3_is_checked(tmp_path: Path, lines: str, needle: str, capsys: pytest.CaptureFixture[str]) -> None:
    write_junction(junction_with_loops(), tmp_path / "j.toml")
    out = tmp_path / "site.toml"
    assert main(["site", "new", "--from", str(tmp_path / "j.toml"), "-o", str(out), "--inputs", "canoga"]) == 0
    for name, text, mode in (("long", "long enough", 0o600), ("short", "shibbo", 0o600), ("open", "long enough", 0o644)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(mode)
    kept = [line for line in at_home(out.read_text()).splitlines() if not line.startswith(("community_secret_file", "# profile"))]
    out.write_text("\n".join(kept).replace('host = "192.0.2.1"', f'host = "[fd00::7]:1161"\nprofile = "v3"\n{lines}'))
    capsys.readouterr()
    assert main(["check", str(out)]) == (1 if needle else 0)
    told = capsys.readouterr().err
    assert needle in told
    assert "everybody tries first" not in told
    assert "shibbo" not in told


@pytest.mark.parametrize(
    ("address", "refused"),
    [
        ("192.0.2.1", True),
        ("198.51.100.255", True),
        ("203.0.113.9", True),
        ("2001:db8::7", True),
        ("[2001:db8::7]", True),
        ("[2001:db8::7]:161", True),
        ("192.0.2.1:161", True),
        ("[fd00::7]:161", False),
        ("::1", False),
        ("3fff:fff::1", True),
        ("192.0.3.1", False),
        ("10.0.0.7", False),
        ("cabinet.example", False),
    ],
)
def test_placeholders_are_told_from_addresses(site_file: Write, address: str, refused: bool) -> None:
    faults = examine(read_site(site_file(("127.0.0.1", address)))).faults
    assert [line.partition(": expected")[0] for line in faults] == ["signals.options.host: address not filled in yet"] * refused


@pytest.mark.parametrize("command", [["bringup", "--once"], ["run"]])
def test_nothing_is_sent_to_an_address_that_nobody_filled_in(
    site_file: Write, command: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(self: registry.Driver) -> None:
        raise AssertionError("no driver may be made")

    monkeypatch.setattr(registry.Driver, "load_factory", opened)
    path = site_file(("127.0.0.1", "192.0.2.1"))
    assert main([*command, str(path)]) == (64 if command == ["run"] else 1)
    told = capsys.readouterr().err
    assert f"{path}: 1 fault" in told
    assert "signals.options.host: address not filled in yet" in told


def test_lines_can_be_looked_at_while_the_controllers_address_is_unknown(site_file: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unit = 'units = [{ unit = 1, detectors = { 1 = "a0" } }]'
    bus = 'driver = "bus"\n[inputs.options]\ndevice = "/dev/null"\nchannels = [{ channel = 1, detector = "a0" }, { channel = 2, detector = "a1" }]'
    path = site_file(("127.0.0.1", "192.0.2.1"), (bus, f'driver = "modbus"\n[inputs.options]\nport = "{tmp_path / "none"}"\n{unit}'))
    assert main(["bringup", str(path), "inputs[0]", "--duration", "0.2"]) == 1
    told = capsys.readouterr().err
    assert "problem: inputs[0]: " in told  # it was looked at, and is not there
    assert "address not filled in yet" not in told
    path.write_text(path.read_text().replace(str(tmp_path / "none"), "socket://192.0.2.9:4001"))
    assert main(["bringup", str(path), "inputs[0]"]) == 1
    assert "inputs[0].options.port: address not filled in yet" in capsys.readouterr().err
