"""One hour with a quarter of all loops failing at random: how much slower it may be, and that nobody starves."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.detector_faults import LIMIT_RATIO, measure
from controller.errors import ConfigError
from scenarios.runner import run_one
from scenarios.simulate import Request, cases_of

pytestmark = pytest.mark.sim


@pytest.mark.slow
@pytest.mark.parametrize("scenario", ["resco/ingolstadt1", "resco/cologne8"])
def test_a_quarter_of_all_loops_may_fail(scenario: str) -> None:
    row = measure(scenario, 1)
    assert row["broken"] == pytest.approx(row["loops"] / 4, abs=2), "a loop that two junctions use counts twice"
    assert row["suspected"] == 0, "no loop of the healthy run"
    assert row["faulty_delay_s"] <= LIMIT_RATIO * row["healthy_delay_s"]
    assert row["faulty_delay_s"] < row["fixed_delay_s"]
    assert row["longest_red_s"] <= 180
    assert row["refusals"] == 0


def test_a_loop_that_is_not_there_ends_the_run_with_its_name(tmp_path: Path) -> None:
    (case,) = cases_of(Request("cross", detector_faults="nowhere/1m=silent@5", end_s=20, output=tmp_path))
    with pytest.raises(ConfigError, match="no loop matches 'nowhere/1m'"):
        run_one(case, lambda _now_s, _end_s: None, lambda _text: None)
