"""Every light of every net we know imports and validates, or is refused with a reason; and SUMO agrees with what was read."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Literal

import libsumo
import pytest
import sumolib
from support_nets import RESCO_NAMES, all_nets, game, resco, rilsa

from controller.errors import ScenarioError
from controller.junction import Junction
from scenarios.importer import import_lights
from scenarios.loops import PREFIX, write_loops
from scenarios.net_reader import read_logics, read_net
from scenarios.programme import GREEN
from scenarios.relations import RightOfWay

REFUSED = {"spreewaldring.net.xml": "found none", "rail_demo": "only railway signals"}
NETS = all_nets()
IDS = [f"{net.parent.name}{'+' if more else ''}" for net, more in NETS]


@pytest.mark.parametrize(("net", "more"), NETS, ids=IDS)
@pytest.mark.parametrize("rules", ["net", "published", "street"])
def test_imports_and_validates_or_is_refused(net: Path, more: tuple[Path, ...], rules: Literal["net", "published", "street"]) -> None:
    reason = next((r for name, r in REFUSED.items() if name in (net.name, net.parent.name)), None)
    if reason is not None:
        with pytest.raises(ScenarioError, match=reason):
            import_lights(net, rules=rules)
        return
    for junction in import_lights(net, rules=rules, programmes=more).junctions:
        assert junction.validate() == []
        assert junction.nodes[0].stages
        assert_no_foes_protected_together(junction)


def assert_no_foes_protected_together(junction: Junction) -> None:
    permitted = {frozenset((p.yielding, p.priority)) for p in junction.permissions}
    conflicting = {frozenset(pair) for pair in junction.intergreen_ms}
    assert not permitted & conflicting
    for stage in junction.nodes[0].stages:
        assert not {frozenset(pair) for pair in combinations(stage.green, 2)} & conflicting


@pytest.mark.parametrize("name", RESCO_NAMES)
def test_foes_are_those_that_sumolib_reads(name: str) -> None:
    """sumolib counts the requests its own way; RESCO's nets have no crossings, where it would differ."""
    net = read_net(resco(name))
    theirs = sumolib.net.readNet(str(resco(name)), withFoes=True, withConnections=True)
    for light, links in list(net.links.items())[:6]:
        rights = RightOfWay(net, net.logics[light], links)
        by_link: dict[int, list[tuple[object, int]]] = {}
        for a, b, index in theirs.getTLS(light).getConnections():
            connection = next(c for c in a.getOutgoing() if c.getToLane() is b)
            node = a.getEdge().getToNode()
            by_link.setdefault(index, []).append((node, node.getLinkIndex(connection)))
        for i, j in combinations(sorted(links), 2):
            pairs = [(n, p, q) for n, p in by_link[i] for m, q in by_link[j] if n is m]
            same_lane = {c.from_lane for c in links[i]} & {c.from_lane for c in links[j]}
            if not same_lane and len({n for n, _, _ in pairs}) == 1 and len(pairs) == len(by_link[i]) * len(by_link[j]):
                assert rights.foes(i, j) == any(n.areFoes(p, q) for n, p, q in pairs)  # type: ignore[attr-defined]


@pytest.mark.sim
@pytest.mark.parametrize("name", RESCO_NAMES)
def test_sumo_loads_the_loops_where_we_said(name: str, tmp_path: Path) -> None:
    junctions = import_lights(resco(name)).junctions
    path = tmp_path / "loops.add.xml"
    write_loops(junctions, path)
    libsumo.start(["sumo", "-n", str(resco(name)), "-a", str(path), "--no-step-log", "--no-warnings"])
    try:
        for _ in range(10):
            libsumo.simulationStep()
        loops = [d for j in junctions for d in j.detectors]
        assert set(libsumo.inductionloop.getIDList()) == {PREFIX + d.id for d in loops}
        for d in loops:
            assert d.place is not None
            assert libsumo.inductionloop.getLaneID(PREFIX + d.id) == d.place[0]
            assert libsumo.inductionloop.getPosition(PREFIX + d.id) == pytest.approx(d.place[1], abs=0.01)
    finally:
        libsumo.close()
    assert [p.name for p in tmp_path.iterdir()] == ["loops.add.xml"]


@pytest.mark.sim
@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_sumo_runs_the_programme_we_read(number: int) -> None:
    net, more = rilsa(number)
    assert_same_programmes(net, (more,))


@pytest.mark.sim
@pytest.mark.parametrize("folder", ["fkk_in", "fokr_bs_demo", "cross", "square"])
def test_sumo_runs_the_programme_we_read_in_the_games(folder: str) -> None:
    for net, more in game():
        if net.parent.name == folder:
            assert_same_programmes(net, more)


def assert_same_programmes(net: Path, more: tuple[Path, ...]) -> None:
    logics = read_net(net).logics | {logic.light: logic for path in more for logic in read_logics(path)}
    files = ["-a", ",".join(map(str, more))] if more else []
    libsumo.start(["sumo", "-n", str(net), *files, "--no-step-log", "--no-warnings", "--xml-validation", "never"])
    try:
        for light in libsumo.trafficlight.getIDList():
            if light not in logics:
                continue
            running = libsumo.trafficlight.getProgram(light)
            assert running == logics[light].programme
            phases = next(x for x in libsumo.trafficlight.getAllProgramLogics(light) if x.programID == running).phases
            assert [(p.state, round(p.duration * 1000)) for p in phases] == [(p.state, p.duration_ms) for p in logics[light].phases]
            assert any(letter in GREEN for p in logics[light].phases for letter in p.state)
    finally:
        libsumo.close()
