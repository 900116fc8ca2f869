"""``umlauf calibrate``: how queues discharge in a scenario, what vehicle parameters would give the discharge that is wanted, and what the step length does."""

from __future__ import annotations

import dataclasses
import math
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.discharge import Measured
from benchmarks.discharge_journal import measure_journal
from benchmarks.queue_road import Driving, QueueRoad
from benchmarks.tables import markdown
from controller.errors import ConfigError
from controller.journal_schema import FILE_NAME
from scenarios.catalogue import find_scenario, load_config
from scenarios.config import SumoConfig, read_text
from scenarios.runner import run_one
from scenarios.simulate import Request, cases_of

TARGETS_VEH_H: Final = (1_200.0, 2_400.0)
TAU_S: Final = (0.3, 3.0)
BELOW_STEP_RATIOS: Final = (1.0, 0.9, 0.8, 0.7)
CLOSE_RATIO: Final = 0.005
MOST_TRIES: Final = 12
STEPS: Final = ((1.0, False), (0.5, False), (0.25, False), (0.1, False), (1.0, True), (0.1, True))
# What else moves the discharge, a fifth up and down from what is there: attribute of the vType, our field.
VARIED: Final = (
    *(("accel", "accel_m_s2"), ("sigma", "sigma_ratio"), ("minGap", "min_gap_m"), ("speedFactor", "speed_factor_ratio")),
    *(("speedDev", "speed_dev_ratio"), ("decel", "decel_m_s2")),
)
FIELDS: Final = {"tau": "tau_s", "length": "length_m", **dict(VARIED)}
DEFAULT_TYPE: Final = "DEFAULT_VEHTYPE"
WHY_STEPS: Final = (
    "Why the step length matters: a vehicle decides once a step, so it notices light and leader up to a step late, and it dawdles (sigma) anew in each "
    "step, so that shorter steps average the dawdling out. Euler steps, SUMO's default, cover each step at the speed of its end, ballistic steps at the "
    "mean of begin and end. Figures can only be compared at one step length and method; calibrate at the one that you simulate with."
)
Say = Callable[[str], None]


@dataclass(frozen=True)
class Proposal:
    """Parameters whose queue discharges as wanted, with what the road measured of them."""

    driving: Driving
    found: Measured


def calibrate(scenario: str, target_veh_h: float, end_s: float | None, say: Say) -> None:
    """Measure, propose and print. Raises `UmlaufError`."""
    if not TARGETS_VEH_H[0] <= target_veh_h <= TARGETS_VEH_H[1]:
        low, high = TARGETS_VEH_H
        raise ConfigError(f"--target: found {target_veh_h:g}, expected a saturation flow of one lane, {low:g} to {high:g} veh/h")
    config = load_config(find_scenario(scenario))
    present = driving_of(config)
    with tempfile.TemporaryDirectory(prefix="umlauf-calibrate-") as name:
        _tell_scenario(measure_scenario(scenario, end_s, Path(name)), scenario, say)
    with QueueRoad() as road:
        now = road.measure(present)
        where = f"On a straight road at {present.speed_m_s * 3.6:.0f} km/h, with the scenario's commonest vehicle and steps of {present.step_s:g} s"
        say(f"\n{where}: {_told(now)}.")
        _tell_proposals(list(proposals(road, present, target_veh_h)), target_veh_h, present, say)
        say("\nWhat the other parameters do (one at a time, a fifth less and more):\n")
        say(markdown(("parameter", "value", "veh/h", "start-up loss s"), list(_sensitivity(road, present, now))))
        say("\nWhat the step length does to the same vehicle:\n")
        say(markdown(("step s", "method", "veh/h", "start-up loss s"), list(_steps(road, present))))
    say(f"\n{WHY_STEPS}")


def measure_scenario(scenario: str, end_s: float | None, folder: Path) -> Measured:
    """Return how the scenario's queues discharge under `actuated` control, which lets them: greens last until they end. Raises `UmlaufError`."""
    (case,) = cases_of(Request(scenario, ("actuated",), end_s=end_s, output=folder))
    run_one(case, lambda _now_s, _end_s: None, lambda _text: None)
    return measure_journal(folder / FILE_NAME)


def driving_of(config: SumoConfig) -> Driving:
    """Return the driving of the commonest vehicle type in the routes, on the commonest speed limit of the net, with the configuration's steps."""
    texts = [read_text(path) for path in (*config.routes, *config.additional)]
    types = {attributes["id"]: attributes for text in texts for attributes in _elements(text, "vType") if "id" in attributes}
    used = Counter(a.get("type", DEFAULT_TYPE) for text in texts for tag in ("vehicle", "trip", "flow") for a in _elements(text, tag))
    name = used.most_common(1)[0][0] if used else DEFAULT_TYPE
    known = {FIELDS[key]: float(value) for key, value in types.get(name, {}).items() if key in FIELDS and _is_number(value)}
    speeds = Counter(float(a["speed"]) for a in _elements(read_text(config.net), "lane") if not a.get("id", ":").startswith(":") and "speed" in a)
    method = config.options.get("step-method.ballistic", "false").lower() in ("true", "1", "yes", "on")
    return Driving(**known, speed_m_s=speeds.most_common(1)[0][0] if speeds else Driving.speed_m_s, step_s=config.step_length_s, ballistic=method)


def _elements(text: str, tag: str) -> Iterator[dict[str, str]]:
    for attributes in re.findall(rf"<{tag}\s([^>]*)>", text):
        yield dict(re.findall(r'([\w.]+)="([^"]*)"', attributes))


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False  # a distribution, as speedFactor may be


def proposals(road: QueueRoad, present: Driving, target_veh_h: float) -> Iterator[Proposal]:
    """Yield parameters that give the target: by tau alone, and by tau without dawdling; none where no tau reaches it."""
    for driving in dict.fromkeys((present, dataclasses.replace(present, sigma_ratio=0.0))):
        found = solve_tau(partial(_with_tau, road, driving), target_veh_h, present.step_s)
        if found is not None:
            yield Proposal(dataclasses.replace(driving, tau_s=found[0]), found[1])


def _with_tau(road: QueueRoad, driving: Driving, tau_s: float) -> Measured:
    return road.measure(dataclasses.replace(driving, tau_s=tau_s))


def solve_tau(measure: Callable[[float], Measured], target_veh_h: float, step_s: float = 0.0) -> tuple[float, Measured] | None:
    """Return a tau in s, to the hundredth, whose flow is the target's to half a per cent or as near as tries get; None where it is out of reach.

    The flow falls as tau grows, so the interval is halved. Far below the step it falls again, for vehicles cannot keep such a tau and brake; so the
    interval begins at the step, and lower only where that is needed.
    """
    high_s = TAU_S[1]
    lows_s = dict.fromkeys(max(TAU_S[0], round(ratio * step_s, 2)) for ratio in BELOW_STEP_RATIOS)
    low_s = next((tau_s for tau_s in (*lows_s, TAU_S[0]) if measure(tau_s).flow_veh_h >= target_veh_h), None)
    if low_s is None or measure(high_s).flow_veh_h > target_veh_h:
        return None
    best: tuple[float, Measured] | None = None
    for _ in range(MOST_TRIES):
        tau_s = round((low_s + high_s) / 2, 2)
        found = measure(tau_s)
        if best is None or abs(found.flow_veh_h - target_veh_h) < abs(best[1].flow_veh_h - target_veh_h):
            best = tau_s, found
        if abs(found.flow_veh_h / target_veh_h - 1) <= CLOSE_RATIO or high_s - low_s <= 0.02:
            break
        low_s, high_s = (tau_s, high_s) if found.flow_veh_h > target_veh_h else (low_s, tau_s)
    return best


def _tell_scenario(found: Measured, scenario: str, say: Say) -> None:
    if not found.headways or not found.greens:
        say(f"{scenario}: no queue of more than four vehicles discharged on a lane that never gives way, so its saturation flow cannot be measured.")
        return
    say(f"{scenario}, lanes that never give way: {_told(found)} ({found.headways} headways, {found.greens} greens with four vehicles or more).")


def _tell_proposals(found: Sequence[Proposal], target_veh_h: float, present: Driving, say: Say) -> None:
    say(f"\nProposals for {target_veh_h:g} veh/h, measured on the same road:\n")
    if not found:
        say(f"No tau between {TAU_S[0]:g} and {TAU_S[1]:g} s gives it with these vehicles; change speedFactor, accel or minGap first (below).")
        return
    for proposal in found:
        attributes = " ".join(f'{name}="{value}"' for name, value in proposal.driving.vtype().items())
        say(f'  <vType id="..." {attributes}/>')
        say(f"    {_told(proposal.found)}")
        if proposal.driving.tau_s < present.step_s:
            say(f"    Beware: tau is below the step of {present.step_s:g} s, with which vehicles cannot keep it safely; take shorter steps.")


def _sensitivity(road: QueueRoad, present: Driving, now: Measured) -> Iterator[list[str]]:
    yield ["as it is", "", *_cells(now)]
    for name, field in VARIED:
        value = getattr(present, field)
        for changed in (0.8 * value, 1.2 * value):
            yield [name, f"{changed:.3g}", *_cells(road.measure(dataclasses.replace(present, **{field: changed})))]


def _steps(road: QueueRoad, present: Driving) -> Iterator[list[str]]:
    for step_s, ballistic in STEPS:
        found = road.measure(dataclasses.replace(present, step_s=step_s, ballistic=ballistic))
        yield [f"{step_s:g}", "ballistic" if ballistic else "Euler", *_cells(found)]


def _told(found: Measured) -> str:
    return f"saturation flow {found.flow_veh_h:.0f} veh/h, start-up loss {found.startup_s:.1f} s"


def _cells(found: Measured) -> list[str]:
    return [f"{found.flow_veh_h:.0f}", f"{found.startup_s:.2f}"]
