"""Each detector fault by table: what the loops tell, how fast it is found, and what must not be suspected for it.

Traffic drives over one approach of the crossing, in platoons of a signal; the loop under test is broken by `hardware.faulty_inputs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from support_control import Road, junction, loops
from support_guard import Cabinet

from controller.detection import Detection, HealthEvent
from controller.detector_rules import HOLD_DOWN_MS, Fault, Limits, limits_of
from controller.journal import Journal
from controller.journal_reader import JournalReader
from controller.journal_schema import FILE_NAME
from controller.junction import Detector, Purpose
from controller.planner import Planner
from controller.supervisor import Mode
from hardware.faulty_inputs import FaultKind, FaultyInputs, LoopFault
from hardware.ports import DetectorFault, InputEvent, InputKind

pytestmark = pytest.mark.quick

BEGIN_MS, END_MS = 1_200_000, 3_600_000
GREENS = tuple((60_000 * k + 20_000, 60_000 * k + 55_000) for k in range(61))
SECOND_MS = 1_000


@dataclass
class Scripted:
    """An input port that tells what was written down."""

    events: list[InputEvent]
    at: int = field(default=0)

    def poll(self, now_ms: int) -> list[InputEvent]:
        first = self.at
        while self.at < len(self.events) and self.events[self.at].at_ms <= now_ms:
            self.at += 1
        return self.events[first : self.at]


def traffic(lanes: Sequence[str] = ("e0", "e1", "w0", "w1", "n0"), every_ms: int = 9_000) -> list[InputEvent]:
    """Return an hour on some lanes, a vehicle every nine seconds on each (400 an hour)."""
    found: list[InputEvent] = []
    for k, lane in enumerate(lanes):
        names = {d.distance_m: d.id for d in loops() if lane in d.lanes and d.purpose is not Purpose.EXIT}
        found += Road(tuple(range(700 * k + 1_000, END_MS, every_ms)), greens_ms=GREENS).events(names)
    return sorted(found)


TRAFFIC = traffic()


def run(
    faults: Sequence[LoopFault], events: Sequence[InputEvent] = TRAFFIC, until_ms: int = END_MS, detectors: tuple[Detector, ...] | None = None
) -> list[HealthEvent]:
    """Return what is told of the loops over an hour of seconds."""
    port = FaultyInputs(Scripted(list(events)), faults, seed=1)
    detection = Detection(junction(detectors=detectors), 0)
    return [h for now_ms in range(0, until_ms, SECOND_MS) for h in detection.feed(port.poll(now_ms), now_ms)[1]]


def lost(health: Sequence[HealthEvent]) -> dict[str, tuple[Fault, int]]:
    """Return per loop the first fault and after how many seconds it was found."""
    found: dict[str, tuple[Fault, int]] = {}
    for h in health:
        if not h.trusted:
            found.setdefault(h.detector, (h.fault, (h.at_ms - BEGIN_MS) // 1000))
    return found


TABLE = [
    # how it is broken, which loop, what is told of it, within how many seconds at 400 vehicles an hour
    (FaultKind.STUCK_ON, "e0/1", Fault.STUCK_ON, 190),
    (FaultKind.STUCK_ON, "e0/45", Fault.STUCK_ON, 150),
    (FaultKind.STUCK_ON, "e0/300", Fault.STUCK_ON, 190),
    (FaultKind.STUCK_ON, "wout/x", Fault.STUCK_ON, 190),
    (FaultKind.STUCK_OFF, "e0/1", Fault.STUCK_OFF, 240),
    (FaultKind.STUCK_OFF, "e0/45", Fault.STUCK_OFF, 150),
    (FaultKind.STUCK_OFF, "e0/300", Fault.STUCK_OFF, 420),
    (FaultKind.CHATTER, "e0/1", Fault.CHATTER, 5),
    (FaultKind.CHATTER, "e0/120", Fault.CHATTER, 5),
    (FaultKind.DOUBLE, "e0/1", Fault.OVERCOUNT, 300),
    (FaultKind.DOUBLE, "e0/120", Fault.OVERCOUNT, 300),
    (FaultKind.HALF, "e0/45", Fault.UNDERCOUNT, 600),
    (FaultKind.HALF, "e0/120", Fault.UNDERCOUNT, 750),
    (FaultKind.OPEN, "e0/1", Fault.OPEN, 1),
    (FaultKind.SHORT, "e0/120", Fault.SHORT, 1),
]


@pytest.mark.parametrize(("kind", "loop", "fault", "within_s"), TABLE)
def test_a_fault_is_found_in_time_and_no_other_loop_is_suspected(kind: FaultKind, loop: str, fault: Fault, within_s: int) -> None:
    found = lost(run([LoopFault(loop, kind, BEGIN_MS)]))
    assert set(found) == {loop}
    told, after_s = found[loop]
    assert told is fault
    assert 0 <= after_s <= within_s


@pytest.mark.parametrize(
    ("kind", "loop", "fault", "within_s"),
    [
        (FaultKind.STUCK_OFF, "e0/1", Fault.STUCK_OFF, 420),
        (FaultKind.STUCK_OFF, "e0/45", Fault.STUCK_OFF, 180),
        (FaultKind.STUCK_ON, "e0/45", Fault.STUCK_ON, 180),
        (FaultKind.HALF, "e0/120", Fault.UNDERCOUNT, 660),
    ],
)
def test_a_loop_that_never_was_whole_is_found(kind: FaultKind, loop: str, fault: Fault, within_s: int) -> None:
    """By those who pass before and behind it, of whom nothing must have been learned."""
    (found,) = [h for h in run([LoopFault(loop, kind, 0)]) if not h.trusted][:1]
    assert (found.detector, found.fault) == (loop, fault)
    assert found.at_ms <= within_s * SECOND_MS


def test_drivers_who_turn_off_before_the_stop_line_accuse_nobody() -> None:
    """Three of four turn into a yard behind the 45 m loop."""
    yard: list[InputEvent] = []
    for k, at_ms in enumerate(range(1_000, END_MS, 9_000)):
        yard += Road((at_ms,), greens_ms=GREENS).events({d.distance_m: d.id for d in loops() if "e0" in d.lanes and (k % 4 == 0 or d.distance_m >= 45.0)})
    assert run([], sorted([*traffic(("e1", "w0", "w1", "n0")), *yard])) == []


def test_a_queue_before_an_empty_stop_line_accuses_the_stop_loop() -> None:
    """It counts every second vehicle, and those whom it misses stand on it, so that nobody gets them green."""
    left_ms = max(e.at_ms for e in TRAFFIC if e.source == "e0/1" and not e.value and e.at_ms < BEGIN_MS)
    seen = [e for e in TRAFFIC if not e.source.startswith("e0") or e.at_ms <= left_ms]
    queue = [InputEvent(left_ms + SECOND_MS, InputKind.PRESENCE, "e0/45", 1)]
    found = lost(run([], sorted([*seen, *queue]), BEGIN_MS + 210_000))
    assert found["e0/1"][0] is Fault.STUCK_OFF
    assert found["e0/1"][1] <= 190


def test_a_queue_where_two_lanes_part_accuses_neither_stop_loop() -> None:
    """It may be of those who turn left, whose own short lane is full: nobody can reach the empty lane beside it."""
    left_ms = max(e.at_ms for e in TRAFFIC if e.source == "e0/1" and not e.value and e.at_ms < BEGIN_MS)
    parted = tuple(
        replace(d, upstream=("e0/45",)) if d.id == "e1/1" else replace(d, lanes=("e0", "e1")) if d.id.startswith("e0/") and d.id != "e0/1" else d
        for d in loops()
        if not d.id.startswith("e1/") or d.id == "e1/1"
    )
    seen = [e for e in TRAFFIC if not e.source.startswith("e1") and (not e.source.startswith("e0") or e.at_ms <= left_ms)]
    queue = [InputEvent(left_ms + SECOND_MS, InputKind.PRESENCE, "e0/45", 1)]
    assert "e0/1" not in lost(run([], sorted([*seen, *queue]), BEGIN_MS + 210_000, parted))


def test_no_loop_of_a_healthy_hour_is_suspected() -> None:
    assert run([]) == []


def test_an_empty_side_road_is_not_broken() -> None:
    """Nobody drives on the south arm for an hour."""
    assert not any(h.detector.startswith("s") for h in run([]))


@pytest.mark.parametrize(("kind", "fault"), [(FaultKind.STUCK_ON, Fault.STUCK_ON), (FaultKind.STUCK_OFF, Fault.STUCK_OFF), (FaultKind.DOUBLE, Fault.OVERCOUNT)])
def test_a_mended_loop_is_taken_back_after_its_hold_down(kind: FaultKind, fault: Fault) -> None:
    mended_ms = BEGIN_MS + 900_000
    health = [h for h in run([LoopFault("e0/45", kind, BEGIN_MS, mended_ms)]) if h.detector == "e0/45"]
    assert [h.trusted for h in health] == [False, True]
    assert mended_ms + HOLD_DOWN_MS[fault] - 2 * SECOND_MS <= health[1].at_ms <= mended_ms + HOLD_DOWN_MS[fault] + 300_000


def test_a_relapse_is_held_down_twice_as_long() -> None:
    device = [InputEvent(t, InputKind.PRESENCE, "e0/45", k % 2) for burst in (100_000, 400_000) for k, t in enumerate(range(burst, burst + 1_500, 50), 1)]
    one = [h for h in run([], sorted(device), 900_000) if h.detector == "e0/45"]
    assert [h.trusted for h in one] == [False, True, False, True]
    first_ms, second_ms = one[1].at_ms - one[0].at_ms, one[3].at_ms - one[2].at_ms
    assert second_ms >= first_ms + HOLD_DOWN_MS[Fault.CHATTER] - 5_000


def test_when_all_loops_fall_silent_together_it_is_the_line() -> None:
    """Within four minutes at five busy lanes; and it is believed again soon after it speaks."""
    faults = [LoopFault(d.id, FaultKind.SILENT, BEGIN_MS, BEGIN_MS + 600_000) for d in junction().detectors]
    health = run(faults)
    found = lost(health)
    assert set(found) == {d.id for d in junction().detectors}
    busy = [x for x in found if x.startswith(("e", "w"))]
    assert {found[x][0] for x in busy} == {Fault.SILENT_LINE}, found
    assert all(found[x][1] <= 240 for x in busy)
    back = {h.detector: h.at_ms for h in health if h.trusted}
    assert all(back[x] <= BEGIN_MS + 600_000 + HOLD_DOWN_MS[Fault.SILENT_LINE] + 120_000 for x in busy)


def test_a_loop_that_chatters_does_not_make_the_others_seem_silent() -> None:
    """Its edges are most of those of its line, and end; traffic is as weak as it always was."""
    few = traffic(("e0", "w0", "n0"), every_ms=240_000)
    health = run([LoopFault("e0/45", FaultKind.CHATTER, BEGIN_MS, BEGIN_MS + 600_000)], few)
    assert {h.fault for h in health} == {Fault.CHATTER}


def test_a_line_of_its_own_is_silent_alone() -> None:
    east = [d.id for d in junction().detectors if d.id.startswith("e")]
    port = FaultyInputs(Scripted(list(TRAFFIC)), [LoopFault(x, FaultKind.SILENT, BEGIN_MS) for x in east], seed=1)
    detection = Detection(junction(), 0, line_of=dict.fromkeys(east, "card 2"))
    told = [h for now_ms in range(0, BEGIN_MS + 420_000, SECOND_MS) for h in detection.feed(port.poll(now_ms), now_ms)[1]]
    assert {h.detector for h in told} <= set(east)
    assert Fault.SILENT_LINE in {h.fault for h in told}


class NoOptimizer:
    """An optimizer that plans nothing: what matters is that there is one."""

    state, heard_ms = "ready", 0

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def planners(self, *_: object) -> dict[Mode, Planner]:
        return {}

    def poll(self, now_ms: int) -> tuple[()]:
        del now_ms
        return ()

    def remember(self) -> None:
        pass

    def memories(self) -> tuple[()]:
        return ()

    def close(self) -> None:
        pass


def test_the_guard_knows_which_loops_share_a_line() -> None:
    east = [d.id for d in junction().detectors if d.id.startswith("e")]
    heard = [e for e in TRAFFIC if e.source not in east or e.at_ms < BEGIN_MS]
    one = Cabinet(events=heard, optimizer=NoOptimizer(), line_of=dict.fromkeys(east, "inputs modbus 2"))
    one.run_to(BEGIN_MS + 420_000)
    told = {d: one.guard.control.detection.why(d) for d in one.guard.control.detection.states()}
    assert all("line" in told[x] for x in east if told[x])
    assert any(told[x] for x in east)
    assert not any(why for x, why in told.items() if x not in east)


@pytest.mark.parametrize("own", [{}, {"e0/1": limits_of(Purpose.STOP, 1, 3_600)}])
def test_the_guard_takes_a_sites_limits_and_does_not_promise_to_decide_again(tmp_path: Path, own: dict[str, Limits]) -> None:
    with Journal.create(tmp_path / FILE_NAME, {}) as journal:
        one = Cabinet(journal=journal, limits=own)
        one.run_to(1_000)
        one.guard.control.detection.feed([], 2 * 3_600_000)
        assert bool(one.guard.control.detection.why("e0/1")) == bool(own)
    with JournalReader(tmp_path / FILE_NAME) as reader:
        assert all(row.solvable != bool(own) for row in reader.junctions.values())


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        (DetectorFault.OTHER, Fault.DEVICE),
        (DetectorFault.WATCHDOG, Fault.DEVICE),
        (DetectorFault.OPEN, Fault.OPEN),
        (DetectorFault.SHORT, Fault.SHORT),
        (DetectorFault.EXCESSIVE_CHANGE, Fault.DEVICE),
        (99, Fault.DEVICE),
    ],
)
def test_what_the_device_says_counts_at_once(code: int, fault: Fault) -> None:
    said = [InputEvent(5_000, InputKind.DETECTOR_FAULT, "e0/1", code), InputEvent(9_000, InputKind.DETECTOR_FAULT, "e0/1", DetectorFault.WHOLE)]
    health = run([], said, 20_000)
    assert [(h.at_ms, h.trusted, h.fault) for h in health] == [(5_000, False, fault), (9_000, True, fault)]
    assert "device" in health[0].why
    assert (health[0].why == "its device does not answer") == (code == DetectorFault.WATCHDOG), "who does not answer reports nothing"
