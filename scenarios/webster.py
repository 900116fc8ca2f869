"""The ``webster`` baseline: one fixed-time programme per light, tuned to the demand of the very run.

The demand per movement is counted from the routes that the vehicles of the same case take (one run under the net's own
programme); greens and cycle come from `optimizer.splits`, which is at home beyond saturation too. Stage order and offsets stay.
"""

from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np

from controller.errors import ScenarioError
from controller.junction import Junction
from controller.transitions import transition_table
from hardware.sumo import SumoWorld
from optimizer.problem import SplitProblem
from optimizer.splits import solve_splits
from scenarios.arguments import Window, sumo_args
from scenarios.case import Case
from scenarios.config import SumoConfig
from scenarios.programmes import TlProgramme
from scenarios.stage_programmes import least_green_s, programme_of, transition_s

SATURATION_VEH_H: Final = 1800.0
YIELDING_RATIO: Final = 0.4  # what is left of the saturation flow to a movement that gives way, where the gaps are unknown
LONGEST_CYCLE_S: Final = 120.0
LONGEST_GREEN_S: Final = 90.0
HOUR_S: Final = 3600.0

Pair = tuple[str, str]


@dataclass(frozen=True)
class LaneDemand:
    """One approach lane: its flow, and the groups that serve it with their share of the flow."""

    flow_veh_h: float
    shares: Mapping[str, float]


def count_demand(case: Case, config: SumoConfig, window: Window, additional: Sequence[Path]) -> Counter[Pair]:
    """Run the case once under the net's own programme and return how many vehicles take each way. Raises `PortError` or `ScenarioError`."""
    folder = case.file("count")
    folder.mkdir(exist_ok=True)
    counting = dataclasses.replace(case, folder=str(folder), bare=True)
    routes = folder / "routes.xml"
    args = [
        *sumo_args(counting, config, window, additional),
        *("--vehroute-output", str(routes)),
        *("--vehroute-output.write-unfinished", "true"),
        *("--vehroute-output.last-route", "true"),
    ]
    world = SumoWorld.start(args)
    end_ms = round((window.end_s if window.end_s is not None else window.cap_s) * 1000)
    try:
        while world.now_ms < end_ms and (window.end_s is not None or world.remaining() > 0):
            world.step()
    finally:
        world.close()
    return count_pairs(routes)


def count_pairs(vehicle_routes: Path) -> Counter[Pair]:
    """Return how many vehicles pass from one edge to the next, over all routes of SUMO's vehroute output. Raises `ScenarioError`."""
    pairs: Counter[Pair] = Counter()
    try:
        for _, element in ET.iterparse(vehicle_routes):
            if element.tag == "route":
                edges = element.get("edges", "").split()
                pairs.update(pairwise(edges))
            elif element.tag == "vehicle":
                element.clear()
    except (ET.ParseError, FileNotFoundError) as error:
        raise ScenarioError(f"control webster: the routes of the counting run cannot be read ({error}); look into its sumo.log") from error
    return pairs


def lane_demands(junction: Junction, pairs: Mapping[Pair, int], hours: float) -> dict[str, LaneDemand]:
    """Return the demand of each approach lane: movements with the least choice of lanes first, each filling its emptiest lanes."""
    lanes_of: dict[Pair, dict[str, str]] = {}
    for movement in junction.movements:
        pair = (movement.lane.rpartition("_")[0], movement.exit.rpartition("_")[0])
        lanes_of.setdefault(pair, {})[movement.lane] = movement.group
    loads: dict[str, Counter[str]] = {lane.id: Counter() for lane in junction.lanes}
    for pair, lanes in sorted(lanes_of.items(), key=lambda item: (len(item[1]), item[0])):
        for _ in range(pairs.get(pair, 0)):
            lane = min(lanes, key=lambda name: (loads[name].total(), name))
            loads[lane][lanes[lane]] += 1
    return {
        lane: LaneDemand(load.total() / hours, {group: count / load.total() for group, count in load.items()}) for lane, load in loads.items() if load.total()
    }


def split_problem(junction: Junction, demands: Mapping[str, LaneDemand], order: Sequence[int], cycle_s: float | None) -> SplitProblem:
    """Return the arrays of one light for `optimizer.splits.solve_splits`; ``cycle_s`` fixes the cycle."""
    node = junction.nodes[0]
    table = transition_table(junction, node)
    yields = {group: {p.priority for p in junction.permissions if p.yielding == group} for group in junction.group_by_id}
    service = np.zeros((len(order), len(demands)))
    for s, stage in enumerate(order):
        green = table.stages[stage]
        for column, demand in enumerate(demands.values()):
            speeds = {g: (YIELDING_RATIO if yields[g] & green else 1.0) if g in green else 0.0 for g in demand.shares}
            served = [share / speeds[g] for g, share in demand.shares.items() if speeds[g] > 0]
            blocked = 1.0 - sum(share for g, share in demand.shares.items() if speeds[g] > 0)
            service[s, column] = (1.0 - blocked) / sum(served) if served and blocked < 0.5 else 0.0
    least_s = np.array([least_green_s(junction, node, stage) for stage in order])
    lost_s = np.array([transition_s(junction, table, order[s - 1], stage) for s, stage in enumerate(order)])
    return SplitProblem(
        flow_veh_h=np.array([demand.flow_veh_h for demand in demands.values()]),
        saturation_veh_h=np.full(len(demands), SATURATION_VEH_H),
        queue_veh=np.zeros(len(demands)),
        service_ratio=service,
        min_green_s=least_s,
        max_green_s=np.maximum(np.full(len(order), LONGEST_GREEN_S), least_s),
        lost_s=lost_s,
        min_cycle_s=cycle_s or float(least_s.sum() + lost_s.sum()),
        max_cycle_s=cycle_s or max(LONGEST_CYCLE_S, float(least_s.sum() + lost_s.sum())),
        period_s=HOUR_S,
    )


def tuned_programmes(junctions: Sequence[Junction], active: Mapping[str, TlProgramme], pairs: Mapping[Pair, int], hours: float) -> list[TlProgramme]:
    """Return the tuned programme of every light; lights without demand keep theirs. Several lights share the longest of their cycles."""
    problems: dict[str, tuple[Junction, dict[str, LaneDemand], list[int]]] = {}
    cycles_s: list[float] = []
    for junction in junctions:
        demands = lane_demands(junction, pairs, hours)
        order = _order(junction)
        if demands and len(order) > 1:
            problems[junction.id] = (junction, demands, order)
            cycles_s.append(solve_splits(split_problem(junction, demands, order, None)).cycle_s)
    common_s = max(cycles_s, default=0.0)
    programmes: list[TlProgramme] = []
    for junction, demands, order in problems.values():
        result = solve_splits(split_problem(junction, demands, order, common_s))
        programme = active[junction.id]
        greens_s = list(zip(order, _whole_seconds([float(green_s) for green_s in result.green_s]), strict=True))
        programmes.append(programme_of(junction, len(programme.phases[0].state), greens_s, programme.offset_s))
    return programmes


def _whole_seconds(greens_s: Sequence[float]) -> list[float]:
    """Return the greens rounded so that their sum, and with it the common cycle, stays within half a second."""
    rounded: list[float] = []
    for i in range(len(greens_s)):
        rounded.append(float(round(sum(greens_s[: i + 1]) - sum(rounded))))
    return rounded


def _order(junction: Junction) -> list[int]:
    node = junction.nodes[0]
    index = {stage.id: i for i, stage in enumerate(node.stages)}
    return [index[step.stage] for step in node.programmes[0].steps]
