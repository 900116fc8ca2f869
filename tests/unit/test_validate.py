"""Every fault that `Junction.validate()` knows, one at a time and all together."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from controller.junction import (
    Detector,
    Direction,
    Exit,
    Group,
    GroupOffset,
    Intergreen,
    Junction,
    Lane,
    Movement,
    Node,
    Onward,
    Permission,
    Programme,
    ProgrammeStep,
    Purpose,
    Stage,
    Transition,
)
from hardware.signals import GroupKind

GOOD = Junction(
    id="J",
    groups=(
        Group("V1", GroupKind.VEHICLE, 5000, 3000, max_green_ms=60_000, links=(0,)),
        Group("V2", GroupKind.VEHICLE, 5000, 3000, red_amber_ms=1000, links=(1,)),
        Group("P", GroupKind.PEDESTRIAN, 5000, 0, clearance_ms=8000, links=(2,)),
    ),
    lanes=(Lane("a", 100.0, 13.9), Lane("b", 100.0, 13.9)),
    exits=(Exit("x", 80.0, 13.9),),
    movements=(
        Movement("a", "x", "V1", Direction.STRAIGHT, 0.7, 20.0),
        Movement("a", "x", "V1", Direction.LEFT, 0.3, 20.0, yields_to=("b",)),
        Movement("b", "x", "V2", Direction.STRAIGHT, 1.0, 20.0),
    ),
    permissions=(Permission("V1", "P", 1000),),
    intergreens=(Intergreen("V1", "V2", 5000), Intergreen("V2", "V1", 5000), Intergreen("V2", "P", 4000), Intergreen("P", "V2", 8000)),
    detectors=(
        Detector("d", Purpose.STOP, ("a",), 1.0, upstream=("e",)),
        Detector("e", Purpose.ENTRY, ("a", "b"), 80.0),
        Detector("o", Purpose.EXIT, ("x",), 30.0),
    ),
    nodes=(
        Node(
            "N",
            ("V1", "V2", "P"),
            (Stage("A", ("V1", "P")), Stage("B", ("V2",))),
            transitions=(Transition("A", "B", ends=(GroupOffset("V1", 0),), starts=(GroupOffset("V2", 9000),)),),
            programmes=(Programme("1", (ProgrammeStep("A", 20_000), ProgrammeStep("B", 20_000))),),
        ),
    ),
)


def changed(part: str, index: int, **values: Any) -> Junction:
    """Return the good junction with one item of ``part`` changed."""
    items = list(getattr(GOOD, part))
    items[index] = replace(items[index], **values)
    return replace(GOOD, **{part: tuple(items)})


def node(**values: Any) -> Junction:
    return changed("nodes", 0, **values)


CASES: dict[str, tuple[Junction, tuple[str, ...]]] = {
    "no groups": (replace(GOOD, groups=()), ("groups", "at least one")),
    "same group twice": (replace(GOOD, groups=(*GOOD.groups, GOOD.groups[0])), ("groups", "'V1' 2 times")),
    "empty id": (changed("lanes", 0, id=""), ("lanes", "empty")),
    "one link in two groups": (changed("groups", 1, links=(0,)), ("link 0", "V1, V2")),
    "negative link": (changed("groups", 1, links=(-1,)), ("'V2'", "links", "from 0")),
    "no minimum green": (changed("groups", 0, min_green_ms=0), ("'V1'", "min_green_s")),
    "negative amber": (changed("groups", 0, amber_ms=-1), ("'V1'", "amber_s", "-0.001 s")),
    "endless amber": (changed("groups", 0, amber_ms=10_001), ("'V1'", "amber_s", "10 s")),
    "amber for pedestrians": (changed("groups", 2, amber_ms=1000), ("'P'", "amber_s", "clearance_s")),
    "negative clearance": (changed("groups", 2, clearance_ms=-1), ("'P'", "clearance_s")),
    "negative walk": (changed("groups", 2, walk_ms=-1), ("'P'", "walk_s")),
    "negative red-amber": (changed("groups", 1, red_amber_ms=-1), ("'V2'", "red_amber_s")),
    "maximum below minimum green": (changed("groups", 0, max_green_ms=4000), ("'V1'", "max_green_s", "5 s", "4 s")),
    "no maximum red": (changed("groups", 0, max_red_ms=0), ("'V1'", "max_red_s")),
    "lane without length": (changed("lanes", 0, length_m=0.0), ("lane 'a'", "length_m")),
    "lane of NaN": (changed("lanes", 0, length_m=math.nan), ("lane 'a'", "length_m", "nan")),
    "infinite speed": (changed("lanes", 0, speed_m_s=math.inf), ("lane 'a'", "speed_m_s", "inf")),
    "negative storage": (changed("exits", 0, storage_m=-1.0), ("exit 'x'", "storage_m")),
    "neighbour without lanes": (changed("exits", 0, onward=(Onward("k", (), 100.0),)), ("exit 'x'", "onward to 'k'", "lanes")),
    "exit without speed": (changed("exits", 0, speed_m_s=0.0), ("exit 'x'", "speed_m_s")),
    "unknown lane": (changed("movements", 2, lane="c"), ("movement c -> x", "'c'", "a, b")),
    "unknown exit": (changed("movements", 2, exit="y"), ("movement b -> y", "'y'")),
    "unknown group of a movement": (changed("movements", 2, group="V9"), ("movement b -> x", "'V9'", "V1, V2, P")),
    "unknown lane to yield to": (changed("movements", 1, yields_to=("q",)), ("movement a -> x", "yields_to", "'q'")),
    "shares that do not sum to one": (changed("movements", 0, share_ratio=0.9), ("lane 'a'", "share_ratio", "1.2")),
    "share of NaN": (changed("movements", 2, share_ratio=math.nan), ("lane 'b'", "nan")),
    "negative crossing": (changed("movements", 2, crossing_m=-2.0), ("crossing_m", "-2.0")),
    "lane without a movement": (replace(GOOD, movements=GOOD.movements[:2]), ("lane 'b'", "at least one movement")),
    "missing intergreen": (replace(GOOD, intergreens=GOOD.intergreens[1:]), ("intergreen V1 -> V2", "found none")),
    "intergreen twice": (replace(GOOD, intergreens=(*GOOD.intergreens, GOOD.intergreens[0])), ("intergreen V1 -> V2", "found again")),
    "intergreen of an unknown group": (changed("intergreens", 0, clearing="V9"), ("intergreen V9 -> V2", "'V9'")),
    "intergreen to itself": (changed("intergreens", 0, entering="V1"), ("intergreen V1 -> V1", "two different")),
    "negative intergreen": (changed("intergreens", 0, intergreen_ms=-1), ("intergreen V1 -> V2", "0 to 60 s")),
    "intergreen below amber": (changed("intergreens", 0, intergreen_ms=2999), ("amber_s of V1", "3 s", "2.999 s")),
    "intergreen below clearance": (changed("intergreens", 3, intergreen_ms=7999), ("clearance_s of P", "8 s")),
    "intergreen below red-amber": (changed("groups", 1, red_amber_ms=6000), ("red_amber_s of V2", "6 s")),
    "permission of an unknown group": (changed("permissions", 0, priority="V9"), ("V1 yields to V9", "'V9'")),
    "permission to itself": (changed("permissions", 0, priority="V1"), ("V1 yields to V1", "two different")),
    "negative head start": (changed("permissions", 0, head_start_ms=-1), ("head_start_s",)),
    "permitted and conflicting": (changed("permissions", 0, priority="V2"), ("V1 yields to V2", "expected no intergreen")),
    "no nodes": (replace(GOOD, nodes=()), ("nodes", "at least one")),
    "no stages": (node(stages=(), transitions=(), programmes=()), ("node 'N'", "stages", "found none")),
    "group in no node": (node(groups=("V1", "V2")), ("group 'P'", "exactly one node", "none")),
    "group in two nodes": (replace(GOOD, nodes=(*GOOD.nodes, Node("M", ("P",), (Stage("A", ("P",)),)))), ("group 'P'", "N, M")),
    "node of an unknown group": (node(groups=("V1", "V2", "P", "V9")), ("node 'N'", "'V9'")),
    "stage of an unknown group": (node(stages=(Stage("A", ("V1", "P")), Stage("B", ("V9",)))), ("stage 'B'", "'V9'")),
    "empty stage": (node(stages=(*GOOD.nodes[0].stages, Stage("C", ()))), ("stage 'C'", "at least one group")),
    "stage with a group twice": (node(stages=(*GOOD.nodes[0].stages, Stage("C", ("V1", "V1")))), ("stage 'C'", "V1, V1")),
    "conflicting stage": (node(stages=(*GOOD.nodes[0].stages, Stage("C", ("V1", "V2")))), ("stage 'C'", "conflicting V1 and V2")),
    "same stage id twice": (node(stages=(*GOOD.nodes[0].stages, Stage("A", ("V2",)))), ("stages", "'A' 2 times")),
    "transition of an unknown stage": (node(transitions=(Transition("A", "Z"),)), ("transition A -> Z", "'Z'")),
    "end of a group that does not end": (node(transitions=(Transition("A", "B", ends=(GroupOffset("V2", 0),)),)), ("A -> B", "ends", "'V2'")),
    "start of a group that does not start": (node(transitions=(Transition("A", "B", starts=(GroupOffset("P", 0),)),)), ("A -> B", "starts", "'P'")),
    "negative offset": (node(transitions=(Transition("A", "B", ends=(GroupOffset("P", -5),)),)), ("A -> B", "'P'", "offset_s")),
    "empty programme": (node(programmes=(Programme("1", ()),)), ("programme '1'", "steps")),
    "programme of an unknown stage": (node(programmes=(Programme("1", (ProgrammeStep("Z", 1),)),)), ("programme '1'", "'Z'")),
    "programme without green": (node(programmes=(Programme("1", (ProgrammeStep("A", 0),)),)), ("stage 'A'", "green_s")),
    "detector without lanes": (changed("detectors", 0, lanes=()), ("detector 'd'", "lanes", "found none")),
    "detector of an unknown lane": (changed("detectors", 0, lanes=("x",)), ("detector 'd'", "'x'", "a, b")),
    "exit loop on an approach": (changed("detectors", 2, lanes=("a",)), ("detector 'o'", "'a'", "exits")),
    "detector with an unknown upstream": (changed("detectors", 0, upstream=("q",)), ("detector 'd'", "upstream", "'q'")),
    "negative distance": (changed("detectors", 0, distance_m=-1.0), ("detector 'd'", "distance_m")),
    "detector without length": (changed("detectors", 0, length_m=0.0), ("detector 'd'", "length_m")),
    "detector placed at NaN": (changed("detectors", 0, place=("a", math.nan)), ("detector 'd'", "place", "nan")),
    "same detector twice": (replace(GOOD, detectors=(*GOOD.detectors, GOOD.detectors[0])), ("detectors", "'d' 2 times")),
}


def test_a_good_junction_has_no_fault() -> None:
    assert GOOD.validate() == []


@pytest.mark.parametrize("name", CASES)
def test_fault(name: str) -> None:
    junction, needles = CASES[name]
    faults = junction.validate()
    assert any(all(needle in fault for needle in needles) for fault in faults), faults
    for fault in faults:
        assert fault.startswith("Junction 'J', ")
        assert "expected" in fault
        assert "found" in fault


def test_all_faults_at_once() -> None:
    junction = replace(changed("groups", 0, amber_ms=-1), intergreens=GOOD.intergreens[1:], nodes=(replace(GOOD.nodes[0], stages=()),))
    text = "\n".join(junction.validate())
    for needle in ("amber_s", "intergreen V1 -> V2", "stages: expected at least one", "programme '1'", "transition A -> B"):
        assert needle in text


def test_warnings_are_no_faults() -> None:
    extra = Group("V3", GroupKind.VEHICLE, 5000, 3000, links=(7,))
    junction = replace(GOOD, groups=(*GOOD.groups, extra), nodes=(replace(GOOD.nodes[0], groups=("V1", "V2", "P", "V3")),))
    assert junction.validate() == []
    text = "\n".join(junction.warnings())
    assert "group 'V3': no stage serves it" in text
    assert "group 'V3': no movement runs under it" in text
    assert "lane 'b': no stop loop" in text
