"""Those on foot in SUMO press buttons, and get green: at a crossing whose side street nobody uses."""

from __future__ import annotations

import re
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from controller.cli import main
from controller.journal_reader import JournalReader
from controller.recall import ASKED_MS
from hardware.ports import InputKind
from hardware.sumo_process import sumo_binary
from scenarios.simulate import Request, run_request

pytestmark = pytest.mark.sim

CROSSING = "--grid --grid.number 1 --grid.attach-length 100 --default-junction-type traffic_light --sidewalks.guess --crossings.guess --no-turnarounds"


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a junction with cars from west to east only, and some who cross that street on foot."""
    folder = tmp_path_factory.mktemp("walks")
    subprocess.run([sumo_binary("netgenerate"), *CROSSING.split(), "-o", folder / "walks.net.xml"], check=True, capture_output=True)
    walks = "".join(f'<person id="p{at}" depart="{at}"><walk from="bottom0A0" to="A0top0"/></person>' for at in (60, 200, 204, 340))
    cars = '<flow id="cars" begin="0" end="500" period="3" from="left0A0" to="A0right0"/>'
    (folder / "walks.rou.xml").write_text(f"<routes>{cars}{walks}</routes>", encoding="utf-8")
    (folder / "walks.sumocfg").write_text(
        '<configuration><input><net-file value="walks.net.xml"/><route-files value="walks.rou.xml"/></input><time><end value="500"/></time></configuration>',
        encoding="utf-8",
    )
    return folder / "walks.sumocfg"


@pytest.mark.parametrize(("control", "engine"), [("adaptive", "libsumo"), ("actuated", "traci")])
def test_who_waits_at_a_crossing_has_pressed_and_crosses(scenario: Path, tmp_path: Path, control: str, engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_request(Request(scenario=str(scenario), controls=(control,), rules="net", output=tmp_path, as_json=True, engine=engine)) == 0
    walks = [float(walk.get("timeLoss", "nan")) for walk in ET.parse(tmp_path / "tripinfo.xml").getroot().iter("walk")]
    assert len(walks) == 4, "all have arrived"
    assert max(walks) < ASKED_MS / 1000 + 30, "the limit, the change of stages, and some steps round others"
    with JournalReader(tmp_path / "journal.sqlite") as journal:
        presses = [row.event for row in journal.events() if row.event.kind is InputKind.PUSH_BUTTON]
    assert 1 <= len(presses) <= 8, "each presses at most once at a crossing"
    capsys.readouterr()
    assert main(["explain", str(tmp_path), "--at", str(presses[0].at_ms // 1000 + 2), "--tls", "A0"]) == 0
    assert re.search(r"asked for by button: S\d for 2(\.\d)? s", capsys.readouterr().out)
