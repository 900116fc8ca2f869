"""Where the loops lie: rules that hold on every net, and tiny nets with the traps."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from itertools import combinations
from pathlib import Path

import pytest
from support_nets import RESCO_NAMES, resco, tiny_net

from controller.errors import ScenarioError
from controller.junction import Detector, Junction, Purpose
from scenarios.approaches import upstream
from scenarios.importer import import_lights
from scenarios.loops import SPACING_M, write_loops
from scenarios.net_reader import read_net
from scenarios.relays import NEAR_M

GOOD = ["30 Grg", "3 yry", "20 rGr", "3 ryr"]


def stations(junction: Junction, lane: str) -> list[Detector]:
    return sorted((d for d in junction.detectors if lane in d.lanes and d.purpose is not Purpose.EXIT), key=lambda d: d.distance_m)


def tiny(tmp_path: Path, **options: float) -> Junction:
    return import_lights(tiny_net(tmp_path / "n.net.xml", GOOD, **options)).junctions[0]


@pytest.mark.parametrize("name", RESCO_NAMES)
def test_every_loop_lies_on_its_lane_and_apart_from_others(name: str) -> None:
    net = read_net(resco(name))
    for junction in import_lights(resco(name)).junctions:
        by_lane: dict[str, list[tuple[float, Detector]]] = {}
        for d in junction.detectors:
            assert d.place is not None
            lane, pos_m = d.place
            assert 0.0 <= pos_m <= net.lanes[lane].length_m - d.length_m
            by_lane.setdefault(lane, []).append((pos_m, d))
        for loops in by_lane.values():
            for (a, first), (b, second) in combinations(loops, 2):
                if Purpose.EXIT not in (first.purpose, second.purpose) and set(first.lanes) & set(second.lanes):
                    assert abs(a - b) >= SPACING_M - 1.0


@pytest.mark.parametrize("name", RESCO_NAMES)
def test_every_approach_lane_is_seen_at_its_stop_line(name: str) -> None:
    for junction in import_lights(resco(name)).junctions:
        for lane in junction.lanes:
            found = stations(junction, lane.id)
            assert found[0].purpose is Purpose.STOP
            assert found[0].distance_m <= 10.0
            assert len([d for d in found if d.purpose is Purpose.ENTRY]) <= 4


@pytest.mark.parametrize("name", RESCO_NAMES)
def test_upstream_loops_lie_farther_out_and_never_in_a_circle(name: str) -> None:
    for junction in import_lights(resco(name)).junctions:
        by_id = {d.id: d for d in junction.detectors}
        assert len(by_id) == len(junction.detectors)

        def depth(loop: str, known: dict[str, Detector] = by_id, path: tuple[str, ...] = ()) -> int:
            assert loop not in path
            return 1 + max((depth(u, known, (*path, loop)) for u in known[loop].upstream), default=0)

        assert max(map(depth, by_id)) <= 5
        for d in junction.detectors:
            assert (d.purpose is Purpose.ENTRY) <= (d.upstream == ())


def test_stations_of_a_long_lane(tmp_path: Path) -> None:
    junction = tiny(tmp_path)
    assert [(d.purpose.value, d.distance_m, d.place) for d in stations(junction, "S_0")] == [
        ("stop", 1.0, ("S_0", 197.0)),
        ("advance", 45.0, ("S_0", 153.0)),
        ("advance", 120.0, ("S_0", 78.0)),
        ("entry", 183.0, ("S_0", 15.0)),
    ]


def test_entry_keeps_clear_of_where_vehicles_are_inserted(tmp_path: Path) -> None:
    """S begins in the net: its entry loop lies 15 m after the begin. F is longer than the range: 300 m from the line."""
    junction = tiny(tmp_path)
    entry = stations(junction, "W_0")[-1]
    assert entry.place == ("F_0", pytest.approx(210.0 - (300.0 - 110.0) - 2.0))
    assert entry.distance_m == 300.0


def test_u_turn_onto_the_approach_is_not_followed(tmp_path: Path) -> None:
    net = read_net(tiny_net(tmp_path / "n.net.xml", GOOD))
    assert [s.lane.id for s in upstream(net, "W_0")] == ["W_0", "F_0"]


def test_stop_loop_of_a_lane_too_short_lies_inside_the_junction_before(tmp_path: Path) -> None:
    """A lane of 0.5 m after 10 m inside junction M: the loop begins 1 m before the line, so at 10 - 0.5 - 2 on the internal lane."""
    stop = stations(tiny(tmp_path, stop_m=0.5), "W_0")[0]
    assert stop.place == (":M_0_0", 7.5)
    assert stop.distance_m == 1.0


def test_stop_loop_goes_on_upstream_where_the_inside_is_short_too(tmp_path: Path) -> None:
    stop = stations(tiny(tmp_path, stop_m=0.5, inside_m=0.4), "W_0")[0]
    assert stop.place == ("F_0", pytest.approx(210.0 - 2.1))
    assert stop.distance_m == pytest.approx(1.0)


def test_who_turns_back_onto_a_lane_too_short_for_a_loop_is_seen_on_the_turning_lane(tmp_path: Path) -> None:
    """The U-turn has a lane of its own of 4.67 m: its loop begins 1 m before the line, too, and nothing lies farther up its way."""
    path = tiny_net(tmp_path / "n.net.xml", GOOD, stop_m=0.2)
    turn = '<edge id=":M_1" function="internal"><lane id=":M_1_0" index="0" speed="3.65" length="4.67" shape="-110,5 -110,0"/></edge>'
    text = path.read_text().replace(
        '<connection from="-W" to="W" fromLane="0" toLane="0" via=":M_0_0"', '<connection from="-W" to="W" fromLane="0" toLane="0" via=":M_1_0"'
    )
    path.write_text(text.replace("<tlLogic", f"{turn}<tlLogic"))
    (junction,) = import_lights(path).junctions
    stops = [d for d in stations(junction, "W_0") if d.purpose is Purpose.STOP]
    assert [d.place for d in stops] == [(":M_0_0", 7.2), (":M_1_0", pytest.approx(1.87))]
    assert [d.upstream for d in stops] == [("J/F_0/45m",), ()]
    own = import_lights(tiny_net(tmp_path / "long.net.xml", GOOD, stop_m=3.5)).junctions[0]
    assert not any((d.place or ("",))[0].startswith(":") for d in own.detectors)


def test_exit_loop_needs_storage(tmp_path: Path) -> None:
    junction = tiny(tmp_path)
    assert {(d.lanes, d.place) for d in junction.detectors if d.purpose is Purpose.EXIT} == {(("E_0",), ("E_0", 28.0)), (("N_0",), ("N_0", 28.0))}
    assert {e.id: e.storage_m for e in junction.exits} == {"E_0": 100.0, "N_0": 100.0}
    short = tiny_net(tmp_path / "s.net.xml", GOOD)
    short.write_text(short.read_text().replace('id="E_0" index="0" speed="13.89" length="100.0"', 'id="E_0" index="0" speed="13.89" length="40.0"'))
    loops = import_lights(short).junctions[0].detectors
    assert [d.lanes for d in loops if d.purpose is Purpose.EXIT] == [("N_0",)]


def test_one_loop_where_the_road_widens_after_it() -> None:
    """ingolstadt7: three lanes behind one, seen by one loop 45 m out."""
    junction = next(j for j in import_lights(resco("ingolstadt7")).junctions if j.id.startswith("cluster_306484187"))
    (shared,) = (d for d in junction.detectors if d.place is not None and d.place[0] == "285716192#0_1" and d.distance_m == 45.0)
    assert shared.lanes == ("285716192#0.83_1", "285716192#0.83_2", "285716192#0.83_3")


def test_additional_file_names_every_loop(tmp_path: Path) -> None:
    junction = tiny(tmp_path)
    path = tmp_path / "loops & more.add.xml"
    write_loops([junction], path)
    loops = ET.parse(path).getroot().findall("inductionLoop")
    assert [x.get("id") for x in loops] == [f"umlauf:{d.id}" for d in junction.detectors]
    assert {x.get("length") for x in loops} == {"2.00"}


def test_additional_file_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="cannot be written"):
        write_loops([tiny(tmp_path)], tmp_path / "none" / "x.add.xml")


def test_a_short_exit_borrows_the_loops_of_the_light_it_leads_to() -> None:
    """ingolstadt21: two lights 12 m apart, so each exit between them holds one vehicle, which covers the other light's stop loop."""
    by_id = {j.id: j for j in import_lights(resco("ingolstadt21")).junctions}
    for light, other, lane in (("243641585", "gneJ257", "-174800513_2"), ("gneJ257", "243641585", "174800513_1")):
        (stop,) = stations(by_id[other], lane)
        (borrowed,) = (d for d in by_id[light].detectors if d.purpose is Purpose.EXIT and d.lanes == (lane,))
        assert borrowed.place == stop.place
        assert borrowed.relayed_by == other
        assert borrowed.distance_m == pytest.approx(12.1 - stop.distance_m, abs=0.1)


@pytest.mark.parametrize("name", RESCO_NAMES)
def test_exits_have_one_loop_at_most_and_borrowed_ones_lie_near(name: str) -> None:
    junctions = import_lights(resco(name)).junctions
    own = {(j.id, d.place) for j in junctions for d in j.detectors if d.purpose is not Purpose.EXIT}
    for junction in junctions:
        loops = [d for d in junction.detectors if d.purpose is Purpose.EXIT]
        lanes = [lane for d in loops for lane in d.lanes]
        assert len(lanes) == len(set(lanes))
        for d in loops:
            assert not d.relayed_by or (d.relayed_by, d.place) in own
            if (d.relayed_by or junction.id, d.place) in own:
                assert d.distance_m <= NEAR_M


@pytest.mark.parametrize(
    ("classes", "weight"),
    [
        ('allow="bus"', 40.0),
        ('allow="tram rail_urban"', 40.0),
        ('allow="bus taxi emergency authority"', 40.0),
        ('allow="bus bicycle"', 1.0),
        ('allow="bus passenger"', 1.0),
        ('allow="bicycle"', 1.0),
        ('disallow="pedestrian"', 1.0),
        ("", 1.0),
    ],
)
def test_lanes_of_buses_and_trams_weigh_by_their_persons(tmp_path: Path, classes: str, weight: float) -> None:
    lanes = import_lights(tiny_net(tmp_path / "n.net.xml", GOOD, disallow=classes)).junctions[0].lanes
    assert {x.id: x.person_weight for x in lanes} == {"W_0": 1.0, "S_0": weight}
