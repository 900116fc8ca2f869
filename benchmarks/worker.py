"""A worker process: runs one case after the other, each in a fork of itself. ``python -P -m benchmarks.worker EVENT_FD``.

A second simulation in one process is not the same as in a fresh one: what SUMO does depends on where its objects lie in memory, so figures
would depend on which cases a worker had run before. All forks begin alike, with everything imported.

Cases come as JSON lines on standard input; what the parent must know goes as JSON lines to ``EVENT_FD``. Everything that SUMO prints
goes to the case's ``sumo.log``, and at the signal `WHERE` also where in its code the run is, for the parent asks one that hangs. Where the
parent is gone both processes end at once, even in mid-run.
"""

from __future__ import annotations

import faulthandler
import os
import select
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Final, NoReturn

from benchmarks.supervised import WHERE
from controller.errors import UmlaufError
from hardware.ports import FrameRefusedError, PortError
from scenarios.case import Case
from scenarios.child import EventPipe, error_text
from scenarios.drive import run_case
from scenarios.last_words import leave_last_words
from scenarios.runner import SUMO_LOG

EXIT_TOLD: Final = 70  # of a fork that has told what became of its case; with any other it has crashed


def main(arguments: list[str]) -> int:
    """Run cases until standard input ends. A case that fails is told, and the next one is waited for; one that crashes ends the worker likewise."""
    pipe = EventPipe(int(arguments[0]))
    signal.signal(WHERE, signal.SIG_IGN)  # the whole group is asked, and the run answers
    for line in sys.stdin:
        fork = os.fork()
        if fork == 0:
            _run(Case.from_json(line), pipe)
        code = os.waitstatus_to_exitcode(os.waitpid(fork, 0)[1])
        if code < 0:
            os.kill(os.getpid(), -code)
        if code != EXIT_TOLD:
            return code
    return 0


def _run(case: Case, pipe: EventPipe) -> None:
    """Run the case and end this process."""
    end = os._exit
    threading.Thread(target=_end_with_parent, args=(end,), daemon=True).start()
    faulthandler.register(WHERE, all_threads=False)
    code = 1
    try:
        _log_to(case.file(SUMO_LOG))
        leave_last_words()
        pipe.send("began")
        pipe.send("result", values=run_case(case, pipe.send, lambda: False))
        code = EXIT_TOLD
    except (UmlaufError, PortError, FrameRefusedError, OSError) as error:
        if os.environ.get("UMLAUF_DEBUG"):
            traceback.print_exc()
        pipe.send("error", kind=type(error).__name__, text=error_text(error, case))
        code = EXIT_TOLD
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        end(code)


def _end_with_parent(end: Callable[[int], NoReturn]) -> None:
    """End this process where the parent has gone. Nothing is read: what comes is for the worker."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {WHERE})  # it is the run that is asked
    parent = select.poll()
    parent.register(sys.stdin, 0)
    parent.poll()
    end(0)


def _log_to(path: Path) -> None:
    """Send what this process prints, SUMO's lines among it, to a file."""
    sys.stdout.flush()
    sys.stderr.flush()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
