"""What ``umlauf simulate`` does: cases out of the options, one run after the other, table or JSON."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from controller.clock import utc_now
from controller.errors import ConfigError, MissingError, UmlaufError
from scenarios.case import DETECTIONS, ENGINES, INSERTIONS, NEIGHBOUR_LOSS_RATIO, RULES, Case, check_control, parse_address
from scenarios.catalogue import find_scenario, load_config
from scenarios.detector_faults import parse_faults
from scenarios.report import write_report
from scenarios.runner import make_folder, run_one
from scenarios.summary import table_of, write_summary

EXIT_INTERRUPTED: Final = 130
PLAIN_WIDTH: Final = 150  # of the table where the output is no terminal


@dataclass(frozen=True)
class Request:
    """The options of one call, as typed."""

    scenario: str
    controls: tuple[str, ...] = ("adaptive",)
    seeds: str = "1"
    rules: str | None = None
    detection: str = "loops"
    insertion: str = "sumo"
    neighbour_loss_ratio: float = NEIGHBOUR_LOSS_RATIO
    detector_faults: str = ""
    begin_s: float | None = None
    end_s: float | None = None
    tls: tuple[str, ...] = ()
    engine: str = "libsumo"
    attach: str = ""
    gui: bool = False
    output: Path | None = None
    as_json: bool = False
    measure_bare: bool = False


def parse_seeds(text: str, option: str = "--seed") -> tuple[int, ...]:
    """Return the seeds of ``1``, ``1,2`` or ``1-5``. Raises `ConfigError` on anything else."""
    seeds: list[int] = []
    try:
        for part in text.split(","):
            first, _, last = part.strip().partition("-")
            seeds.extend(range(int(first), int(last or first) + 1))
    except ValueError as error:
        raise ConfigError(f"{option}: found {text!r}, expected a number, a list like 1,2 or a range like 1-5") from error
    if not seeds:
        raise ConfigError(f"{option}: {text!r} names no seed; give a range from the smaller to the larger number")
    return tuple(dict.fromkeys(seeds))


def cases_of(request: Request) -> list[Case]:
    """Return the cases of a call, checked as far as it goes without running. Raises `UmlaufError`."""
    if not request.controls:
        raise ConfigError("--control names no control; give one or more, comma-separated")
    for option, value, known in (
        ("--rules", request.rules or RULES[0], RULES),
        ("--detection", request.detection, DETECTIONS),
        ("--insertion", request.insertion, INSERTIONS),
        ("--engine", request.engine, ENGINES),
    ):
        if value not in known:
            raise ConfigError(f"{option}: found {value!r}, expected one of {', '.join(known)}")
    for option, value_s in (("--begin", request.begin_s), ("--end", request.end_s)):
        if value_s is not None and not 0 <= value_s < math.inf:
            raise ConfigError(f"{option}: found {value_s:g}, expected seconds of simulation time, 0 or more")
    if not 0 <= request.neighbour_loss_ratio <= 1:
        raise ConfigError(f"--neighbour-loss: found {request.neighbour_loss_ratio:g}, expected a share of the messages between 0 and 1")
    parse_faults(request.detector_faults)
    if request.attach:
        parse_address(request.attach)
        if request.gui:
            raise ConfigError("--gui and --attach: expected one of them; to see the SUMO that is attached to, start sumo-gui instead of sumo")
    controls = tuple(dict.fromkeys(check_control(name) for name in request.controls))
    seeds = parse_seeds(request.seeds)
    if request.attach and len(controls) * len(seeds) > 1:
        raise ConfigError("--attach takes one control and one seed, for the SUMO it attaches to is run once; found more")
    scenario = find_scenario(request.scenario)
    config = load_config(scenario)
    root = make_folder(request.output or _new_folder(scenario.name))
    single = len(controls) * len(seeds) == 1
    return [
        Case(
            scenario=scenario.name,
            config=str(config.path),
            control=control,
            folder=str((root if single else root / f"{control}-{seed}").resolve()),
            seed=seed,
            rules=request.rules or scenario.rules,
            detection=request.detection,
            insertion=request.insertion,
            neighbour_loss_ratio=request.neighbour_loss_ratio,
            detector_faults=request.detector_faults,
            begin_s=request.begin_s,
            end_s=request.end_s,
            tls=request.tls,
            engine=request.engine,
            attach=request.attach,
            gui=request.gui,
            published_amber_s=scenario.published_amber_s,
            outages=scenario.outages,
        )
        for control in controls
        for seed in seeds
    ]


def _new_folder(scenario: str) -> Path:
    """Return a folder for this call alone: made here, so that calls of the same second get one each."""
    name = Path(scenario).stem if scenario.endswith("cfg") else scenario
    first = Path("runs") / f"{utc_now():%Y%m%dT%H%M%SZ}-{name.strip('/').replace('/', '-')}"
    make_folder(first.parent)
    folder, number = first, 1
    while True:
        try:
            folder.mkdir()
        except FileExistsError:
            number += 1
            folder = first.with_name(f"{first.name}-{number}")
        else:
            return folder


def run_request(request: Request) -> int:
    """Run all cases, print their figures and return the exit code. Raises `UmlaufError` after printing what was finished."""
    cases = cases_of(request)
    root = Path(cases[0].folder) if len(cases) == 1 else Path(cases[0].folder).parent
    console = Console(stderr=True)
    records: list[dict[str, Any]] = []
    bare_s: dict[int, float] = {}
    told: set[str] = set()  # the runs of one call share most of their notes
    try:
        for case in cases:
            if request.measure_bare and case.seed not in bare_s:
                bare_s[case.seed] = _bare_wall_s(case, console, told)
            record = _run_shown(case, console, told)
            record["bare_wall_s"] = bare_s.get(case.seed)
            write_summary(Path(case.folder), record)
            records.append(record)
            if record["status"] == "interrupted":
                break
    except (UmlaufError, KeyboardInterrupt):
        _print(records, request, root)
        raise
    if len(cases) > 1:
        write_summary(root, {"runs": records})
    _print(records, request, root)
    return EXIT_INTERRUPTED if records[-1]["status"] == "interrupted" else 0


def _run_shown(case: Case, console: Console, told: set[str], label: str = "") -> dict[str, Any]:
    text = label or f"{case.scenario} {case.control} seed {case.seed}"
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.0f}/{task.total:.0f} s"), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task(text, total=1)
        begin: list[float] = []

        def on_progress(now_s: float, end_s: float) -> None:
            begin.append(now_s)
            progress.update(task, completed=now_s - begin[0], total=max(end_s - begin[0], 1))

        def on_warning(text: str) -> None:
            if text not in told:
                told.add(text)
                progress.console.print(f"note: {text}", highlight=False, markup=False, soft_wrap=True)

        return run_one(case, on_progress, on_warning)


def _bare_wall_s(case: Case, console: Console, told: set[str]) -> float:
    folder = Path(case.folder) / "bare"
    bare = dataclasses.replace(case, control="fixed", bare=True, folder=str(folder), engine="libsumo", gui=False, attach="")
    wall_s = float(_run_shown(bare, console, told, f"{case.scenario} SUMO alone")["wall_s"])
    shutil.rmtree(folder)
    return wall_s


def _print(records: list[dict[str, Any]], request: Request, root: Path) -> None:
    if request.as_json:
        print(json.dumps({"runs": records}))
        return
    if records:
        console = Console()
        if not console.is_terminal:
            console.width = PLAIN_WIDTH
        console.print(table_of(records))
        console.print(f"All files: {root}", highlight=False, markup=False, soft_wrap=True)
        console.print(_report_line(records, root), highlight=False, markup=False, soft_wrap=True)


def _report_line(records: list[dict[str, Any]], root: Path) -> str:
    """Write the report and return where it is, or what it needs."""
    try:
        return f"Report: {write_report(root, records)}"
    except MissingError as missing:
        return f"No report: {missing}"
