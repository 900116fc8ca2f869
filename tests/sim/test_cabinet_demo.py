"""`umlauf demo cabinet` as a user starts it: the daemon as a process, over a pseudo-terminal and SNMP, and the accelerated one."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

UMLAUF = [sys.executable, "-c", "import sys; from controller.cli import main; sys.exit(main(sys.argv[1:]))"]
COMMAND = [*UMLAUF, "demo", "cabinet"]
KEYS = ["ticks", "late_ticks", "max_lateness_ms", "detector_events", "decisions", "mode_changes", "faults_injected", "unsafe_frames", "exit_reason"]


def demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=300)


def told(*arguments: str) -> dict[str, Any]:
    found = demo(*arguments, "--json")
    assert found.returncode == 0, found.stderr
    assert found.stdout.count("\n") == 1
    report: dict[str, Any] = json.loads(found.stdout)
    assert list(report)[: len(KEYS)] == KEYS
    return report


def test_the_accelerated_demo_ends_with_one_object() -> None:
    report = told("--duration", "2m", "--speed", "1000", "--fault", "guard-kill@60,loop-chatter@30")
    assert report["faults_injected"] == ["loop-chatter", "guard-kill"]
    assert report["unsafe_frames"] == 0
    assert 1_150 < report["ticks"] < 1_200
    assert report["exit_reason"] == "the time is over"


@pytest.mark.parametrize("signals", ["phase-control", "splits", "calls", "heads"])
def test_the_accelerated_demo_drives_whatever_signals_are_asked_for(signals: str) -> None:
    report = told("--duration", "2m", "--speed", "1000", "--signals", signals)
    assert report["signals"] == ("own heads" if signals == "heads" else f"controller, {signals}")
    assert [change["mode"] for change in report["modes"]] == ["cycle" if signals == "splits" else "adaptive"]
    assert (report["unsafe_frames"], report["refusals"], report["missed_ticks"]) == (0, 0, 0)
    assert report["driven_s"] is None if signals == "heads" else report["driven_s"] > 60


@pytest.fixture(scope="module")
def compiled() -> None:
    """Compile the kernels: a first start of the optimizer would take longer than a short run."""
    subprocess.run([*UMLAUF, "warmup"], capture_output=True, check=True, timeout=300)


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("signals", ["splits", "calls"])
def test_the_daemon_drives_a_controller_over_snmp_in_the_actuation_asked_for(signals: str) -> None:
    report = told("--duration", "4s", "--signals", signals)
    assert report["signals"] == f"controller over SNMP, {signals}"
    assert (report["unsafe_frames"], report["refusals"]) == (0, 0)
    assert report["ticks"] + report["missed_ticks"] >= 35
    assert report["driven_s"] > 0.0
    assert "stopped in order" in report["exit_reason"]


@pytest.mark.slow
@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("signals", ["phase-control", "splits", "calls"])
def test_the_daemon_as_a_process_outlives_its_faults(signals: str) -> None:
    faults = "guard-kill@12,optimizer-kill@26,snmp-silent@30,disk-full@31,serial-unplug@32,clock-step@33"
    report = told("--duration", "45s", "--signals", signals, "--fault", faults)
    assert report["driven_s"] > 5
    assert len(report["faults_injected"]) == 6
    assert report["unsafe_frames"] == 0
    assert report["lamp_frames"] > 2_000
    assert report["detector_events"] > 50
    assert "release" in [change["mode"] for change in report["modes"]]
    (restart,) = report["restarts"]
    if signals == "calls":  # the controller keeps every decision, and so its own plan
        assert restart["own_plan_after_s"] == 0.0
    else:
        assert 3.0 < restart["own_plan_after_s"] <= 5.3
    assert restart["resumed_after_s"] is not None
    assert "stopped in order" in report["exit_reason"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--fault", "sabotage@1"), "expected one of optimizer-kill"),
        (("--fault", "guard-kill@61"), "below the duration of 60 s"),
        (("--duration", "soon"), "expected a number with s, m, h or d"),
        (("--speed", "0"), "expected 1 or more"),
        (("--signals", "heads"), "expected one of phase-control, splits, calls in real time"),
    ],
)
def test_wrong_arguments_are_told(arguments: tuple[str, ...], says: str) -> None:
    found = demo(*arguments)
    assert found.returncode == 1
    assert says in found.stderr
    assert "Traceback" not in found.stderr
