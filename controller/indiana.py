"""Export of a journal as high-resolution events in the Indiana enumeration, which ATSPM tools read.

Rows are (time, DeviceId, EventId, Parameter). The device is the junction; a phase is the number of a signal group in the
junction's order from 1, a detector likewise; `phase_rows` and `detector_rows` are the tables that say which is which.
Red clearance ends where the first conflicting green begins, at the latest after the group's longest intergreen.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from controller.detector_rules import OF_DEVICE, Fault
from controller.indiana_codes import (
    DEVICE_FAULTS,
    FLASHING,
    INPUTS,
    MOST_SPLITS,
    NOT_FLASHING,
    OTHER_PATTERN,
    PATTERNS,
    TERMINATIONS,
    VALUED,
    Code,
)
from controller.journal_reader import EventRow, FrameRow, JournalReader, JunctionRow, NoteRow, PlanRow
from controller.journal_schema import DETECTOR_NOTE
from controller.junction import Junction, Purpose
from controller.requests import PRESSES
from hardware.ports import InputKind
from hardware.signals import Aspect, GroupKind

SIGN_OF_LIFE_MS: Final = 60_000  # atspm 2.6.1 takes a device that is silent for 120 s as lost
JUDGED: Final = frozenset(Fault) - set(OF_DEVICE.values())
_UNLIT: Final = frozenset({Aspect.DARK, Aspect.FLASHING_AMBER})


class Event(NamedTuple):
    """One row, at monotonic time ``at_ms``."""

    at_ms: int
    device: str
    code: Code | int
    parameter: int


def export_events(reader: JournalReader) -> list[Event]:
    """Return the events of all junctions in order of time."""
    ticks = list(reader.ticks())
    found: list[Event] = []
    for name, row in reader.junctions.items():
        plans = [plan for plan in reader.plans() if plan.junction_id == name]
        frames = [frame for frame in reader.frames() if frame.junction_id == name]
        inputs = _input_events(row, reader.events()), _health_events(row.junction, reader.notes())
        streams = [_phase_events(row.junction, frames, plans, ticks), *inputs, _plan_events(row.junction, plans)]
        found += heapq.merge(*(sorted(stream, key=lambda event: event.at_ms) for stream in streams), key=lambda event: event.at_ms)
    return sorted(found, key=lambda event: event.at_ms)


def phase_rows(junctions: Iterable[Junction]) -> Iterator[dict[str, object]]:
    """Yield which phase is which signal group."""
    for junction in junctions:
        for number, group in enumerate(junction.groups, 1):
            yield {"DeviceId": junction.id, "Phase": number, "Group": group.id, "Kind": str(group.kind)}


def detector_rows(junctions: Iterable[Junction]) -> Iterator[dict[str, object]]:
    """Yield atspm's detector configuration: DeviceId, Phase, Parameter, Function; and the detector's own name."""
    functions = {Purpose.STOP: ("Presence", "Yellow_Red"), Purpose.ADVANCE: ("Advance",), Purpose.ENTRY: ("Advance",), Purpose.EXIT: ()}
    for junction in junctions:
        phase_of = {group.id: number for number, group in enumerate(junction.groups, 1)}
        for number, detector in enumerate(junction.detectors, 1):
            phases = sorted({phase_of[movement.group] for movement in junction.movements if movement.lane in detector.lanes})
            for phase in phases:
                for function in functions[detector.purpose]:
                    yield {"DeviceId": junction.id, "Phase": phase, "Parameter": number, "Function": function, "Detector": detector.id}


def _phase_events(junction: Junction, frames: Sequence[FrameRow], plans: Sequence[PlanRow], ticks: Sequence[tuple[int, int]]) -> Iterator[Event]:
    """Yield what the frames say of each phase, and the flash status with a sign of life."""
    before: tuple[Aspect, ...] = (Aspect.RED,) * len(junction.groups)
    clearing: dict[int, int] = {}  # phase index -> when its red clearance ends at the latest
    ended = _Terminations(junction, plans)
    for frame in frames:
        for event in _ends_of_clearance(junction, clearing, before, frame):
            yield event
        for k, (old, new) in enumerate(zip(before, frame.aspects, strict=True)):
            if old is not new:
                walks = junction.groups[k].kind is GroupKind.PEDESTRIAN
                codes = _walk_codes(old, new) if walks else _phase_codes(old, new, ended.code(frame, junction.groups[k].id))
                for code in codes:
                    yield Event(frame.now_ms, junction.id, code, k + 1)
                if new is Aspect.RED and old in (Aspect.AMBER, Aspect.GREEN):
                    clearing[k] = frame.now_ms + _clearance_ms(junction, k, old)
        before = frame.aspects
    for event in _ends_of_clearance(junction, clearing, before, None):
        yield event
    yield from _flash_events(junction, frames, ticks)


def _phase_codes(old: Aspect, new: Aspect, termination: Code) -> tuple[Code, ...]:
    match old, new:
        case _, Aspect.GREEN:
            return Code.PHASE_ON, Code.BEGIN_GREEN
        case Aspect.GREEN, Aspect.AMBER:
            return termination, Code.GREEN_TERMINATION, Code.BEGIN_YELLOW
        case Aspect.GREEN, Aspect.RED:
            return termination, Code.GREEN_TERMINATION, Code.BEGIN_RED_CLEARANCE
        case Aspect.AMBER, Aspect.RED:
            return Code.END_YELLOW, Code.BEGIN_RED_CLEARANCE
        case _:
            return ()


def _walk_codes(old: Aspect, new: Aspect) -> tuple[Code, ...]:
    match old, new:
        case _, Aspect.GREEN:
            return (Code.WALK,)
        case Aspect.GREEN, Aspect.RED:
            return (Code.PEDESTRIAN_CLEARANCE,)
        case _:
            return ()


def _clearance_ms(junction: Junction, k: int, old: Aspect) -> int:
    """Return how long the group clears after it turned red: for pedestrians their clearance, else intergreen less amber."""
    group = junction.groups[k]
    if group.kind is GroupKind.PEDESTRIAN:
        return group.clearance_ms
    longest_ms = max([row.intergreen_ms for row in junction.intergreens if row.clearing == group.id], default=0)
    return max(0, longest_ms - (group.amber_ms if old is Aspect.AMBER else 0))


def _ends_of_clearance(junction: Junction, clearing: dict[int, int], before: Sequence[Aspect], frame: FrameRow | None) -> Iterator[Event]:
    """Yield the ends of the red clearances that are over when ``frame`` begins (None: the end of the journal)."""
    starting = set()
    if frame is not None:
        starting = {group.id for group, old, new in zip(junction.groups, before, frame.aspects, strict=True) if new is Aspect.GREEN and old is not new}
    for k, end_ms in list(clearing.items()):
        group = junction.groups[k]
        at_ms = end_ms
        if frame is not None and end_ms > frame.now_ms:
            if group.id not in starting and not any((group.id, other) in junction.intergreen_ms for other in starting):
                continue
            at_ms = frame.now_ms
        del clearing[k]
        codes = (Code.DONT_WALK,) if group.kind is GroupKind.PEDESTRIAN else (Code.END_RED_CLEARANCE, Code.PHASE_INACTIVE)
        for code in codes:
            yield Event(at_ms, junction.id, code, k + 1)


class _Terminations:
    """Why greens end: by the plan that the group's node had then taken last."""

    def __init__(self, junction: Junction, plans: Iterable[PlanRow]) -> None:
        self._node_of = {group: node.id for node in junction.nodes for group in node.groups}
        self._plans = iter(plans)
        self._next = next(self._plans, None)
        self._code: dict[str, Code] = {}

    def code(self, frame: FrameRow, group: str) -> Code:
        """Return the code for a green of ``group`` that ends with ``frame``; frames come in order of time."""
        while self._next is not None and self._next.tick <= frame.tick:
            self._code[self._next.node_id] = TERMINATIONS.get(str(self._next.plan.detail.get("ended")), Code.FORCE_OFF)
            self._next = next(self._plans, None)
        return self._code.get(self._node_of[group], Code.FORCE_OFF)


def _flash_events(junction: Junction, frames: Sequence[FrameRow], ticks: Sequence[tuple[int, int]]) -> Iterator[Event]:
    """Yield the flash status where it changes and as a sign of life."""
    changes = {frame.tick: FLASHING if _UNLIT.issuperset(frame.aspects) else NOT_FLASHING for frame in frames}
    status, told_ms, told = NOT_FLASHING, None, None
    for tick, now_ms in ticks:
        status = changes.get(tick, status)
        if told_ms is None or status != told or now_ms - told_ms >= SIGN_OF_LIFE_MS:
            told_ms, told = now_ms, status
            yield Event(now_ms, junction.id, Code.FLASH_STATUS, status)


def _input_events(row: JunctionRow, events: Iterable[EventRow]) -> Iterator[Event]:
    """Yield what the inputs told. A source that is no detector is numbered after them, in the order of appearance; buttons call their groups' phases."""
    numbers = {detector.id: number for number, detector in enumerate(row.junction.detectors, 1)}
    phases = _called(row.junction)
    for _, _, event in (one for one in events if one.junction_id == row.junction.id):
        off, on = INPUTS.get(event.kind, (None, None))
        code = on if event.value else off
        if event.kind is InputKind.DETECTOR_FAULT:
            code = DEVICE_FAULTS.get(event.value, code)
        if event.source in phases and event.kind in (InputKind.PRESENCE, *PRESSES):
            yield from [Event(event.at_ms, row.junction.id, Code.PEDESTRIAN_CALL, phase) for phase in phases[event.source] if event.value]
        elif code is not None:
            number = numbers.setdefault(event.source, len(numbers) + 1)
            yield Event(event.at_ms, row.junction.id, code, int(event.value != 0) if code in VALUED else number)


def _called(junction: Junction) -> dict[str, list[int]]:
    """Return by button the phases that it calls."""
    phase_of = {group.id: number for number, group in enumerate(junction.groups, 1)}
    return {button.id: [phase_of[group] for group in button.groups] for button in junction.buttons}


def _health_events(junction: Junction, notes: Iterable[NoteRow]) -> Iterator[Event]:
    """Yield the detectors that lost or regained trust by our own judgement; what a device says of a loop is an input."""
    numbers = {detector.id: number for number, detector in enumerate(junction.detectors, 1)}
    for note in notes:
        number = numbers.get(str(note.detail.get("detector", ""))) if note.kind == DETECTOR_NOTE else None
        if number is not None and note.detail.get("fault") in JUDGED:
            yield Event(note.now_ms, junction.id, Code.DETECTOR_RESTORED if note.detail["trusted"] else Code.DETECTOR_FAULT, number)


def _plan_events(junction: Junction, plans: Iterable[PlanRow]) -> Iterator[Event]:
    """Yield a pattern change where another planner takes over, and what once-per-cycle plans tell of cycle and splits."""
    planner = ""
    for row in plans:
        plan = row.plan
        if plan.planner != planner:
            planner = plan.planner
            yield Event(row.now_ms, junction.id, Code.PATTERN, PATTERNS.get(planner, OTHER_PATTERN))
        match plan.detail:
            case {"cycle_s": float() | int() as cycle_s, "greens_s": dict() as greens_s}:
                yield Event(row.now_ms, junction.id, Code.CYCLE_LENGTH, round(cycle_s))
                for number, split_s in enumerate(_splits_s(junction, row, greens_s)[:MOST_SPLITS]):
                    yield Event(row.now_ms, junction.id, Code.SPLIT_FIRST + number, round(split_s))
            case _:
                pass


def _splits_s(junction: Junction, row: PlanRow, greens_s: Mapping[str, float]) -> list[float]:
    """Return each phase's green in the cycle: the shares of all stages, by id, that show it, transitions not counted."""
    stages = next(node.stages for node in junction.nodes if node.id == row.node_id)
    return [sum(greens_s.get(stage.id, 0.0) for stage in stages if group.id in stage.green) for group in junction.groups]
