"""The floor against the measured one: all green, right of way ignored (insertion as before SUMO 1.27, RESCO's hour)."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenarios.runner import run_one
from scenarios.simulate import Request, cases_of

pytestmark = pytest.mark.sim


@pytest.mark.parametrize(("name", "floor_s"), [("cologne1", 10.3), ("ingolstadt1", 12.1)])
def test_the_floor_is_the_measured_one(tmp_path: Path, name: str, floor_s: float) -> None:
    case = cases_of(Request(f"resco/{name}", ("floor",), insertion="legacy", output=tmp_path))[0]
    record = run_one(case, lambda _now_s, _end_s: None, lambda _text: None)
    assert record["mean_delay_s"] == pytest.approx(floor_s, abs=0.1)
    assert record["interlock_refusals"] is None


def test_no_control_gets_below_the_floor(tmp_path: Path) -> None:
    cases = cases_of(Request("cross", ("floor", "actuated", "fixed"), end_s=600.0, output=tmp_path))
    floor_s, *others_s = (run_one(case, lambda _now_s, _end_s: None, lambda _text: None)["mean_delay_s"] for case in cases)
    assert floor_s < 0.5 * min(others_s)
