"""Leaving a SUMO that goes on: its lights get their programmes back, judged by SUMO's own record of every second."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import traci  # type: ignore[import-untyped]
from support_sumo import cross, cross_junction

from controller.journal_reader import JournalReader
from hardware.sumo_process import sumo_binary
from scenarios.listing import write_loops_file

pytestmark = pytest.mark.sim
LIGHT, AMBER_S, END_S = "A0", 3, 500

ROGUE = """
import sys
from hardware.signals import Aspect, Frame
import scenarios.controls as controls, scenarios.child as child
ours = controls._ours
class Rogue:
    mode_changes, nodes = [], []
    def __init__(self, place, planner): self.place, self.inner = place, ours(place, planner)
    def tick(self, now_ms):
        if now_ms < 70_000: return self.inner.tick(now_ms)
        self.place.heads.show(Frame(now_ms, (Aspect.GREEN,) * len(self.place.junction.groups)), now_ms)
controls._ours = Rogue
sys.exit(child.main(sys.argv[1:]))
"""
PARENT = """
import sys
from scenarios import runner
from controller.cli import main
if {rogue!r}: runner.child_command = lambda path, descriptor: [sys.executable, "-c", {rogue!r}, path, descriptor]
sys.exit(main())
"""


def start_sumo(folder: Path, port: int, clients: int) -> subprocess.Popen[bytes]:
    """Start the crossing as a user would who wants to attach, with SUMO's own record of what the light shows."""
    write_loops_file("cross", folder / "loops.add.xml", ())
    recorder = f'<additional><timedEvent type="SaveTLSStates" source="{LIGHT}" dest="{folder / "states.xml"}"/></additional>'
    (folder / "recorder.add.xml").write_text(recorder)
    files = f"{folder / 'loops.add.xml'},{folder / 'recorder.add.xml'}"
    outputs = ["--tripinfo-output", str(folder / "trips.xml"), "--tripinfo-output.write-unfinished", "--no-step-log"]
    command = [sumo_binary(), "-c", str(cross().path), "-a", files, "--remote-port", str(port), "--num-clients", str(clients), *outputs]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def start_umlauf(folder: Path, port: int, *options: str, rogue: str = "") -> subprocess.Popen[str]:
    command = ["env", "--default-signal=INT", sys.executable, "-c", PARENT.format(rogue=rogue), "simulate", "cross", "--control", "actuated", "--json"]
    command += ["--attach", f"localhost:{port}", "--output", str(folder / "out"), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


@contextmanager
def other_client(port: int) -> Iterator[Any]:
    """Yield a client of the same SUMO that was there before us and stays after us."""
    api = traci.connect(port=port, numRetries=100, waitBetweenRetries=0.1)
    api.setOrder(1)
    try:
        yield api
    finally:
        api.close(wait=False)


def recorded(folder: Path) -> list[tuple[str, str]]:
    """Return programme and state of each second."""
    root = ET.parse(folder / "states.xml").getroot()
    return [(state.attrib["programID"], state.attrib["state"]) for state in root]


def programme_of_the_net() -> list[str]:
    """Return one cycle of the programme, second by second."""
    phases = ET.parse(cross().net).getroot().findall(f"tlLogic[@id='{LIGHT}']/phase")
    return [phase.attrib["state"] for phase in phases for _ in range(round(float(phase.attrib["duration"])))]


def greens(states: list[str], link: int) -> list[tuple[int, int]]:
    """Return begin and end of each green of a link."""
    is_green = [state[link] in "gG" for state in states]
    begins = [t for t, now in enumerate(is_green) if now and (t == 0 or not is_green[t - 1])]
    ends = [t for t, now in enumerate(is_green) if not now and t > 0 and is_green[t - 1]]
    return list(zip(begins, ends, strict=False))


def gaps(states: list[str], first: int, then: int) -> list[int]:
    """Return each time from an end of green of one link to the next begin of green of the other."""
    begins = [begin for begin, _ in greens(states, then)]
    return [min(later) - end for _, end in greens(states, first) if (later := [b for b in begins if b >= end])]


def check_lawful(states: list[str]) -> int:
    """Check what SUMO recorded, link by link, against ambers and the junction's intergreens; return how many of these were compared."""
    for link in range(len(states[0])):
        for _, end in greens(states, link):
            after = "".join(state[link] for state in states[end : end + AMBER_S + 1])
            assert len(after) <= AMBER_S or after == "y" * AMBER_S + "r", (link, end, after)
    links = {group.id: group.links[0] for group in cross_junction().groups}
    compared = 0
    for pair in cross_junction().intergreens:
        clearing, entering = links[pair.clearing], links[pair.entering]
        assert not any(state[clearing] in "gGy" and state[entering] in "gGu" for state in states), pair
        found_s = gaps(states, clearing, entering)
        assert all(gap_s * 1000 >= pair.intergreen_ms for gap_s in found_s), (pair, found_s)
        compared += len(found_s)
    return compared


@pytest.mark.parametrize("ending", ["window", "ctrl-c", "refusal"])
def test_the_light_goes_back_to_its_programme_through_amber_and_red(tmp_path: Path, ending: str) -> None:
    port = traci.getFreeSocketPort()
    with start_sumo(tmp_path, port, clients=2) as sumo:
        run = start_umlauf(tmp_path, port, "--end", "70" if ending == "window" else "100000", rogue=ROGUE if ending == "refusal" else "")
        with other_client(port) as api:
            for second in range(END_S):
                api.simulationStep()
                if ending == "ctrl-c" and second == 90:
                    os.kill(run.pid, signal.SIGINT)
                    time.sleep(0.5)
            _, err = run.communicate(timeout=60)
        sumo.wait(timeout=20)
    assert run.returncode == {"window": 0, "ctrl-c": 130, "refusal": 1}[ending], err
    assert "Traceback" not in err
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["status"] == {"window": "finished", "ctrl-c": "interrupted", "refusal": "failed"}[ending]
    assert summary["interlock_refusals"] == int(ending == "refusal")
    assert any(note.startswith("1 lights handed back") for note in summary["notes"])
    programmes, states = zip(*recorded(tmp_path), strict=True)
    changes = [now for before, now in pairwise(programmes) if now != before]
    assert changes[-2:] == ["online", "0"] if programmes[0] == "0" else changes == ["0"]
    begin_s = programmes.index("online")
    assert check_lawful(list(states[begin_s:])) > 30
    assert len(programmes) - 1 - programmes[::-1].index("online") > 70, "held to the end of the window at least"
    with JournalReader(tmp_path / "out") as reader:
        assert [note.kind for note in reader.notes() if note.kind == "handback"] == ["handback"]


def test_a_check_that_finds_nothing_would_be_worth_nothing() -> None:
    cycle = programme_of_the_net()
    assert check_lawful(cycle * 2) > 0
    jump = next(t for t, state in enumerate(cycle) if "y" in state)
    with pytest.raises(AssertionError):
        check_lawful(cycle[:jump] + cycle[jump + AMBER_S :] + cycle)
    late = max(t for t, state in enumerate(cycle) if "y" in state) + 1
    with pytest.raises(AssertionError):
        check_lawful(cycle[: late - 1] + cycle)


def test_an_attached_sumo_that_dies_in_mid_run_is_one_message_with_figures(tmp_path: Path) -> None:
    port = traci.getFreeSocketPort()
    with start_sumo(tmp_path, port, clients=2) as sumo:
        run = start_umlauf(tmp_path, port, "--end", "3600")
        api = traci.connect(port=port, numRetries=100, waitBetweenRetries=0.1)
        api.setOrder(1)
        for _ in range(60):
            api.simulationStep()
        sumo.kill()
        with pytest.raises((traci.FatalTraCIError, ConnectionError)):
            api.simulationStep()
    _, err = run.communicate(timeout=60)
    assert run.returncode == 1
    assert f"SUMO at localhost:{port} has gone at " in err
    assert "Traceback" not in err
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["status"] == "failed"
    assert 55 <= summary["simulation_s"] <= 61
    with JournalReader(tmp_path / "out") as reader:
        assert len(list(reader.ticks())) >= 55


def test_a_port_where_nothing_listens_is_one_message(tmp_path: Path) -> None:
    port = traci.getFreeSocketPort()
    run = start_umlauf(tmp_path, port)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 1
    assert f"SUMO at localhost:{port} does not answer" in err
    assert f"start it with --remote-port {port} and check host and port" in err
    assert "Traceback" not in err
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["status"] == "failed"
