"""The longest red: who has waited too long is served, all who stood there, and nobody waits for long behind that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from support_control import STAGES, Scene, junction

from controller.lane_model import LOCKED_AFTER_MS
from controller.node_model import NodeModel
from controller.red_limit import GAP_MS, OVER_MS, SERVICE_MS, RedLimit

pytestmark = pytest.mark.quick

NS, NSL, EW, EWL = range(4)
LIMIT_MS = 120_000
NOW_MS = 600_000


def platoon(count: int, from_ms: int, gap_ms: int = 2_000) -> list[int]:
    return [NOW_MS + from_ms + gap_ms * k for k in range(count)]


def limit(**changed: Any) -> RedLimit:
    one = replace(junction(), **changed)
    return RedLimit(NodeModel(one, one.nodes[0]), LIMIT_MS)


def scene(stage: int = EW, since_ms: int = NOW_MS - LIMIT_MS - 60_000, **more: Any) -> Scene:
    return Scene(stage=stage, since_ms=since_ms, now_ms=NOW_MS, **more)


def stage_of(one: Scene, watch: RedLimit | None = None) -> str | None:
    stage = (watch or limit()).stage(one.snapshot())
    return None if stage is None else STAGES[stage]


def test_a_covered_stop_loop_is_enough_where_the_belief_has_lost_the_vehicle() -> None:
    one = scene()
    one.see("n1/1", occupied=True, changed_ms=NOW_MS - LIMIT_MS - 1)
    assert stage_of(one) == "NSL"
    one.see("n1/1", occupied=True, changed_ms=NOW_MS - LIMIT_MS)
    assert stage_of(one) is None, "not yet"
    one.see("n1/1", occupied=True, changed_ms=0, trusted=False)
    assert stage_of(one) is None, "a loop without trust proves nothing"


def test_the_wait_does_not_begin_anew_at_each_loop() -> None:
    late = {"n1": {"waiting_since_ms": NOW_MS - LIMIT_MS - 1}}
    assert stage_of(scene(arrivals_ms={"n1": [NOW_MS - 2_000]}, beliefs=late)) == "NSL"
    assert stage_of(scene(arrivals_ms={"n1": [NOW_MS - 2_000]})) is None


def test_a_red_shorter_than_the_limit_is_none_however_long_the_queue_has_stood() -> None:
    assert stage_of(scene(since_ms=NOW_MS - 60_000, arrivals_ms={"n1": [0]})) is None


def test_a_red_towards_a_full_exit_does_not_count() -> None:
    one = scene(arrivals_ms={"n1": [0]})
    assert stage_of(one) == "NSL"
    assert stage_of(replace(one, blocked_exits=frozenset({"eout"}))) is None


def test_a_group_may_have_a_limit_of_its_own() -> None:
    groups = tuple(replace(g, max_red_ms=60_000) if g.id == "NSL" else g for g in junction().groups)
    one = scene(since_ms=NOW_MS - 70_000, arrivals_ms={"n1": [0]})
    assert stage_of(one) is None
    assert stage_of(one, limit(groups=groups)) == "NSL"


def test_beside_a_green_for_others_only_a_first_vehicle_that_wants_the_red_group_waits() -> None:
    """The north lane is shared by the groups NS and NSL; NS is green and its first vehicle stands all the same."""
    base = junction()
    moves = tuple(replace(m, lane="n0") if m.lane == "n1" else m for m in base.movements)
    shared = limit(movements=moves)
    wants = {"head_ratio": (0.0, 0.0, 1.0), "movement_ratio": (0.6, 0.2, 0.2), "last_leave_ms": NOW_MS - LIMIT_MS - 5_000}
    one = scene(NS, junction=replace(base, movements=moves), arrivals_ms={"n0": [0]}, beliefs={"n0": wants})
    assert stage_of(one, shared) == "NSL"
    one.beliefs["n0"] = wants | {"head_ratio": (0.6, 0.2, 0.2)}
    assert stage_of(one, shared) is None, "it may go with the green"
    one.beliefs["n0"] = wants | {"last_leave_ms": NOW_MS - LIMIT_MS + 5_000}
    assert stage_of(one, shared) is None, "it has not been the first one for so long"


def served(count: int, *, until_ms: int, leaves_ms: int = 1 << 40, also: Callable[[Scene, int], None] | None = None, **beliefs: Any) -> int:
    """Return for how long the stage of a queue of ``count`` is kept from the begin of its green on, in ms."""
    watch, since_ms = limit(), NOW_MS - LIMIT_MS - 10_000
    queue = {"n1": platoon(count, since_ms - NOW_MS)}
    assert stage_of(scene(arrivals_ms=queue), watch) == "NSL"
    for ms in range(0, until_ms, 1_000):
        one = scene(NSL, NOW_MS, arrivals_ms=queue if ms < leaves_ms else {"n1": [NOW_MS + 500]}, beliefs={"n1": dict(beliefs)})
        one.now_ms = NOW_MS + ms
        if also is not None:
            also(one, ms)
        if stage_of(one, watch) != "NSL":
            return ms
    return until_ms


def test_all_who_stood_there_are_served_up_to_a_bound() -> None:
    assert served(5, until_ms=60_000, leaves_ms=11_000) == 11_000, "those who come later are the search's business"
    assert served(40, until_ms=60_000) == SERVICE_MS


def test_a_queue_that_still_flows_is_served_though_the_belief_has_lost_it() -> None:
    def flows(one: Scene, ms: int) -> None:
        one.see("n1/1", occupied=ms < 4_000, changed_ms=NOW_MS + min(ms, 4_000))

    assert served(8, until_ms=60_000, leaves_ms=1_000, also=flows) == 4_000 + GAP_MS


def test_the_service_ends_with_a_lock() -> None:
    assert served(8, until_ms=60_000, stuck_ms=LOCKED_AFTER_MS) == 0, "nobody leaves"


def test_another_that_has_waited_much_longer_still_ends_the_service() -> None:
    watch = limit()
    red_ms = NOW_MS - LIMIT_MS - 10_000
    assert stage_of(scene(arrivals_ms={"n1": platoon(8, -LIMIT_MS - 10_000)}), watch) == "NSL"
    for over_ms, expected in ((OVER_MS, "NSL"), (OVER_MS + 1, "EW")):
        one = scene(NSL, NOW_MS - LIMIT_MS - over_ms + 5_000, arrivals_ms={"n1": platoon(8, red_ms - NOW_MS), "e0": [0]})
        assert stage_of(one, watch) == expected


def test_a_red_is_overdue_when_a_vehicle_has_waited_too_long() -> None:
    assert stage_of(scene(NS, arrivals_ms={"n1": [NOW_MS - LIMIT_MS - 2_000]})) == "NSL"
    assert stage_of(scene(NS, arrivals_ms={"n1": [NOW_MS - LIMIT_MS + 2_000]})) is None
    assert stage_of(scene(NS, arrivals_ms={"n0": [NOW_MS - LIMIT_MS - 2_000]})) is None, "it has green"
    assert stage_of(scene(NS)) is None


def test_the_longest_wait_is_served_first() -> None:
    assert stage_of(scene(NS, arrivals_ms={"n1": [NOW_MS - LIMIT_MS - 2_000], "e0": [NOW_MS - LIMIT_MS - 9_000]})) == "EW"


def test_a_red_some_metres_behind_is_no_reason_to_wait_longer_than_the_limit() -> None:
    """Unlike a full exit, for the neighbour may show its red for as long as this light does."""
    every = frozenset(m.exit for m in junction().movements if m.lane == "e0")
    assert stage_of(scene(NS, arrivals_ms={"e0": [NOW_MS - LIMIT_MS - 9_000]}, shut_exits=every)) == "EW"
