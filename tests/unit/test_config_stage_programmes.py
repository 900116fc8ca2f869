"""Programmes that we write for SUMO to drive: safe by the interlock's own rules, cycle kept, order kept."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from support_sumo import cross, cross_junction

from controller.errors import ScenarioError
from hardware.fake import FakeHeads
from hardware.registry import open_site
from hardware.signals import Aspect, Frame
from hardware.sumo_heads import ASPECT_OF_LETTER
from scenarios.importer import import_lights
from scenarios.programmes import TlPhase, TlProgramme, actuated, read_programmes, write_programmes
from scenarios.stage_programmes import programme_of, street_programme
from scenarios.webster import lane_demands, tuned_programmes

SECOND_MS = 1000


def shown_through_the_interlock(programme: TlProgramme, rules: str = "street") -> int:
    """Show two cycles of the programme, second by second, behind an interlock that refuses any breach; return its refusals."""
    junction = import_lights(cross().net, rules=rules).junctions[0]
    heads = FakeHeads(junction.site_spec())
    guarded = open_site(junction.site_spec(), heads, now_ms=0)
    now_ms = 0
    red = (Aspect.RED,) * len(junction.groups)
    while now_ms < 60 * SECOND_MS:
        guarded.show(Frame(now_ms, red), now_ms)
        now_ms += SECOND_MS
    for phase in [*programme.phases, *programme.phases]:
        aspects = tuple(ASPECT_OF_LETTER[phase.state[group.links[0]]] for group in junction.groups)
        for _ in range(round(phase.duration_s)):
            guarded.show(Frame(now_ms, aspects), now_ms)
            now_ms += SECOND_MS
    return guarded.refusals


def test_a_street_programme_passes_the_interlock_and_keeps_the_cycle() -> None:
    junction = import_lights(cross().net, rules="street").junctions[0]
    own = read_programmes([cross().net])["A0"]
    street = street_programme(junction, own)
    assert shown_through_the_interlock(street) == 0
    assert street.cycle_s == pytest.approx(own.cycle_s)
    assert street.phases != own.phases
    greens = [phase for phase in street.phases if phase.min_s is not None]
    assert all(phase.duration_s >= phase.min_s >= 7.0 for phase in greens)


def test_minimum_greens_come_before_the_cycle() -> None:
    junction = import_lights(cross().net, rules="street").junctions[0]
    own = read_programmes([cross().net])["A0"]
    halved = TlProgramme(own.light, own.id, own.kind, 0.0, tuple(TlPhase(max(phase.duration_s / 4, 1), phase.state) for phase in own.phases))
    street = street_programme(junction, halved)
    assert street.cycle_s > halved.cycle_s
    assert shown_through_the_interlock(street) == 0


def test_webster_gives_green_where_the_demand_is() -> None:
    junction = cross_junction()
    own = read_programmes([cross().net])
    edges = {movement.lane.rpartition("_")[0] for movement in junction.movements}
    busy = {(m.lane.rpartition("_")[0], m.exit.rpartition("_")[0]) for m in junction.movements if m.direction == "straight"}
    one, other = sorted(edges)[0], sorted(edges)[-1]
    assert one != other
    demand = Counter({pair: 900 if pair[0] == one else 60 for pair in busy})
    (tuned,) = tuned_programmes([junction], own, demand, 1.0)
    assert shown_through_the_interlock(tuned, "net") == 0
    assert tuned.cycle_s <= 120.0
    greens = Counter[str]()
    for movement in junction.movements:
        links = junction.group_by_id[movement.group].links
        seconds = sum(phase.duration_s for phase in tuned.phases if phase.state[links[0]] in "Gg")
        greens[movement.lane.rpartition("_")[0]] = max(greens[movement.lane.rpartition("_")[0]], round(seconds))
    assert greens[one] == max(greens.values())
    assert greens[one] > 2 * min(greens.values())


def test_demand_fills_the_emptiest_lanes() -> None:
    junction = cross_junction()
    pair = next((m.lane.rpartition("_")[0], m.exit.rpartition("_")[0]) for m in junction.movements if m.direction == "straight" and m.lane.startswith("w0A0"))
    lanes = [m.lane for m in junction.movements if (m.lane.rpartition("_")[0], m.exit.rpartition("_")[0]) == pair]
    demands = lane_demands(junction, {pair: 100}, 0.5)
    assert sum(demand.flow_veh_h for demand in demands.values()) == pytest.approx(200.0)
    assert {demands[lane].flow_veh_h for lane in lanes} == {200.0 / len(lanes)}


def test_lights_without_demand_keep_their_programme() -> None:
    assert tuned_programmes([cross_junction()], read_programmes([cross().net]), {}, 1.0) == []


def test_actuation_stretches_green_phases_only() -> None:
    programme = TlProgramme("t", "0", "static", 0.0, (TlPhase(60, "Gr"), TlPhase(3, "yr"), TlPhase(2, "rr"), TlPhase(3, "rG", min_s=8)))
    stretched = actuated(programme, 50.0)
    assert [(p.min_s, p.max_s, p.duration_s) for p in stretched.phases] == [(5, 50, 50), (None, None, 3), (None, None, 2), (5, 50, 5)]
    own = actuated(programme, 50.0, "delay_based", own_minimum=True)
    assert [(p.min_s, p.max_s) for p in own.phases] == [(None, None), (None, None), (None, None), (8, 50)]
    assert own.kind == "delay_based"


def test_the_programme_loaded_last_is_the_active_one(tmp_path: Path) -> None:
    first, second = tmp_path / "n.net.xml", tmp_path / "a.add.xml"
    first.write_text('<net><tlLogic id="t" programID="0"><phase duration="5" state="G"/></tlLogic></net>')
    write_programmes([TlProgramme("t", "own", "static", 7.0, (TlPhase(4.5, "g", 2.0, 9.0),))], second)
    assert read_programmes([first, second]) == {"t": TlProgramme("t", "own", "static", 7.0, (TlPhase(4.5, "g", 2.0, 9.0),))}
    assert read_programmes([second, first])["t"].id == "0"


@pytest.mark.parametrize(
    ("phases", "expected"),
    [
        ('<phase duration="5" state="Gx"/>', "found the letter 'x' at place 1"),
        ('<phase duration="5" state="GG"/><phase duration="5" state="GGG"/>', r"phase 1: found a state of 3 letters, expected 2"),
        ('<phase duration="soon" state="GG"/>', "the duration is 'soon', expected seconds"),
        ('<phase duration="5"/>', "found no state"),
    ],
)
def test_wrong_programmes_are_named(tmp_path: Path, phases: str, expected: str) -> None:
    path = tmp_path / "n.net.xml"
    path.write_text(f'<net><tlLogic id="t" programID="0">{phases}</tlLogic></net>')
    with pytest.raises(ScenarioError, match=expected):
        read_programmes([path])


def test_the_programme_has_a_letter_for_every_index_of_the_light() -> None:
    junction = cross_junction()
    programme = programme_of(junction, 20, [(0, 20.0), (1, 10.0)], 3.0)
    assert {len(phase.state) for phase in programme.phases} == {20}
    assert all(phase.state.endswith("r" * 6) for phase in programme.phases)
    assert programme.offset_s == 3.0
