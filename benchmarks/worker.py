"""A worker process: runs one case after the other in a libsumo of its own. ``python -P -m benchmarks.worker EVENT_FD``.

Cases come as JSON lines on standard input; what the parent must know goes as JSON lines to ``EVENT_FD``. Everything that SUMO prints
goes to the case's ``sumo.log``, and at the signal `WHERE` also where in its code the run is, for the parent asks one that hangs. Where the
parent is gone the worker ends at once, even in mid-run.
"""

from __future__ import annotations

import faulthandler
import os
import queue
import signal
import sys
import threading
import traceback
from pathlib import Path

from benchmarks.supervised import WHERE
from controller.errors import UmlaufError
from hardware.ports import FrameRefusedError, PortError
from scenarios.case import Case
from scenarios.child import EventPipe
from scenarios.drive import run_case
from scenarios.runner import SUMO_LOG


def main(arguments: list[str]) -> int:
    """Run cases until standard input ends. A case that fails is told, and the next one is waited for."""
    pipe = EventPipe(int(arguments[0]))
    cases: queue.SimpleQueue[str] = queue.SimpleQueue()
    faulthandler.register(WHERE, all_threads=False)
    threading.Thread(target=_read, args=(cases,), daemon=True).start()
    while True:
        _run(Case.from_json(cases.get()), pipe)


def _read(cases: queue.SimpleQueue[str]) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {WHERE})  # it is the run that is asked
    for line in sys.stdin:
        cases.put(line)
    os._exit(0)


def _run(case: Case, pipe: EventPipe) -> None:
    _log_to(case.file(SUMO_LOG))
    pipe.send("began")
    try:
        result = run_case(case, pipe.send, lambda: False)
    except (UmlaufError, PortError, FrameRefusedError, OSError) as error:
        if os.environ.get("UMLAUF_DEBUG"):
            traceback.print_exc()
        pipe.send("error", kind=type(error).__name__, text=str(error))
        return
    pipe.send("result", values=result)


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
