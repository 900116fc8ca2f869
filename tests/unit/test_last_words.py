"""Who ended a simulation process: the user's controller, something else in it, or nobody that left a trace."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scenarios import last_words, own_controllers
from scenarios.case import Case
from scenarios.last_words import how_it_ended
from scenarios.runner import end_text

OURS, HELPER = own_controllers.__file__, last_words.__file__
STACK = f"""Current thread 0x00007f (most recent call first):
  File "/lib/numerics.py", line 9 in solve
  File "/home/me/mine.py", line 33 in score
  File "/home/me/mine.py", line 12 in decide
  File "{OURS}", line 99 in submit
  File "/umlauf/controller/decide.py", line 50 in decide
"""
FATAL = f"Fatal Python error: Segmentation fault\n\n{STACK}\nExtension modules: numpy.core (total: 1)\n"
IN_SUMO = 'Fatal Python error: Aborted\n\nCurrent thread 0x1 (most recent call first):\n  File "/umlauf/hardware/sumo.py", line 5 in step\n'
IMPORTING = f"""os._exit(3) was called
Current thread 0x00007f (most recent call first):
  File "{HELPER}", line 40 in told
  File "/home/me/mine.py", line 2 in <module>
  File "<frozen importlib._bootstrap>", line 241 in _call_with_frames_removed
  File "/lib/importlib/__init__.py", line 126 in import_module
  File "{OURS}", line 80 in _module
"""
IN_A_THREAD = f"""os._exit(4) was called
Current thread 0x00007f (most recent call first):
  File "{HELPER}", line 40 in told
  File "/home/me/mine.py", line 7 in watch
  File "/lib/threading.py", line 982 in run
"""


def case(control: str) -> Case:
    return Case("cross", "cross.sumocfg", control, "run")


def told(tmp_path: Path, control: str, code: int, log: str) -> str:
    (tmp_path / "sumo.log").write_text(log, encoding="utf-8")
    return how_it_ended(case(control), code, tmp_path / "sumo.log")


@pytest.mark.parametrize(
    ("control", "code", "log", "words"),
    [
        ("mine", -11, FATAL, "was ended by SIGSEGV (signal 11), in controller 'mine' (mine.py, line 33, score())"),
        ("mine", 1, f"os._exit(7) was called\n{STACK}", "was ended by os._exit(7), in controller 'mine' (mine.py, line 33, score())"),
        ("mine", 1, IMPORTING, "was ended by os._exit(3), in controller 'mine' (mine.py, line 2, <module>)"),
        ("mine", 1, IN_A_THREAD, "was ended by os._exit(4) under controller 'mine' (mine.py, line 7, watch())"),
        ("mine", -6, IN_SUMO, "was ended by SIGABRT (signal 6), outside controller 'mine'"),
        ("adaptive", -6, IN_SUMO, "was ended by SIGABRT (signal 6)"),
        ("mine", -15, "", "was ended by SIGTERM (signal 15) under controller 'mine'"),
        ("mine", -35, "", "was ended by a signal (signal 35) under controller 'mine'"),
        ("mine", 2, "STOP\n", "ended with exit code 2 under controller 'mine'"),
        ("fixed", -9, "", "was ended by SIGKILL (signal 9, which leaves no trace; the kernel sends it where memory runs out)"),
    ],
)
def test_who_ended_the_process(tmp_path: Path, control: str, code: int, log: str, words: str) -> None:
    assert told(tmp_path, control, code, log) == words


def test_the_stack_is_not_quoted_as_what_was_said(tmp_path: Path) -> None:
    (tmp_path / "sumo.log").write_text(f"a library gives up\n{FATAL}", encoding="utf-8")
    text = end_text(case("mine"), -11, 5.0, tmp_path / "sumo.log")
    assert text.endswith(", last heard of at 5 s of simulation time.\nIt said: a library gives up")


PROCESS = "import os, signal\nfrom scenarios.last_words import leave_last_words\nleave_last_words()\n{source}"


@pytest.mark.parametrize(
    ("source", "code", "said"),
    [
        ("os._exit(0)", 1, "os._exit(0) was called\nStack (most recent call first):\n"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", -signal.SIGSEGV, "Fatal Python error: Segmentation fault\n"),
        ("os._exit(5) if os.fork() == 0 else os.wait()", 0, ""),
    ],
)
def test_a_process_leaves_its_stack_and_those_that_it_forks_end_as_they_like(source: str, code: int, said: str) -> None:
    done = subprocess.run([sys.executable, "-c", PROCESS.format(source=source)], capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert done.stderr.startswith(said)
    assert bool(said) == bool(done.stderr)
