"""The command line that SUMO gets for one case: the user's configuration, and what we add and override."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scenarios.case import Case
from scenarios.config import SumoConfig

LEGACY_INSERTION: Final = ("--default.departlane", "first", "--default.departspeed", "0")
GUI_DELAY_MS: Final = "50"  # per step, so that there is something to see; the window's own slider changes it
TRIPINFO: Final = "tripinfo.xml"
STATISTICS: Final = "statistics.xml"
TLS_STATES: Final = "tls_states.xml"


@dataclass(frozen=True)
class Window:
    """What part of the scenario is run; ``end_s`` None: until the net is empty, at most ``cap_s``."""

    begin_s: float
    end_s: float | None
    cap_s: float


def sumo_args(case: Case, config: SumoConfig, window: Window, additional: Sequence[Path]) -> list[str]:
    """Return SUMO's options for the case. ``additional`` replaces the configuration's list, so it must contain the user's own files."""
    args = ["-c", str(config.path), "--begin", _time(window.begin_s)]
    if window.end_s is not None:
        args += ["--end", _time(window.end_s)]
    if additional:
        args += ["--additional-files", ",".join(str(path) for path in additional)]
    args += config.keep_everybody_args()
    args += config.output_args(Path(case.folder) / "user")[0]
    args += [
        *("--tripinfo-output", str(case.file(TRIPINFO))),
        *("--tripinfo-output.write-unfinished", "true"),
        *("--tripinfo-output.write-undeparted", "true"),
        *("--statistic-output", str(case.file(STATISTICS))),
        *("--seed", str(case.seed)),
        *("--device.emissions.probability", "1"),
        *("--no-step-log", "true"),
        *("--duration-log.disable", "true"),
    ]
    if "remote-port" in config.options and case.engine == "libsumo":
        args += ["--remote-port", "0"]
    if case.gui:
        args += ["--demo", "false", "--game", "false"]  # either would keep sumo-gui from ending with the run
        args += [] if "delay" in config.options else ["--delay", GUI_DELAY_MS]
    if case.insertion == "legacy":
        args += LEGACY_INSERTION
    return args


def write_tls_recorder(lights: Sequence[str], path: Path, target: Path) -> None:
    """Write the additional file that makes SUMO record the state of every light in ``target``."""
    lines = [f'    <timedEvent type="SaveTLSStates" source="{_escape(light)}" dest="{_escape(str(target))}"/>' for light in lights]
    path.write_text("\n".join(["<additional>", *lines, "</additional>", ""]), encoding="utf-8")


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")


def _time(value_s: float) -> str:
    return f"{value_s:g}" if value_s == int(value_s) and abs(value_s) < 1e6 else f"{value_s:.3f}"
