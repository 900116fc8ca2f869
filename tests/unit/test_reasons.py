"""The reason of a decision in words, in both languages, and the numbers that it tells."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support_control import Scene, junction

from controller.adaptive import SETTINGS, AdaptivePlanner
from controller.alternatives import first_choice, may_choose, rival_of, weigh_all
from controller.horizon_model import HorizonModel
from controller.reasons import Clears, Reason, Waiting, costs_by_stage, lost_ms, sentence
from controller.solver import HorizonProblem, InlineSolver
from controller.transitions import transition_table
from controller.words import Lang, clock, decimal, seconds, stage_name

ONE = junction()
NODE = ONE.nodes[0]
NOW_MS = 600_000
NS, NSL, EW, EWL = range(4)
WHY = Reason(NS, True, 7.2, 6_000, (Waiting("e", EW, 2.0, 12_400),), 5_200, 0, EW, 33_700, (EW, 6_000))


def scene(**more: object) -> Scene:
    return Scene(**{"now_ms": NOW_MS, "stage": NS, "since_ms": NOW_MS - 20_000, **more})


def problem_of(one: Scene) -> HorizonProblem:
    return HorizonModel(ONE, NODE, transition_table(ONE, NODE), SETTINGS).problem(one.snapshot())


def test_a_kept_stage_in_english_and_german() -> None:
    assert sentence(NODE, WHY) == (
        "keeps NS: 7 vehicles there or due within 6 s; waiting: 2 vehicles on e for EW, up to 12 s; a switch costs 5 s; "
        "EW at once would cost 34 vehicle-seconds more; then EW in 6 s"
    )
    assert sentence(NODE, WHY, Lang.DE) == (
        "hält NS: 7 Fahrzeuge dort oder in 6 s erwartet; es warten: 2 Fahrzeuge in e auf EW, bis zu 12 s; ein Wechsel kostet 5 s; "
        "EW sofort würde 34 Fahrzeugsekunden mehr kosten; danach EW in 6 s"
    )


@pytest.mark.parametrize(
    ("change", "english", "german"),
    [
        ({"kept": False}, "goes to NS: ", "wechselt zu NS: "),
        ({"kept": False}, "keeping EW would cost 34 vehicle-seconds more", "EW zu halten würde 34 Fahrzeugsekunden mehr kosten"),
        (
            {"kept": False, "clears": Clears(5_000, ("s", "n"))},
            "; nothing turns green for 5 s, for vehicles from s, n wait inside the junction; a switch costs 5 s",
            "; nichts wird in 5 s frei, denn Fahrzeuge aus s, n warten im Knotenpunkt; ein Wechsel kostet 5 s",
        ),
        ({"held_ms": 3_000}, "no switch before 3 s (minimum green or transition)", "kein Wechsel vor 3 s (Mindestfreigabezeit oder Phasenübergang)"),
        (
            {"price_veh": 250.3},
            "up to 12 s; the queues outlast what is planned: each second of lost green keeps 250 vehicles waiting that are still to come; a switch costs 5 s",
            "bis zu 12 s; der Stau überdauert die Planung: jede verlorene Sekunde Freigabe lässt 250 Fahrzeuge warten, die noch kommen; ein Wechsel kostet 5 s",
        ),
        ({"full": ("x",)}, "; no room in x; a switch", "; kein Platz in x; ein Wechsel"),
        ({"gated": ("x", "y")}, "; holds back traffic to x, y, which hardly moves", "; drosselt den Zufluss zu x, y, wo es kaum weitergeht"),
        ({"shut": ("x",)}, "; it is red at the near end of x; a switch", "; am nahen Ende von x ist Rot; ein Wechsel"),
        ({"rival_more_ms": 300}, "EW at once would cost about the same", "EW sofort würde etwa gleich viel kosten"),
        ({"rival_more_ms": 1_000}, "cost 1 vehicle-second more", "würde 1 Fahrzeugsekunde mehr kosten"),
        ({"waiting": ()}, "nobody waits elsewhere", "anderswo wartet niemand"),
        ({"served_veh": 0.2}, "nobody there or due within 6 s", "niemand dort oder in 6 s erwartet"),
        ({"served_veh": 1.0}, "1 vehicle there", "1 Fahrzeug dort"),
        ({"waiting": (Waiting("e", EW, 1.0, 0),)}, "1 vehicle on e for EW; ", "1 Fahrzeug in e auf EW; "),
        ({"waiting": tuple(Waiting(x, EW, 1.0, 9_000) for x in "ewx")}, ", 1 vehicle elsewhere", ", 1 Fahrzeug anderswo"),
    ],
)
def test_each_part_of_the_sentence(change: dict[str, object], english: str, german: str) -> None:
    why = replace(WHY, **change)
    assert english in sentence(NODE, why)
    assert german in sentence(NODE, why, Lang.DE)


def test_the_sentence_of_a_plan_counts_what_the_snapshot_holds() -> None:
    arrivals = {"n0": [NOW_MS + 1_000 * k for k in range(1, 9)], "e0": [NOW_MS - 12_000, NOW_MS - 9_000]}
    planner = AdaptivePlanner(ONE, NODE, transition_table(ONE, NODE), InlineSolver())
    planner.submit(scene(arrivals_ms=arrivals).snapshot())
    plan = planner.poll()
    assert plan is not None
    until_ms = plan.steps[0].until_ms
    assert until_ms is not None
    within_s = (until_ms - NOW_MS) // 1000
    assert plan.reason.startswith(f"keeps NS: {min(within_s, 8)} vehicles there or due within {within_s} s; waiting: 2 vehicles on e for EW, up to 12 s; ")
    costs = plan.detail["alternatives_ms"]
    assert isinstance(costs, dict)
    assert f"EW at once would cost {round((costs['EW'] - costs['NS']) / 1000)} vehicle-seconds more" in plan.reason


def test_the_lost_time_runs_from_the_use_of_amber_to_the_last_begin() -> None:
    problem = problem_of(scene(beliefs={x.id: {"startup_ms": 1_500, "amber_use_ms": 900 if x.id == "n0" else 600} for x in ONE.lanes}))
    assert lost_ms(problem, NS, EW) == 5_000 + 1_500 - 900
    assert lost_ms(problem, EW, EWL) == 0, "the left turns stay green"


def test_only_what_was_allowed_is_weighed() -> None:
    queues = {"n0": [NOW_MS - 5_000] * 3, "e0": [NOW_MS - 9_000] * 2}
    free, held = problem_of(scene(arrivals_ms=queues)), problem_of(scene(arrivals_ms=queues, since_ms=NOW_MS - 1_000))
    assert held.leave_ms > 0
    assert [s for s in range(4) if may_choose(held, s)] == [NS]
    assert [a.stage for a in weigh_all(held)[1]] == [NS]
    assert sorted(a.stage for a in weigh_all(free)[1]) == [NS, NSL, EW, EWL]
    solver = InlineSolver()
    assert list(costs_by_stage(held, solver.horizon(held), solver)[0]) == [NS]


def test_the_cheapest_alternative_is_the_choice_and_its_parts_make_its_cost() -> None:
    problem = problem_of(scene(arrivals_ms={"n0": [NOW_MS - 5_000] * 3, "e0": [NOW_MS - 9_000] * 2, "s1": [NOW_MS - 20_000]}))
    result = InlineSolver().horizon(problem)
    taken, weighed = weigh_all(problem)
    assert (taken.stage, taken.cost_ms, list(taken.stages)) == (first_choice(result), result.cost_ms, result.stages.tolist())
    assert weighed[0].stage == first_choice(result)
    assert weighed[0].cost_ms <= result.cost_ms
    for one in weighed:
        assert one.switch_cost_ms == (len(one.stages) - 1) * problem.switch_cost_ms
        parts_ms = sum(one.lane_cost_ms) + one.order_cost_ms + one.later_cost_ms + one.switch_cost_ms
        assert 0 <= one.cost_ms - parts_ms <= len(one.lane_cost_ms) + 1, "each part is rounded down once"
        assert first_choice(result._replace(stages=np.array(one.stages), begin_ms=np.array(one.begin_ms))) == one.stage


def test_the_rival_is_whom_most_wait_for_and_nobody_where_nobody_waits() -> None:
    few, many = [NOW_MS - 9_000], [NOW_MS - 9_000] * 3
    coming = {"n0": [NOW_MS + 1_000 * k for k in range(30)], "s0": [NOW_MS + 1_000 * k for k in range(30)]}
    for arrivals, expected in (({}, None), ({"n1": many, "e0": few}, NSL), ({"n1": few, "e0": few, "w0": few}, EW)):
        problem = problem_of(scene(arrivals_ms={**coming, **arrivals}))
        staying = InlineSolver().horizon(problem, NS)
        assert rival_of(problem, staying) == expected
        assert rival_of(problem, InlineSolver().horizon(problem, EWL)) == NS


def test_numbers_and_names() -> None:
    assert decimal(1.25, Lang.DE) in ("1,2", "1,3")
    assert seconds(1_500, Lang.DE) == "1,5 s"
    assert seconds(2_000, Lang.EN) == "2 s"
    assert clock(25_500_000) == "07:05:00"
    assert stage_name(NODE, EW) == "EW (EW, EWL)"
    assert stage_name(NODE, NS) == "NS"
