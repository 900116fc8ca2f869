"""An explanation in words: what was known, what was chosen, what else could have been, and what it would have cost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from controller.alternatives import Alternative
from controller.cabinet.said_words import retold
from controller.cabinet.status_words import name as name_of
from controller.explain import Explanation
from controller.explain_lanes import LEAST, lane_rows, learned_rows, told_veh
from controller.explain_words import TEXTS
from controller.plan import OFF
from controller.reasons import sentence
from controller.replay_known import OPTIMIZED
from controller.words import Lang, clock, decimal, seconds, stage_name, text_of
from hardware.signals import Aspect

_LEAST_MS = 500  # smaller differences of a lane's cost are not told
_NAMED = 3


def in_words(one: Explanation, lang: Lang) -> str:
    """Return the whole text."""
    parts = [_head(one, lang), _section("decision", _decision(one, lang), lang)]
    if one.snapshot is not None:
        parts.append(_section("signals", _signals(one, lang), lang))
        parts.append(_section("lanes", table(TEXTS["lane_head"][lang is Lang.DE].split("|"), lane_rows(one, lang)), lang))
        parts.append(_section("learned", table(TEXTS["learned_head"][lang is Lang.DE].split("|"), learned_rows(one, lang)), lang))
    if one.row is not None:
        parts.append(_section("plan", _plan(one, lang), lang))
    if one.problem is not None and one.alternatives:
        title = text_of(TEXTS, "measured" if one.measured else "alternatives", lang, time=seconds(int(one.problem.grid_ms[-1]), lang))
        parts.append("\n".join([title, *("  " + line for line in _alternatives(one, lang))]))
    return "\n\n".join(parts)


def told_at(one: Explanation, time_ms: int) -> str:
    """Return a time as its reader knows it: by the clock of a cabinet, in seconds of a simulation."""
    return one.base.words(time_ms) if one.base is not None else f"{time_ms / 1000:g} s"


def choice_name(one: Explanation, stage: int, lang: Lang) -> str:
    """Return what choosing the stage at once means: keeping it, or going to it."""
    keeps = one.problem is not None and stage == one.problem.stage
    return text_of(TEXTS, "keep" if keeps else "go", lang, stage=stage_name(one.node, stage))


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return lines with the columns aligned to the left; the last one is not padded."""
    every = [head, *rows]
    widths = [max(len(row[k]) for row in every) for k in range(len(head))]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in every]


def _section(key: str, lines: Iterable[str], lang: Lang) -> str:
    return "\n".join([text_of(TEXTS, key, lang), *("  " + line for line in lines)])


def _head(one: Explanation, lang: Lang) -> str:
    hours = "" if one.base is not None else f" ({clock(one.now_ms)})"
    lines = [text_of(TEXTS, "title", lang, junction=one.junction.id, node=one.node.id, time=told_at(one, one.now_ms), clock=hours, tick=one.tick)]
    if one.asked_ms != one.now_ms:
        lines.append(text_of(TEXTS, "asked", lang, time=told_at(one, one.asked_ms)))
    lines.append(text_of(TEXTS, "mode", lang, mode=one.mode, control=one.control))
    if one.since is not None and one.base is not None:
        since = one.since
        event = name_of(since.event, lang)
        lines.append(text_of(TEXTS, "since", lang, time=told_at(one, since.now_ms), event=event, reason=retold(since.reason, lang)))
    return "\n".join([*lines, *_proof(one, lang)])


def _proof(one: Explanation, lang: Lang) -> list[str]:
    proof = one.proof
    if not proof.rebuilt:
        return [text_of(TEXTS, "proof_unrecorded", lang, control=one.control)]
    if proof.first_difference_ms is not None:
        at, recorded, again = told_at(one, proof.first_difference_ms), proof.recorded or "-", proof.again or "-"
        key = "proof_differs" if proof.from_ms is None else "proof_kept_differs"
        return [text_of(TEXTS, key, lang, planner=one.decider, time=at, recorded=recorded, again=again)]
    if proof.from_ms is not None:
        key = "proof_local" if one.decider not in OPTIMIZED else "proof_kept" if proof.compared else "proof_kept_none"
        kept = text_of(TEXTS, key, lang, planner=one.decider, time=told_at(one, proof.from_ms), count=proof.compared)
        return [kept, *([text_of(TEXTS, "proof_digest", lang, digest=proof.recorded)] if proof.recorded else [])]
    if not proof.compared:
        return [text_of(TEXTS, "proof_none", lang, events=one.events)]
    digest = text_of(TEXTS, "proof_digest" if proof.recorded else "proof_no_digest", lang, digest=proof.recorded)
    return [text_of(TEXTS, "proof_same", lang, events=one.events, count=proof.compared), digest]


def _decision(one: Explanation, lang: Lang) -> list[str]:
    lines = []
    if one.decider and one.decider not in OPTIMIZED:
        lines.append(text_of(TEXTS, "no_optimizer", lang, planner=one.decider))
    if one.unanswered:
        lines.append(text_of(TEXTS, "unanswered", lang))
    if one.row is None:
        return [*lines, text_of(TEXTS, "no_plan" if one.base is None else "no_plan_here", lang)]
    plan = one.row.plan
    if not one.fresh:
        lines.append(text_of(TEXTS, "old_plan", lang, time=told_at(one, one.row.now_ms), planner=plan.planner))
    if one.why is not None and lang is not Lang.EN and "forced" not in plan.detail:
        lines.append(sentence(one.node, one.why, lang))
    reason = retold(plan.reason, lang) if one.why is None else plan.reason
    lines.append(text_of(TEXTS, "in_journal", lang, reason=reason) if lines or lang is not Lang.EN else plan.reason)
    ended = plan.detail.get("ended")
    if isinstance(ended, list):
        lines.append(text_of(TEXTS, "ended", lang, groups=", ".join(ended)))
    elif "forced" in plan.detail:
        lines.append(text_of(TEXTS, "forced", lang))
    if plan.planner in ("clearing", "recall"):
        lines.append(text_of(TEXTS, plan.planner, lang))
    greens, cycle_s, delay_s = plan.detail.get("greens_s"), plan.detail.get("cycle_s"), plan.detail.get("delay_s")
    if isinstance(greens, dict) and isinstance(cycle_s, float) and isinstance(delay_s, float):
        shown = ", ".join(f"{stage} {decimal(g, lang)} s" for stage, g in greens.items())
        lines.append(text_of(TEXTS, "cycle", lang, cycle=decimal(cycle_s, lang), delay=decimal(delay_s, lang), greens=shown))
    if plan.planner not in ("adaptive", "clearing", "recall", "off"):
        lines.append(text_of(TEXTS, "not_weighed", lang, planner=plan.planner))
    return lines


def _signals(one: Explanation, lang: Lang) -> list[str]:
    assert one.snapshot is not None
    signals, now_ms, node = one.snapshot.signals, one.now_ms, one.node
    name, wait_ms = stage_name(node, signals.stage), signals.settled_ms - now_ms
    if wait_ms <= 0:
        where = text_of(TEXTS, "stands", lang, stage=name)
    elif signals.from_stage == signals.stage:
        where = text_of(TEXTS, "starting", lang, stage=name, time=seconds(wait_ms, lang))
    else:
        where = text_of(TEXTS, "runs", lang, old=node.stages[signals.from_stage].id, stage=name, time=seconds(wait_ms, lang))
    held_ms = signals.earliest_leave_ms - now_ms
    leave = text_of(TEXTS, "held", lang, time=seconds(held_ms, lang)) if held_ms > 0 else text_of(TEXTS, "may_leave", lang)
    lines, minimums = [f"{where}; {leave}", ", ".join(_group(one, g, lang) for g in node.groups)], []
    for group, since_ms in signals.green_since_ms.items():
        rest_ms = 0 if since_ms is None else since_ms + one.junction.group_by_id[group].min_green_ms - now_ms
        if rest_ms > 0:
            minimums.append(text_of(TEXTS, "min_green", lang, group=group, time=seconds(rest_ms, lang)))
    asked = [text_of(TEXTS, "request", lang, group=g, time=seconds(now_ms - since_ms, lang)) for g, since_ms in one.snapshot.requests.items()]
    lines += [*minimums, *([text_of(TEXTS, "requests", lang, groups=", ".join(asked))] if asked else [])]
    if one.problem is not None:
        stages = [s.id for k, s in enumerate(node.stages) if k != signals.stage and s.green and not s.free and not one.problem.allowed[signals.stage, k]]
        lines += [text_of(TEXTS, "forbidden", lang, stages=", ".join(stages))] if stages else []
        free = [s.id for k, s in enumerate(node.stages) if s.free and one.problem.allowed[:, k].any()]
        lines += [text_of(TEXTS, "free", lang, stages=", ".join(free))] if free else []
    untrusted = [d for d, s in one.snapshot.detectors.items() if not s.trusted]
    for key, exits in (("full_exits", one.snapshot.blocked_exits), ("shut_exits", one.snapshot.shut_exits)):
        lines += [text_of(TEXTS, key, lang, exits=", ".join(sorted(exits)))] if exits else []
    lines += [text_of(TEXTS, "untrusted", lang, detectors=", ".join(untrusted))] if untrusted else []
    told = {x.id: told_veh(one.snapshot, x.id) for x in one.lanes}
    lanes = ", ".join(name for name, veh in told.items() if veh >= LEAST)
    lines += [text_of(TEXTS, "told", lang, count=decimal(sum(told.values()), lang), lanes=lanes)] if lanes else []
    held = {name: coming.held_milli / 1000 for name, coming in one.snapshot.coming.items() if coming.held_milli / 1000 >= LEAST}
    lines += [text_of(TEXTS, "waiting_for_room", lang, count=decimal(sum(held.values()), lang), lanes=", ".join(held))] if held else []
    return lines


def _group(one: Explanation, group: str, lang: Lang) -> str:
    assert one.snapshot is not None
    for key, since in (("green", one.snapshot.signals.green_since_ms), ("red", one.snapshot.signals.red_since_ms)):
        since_ms = since.get(group)
        if since_ms is not None:
            return text_of(TEXTS, key, lang, group=group, time=seconds(one.now_ms - since_ms, lang))
    aspect = one.aspects.get(group, Aspect.DARK)
    return text_of(TEXTS, "between", lang, group=group, aspect=text_of(TEXTS, f"aspect_{int(aspect)}", lang))


def _plan(one: Explanation, lang: Lang) -> list[str]:
    assert one.row is not None
    lines, at_ms = [], one.now_ms
    for step in one.row.plan.steps:
        if step.until_ms is not None and step.until_ms <= one.now_ms and step is not one.row.plan.steps[-1]:
            continue
        name, wait_ms = _planned(one, step.stage, lang), at_ms - one.now_ms
        line = text_of(TEXTS, "step_later" if wait_ms > 0 else "step_now", lang, stage=name, time=seconds(wait_ms, lang))
        lines.append(line + (text_of(TEXTS, "step_clears", lang, time=seconds(step.clear_ms, lang)) if step.clear_ms else ""))
        at_ms = step.until_ms if step.until_ms is not None else at_ms
    return lines


def _planned(one: Explanation, stage: int, lang: Lang) -> str:
    return text_of(TEXTS, "off", lang) if stage == OFF else stage_name(one.node, stage)


def _alternatives(one: Explanation, lang: Lang) -> list[str]:
    chosen, rows, notes = one.chosen, [], []
    base = chosen or one.alternatives[0]
    for other in one.alternatives:
        more_ms = other.cost_ms - base.cost_ms
        verdict = (
            text_of(TEXTS, "chosen", lang) if other is chosen else "" if other is base else f"{'+' if more_ms >= 0 else ''}{decimal(more_ms / 1000, lang)}"
        )
        rows.append((choice_name(one, other.stage, lang), decimal(other.cost_ms / 1000, lang), verdict, _differences(one, base, other, lang)))
        if chosen is not None and more_ms < 0 and not one.measured and one.row is not None and "forced" not in one.row.plan.detail:
            notes.append(text_of(TEXTS, "missed", lang, stage=one.node.stages[other.stage].id))
    if chosen is not None and one.path is not None and one.path.cost_ms - chosen.cost_ms >= _LEAST_MS:
        notes.append(text_of(TEXTS, "sequel", lang, cost=decimal(one.path.cost_ms / 1000, lang)))
    if one.row is not None and not one.fresh and not one.measured:
        notes.append(text_of(TEXTS, "not_followed", lang, time=told_at(one, one.row.now_ms)))
    if len(rows) == 1:
        notes.append(text_of(TEXTS, "only_one", lang))
    return table(("", "", "", ""), rows)[1:] + notes


def _differences(one: Explanation, base: Alternative, other: Alternative, lang: Lang) -> str:
    """Return which lanes lose and which gain by the other choice, and what else it changes."""
    more = sorted(((b - a, lane.id) for a, b, lane in zip(base.lane_cost_ms, other.lane_cost_ms, one.lanes, strict=True)), reverse=True)
    worse = [f"{lane} +{decimal(ms / 1000, lang)}" for ms, lane in more if ms >= _LEAST_MS][:_NAMED]
    better = [f"{lane} {decimal(ms / 1000, lang)}" for ms, lane in reversed(more) if ms <= -_LEAST_MS][:_NAMED]
    parts = [text_of(TEXTS, key, lang, lanes=", ".join(lanes)) for key, lanes in (("worse", worse), ("better", better)) if lanes]
    rest = (
        ("order", other.order_cost_ms - base.order_cost_ms),
        ("later", other.later_cost_ms - base.later_cost_ms),
        ("switches", other.switch_cost_ms - base.switch_cost_ms),
    )
    parts += [text_of(TEXTS, key, lang, more=("+" if ms > 0 else "") + decimal(ms / 1000, lang)) for key, ms in rest if abs(ms) >= _LEAST_MS]
    return "; ".join(parts)
