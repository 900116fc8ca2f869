"""The oracle ladder's table, its limit, and the truth of ways that it and the estimation report use."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support_control import shared_left

from benchmarks import ladder
from benchmarks.ladder_table import ladder_table
from benchmarks.truth_movements import MovementTruth
from controller.oracle import SEEN, Part

pytestmark = pytest.mark.quick

ROW = {"scenario": "resco/cologne1", "rules": "published", "insertion": "sumo"}


def rows(**delays_s: float) -> list[dict[str, object]]:
    return [{**ROW, "seed": 1, "rung": rung, "mean_delay_s": delay_s} for rung, delay_s in delays_s.items()]


def test_the_table_has_means_over_seeds_and_a_dash_for_what_was_not_run() -> None:
    more = [*rows(loops=12.0, ways=10.0), {**ROW, "seed": 2, "rung": "loops", "mean_delay_s": 14.0}]
    more.append({**ROW, "scenario": "nets/square.sumocfg", "seed": 1, "rung": "ways", "mean_delay_s": 7.0})
    lines = ladder_table(more).splitlines()
    assert "| scenario | seeds | loops | ways |" in lines
    assert "| cologne1 | 1, 2 | 13.0 | 10.0 |" in lines
    assert "| square | 1 | - | 7.0 |" in lines


@pytest.mark.parametrize(("seen_s", "code"), [(9.0, 0), (11.0, 0), (12.0, 1)])
def test_a_perfect_view_that_is_worse_than_the_loops_is_a_fault(seen_s: float, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert ladder._check(rows(loops=10.0, seen=seen_s)) == code
    assert bool(capsys.readouterr().err) == bool(code)


def test_every_part_has_a_rung_of_its_own_and_all_have_one() -> None:
    assert set(ladder.RUNGS.values()) == {frozenset(), *(frozenset({p}) for p in Part), SEEN, frozenset(Part) - {Part.LANES}}


def test_an_unknown_rung_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        ladder.main(["--rungs", "loops,luck"])
    assert "luck" in capsys.readouterr().err


def test_results_name_command_and_code(tmp_path: Path) -> None:
    ladder.write_results(tmp_path / "ladder.json", "the command", rows(loops=10.0))
    data = json.loads((tmp_path / "ladder.json").read_text(encoding="utf-8"))
    assert (data["command"], data["ladder"]) == ("the command", rows(loops=10.0))
    assert data["code"]
    assert "`the command`" in (tmp_path / "ladder.md").read_text(encoding="utf-8")


def test_ways_that_need_not_be_told_apart_are_one() -> None:
    truth = MovementTruth(shared_left())
    assert truth.shared("e0")
    assert not truth.shared("n0"), "straight and right have one group, and neither yields"
    assert truth.never_yields("n0")
    assert not truth.never_yields("e0")
    for name, way in (("a", "wout"), ("b", "nout"), ("c", "sout"), ("c", "sout"), ("d", "nowhere")):
        truth.see(name, "e0", way)
    ratio = (0.6, 0.2, 0.2)  # straight, right, left
    assert truth.believed(ratio, "e0", "nout") == pytest.approx(0.8)
    assert truth.believed(ratio, "e0", "sout") == pytest.approx(0.2)
    found = [x for share in truth.shares("e0", ratio) for x in share]
    assert found == pytest.approx([0.8, 2 / 3, 2, 0.2, 1 / 3, 1])
    truth.see("f", "n0", "sout")
    assert list(truth.shares("n0", (0.8, 0.2))) == []
