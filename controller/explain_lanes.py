"""What an explanation tells of each lane: vehicles and their arrivals, and what was learned."""

from __future__ import annotations

from typing import Final

from controller.explain import Explanation
from controller.explain_words import TEXTS
from controller.junction import Lane
from controller.node_model import NodeModel
from controller.snapshot import LaneBelief, Snapshot
from controller.words import Lang, decimal, seconds, text_of

SURE: Final = 0.9
LEAST: Final = 0.05  # a vehicle less sure than this is not told of
_LISTED: Final = 8
_STUCK_MS: Final = 8_000  # shorter, a covered loop is a vehicle like any other


def lane_rows(one: Explanation, lang: Lang) -> list[tuple[str, ...]]:
    """Return one row per lane: its queue, longest wait, arrivals, and the stages that serve it."""
    assert one.snapshot is not None
    rows: list[tuple[str, ...]] = []
    for lane, stages in zip(one.lanes, serving_stages(one), strict=True):
        belief = one.snapshot.lanes[lane.id]
        waits_ms = [one.now_ms - a for a in belief.arrival_ms if a <= one.now_ms]
        wait = seconds(100 * round(max(waits_ms) / 100), lang) if waits_ms and belief.queue_veh >= 0.05 else "-"
        rows.append((lane.id, decimal(belief.queue_veh, lang), wait, _arrivals(one.now_ms, belief, lang), stages or "-"))
    return rows


def learned_rows(one: Explanation, lang: Lang) -> list[tuple[str, ...]]:
    """Return one row per lane: what was learned of how it discharges, and its state where that is special."""
    assert one.snapshot is not None
    rows: list[tuple[str, ...]] = []
    for lane in one.lanes:
        b = one.snapshot.lanes[lane.id]
        numbers = (decimal(b.headway_ms / 1000, lang, 2), decimal(b.startup_ms / 1000, lang), str(round(3600 * b.flow_veh_s)), decimal(b.known_ms / 1000, lang))
        rows.append((lane.id, *numbers, _shares(one, lane, b, lang), _state(one.now_ms, b, lang)))
    return rows


def serving_stages(one: Explanation) -> list[str]:
    """Return for each lane the stages that serve it, in parentheses where only in part or with the duty to yield."""
    model = NodeModel(one.junction, one.node)
    places = {lane.id: i for i, lane in enumerate(model.lanes)}
    found = []
    for lane in one.lanes:
        i = places[lane.id]
        names = []
        for stage, row in zip(one.node.stages, model.service, strict=True):
            whole = len(row[i]) == len(model.movements[i]) and not any(s.foes for s in row[i])
            names += [] if not row[i] else [stage.id] if whole else [f"({stage.id})"]
        found.append(" ".join(names))
    return found


def _arrivals(now_ms: int, belief: LaneBelief, lang: Lang) -> str:
    coming = [(a - now_ms, w) for a, w in zip(belief.arrival_ms, belief.weight, strict=True) if a > now_ms and w >= LEAST]
    listed = [f"{round(a / 1000)}" + (f" ({decimal(w, lang)})" if w < SURE else "") for a, w in coming[:_LISTED]]
    more = [text_of(TEXTS, "more", lang, count=len(coming) - _LISTED)] if len(coming) > _LISTED else []
    return " ".join([*listed, *more]) or "-"


def _shares(one: Explanation, lane: Lane, belief: LaneBelief, lang: Lang) -> str:
    movements = [m for m in one.junction.movements if m.lane == lane.id]
    by_direction: dict[str, float] = {}
    for move, ratio in zip(movements, belief.movement_ratio, strict=False):
        by_direction[move.direction] = by_direction.get(move.direction, 0.0) + ratio
    return ", ".join(f"{text_of(TEXTS, d, lang)} {round(100 * r)} %" for d, r in by_direction.items() if round(100 * r)) or "-"


def _state(now_ms: int, belief: LaneBelief, lang: Lang) -> str:
    found = []
    if belief.blocked_ms > now_ms:
        found.append(text_of(TEXTS, "locked", lang, time=seconds(belief.blocked_ms - now_ms, lang)))
    if belief.stuck_ms >= _STUCK_MS:
        found.append(text_of(TEXTS, "stuck", lang, time=seconds(belief.stuck_ms, lang)))
    if belief.inside_veh >= 0.05:
        found.append(text_of(TEXTS, "inside", lang, count=decimal(belief.inside_veh, lang)))
    if belief.head_yields:
        found.append(text_of(TEXTS, "gap", lang))
    return "; ".join(found) or "-"


def told_veh(snapshot: Snapshot, lane: str) -> float:
    """Return how many vehicles the neighbours tell of that come to the lane from beyond its loops, by how sure each is."""
    coming = snapshot.coming.get(lane)
    if coming is None:
        return 0.0
    seen_ms = snapshot.now_ms + snapshot.lanes[lane].known_ms
    return sum(w for at_ms, w in zip(coming.arrival_ms, coming.weight_milli, strict=True) if at_ms > seen_ms) / 1000
