"""One run, described by plain data: what the parent hands to the child process."""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from controller.errors import ConfigError

FLOOR: Final = "floor"  # no control: all green and right of way ignored, which no signals can undercut
NEMA: Final = "sumo-nema"  # SUMO's dual-ring controller, where rings can be derived from the programme
SUMO_DRIVEN: Final = ("fixed", "webster", "sumo-actuated", "sumo-actuated-30", "sumo-actuated-80", "sumo-delay-based", NEMA, FLOOR)
OURS: Final = ("adaptive", "cycle", "actuated")
# Peers that see every vehicle: control name -> "module:function", a `scenarios.controls.ControlFactory`, imported when asked for.
PEERS: Final[Mapping[str, str]] = {
    "greedy": "scenarios.peers:greedy",
    "max-pressure": "scenarios.peers:max_pressure",
}
RULES: Final = ("net", "published", "street")
DETECTIONS: Final = ("loops", "oracle")
INSERTIONS: Final = ("sumo", "legacy")
FAILS: Final = "fails"
STALLS: Final = "stalls"
ENGINES: Final = ("libsumo", "traci")
NEIGHBOUR_LOSS_RATIO: Final = 0.01  # of the messages between neighbouring lights, as on a link on the street


@dataclass(frozen=True, slots=True)
class Outage:
    """When the optimizer is out of order, in seconds of simulation: ``kind``: it fails at once, or stalls and does not answer."""

    begin_s: float
    end_s: float
    kind: str


@dataclass(frozen=True)
class Case:
    """One scenario under one control with one seed; ``folder`` takes all that the run writes."""

    scenario: str
    config: str
    control: str
    folder: str
    seed: int = 1
    rules: str = "net"
    detection: str = "loops"
    insertion: str = "sumo"
    neighbour_loss_ratio: float = NEIGHBOUR_LOSS_RATIO
    begin_s: float | None = None
    end_s: float | None = None
    tls: tuple[str, ...] = ()
    engine: str = "libsumo"
    attach: str = ""
    gui: bool = False
    published_amber_s: float = 3.0
    bare: bool = False  # nothing but SUMO: to measure what control costs
    outages: tuple[Outage, ...] = ()
    detector_faults: str = ""  # see `scenarios.detector_faults`

    @property
    def sumo_driven(self) -> bool:
        """Return whether SUMO itself switches the lights."""
        return self.control in SUMO_DRIVEN

    @property
    def own(self) -> bool:
        """Return whether the controller came by an entry point, as a user's own does."""
        return is_own(self.control)

    def to_json(self) -> str:
        """Return the case as JSON."""
        return json.dumps(dataclasses.asdict(self))

    @staticmethod
    def from_json(text: str) -> Case:
        """Return the case that `to_json` wrote."""
        data = json.loads(text)
        data["tls"] = tuple(data["tls"])
        data["outages"] = tuple(Outage(**outage) for outage in data["outages"])
        return Case(**data)

    def file(self, name: str) -> Path:
        """Return the path of one of the run's files."""
        return Path(self.folder) / name


def is_own(control: str) -> bool:
    """Return whether a control is none of those that come with the package, but a user's own."""
    return control not in (*OURS, *SUMO_DRIVEN, *PEERS)


def control_names() -> tuple[str, ...]:
    """Return all control names that ``--control`` takes, those of users' own controllers last."""
    from scenarios.own_controllers import own_controllers

    return (*OURS, *SUMO_DRIVEN, *PEERS, *filter(is_own, own_controllers()))


def check_control(name: str) -> str:
    """Return the name. Raises `ConfigError` where no control has it, or two have: of users' own, or one of these and one of ours."""
    from scenarios.own_controllers import own_controllers, registered

    known = control_names()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ConfigError(f"--control: unknown control {name!r}; {hint}expected one of {', '.join(known)}")
    if is_own(name):
        registered(name)
    elif (point := own_controllers().get(name)) is not None:
        whose = f" by the distribution {point.dist.name}" if point.dist is not None else ""
        mend = "give it another name in its pyproject.toml and install it again, or uninstall it"
        raise ConfigError(f"--control: {name!r} is a control that comes with umlauf, and {point.value} is registered under the same name{whose}; {mend}")
    return name


def parse_address(text: str) -> tuple[str, int]:
    """Return host and port. Raises `ConfigError` where the text is no ``HOST:PORT``."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ConfigError(f"--attach: found {text!r}, expected HOST:PORT, for example localhost:8813")
    return host, int(port)
