"""What a journal tells, as plain tables: signal states, decisions with their reasons, requests to a controller, detector health and changes of mode."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from controller.free_stages import with_more_stages
from controller.journal_reader import JournalReader
from controller.journal_schema import COMMAND, DETECTOR_NOTE, json_text
from controller.journal_time import TimeBase
from controller.table_files import Table

SIGNALS: Final = {"TimeStamp": datetime, "DeviceId": str, "Group": str, "Kind": str, "Aspect": str}
DECISIONS: Final = {"TimeStamp": datetime, "DeviceId": str, "Node": str, "Planner": str, "Stage": str, "Reason": str, "Next": str, "Detail": str}
COMMANDS: Final = {"TimeStamp": datetime, "DeviceId": str, "Command": str, "Groups": str, "Durations": str, "Failed": str}
HEALTH: Final = {"TimeStamp": datetime, "DeviceId": str, "Detector": str, "Trusted": bool, "Reason": str}
MODES: Final = {"TimeStamp": datetime, "DeviceId": str, "Mode": str, "Event": str, "Reason": str}


class What(StrEnum):
    """What can be exported: events are those of the Indiana enumeration."""

    EVENTS = "events"
    SIGNALS = "signals"
    DECISIONS = "decisions"
    HEALTH = "health"
    COMMANDS = "commands"


def tables(reader: JournalReader, what: What) -> list[Table]:
    """Return the tables of one kind; events have files of their own (`controller.indiana_files`)."""
    match what:
        case What.SIGNALS:
            return [Table("signals", SIGNALS, list(_signals(reader)))]
        case What.DECISIONS:
            return [Table("decisions", DECISIONS, list(_decisions(reader)))]
        case What.COMMANDS:
            return [Table("commands", COMMANDS, list(_commands(reader)))]
        case What.HEALTH:
            return [Table("health", HEALTH, list(_health(reader))), Table("modes", MODES, list(_modes(reader)))]
        case What.EVENTS:
            return []


def _signals(reader: JournalReader) -> Iterator[tuple[object, ...]]:
    """Yield one row for each change of one group's aspect, and each group's first."""
    base = TimeBase(reader)
    shown: dict[tuple[str, str], object] = {}
    for frame in reader.frames():
        groups = reader.junctions[frame.junction_id].junction.groups
        for group, aspect in zip(groups, frame.aspects, strict=True):
            key = frame.junction_id, group.id
            if shown.get(key) is not aspect:
                shown[key] = aspect
                yield base.at(frame.now_ms), frame.junction_id, group.id, str(group.kind), aspect.name.lower()


def _decisions(reader: JournalReader) -> Iterator[tuple[object, ...]]:
    base = TimeBase(reader)
    names = {(j, node.id): [s.id for s in node.stages] for j, row in reader.junctions.items() for node in with_more_stages(row.junction).nodes}
    for row in reader.plans():
        stages = names[row.junction_id, row.node_id]
        steps = [{"stage": _name(stages, s.stage), "until_s": None if s.until_ms is None else (s.until_ms - row.now_ms) / 1000} for s in row.plan.steps]
        yield (
            *(base.at(row.now_ms), row.junction_id, row.node_id, row.plan.planner),
            *(steps[0]["stage"], row.plan.reason, json_text(steps), json_text(row.plan.detail)),
        )


def _name(stages: list[str], stage: int) -> str:
    """Return a stage's name; what is none (signals that are off) by its number."""
    return stages[stage] if 0 <= stage < len(stages) else f"#{stage}"


def _commands(reader: JournalReader) -> Iterator[tuple[object, ...]]:
    """Yield one row for each request to a controller; an empty list of groups takes back what was asked of its kind."""
    base = TimeBase(reader)
    for note in reader.notes():
        if note.kind == COMMAND:
            told: Any = note.detail
            durations = ", ".join(f"{ms / 1000:g}" for ms in told.get("durations_ms", ()))
            yield base.at(note.now_ms), told["junction"], note.text, ", ".join(told.get("groups", ())), durations, told.get("failed", "")


def _health(reader: JournalReader) -> Iterator[tuple[object, ...]]:
    base = TimeBase(reader)
    homes = {detector.id: j for j, row in reader.junctions.items() for detector in row.junction.detectors}
    for note in reader.notes():
        if note.kind == DETECTOR_NOTE:
            detector, _, why = note.text.partition(": ")
            yield base.at(note.now_ms), homes.get(detector, ""), detector, bool(note.detail.get("trusted")), why


def _modes(reader: JournalReader) -> Iterator[tuple[object, ...]]:
    base = TimeBase(reader)
    for row in reader.modes():
        yield base.at(row.now_ms), row.junction_id, row.mode, row.event, row.reason
