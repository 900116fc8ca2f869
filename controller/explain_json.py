"""An explanation as one JSON object, for programs: the same facts as the text, times in seconds from the decision on."""

from __future__ import annotations

from controller.explain import Explanation
from controller.explain_lanes import serving_stages, told_veh
from controller.plan import OFF, PlanStep
from controller.reasons import sentence
from controller.words import Lang


def as_object(one: Explanation, lang: Lang) -> dict[str, object]:
    """Return the explanation in JSON types; what is not known is null."""
    plan = one.row.plan if one.row is not None else None
    return {
        "junction": one.junction.id,
        "node": one.node.id,
        "control": one.control,
        "mode": one.mode,
        "mode_since": None if one.since is None else {"at_s": one.since.now_ms / 1000, "event": one.since.event, "reason": one.since.reason},
        "decided_by": one.decider or None,
        "unanswered": one.unanswered,
        "at_s": one.now_ms / 1000,
        "at_utc": None if one.base is None else f"{one.base.at(one.now_ms).isoformat(timespec='milliseconds')}Z",
        "tick": one.tick,
        "proof": _proof(one),
        "reason": plan.reason if plan else None,
        "reason_text": sentence(one.node, one.why, lang) if one.why is not None else None,
        "plan": None
        if plan is None
        else {
            "planner": plan.planner,
            "made_at_s": one.made_ms / 1000 if one.made_ms is not None else None,
            "steps": [_step(one, step) for step in plan.steps],
            "cost_veh_s": None if one.path is None else one.path.cost_ms / 1000,
            "detail": plan.detail,
        },
        "signals": _signals(one),
        "lanes": _lanes(one),
        "weighed_afterwards": one.measured,
        "alternatives": _alternatives(one),
    }


def _step(one: Explanation, step: PlanStep) -> dict[str, object]:
    stage = None if step.stage == OFF else one.node.stages[step.stage].id
    return {"stage": stage, "until_s": _in_s(one, step.until_ms), "clear_s": step.clear_ms / 1000}


def _proof(one: Explanation) -> dict[str, object]:
    proof = one.proof
    same = proof.first_difference_ms is None and proof.rebuilt and proof.compared > 0
    differs_s = None if proof.first_difference_ms is None else proof.first_difference_ms / 1000
    return {
        "rebuilt": proof.rebuilt,
        "same": same,
        "digests": proof.compared,
        "differs_from_s": differs_s,
        "asked_again_from_s": None if proof.from_ms is None else proof.from_ms / 1000,
        "recorded": proof.recorded or None,
        "again": proof.again or None,
    }


def _in_s(one: Explanation, time_ms: int | None) -> float | None:
    return None if time_ms is None else (time_ms - one.now_ms) / 1000


def _signals(one: Explanation) -> dict[str, object] | None:
    if one.snapshot is None:
        return None
    s, ids = one.snapshot.signals, [stage.id for stage in one.node.stages]
    return {
        "stage": ids[s.stage],
        "from_stage": ids[s.from_stage],
        "settled_in_s": max(_in_s(one, s.settled_ms) or 0.0, 0.0),
        "may_leave_in_s": max(_in_s(one, s.earliest_leave_ms) or 0.0, 0.0),
        "green_for_s": {g: -(_in_s(one, since_ms) or 0.0) for g, since_ms in s.green_since_ms.items() if since_ms is not None},
        "red_for_s": {g: -(_in_s(one, since_ms) or 0.0) for g, since_ms in s.red_since_ms.items() if since_ms is not None},
        "asked_for_s": {g: -(_in_s(one, since_ms) or 0.0) for g, since_ms in one.snapshot.requests.items()},
        "blocked_exits": sorted(one.snapshot.blocked_exits),
        "shut_exits": sorted(one.snapshot.shut_exits),
        "held_for_room_veh": {name: coming.held_milli / 1000 for name, coming in one.snapshot.coming.items() if coming.held_milli},
        "told_by_neighbours_veh": {name: round(told_veh(one.snapshot, name), 1) for name in one.snapshot.coming},
        "untrusted_detectors": [d for d, state in one.snapshot.detectors.items() if not state.trusted],
    }


def _lanes(one: Explanation) -> list[dict[str, object]] | None:
    if one.snapshot is None:
        return None
    rows: list[dict[str, object]] = []
    for lane, stages in zip(one.lanes, serving_stages(one), strict=True):
        b = one.snapshot.lanes[lane.id]
        rows.append(
            {
                "lane": lane.id,
                "approach": lane.approach,
                "served_by": stages.split(),
                "queue_veh": b.queue_veh,
                "vehicles": [{"arrives_in_s": _in_s(one, a), "weight": w} for a, w in zip(b.arrival_ms, b.weight, strict=True)],
                "headway_s": b.headway_ms / 1000,
                "startup_s": b.startup_ms / 1000,
                "flow_veh_h": 3600 * b.flow_veh_s,
                "movement_ratio": list(b.movement_ratio),
                "known_s": b.known_ms / 1000,
                "blocked_for_s": max(_in_s(one, b.blocked_ms) or 0.0, 0.0),
                "stuck_s": b.stuck_ms / 1000,
                "inside_veh": b.inside_veh,
                "head_yields": b.head_yields,
            }
        )
    return rows


def _alternatives(one: Explanation) -> list[dict[str, object]]:
    base = one.chosen or (one.alternatives[0] if one.alternatives else None)
    return [
        {
            "stage": one.node.stages[a.stage].id,
            "chosen": a is one.chosen,
            "cost_veh_s": a.cost_ms / 1000,
            "more_veh_s": (a.cost_ms - base.cost_ms) / 1000,
            "sequence": [{"stage": one.node.stages[s].id, "begins_in_s": b / 1000} for s, b in zip(a.stages, a.begin_ms, strict=True)],
            "lanes_veh_s": {lane.id: ms / 1000 for lane, ms in zip(one.lanes, a.lane_cost_ms, strict=True)},
            "order_veh_s": a.order_cost_ms / 1000,
            "later_veh_s": a.later_cost_ms / 1000,
            "switches_veh_s": a.switch_cost_ms / 1000,
        }
        for a in one.alternatives
        if base is not None
    ]
