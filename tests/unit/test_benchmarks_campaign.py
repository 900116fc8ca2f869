"""Rows and tables of campaigns: resumed where nothing changed, run again where something did, faults never hidden."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import campaign
from benchmarks.rows import RowFile, Version, hash_of, read_campaign
from benchmarks.tables import campaign_table
from controller.errors import ConfigError, SimulationError
from scenarios.case import Case

VERSION = Version("c0ffee", False, "ours-1", "sumo-1")


def row(control: str = "adaptive", seed: int = 1, delay_s: float = 15.0, scenario: str = "resco/cologne1", **other: Any) -> dict[str, Any]:
    return {
        "scenario": scenario,
        "control": control,
        "seed": seed,
        "rules": "published",
        "detection": "loops",
        "insertion": "sumo",
        "begin_s": None,
        "end_s": None,
        "status": "finished",
        "code": "ours-1",
        "mean_delay_s": delay_s,
        "sumo_version": "1.28.0",
        "teleports": 0,
        "collisions": 0,
        "interlock_refusals": 0 if control == "adaptive" else None,
        "emergency_brakings": 0,
        "never_inserted": 0,
        "stops_per_vehicle": 0.5,
        "max_wait_s": 90.0,
        "wall_s": 1.0,
        "folder": "somewhere",
        **other,
    }


def table_of(*rows: dict[str, Any]) -> str:
    return campaign_table({"rows": list(rows)})


def line_of(text: str, start: str, occurrence: int = 0) -> list[str]:
    lines = [line for line in text.splitlines() if line.startswith(f"| {start} ")]
    return [cell.strip() for cell in lines[occurrence].strip("|").split("|")]


def test_a_row_is_done_only_for_the_code_that_made_it(tmp_path: Path) -> None:
    file = RowFile(tmp_path / "rows.json")
    file.put(row())
    assert file.done(row(), "ours-1")
    assert not file.done(row(), "ours-2")
    assert file.done(row(), None)
    assert not file.done(row(insertion="legacy"), "ours-1")
    assert not file.done(row(end_s=100.0), "ours-1")


def test_a_failed_row_is_run_again(tmp_path: Path) -> None:
    file = RowFile(tmp_path / "rows.json")
    file.put(row(status="failed", error="it broke"))
    assert not file.done(row(), "ours-1")


def test_rows_survive_on_disk_sorted_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    file = RowFile(path)
    for seed in (10, 2, 1):
        file.put(row(seed=seed))
    file.put(row(seed=2, delay_s=77.0))
    again = RowFile(path)
    assert [r["seed"] for r in again.rows] == [1, 2, 10]
    assert again.rows[1]["mean_delay_s"] == 77.0
    assert "folder" not in again.rows[0]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", ["", "{", '{"runs": []}'])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match="expected the JSON of a campaign"):
        read_campaign(path)


def test_code_of_sumos_own_controls_is_not_ours() -> None:
    assert [VERSION.code_of(c) for c in ("adaptive", "greedy", "fixed", "sumo-actuated-30")] == ["ours-1", "ours-1", "sumo-1", "sumo-1"]
    assert hash_of(("controller",)) != hash_of(("scenarios",))


def test_targets_are_met_or_missed() -> None:
    met = line_of(table_of(row(seed=1, delay_s=13.0), row(seed=2, delay_s=15.0)), "cologne1", 1)
    missed = line_of(table_of(row(seed=1, delay_s=13.0), row(seed=2, delay_s=15.1)), "cologne1", 1)
    assert met[-2:] == ["14", "yes"]
    assert missed[-2:] == ["14", "no"]


def test_targets_hold_for_whole_windows_and_their_own_settings_only() -> None:
    assert "target" not in table_of(row(end_s=26000.0))
    assert "target" not in table_of(row(rules="street"))
    assert line_of(table_of(row(insertion="legacy", delay_s=21.5)), "cologne1", 1)[-2:] == ["21.5", "yes"]


def test_ahead_needs_an_interval_below_zero_and_no_locked_seed() -> None:
    peers = [row(c, s, 40.0 + s) for c in ("fixed", "sumo-actuated") for s in (1, 2, 3)]
    ahead = table_of(*peers, *(row(seed=s, delay_s=15.0 + s) for s in (1, 2, 3)))
    locked = table_of(*peers, *(row(seed=s, delay_s=d) for s, d in ((1, 10.0), (2, 10.1), (3, 39.0))))
    unsure = table_of(*peers, *(row(seed=s, delay_s=d) for s, d in ((1, 30.0), (2, 50.0), (3, 40.0))))
    assert line_of(ahead, "cologne1", 1)[1:5] == ["-25.0 ± 0.0", "-25.0 ± 0.0", "yes", "none"]
    assert line_of(locked, "cologne1", 1)[3:5] == ["no", "3"]
    assert line_of(locked, "cologne1")[1].endswith("*")
    assert line_of(unsure, "cologne1", 1)[3:5] == ["no", "none"]


def test_faults_are_summed_over_all_runs() -> None:
    text = table_of(row(seed=1, collisions=2), row(seed=2, collisions=1, teleports=4), row("fixed"))
    assert line_of(text, "adaptive", 1)[1:5] == ["2", "4", "3", "0"]
    assert line_of(text, "fixed")[1:5] == ["1", "0", "0", "-"]


def test_failed_runs_are_named() -> None:
    assert "cologne1 adaptive seed 2: it broke" in table_of(row(), row(seed=2, status="failed", error="it broke"))


def test_a_campaign_resumes_and_keeps_going_after_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []

    def run(case: Case, _progress: object, _warning: object) -> dict[str, Any]:
        started.append(case.seed)
        if case.seed == 2 and started.count(2) == 1:
            raise SimulationError("it broke")
        return {**row(case.control, case.seed, scenario=case.scenario), "rules": case.rules, "end_s": case.end_s}

    monkeypatch.setattr(campaign, "run_one", run)
    monkeypatch.setattr(campaign, "present_version", lambda: VERSION)
    output = tmp_path / "rows.json"
    arguments = ["--scenarios", "cross", "--seeds", "1-3", "--end", "100", "-o", str(output)]
    assert campaign.main(arguments) == 1
    assert campaign.main(arguments) == 0
    assert started == [1, 2, 3, 2]
    data = json.loads(output.read_text(encoding="utf-8"))
    assert [r["status"] for r in data["rows"]] == ["finished"] * 3
    assert data["command"].startswith("python -m benchmarks.campaign --scenarios cross")


def test_wrong_options_are_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert campaign.main(["--scenarios", "nowhere", "-o", str(tmp_path / "rows.json")]) == 1
    assert "nowhere" in capsys.readouterr().err
    assert campaign.main(["table", str(tmp_path / "none.json")]) == 1
    assert "none.json" in capsys.readouterr().err
