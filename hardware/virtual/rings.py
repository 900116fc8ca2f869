"""The rings of a virtual actuated controller: phases one after another, barriers, minimum greens, ambers, clearances, pedestrians.

Theory of operation. Each ring shows one phase at a time and goes through GREEN, YELLOW, RED_CLEAR, RED. A green may end when its minimum
and its pedestrians' walk and clearance are over, nobody holds it, and somebody else waits: then by force-off, by the coordinator's due time,
by a gap, or by its maximum. A ring first goes to called phases on its side of the barrier; the barrier is crossed by all rings together, and
only when every ring is ready. Whatever is asked from outside chooses among what this allows; nothing can shorten a minimum or a clearance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hardware.virtual.setup import ControllerSetup, PhaseSetup

Phases = frozenset[int]
NONE: Final[Phases] = frozenset()


class Interval(StrEnum):
    """Where a ring stands in its phase."""

    GREEN = "green"
    YELLOW = "yellow"
    RED_CLEAR = "red clearance"
    RED = "red"


class Walk(StrEnum):
    """What the phase's pedestrians see."""

    DONT_WALK = "don't walk"
    WALK = "walk"
    CLEAR = "clearance"


def never_due(phase: int, begun_ms: int) -> int | None:
    """Return None: free, nobody ends a green at a time."""
    del phase, begun_ms
    return None


@dataclass(frozen=True, slots=True)
class Orders:
    """What is asked of the rings for one step, as sets of phases. ``due_ms``: from phase and begin of green, when the coordinator ends it.

    ``hold``, ``force_off``, ``omit`` are of the system; ``calls`` wait, ``present`` have vehicles on their detectors, ``lasting`` do not gap out.
    """

    hold: Phases = NONE
    force_off: Phases = NONE
    omit: Phases = NONE
    walk_omit: Phases = NONE
    calls: Phases = NONE
    walk_calls: Phases = NONE
    present: Phases = NONE
    lasting: Phases = NONE
    due_ms: Callable[[int, int], int | None] = never_due
    rest: bool = False  # end every green as soon as it may, and start none


class Ring:
    """One ring; ``since_ms``: when its interval began."""

    __slots__ = ("contest_ms", "green_ms", "interval", "next", "number", "phase", "present_ms", "since_ms", "walk", "walk_ms")

    def __init__(self, number: int, phase: int, now_ms: int) -> None:
        self.number, self.phase, self.interval = number, phase, Interval.RED
        self.next: int | None = None
        self.since_ms = self.green_ms = self.walk_ms = self.present_ms = now_ms
        self.contest_ms: int | None = None  # since when somebody else has waited for this green's end
        self.walk = Walk.DONT_WALK


class Rings:
    """All rings. `step` lets one moment pass; it is to be called often, for every time is rounded up to the next call."""

    def __init__(self, setup: ControllerSetup, now_ms: int) -> None:
        self._setup = setup
        self.phases: Mapping[int, PhaseSetup] = {p.phase: p for p in setup.phases}
        self.side = setup.sides[-1]
        self.rings = tuple(Ring(n, setup.ring(n, self.side)[-1], now_ms) for n in setup.rings)
        self._first = setup.startup_phases

    def replace_phase(self, phase: PhaseSetup) -> None:
        """Take a phase's new times from now on."""
        self.phases = {**self.phases, phase.phase: phase}

    @property
    def green(self) -> Phases:
        """Return the phases that are green."""
        return frozenset(r.phase for r in self.rings if r.interval is Interval.GREEN)

    @property
    def yellow(self) -> Phases:
        """Return the phases that are yellow."""
        return frozenset(r.phase for r in self.rings if r.interval is Interval.YELLOW)

    @property
    def walking(self) -> Mapping[int, Walk]:
        """Return per green phase what its pedestrians see."""
        return {r.phase: r.walk for r in self.rings if r.interval is Interval.GREEN}

    @property
    def nexts(self) -> Phases:
        """Return the phases that come next where that is decided."""
        return frozenset(r.next for r in self.rings if r.next is not None)

    @property
    def at_rest(self) -> bool:
        """Tell whether every ring is red and cleared."""
        return all(r.interval is Interval.RED for r in self.rings)

    def step(self, now_ms: int, orders: Orders) -> None:
        """Let time reach ``now_ms``."""
        for ring in self.rings:
            self._time(ring, now_ms, orders)
        if orders.rest:
            for ring in self.rings:
                if ring.interval is Interval.GREEN and self._may_end(ring, now_ms, orders):
                    self._end(ring, None, now_ms)
            return
        if self._first and self.at_rest:
            self._start_up(now_ms, orders)
            return
        for ring in self.rings:
            self._within_side(ring, now_ms, orders)
        self._cross(now_ms, orders)
        for ring in self.rings:
            if ring.interval is Interval.RED and ring.next is not None:
                self._begin(ring, ring.next, now_ms, orders)

    def _start_up(self, now_ms: int, orders: Orders) -> None:
        for ring in self.rings:
            ring.next = next((p for p in self._first if self.phases[p].ring == ring.number), None)
            if ring.next is not None:
                self.side = self.phases[ring.next].side
                self._begin(ring, ring.next, now_ms, orders)
        self._first = ()

    def _time(self, ring: Ring, now_ms: int, orders: Orders) -> None:
        """End what has lasted long enough by itself: walks, pedestrian clearances, yellows, red clearances."""
        phase = self.phases[ring.phase]
        if ring.interval is Interval.YELLOW and now_ms - ring.since_ms >= phase.amber_ms:
            ring.interval, ring.since_ms = Interval.RED_CLEAR, now_ms
        if ring.interval is Interval.RED_CLEAR and now_ms - ring.since_ms >= phase.red_clear_ms:
            ring.interval, ring.since_ms = Interval.RED, now_ms
        if ring.interval is not Interval.GREEN:
            return
        if ring.walk is Walk.WALK and now_ms - ring.walk_ms >= 1000 * phase.walk_s:
            ring.walk, ring.walk_ms = Walk.CLEAR, now_ms
        if ring.walk is Walk.CLEAR and now_ms - ring.walk_ms >= 1000 * phase.ped_clear_s:
            ring.walk, ring.walk_ms = Walk.DONT_WALK, now_ms
        if ring.phase in orders.present:
            ring.present_ms = now_ms
        others = (orders.calls | orders.walk_calls) - {ring.phase} - self._beside(ring) - orders.omit
        ring.contest_ms = (now_ms if ring.contest_ms is None else ring.contest_ms) if others else None

    def _beside(self, ring: Ring) -> Phases:
        """Return the phases of other rings that may be green beside this one."""
        return frozenset(p.phase for p in self.phases.values() if p.side == self.side and p.ring != ring.number)

    def _may_end(self, ring: Ring, now_ms: int, orders: Orders) -> bool:
        """Tell whether minimum green and pedestrians are served and nobody holds the green."""
        served = now_ms - ring.green_ms >= 1000 * self.phases[ring.phase].min_green_s
        return served and ring.walk is Walk.DONT_WALK and ring.phase not in orders.hold

    def _should_end(self, ring: Ring, now_ms: int, orders: Orders) -> bool:
        """Tell whether a green that may end also has a reason to."""
        if ring.interval is not Interval.GREEN:
            return ring.interval is Interval.RED
        if not self._may_end(ring, now_ms, orders) or ring.contest_ms is None:
            return False
        phase, due_ms = self.phases[ring.phase], orders.due_ms(ring.phase, ring.green_ms)
        if ring.phase in orders.force_off or (due_ms is not None and now_ms >= due_ms):
            return True
        if ring.phase in orders.lasting:
            return due_ms is None and now_ms - ring.contest_ms >= 1000 * phase.max_green_s
        gap = now_ms - ring.present_ms >= phase.passage_ms
        return gap or (due_ms is None and now_ms - ring.contest_ms >= 1000 * phase.max_green_s)

    def _called(self, orders: Orders) -> Phases:
        return (orders.calls | orders.walk_calls) - orders.omit

    def _ahead(self, ring: Ring, orders: Orders) -> int | None:
        """Return the next called phase of a ring on this side; where nobody waits across the barrier, also one that stands before."""
        sequence, called = self._setup.ring(ring.number, self.side), self._called(orders)
        place = sequence.index(ring.phase) if ring.phase in sequence else -1
        after = [p for p in sequence[place + 1 :] if p in called]
        if not after and not any(self.phases[p].side != self.side for p in called):
            until = place if ring.interval is Interval.GREEN else place + 1  # a phase that has ended may also begin again
            after = [p for p in sequence[: max(until, 0)] if p in called]
        return after[0] if after else None

    def _within_side(self, ring: Ring, now_ms: int, orders: Orders) -> None:
        ahead = self._ahead(ring, orders)
        if ahead is None or ring.next is not None:
            return
        if ring.interval is Interval.RED:
            ring.next = ahead
        elif self._should_end(ring, now_ms, orders):
            self._end(ring, ahead, now_ms)

    def _cross(self, now_ms: int, orders: Orders) -> None:
        """Cross the barrier where somebody waits there and every ring is ready."""
        sides = self._setup.sides
        across = [sides[(sides.index(self.side) + k) % len(sides)] for k in range(1, len(sides))]
        called = self._called(orders)
        side = next((s for s in across if any(self.phases[p].side == s for p in called)), None)
        if side is None or any(r.next is not None or not self._should_end(r, now_ms, orders) or self._ahead(r, orders) is not None for r in self.rings):
            return
        if not self.at_rest:
            for ring in self.rings:
                if ring.interval is Interval.GREEN:
                    self._end(ring, None, now_ms)
            return
        self.side = side
        for ring in self.rings:
            sequence = self._setup.ring(ring.number, side)
            # dual entry: a ring that nobody called shows its last phase, the one of the straight traffic
            ring.next = next((p for p in sequence if p in called), next((p for p in sequence[-1:] if p not in orders.omit), None))

    def _end(self, ring: Ring, following: int | None, now_ms: int) -> None:
        ring.interval, ring.since_ms, ring.next, ring.walk = Interval.YELLOW, now_ms, following, Walk.DONT_WALK

    def _begin(self, ring: Ring, phase: int, now_ms: int, orders: Orders) -> None:
        ring.phase, ring.interval, ring.next, ring.contest_ms = phase, Interval.GREEN, None, None
        ring.since_ms = ring.green_ms = ring.present_ms = ring.walk_ms = now_ms
        walks = self.phases[phase].walk_s > 0 and phase in orders.walk_calls and phase not in orders.walk_omit
        ring.walk = Walk.WALK if walks else Walk.DONT_WALK
