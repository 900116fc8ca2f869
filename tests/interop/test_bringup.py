"""``umlauf bringup`` on a site with real ptys and a controller behind real UDP: what it shows, what it finds wrong, and its exit code."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Timer
from typing import Any

import pytest
from support_cabinet import junction_with_loops

from controller.cli import main
from controller.site import write_junction
from hardware.virtual.card_lines import PtyLine
from hardware.virtual.controller import VirtualController
from hardware.virtual.loop_cards import DigitalCard, Ld120Card, ModbusSlave
from hardware.virtual.setup import ControllerSetup, Head, PhaseSetup
from hardware.virtual.snmp_agent import SnmpAgent
from hardware.wire.modbus import Reply

HEADS = {"A": Head(2), "B": Head(4), "P": Head(2, walks=True)}
SITE = """\
id = "market"
junction = "junction.toml"
[signals]
driver = "ntcip"
[signals.options]
host = "127.0.0.1"
port = {port}
community_secret_file = "community"
phases = {{ A = "phase 2", B = "phase 4", P = "ped 2" }}
actuation = "phase-control"
[[inputs]]
driver = "modbus"
[inputs.options]
port = "{folder}/tty-loops"
timeout_ms = 400
units = [{{ unit = 1, detectors = {{ 1 = "a0" }} }}, {{ unit = 2, detectors = {{ 1 = "a1" }} }}]
[[inputs]]
driver = "modbus"
[inputs.options]
port = "{folder}/tty-module"
timeout_ms = 400
units = [{{ unit = 9, profile = "digital", detectors = {{ 1 = "b0", 2 = "b1" }} }}]
[journal]
folder = "journal"
[state]
folder = "state"
[operator]
socket = "control.sock"
"""


@dataclass
class Cabinet:
    """The far ends of everything that the site names."""

    file: Path
    loops: dict[int, Ld120Card]
    slave: ModbusSlave
    module: DigitalCard
    line: PtyLine


@pytest.fixture
def cabinet(tmp_path: Path) -> Iterator[Callable[..., Cabinet]]:
    ends: list[Any] = []

    def build(**side: Any) -> Cabinet:
        phases = (PhaseSetup(2, 1, 0, walk_s=4, ped_clear_s=8), PhaseSetup(4, 1, 1, **{"red_clear_ms": 3_000, **side}))
        agent = SnmpAgent(VirtualController(ControllerSetup("market", phases, HEADS), warm=True), community="secret")
        ends.append(agent)
        loops, module = {1: Ld120Card(), 2: Ld120Card()}, DigitalCard()
        slave = ModbusSlave(loops)
        line = PtyLine(slave, tmp_path / "tty-loops")
        ends.extend([line, PtyLine(ModbusSlave({9: module}), tmp_path / "tty-module")])
        community = tmp_path / "community"
        community.write_text("secret\n")
        community.chmod(0o600)
        write_junction(junction_with_loops(), tmp_path / "junction.toml")
        file = tmp_path / "site.toml"
        file.write_text(SITE.format(port=agent.port, folder=tmp_path))
        return Cabinet(file, loops, slave, module, line)

    yield build
    for end in ends:
        end.close()


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main(["bringup", *map(str, arguments)])
    out, err = capsys.readouterr()
    return code, out, err


def test_a_cabinet_in_order_is_shown_whole(cabinet: Callable[..., Cabinet], capsys: pytest.CaptureFixture[str]) -> None:
    here = cabinet()
    here.loops[1].cover(True)
    code, out, err = run(capsys, here.file, "--once")
    assert (code, err) == (0, "")
    assert re.search(r"^inputs\[0\] \(modbus .*tty-loops\):\n  \d+ sweeps, the last in \d+ ms", out, re.MULTILINE)
    assert re.search(r"^  a0 +occupied\n  a1 +free$", out, re.MULTILINE)
    assert re.search(r"^  b0 +free\n  b1 +free$", out, re.MULTILINE)
    assert re.search(r"^ +unit +asked +answered +silent +senseless +reply ms\n +1 +\d+ +\d+ +0 +0 +\d+\n +2 +\d+ +\d+ +0 +0 ", out, re.MULTILINE)
    assert "controller and site agree" in out
    assert re.search(r"^ +4 +1 +5 +40 +2 +3 +3 +0 +0$", out, re.MULTILINE)
    assert out.endswith("market: 0 problems.\n")


def test_minimums_of_the_controller_above_ours_forbid_going_active(cabinet: Callable[..., Cabinet], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, cabinet(min_green_s=7, amber_ms=4_000).file, "signals", "--once")
    assert code == 1
    wanted = "expected a minimum green of at most the site's minimum green 5000 ms, found 7000 ms in phase 4; raise min_green_s"
    assert f"problem: signals: B: {wanted}" in err
    assert re.search(rf"forbids going active +B +{re.escape(wanted)}", out)
    assert re.search(r"should be known +B +expected amber 3000 ms, found 4000 ms", out)


def test_json_has_all_of_it_in_one_object(cabinet: Callable[..., Cabinet], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, cabinet(min_green_s=7).file, "--once", "--json")
    data = json.loads(out)
    assert code == 1
    assert [device["device"] for device in data["devices"]] == ["inputs[0]", "inputs[1]", "signals"]
    assert data["devices"][0]["detectors"] == {"a0": {"occupied": False, "fault": ""}, "a1": {"occupied": False, "fault": ""}}
    assert data["devices"][0]["units"]["1"]["silent"] == 0
    assert data["devices"][0]["bus"]["sweep_ms"] >= 0
    signals = data["devices"][2]
    assert (signals["may_go_active"], signals["tables"]["backup_ms"] > 0, signals["mode"]) == (False, True, "local")
    assert [(d["what"], d["grave"]) for d in signals["differences"]] == [("B", True)]
    assert len(data["problems"]) == 1


def test_what_is_wrong_on_a_line_is_named(cabinet: Callable[..., Cabinet], capsys: pytest.CaptureFixture[str]) -> None:
    here = cabinet()
    here.slave.mute.add(2)
    here.loops[1].break_loop(short_circuit=True)
    code, out, err = run(capsys, here.file, "inputs[0]", "--once")
    assert code == 1
    assert re.search(r"problem: inputs\[0\]: unit 2: no answer to \d+ requests; check its number, wiring and power", err)
    assert "problem: inputs[0]: detector a0: shorted loop" in err
    assert "detector a1" not in err, "the unit is the reason"
    assert re.search(r"^  a1 +unknown +its unit does not answer$", out, re.MULTILINE)
    assert "inputs[1]" not in out


def test_a_line_that_is_not_there_is_a_problem_and_no_error(cabinet: Callable[..., Cabinet], capsys: pytest.CaptureFixture[str]) -> None:
    here = cabinet()
    here.line.unplug()
    code, _, err = run(capsys, here.file, "a0", "--duration", "0.5")
    assert code == 1
    assert re.fullmatch(r"problem: inputs\[0\]: .*tty-loops: there is no such device; plug it in, or correct port in the site file\n", err)


@pytest.mark.parametrize("word", ["a1", "inputs[0]", "{folder}/tty-loops"])
def test_live_it_tells_octets_and_events_as_they_come(word: str, cabinet: Callable[..., Cabinet], capsys: pytest.CaptureFixture[str]) -> None:
    here = cabinet()
    timers = [Timer(0.8, here.loops[2].cover, [True]), Timer(1.4, here.loops[2].cover, [False])]
    for timer in timers:
        timer.start()
    code, out, _ = run(capsys, here.file, word.format(folder=here.file.parent), "--duration", "2.2", "--json")
    for timer in timers:
        timer.join()
    assert code == 0
    lines = [json.loads(line) for line in out.splitlines()]
    events = [(line["source"], line["value"]) for line in lines if line.get("kind") == "event"]
    assert events == [("a1", 1), ("a1", 0)]
    octets = [(line["way"], line["octets"]) for line in lines if line.get("kind") == "octets"]
    first = [("sent", "01 04 00 00 00 01 31 ca"), ("received", "01 04 02 03 22 39 d9")]
    assert (octets[:2] == first) == (word != "a1"), "of a detector its own unit is shown"
    assert any(text.startswith("01 ") for _, text in octets) == (word != "a1")
    assert ("received", Reply(2, 4, (0x102,)).encode().hex(" ")) in octets
    assert len(octets) < 20, "exchanges that bring nothing new are left out"
    assert [line["at"] for line in lines[:-1]] == sorted(line["at"] for line in lines[:-1])


def test_of_a_detector_only_its_unit_is_shown(cabinet: Callable[..., Cabinet], capsys: pytest.CaptureFixture[str]) -> None:
    here = cabinet()
    here.slave.mute.add(2)
    timer = Timer(0.8, here.loops[1].cover, [True])
    timer.start()
    code, out, err = run(capsys, here.file, "a0", "--duration", "3")
    timer.join()
    assert (code, err) == (0, ""), "what is wrong with another unit is no matter of this one"
    assert re.search(r"^inputs\[0\] \(modbus .*tty-loops, unit 1\):$", out, re.MULTILINE)
    assert re.search(r"inputs\[0\] +a0: occupied$", out, re.MULTILINE)
    assert re.search(r"^  a0 +occupied$", out, re.MULTILINE)
    assert "a1" not in out
    assert {octets.split()[0] for octets in re.findall(r"inputs\[0\] +[<>] (.*)$", out, re.MULTILINE)} == {"01"}


def test_all_shows_every_exchange(cabinet: Callable[..., Cabinet], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, cabinet().file, "b0", "--duration", "1", "--all")
    assert code == 0
    assert len(re.findall(r"^\d\d:\d\d:\d\d\.\d{3}  inputs\[1\] +> 09 02 00 00 00 02 f8 83$", out, re.MULTILINE)) >= 3
    assert len(re.findall(r"inputs\[1\] +< 09 02 01 00 ", out)) >= 3


def test_an_unknown_device_is_named_with_those_there_are(cabinet: Callable[..., Cabinet], capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, cabinet().file, "c7")
    assert code == 1
    assert "device 'c7': expected a place, a driver, a line or a detector of the site, found none of these: inputs[0] (modbus " in err


def test_control_c_ends_with_what_was_found(cabinet: Callable[..., Cabinet]) -> None:
    here = cabinet()
    command = [sys.executable, "-c", "import sys; from controller.cli import main; sys.exit(main())", "bringup", str(here.file), "a0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"}) as child:
        assert child.stdout is not None
        first = child.stdout.readline()
        Event().wait(1.0)
        child.send_signal(signal.SIGINT)
        rest = child.stdout.read()
    assert child.returncode == 0
    assert "> 01 04 00 00 00 01 31 ca" in first
    assert rest.endswith("market: 0 problems.\n")
