"""Full exits: how long they are taken to last, and whom they hold."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support_control import Scene, belief, junction

from controller.adaptive import SETTINGS
from controller.horizon_model import HorizonModel
from controller.junction import Movement
from controller.solver import HorizonProblem
from controller.spillback import LEAST_FULL_MS, MOST_FULL_MS, FullExits, blocked_ratio
from controller.transitions import transition_table

ONE = junction()
NS, NSL, EW, EWL = range(4)
LANES = [x.id for x in ONE.lanes]
E0 = LANES.index("e0")
FIRST = next(m for m in ONE.movements if m.lane == "e0")


def ways(*exits: str) -> list[Movement]:
    return [replace(FIRST, exit=x) for x in exits]


def full(*exits: str, now_ms: int = 60_000) -> FullExits:
    one = FullExits()
    one.watch(Scene(now_ms=now_ms, blocked_exits=frozenset(exits)).snapshot())
    return one


@pytest.mark.parametrize(("after_ms", "expected_ms"), [(0, LEAST_FULL_MS), (5_000, LEAST_FULL_MS), (9_000, 9_000), (40_000, MOST_FULL_MS)])
def test_what_has_lasted_is_expected_to_last_as_long_again(after_ms: int, expected_ms: int) -> None:
    one = full("a")
    one.watch(Scene(now_ms=60_000 + after_ms, blocked_exits=frozenset({"a"})).snapshot())
    assert one.free_in_ms("a") == expected_ms
    assert one.free_in_ms("b") == 0


def test_an_exit_that_was_free_between_is_full_anew() -> None:
    one = full("a", now_ms=60_000)
    one.watch(Scene(now_ms=80_000).snapshot())
    assert one.free_in_ms("a") == 0
    one.watch(Scene(now_ms=81_000, blocked_exits=frozenset({"a"})).snapshot())
    assert one.free_in_ms("a") == LEAST_FULL_MS


@pytest.mark.parametrize(("head", "expected"), [((1.0, 0.0), True), ((0.0, 1.0), False), ((0.5, 0.5), True), ((0.4, 0.6), False)])
def test_a_lane_is_held_where_its_first_vehicle_is_likely_to_go_to_the_full_exit(head: tuple[float, float], expected: bool) -> None:
    one, ahead = full("a"), belief(movement_ratio=head)
    assert blocked_ratio(ways("a", "b"), ahead, {"a"}) == head[0]
    assert (one.blocked_ms(ways("a", "b"), ahead) > 0) is expected


def problem(scene: Scene) -> HorizonProblem:
    node = scene.junction.nodes[0]
    return HorizonModel(scene.junction, node, transition_table(scene.junction, node), SETTINGS).problem(scene.snapshot())


def test_a_way_without_room_counts_as_not_served_by_its_share() -> None:
    """e0 goes on to wout with 80 %: without the rest the lane is served by that share, without the most of it it is held."""
    moves = [m for m in ONE.movements if m.lane == "e0"]
    most = max(moves, key=lambda m: m.share_ratio)
    rest = next(m for m in moves if m.exit != most.exit)
    free = problem(Scene(stage=EW))
    assert (free.blocked_ms[E0], free.service_milli[EW, E0]) == (0, 1000)
    some = problem(Scene(stage=EW, blocked_exits=frozenset({rest.exit})))
    assert (some.blocked_ms[E0], some.service_milli[EW, E0]) == (0, int(1000 * most.share_ratio))
    held = problem(Scene(stage=EW, blocked_exits=frozenset({most.exit})))
    assert (held.blocked_ms[E0], held.service_milli[EW, E0]) == (LEAST_FULL_MS, 1000)


def test_nobody_is_sent_to_an_exit_that_is_shut() -> None:
    every = frozenset(m.exit for m in ONE.movements if m.lane == "e0")
    shut, full = (problem(Scene(stage=EW, **{name: every})) for name in ("shut_exits", "blocked_exits"))
    assert shut.blocked_ms[E0] == full.blocked_ms[E0] == LEAST_FULL_MS
    assert shut.service_milli.tolist() == full.service_milli.tolist()
