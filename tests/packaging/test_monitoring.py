"""The dashboard and the alerts name only metrics that the exporter has, and each alert fires when it should and not before."""

from __future__ import annotations

import json
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.core import CollectorRegistry
from prometheus_client.exposition import generate_latest

from controller.cabinet.day_journal import DayJournal
from controller.cabinet.metrics import FAMILIES, StatusCollector
from controller.cabinet.status import DetectorStatus, LaneStatus, NodeStatus, Status
from controller.supervisor import FAULTS, Mode

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "monitoring"
RULES = FOLDER / "umlauf.rules.yml"
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "umlauf-dashboard.json").read_text(encoding="utf-8"))
NAME = re.compile(r"\bumlauf_\w+")


def status(numbers: dict[str, float] | None = None) -> Status:
    node = NodeStatus("1", "adaptive", "", "", "adaptive", (), None, "A", "adaptive", "")
    return Status(
        site="market",
        junction="market",
        version="0",
        at="",
        uptime_s=1.0,
        shadow=False,
        nodes=(node,),
        aspects={"K1": "green"},
        detectors=(DetectorStatus("D1", "queue", False, True, "", 1),),
        lanes=(LaneStatus("north", 1.0, 400.0, 1900.0),),
        optimizer="ready",
        signals="remote",
        ages_s={"inputs": 0.1, "signals": 0.1},
        ticks=1,
        late_ticks=0,
        max_lateness_ms=1.0,
        decisions=1,
        detector_events=1,
        refusals=0,
        numbers=numbers or {},
    )


def exported(folder: Path) -> set[str]:
    """Return the names of all samples that a scrape of a full status has, what the journal counts included."""
    journal = DayJournal(folder, "market", lambda: datetime(2026, 1, 5, tzinfo=UTC), threaded=False)
    numbers = journal.numbers()
    journal.close()
    registry = CollectorRegistry()
    registry.register(StatusCollector(lambda: (status(numbers), 0.5)))
    return set(re.findall(r"^(umlauf_\w+)", generate_latest(registry).decode(), re.MULTILINE))


def sample_names() -> dict[str, set[str]]:
    """Return the labels of each family by the name of its samples."""
    return {f"umlauf_{family.name}{'_total' if family.counter else ''}": set(family.labels) for family in FAMILIES}


def expressions() -> list[str]:
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


def alerts() -> str:
    """Return the expressions of the rules alone: job and alert names are no metrics."""
    found = re.findall(r"^ +expr: (.*)$", RULES.read_text(encoding="utf-8"), re.MULTILINE)
    return "\n".join(expression for expression in found if not expression.startswith("up{"))


def test_every_metric_in_a_panel_or_an_alert_is_exported(tmp_path: Path) -> None:
    named = set(NAME.findall("\n".join(expressions()) + alerts() + DASHBOARD["templating"]["list"][1]["definition"]))
    assert len(named) > 15
    assert not named - exported(tmp_path)


def test_every_metric_is_on_the_dashboard() -> None:
    assert not set(sample_names()) - set(NAME.findall("\n".join(expressions())))


def test_labels_and_their_values_exist() -> None:
    """A typing error in a label matches nothing, and an alert that matches nothing stays silent."""
    labels = sample_names()
    closed = {"mode": {str(mode) for mode in Mode}, "state": {"ready", "starting", "lost", "off", "remote", "local", "fault"}, "fault": set(map(str, FAULTS))}
    closed["part"] = {"optimizer", "inputs", "signals"}
    for name, selector in re.findall(r"(umlauf_\w+)\{([^}]*)\}", alerts()):
        for label, value in re.findall(r'(\w+)=~?"([^"]*)"', selector):
            assert label in labels[name]
            assert set(value.split("|")) <= closed[label]


def test_panels_do_not_cover_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken
        taken |= cells


# alert: the series that makes it fire, one value a minute; that which must not; how many minutes after its begin it is looked at
CASES = {
    "UmlaufGuardGone": ('up{job="umlauf",instance="a"}', "0x10", "1x10", 2),
    "UmlaufGuardStalled": ('umlauf_status_age_seconds{instance="a"}', "4+60x10", "2x10", 2),
    "UmlaufInterlockRefusal": ('umlauf_interlock_refusals_total{instance="a"}', "0 0 1 1 1 1 1", "3x10", 4),
    "UmlaufOutOfControl": ('umlauf_mode{instance="a",node="1",mode="flash"}', "1x10", "0x10", 2),
    "UmlaufSignalsLost": ('umlauf_signals{instance="a",state="lost"}', "1x10", "0x10", 2),
    "UmlaufFallbackActive": ('umlauf_fault{instance="a",node="1",fault="detectors_lost"}', "1x10", "1 1 1 0 1 1 1 1", 6),
    "UmlaufOptimizerLost": ('umlauf_optimizer{instance="a",state="lost"}', "1x10", "0x10", 6),
    "UmlaufDetectorLost": ('umlauf_detector_trusted{instance="a",detector="D1"}', "0x70", "1x70", 65),
    "UmlaufManyDetectorsLost": ('umlauf_detector_trusted{instance="a",detector="D1"}', "0x20", "1x20", 12),
    "UmlaufLateTicks": ('umlauf_late_ticks_total{instance="a"}', "0+6x40", "3x40", 25),
    "UmlaufJournalErrors": ('umlauf_journal_failing{instance="a"}', "1x10", "0x10", 2),
    "UmlaufJournalLost": ('umlauf_journal_lost_rows{instance="a"}', "0 0 7 7 7", "7x10", 4),
    "UmlaufPartSilent": ('umlauf_age_seconds{instance="a",part="inputs"}', "31+60x10", "1x10", 2),
    "UmlaufOverrideLong": ('umlauf_override{instance="a",node="1"}', "1x800", "1x100", 730),
}


def test_every_alert_has_a_case() -> None:
    assert set(re.findall(r"- alert: (\w+)", RULES.read_text(encoding="utf-8"))) == set(CASES)


@pytest.mark.tools("promtool")
def test_promtool_finds_no_fault() -> None:
    done = subprocess.run(["promtool", "check", "rules", "--lint-fatal", str(RULES)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def fires(tmp_path: Path, alert: str, series: str, values: str, at_min: int) -> bool:
    """Return whether the alert fires at that minute, as Prometheus itself evaluates it."""
    expected = {"eval_time": f"{at_min}m", "alertname": alert, "exp_alerts": []}
    test = {"interval": "1m", "input_series": [{"series": series, "values": values}], "alert_rule_test": [expected]}
    path = tmp_path / "case.yml"
    path.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [test]}), encoding="utf-8")
    done = subprocess.run(["promtool", "test", "rules", str(path)], check=False, capture_output=True, text=True)
    assert done.returncode == 0 or f"alertname: {alert}" in done.stdout + done.stderr, done.stdout + done.stderr
    return done.returncode != 0  # none was expected


@pytest.mark.tools("promtool")
@pytest.mark.parametrize("alert", CASES)
def test_each_alert_fires_when_it_should_and_not_before(tmp_path: Path, alert: str) -> None:
    series, bad, good, at_min = CASES[alert]
    assert fires(tmp_path, alert, series, bad, at_min)
    assert not fires(tmp_path, alert, series, good, at_min)
