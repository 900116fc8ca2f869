"""Presses of buttons, and the green that follows."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import support_control as support
from support_walks import WALK, with_a_walk_beside_the_side_street

from controller.assemble import assemble
from controller.junction import Button, Junction, Stage, Transition
from controller.node_model import NodeModel
from controller.plan import Plan
from controller.recall import ASKED_MS, LIMIT_MS, Recall
from controller.requests import Requests
from controller.site import parse_junction
from controller.site_text import format_junction
from controller.stage_choice import StageChoice
from hardware.fake import FakeHeads, FakeInputs
from hardware.ports import DetectorFault, InputEvent, InputKind
from hardware.registry import open_site
from hardware.signals import Aspect

BASE = support.junction()


def junction(**limits: int) -> Junction:
    """Return a junction with a walk that one stage of two serves, and its button."""
    (node,) = BASE.nodes
    stages = (*node.stages, Stage("walk", ("W",)))
    nodes = (replace(node, groups=(*node.groups, "W"), stages=stages),)
    return replace(BASE, groups=(*BASE.groups, replace(WALK, **limits)), nodes=nodes, buttons=(Button("P", ("W",)),))


def press(at_ms: int, kind: InputKind = InputKind.PRESENCE, value: int = 1, source: str = "P") -> InputEvent:
    return InputEvent(at_ms, kind, source, value)


def told(asked: Requests, events: list[InputEvent], green: list[str], now_ms: int) -> None:
    asked.feed(events)
    assert asked.stand(green, now_ms) == asked.since_ms


def asking_nobody() -> Requests:
    """Return the requests of a junction after its first green."""
    asked = Requests(junction(), 0)
    asked.stand(["W"], 500)
    return asked


def test_who_pressed_before_the_start_is_taken_to_wait() -> None:
    asked = Requests(junction(), 7_000)
    told(asked, [], green=[], now_ms=8_000)
    assert asked.since_ms == {"W": 7_000}


def test_a_request_stands_from_the_first_press_until_the_green() -> None:
    asked = asking_nobody()
    told(asked, [press(900), press(950, value=0)], green=[], now_ms=1_000)
    told(asked, [press(1_500, InputKind.PUSH_BUTTON), press(1_600, InputKind.ACCESSIBLE_REQUEST)], green=[], now_ms=2_000)
    assert asked.since_ms == {"W": 900}
    told(asked, [], green=["W"], now_ms=3_000)
    assert asked.since_ms == {}


def test_a_press_in_the_green_is_served_by_it() -> None:
    asked = asking_nobody()
    told(asked, [press(900, InputKind.PUSH_BUTTON)], green=["W"], now_ms=1_000)
    told(asked, [], green=[], now_ms=2_000)
    assert asked.since_ms == {}


def test_others_events_ask_for_nothing() -> None:
    asked = asking_nobody()
    told(asked, [press(900, source="Q"), press(910, InputKind.COUNT), press(920, InputKind.PUSH_BUTTON, 0)], green=[], now_ms=1_000)
    assert asked.since_ms == {}


def test_a_button_that_is_held_down_or_broken_asks_again_after_each_green() -> None:
    for begin, end in (
        (press(900), press(5_000, value=0)),
        (press(900, InputKind.DETECTOR_FAULT, DetectorFault.OPEN), press(5_000, InputKind.DETECTOR_FAULT, 0)),
    ):
        asked = asking_nobody()
        told(asked, [begin], green=[], now_ms=1_000)
        told(asked, [], green=["W"], now_ms=2_000)
        told(asked, [], green=[], now_ms=3_000)
        assert asked.since_ms == {"W": 3_000}
        told(asked, [end], green=["W"], now_ms=5_000)
        told(asked, [], green=[], now_ms=6_000)
        assert asked.since_ms == {}


def test_who_has_pressed_gets_green_after_a_minute_and_a_dead_button_keeps_nobody_for_ever() -> None:
    one = junction()
    made = support.Scene(BASE).snapshot()

    def plan(red_ms: int, asked_ms: int | None = None, mine: Junction = one) -> Plan | None:
        signals = replace(made.signals, stage=0, earliest_leave_ms=0, red_since_ms={"W": made.now_ms - red_ms})
        requests = {} if asked_ms is None else {"W": made.now_ms - asked_ms}
        return Recall(mine, mine.nodes[0]).plan(replace(made, signals=signals, requests=requests))

    assert plan(LIMIT_MS - 1) is None
    assert plan(LIMIT_MS - 1, ASKED_MS - 1) is None
    for found, why in (
        (plan(LIMIT_MS - 1, ASKED_MS), "the button for W was pressed 60 s ago"),
        (plan(LIMIT_MS, ASKED_MS - 1), "the button for W was pressed 59 s ago"),
        (plan(LIMIT_MS), "nobody can be seen to wait for W, and it has been red for 150 s"),
    ):
        assert found is not None
        assert one.nodes[0].stages[found.steps[0].stage].id == "walk"
        assert found.reason == f"serves walk: {why}"
    assert plan(ASKED_MS - 1, LIMIT_MS) is None, "it was green since"
    assert plan(30_000, mine=junction(max_red_ms=30_000)) is not None


def test_the_junction_file_keeps_buttons_and_tells_their_faults() -> None:
    one = replace(junction(), buttons=(Button("P", ("W",), ("crossing", "area")), Button("Q", ("W", "NS"))))
    assert parse_junction(format_junction(one)).buttons == one.buttons
    assert one.sources()[-2:] == ["P", "Q"]
    wrong = replace(one, buttons=(Button("P", ()), Button("P", ("X",))))
    faults = "\n".join(wrong.validate())
    assert "button 'P': groups: expected at least one, found none" in faults
    assert "button 'P': groups: expected one of the groups" in faults
    assert "expected different ids, found 'P' 2 times" in faults


@pytest.mark.parametrize("control", ["adaptive", "cycle", "actuated"])
def test_one_press_brings_one_green_through_sequencer_and_interlock(control: str) -> None:
    one = with_a_walk_beside_the_side_street()
    one = replace(one, buttons=(Button("P", ("W",)),))
    walk = [g.id for g in one.groups].index("W")
    for events, asked_ms in (([], [LIMIT_MS - ASKED_MS]), ([press(5_000), press(5_400, value=0)], [5_000])):
        heads = FakeHeads(one.site_spec())
        guard = open_site(one.site_spec(), heads, now_ms=0)
        driver = assemble(one, control, FakeInputs(events), guard, None, start_ms=0)
        driver.detection.requests.stand(["W"], 0)  # without the one of the start
        for now_ms in range(0, 400_000, 1_000):
            driver.tick(now_ms)
        assert guard.refusals == 0
        shown = [(frame.now_ms, frame.aspects[walk] is Aspect.GREEN) for frame in heads.history]
        begins_ms = [at_ms for (_, before), (at_ms, green) in pairwise(shown) if green and not before]
        assert len(begins_ms) == len(asked_ms)
        assert all(0 <= begin_ms - at_ms - ASKED_MS <= 15_000 for at_ms, begin_ms in zip(asked_ms, begins_ms, strict=True))


def test_where_somebody_has_asked_no_stage_is_chosen_that_lacks_his_green_alone() -> None:
    one = replace(with_a_walk_beside_the_side_street(), buttons=(Button("P", ("W",)),))
    (node,) = one.nodes
    names = [*(s.id for s in node.stages), "EW alone"]
    alone = Stage("EW alone", tuple(g for g in next(s for s in node.stages if s.id == "EW").green if g != "W"))

    def shut(stage: str, *transitions: Transition, asked: bool = True) -> set[str]:
        mine = replace(one, nodes=(replace(node, stages=(*node.stages, alone), transitions=transitions),))
        made = support.Scene(BASE).snapshot()
        snapshot = replace(made, signals=replace(made.signals, stage=names.index(stage)), requests={"W": made.now_ms} if asked else {})
        return {names[k] for k in StageChoice(NodeModel(mine, mine.nodes[0])).shut(snapshot)}

    assert shut("NS") == {"EW alone"}
    assert shut("NS", asked=False) == set()
    assert shut("NS", Transition("NS", "EW", allowed=False)) == set(), "the other one cannot come"
    assert shut("EW") == set(), "it has its green"
    assert shut("EW alone") == {"EW alone"}, "the present one may stay all the same, and the walk may begin"
    assert shut("EW alone", asked=False) == {"EW"}, "it would begin in the midst of a green, for nobody"
