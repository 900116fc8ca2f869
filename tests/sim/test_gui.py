"""sumo-gui: refused in one message without a display; on a virtual display it starts, ends and is closed as a user would."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support_x11 import close_window, virtual_display

from controller.errors import ConfigError
from controller.journal_reader import JournalReader
from controller.replay import read_records, replay_frames
from scenarios.simulate import Request, run_request

pytestmark = pytest.mark.sim
UMLAUF = [sys.executable, "-c", "import sys; from controller.cli import main; sys.exit(main())"]


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    with virtual_display() as name:
        yield name


def started(output: Path, display: str | None, *options: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if name != "DISPLAY"}
    if display is not None:
        environment["DISPLAY"] = display
    command = [*UMLAUF, "simulate", "cross", "--gui", "--control", "actuated", "--json", "--output", str(output), *options]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_without_a_display_it_is_one_message(tmp_path: Path) -> None:
    process = started(tmp_path, None, "--end", "30")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert re.fullmatch(r"umlauf: --gui: expected a display .* DISPLAY is not set; .*xvfb-run.* leave --gui out\n", err)
    assert json.loads((tmp_path / "summary.json").read_text())["status"] == "failed"


def test_a_running_sumo_has_its_own_window(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--gui"):
        run_request(Request(scenario="cross", gui=True, attach="localhost:8813", engine="traci", output=tmp_path))


@pytest.mark.tools("Xvfb")
def test_a_display_that_cannot_be_opened_is_named(tmp_path: Path, display: str) -> None:
    other = f":{int(display[1:]) + 1000}"
    process = started(tmp_path, other, "--end", "30")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert f"sumo-gui did not start: it ended with exit code 1; it must be able to open the display {other!r}" in err
    assert "Traceback" not in err


@pytest.mark.tools("Xvfb")
def test_it_starts_and_ends_by_itself_with_the_figures_of_a_run_without_it(tmp_path: Path, display: str, capsys: pytest.CaptureFixture[str]) -> None:
    process = started(tmp_path / "gui", display, "--end", "60")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    (shown,) = json.loads(out)["runs"]
    capsys.readouterr()
    assert run_request(Request(scenario="cross", controls=("actuated",), end_s=60.0, output=tmp_path / "own", as_json=True)) == 0
    (own,) = json.loads(capsys.readouterr().out)["runs"]
    assert shown["vehicles"] > 20
    for key in ("mean_delay_s", "vehicles", "finished", "stops_per_vehicle", "simulation_s", "status", "interlock_refusals"):
        assert shown[key] == own[key]


@pytest.mark.tools("Xvfb")
def test_closing_its_window_is_one_message_with_journal_and_summary(tmp_path: Path, display: str) -> None:
    process = started(tmp_path, display, "--end", "3600")
    states = tmp_path / "tls_states.xml"
    for _ in range(600):
        if states.is_file() and states.stat().st_size > 0:
            break
        time.sleep(0.1)
    time.sleep(2)
    close_window(display, b"SUMO")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert re.fullmatch(r"umlauf: sumo-gui has gone at \d+ s of simulation time: its window was closed\nWhat was recorded up to there is in .*\n", err)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["status"] == "failed"
    assert 0 < summary["simulation_s"] < 3600
    assert summary["vehicles"] > 0
    with JournalReader(tmp_path) as reader:
        (record,), damage = read_records(reader)
    assert damage == ""
    assert record.ticks[-1][1] == summary["simulation_s"] * 1000
    assert replay_frames(record).difference is None
