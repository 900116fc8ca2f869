"""How long a campaign will still take: what was measured of like cases counts, and nothing is made up."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from support_bench import row

from benchmarks import bench
from benchmarks.cases import Campaign, Task, tasks_of
from benchmarks.costs import AROUND_S, Costs, Underway
from benchmarks.progress import Display
from benchmarks.version import Version

VERSION = Version("c0ffee", False, "ours-1", "sumo-1")


def tasks(tmp_path: Path, controls: str, seeds: str = "1", scenarios: str = "cross", end_s: float | None = 600.0) -> list[Task]:
    campaign = Campaign(tuple(scenarios.split(",")), tuple(controls.split(",")), seeds, end_s=end_s)
    return tasks_of(campaign, VERSION, tmp_path)


def measured(scenario: str, control: str, wall_s: float, simulation_s: float, end_s: float | None = None) -> dict[str, Any]:
    return row(control, scenario=scenario, wall_s=wall_s, simulation_s=simulation_s, end_s=end_s)


def learned(costs: Costs, task: Task, wall_s: float, took_s: float) -> None:
    costs.learn(task, {"status": "finished", "wall_s": wall_s, "simulation_s": task.case.end_s}, took_s)


def left_s(costs: Costs, waiting: list[Task], jobs: int = 1, *underway: Underway) -> float:
    left = costs.left(waiting, underway, jobs)
    assert left is not None
    return left.left_s


def test_before_anything_is_known_no_time_is_made_up(tmp_path: Path) -> None:
    assert Costs(()).left(tasks(tmp_path, "adaptive,fixed", "1-9"), (), 2) is None
    assert "not known yet" in Display(tasks(tmp_path, "fixed"), 2, Costs(()), Console(file=io.StringIO())).left_text()


def test_like_cases_tell_with_all_that_is_around_their_simulation(tmp_path: Path) -> None:
    one, *rest = tasks(tmp_path, "fixed", "1-5")
    costs = Costs(())
    learned(costs, one, wall_s=1.0, took_s=1.5)
    assert left_s(costs, rest) == pytest.approx(4 * 1.5)


def test_a_short_window_takes_as_much_less_as_it_is_shorter(tmp_path: Path) -> None:
    """Rows of whole hours in the folder do not make a campaign of ten minutes look like one of hours."""
    costs = Costs([measured("cross", "fixed", wall_s=60.0, simulation_s=3600.0)])
    assert left_s(costs, tasks(tmp_path, "fixed")) == pytest.approx(10.0 + AROUND_S)
    assert left_s(costs, tasks(tmp_path, "fixed", end_s=60.0)) == pytest.approx(1.0 + AROUND_S)


def test_the_same_window_counts_for_more_than_another(tmp_path: Path) -> None:
    rows = [measured("cross", "fixed", 60.0, 3600.0), measured("cross", "fixed", 4.0, 600.0, end_s=600.0)]
    assert left_s(Costs(rows), tasks(tmp_path, "fixed")) == pytest.approx(4.0 + AROUND_S)


def test_what_this_call_measures_replaces_earlier_rows_and_tells_how_fast_the_machine_is(tmp_path: Path) -> None:
    rows = [measured("cross", c, wall_s, 600.0, end_s=600.0) for c, wall_s in (("fixed", 4.0), ("actuated", 10.0))]
    fixed, actuated = sorted(tasks(tmp_path, "fixed,actuated"), key=lambda task: task.case.control != "fixed")
    costs = Costs(rows)
    learned(costs, fixed, wall_s=8.0, took_s=8.0)
    assert left_s(costs, [fixed]) == pytest.approx(8.0)
    assert left_s(costs, [actuated]) == pytest.approx(20.0)


def test_a_kind_that_was_never_run_is_guessed_from_its_scenario_and_its_control_and_said_to_be(tmp_path: Path) -> None:
    rows = [measured("cross", "adaptive", 30.0, 600.0, 600.0), measured("cross", "fixed", 3.0, 600.0, 600.0), measured("grid", "fixed", 6.0, 600.0, 600.0)]
    costs = Costs(rows)
    found = {(t.case.scenario, t.case.control): t for t in tasks(tmp_path, "adaptive,fixed", scenarios="cross,grid")}
    left = costs.left([found["grid", "adaptive"]], (), 1)
    assert left is not None
    assert left.left_s == pytest.approx(60.0 + AROUND_S)
    assert left.measured_ratio == 0.0
    assert "a guess" in Display([found["grid", "adaptive"]], 1, costs, Console(file=io.StringIO())).left_text()
    assert "a guess" not in Display([found["cross", "adaptive"]], 1, costs, Console(file=io.StringIO())).left_text()


def test_jobs_share_the_cases_and_the_last_long_one_is_waited_for(tmp_path: Path) -> None:
    rows = [measured("cross", "fixed", 8.0, 600.0, 600.0), measured("cross", "actuated", 38.0, 600.0, 600.0)]
    fixed = tasks(tmp_path, "fixed", "1-4")
    costs = Costs(rows)
    assert left_s(costs, fixed, 2) == pytest.approx(20.0)
    assert left_s(costs, [*fixed, *tasks(tmp_path, "actuated")], 2) == pytest.approx(20.0 + 40.0)
    assert left_s(costs, fixed, 9) == pytest.approx(10.0)


def test_a_case_under_way_tells_before_any_has_ended(tmp_path: Path) -> None:
    first, *rest = tasks(tmp_path, "fixed", "1-3")
    assert Costs(()).left(rest, [Underway(first, 3.0, 0.0, 0.0)], 1) is None, "it has only begun"
    half = Underway(first, running_s=7.0, stepping_s=5.0, done_ratio=0.5)
    assert left_s(Costs(()), [], 1, half) == pytest.approx(5.0, abs=0.5)
    assert left_s(Costs(()), rest, 1, half) == pytest.approx(5.0 + 2 * (10.0 + AROUND_S), abs=0.5)


def test_what_is_under_way_has_less_to_do(tmp_path: Path) -> None:
    one, two = tasks(tmp_path, "fixed", "1-2")
    costs = Costs([measured("cross", "fixed", 18.0, 600.0, 600.0)])
    assert left_s(costs, [two], 1, Underway(one, 15.0, 0.0, 0.0)) == pytest.approx(5.0 + 20.0)
    assert left_s(costs, [], 1, Underway(one, 99.0, 0.0, 0.0)) == 0.0


def test_failures_cost_time_too(tmp_path: Path) -> None:
    one, two = tasks(tmp_path, "fixed", "1-2")
    costs = Costs(())
    costs.learn(one, {"status": "failed", "wall_s": 0.1}, took_s=42.0)
    assert left_s(costs, [two]) == pytest.approx(42.0)


def test_a_scenario_without_an_end_is_as_long_as_it_was(tmp_path: Path) -> None:
    files = '<input><net-file value="x.net.xml"/></input>'
    (tmp_path / "x.sumocfg").write_text(f"<configuration>{files}</configuration>", encoding="utf-8")
    (tmp_path / "x.net.xml").write_text("<net/>", encoding="utf-8")
    name = str(tmp_path / "x.sumocfg")
    (task,) = tasks(tmp_path, "fixed", scenarios=name, end_s=None)
    assert left_s(Costs([measured(name, "fixed", 5.0, 900.0)]), [task]) == pytest.approx(5.0 + AROUND_S)
    other = [measured(name, "webster", 5.0, 900.0), measured("cross", "fixed", 3600.0, 3600.0), measured("cross", "webster", 3600.0, 3600.0)]
    assert left_s(Costs(other), [task]) == pytest.approx(5.0 + AROUND_S), "as fast as under another control, and as long"


@pytest.mark.parametrize(("takes_s", "told"), [(0.0, False), (1.5, True)])
def test_compiling_is_told_where_it_takes_long(monkeypatch: pytest.MonkeyPatch, takes_s: float, told: bool) -> None:
    popen = subprocess.Popen
    monkeypatch.setattr(bench, "QUIET_S", 0.5)
    monkeypatch.setattr(bench.subprocess, "Popen", lambda command, **options: popen(["sleep", str(takes_s)], **options))
    said: list[str] = []
    bench.warm_up(said.append)
    assert bool(said) == told
