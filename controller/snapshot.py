"""What a planner sees of one node at one tick: signals, trusted detectors, and the belief about vehicles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class SignalState:
    """Where the sequencer of one node stands.

    ``stage`` is the stage shown, or the stage a running transition leads to. ``settled_ms``: when the transition into
    it ends (all its groups green); in the past when it stands. ``green_since_ms`` / ``red_since_ms``: per group of the
    node, when its present green or red began, None where it shows something else.
    ``earliest_leave_ms``: the earliest time at which a transition to another stage may begin (minimum greens).
    ``earliest_green_ms``: per group that is not green, when what has ended, or ends in the running transition, will be cleared;
    for the groups that this transition starts, when their green is expected.
    """

    stage: int
    from_stage: int
    settled_ms: int
    earliest_leave_ms: int
    green_since_ms: Mapping[str, int | None]
    red_since_ms: Mapping[str, int | None]
    earliest_green_ms: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DetectorState:
    """One detector as control may use it: ``trusted`` False means that ``instead_veh_s`` must be used, never "no demand"."""

    trusted: bool
    occupied: bool
    changed_ms: int  # when ``occupied`` last changed
    count: int  # vehicles since the start (falling edges)
    instead_veh_s: float = 0.0  # the flow that stands in for what it counts


@dataclass(slots=True)  # not frozen, though nobody changes one: it is made for every lane and second, and a frozen one takes three times as long
class LaneBelief:
    """What is believed of one approach lane, arrays by vehicle in order from the stop line.

    ``arrival_ms``: when the vehicle reaches (or would have reached, free of others) the stop line, monotonic;
    ``weight``: expected vehicles (1.0 for a certain one); ``movement_ratio``: per movement of the lane, in the junction's
    order, the learned shares; ``head_ratio``: the same for the first vehicle; ``headway_ms`` saturation headway;
    ``startup_ms`` start-up loss; ``flow_veh_s`` the expected flow beyond what is known; ``blocked_ms`` the time until which
    the lane is believed not to discharge; ``amber_use_ms`` how far into the amber its queue goes on; ``last_leave_ms`` when a
    vehicle last left over the stop line; ``known_ms`` how far ahead arrivals are seen; ``head_yields`` whether the first vehicle
    is seen to wait for a gap under the present green; ``stuck_ms`` how much green time its stop loop was covered since somebody
    left; ``inside_veh`` how many of its vehicles wait for a gap inside the junction; ``ways`` which of the lane's movements each
    vehicle takes, -1 where that is not known (it is not from loops), and for all of them where there are fewer;
    ``waiting_since_ms`` when the first vehicle would have passed the stop line, had nothing held it up since it came into view;
    ``hidden_veh`` how many are expected to stand behind a lane that is too short for a loop but the one at its stop line;
    ``full`` whether its vehicles stand as far back as its loops reach.
    """

    arrival_ms: tuple[int, ...]
    weight: tuple[float, ...]
    queue_veh: float
    movement_ratio: tuple[float, ...]
    head_ratio: tuple[float, ...]
    headway_ms: int
    startup_ms: int
    flow_veh_s: float
    blocked_ms: int
    amber_use_ms: int = 0
    last_leave_ms: int = -(1 << 40)
    known_ms: int = 0
    head_yields: bool = False
    stuck_ms: int = 0
    inside_veh: float = 0.0
    ways: tuple[int, ...] = ()
    waiting_since_ms: int = 1 << 40
    hidden_veh: float = 0.0
    full: bool = False


class Coming(NamedTuple):
    """Who comes to a lane from beyond its farthest loop, as its neighbours tell: arrivals at the stop line (monotonic, in order) and weights.

    ``rest_ratio`` of the lane's mean flow is of vehicles that no neighbour tells of. ``told_ms``: when those arrive that left as the
    messages were made; the later somebody comes, the less sure it is, and the weights are so much less than the flow. ``held_milli``: who
    stands before a neighbour and would come, if there were room on the way.
    """

    arrival_ms: tuple[int, ...]
    weight_milli: tuple[int, ...]
    rest_ratio: float
    told_ms: int
    held_milli: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The node's state at tick ``tick``, monotonic ``now_ms``.

    ``coming``: by lane, what the neighbours tell; lanes that they do not tell of are missing. ``exit_room_veh``: how many vehicles
    the street behind an exit still takes, where the neighbour there tells it. ``shut_exits``: those a few metres long before a red of the
    neighbour, which should get nobody, though they have room for one. ``requests``: since when which groups that are not green have been
    asked for by a button (monotonic ms).
    """

    tick: int
    now_ms: int
    signals: SignalState
    detectors: Mapping[str, DetectorState]
    lanes: Mapping[str, LaneBelief]
    blocked_exits: frozenset[str]
    coming: Mapping[str, Coming] = field(default_factory=dict)
    exit_room_veh: Mapping[str, int] = field(default_factory=dict)
    shut_exits: frozenset[str] = frozenset()
    requests: Mapping[str, int] = field(default_factory=dict)

    @property
    def closed_exits(self) -> frozenset[str]:
        """Return the exits that nobody should be sent to: blocked or shut."""
        return self.blocked_exits | self.shut_exits
