"""What a journal file holds: tables, version, and how junctions, plans and frames are written in them.

A journal is one SQLite file in WAL mode, append-only. Names (junctions, nodes, detectors, kinds) are stored once in
``name`` and referred to by number; ticks are stored as runs of equal step; a frame only where it differs from the last.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from controller.errors import UmlaufError
from controller.junction import Junction
from controller.plan import Plan, PlanStep
from hardware.signals import Aspect

SCHEMA_VERSION: Final = 3
READABLE: Final = (2, SCHEMA_VERSION)  # version 2 lacks the tables `known` and `memory`
APPLICATION_ID: Final = 0x554D4C46  # "UMLF", so that `file` and we ourselves can tell a journal from another SQLite file
DETECTOR_NOTE: Final = "detector"  # of note that says that a detector lost or regained trust: detail trusted, detector, fault
COMMAND: Final = "command"  # of note that tells what a controller was asked for: detail junction; groups, durations_ms, failed, each where there is any
DRIVEN: Final = "driven"  # of note that tells how a controller is driven: detail junction, actuation, drivable
SEEN: Final = "controller seen"  # of note that tells what else than aspects a controller was seen in: detail junction; at_ms and mode, or lost
RESTART: Final = "restart"  # the kind of note that says with which tick a junction begins again from red
RESUME: Final = "resume"  # the kind of note at the head of a journal that begins while the junction is driven: what its sequencers remember
OBSERVED: Final = "observed"  # the kind of note that says that a controller owns a junction's aspects: its frames are what was seen
CLOCK: Final = "clock"  # the kind of note that tells the wall clock ("utc", ISO 8601) at its time, in a cabinet
FILE_NAME: Final = "journal.sqlite"
CABINET_FILES: Final = "*-????-??-??*.sqlite"  # SITE-DATE.sqlite, then SITE-DATE-2.sqlite: one file a day, and one more for each start
FILES: Final = (FILE_NAME, f"{FILE_NAME}-wal", f"{FILE_NAME}-shm")  # the last two only while it is written, or after a crash

TABLES: Final = {
    "meta": "key TEXT NOT NULL, value TEXT NOT NULL",
    "name": "id INTEGER PRIMARY KEY, text TEXT NOT NULL",
    "junction": "junction INTEGER NOT NULL, control TEXT NOT NULL, model TEXT NOT NULL, start_ms INTEGER NOT NULL, solvable INTEGER NOT NULL",
    "ticks": "first_tick INTEGER NOT NULL, first_ms INTEGER NOT NULL, step_ms INTEGER NOT NULL, count INTEGER NOT NULL",
    "event": "junction INTEGER NOT NULL, tick INTEGER NOT NULL, at_ms INTEGER NOT NULL, kind INTEGER NOT NULL, source INTEGER NOT NULL, value INTEGER NOT NULL",
    "message": "junction INTEGER NOT NULL, tick INTEGER NOT NULL, body TEXT NOT NULL",
    "plan": "junction INTEGER NOT NULL, node INTEGER NOT NULL, tick INTEGER NOT NULL, now_ms INTEGER NOT NULL, "
    "planner INTEGER NOT NULL, made_ms INTEGER NOT NULL, steps TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL",
    "frame": "junction INTEGER NOT NULL, tick INTEGER NOT NULL, now_ms INTEGER NOT NULL, aspects TEXT NOT NULL",
    "mode": "junction INTEGER NOT NULL, tick INTEGER NOT NULL, now_ms INTEGER NOT NULL, mode INTEGER NOT NULL, event INTEGER NOT NULL, reason TEXT NOT NULL",
    "snapshot": "junction INTEGER NOT NULL, node INTEGER NOT NULL, tick INTEGER NOT NULL, digest BLOB NOT NULL",
    "known": "tick INTEGER NOT NULL, whole INTEGER NOT NULL, body BLOB NOT NULL",  # of the first decision in it; `controller.known`
    "memory": "junction INTEGER NOT NULL, node INTEGER NOT NULL, tick INTEGER NOT NULL, planner INTEGER NOT NULL, body TEXT NOT NULL",
    "note": "now_ms INTEGER NOT NULL, kind INTEGER NOT NULL, text TEXT NOT NULL, detail TEXT NOT NULL",
}

# One character per aspect, so that a row of frames reads as one line a signal group (after RSMP's signal plans).
LETTERS: Final = {
    Aspect.DARK: "-",
    Aspect.RED: "R",
    Aspect.RED_AMBER: "u",
    Aspect.GREEN: "G",
    Aspect.AMBER: "A",
    Aspect.FLASHING_AMBER: "f",
}
_ASPECTS: Final = {letter: aspect for aspect, letter in LETTERS.items()}


class JournalError(UmlaufError, OSError):
    """A journal cannot be written or read: which file, what happened, how to mend it."""


def create_statements() -> list[str]:
    """Return the statements that make an empty journal."""
    tables = [f"CREATE TABLE {name} ({columns})" for name, columns in TABLES.items()]
    return [f"PRAGMA application_id = {APPLICATION_ID}", f"PRAGMA user_version = {SCHEMA_VERSION}", *tables]


def insert_statement(table: str) -> str:
    """Return the statement that appends one row to ``table``."""
    columns = TABLES[table].count(",") + 1
    return f"INSERT INTO {table} VALUES ({', '.join('?' * columns)})"


def letters(aspects: Iterable[Aspect]) -> str:
    """Return one character per aspect."""
    return "".join([LETTERS[aspect] for aspect in aspects])


def aspects_of(text: str) -> tuple[Aspect, ...]:
    """Return the aspects that `letters` wrote. Raises `JournalError` on an unknown letter."""
    try:
        return tuple(_ASPECTS[letter] for letter in text)
    except KeyError as error:
        raise JournalError(f"frame {text!r}: unknown letter {error}; expected letters of {''.join(_ASPECTS)!r}") from error


def json_text(value: object) -> str:
    """Return compact JSON; numpy scalars become plain numbers, anything else that JSON lacks is a `TypeError`."""
    return _ENCODER.encode(value)


def _plain(value: object) -> object:
    item = getattr(value, "item", None)
    if item is None:
        raise TypeError(f"cannot journal {value!r} of type {type(value).__name__}; expected JSON types only")
    plain: object = item()
    return plain


_ENCODER: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, default=_plain)  # `json.dumps` makes one for each call


def junction_text(junction: Junction) -> str:
    """Return the junction as JSON; `junction_of` gives an equal one back."""
    from pydantic import TypeAdapter

    return TypeAdapter(Junction).dump_json(junction).decode()


def junction_of(text: str) -> Junction:
    """Return the junction that `junction_text` wrote. Raises `JournalError` where the text is not one."""
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(Junction).validate_json(text)
    except ValidationError as error:
        raise JournalError(f"the journal's junction cannot be read; it was written by another version of umlauf: {error}") from error


def steps_text(plan: Plan) -> str:
    """Return the plan's steps as JSON lists (stage, until_ms, and clear_ms where there is any)."""
    return json_text([(s.stage, s.until_ms, s.clear_ms) if s.clear_ms else (s.stage, s.until_ms) for s in plan.steps])


def plan_of(planner: str, made_ms: int, steps: str, reason: str, detail: str) -> Plan:
    """Return the plan of one row. Raises `ValueError`, `TypeError` where it is none."""
    parsed = tuple(_step(*step) for step in json.loads(steps))
    return Plan(planner, made_ms, parsed, reason, dict(json.loads(detail)))


def _step(stage: int, until_ms: int | None, clear_ms: int = 0) -> PlanStep:
    return PlanStep(int(stage), None if until_ms is None else int(until_ms), int(clear_ms))
