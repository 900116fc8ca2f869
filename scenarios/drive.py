"""Running one case inside the child process: start SUMO, build the controls, step, measure."""

from __future__ import annotations

import resource
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from controller.clock import elapsed_s
from controller.errors import ScenarioError
from hardware.ports import FrameRefusedError, PortError
from hardware.sumo import SumoWorld
from scenarios.arguments import STATISTICS, TLS_STATES, TRIPINFO, Window, sumo_args, write_tls_recorder
from scenarios.case import Case
from scenarios.config import SumoConfig, read_config
from scenarios.metrics import measure, read_safety, read_trips, solve_times
from scenarios.programmes import TlProgramme, actuated, read_programmes, write_programmes
from scenarios.window import window_of

if TYPE_CHECKING:
    from scenarios.controls import Control

Send = Callable[..., None]
PROGRESS_S: Final = 0.2
ACTUATED_MAX_S: Final = {"sumo-actuated": 50.0, "sumo-actuated-30": 30.0, "sumo-actuated-80": 80.0, "sumo-delay-based": 50.0}


def run_case(case: Case, send: Send, stopped: Callable[[], bool]) -> Mapping[str, object]:
    """Run the case to its end, or until ``stopped``, and return its figures. Raises `UmlaufError`, `PortError` or `FrameRefusedError`."""
    config = read_config(Path(case.config))
    window = window_of(case, config)
    programmes = read_programmes([config.net, *config.additional])
    if not programmes:
        raise ScenarioError(f"scenario {case.scenario}: the net {config.net} has no traffic light with a programme; nothing can be controlled")
    _check_lights(case, programmes)
    Path(case.folder, "user").mkdir(exist_ok=True)
    additional = [*config.additional, *_own_files(case, programmes)]
    redirected = config.output_args(Path(case.folder) / "user")[1]
    for name, what in config.overridden().items():
        send("warning", text=f"{name} {what}, so that no vehicle is dropped or teleported")
    for what in redirected:
        send("warning", text=f"output redirected: {what}")
    world = SumoWorld.start(sumo_args(case, config, window, additional), case.engine, gui=case.gui)
    version = world.version()
    controls: list[Control] = []
    try:
        wall_s = _loop(world, controls, window, send, stopped)
    finally:
        end_ms = world.now_ms
        _close(world)
    return _figures(case, config, world, controls, version=version, wall_s=wall_s, window=window, end_s=end_ms / 1000, interrupted=stopped())


def _check_lights(case: Case, programmes: Mapping[str, TlProgramme]) -> None:
    unknown = [light for light in case.tls if light not in programmes]
    if unknown:
        raise ScenarioError(f"--tls: light {unknown[0]!r} is not in the net; expected out of {', '.join(programmes)}")


def _own_files(case: Case, programmes: Mapping[str, TlProgramme]) -> Sequence[Path]:
    files: list[Path] = []
    if case.control in ACTUATED_MAX_S:
        kind = "delay_based" if case.control == "sumo-delay-based" else "actuated"
        chosen = [p for p in programmes.values() if p.kind == "static" and (not case.tls or p.light in case.tls)]
        path = case.file("programmes.add.xml")
        write_programmes([actuated(p, ACTUATED_MAX_S[case.control], kind) for p in chosen], path)
        files.append(path)
    if not case.bare:
        path = case.file("tls_recorder.add.xml")
        write_tls_recorder(sorted(programmes), path, case.file(TLS_STATES))
        files.append(path)
    return files


def _loop(world: SumoWorld, controls: Sequence[Control], window: Window, send: Send, stopped: Callable[[], bool]) -> float:
    """Step to the end of the window and return the wall time of the loop in seconds."""
    end_ms = round((window.end_s if window.end_s is not None else window.cap_s) * 1000)
    begun_s = shown_s = elapsed_s()
    while world.now_ms < end_ms and not stopped():
        world.step()
        now_ms = world.now_ms
        for control in controls:
            control.tick(now_ms)
        if elapsed_s() - shown_s > PROGRESS_S:
            shown_s = elapsed_s()
            send("progress", now_s=now_ms / 1000, end_s=end_ms / 1000)
            if window.end_s is None and world.remaining() == 0:
                break
        elif window.end_s is None and now_ms % 10000 == 0 and world.remaining() == 0:
            break
    return elapsed_s() - begun_s


def _close(world: SumoWorld) -> None:
    try:
        world.close()
    except PortError:
        return  # it is gone already; what it wrote is read as far as it goes


def _figures(
    case: Case,
    config: SumoConfig,
    world: SumoWorld,
    controls: Sequence[Control],
    *,
    version: str,
    wall_s: float,
    window: Window,
    end_s: float,
    interrupted: bool,
) -> Mapping[str, object]:
    trips, _ = read_trips(case.file(TRIPINFO))
    solve_ms = [value for control in controls for value in control.solve_ms]
    return {
        **measure(trips, end_s),
        **read_safety(case.file(STATISTICS)),
        "sumo_version": version,
        "interlock_refusals": None if case.sumo_driven else 0,
        "solve_ms": solve_times(solve_ms),
        "wall_s": round(wall_s, 3),
        "simulation_s": end_s - window.begin_s,
        "status": "interrupted" if interrupted else "finished",
        "overridden": config.overridden(),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "step_length_s": world.step_length_ms / 1000,
    }


__all__ = ["FrameRefusedError", "run_case"]
