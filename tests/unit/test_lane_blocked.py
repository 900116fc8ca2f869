"""A lane that does not discharge: which standing still counts, and what ends it."""

from __future__ import annotations

from support_control import junction

from controller.lane_model import LOCKED_AFTER_MS, LaneModel

ONE = junction()
(MOVE,) = (m for m in ONE.movements if m.lane == "e1")
FOES = frozenset({("w0", "EW")})
COVERED_MS = 2_000


def stand(model: LaneModel, from_s: int, to_s: int, *, busy: bool) -> int:
    """Let the first vehicle stand under its own green from second to second, others coming with the right of way or not; return the last time."""
    for now_ms in range(1_000 * from_s, 1_000 * to_s + 1, 1_000):
        model.follow({"EWL": 0}, FOES if busy else frozenset(), now_ms, before_ms=now_ms - 1_000)
        model.wait(COVERED_MS, now_ms)
    return 1_000 * to_s


def test_who_found_no_gap_is_not_stuck_as_soon_as_nobody_has_to_be_let_pass() -> None:
    """The turn keeps its green when the others lose theirs: its own stage begins, and its queue will go."""
    model = LaneModel((MOVE,), (FOES,))
    now_ms = stand(model, 1, 8, busy=True)
    assert model.blocked_ms < now_ms
    now_ms = stand(model, 9, 30, busy=True)
    assert model.blocked_ms > now_ms, "beside the others nobody can be counted on to leave"
    now_ms = stand(model, 31, 36, busy=False)
    assert model.blocked_ms < now_ms
    now_ms = stand(model, 37, 31 + LOCKED_AFTER_MS // 1_000, busy=False)
    assert model.blocked_ms > now_ms, "it could have gone for so long, and stands"


def test_somebody_who_leaves_shows_that_the_lane_discharges() -> None:
    model = LaneModel((MOVE,), (FOES,))
    now_ms = stand(model, 1, 30, busy=True)
    assert model.blocked_ms > now_ms
    model.leave(now_ms, waited=True)
    assert model.blocked_ms < now_ms
