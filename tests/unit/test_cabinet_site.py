"""The site file: read once, all faults at once, drivers' options checked against the drivers' own classes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support_cabinet import BoxOptions, BusOptions, Channel, drivers, site_file

from controller.cabinet.site import read_site
from controller.cabinet.site_drivers import secret_files, site_schema
from controller.cabinet.site_models import Role
from controller.detector_rules import LIMITS
from controller.errors import ConfigError
from controller.junction import Purpose
from controller.supervisor import Mode

__all__ = ["drivers", "site_file"]  # fixtures

Write = Callable[..., Path]
REMOTE = """
[remote]
listen = "[::]:8443"
certificate_file = "server.crt"
key_file = "server.key"
client_ca_file = "ca.crt"
roles = { anna = "engineer" }
"""


def test_a_site_is_read(site_file: Write) -> None:
    path = site_file(('host = "127.0.0.1"', 'host = "127.0.0.1"\ncommunity_secret_file = "community"'), add=REMOTE)
    site = read_site(path)
    assert site.id == "market"
    assert site.junction.id == "j"
    assert site.mode is Mode.ADAPTIVE
    assert site.signals.driver == "box"
    assert isinstance(site.signals.options, BoxOptions)
    assert site.signals.options.phases == {"A": 2, "B": 4, "P": 12}
    assert secret_files(site.signals.options) == {"community_secret_file": path.parent / "community"}
    assert [type(one.options) for one in site.inputs] == [BusOptions, BusOptions]
    assert site.inputs[1].options.channels == (Channel(1, "b0"), Channel(2, "b1"))
    assert (site.journal_folder, site.retention_days) == (path.parent / "journal", 30)
    assert (site.socket, site.socket_mode, site.longest_override_ms) == (path.parent / "control.sock", 0o660, 86_400_000)
    assert site.metrics is None
    assert site.remote is not None
    assert (site.remote.host, site.remote.port, site.remote.roles, site.remote.key) == ("::", 8443, {"anna": Role.ENGINEER}, path.parent / "server.key")


def test_sites_of_one_machine_share_neither_socket_nor_state(site_file: Write) -> None:
    plain = ('folder = "state"', ""), ('socket = "control.sock"', "")
    market, school = read_site(site_file(*plain)), read_site(site_file(*plain, ('id = "market"', 'id = "school"')))
    assert (market.socket, market.state_folder) == (Path("/run/umlauf/market.sock"), Path("/var/lib/umlauf/state/market"))
    assert (school.socket, school.state_folder) == (Path("/run/umlauf/school.sock"), Path("/var/lib/umlauf/state/school"))


def test_nothing_listens_unless_the_file_says_so(site_file: Write) -> None:
    site = read_site(site_file())
    assert (site.metrics, site.remote) == (None, None)


def test_a_loop_has_the_limits_that_the_file_gives_it(site_file: Write) -> None:
    assert read_site(site_file()).detector_limits == {}
    assert read_site(site_file(add="[detectors]\nlongest_silence_h = 24\nmost_flow_veh_h = 3600\n")).detector_limits == {}
    site = read_site(site_file(add="[detectors]\nlongest_silence_h = 72\n[detectors.loops.b0]\nmost_flow_veh_h = 7200\n"))
    assert set(site.detector_limits) == {d.id for d in site.junction.detectors}
    usual, own = site.detector_limits["a0"], site.detector_limits["b0"]
    assert usual == LIMITS[Purpose.STOP]._replace(max_silence_ms=72 * 3_600_000)
    assert (own.max_silence_ms, own.most_per_minute, own.chatter_edges, own.echo_ratio) == (72 * 3_600_000, 120, 24, 1.0)


@pytest.mark.parametrize(
    ("old", "new", "needle"),
    [
        ("[operator]", "[detectors]\nlongest_silence_h = 0\n[operator]", "detectors.longest_silence_h: expected greater than or equal to 1, found 0"),
        ("[operator]", "[detectors]\nlongest_silence_h = 1.5\n[operator]", "detectors.longest_silence_h: expected a valid integer, found 1.5"),
        ("[operator]", "[detectors]\nmost_flow_veh_h = 60\n[operator]", "detectors.most_flow_veh_h: expected greater than or equal to 2400, found 60"),
        ("[operator]", "[detectors]\nlongest_silence_min = 9\n[operator]", "detectors.longest_silence_min: expected no such key, found 9"),
        ("[operator]", "[detectors.loops.a0]\nmost_flow = 1\n[operator]", "detectors.loops.a0.most_flow: expected no such key, found 1"),
        ("[operator]", "[detectors.loops.a9]\n[operator]", "detectors.loops: 'a9': expected a detector of the junction, found another"),
        ('mode = "adaptive"', 'mode = "flash"', "mode: expected 'fixed', 'actuated', 'cycle' or 'adaptive', found 'flash'"),
        ('mode = "adaptive"', 'mood = "adaptive"', "mood: expected no such key, found 'adaptive'"),
        ('id = "market"', "", "id: expected a value, found none"),
        ('id = "market"', 'id = "../up"', "id: expected a name that can be part of a file's, such as 'up', found '../up'"),
        ('id = "market"', 'id = "a b"', "such as 'a-b', found 'a b'"),
        ('driver = "box"', 'driver = "bix"', "signals.driver: driver bix: expected one of box"),
        ('"/dev/null"', '"/dev/null"\nbauds = 9600', "inputs[0].options.bauds: expected no such key, found 9600"),
        ('"/dev/null"', '"/dev/null"\nbaud = 300', "inputs[0].options: baud: expected 9600 or 19200, found 300. Correct it."),
        ('"/dev/null"', '"/dev/null"\nbaud = "9600"', "inputs[0].options.baud: expected a valid integer, found '9600'"),
        ('{ channel = 1, detector = "a0" }', "{ channel = 1, detektor = 'a0' }", "inputs[0].options.channels[0].detektor: expected no such key"),
        ('{ channel = 1, detector = "a0" }', "{ channel = 1, detektor = 'a0' }", "inputs[0].options.channels[0].detector: expected a value, found none"),
        ('device = "/dev/zero"', "", "inputs[1].options.device: expected a value, found none"),
        ('junction = "j.toml"', 'junction = "k.toml"', "k.toml: expected a junction file, found none"),
        ('folder = "journal"', 'folder = "journal"\nretention_days = 0', "journal.retention_days: expected greater than or equal to 1, found 0"),
        ('"control.sock"', '"control.sock"\nsocket_mode = "0666"', "operator.socket_mode: expected four octal digits that leave out the others"),
        ("[operator]", '[metrics]\nlisten = "0.0.0.0:9753"\n[operator]', "metrics.listen: expected a loopback address, found 0.0.0.0"),
        ("[operator]", '[metrics]\nlisten = "localhost:9753"\n[operator]', "metrics.listen: expected a numeric address"),
        ("[operator]", '[metrics]\nlisten = "127.0.0.1:99999"\n[operator]', "metrics.listen: expected an address and port"),
    ],
)
def test_a_fault_says_what_and_how(site_file: Write, old: str, new: str, needle: str) -> None:
    path = site_file((old, new))
    with pytest.raises(ConfigError) as caught:
        read_site(path)
    assert needle in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_missing_library_names_its_extra(site_file: Write) -> None:
    with pytest.raises(ConfigError, match=r"inputs\[2\]\.driver: .*pip install 'umlauf\[serial\]'"):
        read_site(site_file(add='[[inputs]]\ndriver = "rare"\n'))


def test_faults_of_drivers_and_junction_are_told_at_once(site_file: Write) -> None:
    path = site_file(('host = "127.0.0.1"', ""), ('"/dev/null"', "5"), ('"/dev/zero"', "6"))
    junction = path.parent / "j.toml"
    junction.write_text(junction.read_text().replace('lanes = ["la"]', 'lanes = ["lx"]'))
    with pytest.raises(ConfigError) as caught:
        read_site(path)
    assert "5 faults" in str(caught.value)
    for needle in ("signals.options.host", "inputs[0].options.device", "inputs[1].options.device", "j.toml: Junction 'j', detector 'a0': lanes: "):
        assert needle in str(caught.value)


def test_a_junction_file_is_named_as_such(site_file: Write) -> None:
    with pytest.raises(ConfigError, match="expected a site file, found a junction file"):
        read_site(site_file().parent / "j.toml")


def test_what_was_found_is_cut_where_it_is_long(site_file: Write) -> None:
    path = site_file()
    path.write_text(f"unheard_of = {list(range(1000))}\n" + path.read_text())
    with pytest.raises(ConfigError, match="unheard_of: expected no such key, found \\[0, 1, 2") as caught:
        read_site(path)
    assert max(map(len, str(caught.value).splitlines())) < 250


def test_the_schema_holds_the_drivers_options(drivers: None) -> None:
    schema = site_schema()
    text = str(schema)
    for word in ("bus_Input", "box_Signals", "rare_Input", "pip install", "channels", "community_secret_file", "retention_days", "longest_silence_h"):
        assert word in text
    assert schema["$defs"]["bus_Input"]["properties"]["driver"]["const"] == "bus"
    assert schema["additionalProperties"] is False
