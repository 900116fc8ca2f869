"""The child process that runs one case: ``python -m scenarios.child CASE.json EVENT_FD``.

Everything that SUMO prints goes to the run's ``sumo.log`` (the parent redirects it); what the parent must know goes as
JSON lines to ``EVENT_FD``: progress, warning, error, result. SIGTERM ends the run after the present step, properly.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType

from controller.errors import UmlaufError
from hardware.ports import FrameRefusedError, PortError
from scenarios.case import Case
from scenarios.drive import run_case
from scenarios.last_words import leave_last_words

EXIT_FAILED = 3
_exit = os._exit  # `leave_last_words` takes the other for a controller's


class EventPipe:
    """Sends JSON lines to the parent."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def send(self, event: str, **values: object) -> None:
        """Send one event. A parent that is gone ends this process."""
        line = json.dumps({"event": event, **values}) + "\n"
        try:
            os.write(self._descriptor, line.encode())
        except BrokenPipeError:
            _exit(EXIT_FAILED)


def error_text(error: BaseException, case: Case) -> str:
    """Return what is told of an error. Where a disk is full it is the one on which the run writes its own files."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"{error.filename or case.folder}: {error.strerror}; make room there, or give the run another place (--output; of umlauf bench: TMPDIR)"
    return str(error)


def _stopper() -> Callable[[], bool]:
    stopped: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        del frame
        stopped.append(number)

    signal.signal(signal.SIGTERM, stop)
    return lambda: bool(stopped)


def main(arguments: list[str]) -> int:
    """Run the case and return the exit code: 0 done, 3 failed (the error has been sent)."""
    pipe = EventPipe(int(arguments[1]))
    case = Case.from_json(Path(arguments[0]).read_text(encoding="utf-8"))
    leave_last_words()
    try:
        result: Mapping[str, object] = run_case(case, pipe.send, _stopper())
    except (UmlaufError, PortError, FrameRefusedError, OSError) as error:
        if os.environ.get("UMLAUF_DEBUG"):
            traceback.print_exc()
        pipe.send("error", kind=type(error).__name__, text=error_text(error, case))
        return EXIT_FAILED
    pipe.send("result", values=result)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
