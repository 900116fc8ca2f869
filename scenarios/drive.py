"""Running one case inside the child process: start SUMO, build the controls, step, measure."""

from __future__ import annotations

import gc
import math
import resource
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from controller.clock import elapsed_s
from controller.errors import SimulationError, UmlaufError
from controller.journal import Journal
from controller.journal_schema import FILE_NAME
from controller.solve_times import SolveTimes
from hardware.ports import FrameRefusedError, PortError
from hardware.sumo import SumoWorld
from scenarios.arguments import STATISTICS, TRIPINFO, Window, sumo_args
from scenarios.attach import Outputs, attach, await_outputs, missing_outputs
from scenarios.case import FLOOR, Case
from scenarios.controls import Control, build_control, stop_loops_of
from scenarios.detector_faults import faults_at
from scenarios.floor import Heedless
from scenarios.handback import Held, hand_back
from scenarios.metrics import TripFile, measure, read_safety
from scenarios.neighbour_link import PostOffice
from scenarios.prepare import Prepared, prepare
from scenarios.queues import QueueRecorder
from scenarios.saturation import MeteredInputs, SaturationMeter

MODE_CHANGES_TOLD: Final = 5
Send = Callable[..., None]
PROGRESS_S: Final = 0.2
EMPTY_CHECK_MS: Final = 10_000


@dataclass
class Running:
    """A simulation under way."""

    prepared: Prepared
    world: SumoWorld
    outputs: Outputs
    version: str
    begin_ms: int
    meter: SaturationMeter
    controls: list[Control] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    journal: Journal | None = None
    handed_back: list[str] = field(default_factory=list)
    watched: list[MeteredInputs] = field(default_factory=list)
    queues: QueueRecorder | None = None
    heedless: Heedless | None = None
    wall_s: float = 0.0
    cpu_s: float = 0.0


def run_case(case: Case, send: Send, stopped: Callable[[], bool]) -> Mapping[str, object]:
    """Run the case to its end, or until ``stopped``, and return its figures.

    Raises `UmlaufError`, `PortError` or `FrameRefusedError`; what was measured until then is sent as ``partial``.
    """
    prepared = prepare(case)
    for note in prepared.notes:
        send("warning", text=note)
    with ExitStack() as stack:
        running = _start(prepared, stack, send)
        try:
            _loop(running, send, stopped)
        except (UmlaufError, PortError, FrameRefusedError):
            _leave(running)
            send("partial", values=_figures(running, "failed"))
            raise
        _leave(running)
        for text in (*_fallbacks(running), *running.handed_back):
            send("warning", text=text)
        if case.attach:
            await_outputs(running.outputs)
    figures = _figures(running, "interrupted" if stopped() else "finished")
    if not case.attach and not figures["trips_complete"]:  # SUMO itself does not notice that its disk is full
        send("partial", values={**figures, "status": "failed"})
        raise SimulationError(f"SUMO's {case.file(TRIPINFO)} is cut off, so vehicles are missing from the figures; is there room on that disk?")
    return figures


def _start(prepared: Prepared, stack: ExitStack, send: Send) -> Running:
    case = prepared.case
    if case.attach:
        send("warning", text=f"waits for the SUMO at {case.attach}; a sumo-gui that stands still goes on by its green arrow")
        world, outputs = attach(case, prepared.config, prepared.junctions)
        for note in missing_outputs(world, case.attach):
            send("warning", text=note)
    else:
        world = SumoWorld.start(sumo_args(case, prepared.config, prepared.window, prepared.additional), case.engine, gui=case.gui)
        outputs = Outputs(case.file(TRIPINFO), case.file(STATISTICS))
    stack.callback(_close, world)
    stop_loops = {detector: loop for junction in prepared.junctions for detector, loop in stop_loops_of(junction).items()}
    running = Running(prepared, world, outputs, world.version(), world.now_ms, SaturationMeter(stop_loops))
    if not case.bare:
        running.queues = QueueRecorder(world, Path(case.folder))
        stack.callback(running.queues.close)
    if case.sumo_driven:
        running.watched.append(MeteredInputs(world.inputs(stop_loops), running.meter))
        running.heedless = Heedless(world) if case.control == FLOOR else None
        return running
    journal = Journal.create(case.file(FILE_NAME), _journal_meta(case, running))
    stack.callback(journal.close)
    running.journal = journal
    office = PostOffice(case.seed, case.neighbour_loss_ratio)
    faults = faults_at(case.detector_faults, prepared.junctions, case.seed)
    for junction in prepared.junctions:
        control, held = build_control(world, case, junction, journal, running.meter, office.port(junction.id), faults)
        running.controls.append(control)
        running.held.append(held)
    return running


def _journal_meta(case: Case, running: Running) -> dict[str, Any]:
    return {
        "scenario": case.scenario,
        "control": case.control,
        "seed": case.seed,
        "rules": case.rules,
        "detection": case.detection,
        "insertion": case.insertion,
        "neighbour_loss_ratio": case.neighbour_loss_ratio,
        "detector_faults": case.detector_faults,
        "sumo_version": running.version,
        "begin_ms": running.begin_ms,
        "start_ms": running.begin_ms,
        "step_length_ms": running.world.step_length_ms,
    }


def _loop(running: Running, send: Send, stopped: Callable[[], bool]) -> None:
    """Step to the end of the window. One tick of every control per step."""
    world, window = running.world, running.prepared.window
    end_ms = _end_ms(window)
    gc.collect()
    gc.freeze()  # what is there now stays: the collector need not look at it again and again
    begun_s, shown_s = elapsed_s(), -math.inf
    begun_cpu_s = _cpu_s()
    try:
        while world.now_ms < end_ms and not stopped():
            world.step()
            now_ms = world.now_ms
            for control in running.controls:
                control.tick(now_ms)
            for inputs in running.watched:
                inputs.poll(now_ms)
            if running.queues is not None:
                running.queues.tick(now_ms)
            if running.heedless is not None:
                running.heedless.tick()
            if elapsed_s() - shown_s > PROGRESS_S:
                shown_s = elapsed_s()
                send("progress", now_s=now_ms / 1000, end_s=end_ms / 1000)
            if window.end_s is None and now_ms % EMPTY_CHECK_MS == 0 and world.remaining() == 0:
                break
    finally:
        running.wall_s = elapsed_s() - begun_s
        running.cpu_s = _cpu_s() - begun_cpu_s
        gc.unfreeze()


def _fallbacks(running: Running) -> list[str]:
    """Return the first changes of mode in words: in a simulation each one means that a planner failed."""
    changes = [c for control in running.controls for c in control.mode_changes]
    return [f"mode {c.before} gave way to {c.after} at {c.at_ms / 1000:g} s: {c.why}" for c in changes[:MODE_CHANGES_TOLD]]


def _longest_reds_s(running: Running) -> dict[str, dict[str, float]] | None:
    """Return per light and group the longest red with an occupied stop loop and a free exit; None where SUMO drives."""
    if running.prepared.case.sumo_driven:
        return None
    lights = zip(running.held, running.controls, strict=True)
    return {held.light: {g: ms / 1000 for node in control.nodes for g, ms in node.longest_red_ms.items()} for held, control in lights}


def _end_ms(window: Window) -> int:
    return round((window.end_s if window.end_s is not None else window.cap_s) * 1000)


def _cpu_s() -> float:
    """Return the processor time of this process; unlike wall time, other programs do not lengthen it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _leave(running: Running) -> None:
    """Leave the simulation as it should be left: one that is not ours goes on, so its lights get their programmes back."""
    if running.prepared.case.attach:
        try:
            running.handed_back = hand_back(running.world, running.held, running.journal)
        except PortError as error:
            running.handed_back = [f"the lights were not handed back: {error}"]
    _close(running.world)


def _close(world: SumoWorld) -> None:
    """End the simulation; one that is gone already has written what it could."""
    try:
        world.close()
    except PortError:
        return


def _figures(running: Running, status: str) -> Mapping[str, object]:
    prepared, world = running.prepared, running.world
    case = prepared.case
    trips = TripFile(running.outputs.tripinfo)
    reds_s = _longest_reds_s(running)
    return {
        **measure(trips, world.now_ms / 1000),
        **read_safety(running.outputs.statistics),
        "sumo_version": running.version,
        "interlock_refusals": None if case.sumo_driven else sum(held.interlock.refusals for held in running.held),
        "longest_red_s": None if reds_s is None else max((s for groups in reds_s.values() for s in groups.values()), default=0.0),
        "longest_reds_s": reds_s,
        "solve_ms": SolveTimes.together(node.solve_ms for control in running.controls for node in control.nodes).figures_ms(),
        "wall_s": round(running.wall_s, 3),
        "cpu_s": round(running.cpu_s, 3),
        "simulation_s": (world.now_ms - running.begin_ms) / 1000,
        "status": status,
        "trips_complete": trips.complete,
        "saturation_flow_veh_h": running.meter.flow_veh_h(),
        "saturation_headways": running.meter.headways,
        "mode_changes": sum(len(control.mode_changes) for control in running.controls),
        "lights": len(prepared.programmes),
        "controlled": len(running.controls),
        "step_length_s": world.step_length_ms / 1000,
        "overridden": prepared.overridden,
        "notes": [*prepared.notes, *_fallbacks(running), *running.handed_back],
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
