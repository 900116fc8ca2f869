"""Who switches the lights: our engine, the peers with a perfect view, or SUMO itself."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from controller.errors import ConfigError, MissingError
from controller.junction import Junction
from hardware.sumo import SumoWorld
from scenarios.case import OURS, SUMO_DRIVEN, Case


class Control(Protocol):
    """Switches one light. ``solve_ms`` grows by one value per solve; a control that solves nothing leaves it empty."""

    solve_ms: list[float]

    def tick(self, now_ms: int) -> None:
        """Read, decide and show, once per simulation step. Raises `FrameRefusedError` or `PortError`."""
        ...


PeerFactory = Callable[[SumoWorld, Junction, Case], Control]
# Peers that see every vehicle: control name -> "module:function", a `PeerFactory`, imported when asked for.
PEERS: Final[Mapping[str, str]] = {
    "greedy": "scenarios.peers:greedy",
    "max-pressure": "scenarios.peers:max_pressure",
}


def control_names() -> tuple[str, ...]:
    """Return all control names that ``--control`` takes."""
    return (*OURS, *SUMO_DRIVEN, *PEERS)


def check_control(name: str) -> str:
    """Return the name. Raises `ConfigError` where no control has it."""
    if name not in control_names():
        near = difflib.get_close_matches(name, control_names(), n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ConfigError(f"--control: unknown control {name!r}; {hint}expected one of {', '.join(control_names())}")
    return name


def peer_factory(name: str) -> PeerFactory:
    """Return the factory of a peer. Raises `MissingError` where its module is absent."""
    module, function = PEERS[name].split(":")
    try:
        factory: PeerFactory = getattr(importlib.import_module(module), function)
    except (ModuleNotFoundError, AttributeError) as error:
        raise MissingError(f"control {name!r} needs {PEERS[name]}, which cannot be loaded ({error}); install a version that has it") from error
    return factory
