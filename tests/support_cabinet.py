"""A site file with drivers of its own, for tests of what an operator does."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from support_safety_junctions import crossing

from controller.cabinet.audit import audit_files
from controller.cabinet.operated import Wish
from controller.cabinet.service import Service
from controller.cabinet.site import Site
from controller.cabinet.status import DetectorStatus, LaneStatus, NodeStatus, OverrideStatus, Status
from controller.clock import SystemClock
from controller.errors import ConfigError
from controller.junction import Detector, Direction, Exit, Junction, Lane, Movement, Purpose
from controller.site import write_junction
from hardware import registry
from hardware.registry import Driver


@dataclass(frozen=True, slots=True)
class Channel:
    """A detector on a channel of a unit."""

    channel: int
    detector: str


@dataclass(frozen=True, slots=True)
class BusOptions:
    """A bus with detectors."""

    device: str
    channels: tuple[Channel, ...]
    baud: int = 9600

    def __post_init__(self) -> None:
        if self.baud not in (9600, 19200):
            raise ValueError(f"baud: expected 9600 or 19200, found {self.baud}. Correct it.")

    def sources(self) -> tuple[str, ...]:
        return tuple(c.detector for c in self.channels)


@dataclass(frozen=True, slots=True)
class BoxOptions:
    """A controller."""

    host: str
    phases: dict[str, int]
    community_secret_file: str = ""

    def groups(self) -> tuple[str, ...]:
        return tuple(self.phases)


def open_nothing(*arguments: Any) -> object:
    return object()


@pytest.fixture
def drivers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Register the two drivers, and one whose library nobody has."""
    here = __name__
    monkeypatch.setitem(registry.INPUTS, "bus", Driver(f"{here}:open_nothing", f"{here}:BusOptions"))  # type: ignore[arg-type]
    monkeypatch.setitem(registry.SIGNALS, "box", Driver(f"{here}:open_nothing", f"{here}:BoxOptions"))  # type: ignore[arg-type]
    monkeypatch.setitem(registry.INPUTS, "rare", Driver("no_such_library:open", "no_such_library:Options", "serial"))  # type: ignore[arg-type]


def junction_with_loops() -> Junction:
    """Return the crossing with a lane and two loops for each vehicle group."""
    bare = crossing()
    lanes = (Lane("la", 100.0, 13.9), Lane("lb", 100.0, 13.9))
    exits = (Exit("out", 80.0, 13.9),)
    movements = (Movement("la", "out", "A", Direction.STRAIGHT, 1.0), Movement("lb", "out", "B", Direction.STRAIGHT, 1.0))
    places = ((Purpose.STOP, 1.0), (Purpose.ENTRY, 80.0))
    detectors = tuple(Detector(f"{name}{i}", purpose, (f"l{name}",), distance_m) for name in "ab" for i, (purpose, distance_m) in enumerate(places))
    return Junction(bare.id, bare.groups, lanes, exits, movements, bare.permissions, bare.intergreens, detectors, bare.nodes)


SITE = """\
id = "market"
junction = "j.toml"
mode = "adaptive"

[signals]
driver = "box"
[signals.options]
host = "127.0.0.1"
phases = { A = 2, B = 4, P = 12 }

[[inputs]]
driver = "bus"
[inputs.options]
device = "/dev/null"
channels = [{ channel = 1, detector = "a0" }, { channel = 2, detector = "a1" }]

[[inputs]]
driver = "bus"
[inputs.options]
device = "/dev/zero"
channels = [{ channel = 1, detector = "b0" }, { channel = 2, detector = "b1" }]

[journal]
folder = "journal"

[state]
folder = "state"

[operator]
socket = "control.sock"
"""


@pytest.fixture
def site_file(tmp_path: Path, drivers: None) -> Callable[..., Path]:
    """Return a function that writes junction and site file, with words of `SITE` replaced or text added."""

    def write(*replacements: tuple[str, str], add: str = "") -> Path:
        write_junction(junction_with_loops(), tmp_path / "j.toml")
        text = SITE
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "site.toml"
        path.write_text(text + add)
        return path

    return write


class PlayedGuard:
    """Stands for the guard: keeps what was asked, refuses where it is told to."""

    def __init__(self) -> None:
        self.wishes: list[Wish] = []
        self.calls: list[tuple[str, str, str]] = []
        self.refuse = ""

    def override(self, wish: Wish, now_ms: int) -> str:
        self._done("override", wish.who, wish.reason)
        self.wishes.append(wish)
        return f"{wish.mode} is wanted"

    def end_override(self, who: str, reason: str, now_ms: int) -> str:
        return self._done("end", who, reason)

    def reset(self, who: str, reason: str, now_ms: int) -> str:
        return self._done("reset", who, reason)

    def _done(self, what: str, who: str, reason: str) -> str:
        if self.refuse:
            raise ConfigError(self.refuse)
        self.calls.append((what, who, reason))
        return f"{what} done"


def status_of_day(**changes: Any) -> Status:
    """Return a status in which every part says something."""
    override = OverrideStatus("fixed", "2026-01-05T08:00:00+00:00", "anna", "roadworks in Schulstraße")
    node = NodeStatus(
        id="n",
        mode="fixed",
        mode_why="override by anna: roadworks in Schulstraße",
        mode_since="2026-01-05T06:00:00+00:00",
        wanted="adaptive",
        faults=("detectors_lost",),
        override=override,
        stage="main",
        planner="fixed",
        plan_reason="main stays: 3 vehicles wait in 1, delay 41 against 58 vehicle-seconds.",
        next_steps=(("side", 12.4), ("main", 31.0)),
        asked=(("P", 23.4),),
    )
    detectors = (
        DetectorStatus("a0", "stop", True, True, "", 120),
        DetectorStatus("a1", "entry", False, False, "silent for 90000 s, at most 86400 s are plausible", 7),
    )
    status = Status(
        site="market",
        junction="j",
        version="0.1.0",
        at="2026-01-05T06:12:03+00:00",
        uptime_s=723.0,
        shadow=False,
        nodes=(node,),
        aspects={"A": "green", "B": "red", "P": "red"},
        detectors=detectors,
        lanes=(LaneStatus("la", 3.2, 412.0, 1790.0), LaneStatus("lb", 0.0, 88.0, 1810.0)),
        optimizer="ready",
        signals="remote",
        ages_s={"optimizer": 0.2, "inputs": 0.1, "signals": 0.1, "journal": 4.0, "systemd watchdog": 0.5},
        ticks=7230,
        late_ticks=2,
        max_lateness_ms=61.5,
        decisions=723,
        detector_events=254,
        refusals=0,
        events=(("2026-01-05T06:00:00+00:00", "mode", "adaptive to fixed: override by anna"),),
        numbers={"frames_shown": 77.0, "Bad name": 1.0},
    )
    return replace(status, **changes)


class Running:
    """A service polled by a thread as the guard would."""

    def __init__(self, site: Site) -> None:
        self.clock, self.guard = SystemClock(), PlayedGuard()
        self.service = Service(site, self.guard, self.clock)
        self.news: list[str] = []
        self.site = site
        self.status = status_of_day()
        self._published: Status | None = None
        self.poll()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def poll(self) -> None:
        self.news += self.service.poll(self.clock.now_ms())
        if self.status is not self._published and self.service.socket is not None:
            self._published = self.status
            self.service.publish(self.status, self.clock.now_ms())

    def _run(self) -> None:
        while not self._stop.wait(0.005):
            self.poll()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self.service.close()

    def written(self) -> list[dict[str, Any]]:
        return [json.loads(line) for path in audit_files(self.site.state_folder) for line in path.read_text().splitlines()]

    @property
    def remote_port(self) -> int:
        assert self.service.remote is not None
        return self.service.remote.port


@pytest.fixture
def run() -> Iterator[Callable[[Site], Running]]:
    opened: list[Running] = []

    def start(site: Site) -> Running:
        opened.append(Running(site))
        return opened[-1]

    yield start
    for one in opened:
        one.close()
