"""Maximal compatible sets, against brute force over all subsets."""

from __future__ import annotations

from itertools import combinations

import pytest
from support_nets import resco

from controller.free_stages import all_compatible_stages
from controller.junction import Junction
from scenarios.importer import import_lights


def brute_force(junction: Junction) -> set[frozenset[str]]:
    groups = [g.id for g in junction.groups]
    sets = [
        frozenset(chosen)
        for size in range(1, len(groups) + 1)
        for chosen in combinations(groups, size)
        if not any(pair in junction.intergreen_ms for pair in combinations(chosen, 2))
    ]
    return {s for s in sets if not any(s < other for other in sets)}


@pytest.mark.parametrize("name", ["cologne1", "ingolstadt1", "cologne3"])
def test_agrees_with_brute_force(name: str) -> None:
    for junction in import_lights(resco(name)).junctions:
        found = all_compatible_stages(junction, junction.nodes[0])
        assert {frozenset(s) for s in found} == brute_force(junction)
        assert len(found) == len(set(found))


def test_every_stage_of_the_programme_lies_in_one() -> None:
    junction = import_lights(resco("grid4x4"), tls=["A0"]).junctions[0]
    free = all_compatible_stages(junction, junction.nodes[0])
    for stage in junction.nodes[0].stages:
        assert any(set(stage.green) <= set(s) for s in free)


def test_limit_is_kept() -> None:
    junction = import_lights(resco("grid4x4"), tls=["A0"]).junctions[0]
    assert len(all_compatible_stages(junction, junction.nodes[0], limit=3)) == 3
