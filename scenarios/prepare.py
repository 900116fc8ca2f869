"""All that stands before the first step of a run: files read, junctions imported, additional files written."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from controller.errors import NotApplicableError, ScenarioError
from controller.journal_schema import FILES
from controller.junction import Junction
from scenarios.arguments import TLS_STATES, Window, write_tls_recorder
from scenarios.case import FLOOR, NEMA, Case
from scenarios.config import SumoConfig, read_config
from scenarios.gui_options import COPY, without_gui_options
from scenarios.importer import import_lights
from scenarios.intergreens import Rules
from scenarios.loops import write_loops
from scenarios.programmes import PROGRAMME_ID, TlProgramme, actuated, all_green, read_programmes, write_programmes
from scenarios.stage_programmes import street_programme
from scenarios.user_files import additional_files
from scenarios.window import window_of

LOOPS: Final = "loops.add.xml"
PROGRAMMES: Final = "programmes.add.xml"
RECORDER: Final = "tls_recorder.add.xml"
USER_OUTPUTS: Final = "user"
OWN_FILES: Final = (COPY, LOOPS, PROGRAMMES, RECORDER, *FILES, "tripinfo.xml", "statistics.xml", TLS_STATES)
DELAY_BASED: Final = "sumo-delay-based"
ACTUATED_MAX_S: Final = {"sumo-actuated": 50.0, "sumo-actuated-30": 30.0, "sumo-actuated-80": 80.0, DELAY_BASED: 50.0}


@dataclass(frozen=True)
class Prepared:
    """What a run needs to know; ``junctions`` are those to be controlled or, where SUMO drives, those to be watched."""

    case: Case
    config: SumoConfig
    window: Window
    programmes: dict[str, TlProgramme]
    junctions: tuple[Junction, ...]
    additional: tuple[Path, ...]
    notes: tuple[str, ...]
    overridden: Mapping[str, str]


def prepare(case: Case) -> Prepared:
    """Read what the case names and write our files into its folder. Raises `ScenarioError` or `ConfigError`."""
    for name in OWN_FILES:
        case.file(name).unlink(missing_ok=True)
    config = read_config(Path(case.config))
    window = window_of(case, config)
    programmes = read_programmes([config.net, *config.additional])
    if not programmes:
        raise ScenarioError(f"scenario {case.scenario}: the net {config.net} has no traffic light with a programme, so nothing can be controlled")
    unknown = [light for light in case.tls if light not in programmes]
    if unknown:
        raise ScenarioError(f"--tls: light {unknown[0]!r} is not in the net; expected out of {', '.join(programmes)}")
    junctions, notes = _junctions(case, config)
    if case.attach:
        notes.append(f"demand, seed, insertion and all options are those that the SUMO at {case.attach} was started with")
        return Prepared(case, config, window, programmes, junctions, (), tuple(notes), {})
    config, left_out = without_gui_options(config, Path(case.folder))
    notes += left_out
    user = case.file(USER_OUTPUTS)
    theirs, moved = additional_files(config.additional, user)
    redirected = [*config.output_args(user)[1], *moved]
    if redirected:
        user.mkdir(exist_ok=True)
    notes += [f"{name} {what}, so that no vehicle is dropped or teleported" for name, what in config.overridden().items()]
    notes += [f"output redirected: {what}" for what in redirected]
    notes += _own_actuation(case, programmes)
    rewritten = _tuned(case, config, window, programmes, junctions, theirs) if case.control == "webster" else _rewritten(case, programmes, junctions)
    own = [*_own_files(case, programmes, junctions, rewritten), *_nema_file(case, config)]
    return Prepared(case, config, window, programmes, junctions, (*theirs, *own), tuple(notes), config.overridden())


def _junctions(case: Case, config: SumoConfig) -> tuple[tuple[Junction, ...], list[str]]:
    """Import the lights. Where SUMO drives by the net's own times they are only watched, so a failure costs one figure, not the run."""
    if case.bare:
        return (), []
    try:
        result = import_lights(
            config.net,
            rules=cast(Rules, case.rules),
            published_amber_s=case.published_amber_s,
            tls=case.tls or None,
            programmes=config.additional,
        )
    except ScenarioError as error:
        if case.sumo_driven and case.rules != "street" and case.control != "webster":
            return (), [f"the saturation flow is not measured: {error}"]
        raise
    return result.junctions, list(result.warnings)


def _own_files(case: Case, programmes: Mapping[str, TlProgramme], junctions: Sequence[Junction], rewritten: Sequence[TlProgramme]) -> list[Path]:
    files: list[Path] = []
    if rewritten:
        write_programmes(rewritten, case.file(PROGRAMMES))
        files.append(case.file(PROGRAMMES))
    if junctions:
        write_loops(junctions, case.file(LOOPS))
        files.append(case.file(LOOPS))
    if not case.bare:
        write_tls_recorder(sorted(programmes), case.file(RECORDER), case.file(TLS_STATES))
        files.append(case.file(RECORDER))
    return files


def _nema_file(case: Case, config: SumoConfig) -> list[Path]:
    """Write SUMO's NEMA controllers where they are asked for. Raises `NotApplicableError` where one of the lights has no rings."""
    if case.control != NEMA:
        return []
    from scenarios.nema import nema_lights, write_nema

    if case.rules == "street":
        raise NotApplicableError("sumo-nema runs the clearance times of the net's programme, which street rules replace")
    write_nema(nema_lights(config.net, config.additional, case.tls), case.file(PROGRAMMES))
    return [case.file(PROGRAMMES)]


def _tuned(
    case: Case, config: SumoConfig, window: Window, programmes: Mapping[str, TlProgramme], junctions: Sequence[Junction], additional: Sequence[Path]
) -> list[TlProgramme]:
    from scenarios.webster import count_demand, tuned_programmes  # imports numba: only where it is needed

    hours = ((window.end_s if window.end_s is not None else window.cap_s) - window.begin_s) / 3600
    return tuned_programmes(junctions, programmes, count_demand(case, config, window, additional), hours)


def _rewritten(case: Case, programmes: Mapping[str, TlProgramme], junctions: Sequence[Junction]) -> list[TlProgramme]:
    """Return the programmes that SUMO runs instead of the net's own."""
    if not case.sumo_driven:
        return []
    if case.control == FLOOR:
        return [all_green(p) for p in programmes.values()]
    street = case.rules == "street"
    chosen = [street_programme(junction, programmes[junction.id]) for junction in junctions] if street else _chosen(case, programmes)
    if case.control in ACTUATED_MAX_S:
        return [own for own in (_with_actuation(case, p) for p in chosen) if own is not None]
    return chosen if street else []


def _chosen(case: Case, programmes: Mapping[str, TlProgramme]) -> list[TlProgramme]:
    """Return the programmes of the lights that the case is about."""
    return [p for p in programmes.values() if not case.tls or p.light in case.tls]


def _with_actuation(case: Case, programme: TlProgramme) -> TlProgramme | None:
    """Return the programme under the actuation of SUMO's that is asked for; None where the net's own stays as it is."""
    kind = "delay_based" if case.control == DELAY_BASED else "actuated"
    if programme.kind == "static":
        return actuated(programme, ACTUATED_MAX_S[case.control], kind, own_minimum=case.rules == "street")
    if programme.kind == "actuated" and case.control == DELAY_BASED:
        return dataclasses.replace(programme, id=PROGRAMME_ID, kind=kind)
    return None


def _own_actuation(case: Case, programmes: Mapping[str, TlProgramme]) -> list[str]:
    """Say where the net's own programmes are vehicle actuated, for a baseline then runs something else than its name says."""
    if case.rules == "street" or not (case.control == "fixed" or case.control in ACTUATED_MAX_S):
        return []
    chosen = _chosen(case, programmes)
    own = sum(1 for p in chosen if p.kind == "actuated")
    does = "takes over their shortest and longest greens" if case.control == DELAY_BASED else "leaves them as they are"
    return [f"{own} of {len(chosen)} lights have programmes with vehicle actuation of their own in the net; {case.control} {does}"] if own else []
