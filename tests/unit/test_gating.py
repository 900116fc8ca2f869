"""Links behind a node that are nearly full: whose greens count for less, and when."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support_control import STAGES, Scene, belief, junction

from controller.adaptive import AdaptivePlanner
from controller.gating import GATE_RATIO, GATED_MILLI, MEMORY_MS, OPEN_RATIO, Gates, gate_words
from controller.junction import Purpose
from controller.node_model import NodeModel
from controller.plan import Plan
from controller.solver import InlineSolver
from controller.transitions import transition_table
from controller.words import Lang

ONE = junction()
MODEL = NodeModel(ONE, ONE.nodes[0])
LOOP = next(d for d in ONE.detectors if d.purpose is Purpose.EXIT)
(LANE,) = LOOP.lanes
EW = STAGES.index("EW")


def run(gates: Gates, covered: float, count_s: int, *, from_s: int = 0, active: bool = True, trusted: bool = True) -> list[tuple[int, bool]]:
    """Let the exit's loop be covered for a share of each ten seconds; return when the gate closed (True) or opened."""
    found = []
    for now_s in range(from_s, from_s + count_s):
        scene = Scene(now_ms=1000 * now_s)
        scene.see(LOOP.id, occupied=now_s % 10 < 10 * covered, trusted=trusted)
        found += [(now_s, closes) for closes, lane, _ in gates.watch(scene.snapshot(), active=active) if lane == LANE]
    return found


def test_a_link_that_hardly_moves_is_gated_and_one_that_flows_is_not() -> None:
    for covered, expected in ((0.3, frozenset()), (0.8, frozenset({LANE}))):
        gates = Gates(MODEL)
        run(gates, covered, 200)
        assert gates.lanes == expected


def test_between_the_limits_a_gate_stays_as_it_is() -> None:
    between = (GATE_RATIO + OPEN_RATIO) / 2
    gates = Gates(MODEL)
    assert run(gates, between, 300) == []
    assert [closes for _, closes in run(gates, 0.9, 200, from_s=300)] == [True]
    assert run(gates, between, 300, from_s=500) == []
    assert [closes for _, closes in run(gates, 0.0, 200, from_s=800)] == [False]


def test_a_gate_needs_a_while_to_close() -> None:
    ((at_s, _),) = run(Gates(MODEL), 1.0, 200)
    assert 0.5 * MEMORY_MS < 1000 * at_s < MEMORY_MS


def test_gates_close_only_under_the_objective_and_open_with_its_end() -> None:
    gates = Gates(MODEL)
    assert run(gates, 1.0, 200, active=False) == []
    assert run(gates, 1.0, 2, from_s=200) == [(200, True)]
    assert run(gates, 1.0, 2, from_s=202, active=False) == [(202, False)]


def test_a_broken_loop_gates_nothing() -> None:
    assert run(Gates(MODEL), 1.0, 200, trusted=False) == []


def test_borrowed_loops_are_left_out() -> None:
    """A short exit is full at every red behind it."""
    detectors = tuple(replace(d, relayed_by="neighbour") if d.id == LOOP.id else d for d in ONE.detectors)
    gates = Gates(NodeModel(replace(ONE, detectors=detectors), ONE.nodes[0]))
    assert run(gates, 1.0, 200) == []


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1000), (0.5, (1000 + GATED_MILLI) // 2), (1.0, GATED_MILLI)])
def test_a_lane_counts_less_by_the_share_that_goes_to_the_link(share: float, expected: int) -> None:
    first = next(m for m in ONE.movements if m.exit == LANE)
    moves, ahead = [first, replace(first, exit="elsewhere")], belief(movement_ratio=(share, 1.0 - share))
    gates = Gates(MODEL)
    assert gates.weight_milli(moves, ahead) == 1000
    run(gates, 1.0, 200)
    assert gates.weight_milli(moves, ahead) == expected


def planned(covered: bool) -> tuple[Plan, AdaptivePlanner, list[str]]:
    """Let every approach stand full for minutes, the loop of one exit covered for long now and then or not; return the last plan."""
    planner = AdaptivePlanner(ONE, ONE.nodes[0], transition_table(ONE, ONE.nodes[0]), InlineSolver())
    told: list[str] = []
    for now_s in range(300, 420):
        scene = Scene(now_ms=1000 * now_s, stage=EW, since_ms=290_000, arrivals_ms={x.id: [1000 * now_s - 30_000] * 20 for x in ONE.lanes})
        scene.see(LOOP.id, occupied=covered and now_s % 10 < 8)
        planner.submit(scene.snapshot())
        told += [note.text for note in planner.notes if note.kind == "gate"]
    plan = planner.poll()
    assert plan is not None
    return plan, planner, told


def test_the_planner_gates_and_says_so() -> None:
    plan, planner, told = planned(covered=True)
    assert f"holds back traffic to {LANE}, which hardly moves" in plan.reason
    assert len(told) == 1
    assert told[0].startswith(f"holds back traffic to {LANE}: its loop was covered for 5")
    assert planner.problem is not None
    feeding = [i for i, moves in enumerate(MODEL.movements) if any(m.exit == LANE for m in moves)]
    less = planner.problem.person_milli.tolist()
    plan, planner, told = planned(covered=False)
    assert "holds back" not in plan.reason
    assert told == []
    assert planner.problem is not None
    assert [i for i, (a, b) in enumerate(zip(less, planner.problem.person_milli.tolist(), strict=True)) if a < b] == feeding


def test_a_full_exit_is_named_in_the_reason() -> None:
    planner = AdaptivePlanner(ONE, ONE.nodes[0], transition_table(ONE, ONE.nodes[0]), InlineSolver())
    planner.submit(Scene(blocked_exits=frozenset({LANE, "of another node"})).snapshot())
    plan = planner.poll()
    assert plan is not None
    assert f"no room in {LANE}" in plan.reason
    assert "of another node" not in plan.reason


def test_the_words_in_both_languages() -> None:
    assert gate_words(True, "a", 0.512) == "holds back traffic to a: its loop was covered for 51 % of the last minute"
    assert gate_words(False, "a", 0.29, Lang.DE) == "drosselt den Zufluss zu a nicht mehr: die Schleife war 29 % der letzten Minute belegt"
