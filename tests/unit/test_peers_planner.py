"""When and how the peers decide."""

from __future__ import annotations

from controller.junction import Group, Junction, Node, Stage
from controller.snapshot import SignalState, Snapshot
from hardware.signals import GroupKind
from scenarios.case import Case
from scenarios.peers import PeerPlanner, decision_ms, peer_junction

NODE = Node("n", (), (Stage("A", ()), Stage("B", ()), Stage("C", ())))


def snapshot(now_ms: int, earliest_leave_ms: int = 0) -> Snapshot:
    return Snapshot(0, now_ms, SignalState(0, 0, 0, earliest_leave_ms, {}, {}), {}, {}, frozenset())


def case(rules: str, amber_s: float = 3.0) -> Case:
    return Case("s", "c", "greedy", "f", rules=rules, published_amber_s=amber_s)


def chosen(planner: PeerPlanner, now_ms: int, earliest_leave_ms: int = 0) -> int | None:
    planner.submit(snapshot(now_ms, earliest_leave_ms))
    plan = planner.poll()
    return None if plan is None else plan.steps[0].stage


def test_the_largest_score_wins_and_ties_go_to_the_first_stage() -> None:
    scores = {0: 2, 1: 5, 2: 5}
    planner = PeerPlanner("greedy", NODE, lambda: scores, 10_000)
    assert chosen(planner, 0) == 1
    scores.update({0: -3, 1: -3, 2: -4})
    assert chosen(planner, 10_000) == 0


def test_a_stage_without_a_score_is_never_chosen() -> None:
    planner = PeerPlanner("max-pressure", NODE, lambda: {1: -8, 2: -9}, 10_000)
    assert chosen(planner, 0) == 1


def test_it_decides_every_step_and_not_before_the_minimum_greens() -> None:
    planner = PeerPlanner("greedy", NODE, lambda: {0: 1}, 10_000)
    assert [chosen(planner, t) for t in range(0, 21_000, 1_000)].count(0) == 3
    assert chosen(planner, 30_000, earliest_leave_ms=33_000) is None
    assert chosen(planner, 33_000, earliest_leave_ms=33_000) == 0
    assert chosen(planner, 42_000) is None
    assert chosen(planner, 43_000) == 0


def test_the_plan_says_why() -> None:
    planner = PeerPlanner("greedy", NODE, lambda: {0: 1, 1: 7}, 10_000)
    planner.submit(snapshot(0))
    plan = planner.poll()
    assert plan is not None
    assert plan.reason == "greedy: stage B has the largest score, 7"
    assert plan.detail == {"scores": {"A": 1, "B": 7}}


def test_resco_times_hold_under_published_rules_only() -> None:
    """RESCO: step 10 s, amber 3 s, so 7 s of green; arterial4x4: 5, 2 and 3 s."""
    groups = (Group("v", GroupKind.VEHICLE, 5000, 3000), Group("p", GroupKind.PEDESTRIAN, 5000, 0))
    street = Junction("j", groups, (), (), (), (), (), (), (NODE,))
    assert [g.min_green_ms for g in peer_junction(street, case("published")).groups] == [7000, 5000]
    assert peer_junction(street, case("street")) is street
    arterial = Junction("j", (Group("v", GroupKind.VEHICLE, 5000, 2000),), (), (), (), (), (), (), (NODE,))
    assert peer_junction(arterial, case("published", 2.0)).groups[0].min_green_ms == 3000
    assert (decision_ms(case("net")), decision_ms(case("net", 2.0))) == (10_000, 5_000)
