"""A queue on one straight lane before one light: what SUMO's vehicle parameters and step length make of its discharge.

``python -P -m benchmarks.queue_road`` reads one `Driving` a line (JSON) and writes one `Measured` a line: a simulator that crashes takes
this process with it, and not the one that asked.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.discharge import Discharge, Measured, measured
from controller.errors import SimulationError
from hardware.ports import PortError
from hardware.sumo import SumoWorld
from hardware.sumo_process import sumo_binary

APPROACH_M: Final = 700
GREEN_S: Final = 60
RED_S: Final = 60
CYCLES: Final = 10
LOOP_M: Final = 2.0
BEFORE_LINE_M: Final = 1.0
DEMAND_VEH_H: Final = 1_800  # beyond what half of the time green lets through, so that a queue stands


@dataclass(frozen=True)
class Driving:
    """SUMO's vehicle parameters that decide how a queue discharges, the street's speed limit, and the steps of the simulation."""

    tau_s: float = 1.0
    accel_m_s2: float = 2.6
    decel_m_s2: float = 4.5
    sigma_ratio: float = 0.5
    min_gap_m: float = 2.5
    length_m: float = 5.0
    speed_factor_ratio: float = 1.0
    speed_dev_ratio: float = 0.1
    speed_m_s: float = 13.89
    step_s: float = 1.0
    ballistic: bool = False

    def vtype(self) -> dict[str, str]:
        """Return the attributes of SUMO's vType."""
        named = {"tau": self.tau_s, "accel": self.accel_m_s2, "decel": self.decel_m_s2, "sigma": self.sigma_ratio, "minGap": self.min_gap_m}
        named |= {"length": self.length_m, "speedFactor": self.speed_factor_ratio, "speedDev": self.speed_dev_ratio}
        return {name: f"{value:g}" for name, value in named.items()}


class QueueRoad:
    """The process that simulates the road. Use it as a context."""

    def __enter__(self) -> QueueRoad:
        """Start the process."""
        command = [sys.executable, "-P", "-m", "benchmarks.queue_road"]
        self._log = tempfile.TemporaryFile("w+", encoding="utf-8")
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True)
        return self

    def __exit__(self, *error: object) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()
        self._log.close()

    def measure(self, driving: Driving) -> Measured:
        """Return how a queue of such vehicles discharges. Raises `SimulationError` where SUMO fails."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(dataclasses.asdict(driving)) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            self._log.seek(0)
            said = [text for text in self._log.read().splitlines() if text.strip()][-3:]
            raise SimulationError(f"the road's simulation failed with {driving}: {' | '.join(said) or 'no message'}")
        return Measured(**json.loads(line))


def simulate(driving: Driving, folder: Path) -> Measured:
    """Run the road once in this process and return what the queue showed. Raises `PortError` where SUMO does not start or fails."""
    _write(driving, folder)
    end_s = CYCLES * (GREEN_S + RED_S)
    args = ["-n", str(folder / "net.net.xml"), "-r", str(folder / "r.rou.xml"), "-a", str(folder / "a.add.xml"), "--step-length", f"{driving.step_s:g}"]
    args += ["--end", str(end_s), "--no-step-log", "true", "--time-to-teleport", "-1", "--no-warnings", "true", "--seed", "1"]
    args += ["--step-method.ballistic", "true"] if driving.ballistic else []
    world = SumoWorld.start(args)
    queue, covered, green = Discharge(broken_gap_ms=GREEN_S * 1000), False, False  # whoever comes has queued: more are due than get through
    try:
        loop = world.inputs({"stop": "stop"})
        while world.now_ms < end_s * 1000:
            before_ms = world.now_ms
            world.step()
            now_green = before_ms // 1000 % (GREEN_S + RED_S) >= RED_S
            if now_green and not green:
                queue.green(before_ms, standing=covered)
            elif green and not now_green:
                queue.red()
            green = now_green
            for event in loop.poll(world.now_ms):
                covered = bool(event.value)
                (queue.rise if covered else queue.fall)(event.at_ms)
    finally:
        world.close()
    return measured([queue])


def _write(driving: Driving, folder: Path) -> None:
    """Write net, light, loop and demand."""
    line_m = APPROACH_M - LOOP_M - BEFORE_LINE_M
    nodes = f'<node id="a" x="0" y="0"/><node id="b" x="{APPROACH_M}" y="0" type="traffic_light"/><node id="c" x="{2 * APPROACH_M}" y="0"/>'
    edges = "".join(f'<edge id="{f}{t}" from="{f}" to="{t}" numLanes="1" speed="{driving.speed_m_s:g}"/>' for f, t in ("ab", "bc"))
    (folder / "n.nod.xml").write_text(f"<nodes>{nodes}</nodes>", encoding="utf-8")
    (folder / "e.edg.xml").write_text(f"<edges>{edges}</edges>", encoding="utf-8")
    light = f'<tlLogic id="b" type="static" programID="road" offset="0"><phase duration="{RED_S}" state="r"/><phase duration="{GREEN_S}" state="G"/></tlLogic>'
    loop = f'<inductionLoop id="stop" lane="ab_0" pos="{line_m:g}" length="{LOOP_M:g}" period="3600" file="{os.devnull}"/>'
    (folder / "a.add.xml").write_text(f"<additional>{light}{loop}</additional>", encoding="utf-8")
    vtype = " ".join(f'{name}="{value}"' for name, value in driving.vtype().items())
    flow = f'<flow id="f" type="t" begin="0" end="9999" vehsPerHour="{DEMAND_VEH_H}" from="ab" to="bc" departSpeed="max"/>'
    (folder / "r.rou.xml").write_text(f'<routes><vType id="t" {vtype}/>{flow}</routes>', encoding="utf-8")
    files = ["-n", str(folder / "n.nod.xml"), "-e", str(folder / "e.edg.xml"), "-o", str(folder / "net.net.xml"), "--no-warnings", "true"]
    done = subprocess.run([sumo_binary("netconvert"), *files], capture_output=True, text=True, check=False)
    if done.returncode:
        raise PortError(f"netconvert failed on the road: {done.stderr.strip()}")


def main() -> int:
    """Answer one line with one line. SUMO's own words go to standard error, for standard output is the answer's."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        with tempfile.TemporaryDirectory(prefix="umlauf-road-") as name:
            found = simulate(Driving(**json.loads(line)), Path(name))
        answers.write(json.dumps(dataclasses.asdict(found)) + "\n")
        answers.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
