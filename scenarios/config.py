"""Reading a ``.sumocfg``: what it names, so that a run can take everything from it and write nothing beside it."""

from __future__ import annotations

import gzip
import os
import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from controller.errors import ScenarioError

SYNONYMS: Final = {
    "n": "net-file",
    "net": "net-file",
    "r": "route-files",
    "routes": "route-files",
    "a": "additional-files",
    "additional": "additional-files",
    "b": "begin",
    "e": "end",
    "l": "log",
    "log-file": "log",
    "tripinfo": "tripinfo-output",
    "summary": "summary-output",
    "vehroutes": "vehroute-output",
    "netstate": "netstate-dump",
    "ndump": "netstate-dump",
    "netstate-output": "netstate-dump",
}
# Options that drop, hold back or teleport vehicles, or stop the run because of it, and the value that keeps everybody.
KEEPING_EVERYBODY: Final = {
    "time-to-teleport": "-1",
    "time-to-teleport.highways": "0",
    "time-to-teleport.disconnected": "-1",
    "time-to-teleport.bidi": "-1",
    "time-to-teleport.railsignal-deadlock": "-1",
    "time-to-teleport.remove": "false",
    "max-depart-delay": "-1",
    "max-num-vehicles": "-1",
    "max-num-teleports": "-1",
    "collision.action": "warn",
    "device.tripinfo.probability": "1",
}
ALWAYS_SET: Final = ("time-to-teleport", "collision.action")
# Options whose value is a file that SUMO writes, beside all that end in "-output".
WRITTEN_FILES: Final = (
    "log",
    "message-log",
    "error-log",
    "netstate-dump",
    "save-state.prefix",
    "save-state.files",
    "device.rerouting.output",
    "person-device.rerouting.output",
    "device.ssm.file",
    "device.toc.file",
)
OWN_OUTPUTS: Final = ("tripinfo-output", "statistic-output")


@dataclass(frozen=True)
class SumoConfig:
    """What a configuration says; files absolute, times in seconds, ``options`` everything as written."""

    path: Path
    net: Path
    routes: tuple[Path, ...]
    additional: tuple[Path, ...]
    begin_s: float
    end_s: float | None
    step_length_s: float
    options: dict[str, str]

    def overridden(self) -> dict[str, str]:
        """Return the options that drop or teleport vehicles and what we set instead, in words for the summary."""
        return {name: f"{self.options[name]} -> {value}" for name, value in KEEPING_EVERYBODY.items() if name in self.options and self.options[name] != value}

    def keep_everybody_args(self) -> list[str]:
        """Return the command-line options that keep every vehicle in the run."""
        args: list[str] = []
        for name, value in KEEPING_EVERYBODY.items():
            if name in ALWAYS_SET or name in self.options:
                args += [f"--{name}", value]
        return args

    def output_args(self, folder: Path) -> tuple[list[str], list[str]]:
        """Return options that send the outputs that the configuration names into ``folder``, and what was redirected, in words."""
        args: list[str] = []
        redirected: list[str] = []
        for name, value in self.options.items():
            if not (name.endswith("-output") or name in WRITTEN_FILES) or not value:
                continue
            if name in OWN_OUTPUTS:
                redirected.append(f"{name} {value} -> {folder.parent}")
                continue
            target = folder / Path(value).name
            args += [f"--{name}", str(target)]
            redirected.append(f"{name} {value} -> {target}")
        if self.options.get("output-prefix"):
            args += ["--output-prefix", ""]
            redirected.append(f"output-prefix {self.options['output-prefix']} -> none")
        return args, redirected


def read_config(path: Path) -> SumoConfig:
    """Return what the configuration says. Raises `ScenarioError` on a missing or broken file and on missing files that it names."""
    if not path.is_file():
        raise ScenarioError(f"scenario {path}: no such file; give a catalogue name (see: umlauf scenarios) or the path of a .sumocfg")
    try:
        root = ET.parse(path).getroot()
    except ET.ParseError as error:
        raise ScenarioError(f"scenario {path}: not readable as XML ({error}); mend the file, or write it anew with: sumo --save-configuration") from error
    options = _options(root)
    net = _files(path, options.get("net-file", ""))
    if len(net) != 1:
        raise ScenarioError(f'scenario {path}: expected one net-file, found {len(net)}; add <net-file value="..."/> to its <input>')
    routes = _files(path, options.get("route-files", ""))
    additional = _files(path, options.get("additional-files", ""))
    for kind, files in (("net-file", net), ("route-files", routes), ("additional-files", additional)):
        for file in files:
            if not file.is_file():
                raise ScenarioError(f"scenario {path}: {kind} names {file}, which does not exist; correct the path in the configuration")
    return SumoConfig(
        path=path.resolve(),
        net=net[0],
        routes=routes,
        additional=additional,
        begin_s=_time_s(path, options, "begin") or 0.0,
        end_s=_end_s(path, options),
        step_length_s=_time_s(path, options, "step-length") or 1.0,
        options=options,
    )


def _options(root: ET.Element) -> dict[str, str]:
    options: dict[str, str] = {}
    for element in root.iter():
        value = element.get("value", element.get("v"))
        if value is None and len(element) == 0 and element.text and element.text.strip():
            value = element.text.strip()
        if value is not None:
            options[SYNONYMS.get(element.tag, element.tag)] = re.sub(r"\$\{(\w+)\}", _environment, value)
    return options


def _environment(match: re.Match[str]) -> str:
    return os.environ.get(match.group(1), match.group(0))


def _files(config: Path, value: str) -> tuple[Path, ...]:
    names = [name.strip() for name in value.replace(";", ",").split(",") if name.strip()]
    return tuple((config.resolve().parent / name).resolve() for name in names)


def parse_time_s(text: str) -> float:
    """Return seconds from SUMO's ``3600``, ``1:00:00`` or ``1:00:00:00``. Raises ValueError on anything else."""
    parts = [float(part) for part in text.split(":")]
    if len(parts) not in {1, 3, 4}:
        raise ValueError(text)
    weights = (1.0,) if len(parts) == 1 else (86400.0, 3600.0, 60.0, 1.0)[-len(parts) :]
    return sum(part * weight for part, weight in zip(parts, weights, strict=True))


def _time_s(path: Path, options: dict[str, str], name: str) -> float | None:
    text = options.get(name)
    if text is None:
        return None
    try:
        return parse_time_s(text)
    except ValueError as error:
        raise ScenarioError(f"scenario {path}: {name} is {text!r}, expected seconds or hours:minutes:seconds") from error


def _end_s(path: Path, options: dict[str, str]) -> float | None:
    end_s = _time_s(path, options, "end")
    return None if end_s is None or end_s < 0 else end_s


def read_text(path: Path) -> str:
    """Return a text file's content, unpacked where it is gzipped."""
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes()).decode()
    return path.read_text(encoding="utf-8", errors="replace")
