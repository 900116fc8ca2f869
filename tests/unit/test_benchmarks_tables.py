"""The README's tables of a campaign: targets, who is ahead, faults never hidden."""

from __future__ import annotations

from typing import Any

from support_bench import row

from benchmarks.tables import campaign_table


def table_of(*rows: dict[str, Any]) -> str:
    return campaign_table(list(rows))


def line_of(text: str, start: str, occurrence: int = 0) -> list[str]:
    lines = [line for line in text.splitlines() if line.startswith(f"| {start} ")]
    return [cell.strip() for cell in lines[occurrence].strip("|").split("|")]


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


def test_controls_that_a_scenario_does_not_take_are_named_once() -> None:
    refused = [row("sumo-nema", seed, None, status="not applicable", error="no rings\nmore") for seed in (1, 2)]
    assert "Not applicable: sumo-nema on resco/cologne1: no rings." in table_of(row(), *refused)


def test_one_reason_of_several_scenarios_is_told_once_and_with_its_rules_where_there_are_several() -> None:
    refused = [
        row("sumo-nema", 1, None, scenario, rules=rules, status="not applicable", error=f"why {rules}") for scenario in "ab" for rules in ("net", "street")
    ]
    assert "Not applicable: sumo-nema on a, b (rules net): why net; sumo-nema on a, b (rules street): why street." in table_of(*refused)


def test_the_floor_comes_last() -> None:
    assert "| scenario | adaptive | fixed | webster | floor |" in table_of(row(), row("floor"), row("webster"), row("fixed"))
