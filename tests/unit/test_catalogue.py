from __future__ import annotations

import importlib.util
from collections import Counter
from pathlib import Path

import pytest

from controller.errors import ConfigError, MissingError, ScenarioError
from scenarios.case import FAILS, STALLS, Case, check_control, parse_address
from scenarios.catalogue import catalogue, find_scenario, load_config, measure_size
from scenarios.config import SumoConfig
from scenarios.demand import HOUR_S, RILSA, trips_xml
from scenarios.simulate import parse_seeds
from scenarios.stress import STRESS, routes_xml


def test_names_rules_and_ambers() -> None:
    known = {scenario.name: scenario for scenario in catalogue()}
    assert len(known) == 21
    assert known["resco/arterial4x4"].published_amber_s == 2.0
    assert known["resco/cologne1"].published_amber_s == 3.0
    assert {scenario.rules for name, scenario in known.items() if name.startswith("resco/")} == {"published"}
    assert {scenario.rules for name, scenario in known.items() if not name.startswith("resco/")} == {"net"}


def test_unknown_names_are_answered_with_the_nearest() -> None:
    with pytest.raises(ScenarioError, match="did you mean 'resco/cologne1'"):
        find_scenario("cologne1")
    with pytest.raises(ConfigError, match="did you mean 'adaptive'"):
        check_control("adaptve")


def test_resco_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def find(name: str, package: str | None = None) -> None:
        del name, package

    monkeypatch.setattr(importlib.util, "find_spec", find)
    with pytest.raises(MissingError, match=r"pip install --no-deps sumo-rl==1\.4\.5"):
        load_config(find_scenario("resco/cologne1"))


@pytest.mark.parametrize(("name", "total"), [("rilsa1", 2170), ("rilsa2", 3466), ("rilsa3", 2715), ("rilsa4", 2334)])
def test_rilsa_demand_has_exactly_the_counted_vehicles(name: str, total: int) -> None:
    text = trips_xml(RILSA[name])
    assert text.count("<trip ") == total
    assert text == trips_xml(RILSA[name])
    trucks = sum(round(stream.vehicles * stream.trucks_pct / 100) for stream in RILSA[name])
    assert text.count('type="truck"') == trucks
    departures = [float(part.split('"')[0]) for part in text.split('depart="')[1:]]
    assert departures == sorted(departures)
    assert departures[-1] < HOUR_S


def test_built_scenarios_are_cached_and_sized(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    config = load_config(find_scenario("cross"))
    assert config.path.is_relative_to(tmp_path)
    size = measure_size(config)
    assert (size.lights, size.vehicles) == (1, 2200)
    stamp = config.net.stat().st_mtime_ns
    assert load_config(find_scenario("cross")).net.stat().st_mtime_ns == stamp


def test_size_counts_flows_by_what_falls_into_the_window(tmp_path: Path) -> None:
    net, routes = tmp_path / "n.net.xml", tmp_path / "r.rou.xml"
    net.write_text('<net><edge id=":i" function="internal"><lane id=":i_0"/></edge><edge id="a" from="x"><lane id="a_0"/></edge><tlLogic id="t"/></net>')
    routes.write_text(
        '<routes><vehicle id="v" depart="10"/><trip id="early" depart="-1"/><trip id="late" depart="200"/>'
        '<flow id="n" begin="0" end="200" number="40"/><flow id="h" begin="50" vehsPerHour="360"/><flow id="p" end="100" period="exp(0.1)"/></routes>'
    )
    config = SumoConfig(tmp_path / "c", net, (routes,), (), 0.0, 100.0, 1.0, {})
    size = measure_size(config)
    assert (size.lights, size.edges, size.lanes) == (1, 1, 1)
    assert size.vehicles == 1 + 20 + 5 + 10


@pytest.mark.parametrize(("text", "seeds"), [("3", (3,)), ("1,2,2", (1, 2)), ("1-3,7", (1, 2, 3, 7))])
def test_seeds_as_lists_and_ranges(text: str, seeds: tuple[int, ...]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["x", "", "3-1"])
def test_wrong_seeds_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--seed"):
        parse_seeds(text)


@pytest.mark.parametrize("text", ["localhost", "localhost:", ":8813", "h:0", "h:99999"])
def test_wrong_addresses_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="expected HOST:PORT"):
        parse_address(text)


def test_a_case_survives_its_way_to_the_child() -> None:
    case = Case("cross", "c.sumocfg", "fixed", "f", seed=3, tls=("a", "b"), end_s=12.5)
    assert Case.from_json(case.to_json()) == case


def test_streets_have_pockets_and_demand_from_every_entry() -> None:
    from scenarios.build import STREETS
    from scenarios.streets import entries, through_and_turning

    for layout, main, side, turning in STREETS.values():
        streams = through_and_turning(layout, main, side, turning)
        origins = Counter[str]()
        for stream in streams:
            origins[stream.origin] += stream.vehicles
        expected = {into: (main if place in "ew" else side) for place, streets in entries(layout).items() for into, _ in streets}
        assert dict(origins) == expected


def test_stress_worlds_are_described_and_travel_to_the_child_with_their_outages() -> None:
    known = {scenario.name: scenario for scenario in catalogue() if scenario.name.startswith("stress/")}
    assert set(known) == {f"stress/{name}" for name in ("starvation", "blocked-exit", "turners", "lock", "near", "fallback")}
    assert all(scenario.about for scenario in known.values())
    outages = known["stress/fallback"].outages
    assert {outage.kind for outage in outages} == {FAILS, STALLS}
    case = Case("stress/fallback", "x.sumocfg", "adaptive", "out", outages=outages)
    assert Case.from_json(case.to_json()) == case


def test_a_lorry_of_a_stress_world_stops_on_its_exit_and_times_are_within_the_window() -> None:
    for one in STRESS.values():
        assert max(flow.end_s for flow in one.flows) <= one.end_s
        text = routes_xml(one.flows)
        assert text.count("<flow ") == len(one.flows)
        assert text.count("<stop ") == sum(1 for flow in one.flows if flow.stop_s)
        begins = [float(part.split('"')[0]) for part in text.split('begin="')[1:]]
        assert begins == sorted(begins), "SUMO reads a route file in order of time"
