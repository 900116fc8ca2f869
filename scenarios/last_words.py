"""How a simulation process ended that gave no result: the stack that it leaves in its log, and what its parent makes of it.

A deadly signal and ``os._exit`` end a process without an exception. Where a user's controller, or a library that it calls, does that, the
stack tells so, and nobody need suspect SUMO. SIGKILL and an exit out of C leave no stack.
"""

from __future__ import annotations

import faulthandler
import os
import re
import signal
import sys
from pathlib import Path
from typing import Final, NamedTuple, NoReturn

from scenarios import own_controllers
from scenarios.case import Case

EXIT_CALLED: Final = re.compile(r"^os\._exit\((-?\d+)\) was called$", re.MULTILINE)
FATAL: Final = re.compile(r"^Fatal Python error: .*$", re.MULTILINE)
FRAME: Final = re.compile(r'^  File "(.+)", line (\d+) in (.+)$', re.MULTILINE)
UNTRACED: Final = "which leaves no trace; the kernel sends it where memory runs out"


class Frame(NamedTuple):
    """A place in the code."""

    file: Path
    line: int
    function: str


def leave_last_words() -> None:
    """Let this process, not those that it forks, write its stack to standard error where a signal or ``os._exit`` ends it; its exit code is then 1."""
    faulthandler.enable(all_threads=False)
    process, end = os.getpid(), os._exit

    def told(status: int) -> NoReturn:
        if os.getpid() != process:
            end(status)
        print(f"os._exit({status}) was called", file=sys.stderr, flush=True)
        faulthandler.dump_traceback(all_threads=False)
        end(1)

    os._exit = told


def how_it_ended(case: Case, code: int, log: Path) -> str:
    """Return in words what ended the process of this exit code, and whether it was the user's controller."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    found = _last_words(text)
    called = EXIT_CALLED.match(found)
    if called:
        how = f"was ended by os._exit({called[1]})"
    elif code < 0:
        name = next((known.name for known in signal.Signals if known == -code), "a signal")  # those for real time have no names
        how = f"was ended by {name} (signal {-code}{', ' + UNTRACED if -code == signal.SIGKILL else ''})"
    else:
        how = f"ended with exit code {code}"
    return how + (_whose(case.control, found) if case.own else "")


def without_last_words(text: str) -> str:
    """Return what a log says before the stack."""
    return text.removesuffix(_last_words(text))


def _last_words(text: str) -> str:
    """Return the end of a log that `leave_last_words` let the process write, empty where it wrote none."""
    begins = [match.start() for pattern in (EXIT_CALLED, FATAL) for match in pattern.finditer(text)]
    return text[max(begins) :] if begins else ""


def _whose(control: str, words: str) -> str:
    """Return whether the stack leads through the user's controller: its line, where it called what ended the process."""
    frames = [Frame(Path(file), int(line), function) for file, line, function in FRAME.findall(words)]
    ours = next((at for at, frame in enumerate(frames) if frame.file == Path(own_controllers.__file__)), None)
    if not frames:
        return f" under controller {control!r}"
    if ours is None and not EXIT_CALLED.match(words):
        return f", outside controller {control!r}"
    theirs = [frame for frame in frames[:ours] if not own_controllers.is_of_the_import(str(frame.file)) and frame.file != Path(__file__)]
    if not theirs:
        return f", in controller {control!r}"
    if ours is None:  # in a thread of its own, as nobody else calls it
        return f" under controller {control!r} ({_told(theirs[0])})"
    return f", in controller {control!r} ({_told(next(frame for frame in theirs if frame.file == theirs[-1].file))})"


def _told(place: Frame) -> str:
    return f"{place.file.name}, line {place.line}, {place.function}{'' if place.function.startswith('<') else '()'}"
