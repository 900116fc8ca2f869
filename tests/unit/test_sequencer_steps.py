"""The sequencer tick by tick, as a signal plan: one character a second per group (r red, u red-amber, G green, a amber)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support_safety_junctions import crossing, junction

from controller.errors import ConfigError, PlanError
from controller.junction import Group, GroupOffset, Junction, Permission, Stage, Transition
from controller.plan import Plan, PlanStep
from controller.sequencer import Sequencer
from controller.transitions import transition_table
from hardware.signals import Aspect, GroupKind

LETTERS = {Aspect.RED: "r", Aspect.RED_AMBER: "u", Aspect.GREEN: "G", Aspect.AMBER: "a"}


def plan(*steps: tuple[int, int | None]) -> Plan:
    return Plan("test", 0, tuple(PlanStep(stage, until_ms) for stage, until_ms in steps))


def sequencer(one: Junction) -> Sequencer:
    return Sequencer(one, one.nodes[0], 0)


def run(one: Sequencer, until_s: int, plans: dict[int, Plan], from_s: int = 0) -> dict[str, str]:
    """Return per group what was shown, one letter a second."""
    shown: dict[str, str] = {}
    for second in range(from_s, until_s):
        if second in plans:
            one.adopt(plans[second])
        for group, aspect in one.step(second * 1000).items():
            shown[group] = shown.get(group, "") + LETTERS[aspect]
    return shown


def test_start_is_red_for_the_longest_amber_and_intergreen_then_the_first_stage() -> None:
    """Amber 3 s and intergreen 8 s of red; P leads A by 2 s, and A has 1 s of red-amber."""
    one = sequencer(crossing())
    assert run(one, 16, {0: plan((0, None))}) == {
        "A": "rrrrrrrrrrrruGGG",
        "B": "rrrrrrrrrrrrrrrr",
        "P": "rrrrrrrrrrrGGGGG",
    }


def test_without_a_plan_it_stays_red() -> None:
    one = sequencer(crossing())
    assert set(run(one, 30, {})["A"]) == {"r"}
    assert one.state(30_000).stage == 0
    assert run(one, 34, {30: plan((1, None))}, from_s=30)["B"] == "GGGG"


def test_a_transition_waits_for_minimum_greens_and_intergreens() -> None:
    """A starts at 13 s with 5 s minimum, P at 11 s with 4 s; B needs 5 s after A and 8 s after P, so A may end 3 s after P."""
    one = sequencer(crossing())
    shown = run(one, 28, {0: plan((0, None)), 14: plan((1, None))})
    assert shown == {
        "A": "rrrrrrrrrrrruGGGGGaaarrrrrrr",
        "B": "rrrrrrrrrrrrrrrrrrrrrrrGGGGG",
        "P": "rrrrrrrrrrrGGGGrrrrrrrrrrrrr",
    }


def test_steps_follow_one_another_at_their_times() -> None:
    one = sequencer(crossing())
    shown = run(one, 40, {0: plan((0, 20_000), (1, 34_000), (0, None))})
    assert shown["P"].rindex("G") == 19
    assert shown["A"].index("a") == 23
    assert shown["B"].index("G") == 28
    assert shown["B"].index("a") == 34


def test_a_plan_that_arrives_in_a_transition_acts_when_it_has_settled() -> None:
    one = sequencer(crossing())
    shown = run(one, 45, {0: plan((0, None)), 18: plan((1, None)), 20: plan((0, None))})
    assert shown["B"] == "r" * 26 + "GGGGG" + "aaa" + "r" * 11
    assert one.state(45_000).stage == 0


def test_states_tell_what_is_shown_and_what_will_be() -> None:
    one = sequencer(crossing())
    run(one, 1, {0: plan((0, None))})
    state = one.state(0)
    assert (state.stage, state.settled_ms, state.earliest_leave_ms) == (0, 13_000, 15_000)
    run(one, 12, {}, from_s=1)
    state = one.state(11_000)
    assert one.running
    assert (state.settled_ms, state.earliest_leave_ms) == (13_000, 15_000)
    assert state.green_since_ms == {"A": None, "B": None, "P": 11_000}
    assert state.red_since_ms == {"A": 0, "B": 0, "P": None}
    run(one, 19, {18: plan((1, None))}, from_s=12)
    state = one.state(18_000)
    assert (state.stage, state.from_stage, state.settled_ms, state.earliest_leave_ms) == (1, 0, 26_000, 31_000)
    run(one, 40, {}, from_s=19)
    state = one.state(39_000)
    assert not one.running
    assert (state.settled_ms, state.earliest_leave_ms) == (26_000, 31_000)


def three_stages(**more: object) -> Junction:
    """A stays green from `both` to `left`; `side` conflicts with all."""
    groups = tuple(Group(g, GroupKind.VEHICLE, 5000, 3000) for g in ("A", "L", "B"))
    pairs = {(a, b): 4000 for a in "ALB" for b in "ALB" if a != b and {a, b} != {"A", "L"}}
    stages = (Stage("both", ("A",)), Stage("left", ("A", "L")), Stage("side", ("B",)))
    return junction(groups, stages, pairs, **more)


def test_a_group_in_both_stages_stays_green_and_does_not_count_for_leaving() -> None:
    one = sequencer(three_stages())
    shown = run(one, 12, {0: plan((0, None)), 9: plan((1, None))})
    assert shown["A"] == "r" * 7 + "GGGGG"
    assert shown["L"] == "r" * 9 + "GGG"
    assert one.earliest_leave_to(0, 11_000) == 14_000, "L must have its minimum"
    assert one.state(11_000).earliest_leave_ms == 14_000
    assert one.earliest_leave_to(1, 11_000) == 9000
    alone = sequencer(three_stages())
    run(alone, 9, {0: plan((0, None))})
    assert alone.earliest_leave_to(1, 8000) == 7000
    assert alone.earliest_leave_to(2, 8000) == alone.state(8000).earliest_leave_ms == 12_000


def test_the_engineers_offsets_delay_and_never_shorten() -> None:
    own = Transition("both", "side", ends=(GroupOffset("A", 2000),), starts=(GroupOffset("B", 1000),))
    table = transition_table(three_stages(transitions=(own,)), three_stages(transitions=(own,)).nodes[0])
    assert (table.pairs[0][2].ends_ms, table.pairs[0][2].starts_ms, table.pairs[0][2].settle_ms) == ({"A": 2000}, {"B": 6000}, 6000)
    late = Transition("both", "side", starts=(GroupOffset("B", 9000),))
    one = sequencer(three_stages(transitions=(late,)))
    assert run(one, 30, {0: plan((0, None)), 12: plan((2, None))})["B"] == "r" * 21 + "G" * 9


def test_a_forbidden_transition_goes_round() -> None:
    own = (Transition("both", "side", allowed=False),)
    one = sequencer(three_stages(transitions=own))
    shown = run(one, 30, {0: plan((0, None)), 12: plan((2, None))})
    assert shown["L"] == "r" * 12 + "GGGGG" + "aaa" + "r" * 10
    assert shown["B"] == "r" * 21 + "G" * 9
    assert one.table.next_stage[0] == (0, 1, 1)


def test_a_stage_that_cannot_be_reached_is_named() -> None:
    own = tuple(Transition(a, "side", allowed=False) for a in ("both", "left"))
    with pytest.raises(ConfigError, match="a way from stage both to stage side, found every transition forbidden; allow one"):
        sequencer(three_stages(transitions=own))


def test_head_starts_in_a_circle_are_named() -> None:
    circle = (Permission("A", "L", 1000), Permission("L", "A", 1000))
    with pytest.raises(ConfigError, match="head starts of A, L wait for each other"):
        sequencer(three_stages(permissions=circle))


def test_offsets_between_stages_for_the_planner() -> None:
    pairs = transition_table(crossing(), crossing().nodes[0]).pairs
    assert (pairs[0][1].ends_ms, pairs[0][1].starts_ms, pairs[0][1].settle_ms) == ({"A": 3000, "P": 0}, {"B": 8000}, 8000)
    assert (pairs[1][0].ends_ms, pairs[1][0].starts_ms, pairs[1][0].settle_ms) == ({"B": 0}, {"P": 6000, "A": 8000}, 8000)
    assert (pairs[0][0].ends_ms, pairs[0][0].starts_ms, pairs[0][0].settle_ms) == ({}, {}, 0)


def turning(*permissions: Permission, intergreens: dict[tuple[str, str], int]) -> Junction:
    """Two stages: L turns left against the oncoming T while P walks; then B, with L still."""
    groups = tuple(Group(g, GroupKind.VEHICLE, 5000, 3000) for g in "BLPT")
    stages = (Stage("main", ("L", "P", "T")), Stage("side", ("B", "L")), Stage("end", ("B",)))
    return junction(groups, stages, intergreens, permissions=permissions)


def test_who_clears_fast_goes_on_while_the_slowest_clear() -> None:
    """The left turn gets rid of its vehicles once the oncoming traffic has ended, as where a programme ends them one after the other."""
    one = turning(Permission("L", "T"), intergreens={("T", "B"): 10_000, ("L", "B"): 5000, ("B", "L"): 5000, ("B", "T"): 5000})
    pair = transition_table(one, one.nodes[0]).pairs[0][2]
    assert (pair.ends_ms, pair.starts_ms, pair.settle_ms) == ({"L": 5000, "P": 7000, "T": 0}, {"B": 10_000}, 10_000)
    shown = run(sequencer(one), 45, {0: plan((0, None)), 25: plan((2, None))})
    assert (shown["T"].index("a"), shown["L"].index("a"), shown["P"].index("a"), shown["B"].index("G")) == (25, 30, 32, 35)


@pytest.mark.parametrize(("permissions", "end_ms"), [((), 6000), ((Permission("L", "T"),), 0)])
def test_who_has_priority_over_a_green_of_the_next_stage_ends_at_once(permissions: tuple[Permission, ...], end_ms: int) -> None:
    one = turning(*permissions, intergreens={("P", "B"): 10_000, ("T", "B"): 4000})
    assert transition_table(one, one.nodes[0]).pairs[0][1].ends_ms == {"P": 0, "T": end_ms}


def streets() -> Junction:
    """Two streets V and W, each with a walk beside it (P, Q) that clears in 14 s; V also without its walk."""
    vehicle, walk = GroupKind.VEHICLE, GroupKind.PEDESTRIAN
    groups = (Group("V", vehicle, 5000, 3000), Group("P", walk, 5000, 0), Group("W", vehicle, 5000, 3000), Group("Q", walk, 5000, 0))
    stages = (Stage("both", ("V", "P")), Stage("drive", ("V",)), Stage("other", ("W", "Q")))
    pairs = {("V", "W"): 3000, ("V", "Q"): 3000, ("W", "V"): 3000, ("W", "P"): 3000, ("P", "W"): 14_000, ("Q", "V"): 14_000}
    return junction(groups, stages, pairs)


def test_vehicles_go_on_while_pedestrians_clear_and_the_next_walk_starts_beside_its_vehicles() -> None:
    pair = transition_table(streets(), streets().nodes[0]).pairs[0][2]
    assert (pair.ends_ms, pair.starts_ms, pair.delays_ms) == ({"P": 0, "V": 11_000}, {"Q": 14_000, "W": 14_000}, {"Q": 14_000})
    shown = run(sequencer(streets()), 60, {0: plan((0, None)), 30: plan((2, None))})
    assert (shown["P"].rindex("G"), shown["V"].index("a"), shown["W"].index("G"), shown["Q"].index("G")) == (29, 41, 44, 44)


def test_vehicles_go_on_while_pedestrians_of_an_earlier_stage_clear() -> None:
    shown = run(sequencer(streets()), 60, {0: plan((0, None)), 30: plan((1, None)), 33: plan((2, None))})
    assert (shown["P"].rindex("G"), shown["V"].index("a"), shown["W"].index("G"), shown["Q"].index("G")) == (29, 41, 44, 44)


def test_an_intergreen_is_never_below_the_amber() -> None:
    groups = tuple(Group(g, GroupKind.VEHICLE, 5000, 3000) for g in "AB")
    one = junction(groups, (Stage("a", ("A",)), Stage("b", ("B",))), {("A", "B"): 0, ("B", "A"): 1000})
    table = transition_table(one, one.nodes[0])
    assert table.pairs[0][1].starts_ms == {"B": 3000}
    assert table.pairs[1][0].starts_ms == {"A": 3000}


def clearing(stage: int, clear_ms: int) -> Plan:
    return Plan("test", 0, (PlanStep(stage, None, clear_ms),))


def test_clearing_delays_the_starts_and_not_the_ends() -> None:
    """A ends 3 s and B starts 8 s after the transition's begin at 15 s; with 12 s of clearing B starts at 27 s, and that is foretold."""
    plain, one = sequencer(crossing()), sequencer(crossing())
    usual = run(plain, 32, {0: plan((0, None)), 14: plan((1, None))})
    shown = run(one, 20, {0: plan((0, None)), 14: clearing(1, 12_000)})
    assert one.state(19_000).settled_ms == 27_000
    shown = {g: shown[g] + more for g, more in run(one, 32, {}, from_s=20).items()}
    assert (shown["A"], shown["P"]) == (usual["A"], usual["P"])
    assert (usual["B"].index("G"), shown["B"].index("G")) == (23, 27)
    assert shown["B"] == "r" * 27 + "GGGGG"


@pytest.mark.parametrize("clear_ms", [0, 1_000, 8_000])
def test_a_clearing_shorter_than_the_transition_changes_nothing(clear_ms: int) -> None:
    usual = run(sequencer(crossing()), 40, {0: plan((0, None)), 14: plan((1, None)), 30: plan((0, None))})
    assert run(sequencer(crossing()), 40, {0: plan((0, None)), 14: clearing(1, clear_ms), 30: plan((0, None))}) == usual


def test_red_amber_comes_before_the_delayed_green_and_the_next_transition_is_as_usual() -> None:
    """A has 1 s of red-amber. The way back is not delayed by the clearing of the way there."""
    one = sequencer(crossing())
    shown = run(one, 60, {0: plan((1, None)), 20: clearing(0, 15_000), 42: plan((1, None))})
    assert shown["A"].index("u") + 1 == shown["A"].index("G") == 35 + 2, "2 s behind P, which leads it"
    assert shown["P"].index("G") == 35
    usual = run(sequencer(crossing()), 60, {0: plan((1, None)), 20: plan((0, None)), 42: plan((1, None))})
    assert shown["B"].rindex("r") == usual["B"].rindex("r")


def test_restart_begins_from_red_and_forgets_the_plan() -> None:
    one = sequencer(crossing())
    run(one, 20, {0: plan((0, None))})
    one.restart(20_000)
    assert run(one, 60, {}, from_s=20) == dict.fromkeys("ABP", "r" * 40)
    assert one.state(59_000).settled_ms >= 59_000


@pytest.mark.parametrize("steps", [(), ((2, None),), ((0, 5), (-1, None))])
def test_plans_that_cannot_be_followed_are_refused(steps: tuple[tuple[int, int | None], ...]) -> None:
    with pytest.raises(PlanError, match=r"node n: expected at least one step with stages 0 to 1, found .* from planner test"):
        sequencer(crossing()).adopt(plan(*steps))


def test_one_stage_is_left_never() -> None:
    groups = (Group("A", GroupKind.VEHICLE, 5000, 3000),)
    one = sequencer(junction(groups, (Stage("only", ("A",)),), {}))
    shown = run(one, 10, {0: plan((0, 5000), (0, None))})
    assert shown["A"] == "rrrrGGGGGG"
    assert one.state(9000).earliest_leave_ms == 4000


def walkers(**more: object) -> Junction:
    """A yields to P, which leads it by 2 s; B conflicts with both."""
    groups = (Group("A", GroupKind.VEHICLE, 1000, 3000), Group("P", GroupKind.PEDESTRIAN, 1000, 0), Group("B", GroupKind.VEHICLE, 1000, 3000))
    pairs = {("A", "B"): 3000, ("B", "A"): 3000, ("P", "B"): 4000, ("B", "P"): 3000}
    stages = (Stage("drive", ("A",)), Stage("both", ("A", "P")), Stage("walk", ("P",)), Stage("side", ("B",)))
    return junction(groups, stages, pairs, permissions=(Permission("A", "P", 2000),), **more)


def test_a_priority_group_waits_until_the_yielding_green_is_seen() -> None:
    one = sequencer(walkers())
    shown = run(one, 12, {0: plan((0, None)), 8: plan((1, None))})
    assert shown["A"].index("G") == 7
    assert shown["P"].index("G") == 9
    assert one.state(8000).settled_ms == 9000


def test_a_yielding_group_waits_until_the_priority_green_is_seen() -> None:
    shown = run(sequencer(walkers()), 12, {0: plan((2, None)), 8: plan((1, None))})
    assert shown["P"].index("G") == 7
    assert shown["A"].index("G") == 9


def test_a_start_waits_for_a_foe_that_ends_late() -> None:
    own = Transition("both", "side", ends=(GroupOffset("P", 3000),))
    one = sequencer(walkers(transitions=(own,)))
    shown = run(one, 30, {0: plan((1, None)), 15: plan((3, None))})
    assert shown["P"].rindex("G") == 17
    assert shown["A"].index("a") == 19
    assert shown["B"].index("G") == 22


def test_predictions_know_an_amber_that_must_end_first() -> None:
    one = sequencer(walkers())
    run(one, 14, {0: plan((0, None)), 10: plan((2, None)), 11: plan((0, None))})
    assert one.state(13_000).stage == 0
    short = sequencer(walkers())
    run(short, 12, {0: plan((1, None)), 10: plan((2, None)), 11: plan((1, None))})
    assert short.running
    assert short.state(11_000).settled_ms == 13_000, "A shows amber until then"


def test_the_planner_is_told_when_what_ended_before_is_cleared() -> None:
    """P's walk ends at 30 s and clears for 14 s, whatever is shown meanwhile; V goes on, and would have to end for W."""
    one = streets()
    runner = sequencer(one)
    for at_s in range(34):
        if at_s in (0, 30):
            runner.adopt(plan((0 if at_s == 0 else 1, None)))
        runner.step(at_s * 1000)
    assert runner.state(33_000).earliest_green_ms == {"P": 33_000, "W": 44_000, "Q": 33_000}


def test_the_planner_is_told_when_the_greens_of_the_running_transition_begin_and_what_its_ends_will_clear() -> None:
    runner = sequencer(streets())
    for at_s in range(36):
        if at_s in (0, 30):
            runner.adopt(plan((0 if at_s == 0 else 2, None)))
        runner.step(at_s * 1000)
    assert runner.state(35_000).earliest_green_ms == {"P": 35_000, "W": 44_000, "Q": 44_000}


def test_clearing_of_what_ends_in_a_transition_is_known_for_groups_of_later_stages() -> None:
    table = transition_table(streets(), streets().nodes[0])
    assert (table.cleared_ms(0, 1, "W"), table.cleared_ms(0, 1, "Q"), table.cleared_ms(2, 1, "P")) == (14_000, 0, 14_000)


def test_no_way_leads_round_a_forbidden_transition_over_a_free_stage() -> None:
    one = three_stages(transitions=(Transition("both", "side", allowed=False),))
    free = replace(one.nodes[0], stages=(*one.nodes[0].stages, Stage("L+B", ("L", "B"), free=True)))
    table = transition_table(one, free)
    assert [table.next_stage[0][b] for b in range(4)] == [0, table.next_stage[0][1], table.next_stage[0][2], 3]
    assert 3 not in (table.next_stage[0][1], table.next_stage[0][2])
