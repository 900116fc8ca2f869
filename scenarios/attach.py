"""Attaching to a SUMO that somebody else started: its loops, its files, its end."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from controller.errors import ScenarioError
from controller.junction import Junction
from hardware.sumo import SumoWorld
from scenarios.case import Case, parse_address
from scenarios.config import SumoConfig
from scenarios.loops import PREFIX
from scenarios.metrics import TripFile

POLL_S: Final = 0.2
POLLS: Final = 25  # how long a SUMO that we left is given to write its files


@dataclass(frozen=True)
class Outputs:
    """Where SUMO writes what the figures are made of."""

    tripinfo: Path
    statistics: Path


def attach(case: Case, config: SumoConfig, junctions: Sequence[Junction]) -> tuple[SumoWorld, Outputs]:
    """Attach to the running SUMO of ``case.attach``. Raises `ScenarioError` where it lacks our lights or loops, `PortError` where it does not answer."""
    host, port = parse_address(case.attach)
    world = SumoWorld.attach(host, port)
    lights = world.light_ids()
    for junction in junctions:
        if junction.id not in lights:
            world.close()
            raise ScenarioError(f"the SUMO at {case.attach} has no light {junction.id!r}, which {config.net} has; give the scenario that it runs")
    wanted = [PREFIX + detector.id for junction in junctions for detector in junction.detectors]
    missing = sorted(set(wanted) - set(world.loop_ids()))
    if missing:
        world.close()
        loops = Path("loops.add.xml")
        raise ScenarioError(
            f"the SUMO at {case.attach} lacks {len(missing)} of our {len(wanted)} loops (the first: {missing[0]}); "
            "loops cannot be added to a running SUMO.\n"
            f"Write them with: umlauf scenarios loops {case.scenario} -o {loops}\n"
            f"and start it with: {start_command(config, loops, port)}"
        )
    return world, Outputs(*(_file(world.option(option), case) for option in ("tripinfo-output", "statistic-output")))


def start_command(config: SumoConfig, loops: Path, port: int) -> str:
    """Return the command that starts a SUMO which can be attached to, and which writes what the figures are made of beside the loops."""
    loops = loops.absolute()  # the two commands need not be given in the same folder
    files = ",".join(str(path) for path in (*config.additional, loops))
    outputs = f"{whole_tripinfo(loops.with_name('tripinfo.xml'))} --statistic-output {loops.with_name('statistics.xml')}"
    return f"sumo -c {config.path} --additional-files {files} {outputs} --remote-port {port}"


def whole_tripinfo(file: str | Path) -> str:
    """Return SUMO's options that write every trip, whether or not it ended."""
    return f"--tripinfo-output {file} --tripinfo-output.write-unfinished --tripinfo-output.write-undeparted"


def missing_outputs(world: SumoWorld, address: str) -> list[str]:
    """Return a note where the SUMO writes too little for the figures."""
    if world.option("tripinfo-output") and world.option("tripinfo-output.write-unfinished") == "true":
        return []
    return [f"the figures are missing or too good, for the SUMO at {address} does not write every trip; start it with {whole_tripinfo('FILE')}"]


def _file(option: str, case: Case) -> Path:
    return Path(option) if option else case.file("not-written-by-the-attached-sumo.xml")


def await_outputs(outputs: Outputs) -> None:
    """Wait until the SUMO that we left has written its tripinfo, at most some seconds."""
    for _ in range(POLLS):
        if outputs.tripinfo.is_file() and TripFile(outputs.tripinfo).is_whole():
            return
        if not outputs.tripinfo.parent.is_dir() or outputs.tripinfo.name.startswith("not-written"):
            return
        threading.Event().wait(POLL_S)
