"""The oracle ladder: the delay of `adaptive` with parts of what it knows replaced by the truth, so that one sees where delay is lost.

``python -m benchmarks.ladder [--scenarios LIST] [--seeds LIST] [--rungs LIST] [--rules RULES] [--begin S --end S] [-o FILE]`` prints
one table and, with ``-o``, writes FILE (JSON) and a Markdown file beside it. Every run has a process of its own. Without arguments it
runs a small subset and fails where the perfect view is clearly worse than the loops: then something is wrong with it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from benchmarks.estimation import build_ours
from benchmarks.ladder_table import ladder_table
from benchmarks.truth import EntryProbe, Findings, LightProbe, WorldTruth
from benchmarks.version import present_version
from controller.errors import SimulationError, UmlaufError
from controller.estimate import LoopEstimator
from controller.loop import JunctionControl
from controller.oracle import SEEN, Foresight, OracleEstimator, Part
from controller.snapshot import SignalState
from hardware.sumo import SumoWorld
from scenarios.arguments import sumo_args
from scenarios.case import RULES, Case
from scenarios.controls import view_of
from scenarios.metrics import TripFile, measure
from scenarios.prepare import prepare
from scenarios.simulate import Request, cases_of

LOOPS: Final = "loops"
RUNGS: Final[Mapping[str, frozenset[Part]]] = {
    LOOPS: frozenset(),
    "lanes": frozenset({Part.LANES}),
    "positions": frozenset({Part.POSITIONS}),
    "ways": frozenset({Part.WAYS}),
    "inside": frozenset({Part.INSIDE}),
    "discharge": frozenset({Part.DISCHARGE}),
    "coming": frozenset({Part.COMING}),
    "seen": SEEN,
    "all": frozenset({*SEEN, Part.DISCHARGE, Part.COMING}),
}
FIGURES: Final = ("mean_delay_s", "vehicles", "never_inserted", "unfinished", "max_wait_s", "stops_per_vehicle", "teleports", "collisions")
SUBSET: Final = ("resco/cologne1,resco/ingolstadt1", "1", "loops,positions,ways,seen")
WORSE_RATIO: Final = 1.15  # the perfect view may be worse by this, for single runs scatter


def run_rung(case: Case, rung: str, foresight: Foresight) -> tuple[dict[str, Any], Foresight]:
    """Run one case in this process; return its figures and what it can tell later ones. Raises `UmlaufError`, `PortError` or `FrameRefusedError`."""
    prepared = prepare(case)
    world = SumoWorld.start(sumo_args(case, prepared.config, prepared.window, prepared.additional))
    end_s = prepared.window.end_s if prepared.window.end_s is not None else prepared.window.cap_s
    truth = WorldTruth(world)
    probes: list[LightProbe] = []
    entries: list[EntryProbe] = []
    try:
        controls = build_ours(world, case, prepared)
        for control in controls:
            if rung != LOOPS:
                control.estimator = OracleEstimator(control.junction, world.now_ms, view_of(world, control.junction.id), RUNGS[rung], foresight)
            elif isinstance(control.estimator, LoopEstimator):
                probes.append(_probe(truth, control))
                entries.append(EntryProbe(world, control.junction))
        while world.now_ms < round(end_s * 1000) and (prepared.window.end_s is not None or world.remaining() > 0):
            world.step()
            if probes:
                truth.refresh()
            for control in controls:
                control.tick(world.now_ms)
            for probe in probes:
                probe.step(world.now_ms)
            for entry in entries:
                entry.step(world.now_ms)
    finally:
        world.close()
    trips = measure(TripFile(case.file("tripinfo.xml")), end_s)
    learned = Foresight(
        {lane: found for probe in probes for lane, found in probe.discharge().items()}, {k: v for e in entries for k, v in e.entries_ms.items()}
    )
    return {k: trips[k] for k in FIGURES if k in trips}, learned


def _probe(truth: WorldTruth, control: JunctionControl) -> LightProbe:
    def signals(now_ms: int) -> list[SignalState]:
        return [node.state(now_ms) for node in control.nodes]

    if not isinstance(control.estimator, LoopEstimator):
        raise TypeError(f"expected the estimator from loops, found {type(control.estimator).__name__}")
    return LightProbe(truth, control.junction, control.estimator, signals, Findings())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the rungs one after the other and print their table. Exit code: 0 done, 1 failed or worse than it may be."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["child"]:
        return _child(Path(given[1]))
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ladder", description="Delay with parts of the estimation replaced by the truth.")
    parser.add_argument("--scenarios", default=SUBSET[0], help="comma-separated")
    parser.add_argument("--seeds", default=SUBSET[1])
    parser.add_argument("--rungs", default=SUBSET[2] if not given else ",".join(RUNGS), help="comma-separated; loops comes first in any case")
    parser.add_argument("--rules", default="published", choices=RULES)
    parser.add_argument("--begin", type=float, default=None, help="begin of the window in seconds")
    parser.add_argument("--end", type=float, default=None, help="end of the window in seconds")
    parser.add_argument("-o", "--output", type=Path, default=None, help="JSON file; the table goes beside it as .md")
    options = parser.parse_args(given)
    rungs = [LOOPS, *(r for r in options.rungs.split(",") if r != LOOPS)]
    if unknown := sorted(set(rungs) - set(RUNGS)):
        parser.error(f"--rungs: unknown {', '.join(unknown)}; expected some of {', '.join(RUNGS)}")
    rows: list[dict[str, Any]] = []
    try:
        for name in options.scenarios.split(","):
            for case in cases_of(Request(name, seeds=options.seeds, rules=options.rules, begin_s=options.begin, end_s=options.end)):
                for row in _run_all(case, rungs):
                    rows.append(row)
                    if options.output is not None:
                        write_results(options.output, "python -m benchmarks.ladder " + " ".join(given), rows)
    except UmlaufError as error:
        print(error, file=sys.stderr)
        return 1
    print(ladder_table(rows))
    return 0 if given else _check(rows)


def _run_all(case: Case, rungs: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Run one case on every rung; what is seen from the first one alone, with loops, is told to the others."""
    with tempfile.TemporaryDirectory(prefix="umlauf-ladder-") as folder:
        job = Path(folder) / "job.json"
        foresight: dict[str, Any] = {}
        for rung in rungs:
            own = replace(case, folder=str(Path(folder) / rung))
            Path(own.folder).mkdir()
            job.write_text(json.dumps({"case": own.to_json(), "rung": rung, "foresight": foresight}), encoding="utf-8")
            done = subprocess.run([sys.executable, "-m", "benchmarks.ladder", "child", str(job)], capture_output=True, text=True, check=False)
            if done.returncode:
                raise SimulationError(f"{case.scenario}: the run with {rung} failed with exit code {done.returncode}: {done.stderr.strip()[-2000:]}")
            found = json.loads(job.read_text(encoding="utf-8"))
            foresight = foresight or found["foresight"]
            inputs = {x: getattr(case, x) for x in ("scenario", "seed", "rules", "insertion", "begin_s", "end_s")}
            yield {**inputs, "rung": rung, **found["figures"]}
            print(f"{case.scenario} seed {case.seed} {rung}: {found['figures']['mean_delay_s']:.2f} s", file=sys.stderr, flush=True)


def _child(job: Path) -> int:
    data = json.loads(job.read_text(encoding="utf-8"))
    given = data["foresight"]
    foresight = Foresight({k: (v[0], v[1]) for k, v in given.get("discharge_ms", {}).items()}, given.get("entries_ms", {}))
    figures, learned = run_rung(Case.from_json(data["case"]), data["rung"], foresight)
    job.write_text(json.dumps({"figures": figures, "foresight": learned.__dict__}), encoding="utf-8")
    return 0


def _check(rows: Sequence[Mapping[str, Any]]) -> int:
    """Return 1 and say so where the perfect view is clearly worse than the loops."""
    delays = {(r["scenario"], r["rung"]): float(r["mean_delay_s"]) for r in rows}
    worse = [s for (s, rung), delay_s in delays.items() if rung == "seen" and delay_s > WORSE_RATIO * delays[s, LOOPS]]
    for scenario in worse:
        print(f"{scenario}: {delays[scenario, 'seen']:.1f} s with perfect view, {delays[scenario, LOOPS]:.1f} s from loops", file=sys.stderr)
    return 1 if worse else 0


def write_results(path: Path, command: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the rows as JSON and their table as Markdown beside it."""
    version = present_version()
    origin = {"command": command, "commit": version.commit, "dirty": version.dirty, "code": version.ours}
    lines = ",\n".join(json.dumps(r) for r in rows)
    path.write_text(json.dumps(origin)[:-1] + f', "ladder": [\n{lines}\n]}}\n', encoding="utf-8")
    path.with_suffix(".md").write_text(f"# The oracle ladder\n\nMade by `{command}`.\n\n{ladder_table(rows)}\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
