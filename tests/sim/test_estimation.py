"""The estimator beside the simulator's truth, and a run's signals shown again, on the built crossing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import ladder
from benchmarks.estimation import estimation_table, probe_case, write_results
from benchmarks.overhead import REPLAY, run_bare, write_replay
from controller.oracle import Foresight
from scenarios.arguments import TLS_STATES
from scenarios.case import Case
from scenarios.runner import run_one
from scenarios.simulate import Request, cases_of

pytestmark = pytest.mark.sim
END_S = 400.0


def case_in(folder: Path) -> Case:
    return cases_of(Request("cross", end_s=END_S, output=folder))[0]


def test_loops_tell_queue_and_arrivals_within_bounds(tmp_path: Path) -> None:
    found = probe_case(case_in(tmp_path / "run"))
    assert found["queue"]["n"] % (END_S / 5) == 0
    assert found["queue"]["mean"] > 0.0
    assert found["queue"]["rmse"] < 1.5
    assert found["near"]["rmse"] < 1.5
    assert found["arrival_last"]["n"] >= 20
    assert abs(found["arrival_last"]["bias"]) < 0.5
    assert found["arrival_last"]["rmse"] < 1.5
    assert found["movement"]["n"] == 0, "no lane of the crossing has two groups"
    write_results(tmp_path / "estimation.json", "a command", [found])
    text = (tmp_path / "estimation.md").read_text(encoding="utf-8")
    assert estimation_table([found]) in text
    assert "`a command`" in text


def test_ways_and_discharge_of_a_real_junction(tmp_path: Path) -> None:
    case = cases_of(Request("resco/cologne1", end_s=25_200.0 + 500.0, output=tmp_path / "run"))[0]
    found = probe_case(case)
    assert found["movement"]["n"] > 50
    assert 0.3 < 1.0 + found["movement"]["bias"] <= 1.0, "it begins with priors"
    assert 0.0 < found["share"]["rmse"] < 0.6
    assert 1.5 < found["headway"]["mean"] < 3.0


def test_the_ladder_runs_each_rung_and_tells_later_ones_what_the_first_saw(tmp_path: Path) -> None:
    case = case_in(tmp_path / "run")
    rows = list(ladder._run_all(case, ["loops", "all"]))
    assert [row["rung"] for row in rows] == ["loops", "all"]
    loops_s, all_s = (row["mean_delay_s"] for row in rows)
    assert all_s < 1.1 * loops_s
    assert all_s != loops_s
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    figures, learned = ladder.run_rung(replace(case, folder=str(tmp_path / "first")), "loops", Foresight())
    assert figures["mean_delay_s"] == loops_s
    assert len(learned.entries_ms) == 6, "two arms have one loop before they widen"
    assert sum(len(times) for times in learned.entries_ms.values()) >= figures["vehicles"] * 0.8


def test_the_same_signals_make_the_same_traffic(tmp_path: Path) -> None:
    case = case_in(tmp_path / "run")
    record = run_one(case, lambda _now_s, _end_s: None, lambda _text: None)
    write_replay(case.file(TLS_STATES), tmp_path / REPLAY, 0.0)
    bare = Case(**{**case.__dict__, "folder": str(tmp_path)})
    assert run_bare(bare, tmp_path / REPLAY)["mean_delay_s"] == pytest.approx(record["mean_delay_s"], rel=0.02)
    assert run_bare(bare, None)["mean_delay_s"] != pytest.approx(record["mean_delay_s"], rel=0.02)
