"""Which ways the peers count in a stage: RESCO's hand-written lane sets, derived."""

from __future__ import annotations

from controller.junction import Direction, Exit, Group, Junction, Lane, Movement, Node, Permission, Stage
from hardware.signals import GroupKind
from scenarios.peers_ways import ways_by_stage

S, L, R, T = Direction.STRAIGHT, Direction.LEFT, Direction.RIGHT, Direction.TURN


def movement(lane: str, direction: Direction, group: str, *yields: str) -> Movement:
    heading = {"n": {S: "s", L: "e", R: "w", T: "n"}, "s": {S: "n", L: "w", R: "e", T: "s"}, "e": {L: "s", R: "n", S: "w", T: "e"}}
    return Movement(lane, f"{heading[lane[0]][direction]}out_0", group, direction, 1.0, yields_to=yields)


def junction(movements: list[Movement], stages: dict[str, tuple[str, ...]], permissions: tuple[tuple[str, str], ...] = ()) -> Junction:
    groups = sorted({m.group for m in movements})
    return Junction(
        id="j",
        groups=tuple(Group(g, GroupKind.VEHICLE, 5000, 3000) for g in groups),
        lanes=tuple(Lane(lane, 200.0, 13.9) for lane in dict.fromkeys(m.lane for m in movements)),
        exits=tuple(Exit(x, 100.0, 13.9) for x in dict.fromkeys(m.exit for m in movements)),
        movements=tuple(movements),
        permissions=tuple(Permission(a, b) for a, b in permissions),
        intergreens=(),
        detectors=(),
        nodes=(Node("j", tuple(groups), tuple(Stage(name, green) for name, green in stages.items())),),
    )


def lanes(of: Junction) -> list[list[tuple[str, ...]]]:
    return [[way.lanes for way in stage] for stage in ways_by_stage(of)]


def test_straight_ways_count_and_right_turns_run_along() -> None:
    ways = [movement("n_0", R, "A"), movement("n_0", S, "A"), movement("n_1", S, "A"), movement("s_0", S, "A"), movement("s_0", R, "A")]
    assert lanes(junction(ways, {"A": ("A",)})) == [[("n_0", "n_1"), ("s_0",)]]


def test_a_shared_lane_counts_where_most_of_its_ways_are_green() -> None:
    """cologne1: the left-turn stage serves the shared lanes in part only and is never chosen."""
    ways = [
        movement("n_0", S, "A"),
        movement("n_1", S, "A"),
        movement("n_1", L, "B", "s_0", "s_1"),
        movement("s_0", S, "A"),
        movement("s_1", S, "A"),
        movement("s_1", L, "B", "n_0", "n_1"),
    ]
    both = junction(ways, {"all": ("A", "B"), "left": ("B",)}, (("B", "A"),))
    assert lanes(both) == [[("n_0", "n_1"), ("s_0", "s_1")], []]


def test_a_left_turn_with_its_own_lane_and_stage_counts_there() -> None:
    """grid4x4: protected lefts, never permitted, count beside the straight way of the same approach too."""
    ways = [movement("n_0", S, "NS"), movement("n_1", L, "NL"), movement("s_0", S, "SS"), movement("s_1", L, "SL")]
    stages = {"straight": ("NS", "SS"), "left": ("NL", "SL"), "north": ("NS", "NL")}
    assert lanes(junction(ways, stages)) == [[("n_0",), ("s_0",)], [("n_1",), ("s_1",)], [("n_0",), ("n_1",)]]


def test_a_left_turn_that_is_also_shown_permitted_counts_in_a_stage_of_its_own_only() -> None:
    """ingolstadt1: the left turn gets away in the straight stages; alone it would count."""
    ways = [movement("n_0", S, "A"), movement("n_1", L, "B", "s_0"), movement("s_0", S, "C")]
    stages = {"all": ("A", "B", "C"), "north": ("A", "B"), "left": ("B",)}
    assert lanes(junction(ways, stages, (("B", "C"),))) == [[("n_0",), ("s_0",)], [("n_0",)], [("n_1",)]]


def test_a_right_turn_counts_beside_a_left_turn_of_its_approach_but_not_alone() -> None:
    """cologne8's three-arm junctions: the arm without a straight way counts its lane once for each turn."""
    ways = [movement("e_0", L, "E"), movement("e_0", R, "E"), movement("n_0", S, "N"), movement("n_0", R, "NR"), movement("n_1", S, "N")]
    stages = {"main": ("N", "NR"), "side": ("E", "NR")}
    assert lanes(junction(ways, stages)) == [[("n_0", "n_1")], [("e_0",), ("e_0",)]]


def test_turning_back_counts_only_where_there_is_nothing_else() -> None:
    ways = [movement("n_0", S, "A"), movement("n_1", L, "B"), movement("n_1", T, "B"), movement("s_0", T, "D")]
    assert lanes(junction(ways, {"A": ("A",), "B": ("B",), "D": ("D",)})) == [[("n_0",)], [("n_1",)], [("s_0",)]]


def test_an_approach_with_nothing_but_a_right_turn_counts() -> None:
    ways = [movement("e_0", R, "E"), movement("n_0", S, "N")]
    assert lanes(junction(ways, {"both": ("E", "N")})) == [[("e_0",), ("n_0",)]]
