"""``umlauf simulate`` and ``umlauf scenarios``. Heavy imports happen inside the functions, so that ``--help`` is instant."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scenarios.case import NEIGHBOUR_LOSS_RATIO

scenarios_app = typer.Typer(add_completion=False, help="List the scenarios, and write loops files for a running SUMO.")


def simulate(
    scenario: Annotated[str, typer.Argument(help="A catalogue name (see: umlauf scenarios) or the path of any .sumocfg; its files stay untouched.")],
    control: Annotated[
        str,
        typer.Option(
            help="Comma-separated. Ours: adaptive, cycle, actuated. Driven by SUMO: fixed, webster, sumo-actuated (also -30, -80), "
            "sumo-delay-based, sumo-nema. No control, but a bound: floor (all green, right of way ignored). "
            "Peers with perfect view: greedy, max-pressure. Or one of your own (docs/OWN_CONTROLLER.md)."
        ),
    ] = "adaptive",
    seed: Annotated[str, typer.Option(help="A seed, a list (1,2) or a range (1-5).")] = "1",
    rules: Annotated[
        str | None,
        typer.Option(
            help="Signal rules: net (what the programme shows, made safe), published (RESCO's ambers, no all-red), "
            "street (RiLSA-like). Default: published for resco/, else net."
        ),
    ] = None,
    detection: Annotated[str, typer.Option(help="loops (induction loops only) or oracle (sees every vehicle; no product result).")] = "loops",
    insertion: Annotated[str, typer.Option(help="sumo (SUMO's present defaults) or legacy (those before 1.27, as in published figures).")] = "sumo",
    neighbour_loss: Annotated[
        float, typer.Option(help="Share of the messages between neighbouring lights that get lost, 0 to 1; with 1 each light is on its own.")
    ] = NEIGHBOUR_LOSS_RATIO,
    detector_faults: Annotated[
        str,
        typer.Option(
            metavar="SPEC",
            help="Break loops: SHARE=KINDS@FROM[-TO] or LOOP=KIND@FROM[-TO], separated by semicolons, times in seconds; 0.25=mixed@0-1800 breaks a quarter "
            "of all loops of our controls, each at some time in that half hour. Kinds: stuck-on, stuck-off, chatter, silent, double, half, open, short.",
        ),
    ] = "",
    begin: Annotated[float | None, typer.Option(help="Begin of the window in seconds; default: the configuration's.")] = None,
    end: Annotated[float | None, typer.Option(help="End of the window in seconds; default: the configuration's, else until the net is empty.")] = None,
    tls: Annotated[str, typer.Option(help="Control only these lights (ids, comma-separated); the others run their programmes.")] = "",
    engine: Annotated[str, typer.Option(help="libsumo (fast, in the run's process) or traci (a SUMO of its own).")] = "libsumo",
    attach: Annotated[str, typer.Option(help="HOST:PORT of a waiting SUMO or sumo-gui with our loops (see: umlauf scenarios loops --help).")] = "",
    gui: Annotated[bool, typer.Option("--gui", help="Show sumo-gui at 20 steps a second (its slider changes that); implies --engine traci.")] = False,
    output: Annotated[Path | None, typer.Option(help="Folder for all that the runs write; default: runs/<UTC>-<scenario>.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print exactly one JSON object on stdout.")] = False,
    measure_bare: Annotated[bool, typer.Option("--measure-bare", help="Also time SUMO alone on the same case (bare_wall_s).")] = False,
) -> None:
    """Simulate a scenario under one or more controls and print what it cost the travellers.

    A single run writes into the output folder itself, several into CONTROL-SEED below:
    SUMO's own tripinfo.xml and tls_states.xml, journal.sqlite (see: umlauf replay),
    summary.json and sumo.log. report.html has the pictures.

    umlauf simulate resco/cologne1 --control adaptive,sumo-actuated,fixed

    umlauf simulate my-town.sumocfg --begin 25200 --end 28800 --output runs/my-town

    Exit code: 0 done, 1 error, 2 wrong usage, 130 interrupted.
    Ctrl-C ends the run properly, with figures; a second one kills it.
    """
    import signal

    from scenarios.simulate import Request, run_request

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # to be stopped is to be interrupted: the run ends properly
    request = Request(
        scenario=scenario,
        controls=tuple(name.strip() for name in control.split(",") if name.strip()),
        seeds=seed,
        rules=rules,
        detection=detection,
        insertion=insertion,
        neighbour_loss_ratio=neighbour_loss,
        detector_faults=detector_faults,
        begin_s=begin,
        end_s=end,
        tls=tuple(light.strip() for light in tls.split(",") if light.strip()),
        engine="traci" if gui or attach else engine,
        attach=attach,
        gui=gui,
        output=output,
        as_json=as_json,
        measure_bare=measure_bare,
    )
    code = run_request(request)
    if code:
        raise typer.Exit(code)


@scenarios_app.callback(invoke_without_command=True)
def scenarios(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print exactly one JSON object on stdout.")] = False,
) -> None:
    """List the scenarios: lights, size, demand, source, licence, default rules, and what to install for the rest."""
    if context.invoked_subcommand is None:
        from scenarios.listing import print_scenarios

        print_scenarios(as_json=as_json)


@scenarios_app.command()
def loops(
    scenario: Annotated[str, typer.Argument(help="The .sumocfg (or a catalogue name) whose net gets our loops.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The additional file to write.")],
    tls: Annotated[str, typer.Option(help="Only the loops of these lights (ids, comma-separated).")] = "",
) -> None:
    """Write the additional file with our induction loops, for a SUMO that is to be attached to.

    Loops cannot be added to a running SUMO. What is printed says how to start SUMO
    with them and how to attach. After a run each light goes back to its own programme.
    """
    from scenarios.listing import write_loops_file

    write_loops_file(scenario, output, tuple(light.strip() for light in tls.split(",") if light.strip()))
