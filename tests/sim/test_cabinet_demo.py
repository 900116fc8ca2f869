"""`umlauf demo cabinet` as a user starts it: the daemon as a process, over a pseudo-terminal and SNMP, and the accelerated one."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
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
def test_the_daemon_drives_a_controller_over_snmp_in_the_actuation_asked_for(signals: str, tmp_path: Path) -> None:
    """For long enough that a busy machine, on which an optimizer takes seconds to start, gets there too."""
    report = told("--duration", "25s", "--signals", signals, "--keep", str(tmp_path / "kept"))
    assert report["signals"] == f"controller over SNMP, {signals}"
    assert (report["unsafe_frames"], report["refusals"]) == (0, 0)
    assert report["ticks"] + report["missed_ticks"] >= 240
    assert report["driven_s"] > 0.0, (tmp_path / "kept" / "daemon.log").read_text(encoding="utf-8")
    assert "stopped in order" in report["exit_reason"]


def umlauf(line: str) -> str:
    """Run the command that a line of the demo's tells, after its first colon, and return what it prints."""
    _, *arguments = shlex.split(line.partition(": ")[2].partition("; ")[0])
    return subprocess.run([*UMLAUF, *arguments], capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.mark.usefixtures("compiled")
def test_the_demo_tells_how_to_look_at_it_meanwhile_and_afterwards(tmp_path: Path) -> None:
    kept = tmp_path / "kept here"
    with subprocess.Popen([*COMMAND, "--duration", "8s", "--keep", str(kept), "--json"], stdout=-1, stderr=-1, text=True) as run:
        assert run.stderr is not None
        meanwhile = run.stderr.readline()
        assert "look at it meanwhile: umlauf status --watch" in meanwhile
        assert "demo" in umlauf(meanwhile.replace("--watch ", ""))
        changed = subprocess.run(
            [*UMLAUF, "mode", "fixed", "--for", "1m", "--reason", "to try it", "--socket", str(kept / "control.sock")], capture_output=True, check=False
        )
        assert changed.returncode == 0, changed.stderr
        output, told_last = run.communicate(timeout=60)
    assert output.count("\n") == 1
    json.loads(output)
    journal, audit = told_last.strip().split("; who changed what")
    assert str(kept) in umlauf(journal)
    assert "to try it" in umlauf(audit)
    assert (kept / "site.toml").is_file()
    assert not list(kept.glob("*.sock"))


def test_the_accelerated_demo_keeps_its_journal_and_says_so_in_german(tmp_path: Path) -> None:
    found = demo("--duration", "20s", "--speed", "1000", "--keep", str(tmp_path / "new" / "one"), "--lang", "de")
    assert found.returncode == 0, found.stderr
    start, end = found.stderr.splitlines()
    assert "beschleunigt hat sie keinen Socket" in start
    assert "aufgehoben in" in end
    assert "explain" in end
    assert "demo-2026-01-05.sqlite" in umlauf(end)


def test_what_is_not_kept_is_told() -> None:
    found = demo("--duration", "10s", "--speed", "1000")
    assert found.stderr.splitlines()[-1].endswith("--keep DIR, then: umlauf journal list DIR/journal")


@pytest.mark.parametrize(
    ("folder", "says"),
    [
        ("taken", "expected a new or empty folder, found 'notes.txt' in it"),
        ("taken/notes.txt", "expected a folder to write into"),
        ("/proc/umlauf", "expected a folder to write into"),
        ("long" * 25, "expected at most 107 bytes"),
    ],
)
def test_a_folder_that_cannot_be_kept_is_told(tmp_path: Path, folder: str, says: str) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "notes.txt").write_text("mine", encoding="utf-8")
    found = demo("--keep", str(tmp_path / folder))
    assert found.returncode == 1
    assert says in found.stderr
    assert "Traceback" not in found.stderr
    assert (tmp_path / "taken" / "notes.txt").read_text(encoding="utf-8") == "mine"


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
        (("--duration", "soon"), "--duration: expected a time such as"),
        (("--speed", "0"), "expected 1 or more"),
        (("--signals", "heads"), "expected one of phase-control, splits, calls in real time"),
    ],
)
def test_wrong_arguments_are_told(arguments: tuple[str, ...], says: str) -> None:
    found = demo(*arguments)
    assert found.returncode == 1
    assert says in found.stderr
    assert "Traceback" not in found.stderr
