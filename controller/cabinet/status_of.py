"""Make the guard's status of the guard: read only, plain data out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from controller.cabinet.status import DetectorStatus, LaneStatus, NodeStatus, OverrideStatus, Status
from controller.decide import NodeControl
from controller.journal import version_of
from controller.junction import Node
from controller.off import SHOWN_OFF
from controller.plan import OFF
from hardware.ports import PortError
from hardware.signals import Aspect, GroupKind

if TYPE_CHECKING:
    from controller.cabinet.guard import Guard

_HOUR_MS = 3_600_000


def status_of(guard: Guard) -> Status:
    """Return what the guard says of itself now."""
    control, now_ms = guard.control, guard.clock.now_ms()
    nodes = zip(control.nodes, control.junction.nodes, strict=True)
    aspects = dict(zip((g.id for g in control.junction.groups), guard.signals.aspects, strict=True))
    return Status(
        site=guard.site,
        junction=control.junction.id,
        version=version_of("umlauf"),
        at=utc_text(guard, now_ms),
        uptime_s=(now_ms - guard.start_ms) / 1000,
        shadow=guard.shadow,
        nodes=tuple(_node(guard, node, model, aspects, now_ms) for node, model in nodes),
        aspects={group: aspect.name.lower() for group, aspect in aspects.items()},
        detectors=tuple(_detectors(guard)),
        lanes=tuple(_lanes(guard, now_ms)),
        optimizer=guard.optimizer.state if guard.optimizer is not None else "off",
        signals=_signals(guard, now_ms),
        ages_s=guard.ages_s(now_ms),
        ticks=guard.ticks,
        late_ticks=guard.late_ticks,
        max_lateness_ms=float(guard.max_late_ms),
        decisions=guard.decisions,
        detector_events=guard.detector_events,
        refusals=guard.signals.refusals,
        events=tuple(guard.events),
        numbers=guard.numbers(),
    )


def utc_text(guard: Guard, at_ms: int) -> str:
    """Return the monotonic time ``at_ms`` as UTC by the wall clock of now."""
    return (guard.clock.utc() - timedelta(milliseconds=guard.clock.now_ms() - at_ms)).isoformat(timespec="milliseconds")


def _node(guard: Guard, node: NodeControl, model: Node, aspects: Mapping[str, Aspect], now_ms: int) -> NodeStatus:
    supervisor, plan = node.supervisor, node.plan
    change = node.mode_changes[-1] if node.mode_changes else None
    wish = supervisor.override_now
    names = {OFF: "off", **{at: stage.id for at, stage in enumerate(model.stages)}}
    kinds = guard.control.junction.group_by_id
    vehicles = [group for group in model.groups if kinds[group].kind is not GroupKind.PEDESTRIAN]  # where walks flash they are seen as red
    off = node.sequencer.off and SHOWN_OFF.issuperset(aspects[group] for group in vehicles)  # a controller that is let go goes on by itself
    steps = plan.steps if plan is not None else ()
    begins = [(a.until_ms, b.stage) for a, b in pairwise(steps) if a.until_ms is not None]
    return NodeStatus(
        id=node.id,
        mode=str(supervisor.mode),
        mode_why=change.why if change is not None else "the site's own mode",
        mode_since=utc_text(guard, change.at_ms if change is not None else guard.start_ms),
        wanted=str(supervisor.wanted),
        faults=tuple(sorted(supervisor.faults)),
        override=OverrideStatus(str(wish.mode), utc_text(guard, wish.until_ms), wish.who, wish.why) if wish is not None else None,
        stage=names[OFF if off else node.state(now_ms).stage],
        planner=plan.planner if plan is not None else "",
        plan_reason=plan.reason if plan is not None else "",
        next_steps=tuple((names[stage], (at_ms - now_ms) / 1000) for at_ms, stage in begins if at_ms >= now_ms),
        asked=tuple((group, (now_ms - ms) / 1000) for group, ms in guard.control.detection.requests.since_ms.items() if group in model.groups),
    )


def _detectors(guard: Guard) -> list[DetectorStatus]:
    detection = guard.control.detection
    states = detection.states()
    return [
        DetectorStatus(d.id, str(d.purpose), s.occupied, s.trusted, detection.why(d.id), s.count)
        for d in guard.control.junction.detectors
        if (s := states[d.id]) is not None
    ]


def _lanes(guard: Guard, now_ms: int) -> list[LaneStatus]:
    beliefs = guard.control.estimator.beliefs(now_ms)
    return [LaneStatus(name, b.queue_veh, 3600 * b.flow_veh_s, _HOUR_MS / b.headway_ms if b.headway_ms else 0.0) for name, b in beliefs.items()]


def _signals(guard: Guard, now_ms: int) -> str:
    if guard.watch.signals_lost:
        return "lost"
    try:
        return guard.signals.observe(now_ms).mode
    except PortError:
        return "lost"
