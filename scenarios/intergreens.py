"""Ambers, minimum greens and intergreens under the three signal rules.

``net``: what the programme shows, made safe. ``published``: RESCO's times. ``street``: RiLSA-like, by speed and geometry.

The constants are those of RiLSA (Richtlinien für Lichtsignalanlagen, FGSV 321, 2010/2015), sections 2.4 to 2.7. The guideline
itself was not at hand. Confirmed elsewhere: ambers by speed and 1 s of red-amber in VwV-StVO on section 37; entering
speed 40 km/h whatever the limit and direction in quotations of RiLSA 2015, 2.5.3; vehicle lengths and clearing speeds
straight on and by bicycle in textbooks' summaries; crossing times 3, 2 and 1 s, 7 m/s for turning and 5 m/s for entering
bicycles in published calculation programs. Not confirmed: 2 s of bicycle amber, and the minimum greens, which are ours.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from hardware.signals import GroupKind
from scenarios.geometry import conflict_point, nearest_approach
from scenarios.net import Connection, Logic, Net
from scenarios.programme import LinkGroup, StagePlan

Rules = Literal["net", "published", "street"]

MIN_GREEN_MS: Final = 5000
STREET_MIN_GREEN_MS: Final = 7000
DEFAULT_AMBER_MS: Final = 3000
MAX_AMBER_MS: Final = 10_000
WALKING_SPEED_M_S: Final = 1.2  # RiLSA 2015, 2.5: 1.2 m/s in the rule, 1.0 to 1.5 allowed
ENTERING_SPEED_M_S: Final = 40 / 3.6  # RiLSA 2015, 2.5.3
ENTERING_BICYCLE_M_S: Final = 5.0  # RiLSA 2015, 2.5.3
CROSSING_TIME_S: Final = {"straight": 3.0, "turning": 2.0, "bicycle": 1.0, "pedestrian": 0.0}  # RiLSA 2015, 2.5.1
CLEARING_SPEED_M_S: Final = {"straight": 10.0, "turning": 7.0, "bicycle": 4.0, "pedestrian": WALKING_SPEED_M_S}  # RiLSA 2015, 2.5.2
VEHICLE_LENGTH_M: Final = {"vehicle": 6.0, "transit": 15.0, "bicycle": 0.0, "pedestrian": 0.0}  # RiLSA 2015, 2.5.2; 15 m: trams, here buses too
AMBER_BY_SPEED_S: Final = {50: 3, 60: 4, 70: 5}  # VwV-StVO on section 37; RiLSA 2015, 2.4
BICYCLE_AMBER_MS: Final = 2000  # RiLSA 2015, 2.4


@dataclass(frozen=True, slots=True)
class GroupTimes:
    """The times of one group."""

    min_green_ms: int
    amber_ms: int
    red_amber_ms: int
    clearance_ms: int


def amber_by_speed_ms(speed_m_s: float) -> int:
    """Return the amber for a speed limit, rounded to the nearest 10 km/h; above 70 km/h it stays at 5 s."""
    limit = 10 * math.floor(speed_m_s * 3.6 / 10 + 0.5)
    return 1000 * AMBER_BY_SPEED_S[min(max(limit, 50), 70)]


def clearance_ms(crossing_m: float) -> int:
    """Return how long a pedestrian needs for the crossing, in whole seconds rounded up."""
    return 1000 * math.ceil(round(crossing_m / WALKING_SPEED_M_S, 6))


def movement_class(kind: GroupKind, direction: str) -> str:
    """Return the row of the clearing constants: straight, turning, bicycle or pedestrian."""
    if kind in (GroupKind.PEDESTRIAN, GroupKind.BICYCLE):
        return kind.value
    return "straight" if direction == "s" else "turning"


def intergreen_s(clearing: tuple[GroupKind, str], clearing_m: float, entering: GroupKind, entering_m: float) -> float:
    """Return crossing time + clearing time − entering time, in s, not rounded (RiLSA 2015, 2.5).

    ``clearing``: kind and SUMO direction of the movement that ends; the distances run from each stop line to the conflict point.
    """
    row = movement_class(*clearing)
    clearing_s = (clearing_m + VEHICLE_LENGTH_M[clearing[0].value]) / CLEARING_SPEED_M_S[row]
    if entering is GroupKind.PEDESTRIAN:
        return CROSSING_TIME_S[row] + clearing_s  # pedestrians may stand beside the conflict point
    speed = ENTERING_BICYCLE_M_S if entering is GroupKind.BICYCLE else ENTERING_SPEED_M_S
    return CROSSING_TIME_S[row] + clearing_s - entering_m / speed


class Times:
    """Computes the times of one light's groups and pairs under one rule."""

    def __init__(self, net: Net, logic: Logic, links: Mapping[int, Sequence[Connection]], stages: StagePlan, *, rules: Rules, published_amber_ms: int) -> None:
        self.warnings: list[str] = []
        self._net = net
        self._logic = logic
        self._links = links
        self._stages = stages
        self._rules = rules
        self._published_amber_ms = published_amber_ms
        self._all_red_ms = max(
            (p.duration_ms for p in logic.phases if all(p.state[k] in "rs" for k in links)),
            default=0,
        )

    def of_group(self, group: LinkGroup) -> GroupTimes:
        """Return the group's times."""
        pedestrian = group.kind is GroupKind.PEDESTRIAN
        clearance = clearance_ms(self._crossing_m(group)) if pedestrian else 0
        if self._rules == "published":
            return GroupTimes(MIN_GREEN_MS, 0 if pedestrian else self._published_amber_ms, 0, clearance)
        if self._rules == "street":
            return GroupTimes(STREET_MIN_GREEN_MS, 0 if pedestrian else self._street_amber_ms(group), 0, clearance)
        amber = 0 if pedestrian else self._shown_ms(group, "yY") or DEFAULT_AMBER_MS
        red_amber = 0 if pedestrian else self._shown_ms(group, "u")
        minimum = min((p.min_ms for at, p in enumerate(self._logic.phases) if p.min_ms is not None and self._is_stage_of(group, at)), default=MIN_GREEN_MS)
        return GroupTimes(max(minimum, MIN_GREEN_MS), amber, red_amber, clearance)

    def intergreen_ms(self, clearing: LinkGroup, entering: LinkGroup, times: Mapping[str, GroupTimes], foes: Sequence[tuple[int, int]]) -> int:
        """Return end of green of ``clearing`` to start of green of ``entering``; ``foes`` are the pairs of links that meet."""
        mine = times[clearing.id]
        floor = max(mine.amber_ms, mine.clearance_ms, times[entering.id].red_amber_ms)
        if self._rules == "published":
            return max(floor, self._published_amber_ms)
        if self._rules == "street":
            return max(floor, *(self._geometric_ms(i, j, clearing.kind, entering.kind) for i, j in foes))
        shown = self._shown_gap_ms(clearing, entering)
        return max(floor, mine.amber_ms + self._all_red_ms if shown is None else shown)

    def _crossing_m(self, group: LinkGroup) -> float:
        return max(self._net.path_m(c) for k in group.links for c in self._links[k])

    def _street_amber_ms(self, group: LinkGroup) -> int:
        if group.kind is GroupKind.BICYCLE:
            return BICYCLE_AMBER_MS
        speed = max(self._net.lanes[c.from_lane].speed_m_s for k in group.links for c in self._links[k])
        if speed * 3.6 >= 75:
            self.warnings.append(
                f"Light {self._logic.light!r}, link {group.links[0]}: {speed * 3.6:.0f} km/h is above the 70 km/h that signals are planned for; amber 5 s."
            )
        return amber_by_speed_ms(speed)

    def _is_stage_of(self, group: LinkGroup, phase: int) -> bool:
        return self._stages.of_phase[phase] is not None and group.green_in(phase)

    def _shown_ms(self, group: LinkGroup, letters: str) -> int:
        """Return the longest unbroken time for which the programme shows one of the letters to the group."""
        longest = run = 0
        for at in range(2 * len(self._logic.phases)):
            phase = at % len(self._logic.phases)
            run = run + self._logic.phases[phase].duration_ms if group.column[phase] in letters else 0
            longest = max(longest, run)
        if longest > MAX_AMBER_MS:
            self.warnings.append(
                f"Light {self._logic.light!r}, link {group.links[0]}: '{letters[0]}' for {longest / 1000:g} s; imported as {MAX_AMBER_MS // 1000} s."
            )
        return min(longest, MAX_AMBER_MS)

    def _shown_gap_ms(self, clearing: LinkGroup, entering: LinkGroup) -> int | None:
        """Return the shortest time from the end of one green to the begin of the other that the programme shows in one transition.

        A gap over a whole stage says when it is safe, not when it becomes so: it does not count.
        """
        phases = self._logic.phases
        count = len(phases)
        found: list[int] = []
        for end in range(count):
            if not clearing.green_in(end) or clearing.green_in((end + 1) % count):
                continue
            gap = 0
            for step in range(1, count):
                at = (end + step) % count
                if entering.green_in(at):
                    found.append(gap)
                    break
                if self._stages.of_phase[at] is not None or clearing.green_in(at):
                    break
                gap += phases[at].duration_ms
        return min(found, default=None)

    def _geometric_ms(self, clearing: int, entering: int, clearing_kind: GroupKind, entering_kind: GroupKind) -> int:
        longest = 0.0
        for a in self._links[clearing]:
            for b in self._links[entering]:
                first, second = self._net.shape_of(a), self._net.shape_of(b)
                met = conflict_point(first, second) or nearest_approach(first, second)
                clearing_m = self._net.path_m(a) if clearing_kind is GroupKind.PEDESTRIAN else met[0]
                longest = max(longest, intergreen_s((clearing_kind, a.direction), clearing_m, entering_kind, met[1]))
        return 1000 * math.ceil(round(longest, 6))
