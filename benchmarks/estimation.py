"""How well the loops tell what is there: queue, arrivals and discharge as believed under `adaptive`, against SUMO's truth.

``python -m benchmarks.estimation [--scenarios LIST] [--seed N] [--begin S --end S] [-o FILE]`` prints one table and, with
``-o``, writes FILE (JSON) and a Markdown file beside it. Every scenario runs in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.tables import markdown
from benchmarks.truth import Findings, LightProbe, WorldTruth
from benchmarks.version import present_version
from controller.errors import SimulationError, UmlaufError
from controller.estimate import LoopEstimator
from controller.loop import JunctionControl
from controller.snapshot import SignalState
from hardware.sumo import SumoWorld
from scenarios.arguments import sumo_args
from scenarios.case import Case
from scenarios.catalogue import RESCO_NAMES
from scenarios.controls import build_control, stop_loops_of
from scenarios.metrics import TripFile, measure
from scenarios.neighbour_link import PostOffice
from scenarios.prepare import Prepared, prepare
from scenarios.saturation import SaturationMeter
from scenarios.simulate import Request, cases_of

SAMPLE_MS: Final = 5_000
KINDS: Final = ("queue", "joined", "near", "near_approach", "arrival_last", "arrival_first", "headway", "startup", "movement", "share", "halted_beyond")
DEFINITIONS: Final = """\
Sampled every 5 s on every approach lane; bias is believed minus true, RMSE the root of the mean squared error.
Queue: vehicles believed to be due at the stop line, against vehicles that stand (below 1 m/s) on the way to it within the loops' reach,
and, under "joined", against those that have stood there and are not yet over it, moving or not. Near: vehicles believed within 55 m of the
stop line, against those there, and the same for all lanes of an approach together. Arrival: for vehicles that nothing holds up (never below half
the speed limit), the predicted time from a loop to the stop line, against the true one: from the last loop before it, and from the loop
where vehicles come into view. Headway and start-up: as learned by the end, against the run's own discharge (from the fifth queued vehicle
on; front of the fourth after the begin of green, less three headways), lanes weighted by their observations, start-up only of lanes that
never yield. Movement: on lanes whose vehicles take ways that the control must tell apart, how likely it held the way that the first vehicle
then takes (1: always sure and right), and the share of each such way as learned by the end against that of the run, weighted by vehicles.
The estimator never sees a vehicle id; the probe matches through the simulator's."""


def build_ours(world: SumoWorld, case: Case, prepared: Prepared) -> list[JunctionControl]:
    """Return our controls of all lights, without a journal. Raises `TypeError` where the case names a control that is not ours."""
    meter = SaturationMeter(name for junction in prepared.junctions for name in stop_loops_of(junction))
    office = PostOffice(case.seed, case.neighbour_loss_ratio)
    controls: list[JunctionControl] = []
    for junction in prepared.junctions:
        control, _ = build_control(world, case, junction, None, meter, office.port(junction.id))
        if not isinstance(control, JunctionControl):
            raise TypeError(f"expected a control of ours, found {type(control).__name__}; probe adaptive, cycle or actuated")
        controls.append(control)
    return controls


def probe_case(case: Case) -> dict[str, Any]:
    """Run one case in this process and return its findings. Raises `UmlaufError`, `PortError` or `FrameRefusedError`."""
    prepared = prepare(case)
    world = SumoWorld.start(sumo_args(case, prepared.config, prepared.window, prepared.additional))
    end_s = prepared.window.end_s if prepared.window.end_s is not None else prepared.window.cap_s
    findings, truth = Findings(), WorldTruth(world)
    try:
        controls = build_ours(world, case, prepared)
        probes = [_probe(truth, control, findings) for control in controls]
        while world.now_ms < round(end_s * 1000) and (prepared.window.end_s is not None or world.remaining() > 0):
            world.step()
            truth.refresh()
            for control, probe in zip(controls, probes, strict=True):
                control.tick(world.now_ms)
                probe.step(world.now_ms)
            if world.now_ms % SAMPLE_MS == 0:
                ahead = _ahead(truth)
                for probe in probes:
                    probe.compare_queues(world.now_ms, ahead)
        for probe in probes:
            probe.conclude(world.now_ms)
        version = world.version()
    finally:
        world.close()
    delay_s = measure(TripFile(case.file("tripinfo.xml")), end_s)["mean_delay_s"]
    return {
        **{name: getattr(case, name) for name in ("scenario", "control", "seed", "rules", "detection", "insertion", "begin_s", "end_s")},
        "sumo_version": version,
        "mean_delay_s": delay_s,
        "unmatched": findings.unmatched,
        **{kind: getattr(findings, kind).figures() for kind in KINDS},
    }


def _probe(truth: WorldTruth, control: JunctionControl, findings: Findings) -> LightProbe:
    if not isinstance(control.estimator, LoopEstimator):
        raise TypeError(f"expected the estimator from loops, found {type(control.estimator).__name__}; run with --detection loops")

    def signals(now_ms: int) -> list[SignalState]:
        return [node.state(now_ms) for node in control.nodes]

    return LightProbe(truth, control.junction, control.estimator, signals, findings)


def _ahead(truth: WorldTruth) -> dict[str, list[tuple[str, int, float, str]]]:
    found: dict[str, list[tuple[str, int, float, str]]] = {}
    for name, light, link, distance_m, lane in truth.ahead():
        found.setdefault(light, []).append((name, link, distance_m, lane))
    return found


def estimation_table(results: Sequence[Mapping[str, Any]]) -> str:
    """Return the Markdown table of the findings, one row a scenario."""
    header = [
        *("scenario", "delay s", "queue mean", "bias", "RMSE", "joined mean", "bias", "RMSE"),
        *("near mean", "bias", "RMSE", "approach near mean", "bias", "RMSE"),
        *("last loop: travel s", "bias s", "RMSE s", "n", "first loop: travel s", "bias s", "RMSE s", "n"),
        *("headway s", "bias s", "start-up s", "bias s", "movement right", "n", "share RMSE", "halted unseen"),
    ]
    rows = []
    for r in results:
        cells = [str(r["scenario"]).removeprefix("resco/"), _text(r["mean_delay_s"], 1)]
        for kind in ("queue", "joined", "near", "near_approach"):
            cells += [_text(r[kind][x], 2) for x in ("mean", "bias", "rmse")]
        for kind in ("arrival_last", "arrival_first"):
            cells += [*(_text(r[kind][x], 2) for x in ("mean", "bias", "rmse")), str(r[kind]["n"])]
        cells += [_text(r[kind][x], 2) for kind in ("headway", "startup") for x in ("mean", "bias")]
        right = None if r["movement"]["bias"] is None else 1.0 + r["movement"]["bias"]
        cells += [_text(right, 2), str(r["movement"]["n"]), _text(r["share"]["rmse"], 2)]
        rows.append([*cells, _text(r["halted_beyond"]["mean"], 3)])
    return markdown(header, rows)


def _text(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Probe the scenarios one after the other and print their table. Exit code: 0 done, 1 failed."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["child"]:
        case = Case.from_json(Path(given[1]).read_text(encoding="utf-8"))
        Path(given[2]).write_text(json.dumps(probe_case(case)), encoding="utf-8")
        return 0
    parser = argparse.ArgumentParser(prog="python -m benchmarks.estimation", description="Queue and arrival errors of the loop estimator.")
    parser.add_argument("--scenarios", default=",".join(f"resco/{name}" for name in RESCO_NAMES), help="comma-separated")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--begin", type=float, default=None, help="begin of the window in seconds")
    parser.add_argument("--end", type=float, default=None, help="end of the window in seconds")
    parser.add_argument("-o", "--output", type=Path, default=None, help="JSON file; the table goes beside it as .md")
    options = parser.parse_args(given)
    results = []
    for name in options.scenarios.split(","):
        try:
            results.append(_in_child(Request(name, seeds=options.seed, begin_s=options.begin, end_s=options.end)))
        except UmlaufError as error:
            print(error, file=sys.stderr)
            return 1
        if options.output is not None:
            write_results(options.output, "python -m benchmarks.estimation " + " ".join(given), results)
        print(f"{name}: queue RMSE {results[-1]['queue']['rmse']} veh, arrival RMSE {results[-1]['arrival_last']['rmse']} s", file=sys.stderr, flush=True)
    print(estimation_table(results))
    return 0


def write_results(path: Path, command: str, results: Sequence[Mapping[str, Any]]) -> None:
    """Write the findings as JSON and their table as Markdown beside it."""
    version = present_version()
    origin = {"command": command, "commit": version.commit, "dirty": version.dirty, "code": version.ours}
    lines = ",\n".join(json.dumps(r) for r in results)
    path.write_text(json.dumps(origin)[:-1] + f', "results": [\n{lines}\n]}}\n', encoding="utf-8")
    first = results[0]
    where = f"Control {first['control']}, seed {first['seed']}, rules {first['rules']}, insertion {first['insertion']}, SUMO {first['sumo_version']}."
    text = f"# Estimation from loops against SUMO's truth\n\n{where} Made by `{command}`.\n\n{DEFINITIONS}\n\n{estimation_table(results)}\n"
    path.with_suffix(".md").write_text(text, encoding="utf-8")


def _in_child(request: Request) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="umlauf-estimation-") as folder:
        case = cases_of(Request(**{**request.__dict__, "output": Path(folder) / "run"}))[0]
        spec, out = Path(folder) / "case.json", Path(folder) / "out.json"
        spec.write_text(case.to_json(), encoding="utf-8")
        done = subprocess.run([sys.executable, "-m", "benchmarks.estimation", "child", str(spec), str(out)], capture_output=True, text=True, check=False)
        if done.returncode:
            raise SimulationError(f"{case.scenario}: the probed run failed with exit code {done.returncode}: {done.stderr.strip()[-2000:]}")
        data: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
        return data


if __name__ == "__main__":
    sys.exit(main())
