"""`umlauf demo cabinet` as a user starts it: the daemon as a process, over a pseudo-terminal and SNMP, and the accelerated one."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

COMMAND = [sys.executable, "-c", "import sys; from controller.cli import main; sys.exit(main(sys.argv[1:]))", "demo", "cabinet"]
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


@pytest.mark.slow
def test_the_daemon_as_a_process_outlives_its_faults() -> None:
    report = told("--duration", "45s", "--fault", "optimizer-kill@2,guard-kill@12,snmp-silent@30,disk-full@31,serial-unplug@32,clock-step@33")
    assert len(report["faults_injected"]) == 6
    assert report["unsafe_frames"] == 0
    assert report["lamp_frames"] > 2_000
    assert report["detector_events"] > 50
    assert "release" in [change["mode"] for change in report["modes"]]
    (restart,) = report["restarts"]
    assert restart["own_plan_after_s"] <= 5.3
    assert restart["resumed_after_s"] is not None
    assert "stopped in order" in report["exit_reason"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--fault", "sabotage@1"), "expected one of optimizer-kill"),
        (("--fault", "guard-kill@61"), "below the duration of 60 s"),
        (("--duration", "soon"), "expected a number with s, m, h or d"),
        (("--speed", "0"), "expected 1 or more"),
    ],
)
def test_wrong_arguments_are_told(arguments: tuple[str, ...], says: str) -> None:
    found = demo(*arguments)
    assert found.returncode == 1
    assert says in found.stderr
    assert "Traceback" not in found.stderr
