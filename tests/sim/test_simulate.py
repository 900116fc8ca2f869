"""Whole runs through the parent and its child process, on the built crossing."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from support_sumo import cross, running

from controller.cli import main
from controller.errors import ConfigError, ScenarioError, SimulationError, UmlaufError
from scenarios.simulate import Request, cases_of, run_request
from scenarios.summary import KEYS

pytestmark = pytest.mark.sim
UMLAUF = [sys.executable, "-c", "import sys; from controller.cli import main; sys.exit(main())"]


def simulate(capsys: pytest.CaptureFixture[str], output: Path, scenario: str = "cross", **options: Any) -> list[dict[str, Any]]:
    capsys.readouterr()
    code = run_request(Request(scenario=scenario, output=output, as_json=True, **{"end_s": 200.0, **options}))
    assert code == 0
    printed = json.loads(capsys.readouterr().out)
    assert list(printed) == ["runs"]
    runs: list[dict[str, Any]] = printed["runs"]
    return runs


def copy_of_cross(folder: Path) -> Path:
    shutil.copytree(cross().path.parent, folder)
    return folder / cross().path.name


def test_calls_of_the_same_second_get_a_folder_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    together = threading.Barrier(8)

    def folder(_: int) -> str:
        together.wait()
        (case,) = cases_of(Request(scenario="cross", controls=("fixed",)))
        return case.folder

    with ThreadPoolExecutor(8) as calls:
        found = list(calls.map(folder, range(8)))
    assert len(set(found)) == 8
    assert all(Path(x).is_dir() for x in found)


def test_one_run_writes_all_files_directly_into_its_folder(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (run,) = simulate(capsys, tmp_path / "out", controls=("fixed",))
    assert list(run)[: len(KEYS)] == list(KEYS)
    assert (run["scenario"], run["control"], run["seed"], run["rules"], run["detection"], run["insertion"]) == ("cross", "fixed", 1, "net", "loops", "sumo")
    assert run["interlock_refusals"] is None
    assert run["solve_ms"] == {"mean": None, "p99": None, "max": None}
    assert run["bare_wall_s"] is None
    assert run["simulation_s"] == 200.0
    assert (run["teleports"], run["collisions"]) == (0, 0)
    assert run["vehicles"] == run["finished"] + run["unfinished"] + run["never_inserted"] > 50
    assert json.loads((tmp_path / "out" / "summary.json").read_text()) == run
    assert (tmp_path / "out" / "tripinfo.xml").is_file()
    states = ET.parse(tmp_path / "out" / "tls_states.xml").getroot()
    assert {state.get("id") for state in states} == {"A0"}
    assert {float(state.get("time", "-1")) for state in states} == {float(second) for second in range(200)}


def test_our_control_drives_the_light_through_the_interlock(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    runs = simulate(capsys, tmp_path / "out", controls=("actuated", "fixed"), seeds="1,2", measure_bare=True)
    assert [(run["control"], run["seed"]) for run in runs] == [("actuated", 1), ("actuated", 2), ("fixed", 1), ("fixed", 2)]
    for run in runs[:2]:
        assert run["interlock_refusals"] == 0
        assert run["bare_wall_s"] > 0
    for name in ("actuated-1", "actuated-2", "fixed-1", "fixed-2"):
        assert (tmp_path / "out" / name / "summary.json").is_file()
    assert (tmp_path / "out" / "actuated-1" / "journal.sqlite").is_file()
    assert not (tmp_path / "out" / "actuated-1" / "bare").exists()
    assert runs[0]["mean_delay_s"] != runs[2]["mean_delay_s"]


def test_the_same_case_gives_the_same_figures_over_libsumo_and_traci(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (first,) = simulate(capsys, tmp_path / "a", controls=("actuated",))
    (again,) = simulate(capsys, tmp_path / "a", controls=("actuated",))
    (traci,) = simulate(capsys, tmp_path / "b", controls=("actuated",), engine="traci")
    for key in ("mean_delay_s", "vehicles", "stops_per_vehicle", "co2_g_per_vehicle", "saturation_headways"):
        assert first[key] == again[key] == traci[key]


def test_every_vehicle_due_is_counted_against_brute_force(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Due departures from the route file, insertions and time losses from the simulator itself, step by step."""
    config = copy_of_cross(tmp_path / "busy")
    routes = config.parent / "demand.rou.xml"
    text = routes.read_text()
    root = ET.fromstring(text)
    trips = root.findall("trip")
    for trip in trips:
        trip.set("depart", f"{float(trip.attrib['depart']) / 20:.2f}")  # an hour's demand in three minutes
    ET.ElementTree(root).write(routes)
    (run,) = simulate(capsys, tmp_path / "out", scenario=str(config), controls=("fixed",), end_s=150.0)
    due = {trip.attrib["id"]: float(trip.attrib["depart"]) for trip in trips}
    delays: dict[str, float] = {}
    arrived = 0
    from hardware.sumo import SumoWorld

    world = SumoWorld.start(["-c", str(config), "--seed", "1", "--time-to-teleport", "-1", "--no-step-log"])
    vehicle = world.api.vehicle
    while world.now_ms < 150_000:
        for name in vehicle.getIDList():
            delays[name] = vehicle.getDepartDelay(name) + vehicle.getTimeLoss(name)
        world.step()
        arrived += world.api.simulation.getArrivedNumber()
    for name in vehicle.getIDList():
        delays[name] = vehicle.getDepartDelay(name) + vehicle.getTimeLoss(name)
    world.close()
    waiting = [150.0 - depart_s for name, depart_s in due.items() if depart_s < 150.0 and name not in delays]
    assert run["finished"] == arrived
    assert run["unfinished"] == len(delays) - arrived
    assert run["never_inserted"] == len(waiting)
    assert len(waiting) > 300
    brute_s = (sum(delays.values()) + sum(waiting)) / (len(delays) + len(waiting))
    assert run["mean_delay_s"] == pytest.approx(brute_s, rel=0.005)


def test_the_users_files_stay_untouched_and_outputs_and_drops_are_overridden(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    config = copy_of_cross(tmp_path / "mine")
    (config.parent / "mine.add.xml").write_text('<additional><edgeData id="e" file="edges.xml"/></additional>')
    text = config.read_text().replace("<input>", '<input><additional-files value="mine.add.xml"/>')
    text = text.replace("</configuration>", '<summary-output value="s.xml"/><log value="l.txt"/><max-depart-delay value="1"/></configuration>')
    config.write_text(text)
    before = {path: path.read_bytes() for path in config.parent.iterdir()}
    (run,) = simulate(capsys, tmp_path / "out", scenario=str(config), controls=("actuated",))
    assert {path: path.read_bytes() for path in config.parent.iterdir()} == before
    assert {path.name for path in (tmp_path / "out" / "user").iterdir()} >= {"edges.xml", "s.xml", "l.txt"}
    assert run["overridden"] == {"max-depart-delay": "1 -> -1"}


@pytest.mark.parametrize("rules", ["net", "street"])
def test_sumo_driven_baselines_all_run(capsys: pytest.CaptureFixture[str], tmp_path: Path, rules: str) -> None:
    runs = simulate(capsys, tmp_path / "out", controls=("fixed", "webster", "sumo-actuated-30", "sumo-delay-based"), rules=rules, end_s=300.0)
    delays = {run["control"]: run["mean_delay_s"] for run in runs}
    assert len(set(delays.values())) == 4, delays
    assert all(run["collisions"] == 0 and run["finished"] > 0 for run in runs)


def test_where_the_net_is_actuated_the_delay_based_baseline_is_still_delay_based(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    config = copy_of_cross(tmp_path / "mine")
    net = config.parent / "net.net.xml"
    text = net.read_text().replace('type="static"', 'type="actuated"')
    net.write_text(re.sub(r'(<phase duration="[0-9.]+" +state="[rgG]*G[rgG]*")', r'\1 minDur="6" maxDur="40"', text))
    runs = simulate(capsys, tmp_path / "out", scenario=str(config), controls=("fixed", "sumo-actuated", "sumo-delay-based"), end_s=600.0)
    fixed, actuated, delay_based = runs
    assert fixed["mean_delay_s"] == actuated["mean_delay_s"] != delay_based["mean_delay_s"]
    for run, does in zip(runs, ("leaves them as they are", "leaves them as they are", "takes over their shortest and longest greens"), strict=True):
        assert f"1 of 1 lights have programmes with vehicle actuation of their own in the net; {run['control']} {does}" in run["notes"]
    written = (Path(delay_based["folder"]) / "programmes.add.xml").read_text()
    assert 'type="delay_based"' in written
    assert 'minDur="6" maxDur="40"' in written


def test_with_tls_the_other_lights_keep_their_programmes(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (run,) = simulate(capsys, tmp_path / "out", scenario="arterial", controls=("actuated",), tls=("B0",), end_s=60.0)
    assert (run["lights"], run["controlled"]) == (5, 1)
    programmes = {state.get("id"): state.get("programID") for state in ET.parse(tmp_path / "out" / "tls_states.xml").getroot()}
    assert programmes == {"A0": "0", "B0": "online", "C0": "0", "D0": "0", "E0": "0"}


@pytest.mark.parametrize(
    ("file", "change", "expected"),
    [
        ("net.net.xml", lambda text: text[:5000], "not readable as XML"),
        ("net.net.xml", lambda text: text.replace('state="rrr', 'state="rxr'), "found the letter 'x' at place 1, expected letters out of"),
        ("net.net.xml", lambda text: text.replace('state="rrrGGGg', 'state="rrr', 1), r"phase 0: found a state of 10 letters, expected 14"),
        ("net.net.xml", lambda text: text.replace('<connection from="A1A0', '<connection from="nowhere', 1), "nowhere"),
        ("demand.rou.xml", lambda text: text[:3000], "demand.rou.xml"),
        ("demand.rou.xml", lambda text: text.replace('to="', 'to="x'), "is not known"),
    ],
)
def test_broken_input_is_one_message(tmp_path: Path, file: str, change: Any, expected: str) -> None:
    config = copy_of_cross(tmp_path / "broken")
    path = config.parent / file
    path.write_text(change(path.read_text()))
    with pytest.raises(UmlaufError, match=expected) as caught:
        run_request(Request(scenario=str(config), controls=("fixed",), end_s=60.0, output=tmp_path / "out", as_json=True))
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["status"] == "failed"
    assert summary["error"] == str(caught.value)


def test_a_net_without_lights_and_unknown_lights_are_refused(tmp_path: Path) -> None:
    config = copy_of_cross(tmp_path / "dark")
    net = config.parent / "net.net.xml"
    net.write_text(net.read_text().replace("<tlLogic", "<param").replace("</tlLogic", "</param"))
    with pytest.raises(ScenarioError, match="no traffic light with a programme"):
        run_request(Request(scenario=str(config), controls=("fixed",), output=tmp_path / "out"))
    with pytest.raises(ScenarioError, match=r"light 'X' is not in the net; expected out of A0"):
        run_request(Request(scenario="cross", controls=("fixed",), tls=("X",), output=tmp_path / "out"))


def test_an_unwritable_output_folder_is_said_before_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot write into"):
        run_request(Request(scenario="cross", controls=("fixed",), output=tmp_path / "file" / "out"))


def started(tmp_path: Path, *options: str) -> subprocess.Popen[str]:
    # A shell that starts the tests in the background lets them ignore Ctrl-C; `env` undoes that.
    command = ["env", "--default-signal=INT", *UMLAUF, "simulate", "cross", "--json", "--output", str(tmp_path / "out"), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def child_of(process: subprocess.Popen[str], journal: Path) -> int:
    """Wait until the run is under way and return the pid of its child."""
    for _ in range(400):
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        if children and journal.is_file() and journal.stat().st_size > 0:
            time.sleep(0.5)
            return int(children[0])
        time.sleep(0.05)
    pytest.fail("the run did not start")


def test_ctrl_c_ends_the_run_properly(tmp_path: Path) -> None:
    process = started(tmp_path, "--control", "fixed", "--engine", "traci", "--end", "3600")
    child_of(process, tmp_path / "out" / "tls_states.xml")
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err
    (run,) = json.loads(out)["runs"]
    assert run["status"] == "interrupted"
    assert 0 < run["simulation_s"] < 3600
    assert run["vehicles"] > 0
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["status"] == "interrupted"


def test_a_killed_simulation_is_one_message(tmp_path: Path) -> None:
    process = started(tmp_path, "--control", "actuated", "--engine", "traci", "--end", "3600")
    os.kill(child_of(process, tmp_path / "out" / "tls_states.xml"), signal.SIGKILL)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert json.loads(out) == {"runs": []}
    assert "the simulation process was ended by SIGKILL" in err
    assert "Traceback" not in err
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["status"] == "failed"
    assert (tmp_path / "out" / "journal.sqlite").is_file()


def test_a_sumo_that_leaves_in_mid_run_is_one_message_with_figures(tmp_path: Path) -> None:
    process = started(tmp_path, "--control", "actuated", "--engine", "traci", "--end", "3600")
    child = child_of(process, tmp_path / "out" / "tls_states.xml")
    (sumo,) = Path(f"/proc/{child}/task/{child}/children").read_text().split()
    os.kill(int(sumo), signal.SIGKILL)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert re.search(r"SUMO \(TraCI\) has gone at \d+ s of simulation time: it was ended by SIGKILL\n", err)
    assert "Traceback" not in err
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["status"] == "failed"
    assert summary["simulation_s"] > 0


def test_attach_refuses_a_sumo_without_our_loops_with_the_command(tmp_path: Path) -> None:
    from traci import getFreeSocketPort  # type: ignore[import-untyped]

    from hardware.sumo_process import sumo_binary

    port = getFreeSocketPort()
    command = [sumo_binary(), "-c", str(cross().path), "--remote-port", str(port), "--no-step-log"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as sumo:
        with pytest.raises(ScenarioError, match=r"umlauf scenarios loops cross -o loops\.add\.xml"):
            run_request(Request(scenario="cross", controls=("actuated",), attach=f"localhost:{port}", engine="traci", output=tmp_path / "out"))
        sumo.wait(timeout=10)


def test_attached_runs_read_the_files_of_the_running_sumo(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from traci import getFreeSocketPort

    from hardware.sumo_process import sumo_binary
    from scenarios.listing import write_loops_file

    port = getFreeSocketPort()
    write_loops_file("cross", tmp_path / "loops.add.xml", ())
    told = capsys.readouterr().err.splitlines()[1].split()
    assert told[0] == "sumo"
    told[told.index("--remote-port") + 1] = str(port)
    command = [sumo_binary(), *told[1:], "--seed", "1", "--no-step-log"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as sumo:
        (attached,) = simulate(capsys, tmp_path / "a", controls=("actuated",), attach=f"localhost:{port}", engine="traci")
        sumo.wait(timeout=10)
    simulate(capsys, tmp_path / "b", controls=("actuated",))
    theirs, ours = arrivals(tmp_path / "tripinfo.xml"), arrivals(tmp_path / "b" / "tripinfo.xml")
    assert theirs == ours
    assert len(ours) > 50
    assert 200.0 < attached["simulation_s"] < 330.0, "the window and the handing back"
    assert attached["finished"] > len(ours)
    assert attached["teleports"] == 0
    assert attached["notes"][1:] == [
        f"1 lights handed back to their own programmes, the last after {attached['simulation_s'] - 200:g} s, which the figures include"
    ]


def test_an_attached_sumo_that_writes_too_little_is_told_so(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from traci import getFreeSocketPort

    from hardware.sumo_process import sumo_binary
    from scenarios.listing import write_loops_file

    port = getFreeSocketPort()
    write_loops_file("cross", tmp_path / "loops.add.xml", ())
    command = [sumo_binary(), "-c", str(cross().path), "-a", str(tmp_path / "loops.add.xml"), "--remote-port", str(port), "--no-step-log"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as sumo:
        code = main(["simulate", "cross", "--control", "actuated", "--attach", f"localhost:{port}", "--end", "30", "--output", str(tmp_path / "a")])
        sumo.wait(timeout=10)
    assert code == 0
    assert "does not write every trip; start it with --tripinfo-output FILE --tripinfo-output.write-unfinished" in capsys.readouterr().err


def arrivals(tripinfo: Path) -> list[tuple[str, ...]]:
    """Return what SUMO wrote of each trip that ended within the window of 200 s."""
    trips = ET.parse(tripinfo).getroot().findall("tripinfo")
    keys = ("id", "depart", "arrival", "timeLoss", "waitingCount")
    return [tuple(trip.attrib[key] for key in keys) for trip in trips if 0 < float(trip.attrib["arrival"]) < 200]


def test_a_refused_frame_makes_the_run_fail_loudly(tmp_path: Path) -> None:
    """The child is given a control that asks for green everywhere."""
    code = (
        "import sys\n"
        "from hardware.signals import Aspect, Frame\n"
        "import scenarios.controls as controls, scenarios.child as child\n"
        "class Rogue:\n"
        "    mode_changes, nodes = [], []\n"
        "    def __init__(self, place, planner): self.place = place\n"
        "    def tick(self, now_ms): self.place.heads.show(Frame(now_ms, (Aspect.GREEN,) * len(self.place.junction.groups)), now_ms)\n"
        "controls._ours = Rogue\n"
        "sys.exit(child.main(sys.argv[1:]))\n"
    )
    from scenarios import runner
    from scenarios.case import Case

    case = Case("cross", str(cross().path), "actuated", str(tmp_path / "out"), end_s=60.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "child_command", lambda path, descriptor: [sys.executable, "-c", code, path, descriptor])
        with pytest.raises(SimulationError, match="the interlock refused a frame") as caught:
            runner.run_one(case, lambda now_s, end_s: None, lambda text: None)
    assert "rule" in str(caught.value).lower() or "expected" in str(caught.value)
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert (summary["status"], summary["interlock_refusals"]) == ("failed", 1)


def test_the_perfect_view_sees_each_vehicle_once_per_light(tmp_path: Path) -> None:
    with running("libsumo", tmp_path) as world:
        for _ in range(60):
            world.step()
        seen = world.vehicles_before("A0", 100.0)
        brute = [
            (ahead[0][1], round(ahead[0][2], 3))
            for name in world.api.vehicle.getIDList()
            if (ahead := world.api.vehicle.getNextTLS(name)) and ahead[0][2] <= 100.0
        ]
        routes = {vehicle.name: world.api.vehicle.getRoute(vehicle.name) for vehicle in seen}
        inside = 0
        for _ in range(60):
            world.step()
            for vehicle in world.vehicles_inside("A0"):
                assert vehicle.distance_m < 0.0
                assert world.api.vehicle.getLaneID(vehicle.name).startswith(":A0")
                inside += 1
    assert inside
    for vehicle in seen:
        before, after = (lane.rsplit("_", 1)[0] for lane in (vehicle.stop_lane, vehicle.exit))
        assert (before, after) in pairwise(routes[vehicle.name])
    assert sorted((vehicle.link, round(vehicle.distance_m, 3)) for vehicle in seen) == sorted(brute)
    assert seen


def test_a_note_is_told_once_a_call(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    config = copy_of_cross(tmp_path / "mine")
    config.write_text(config.read_text().replace("</configuration>", '<osg-view value="true"/></configuration>'))
    command = ["simulate", str(config), "--control", "actuated,fixed", "--end", "20", "--output", str(tmp_path / "out")]
    assert main(command) == 0
    told = capsys.readouterr().err
    assert told.count("osg-view of scenario.sumocfg was left out") == 1
    for name in ("actuated-1", "fixed-1"):
        notes = json.loads((tmp_path / "out" / name / "summary.json").read_text())["notes"]
        assert any("osg-view" in note for note in notes)
