"""The importer against nets read by hand, and against tiny nets with one speciality each."""

from __future__ import annotations

from pathlib import Path

import pytest
from support_nets import resco, rilsa, tiny_net

from controller.junction import Direction, Junction, Onward
from hardware.signals import GroupKind
from scenarios.importer import ImportResult, import_lights
from scenarios.intergreens import Rules


def one(result: ImportResult) -> Junction:
    (junction,) = result.junctions
    return junction


def greens(junction: Junction) -> list[set[int]]:
    """Return the stages as sets of links."""
    links = {g.id: g.links for g in junction.groups}
    return [{k for g in s.green for k in links[g]} for s in junction.nodes[0].stages]


def of_link(junction: Junction, link: int) -> str:
    return next(g.id for g in junction.groups if link in g.links)


def test_cologne1_by_hand() -> None:
    junction = one(import_lights(resco("cologne1")))
    assert [g.links for g in junction.groups] == [(0, 1, 2, 10, 11, 12), (3, 4, 13, 14), (5, 6, 7, 15, 16, 17), (8, 9, 18, 19)]
    assert [(s.id, s.green) for s in junction.nodes[0].stages] == [("A", ("S3", "S4")), ("B", ("S4",)), ("C", ("S1", "S2")), ("D", ("S2",))]
    assert [(s.stage, s.green_ms) for s in junction.nodes[0].programmes[0].steps] == [("A", 29000), ("B", 6000), ("C", 29000), ("D", 6000)]
    assert {(p.yielding, p.priority) for p in junction.permissions} == {("S2", "S1"), ("S4", "S3")}
    assert {g.amber_ms for g in junction.groups} == {5000}
    assert {i.intergreen_ms for i in junction.intergreens} == {5000}
    sides = (("S1", "S2"), ("S3", "S4"))
    expected = {(a, b) for one_side, other in (sides, sides[::-1]) for a in one_side for b in other}
    assert {(i.clearing, i.entering) for i in junction.intergreens} == expected
    left = next(m for m in junction.movements if m.lane == "-32038056#3_1" and m.direction is Direction.LEFT)
    assert left.exit == "32324544#0_1"
    assert left.yields_to == ("28198821#3_0", "28198821#3_1")
    assert left.crossing_m == pytest.approx(28.2, abs=0.01)


def test_ingolstadt1_by_hand() -> None:
    junction = one(import_lights(resco("ingolstadt1"), rules="published"))
    assert greens(junction) == [{0, 1, 2, 3, 5, 6, 7}, {0, 1, 2}, {3, 4, 5}]
    assert [s.green_ms for s in junction.nodes[0].programmes[0].steps] == [38000, 6000, 37000]
    assert {g.amber_ms for g in junction.groups} == {3000}
    assert {i.intergreen_ms for i in junction.intergreens} == {3000}
    # Link 2 turns left across 5, 6 and 7, and never runs with 4; 3 and 5 keep their green from A into C.
    left = of_link(junction, 2)
    assert {(p.yielding, p.priority) for p in junction.permissions} == {(left, of_link(junction, 5)), (left, of_link(junction, 6))}


def test_grid4x4_has_eight_stages_and_turns_on_red() -> None:
    result = import_lights(resco("grid4x4"), tls=["A0"])
    junction = one(result)
    assert len(junction.groups) == 12
    assert {g.links[0] for g in junction.groups if g.turn_on_red} == {0, 9, 18, 27}
    assert greens(junction)[0] == {0, 1, 2, 3, 4, 5, 18, 19, 20, 21, 22, 23}
    assert len(greens(junction)) == 8
    assert junction.permissions == ()


def test_arterial4x4_takes_the_published_amber() -> None:
    junction = import_lights(resco("arterial4x4"), rules="published", published_amber_s=2.0).junctions[0]
    assert {g.amber_ms for g in junction.groups} == {2000}
    assert {i.intergreen_ms for i in junction.intergreens} == {2000}


def test_ingolstadt21_minimum_green_is_what_the_file_says() -> None:
    junction = one(import_lights(resco("ingolstadt21"), tls=["89173763"]))
    minimum = {of_link(junction, k): junction.group_by_id[of_link(junction, k)].min_green_ms for k in (0, 2, 3, 5)}
    assert sorted(minimum.values()) == [5000, 5000, 10000, 10000]


def test_stage_with_a_green_that_turns_amber_is_no_stage() -> None:
    """Phases of ingolstadt21's 243641585: rGgG, rGgy, rGGr, ryyr, Grrr, yrrr; four indices with ten connections."""
    junction = one(import_lights(resco("ingolstadt21"), tls=["243641585"]))
    assert greens(junction) == [{1, 2, 3}, {1, 2}, {0}]
    assert [s.green_ms for s in junction.nodes[0].programmes[0].steps] == [20_000, 30_000, 26_000]
    assert [(p.yielding, p.priority) for p in junction.permissions] == [(of_link(junction, 2), of_link(junction, 3))]
    assert len(junction.movements) == 10


@pytest.mark.parametrize(("rules", "waits"), [("net", False), ("published", False), ("street", True)])
def test_ingolstadt7_neighbours_whose_ways_cross_let_each_other_pass(rules: Rules, waits: bool) -> None:
    """Two left turning lanes of one edge cross, both 'G'. Without right of way they meet inside; but the two queues move together, so nobody plans a gap."""
    result = import_lights(resco("ingolstadt7"), rules=rules, tls=["gneJ210"])
    junction = one(result)
    pair = (of_link(junction, 6), of_link(junction, 8))
    assert pair in {(p.yielding, p.priority) for p in junction.permissions}
    assert pair not in junction.intergreen_ms
    assert any("32021112#0_3" in {lane for lane, _ in junction.gives_way_to(m)} for m in junction.movements if m.lane == "32021112#0_2") is waits
    assert any("link 6" in w and "link 8" in w and "gneJ210" in w for w in result.warnings)


def test_ingolstadt7_transitions_are_no_stages() -> None:
    """The phases 'GGyy' and 'GGyyyy' of the big cluster keep greens on while others clear."""
    result = import_lights(resco("ingolstadt7"))
    junction = next(j for j in result.junctions if j.id.startswith("cluster_306484187"))
    assert greens(junction) == [{8, 9, 10, 11}, {4, 5, 6, 7, 8, 9}, {0, 1, 2, 3, 4, 5}]
    assert junction.intergreen_ms[of_link(junction, 10), of_link(junction, 4)] == 3000


def test_rilsa_example_1_with_its_programme() -> None:
    net, programme = rilsa(1)
    junction = one(import_lights(net, programmes=[programme]))
    assert greens(junction) == [{3, 4, 5, 9, 10, 11}, {0, 1, 2, 6, 7, 8}]
    # 3 s of amber and twice all-red (2 s, then 5 s) before the next green.
    assert {i.intergreen_ms for i in junction.intergreens} == {10000}


def test_rilsa_example_3_off_letters_are_a_turn_on_red() -> None:
    net, programme = rilsa(3)
    junction = one(import_lights(net, programmes=[programme]))
    assert {g.links for g in junction.groups if g.turn_on_red} == {(5,)}
    assert greens(junction) == [{9, 10, 11}, {3, 4, 5}, {0, 1, 2, 6, 7, 8}]


def test_foes_of_one_column_are_two_groups(tmp_path: Path) -> None:
    result = import_lights(tiny_net(tmp_path / "n.net.xml", ["30 GGG", "3 yyy", "20 rrr"]), rules="street")
    junction = one(result)
    assert [g.links for g in junction.groups] == [(0, 2), (1,)]
    assert any("both 'G'" in w for w in result.warnings)
    assert ("S1", "S2") in {(p.yielding, p.priority) for p in junction.permissions}


@pytest.mark.parametrize(("green", "yielding"), [("GGg", {(2, 1)}), ("GgG", {(1, 2)}), ("GGG", set())])
def test_who_is_shown_a_capital_g_does_not_yield_whatever_the_matrix_says(tmp_path: Path, green: str, yielding: set[tuple[int, int]]) -> None:
    """By the tiny net's matrix link 2 gives way to link 1."""
    junction = one(import_lights(tiny_net(tmp_path / "n.net.xml", [f"30 {green}", "3 yyy", "20 rrr"])))
    found = {(p.yielding, p.priority) for p in junction.permissions}
    groups = {(a, b): (of_link(junction, a), of_link(junction, b)) for a, b in ((1, 2), (2, 1))}
    assert {links for links, pair in groups.items() if pair in found} == yielding


def test_net_rules_take_the_shortest_gap_that_the_programme_shows(tmp_path: Path) -> None:
    net = tiny_net(tmp_path / "n.net.xml", ["30 Grr", "4 yrr", "2 rrr", "20 rGr", "3 rrr", "10 rrG", "3 rry"])
    junction = one(import_lights(net))
    assert junction.group_by_id["S1"].amber_ms == 4000
    assert junction.group_by_id["S2"].amber_ms == 3000  # its programme shows none: 3 s
    assert junction.intergreen_ms["S1", "S2"] == 6000  # 4 s amber and 2 s all-red
    assert junction.intergreen_ms["S2", "S1"] == 6000  # over a stage, so derived: 3 s amber and the longest all-red, 3 s
    assert junction.intergreen_ms["S2", "S3"] == 3000
    assert junction.intergreen_ms["S3", "S2"] == 6000


def test_red_amber_is_imported(tmp_path: Path) -> None:
    net = tiny_net(tmp_path / "n.net.xml", ["30 Grr", "3 yrr", "2 rur", "20 rGG", "3 ryy"])
    junction = one(import_lights(net))
    assert junction.group_by_id["S2"].red_amber_ms == 2000
    assert junction.intergreen_ms["S1", "S2"] == 5000


def test_direct_green_to_red_without_amber(tmp_path: Path) -> None:
    junction = one(import_lights(tiny_net(tmp_path / "n.net.xml", ["30 Grr", "20 rGr", "20 rrG"])))
    assert greens(junction) == [{0}, {1}, {2}]
    assert {g.amber_ms for g in junction.groups} == {3000}
    assert {i.intergreen_ms for i in junction.intergreens} == {3000}


def test_green_held_over_a_clearing_phase_is_no_stage(tmp_path: Path) -> None:
    net = tiny_net(tmp_path / "n.net.xml", ["30 GrG", "8 Grr", "20 Grs", "3 yrr", "20 rGr", "3 ryr"])
    assert greens(one(import_lights(net)))[0] == {0, 2}


def test_unserved_link_imports_with_a_warning(tmp_path: Path) -> None:
    result = import_lights(tiny_net(tmp_path / "n.net.xml", ["30 Grr", "3 yrr", "20 rGr", "3 ryr"]))
    assert any("never serves link 2" in w for w in result.warnings)
    assert one(result).validate() == []


def test_unused_index_is_in_no_group(tmp_path: Path) -> None:
    junction = one(import_lights(tiny_net(tmp_path / "n.net.xml", ["30 GrgG", "3 yryG", "20 rGrG", "3 ryrG"])))
    assert sorted(k for g in junction.groups for k in g.links) == [0, 1, 2]


def test_kinds_by_who_may_use_the_lane(tmp_path: Path) -> None:
    phases = ["30 Grg", "3 yry", "20 rGr", "3 ryr"]
    found = {}
    for name, classes in {"bicycle": "bicycle", "transit": "bus tram", "vehicle": "bus passenger"}.items():
        net = tiny_net(tmp_path / f"{name}.net.xml", phases, disallow=f'allow="{classes}"')
        found[name] = one(import_lights(net)).group_by_id["S2"].kind.value
    assert found == {name: name for name in found}


def test_pedestrian_crossings_import_with_their_clearance() -> None:
    from support_nets import game

    net = next(path for path, _ in game() if path.name == "fokr_bs.net.xml.gz")
    junction = one(import_lights(net))
    walkers = [g for g in junction.groups if g.kind is GroupKind.PEDESTRIAN]
    assert walkers
    assert all(g.amber_ms == 0 and g.clearance_ms > 0 for g in walkers)
    for g in walkers:
        assert all(i.intergreen_ms >= g.clearance_ms for i in junction.intergreens if i.clearing == g.id)


def test_railway_signals_are_left_out_with_a_warning_that_names_them(tmp_path: Path) -> None:
    rail = '<junction id="R" type="rail_signal" x="0" y="0" incLanes="" intLanes=""/>'
    result = import_lights(tiny_net(tmp_path / "n.net.xml", ["30 Grg", "3 yry", "20 rGr", "3 ryr"], extra=rail))
    assert any("R" in w and "Railway" in w for w in result.warnings)
    assert one(result).id == "J"


def test_later_programme_replaces_the_nets_own(tmp_path: Path) -> None:
    net = tiny_net(tmp_path / "n.net.xml", ["30 Grg", "3 yry", "20 rGr", "3 ryr"])
    own = tmp_path / "own.add.xml"
    phases = '<phase duration="12" state="GrG"/><phase duration="15" state="rGr"/>'
    own.write_text(f'<tlLogic id="J" type="static" programID="mine" offset="0:10">{phases}</tlLogic>', encoding="utf-8")
    programme = one(import_lights(net, programmes=[own])).nodes[0].programmes[0]
    assert programme.id == "mine"
    assert programme.offset_ms == 10_000
    assert [s.green_ms for s in programme.steps] == [12_000, 15_000]


def test_hash_changes_with_the_net(tmp_path: Path) -> None:
    phases = ["30 Grg", "3 yry", "20 rGr", "3 ryr"]
    first = one(import_lights(tiny_net(tmp_path / "a.net.xml", phases))).net_hash
    again = one(import_lights(tiny_net(tmp_path / "b.net.xml", phases))).net_hash
    longer = one(import_lights(tiny_net(tmp_path / "c.net.xml", phases, stop_m=101.0))).net_hash
    timed = one(import_lights(tiny_net(tmp_path / "d.net.xml", ["31 Grg", *phases[1:]]))).net_hash
    assert first == again
    assert len({first, longer, timed}) == 3


def test_exits_know_the_neighbour_that_they_lead_to() -> None:
    junction = one(import_lights(resco("grid4x4"), tls=["A1"]))
    onward = {x.id: x.onward for x in junction.exits}
    assert onward["A1A0_0"] == onward["A1A0_2"] == (Onward("A0", ("A1A0_0", "A1A0_1", "A1A0_2"), 272.8),)
    assert onward["A1left1_0"] == (), "it leaves the net"
    assert {o.junction for found in onward.values() for o in found} == {"A0", "A2", "B1"}


def test_the_way_on_is_followed_through_what_has_no_light() -> None:
    """In cologne3 some exits lead over several edges to the next light, whose stop line is measured along all of them."""
    found = import_lights(resco("cologne3"), rules="published").junctions
    lanes = {j.id: {x.id for x in j.lanes} for j in found}
    onward = [(j.id, x.storage_m, o) for j in found for x in j.exits for o in x.onward]
    assert onward
    for _, _, o in onward:
        assert o.lanes
        assert set(o.lanes) <= lanes[o.junction]
    assert any(o.way_m > storage_m + 1.0 for _, storage_m, o in onward)
