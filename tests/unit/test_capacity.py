"""When the objective CAPACITY is entered and left."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support_control import Scene, junction

from controller.adaptive import AdaptivePlanner
from controller.capacity import (
    CYCLE_MS,
    ENTER_RATIO,
    ENTRY_FULL_MS,
    EXIT_FULL_MS,
    LASTS_MS,
    LEAVE_RATIO,
    LOST_MS,
    OVER_MS,
    CapacityChange,
    CapacityWatch,
    Evidence,
    EvidenceOf,
    capacity_words,
    homes,
)
from controller.junction import Purpose
from controller.node_model import NodeModel
from controller.solver import InlineSolver
from controller.transitions import transition_table
from controller.words import Lang

ONE = junction()
MODEL = NodeModel(ONE, ONE.nodes[0])
ENTRY = next(d for d in ONE.detectors if d.purpose is Purpose.ENTRY)
EXIT = next(d for d in ONE.detectors if d.purpose is Purpose.EXIT)
MUCH, LITTLE, BETWEEN = Evidence(ENTER_RATIO), Evidence(LEAVE_RATIO - 0.01), Evidence(LEAVE_RATIO)


def seen(scene: Scene) -> Evidence:
    return EvidenceOf(MODEL)(scene.snapshot())


def test_an_empty_node_needs_no_green() -> None:
    assert seen(Scene()) == Evidence(0.0)


def test_the_critical_lane_of_each_stage_counts() -> None:
    """Two stages in use, 30 and 20 vehicles of 2 s on their fullest lanes: 100 s of the 120 s less twice the lost time."""
    queues = {"n0": 30, "s0": 10, "e0": 20, "w0": 5}
    one = seen(Scene(arrivals_ms={lane: [0] * count for lane, count in queues.items()}))
    assert one.saturation_ratio == pytest.approx(50 * 2_000 / (CYCLE_MS - 2 * LOST_MS))


def test_who_is_still_to_come_counts() -> None:
    one = seen(Scene(beliefs={"n0": {"flow_veh_s": 0.25}}))
    assert one.saturation_ratio == pytest.approx(0.25 * 120 * 2_000 / (CYCLE_MS - LOST_MS))


def test_left_turners_are_at_home_in_the_stage_that_protects_them() -> None:
    stages = [ONE.nodes[0].stages[s].id if s is not None else None for s in homes(MODEL)]
    assert dict(zip([x.id for x in MODEL.lanes], stages, strict=True)) == {
        "n0": "NS", "n1": "NSL", "s0": "NS", "s1": "NSL", "e0": "EW", "e1": "EWL", "w0": "EW", "w1": "EWL",
    }  # fmt: skip


@pytest.mark.parametrize(("loop", "limit_ms", "field"), [(ENTRY, ENTRY_FULL_MS, "entries"), (EXIT, EXIT_FULL_MS, "exits")])
def test_a_loop_covered_for_long_tells_of_a_queue(loop, limit_ms, field) -> None:
    scene = Scene(now_ms=100_000)
    scene.see(loop.id, occupied=True, changed_ms=100_000 - limit_ms + 1)
    assert getattr(seen(scene), field) == ()
    scene.see(loop.id, occupied=True, changed_ms=100_000 - limit_ms)
    assert getattr(seen(scene), field) == loop.lanes
    assert seen(scene).enters
    scene.see(loop.id, occupied=True, changed_ms=0, trusted=False)
    assert seen(scene) == Evidence(0.0), "a broken loop tells nothing"


def changes(*spans: tuple[Evidence, int]) -> list[tuple[int, bool]]:
    """Return when the objective changed, evidence by evidence for so many seconds."""
    watch, found, now_s = CapacityWatch(), [], 0
    for one, count_s in spans:
        for _ in range(count_s):
            change = watch.watch(1000 * now_s, one)
            found += [(change.at_ms, change.active)] if change else []
            now_s += 1
    return found


def test_it_is_entered_when_the_evidence_lasts_and_left_when_it_is_gone_for_long() -> None:
    assert changes((MUCH, 200), (LITTLE, 200)) == [(LASTS_MS, True), (200_000 + OVER_MS, False)]


def test_short_evidence_changes_nothing() -> None:
    lasts_s, over_s = LASTS_MS // 1000, OVER_MS // 1000
    assert changes(*[(MUCH, lasts_s), (LITTLE, 1)] * 5) == []
    assert changes((MUCH, 200), *[(LITTLE, over_s), (MUCH, 1)] * 5) == [(LASTS_MS, True)]


def test_between_the_limits_all_stays_as_it_is() -> None:
    assert changes((BETWEEN, 500)) == []
    assert changes((MUCH, 100), (BETWEEN, 500)) == [(LASTS_MS, True)]


def test_the_words_name_what_was_seen_in_both_languages() -> None:
    change = CapacityChange(0, True, Evidence(1.125, ("n0",), ("wout",)))
    assert capacity_words(change) == "objective CAPACITY: degree of saturation 112 %; queue over the farthest loop of n0; no room in wout"
    assert capacity_words(change, Lang.DE) == "Ziel KAPAZITÄT: Sättigungsgrad 112 %; Rückstau über der fernsten Schleife von n0; kein Platz in wout"
    over = replace(change, active=False, evidence=Evidence(0.5))
    assert capacity_words(over) == "objective DELAY again: for 60 s degree of saturation 50 %"
    assert capacity_words(over, Lang.DE) == "wieder Ziel WARTEZEIT: seit 60 s Sättigungsgrad 50 %"


def test_the_planner_tells_the_change_once() -> None:
    planner = AdaptivePlanner(ONE, ONE.nodes[0], transition_table(ONE, ONE.nodes[0]), InlineSolver())
    told = []
    for now_ms in range(60_000, 60_000 + 2 * LASTS_MS, 1_000):
        planner.submit(Scene(now_ms=now_ms, arrivals_ms={x.id: [now_ms - 30_000] * 40 for x in ONE.lanes}).snapshot())
        told += [(now_ms, note) for note in planner.notes]
    assert [(at_ms, note.kind) for at_ms, note in told] == [(60_000 + LASTS_MS, "objective")]
    assert planner.capacity.active
