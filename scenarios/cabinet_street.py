"""The demo cabinet's junction: a main road and a side road with protected left turns, as junction file, street and controller set-up.

One table says which phase of the classic dual ring serves which way; junction, street, controller and the checker's limits are made from it.
Pedestrians are the controller's own: it serves their buttons within its phases, whatever is asked of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Final, NamedTuple

from controller.junction import Detector, Direction, Exit, Group, Intergreen, Junction, Lane, Movement, Node, Programme, ProgrammeStep, Purpose, Stage
from hardware.signals import GroupKind, GroupSpec, SiteSpec
from hardware.virtual.setup import ControllerSetup, Head, PatternSetup, PhaseSetup
from hardware.virtual.street import Approach, Loop, Street, Way


class Arm(NamedTuple):
    """One arm: its phases, where its ways lead to, and its flows in the busiest hour."""

    straight: int  # phase
    left: int  # phase
    exits: tuple[str, str, str]  # straight, right, left
    flow_veh_h: float
    left_veh_h: float


ARMS: Final = {
    "west": Arm(2, 5, ("to east", "to south", "to north"), 560.0, 110.0),
    "east": Arm(6, 1, ("to west", "to north", "to south"), 480.0, 90.0),
    "south": Arm(4, 7, ("to north", "to east", "to west"), 300.0, 80.0),
    "north": Arm(8, 3, ("to south", "to west", "to east"), 260.0, 70.0),
}
SIDES: Final = ((1, 2, 5, 6), (3, 4, 7, 8))
RINGS: Final = ((1, 2, 3, 4), (5, 6, 7, 8))
STAGES: Final = {
    "main": (2, 6),
    "west": (2, 5),
    "east": (6, 1),
    "main left": (1, 5),
    "side": (4, 8),
    "south": (4, 7),
    "north": (8, 3),
    "side left": (3, 7),
}
SPEED_M_S, LENGTH_M = 13.9, 150.0
STOP_M, NEAR_M, FAR_M = 1.0, 50.0, 130.0
MIN_GREEN_S, AMBER_MS, RED_CLEAR_MS = 5, 3_000, 2_000
WALK_S, PED_CLEAR_S = 5, 7
RIGHT_RATIO = 0.15


def group_of(phase: int) -> str:
    """Return the signal group that a phase serves."""
    return next(name for arm, a in ARMS.items() for number, name in ((a.straight, arm), (a.left, f"{arm} left")) if number == phase)


def _side(phase: int) -> int:
    return next(k for k, phases in enumerate(SIDES) if phase in phases)


def _ring(phase: int) -> int:
    return next(k for k, phases in enumerate(RINGS) if phase in phases)


def _conflicts() -> Iterator[tuple[int, int]]:
    """Yield the pairs of phases that are never green together: those of one ring, and those across the barrier."""
    for a, b in combinations(range(1, 9), 2):
        if _ring(a) == _ring(b) or _side(a) != _side(b):
            yield from ((a, b), (b, a))


def demo_junction() -> Junction:
    """Return the junction file's content."""
    phases = range(1, 9)
    intergreen_ms = AMBER_MS + RED_CLEAR_MS
    steps = (("main", 28_000), ("side left", 6_000), ("side", 16_000), ("main left", 6_000))
    return Junction(
        id="demo",
        groups=tuple(Group(group_of(p), GroupKind.VEHICLE, 1000 * MIN_GREEN_S, AMBER_MS, max_green_ms=60_000, max_red_ms=180_000, links=(p,)) for p in phases),
        lanes=tuple(Lane(lane, LENGTH_M, SPEED_M_S, approach=arm) for arm in ARMS for lane in (arm, f"{arm} left")),
        exits=tuple(Exit(a.exits[0], 200.0, SPEED_M_S) for a in ARMS.values()),
        movements=tuple(m for arm, a in ARMS.items() for m in _movements(arm, a)),
        permissions=(),
        intergreens=tuple(Intergreen(group_of(a), group_of(b), intergreen_ms) for a, b in _conflicts()),
        detectors=tuple(_detectors()),
        nodes=(
            Node(
                "demo",
                tuple(group_of(p) for p in phases),
                tuple(Stage(name, tuple(group_of(p) for p in green)) for name, green in STAGES.items()),
                programmes=(Programme("day", tuple(ProgrammeStep(*step) for step in steps)),),
            ),
        ),
    )


def _movements(arm: str, a: Arm) -> Iterator[Movement]:
    straight, right, left = a.exits
    yield Movement(arm, straight, arm, Direction.STRAIGHT, 1.0 - RIGHT_RATIO, 25.0)
    yield Movement(arm, right, arm, Direction.RIGHT, RIGHT_RATIO, 12.0)
    yield Movement(f"{arm} left", left, f"{arm} left", Direction.LEFT, 1.0, 22.0)


def _detectors() -> Iterator[Detector]:
    for arm, a in ARMS.items():
        for lane in (arm, f"{arm} left"):
            yield Detector(f"{lane} stop", Purpose.STOP, (lane,), STOP_M, upstream=(f"{lane} near",))
            yield Detector(f"{lane} near", Purpose.ADVANCE, (lane,), NEAR_M, upstream=(f"{lane} far",))
            yield Detector(f"{lane} far", Purpose.ENTRY, (lane,), FAR_M)
        yield Detector(f"{a.exits[0]} loop", Purpose.EXIT, (a.exits[0],), 15.0)


def demo_street(junction: Junction, *, seed: int, start_h: float, load_ratio: float = 1.0) -> Street:
    """Return the street of a junction with the demo's arms; ``load_ratio`` is a factor on all flows."""
    approaches = []
    for arm, a in ARMS.items():
        for lane, flow_veh_h in ((arm, a.flow_veh_h), (f"{arm} left", a.left_veh_h)):
            ways = tuple(Way(m.group, m.exit, m.share_ratio, m.crossing_m, m.yields_to) for m in junction.movements if m.lane == lane)
            approaches.append(Approach(lane, LENGTH_M, SPEED_M_S, load_ratio * flow_veh_h, ways, platoon_ratio=0.6 if lane in ("west", "east") else 0.0))
    loops = tuple(Loop(d.id, d.lanes, d.distance_m, d.length_m) for d in junction.detectors)
    return Street(junction.id, tuple(approaches), loops, start_h=start_h, seed=seed)


def demo_setup(junction: Junction, *, backup_s: int) -> ControllerSetup:
    """Return how the demo's controller is set up; its detectors are the stop loops, in the junction file's order, and one a phase for a system to call."""
    walks = tuple(a.straight for a in ARMS.values())
    phases = tuple(
        PhaseSetup(
            p,
            _ring(p) + 1,
            _side(p),
            min_green_s=MIN_GREEN_S,
            max_green_s=30,
            amber_ms=AMBER_MS,
            red_clear_ms=RED_CLEAR_MS,
            walk_s=WALK_S if p in walks else 0,
            ped_clear_s=PED_CLEAR_S if p in walks else 0,
        )
        for p in range(1, 9)
    )
    heads = {group_of(p): Head(p) for p in range(1, 9)} | {f"walk {p}": Head(p, walks=True) for p in walks}
    splits_s = {1: 13, 2: 32, 3: 12, 4: 23, 5: 13, 6: 32, 7: 12, 8: 23}
    return ControllerSetup(
        junction.id,
        phases,
        heads,
        patterns=(PatternSetup(1, 80, 0, splits_s, (2, 6)),),
        local_pattern=1,
        backup_s=backup_s,
        startup_phases=(2, 6),
        detectors=(*(_phase_of(d.lanes[0]) for d in junction.detectors if d.purpose is Purpose.STOP), *range(1, 9)),
        preempts={1: (4, 7)},
    )


def _phase_of(lane: str) -> int:
    return next(p for p in range(1, 9) if group_of(p) == lane)


def controller_detectors(junction: Junction) -> dict[str, int]:
    """Return the controller's detector numbers by loop."""
    return {d.id: n for n, d in enumerate((d for d in junction.detectors if d.purpose is Purpose.STOP), start=1)}


def lamp_spec(junction: Junction, setup: ControllerSetup) -> SiteSpec:
    """Return what the checker holds the lamps against: the junction's groups and the controller's pedestrians."""
    site = junction.site_spec()
    walks = {g: h.phase for g, h in setup.heads.items() if h.walks}
    groups = [GroupSpec(g, GroupKind.PEDESTRIAN, 1000 * WALK_S, 0) for g in walks]
    gaps = {}
    for a, b in _conflicts():
        for walk, phase in walks.items():
            if phase == a:
                gaps[walk, group_of(b)] = 1000 * PED_CLEAR_S + AMBER_MS + RED_CLEAR_MS
            if phase == b:
                gaps[group_of(a), walk] = AMBER_MS + RED_CLEAR_MS
    return SiteSpec(site.id, (*site.groups, *groups), {**site.intergreen_ms, **gaps})
