"""The newest status as Prometheus metrics (docs/METRICS.md). Labels are ids of the site's own files and closed sets, so that they are bounded."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Final, NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from controller.cabinet.status import Status
from controller.supervisor import FAULTS, Mode
from hardware.signals import Aspect

MOST_NUMBERS: Final = 64  # of the open list that a status may carry
OPTIMIZER_STATES: Final = ("ready", "starting", "lost", "off")
SIGNAL_STATES: Final = ("remote", "local", "fault", "lost")
_WORD: Final = re.compile(r"[a-z][a-z0-9_]{0,59}")

Rows = Iterator[tuple[tuple[str, ...], float]]


class Family(NamedTuple):
    """One metric: its name without ``umlauf_``, help, labels, and its rows from a status."""

    name: str
    help: str
    labels: tuple[str, ...]
    rows: Callable[[Status], Rows]
    counter: bool = False


def _one(value: Callable[[Status], float]) -> Callable[[Status], Rows]:
    return lambda status: iter([((), value(status))])


def _modes(status: Status) -> Rows:
    return (((node.id, mode.value), float(node.mode == mode)) for node in status.nodes for mode in Mode)


def _faults(status: Status) -> Rows:
    return (((node.id, fault.value), float(fault.value in node.faults)) for node in status.nodes for fault in FAULTS)


def _aspects(status: Status) -> Rows:
    return (((group,), float(Aspect[name.upper()])) for group, name in status.aspects.items() if name.upper() in Aspect.__members__)


FAMILIES: Final = (
    Family("info", "What runs: always 1.", ("site", "junction", "version"), lambda s: iter([((s.site, s.junction, s.version), 1.0)])),
    Family("uptime_seconds", "Time since the daemon's start.", (), _one(lambda s: s.uptime_s)),
    Family("shadow", "1 where everything is computed and nothing is sent.", (), _one(lambda s: float(s.shadow))),
    Family("mode", "1 for the mode that is in force, 0 for all others.", ("node", "mode"), _modes),
    Family("fault", "1 while the fault stands.", ("node", "fault"), _faults),
    Family("override", "1 while an operator's override is in force.", ("node",), lambda s: (((n.id,), float(n.override is not None)) for n in s.nodes)),
    Family("optimizer", "1 for the state of the optimizer process.", ("state",), lambda s: (((x,), float(s.optimizer == x)) for x in OPTIMIZER_STATES)),
    Family("signals", "1 for who drives the signals: remote is we.", ("state",), lambda s: (((x,), float(s.signals == x)) for x in SIGNAL_STATES)),
    Family("group_aspect", "0 dark, 1 red, 2 red-amber, 3 green, 4 amber, 5 flashing.", ("group",), _aspects),
    Family("detector_trusted", "1 while the detector is believed.", ("detector",), lambda s: (((d.id,), float(d.trusted)) for d in s.detectors)),
    Family("detector_occupied", "1 while it is covered.", ("detector",), lambda s: (((d.id,), float(d.occupied)) for d in s.detectors)),
    Family("detector_vehicles", "Vehicles counted.", ("detector",), lambda s: (((d.id,), float(d.count)) for d in s.detectors), counter=True),
    Family("lane_queue_vehicles", "Vehicles believed to queue.", ("lane",), lambda s: (((x.id,), x.queue_veh) for x in s.lanes)),
    Family("lane_flow_vehicles_per_hour", "Expected flow.", ("lane",), lambda s: (((x.id,), x.flow_veh_h) for x in s.lanes)),
    Family("lane_saturation_vehicles_per_hour", "Learned saturation flow.", ("lane",), lambda s: (((x.id,), x.saturation_veh_h) for x in s.lanes)),
    Family("age_seconds", "Age of the newest answer of each watched part.", ("part",), lambda s: (((part,), age_s) for part, age_s in s.ages_s.items())),
    Family("ticks", "Ticks done.", (), _one(lambda s: s.ticks), counter=True),
    Family("late_ticks", "Ticks begun more than 50 ms after they were due.", (), _one(lambda s: s.late_ticks), counter=True),
    Family("tick_lateness_max_seconds", "The latest tick's lateness.", (), _one(lambda s: s.max_lateness_ms / 1000)),
    Family("decisions", "Plans taken.", (), _one(lambda s: s.decisions), counter=True),
    Family("detector_events", "Input events received.", (), _one(lambda s: s.detector_events), counter=True),
    Family("interlock_refusals", "Frames or commands that the interlock refused.", (), _one(lambda s: s.refusals), counter=True),
)


class StatusCollector(Collector):
    """Makes the metrics of whatever ``newest`` returns: a status and how old it is, or None before the first."""

    def __init__(self, newest: Callable[[], tuple[Status, float] | None]) -> None:
        self._newest = newest

    def collect(self) -> Iterator[Metric]:
        """Yield all families; only whether there is a status, where there is none yet."""
        found = self._newest()
        yield GaugeMetricFamily("umlauf_up", "1 where the guard has told a status.", value=float(found is not None))
        if found is None:
            return
        status, age_s = found
        yield GaugeMetricFamily("umlauf_status_age_seconds", "Age of the status that all other metrics are made of.", value=age_s)
        for family in FAMILIES:
            yield _metric(family, family.rows(status))
        yield from _numbers(status.numbers)


def _metric(family: Family, rows: Rows) -> Metric:
    kind = CounterMetricFamily if family.counter else GaugeMetricFamily
    metric = kind(f"umlauf_{family.name}", family.help, labels=family.labels)
    for labels, value in rows:
        metric.add_metric(labels, value)
    return metric


def _numbers(numbers: Mapping[str, float]) -> Iterator[Metric]:
    """Yield what a part counts besides, where its name is one and no family's."""
    known = {family.name for family in FAMILIES} | {"up", "status_age_seconds"}
    for name, value in islice(sorted(numbers.items()), MOST_NUMBERS):
        if _WORD.fullmatch(name) and name not in known:
            yield GaugeMetricFamily(f"umlauf_{name}", "Counted by a part of the daemon; docs/METRICS.md.", value=value)
