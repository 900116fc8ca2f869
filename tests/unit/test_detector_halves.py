"""Loops that miss every second vehicle, by table: found by who follows whom, and by the counts of the others; nobody else suspected for it.

Traffic comes at random, in the platoons that a signal makes of it. Greens are those of `test_detector_faults`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache

import pytest
from support_control import Road, junction, loops

from controller.detection import Detection, HealthEvent
from controller.detector_followers import KNOWN_FOLLOWERS, MOST_RATIO, SOON_MS, Followers, Platoons
from controller.detector_rules import EVIDENCE, HOLD_DOWN_MS, Fault
from controller.junction import Purpose
from hardware.faulty_inputs import FaultKind, FaultyInputs, LoopFault
from hardware.ports import InputEvent

pytestmark = pytest.mark.quick

BEGIN_MS, END_MS, SECOND_MS = 1_200_000, 3_600_000, 1_000
GREENS = tuple((60_000 * k + 20_000, 60_000 * k + 55_000) for k in range(61))
LANES = ("e0", "e1", "w0", "w1", "n0")
LEAST_MS = 1_800  # between two drivers of a lane
EXIT_M = -20.0


def arrivals(flow_veh_h: float, chance: random.Random, begin_ms: int = 0, end_ms: int = END_MS) -> list[int]:
    """Return when vehicles come into view, at random."""
    found, at_ms = [], float(begin_ms)
    mean_ms = 3_600_000 / flow_veh_h - LEAST_MS
    while (at_ms := at_ms + LEAST_MS + chance.expovariate(1.0 / mean_ms)) < end_ms:
        found.append(round(at_ms))
    return found


def over(entries_ms: Sequence[int], lane: str) -> list[InputEvent]:
    """Return the edges of a lane's vehicles, those of the eastern one for straight traffic also at its exit."""
    names = {d.distance_m: d.id for d in loops() if lane in d.lanes and d.purpose is not Purpose.EXIT}
    return Road(tuple(entries_ms), greens_ms=GREENS).events(names | ({EXIT_M: "wout/x"} if lane == "e0" else {}))


@cache
def traffic(flow_veh_h: float = 400.0, seed: int = 1) -> tuple[InputEvent, ...]:
    """Return an hour on five lanes."""
    chance = random.Random(seed)
    return tuple(sorted(e for lane in LANES for e in over(arrivals(flow_veh_h, chance), lane)))


class Scripted:
    """An input port that tells what was written down."""

    def __init__(self, events: Sequence[InputEvent]) -> None:
        self._events, self._at = sorted(events), 0

    def poll(self, now_ms: int) -> list[InputEvent]:
        first = self._at
        while self._at < len(self._events) and self._events[self._at].at_ms <= now_ms:
            self._at += 1
        return self._events[first : self._at]


def run(faults: Sequence[LoopFault], events: Sequence[InputEvent], until_ms: int = END_MS) -> list[HealthEvent]:
    """Return what is told of the loops."""
    port = FaultyInputs(Scripted(events), faults, seed=1)
    detection = Detection(junction(), 0)
    return [h for now_ms in range(0, until_ms, SECOND_MS) for h in detection.feed(port.poll(now_ms), now_ms)[1]]


@pytest.mark.parametrize(
    ("loop", "begin_ms", "within_s"),
    [
        ("e0/1", BEGIN_MS, 1_000),
        ("e0/45", BEGIN_MS, 600),
        ("e0/120", BEGIN_MS, 600),
        ("e0/300", BEGIN_MS, 1_800),  # who comes at random follows nobody closely
        ("wout/x", BEGIN_MS, 2_100),  # nobody else can tell how many came there
        ("e0/1", 0, 1_800),  # these were never whole
        ("e0/45", 0, 600),
        ("e0/120", 0, 600),
    ],
)
def test_a_loop_that_misses_every_second_vehicle_is_found_and_no_other_is_suspected(loop: str, begin_ms: int, within_s: int) -> None:
    lost = [h for h in run([LoopFault(loop, FaultKind.HALF, begin_ms)], traffic()) if not h.trusted]
    assert {h.detector for h in lost} == {loop}
    assert lost[0].fault is Fault.UNDERCOUNT
    assert lost[0].at_ms - begin_ms <= within_s * SECOND_MS


@pytest.mark.parametrize("flow_veh_h", [40.0, 150.0, 400.0, 700.0])
@pytest.mark.parametrize("seed", [1, 2])
def test_no_loop_of_a_healthy_hour_is_suspected(flow_veh_h: float, seed: int) -> None:
    assert run([], traffic(flow_veh_h, seed)) == []


def test_the_night_is_no_fault() -> None:
    """After half an hour of day a tenth of the vehicles come, one by one."""
    chance = random.Random(5)
    hours = 4
    entries = {lane: [*arrivals(400.0, chance, end_ms=1_800_000), *arrivals(40.0, chance, 1_800_000, hours * END_MS)] for lane in LANES}
    greens = tuple((60_000 * k + 20_000, 60_000 * k + 55_000) for k in range(60 * hours + 1))
    names = {lane: {d.distance_m: d.id for d in loops() if lane in d.lanes and d.purpose is not Purpose.EXIT} for lane in LANES}
    events = [e for lane in LANES for e in Road(tuple(entries[lane]), greens_ms=greens).events(names[lane])]
    assert run([], events, hours * END_MS) == []


def test_a_gate_that_lets_them_in_one_by_one_is_no_fault() -> None:
    """Every five seconds one passes the loop behind it: nobody ever follows closely there, and all are counted by the others."""
    gate = over(range(1_000, END_MS, 5_000), "e0")
    assert run([], [*gate, *(e for e in traffic() if not e.source.startswith("e0"))]) == []


def test_a_gate_that_begins_to_let_them_in_one_by_one_is_no_fault() -> None:
    chance = random.Random(7)
    gate = over([*arrivals(400.0, chance, end_ms=BEGIN_MS), *range(BEGIN_MS, END_MS, 9_000)], "e0")
    assert not [h for h in run([], [*gate, *(e for e in traffic() if not e.source.startswith("e0"))]) if h.detector != "wout/x"]


def test_a_mended_loop_is_taken_back() -> None:
    mended_ms = BEGIN_MS + 1_200_000
    health = [h for h in run([LoopFault("e0/45", FaultKind.HALF, BEGIN_MS, mended_ms)], traffic()) if h.detector == "e0/45"]
    assert [h.trusted for h in health] == [False, True]
    assert health[1].at_ms <= mended_ms + HOLD_DOWN_MS[Fault.UNDERCOUNT] + 600_000


def test_the_reason_tells_what_was_seen() -> None:
    said = [h.why for loop in ("e0/45", "wout/x") for h in run([LoopFault(loop, FaultKind.HALF, BEGIN_MS)], traffic()) if not h.trusted]
    assert said[0].startswith("counts about half as many vehicles")
    assert "hardly any follows another one closely" in said[1]


# One loop's test by its gaps alone.

FOLLOW_MS, AFTER_MS, LATER_MS = 1_200, 5_000, 30_000


def judged(gaps_ms: Sequence[int]) -> Followers:
    """Return the test after some gaps."""
    one = Followers(Platoons())
    for gap_ms in gaps_ms:
        one.take(gap_ms, learns=True)
    return one


@pytest.mark.parametrize(
    ("gaps_ms", "least_ratio", "most_ratio"),
    [
        ((), 0.0, 0.0),
        ((LATER_MS,) * 1_000, 0.0, 0.0),  # gaps that long tell nothing
        ((SOON_MS,) * 1_000, 0.0, 0.0),
        ((FOLLOW_MS, AFTER_MS) * 50, 0.0, 2.0),  # every second one follows
        ((FOLLOW_MS, AFTER_MS) * 50 + (AFTER_MS,) * 40, EVIDENCE.no_follower_ratio, MOST_RATIO),  # then nobody any more
        ((AFTER_MS,) * 1_000 + (FOLLOW_MS,) * 8, 0.0, EVIDENCE.half_gaps_ratio),  # followers clear a loop
    ],
)
def test_gaps_accuse_a_loop_over_which_nobody_follows_any_more(gaps_ms: Sequence[int], least_ratio: float, most_ratio: float) -> None:
    assert least_ratio <= judged(gaps_ms).charge_ratio <= most_ratio


def test_what_all_loops_show_at_the_time_is_no_fault_of_one() -> None:
    """At night nobody follows anybody; that is not learned by one loop so soon, but by all together."""
    now = Platoons()
    one, others = Followers(now), Followers(now)
    for _ in range(100):
        one.take(FOLLOW_MS, learns=True)
    by_day, by_night = Followers(now), Followers(now)
    for _ in range(20):
        by_day.take(AFTER_MS, learns=False)
    for _ in range(400):
        others.take(AFTER_MS, learns=True)
    for _ in range(20):
        by_night.take(AFTER_MS, learns=False)
    assert now.ratio < 0.05
    assert by_night.charge_ratio < by_day.charge_ratio / 4.0


def test_a_street_is_known_after_a_few_followers() -> None:
    one = judged((FOLLOW_MS,) * (KNOWN_FOLLOWERS - 1))
    assert not one.known
    one.take(FOLLOW_MS, learns=True)
    assert one.known
