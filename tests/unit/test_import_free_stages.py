"""Maximal compatible sets, against brute force over all subsets."""

from __future__ import annotations

from itertools import combinations

import pytest
from support_nets import resco

from controller.free_stages import MOST_FREE, all_compatible_stages, free_stages, with_more_stages
from controller.junction import Junction, Stage
from scenarios.importer import import_lights


def brute_force(junction: Junction, *, protected: bool) -> set[frozenset[str]]:
    apart = set(junction.intergreen_ms) | ({(p.yielding, p.priority) for p in junction.permissions} if protected else set())
    groups = [g.id for g in junction.groups]
    sets = [
        frozenset(chosen)
        for size in range(1, len(groups) + 1)
        for chosen in combinations(groups, size)
        if not any(pair in apart or pair[::-1] in apart for pair in combinations(chosen, 2))
    ]
    return {s for s in sets if not any(s < other for other in sets)}


@pytest.mark.parametrize("protected", [False, True])
@pytest.mark.parametrize("name", ["cologne1", "ingolstadt1", "cologne3"])
def test_agrees_with_brute_force(name: str, protected: bool) -> None:
    for junction in import_lights(resco(name)).junctions:
        found = all_compatible_stages(junction, junction.nodes[0], protected=protected)
        assert {frozenset(s) for s in found} == brute_force(junction, protected=protected)
        assert len(found) == len(set(found))


def test_every_stage_of_the_programme_lies_in_one() -> None:
    junction = import_lights(resco("grid4x4"), tls=["A0"]).junctions[0]
    free = all_compatible_stages(junction, junction.nodes[0])
    for stage in junction.nodes[0].stages:
        assert any(set(stage.green) <= set(s) for s in free)


def test_limit_is_kept() -> None:
    junction = import_lights(resco("grid4x4"), tls=["A0"]).junctions[0]
    assert len(all_compatible_stages(junction, junction.nodes[0], limit=3)) == 3


def test_published_rules_know_only_the_stages_of_the_programme() -> None:
    junctions = {rules: import_lights(resco("cologne3"), rules=rules, tls=["360082"]).junctions[0] for rules in ("published", "net", "street")}
    assert [s.id for s in with_more_stages(junctions["published"]).nodes[0].stages] == ["A", "B", "C", "all-red"]
    for rules in ("net", "street"):
        assert any(s.free for s in with_more_stages(junctions[rules]).nodes[0].stages)


@pytest.mark.parametrize("name", ["cologne3", "ingolstadt21", "cologne8"])
def test_free_stages_hold_no_conflict_and_serve_what_no_stage_serves_so(name: str) -> None:
    for junction in import_lights(resco(name), rules="net").junctions:
        node = junction.nodes[0]
        found = free_stages(junction, node)
        assert len(found) <= MOST_FREE
        for stage in found:
            assert stage.free
            assert stage.id == "+".join(stage.green)
            assert not any(pair in junction.intergreen_ms for pair in combinations(stage.green, 2))
            assert not any(set(stage.green) <= set(own.green) and not _yields(junction, own) for own in node.stages)


def _yields(junction: Junction, stage: Stage) -> bool:
    return any(p.yielding in stage.green and p.priority in stage.green for p in junction.permissions)


def test_a_stage_without_a_new_way_for_vehicles_is_not_worth_having() -> None:
    """All of cologne1's groups that may be green together are in its programme's stages, and turns are protected there, too."""
    junction = import_lights(resco("cologne1"), rules="net").junctions[0]
    assert free_stages(junction, junction.nodes[0]) == ()


def test_what_is_added_is_added_once() -> None:
    once = with_more_stages(import_lights(resco("cologne3"), rules="net").junctions[0])
    assert with_more_stages(once) == once
