"""A SUMO simulation as the world: libsumo in this process, TraCI to a SUMO of its own, or attached to a running one.

One libsumo simulation lives per process, and a crash in it kills the process: run it in a supervised child.
libsumo reads directly (below 1 µs a call); TraCI subscribes, because a single read costs about 120 µs.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from hardware.ports import PortError
from hardware.signals import SiteSpec
from hardware.sumo_buttons import SumoButtons
from hardware.sumo_heads import SumoHeads
from hardware.sumo_inputs import SumoInputs
from hardware.sumo_process import SumoProcess, load_module, sumo_binary
from hardware.sumo_view import SeenVehicle, VehicleView

ATTACH_RETRIES: Final = 20
ATTACH_RETRY_S: Final = 0.25
ATTACH_ORDER: Final = 1_000  # among several clients of one SUMO (--num-clients) each needs a number of its own; ours leaves the small ones to them


class SumoWorld:
    """One running simulation, moved step by step. Times are simulation time in whole milliseconds."""

    def __init__(self, api: Any, *, direct: bool, errors: tuple[type[BaseException], ...], where: str, ended: Callable[[], str] = str) -> None:
        self.api = api
        self.direct = direct  # libsumo: reads are cheap
        self._errors = errors  # the first: a command failed; the others: the simulator is gone
        self._where = where
        self._ended = ended  # says how a simulator that is gone has ended, as far as that can be known
        self._inputs: list[SumoInputs] = []
        self._on_close: Callable[[], None] | None = None
        self._closed = False
        self._link = _Link(errors, self._failed)
        self.now_ms = 0
        self.step_length_ms = 1000
        with self.link():
            self.now_ms = round(api.simulation.getTime() * 1000)
            self.step_length_ms = round(api.simulation.getDeltaT() * 1000)
        self._view = VehicleView(self)

    @classmethod
    def start(cls, args: Sequence[str], engine: str = "libsumo", *, gui: bool = False) -> SumoWorld:
        """Start SUMO with its command-line ``args``. Raises `PortError` where it does not start or the options are wrong."""
        if engine == "libsumo" and not gui:
            return cls._start_libsumo(args)
        return cls._start_traci(args, gui=gui)

    @classmethod
    def _start_libsumo(cls, args: Sequence[str]) -> SumoWorld:
        api = load_module("libsumo")
        errors = (api.TraCIException, api.FatalTraCIError)
        try:
            api.start([sumo_binary(), *args])
        except errors as error:
            raise PortError(f"SUMO did not start: {error}") from error
        world = cls(api, direct=True, errors=errors, where="SUMO (libsumo)")
        world._on_close = api.close
        return world

    @classmethod
    def _start_traci(cls, args: Sequence[str], *, gui: bool) -> SumoWorld:
        process = SumoProcess(args, gui=gui)
        world = cls(process.api, direct=False, errors=process.errors, where=process.name, ended=process.ended)
        world._on_close = process.leave
        return world

    @classmethod
    def attach(cls, host: str, port: int) -> SumoWorld:
        """Attach to a SUMO or sumo-gui that waits on ``--remote-port``. Raises `PortError` where nothing answers."""
        traci = load_module("traci")
        errors = (traci.TraCIException, traci.FatalTraCIError, ConnectionError, socket.gaierror)
        where = f"SUMO at {host}:{port}"
        try:
            api = traci.connect(port=port, numRetries=ATTACH_RETRIES, host=host, waitBetweenRetries=ATTACH_RETRY_S)
            api.setOrder(ATTACH_ORDER)
        except errors as error:
            raise PortError(f"{where} does not answer ({error}); start it with --remote-port {port} and check host and port") from error
        world = cls(api, direct=False, errors=errors, where=where)
        world._on_close = api.close
        return world

    def link(self) -> _Link:
        """Return a context that turns the simulator's errors into `PortError`."""
        return self._link

    def _failed(self, error: BaseException) -> str:
        """Return what a user is told of the simulator's error; the connection's end is told apart from a command that failed."""
        text = str(error).strip() or type(error).__name__
        if self.direct or not isinstance(error, self._errors[1:]):
            return f"{self._where} failed at {self.now_ms / 1000:g} s of simulation time: {text}"
        return f"{self._where} has gone at {self.now_ms / 1000:g} s of simulation time: {self._ended() or text}"

    def step(self) -> None:
        """Advance by one step, then collect what the loops saw. Raises `PortError` on a lost or failing simulator."""
        with self.link():
            self.api.simulationStep()
            self.now_ms = round(self.api.simulation.getTime() * 1000)
            for inputs in self._inputs:
                inputs.collect()

    def remaining(self) -> int:
        """Return how many vehicles are under way or still to come."""
        with self.link():
            return int(self.api.simulation.getMinExpectedNumber())

    def version(self) -> str:
        """Return the simulator's version, for example ``1.28.0``."""
        with self.link():
            return str(self.api.getVersion()[1]).removeprefix("SUMO ")

    def option(self, name: str) -> str:
        """Return the value that one of SUMO's options has, empty where it is not set."""
        with self.link():
            return str(self.api.simulation.getOption(name))

    def light_ids(self) -> tuple[str, ...]:
        """Return the ids of all lights."""
        with self.link():
            return tuple(self.api.trafficlight.getIDList())

    def loop_ids(self) -> tuple[str, ...]:
        """Return the ids of all induction loops that SUMO knows."""
        with self.link():
            return tuple(self.api.inductionloop.getIDList())

    def inputs(self, loops: Mapping[str, str], buttons: Mapping[str, Sequence[str]] | None = None) -> SumoInputs:
        """Return the input port over ``loops`` (detector id -> SUMO's loop id) and ``buttons`` (id -> crossing and walking areas).

        Raises `PortError` naming loops SUMO lacks.
        """
        missing = sorted(set(loops.values()) - set(self.loop_ids()))
        if missing:
            raise PortError(f"SUMO knows no induction loop {missing[0]!r} ({len(missing)} of {len(loops)} missing); load the additional file with our loops")
        port = SumoInputs(self, loops, SumoButtons(self, buttons) if buttons else None)
        self._inputs.append(port)
        return port

    def heads(
        self,
        light_id: str,
        spec: SiteSpec,
        links: Sequence[Sequence[int]],
        *,
        turn_on_red: Sequence[bool] = (),
        yields: Sequence[tuple[str, str]] = (),
    ) -> SumoHeads:
        """Return the raw heads of one light; wrap them in the interlock before use (`hardware.registry.open_heads`).

        ``links``: per group of ``spec`` the indices of the light's state string; ``yields``: (yielding, priority) pairs.
        """
        return SumoHeads(self, light_id, spec, links, turn_on_red=turn_on_red or [False] * len(spec.groups), yields=yields)

    def vehicles_before(self, light_id: str, range_m: float) -> list[SeenVehicle]:
        """Return all vehicles within ``range_m`` before the stop lines of one light: a view that no street has (`--detection oracle`)."""
        return self._view.before(light_id, range_m)

    def vehicles_inside(self, light_id: str) -> list[SeenVehicle]:
        """Return all vehicles that have crossed a stop line of one light and are not beyond where they would wait for a gap."""
        return self._view.inside(light_id)

    def close(self) -> None:
        """End the simulation so that SUMO writes its files. Safe to call twice and after a crash."""
        if self._closed or self._on_close is None:
            return
        self._closed = True
        with self.link():
            self._on_close()


class _Link:
    """Turns the simulator's errors into `PortError`; cheaper than a generator-based context."""

    __slots__ = ("_errors", "_text")

    def __init__(self, errors: tuple[type[BaseException], ...], text: Callable[[BaseException], str]) -> None:
        self._errors = errors
        self._text = text

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is not None and isinstance(error, self._errors):
            raise PortError(self._text(error)) from error
