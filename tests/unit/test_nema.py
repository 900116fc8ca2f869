"""Dual rings out of a programme: as NEMA TS 2 numbers them, never two crossing movements at a time, refused where there are none."""

from __future__ import annotations

import dataclasses
import re
import xml.etree.ElementTree as ET
from itertools import pairwise, product
from pathlib import Path

import pytest

from controller.errors import NotApplicableError
from scenarios.catalogue import find_scenario, load_config
from scenarios.nema import NemaLight, nema_light, nema_lights, write_nema
from scenarios.net import Net
from scenarios.net_reader import read_net
from scenarios.relations import RightOfWay
from scenarios.runner import run_one
from scenarios.simulate import Request, cases_of

CROSS = ("cross", "A0")


def net_of(scenario: str) -> Net:
    return read_net(load_config(find_scenario(scenario)).net)


def green(state: str) -> set[int]:
    return {k for k, letter in enumerate(state) if letter in "gG"}


def test_a_crossing_gets_all_eight_phases() -> None:
    found = nema_light(net_of("cross"), "A0")
    assert list(found.phases) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert (found.amber_s, found.red_s) == (3.0, 2.0)
    through = green(found.phases[2]) | green(found.phases[6]) | green(found.phases[4]) | green(found.phases[8])
    assert through == set(range(len(found.phases[2])))


def test_ring_one_holds_the_left_turn_that_crosses_its_own_through_phase() -> None:
    """NEMA TS 2: phase 1 is the left turn against phase 2, phase 5 that against phase 6; so they never are green together."""
    net = net_of("cross")
    rights = RightOfWay(net, net.logics["A0"], net.links["A0"])
    found = nema_light(net, "A0")
    for left, opposing in ((1, 2), (5, 6), (3, 4), (7, 8)):
        crossed = [(i, j) for i in green(found.phases[left]) for j in green(found.phases[opposing]) if found.phases[opposing][j] == "G"]
        assert any(rights.foes(i, j) for i, j in crossed)


@pytest.mark.parametrize(("scenario", "light"), [CROSS, ("resco/cologne1", "GS_cluster_357187_359543"), ("resco/grid4x4", "B2"), ("resco/cologne3", "360086")])
def test_what_both_rings_show_together_never_crosses_with_priority(scenario: str, light: str) -> None:
    net = net_of(scenario)
    rights = RightOfWay(net, net.logics[light], net.links[light])
    phases = nema_light(net, light).phases
    for one, two in [*product((1, 2), (5, 6)), *product((3, 4), (7, 8))]:
        first, second = phases.get(one, ""), phases.get(two, "")
        both = {(i, j) for i in green(first) for j in green(second) if first[i] == second[j] == "G" and i != j}
        assert not [(i, j) for i, j in both if rights.foes(i, j) and not rights.together(i, j)]


def test_a_street_that_ends_shows_its_phase_in_both_rings() -> None:
    phases = nema_light(net_of("resco/ingolstadt1"), "gneJ207").phases
    assert phases[4] == phases[8]
    assert 3 not in phases
    assert 7 not in phases


@pytest.mark.parametrize(("scenario", "told"), [("resco/cologne8", "three or four approaches"), ("resco/ingolstadt7", "two streets of opposing approaches")])
def test_where_there_are_no_rings_the_light_is_named(scenario: str, told: str) -> None:
    config = load_config(find_scenario(scenario))
    with pytest.raises(NotApplicableError, match=rf"light '[^']+': .*{told}"):
        nema_lights(config.net, config.additional, ())


def test_pedestrian_signals_are_refused() -> None:
    net = net_of("cross")
    only_feet = {name: dataclasses.replace(lane, allow=frozenset({"pedestrian"})) for name, lane in net.lanes.items()}
    net.lanes = only_feet
    with pytest.raises(NotApplicableError, match="times no pedestrian signals"):
        nema_light(net, "A0")


def test_the_file_is_what_sumo_reads(tmp_path: Path) -> None:
    write_nema([NemaLight("x", {2: "Gr", 4: "rG", 6: "Gr", 8: "rG"}, 3.0, 1.0)], tmp_path / "n.xml")
    logic = ET.parse(tmp_path / "n.xml").getroot()[0]
    params = {p.get("key"): p.get("value") for p in logic.iter("param")}
    assert logic.get("type") == "NEMA"
    assert (params["ring1"], params["ring2"], params["barrierPhases"]) == ("0,2,0,4", "0,6,0,8", "4,8")
    assert [(p.get("name"), p.get("yellow"), p.get("red")) for p in logic.iter("phase")] == [(n, "3", "1") for n in "2468"]


@pytest.mark.sim
def test_sumo_runs_it_and_keeps_the_ambers(tmp_path: Path) -> None:
    case = cases_of(Request("cross", ("sumo-nema",), end_s=900.0, output=tmp_path))[0]
    record = run_one(case, lambda _now_s, _end_s: None, lambda _text: None)
    assert record["finished"] > 300
    assert record["collisions"] == 0
    states = re.findall(r'time="([\d.]+)"[^>]*state="([^"]+)"', (tmp_path / "tls_states.xml").read_text(encoding="utf-8"))
    shown = [state for _, state in states]
    assert any("y" in state for state in shown)
    for before, after in pairwise(shown):
        assert not [k for k, (b, a) in enumerate(zip(before, after, strict=True)) if b in "gG" and a == "r"], "green went to red without amber"


@pytest.mark.sim
def test_street_rules_are_not_applicable(tmp_path: Path) -> None:
    case = cases_of(Request("cross", ("sumo-nema",), rules="street", end_s=60.0, output=tmp_path))[0]
    with pytest.raises(NotApplicableError, match="street rules replace"):
        run_one(case, lambda _now_s, _end_s: None, lambda _text: None)
