"""Nets and programmes that cannot be used: one message that names what, where, expected and found."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from support_nets import tiny_net

from controller.errors import ScenarioError
from scenarios.importer import import_lights

GOOD = ["30 Grg", "3 yry", "20 rGr", "3 ryr"]


def refused(net: Path, *needles: str, tls: list[str] | None = None, programmes: tuple[Path, ...] = ()) -> None:
    with pytest.raises(ScenarioError) as caught:
        import_lights(net, tls=tls, programmes=programmes)
    for needle in needles:
        assert needle in str(caught.value)


def test_missing_net(tmp_path: Path) -> None:
    refused(tmp_path / "none.net.xml", "none.net.xml", "expected a file")


def test_folder_instead_of_a_net(tmp_path: Path) -> None:
    refused(tmp_path, "cannot be read")


def test_net_cut_off(tmp_path: Path) -> None:
    net = tiny_net(tmp_path / "n.net.xml", GOOD)
    net.write_text(net.read_text()[:-200])
    refused(net, "not well-formed", "n.net.xml")


def test_broken_gzip(tmp_path: Path) -> None:
    good = gzip.compress(tiny_net(tmp_path / "n.net.xml", GOOD).read_bytes())
    for name, content in {"a": good[:-40], "b": b"no gzip", "c": good[:60] + b"\xff" * 60 + good[120:]}.items():
        net = tmp_path / f"{name}.net.xml.gz"
        net.write_bytes(content)
        refused(net, f"{name}.net.xml.gz")


def test_routes_instead_of_a_net(tmp_path: Path) -> None:
    path = tmp_path / "n.rou.xml"
    path.write_text("<routes/>")
    refused(path, "<routes>", "<net>")


def test_net_without_lights(tmp_path: Path) -> None:
    path = tmp_path / "n.net.xml"
    path.write_text("<net/>")
    refused(path, "expected traffic lights, found none")


def test_net_with_railway_signals_only(tmp_path: Path) -> None:
    refused(tiny_net(tmp_path / "n.net.xml", GOOD, tl_type="rail_signal"), "only railway signals (J)")


def test_unknown_light_says_which_exist(tmp_path: Path) -> None:
    refused(tiny_net(tmp_path / "n.net.xml", GOOD), "'K'", "It has: J", tls=["K"])


def test_state_too_short_for_the_links(tmp_path: Path) -> None:
    refused(tiny_net(tmp_path / "n.net.xml", ["30 Gr", "20 rG"]), "'J'", "phase 0", "at least 3", "found 2", "'Gr'")


def test_states_of_different_length(tmp_path: Path) -> None:
    refused(tiny_net(tmp_path / "n.net.xml", ["30 GrgG", "3 yry", "20 rGrr"]), "phase 1", "4, as in phase 0", "found 3")


def test_unknown_letter_names_phase_and_link(tmp_path: Path) -> None:
    refused(tiny_net(tmp_path / "n.net.xml", ["30 Grg", "3 yxy"]), "'J'", "phase 1", "link 1", "'x'")


def test_programme_without_phases(tmp_path: Path) -> None:
    net = tiny_net(tmp_path / "n.net.xml", GOOD)
    net.write_text(net.read_text().replace("<phase", "<phrase").replace("</phase", "</phrase"))
    refused(net, "'J'", "expected phases, found none")


def test_programme_without_any_green(tmp_path: Path) -> None:
    refused(tiny_net(tmp_path / "n.net.xml", ["30 rrr", "3 yyy"]), "'J'", "no green to any link", "links 0, 1, 2")


def test_phase_of_no_duration(tmp_path: Path) -> None:
    refused(tiny_net(tmp_path / "n.net.xml", ["0 Grg", "20 rGr"]), "phase 0", "above 0 s")


@pytest.mark.parametrize("duration", ["nan", "inf", "ten", ""])
def test_duration_that_is_no_number(tmp_path: Path, duration: str) -> None:
    net = tiny_net(tmp_path / "n.net.xml", GOOD)
    net.write_text(net.read_text().replace('duration="30"', f'duration="{duration}"'))
    refused(net, "tlLogic", "'J'")


def test_connection_to_a_lane_that_is_not_there(tmp_path: Path) -> None:
    net = tiny_net(tmp_path / "n.net.xml", GOOD)
    net.write_text(net.read_text().replace('to="E" fromLane="0" toLane="0"', 'to="E" fromLane="0" toLane="4"'))
    refused(net, "W_0 -> E_4")


def test_connection_without_a_link_index(tmp_path: Path) -> None:
    net = tiny_net(tmp_path / "n.net.xml", GOOD)
    net.write_text(net.read_text().replace('linkIndex="1"', ""))
    refused(net, "'J'", "linkIndex")


def test_broken_programme_file(tmp_path: Path) -> None:
    net = tiny_net(tmp_path / "n.net.xml", GOOD)
    extra = tmp_path / "own.add.xml"
    extra.write_text('<add><tlLogic id="J"><phase state="Grg"/></tlLogic></add>')
    refused(net, "own.add.xml", "'J'", "duration", programmes=(extra,))
