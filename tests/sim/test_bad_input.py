"""Bad input as a user meets it: the command line, one message that says what mends it, exit code 1, no traceback."""

from __future__ import annotations

import json
import re
import shutil
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from support_bench import no_file_beyond
from support_sumo import cross

from controller.cli import main

pytestmark = pytest.mark.sim

NET, ROUTES, CONFIG = "net.net.xml", "demand.rou.xml", "scenario.sumocfg"


def edit(name: str, change: Callable[[str], str]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        before = (folder / name).read_text()
        after = change(before)
        assert after != before
        (folder / name).write_text(after)

    return apply


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def in_phases(pattern: str, new: str) -> Callable[[Path], None]:
    return edit(NET, lambda text: re.sub(rf"(<phase [^>]*){pattern}", rf"\g<1>{new}", text))


CONFIGURATIONS = {
    "configuration cut off": (edit(CONFIG, lambda text: text[:60]), r"not readable as XML .*mend the file"),
    "configuration of bytes": (lambda folder: (folder / CONFIG).write_bytes(bytes(range(256))), r"not readable as XML"),
    "net missing": (remove(NET), r"net-file names .*net\.net\.xml, which does not exist; correct the path"),
    "routes missing": (remove(ROUTES), r"route-files names .*demand\.rou\.xml, which does not exist; correct the path"),
    "net cut off": (edit(NET, lambda text: text[:6000]), r"net\.net\.xml: not readable as XML .*; write it again with netconvert"),
    "net empty": (edit(NET, lambda text: "\n"), r"net\.net\.xml: not readable as XML"),
    "routes cut off": (edit(ROUTES, lambda text: text[:3000]), r"SUMO .*failed at [\d.]+ s of simulation time: (.|\n)*demand\.rou\.xml"),
    "edge unknown": (edit(ROUTES, lambda text: text.replace('to="', 'to="x')), r"The edge 'x\w+' within the route for trip .* is not known"),
    "no light": (edit(NET, lambda text: text.replace("tlLogic", "param")), r"has no traffic light with a programme, so nothing can be controlled"),
    "one state short": (edit(NET, lambda text: text.replace('"rrrG', '"rrG', 1)), r"phase 0: found a state of 13 letters, expected 14 .*correct the state"),
    "all states short": (in_phases('state="[rgGy]', 'state="'), r"phase 0: expected a state of at least 14, one for each link index, found 13"),
    "letter unknown": (in_phases('state="r', 'state="Q'), r"phase 0: found the letter 'Q' at place 0, expected letters out of rsuyYgGoO; correct"),
    "duration no number": (in_phases('duration="27"', 'duration="long"'), r"duration is 'long', expected seconds, 0 or more; correct it"),
    "duration NaN": (in_phases('duration="27"', 'duration="nan"'), r"expected (a finite number, found 'nan'|seconds, 0 or more)"),
    "duration negative": (in_phases('duration="27"', 'duration="-3"'), r"phase 0: the duration is '-3', expected seconds, 0 or more; correct it"),
    "end no time": (edit(CONFIG, lambda text: text.replace('"3600"', '"late"')), r"end is 'late', expected seconds or hours:minutes:seconds"),
    "option unknown": (edit(CONFIG, lambda text: text.replace("<input>", '<input><wheels value="3"/>')), r"No option with the name 'wheels' exists"),
}


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(list(arguments))
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    assert 'File "' not in out + err
    return code, out, err


@pytest.mark.parametrize("control", ["actuated", "fixed"])
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_broken_configuration_is_one_message(capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str, control: str) -> None:
    change, expected = CONFIGURATIONS[name]
    shutil.copytree(cross().path.parent, tmp_path / "mine")
    change(tmp_path / "mine")
    output = tmp_path / "out"
    code, out, err = run(capsys, "simulate", str(tmp_path / "mine" / CONFIG), "--control", control, "--end", "60", "--output", str(output), "--json")
    assert code == 1
    assert re.search(expected, err), err
    if (output / "case.json").is_file():  # it came as far as a run
        summary = json.loads((output / "summary.json").read_text())
        assert summary["status"] == "failed"
        assert re.search(expected, summary["error"]) or control == "fixed"
        assert json.loads(out) == {"runs": []}
    else:
        assert out == ""


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["gone.sumocfg"], r"scenario gone\.sumocfg: no such file; give a catalogue name .* or the path of a \.sumocfg"),
        (["crss"], r"unknown scenario 'crss'; did you mean 'cross'\?"),
        (["cross", "--control", "adaptiv"], r"--control: unknown control 'adaptiv'; did you mean 'adaptive'\?"),
        (["cross", "--control", ","], r"--control names no control"),
        (["cross", "--tls", "Z9"], r"--tls: light 'Z9' is not in the net; expected out of A0"),
        (["cross", "--rules", "none"], r"--rules: found 'none', expected one of net, published, street"),
        (["cross", "--seed", "x"], r"--seed: found 'x', expected a number, a list like 1,2 or a range"),
        (["cross", "--seed", "99999999999", "--end", "10"], r"'99999999999' is not a valid integer"),
        (["cross", "--begin", "nan"], r"--begin: found nan, expected seconds"),
        (["cross", "--end", "inf"], r"--end: found inf, expected seconds"),
        (["cross", "--end", "-5"], r"--end: found -5, expected seconds"),
        (["cross", "--begin", "100", "--end", "50"], r"the window ends at 50 s, expected an end after its begin at 100 s; correct --begin and --end"),
        (["cross", "--attach", "there"], r"--attach: found 'there', expected HOST:PORT"),
        (["cross", "--attach", "localhost:8813", "--control", "adaptive,fixed"], r"--attach takes one control and one seed"),
    ],
)
def test_a_wrong_option_is_one_message(capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str], expected: str) -> None:
    code, _, err = run(capsys, "simulate", *arguments, "--output", str(tmp_path / "out"))
    assert code == 1
    assert re.search(expected, err), err


def test_a_folder_that_takes_nothing_is_one_message(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, _, err = run(capsys, "simulate", "cross", "--output", str(tmp_path / "file" / "out"))
    assert code == 1
    assert re.search(r"--output: cannot write into .*file/out \(Not a directory\); give a folder that you may write into", err)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("raise ModuleNotFoundError('none', name='libsumo')", r"the Python package 'libsumo' is not installed; install it with: pip install"),
        (
            "raise ImportError('libGL.so.1: cannot open')",
            r"libsumo cannot be loaded \(libGL\.so\.1: .*\); a system library is missing, install it with: apt-get",
        ),
        ("import os; os._exit(7)", r"the simulation process was ended by os._exit\(7\) before the first step"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", r"the simulation process was ended by SIGSEGV \(signal 11\) before the first step"),
    ],
)
def test_a_sumo_that_is_not_there_is_one_message(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, expected: str
) -> None:
    """The child finds another libsumo first."""
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "libsumo.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "first"))
    result, _, err = run(capsys, "simulate", "cross", "--control", "actuated", "--end", "20", "--output", str(tmp_path / "out"))
    assert result == 1
    assert re.search(expected, err), err
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["status"] == "failed"


def test_figures_of_a_trip_file_that_is_cut_off_are_none(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """SUMO does not say that its disk is full; what it wrote until then would pass for the whole."""
    with no_file_beyond(100_000):
        code, _, err = run(capsys, "simulate", "cross", "--control", "fixed", "--end", "600", "--output", str(tmp_path / "out"))
    assert code == 1
    assert re.search(r"tripinfo.xml is cut off, so vehicles are missing from the figures; is there room on that disk\?", err)
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["status"] == "failed"


def test_a_port_that_is_no_sumo_is_one_message(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with socket.create_server(("localhost", 0)) as server:
        answering = threading.Thread(target=_answer_like_a_web_server, args=(server,))
        answering.start()
        port = server.getsockname()[1]
        code, _, err = run(capsys, "simulate", "cross", "--control", "actuated", "--attach", f"localhost:{port}", "--output", str(tmp_path / "out"))
        answering.join(timeout=30)
    assert code == 1
    assert re.search(rf"SUMO at localhost:{port} does not answer .*; start it with --remote-port {port} and check host and port", err), err


def _answer_like_a_web_server(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(100)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
