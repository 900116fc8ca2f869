"""``umlauf run`` and ``umlauf optimizer``: the two processes of a cabinet. Heavy imports happen inside the functions."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from controller.durations import seconds_of

if TYPE_CHECKING:
    from controller.cabinet.guard import Guard
    from controller.cabinet.notify import Notifier

WRONG_SITE: Final = 64  # EX_USAGE: starting again would not help (the systemd unit does not)
FAILED: Final = 70  # EX_SOFTWARE: starting again may help
SWITCH_S: Final = 0.0005  # how long a driver's or door's thread may keep the guard from going on; Python's own 5 ms add up over a tick's system calls
_HEARTBEAT_MS: Final = 1_000


def run(
    site_file: Annotated[Path, typer.Argument(metavar="SITE", help="A site file, as written by: umlauf site new.")],
    shadow: Annotated[bool, typer.Option("--shadow", help="Compute, journal and compare everything, and send nothing.")] = False,
    duration: Annotated[str | None, typer.Option(metavar="TIME", help="End in order after a time such as 60s or 8h.")] = None,
) -> None:
    """Control the junction of a cabinet until told to stop (SIGTERM, SIGINT).

    It does not start with a site file that is wrong, and tells the same faults as `umlauf check`. A device that is missing or silent, a folder
    where it may not write and a door that cannot be opened are events: control goes on.

    Exit code: 0 ended in order, 1 something that may be mended meanwhile (another daemon runs this site, a secret of the signals cannot be read),
    64 the site file is wrong, 70 ended because of an error in the program.
    """
    from controller.cabinet.opening import open_cabinet
    from controller.cabinet.site import read_site
    from controller.cabinet.site_check import demand_runnable
    from controller.cabinet.state_claim import claimed
    from controller.clock import SystemClock
    from controller.errors import ConfigError

    log_to_stderr()
    with ExitStack() as stack:
        try:
            duration_s = None if duration is None else seconds_of(duration, "--duration")
            site = read_site(site_file)
            for finding in demand_runnable(site):
                logging.getLogger("umlauf.check").warning(finding, extra={"kind": "check", "site": site.id})
            stack.enter_context(claimed(site.state_folder))
            guard, close = open_cabinet(site, SystemClock(), shadow=shadow)
        except (ConfigError, OSError) as error:
            typer.echo(f"umlauf run: {error}", err=True)
            raise typer.Exit(WRONG_SITE if isinstance(error, ConfigError) else 1) from error
        stack.callback(close)
        drive(guard, duration_s)
    if guard.failed:
        raise typer.Exit(FAILED)


def optimizer() -> None:
    """Make plans for a guard: questions at standard input, answers at standard output. Started by `umlauf run` or by systemd."""
    from controller.cabinet.optimizer_process import main

    main()


def drive(guard: Guard, duration_s: float | None) -> None:
    """Run the guard, with systemd and its signals attended to."""
    import gc
    import signal
    import sys

    from controller.cabinet.notify import Notifier

    heartbeat = Heartbeat(guard, Notifier.of_environment())
    guard.after_tick.append(heartbeat)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, _: guard.ask_to_stop(signal.Signals(got).name))
    sys.setswitchinterval(SWITCH_S)
    gc.freeze()  # what is there now stays: the collector need not look at it in mid-tick
    guard.tell("start", f"site {guard.site}, mode {guard.control.nodes[0].supervisor.wanted}{', shadow' if guard.shadow else ''}")
    guard.run(duration_s)


class Heartbeat:
    """Tells systemd of completed ticks: ready with the first, alive once a second, and who decides."""

    def __init__(self, guard: Guard, notifier: Notifier) -> None:
        from controller.grid import Grid

        self._guard, self._notifier = guard, notifier
        self._alive, self._words = Grid(_HEARTBEAT_MS), ""
        self._ready = self._leaving = False

    def __call__(self, now_ms: int) -> None:
        """Take the tick that has just been completed."""
        if not self._ready:
            self._ready = True
            self._notifier.ready()
        if self._alive.due(now_ms):
            self._notifier.watchdog()
        words = self._guard.words()
        if words != self._words:
            self._words = words
            self._notifier.status(words)
        if self._guard.leaving and not self._leaving:
            self._leaving = True
            self._notifier.stopping()


class KeyValueFormatter(logging.Formatter):
    """One line a record for journald: its priority, then key=value pairs, the text last and quoted."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; a traceback is part of it, so that no line is without its keys."""
        priority = {"DEBUG": 7, "INFO": 6, "WARNING": 4, "ERROR": 3, "CRITICAL": 2}.get(record.levelname, 5)
        text = record.getMessage()
        if record.exc_info:
            text += " | " + self.formatException(record.exc_info)
        quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        pairs = [f"{key}={getattr(record, key)}" for key in ("site", "kind") if hasattr(record, key)]
        return f'<{priority}>{" ".join([*pairs, f"logger={record.name}"])} msg="{quoted}"'


def log_to_stderr() -> None:
    """Send the logs of all modules to standard error, as journald likes them."""
    handler = logging.StreamHandler()
    handler.setFormatter(KeyValueFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
