"""The parent's side of a run: one supervised child process per case, so that a crash in SUMO is a message and not the end of us."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final

from controller.errors import ConfigError, ControllerError, MissingError, NotApplicableError, ScenarioError, SimulationError, UmlaufError
from scenarios.case import Case
from scenarios.last_words import how_it_ended, without_last_words
from scenarios.summary import failed_record, finished_record, write_summary

SUMO_LOG: Final = "sumo.log"
CASE_FILE: Final = "case.json"
TOLD_AS_THEY_ARE: Final = (ConfigError, ControllerError, MissingError, NotApplicableError, ScenarioError)
ERROR_KINDS: Final[Mapping[str, type[UmlaufError]]] = {kind.__name__: kind for kind in TOLD_AS_THEY_ARE}
QUOTED_LINES: Final = 4
OnProgress = Callable[[float, float], None]
OnWarning = Callable[[str], None]


def make_folder(path: Path) -> Path:
    """Create the folder of a run and check that it takes files. Raises `ConfigError` where it does not."""
    if path.is_file():
        raise ConfigError(f"--output: {path} is a file; give a folder")
    probe = path / ".umlauf-probe"
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe.write_text("", encoding="utf-8")
        probe.unlink(missing_ok=True)  # of those who begin in one folder at once, the first one takes it away
    except OSError as error:
        raise ConfigError(f"--output: cannot write into {path} ({error.strerror}); give a folder that you may write into") from error
    return path


def run_one(case: Case, on_progress: OnProgress, on_warning: OnWarning) -> dict[str, Any]:
    """Run one case in a child and return its record, also written to ``summary.json``; status ``finished`` or ``interrupted``.

    Raises `UmlaufError` where the run failed, after writing a summary with status ``failed``; KeyboardInterrupt where it was
    interrupted before it could end properly.
    """
    folder = make_folder(Path(case.folder))
    case.file(CASE_FILE).write_text(case.to_json(), encoding="utf-8")
    child = _Child(case)
    values: Mapping[str, Any] | None = None
    failure: UmlaufError | None = None
    last_s: float | None = None
    partial: Mapping[str, Any] = {}
    for event in child.events():
        match event["event"]:
            case "progress":
                last_s = float(event["now_s"])
                on_progress(last_s, float(event["end_s"]))
            case "warning":
                on_warning(str(event["text"]))
            case "error":
                failure = failure_of(event, folder, began=last_s is not None or bool(partial))
            case "result":
                values = event["values"]
            case "partial":
                partial = event["values"]
    code = child.wait()
    if values is None and failure is None:
        if child.interrupted:
            write_summary(folder, failed_record(case, "interrupted", last_s, {"status": "interrupted"}))
            raise KeyboardInterrupt
        failure = SimulationError(crash_text(case, code, last_s, folder))
    if failure is not None or values is None:
        write_summary(folder, failed_record(case, str(failure), last_s, partial))
        raise failure or SimulationError(crash_text(case, code, last_s, folder))
    record = finished_record(case, values)
    write_summary(folder, record)
    return record


def child_command(case_file: str, descriptor: str) -> list[str]:
    """Return the command of the child; ``-P`` keeps a folder named ``scenarios`` in the user's directory out of the way."""
    return [sys.executable, "-P", "-m", "scenarios.child", case_file, descriptor]


class _Child:
    """The child process and the pipe its events come through."""

    def __init__(self, case: Case) -> None:
        read_end, write_end = os.pipe()
        command = child_command(str(case.file(CASE_FILE)), str(write_end))
        with case.file(SUMO_LOG).open("w", encoding="utf-8") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=(write_end,), start_new_session=True)
        os.close(write_end)
        self._pipe: IO[str] = os.fdopen(read_end, encoding="utf-8")
        self.interrupted = False

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield events until the child closes the pipe. Ctrl-C asks it to end properly, a second one kills it."""
        while True:
            try:
                line = self._pipe.readline()
            except KeyboardInterrupt:
                self._process.send_signal(signal.SIGKILL if self.interrupted else signal.SIGTERM)
                again, self.interrupted = self.interrupted, True
                if not again:
                    yield {"event": "warning", "text": "the run ends after its present step; Ctrl-C again kills it"}
                continue
            if not line:
                return
            if line.endswith("\n"):
                yield json.loads(line)

    def wait(self) -> int:
        """Return the child's exit code."""
        self._pipe.close()
        return self._process.wait()


def failure_of(event: Mapping[str, Any], folder: Path, *, began: bool) -> UmlaufError:
    """Return the error that a child sent, with what SUMO said of it."""
    text = str(event["text"])
    said = sumo_errors(folder / SUMO_LOG)
    if said and said not in text:
        text = f"{text}\nSUMO said: {said}"
    if event["kind"] == "FrameRefusedError":
        text = f"the interlock refused a frame: {text}"
    if began:
        text = f"{text}\nWhat was recorded up to there is in {folder}"
    return ERROR_KINDS.get(str(event["kind"]), SimulationError)(text)


def crash_text(case: Case, code: int, last_s: float | None, folder: Path) -> str:
    """Return what is told of a child that ended without a result: which, how, when, what it said last, and where the rest is."""
    which = f"{case.scenario}, {case.control}, seed {case.seed}"
    log = folder / SUMO_LOG
    return f"{which}: {end_text(case, code, last_s, log)}\nWhat was recorded up to there is in {folder}; the log is {log}"


def end_text(case: Case, code: int, last_s: float | None, log: Path) -> str:
    """Return how and when a child ended that gave no result, and what it said last."""
    when = " before the first step" if last_s is None else f", last heard of at {last_s:g} s of simulation time"
    said = sumo_errors(log) or last_lines(log)
    return f"the simulation process {how_it_ended(case, code, log)}{when}." + (f"\nIt said: {said}" if said else "")


def sumo_errors(log: Path) -> str:
    """Return SUMO's own first error lines out of a log, empty where it wrote none."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.is_file() else []
    quoted: list[str] = []
    for line in lines:
        if line.startswith("Error:") or (quoted and line.startswith(" ")):
            quoted.append(line.removeprefix("Error:").strip())
        if len(quoted) == QUOTED_LINES:
            break
    return " ".join(quoted)


def last_lines(log: Path) -> str:
    """Return the last lines of a log, but neither SUMO's remarks on traffic, nor those that libsumo makes on import, nor the stack of a process that died."""
    lines = without_last_words(log.read_text(encoding="utf-8", errors="replace")).splitlines() if log.is_file() else []
    said = [line.strip() for line in lines if line.strip() and "pyarrow" not in line and not line.startswith("Warning:")]
    return " | ".join(said[-QUOTED_LINES:])
