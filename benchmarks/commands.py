"""``umlauf bench`` and ``umlauf calibrate``. Heavy imports happen inside the functions, so that ``--help`` is instant."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def bench(
    scenarios: Annotated[str, typer.Argument(help="Comma-separated: catalogue names (see: umlauf scenarios), .sumocfg files, or resco for all eight.")] = "",
    control: Annotated[
        str, typer.Option(help="Comma-separated, as for umlauf simulate; your own too (docs/OWN_CONTROLLER.md).")
    ] = "adaptive,fixed,sumo-actuated,floor",
    seeds: Annotated[str, typer.Option(help="A seed, a list (1,2) or a range (1-10).")] = "1-5",
    rules: Annotated[str | None, typer.Option(help="net, published or street. Default: published for resco/, else net.")] = None,
    insertion: Annotated[str, typer.Option(help="sumo (SUMO's present defaults) or legacy (those before 1.27, as in published figures).")] = "sumo",
    detection: Annotated[str, typer.Option(help="loops (induction loops only) or oracle (sees every vehicle; no product result).")] = "loops",
    begin: Annotated[float | None, typer.Option(help="Begin of the window in seconds; default: the configuration's.")] = None,
    end: Annotated[float | None, typer.Option(help="End of the window in seconds; default: the configuration's.")] = None,
    jobs: Annotated[int, typer.Option(help="Cases at a time; default: one for each processor.")] = 0,
    engine: Annotated[str, typer.Option(help="local (processes here) or dask (the workers of a Dask scheduler).")] = "local",
    scheduler: Annotated[str, typer.Option(help="Address of the Dask scheduler, as tcp://host:8786; default: DASK_SCHEDULER_ADDRESS.")] = "",
    shard: Annotated[str, typer.Option(help="i/n: only this share of the cases, for batch queues; merge by copying cases/*, then --report-only.")] = "",
    output: Annotated[Path, typer.Option(help="The campaign's folder; the same command goes on where it stopped.")] = Path("bench"),
    keep_older: Annotated[bool, typer.Option("--keep-older", help="Do not run finished cases of older code again; the report tells of them.")] = False,
    reference: Annotated[
        str, typer.Option(help="The control that the report compares with all others, as your own; default: adaptive where it is run, else the first.")
    ] = "",
    report_only: Annotated[bool, typer.Option("--report-only", help="Run nothing; take in what is in cases/ and write the report anew.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Run a random tenth of the folder's finished cases again and compare exactly.")] = False,
    draw: Annotated[int | None, typer.Option(help="Which tenth --verify draws; default: another one each time.")] = None,
    silence: Annotated[float, typer.Option(help="Seconds without a step of its simulation after which a run counts as hung.")] = 300.0,
    deadline: Annotated[float, typer.Option(help="Seconds (wall time) that a run may take at most.")] = 7200.0,
) -> None:
    """Benchmark scenarios x controls x seeds, with statistics and a report that says who is ahead.

    A finished case is never run again, and an interrupted campaign goes on where it stopped.
    A simulator that crashes or hangs is tried twice, then its case is reported as failed; the
    others go on. The folder gets results.parquet (one row a run), report.html and report.md.

    umlauf bench resco/cologne1,resco/ingolstadt1 --control adaptive,sumo-actuated --seeds 1-10

    umlauf bench my-town.sumocfg --control adaptive,fixed --shard 2/8 --output bench/my-town

    Exit code: 0 done, 1 some case failed or error, 2 wrong usage, 130 interrupted.
    """
    import secrets
    import shlex
    import signal
    import sys

    from benchmarks.bench import Options, report_of, run_campaign, verify_campaign
    from benchmarks.cases import Campaign
    from benchmarks.supervised import Limits

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # to be stopped is to be interrupted
    if report_only:
        report_of(output, reference.strip())
        return
    campaign = Campaign(_scenarios(scenarios), _listed(control), seeds, rules, detection, insertion, begin, end)
    options = Options(output, shlex.join(["umlauf", *sys.argv[1:]]), jobs, engine, scheduler, shard, keep_older, reference.strip(), Limits(silence, deadline))
    code = verify_campaign(options, secrets.randbelow(10**6) if draw is None else draw) if verify else run_campaign(campaign, options)
    if code:
        raise typer.Exit(code)


def calibrate(
    scenario: Annotated[str, typer.Argument(help="A catalogue name (see: umlauf scenarios) or the path of any .sumocfg; its files stay untouched.")],
    target: Annotated[float, typer.Option(help="The saturation flow of one lane that the vehicles should have, in veh/h (HCM 2016: 1900 at best).")] = 1900.0,
    end: Annotated[float | None, typer.Option(help="End of the window that is measured, in seconds; default: the configuration's.")] = None,
) -> None:
    """Measure saturation flow and start-up loss of a scenario, and propose vehicle parameters for a target.

    First the scenario's own queues are measured, then a queue of its commonest vehicle on a straight road,
    on which tau is found for the target. Tables tell what the other parameters and the step length do.
    """
    from benchmarks.calibrate import calibrate as run

    run(scenario, target, end, typer.echo)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _scenarios(text: str) -> tuple[str, ...]:
    from scenarios.catalogue import RESCO_NAMES

    names = _listed(text) or ("resco",)
    return tuple(full for name in names for full in ([f"resco/{each}" for each in RESCO_NAMES] if name == "resco" else [name]))
