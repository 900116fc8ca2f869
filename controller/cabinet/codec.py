"""What crosses the pipe between guard and optimizer: JSON lines, with a version, never pickles.

Questions come from the guard and are trusted. Answers are not: whoever has taken over the optimizer process can ask for stages, and
nothing else, so `answer_of` takes nothing that it has not checked. A snapshot stands as `controller.known` writes it; times are monotonic milliseconds.

    guard to optimizer    {"v": 1, "hello": JUNCTION}    {"v": 1, "ask": ID, "node": NODE, "mode": MODE, "snapshot": [...]}    {"v": 1, "ping": ID}
    optimizer to guard    {"v": 1, "ready": true}    {"v": 1, "id": ID, "plan": [...] or null, ...}    {"v": 1, "pong": ID}    {"v": 1, "error": TEXT}

A question with ``"remember": true`` also asks what the planner remembered before it, for the journal; the answer has it as ``memory``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, Final, NamedTuple

from controller.journal_schema import json_text
from controller.plan import Plan, PlanStep
from controller.planner import Note, Predicted

VERSION: Final = 1
LINE_BYTES: Final = 1_000_000  # a longer line is no message
MOST_STEPS: Final = 64
MOST_TEXT: Final = 4_000
MOST_NOTES: Final = 100
AHEAD_MS: Final = 3_600_000  # a plan that is surer of the future than that is none
CLEAR_MS: Final = 120_000
MOST_MEMORY: Final = 20_000  # characters; some hundred are usual


class CodecError(ValueError):
    """A line is no message: what was expected, what was found."""


class Shape(NamedTuple):
    """What an answer for one node may speak of: its number of stages, and the junction's lanes with their numbers of movements."""

    stages: int
    movements: Mapping[str, int]


class Answer(NamedTuple):
    """What a planner said to one question."""

    id: int
    plan: Plan | None
    digest: bytes
    solve_ms: float | None
    notes: tuple[Note, ...]
    predicted: tuple[Predicted, ...]
    memory: Mapping[str, object] | None = None  # what the planner remembered before the question, where it was asked for that


def line_of(**message: object) -> bytes:
    """Return one message as a line. Raises `ValueError` for a NaN or an infinite number."""
    return json.dumps({"v": VERSION, **message}, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode() + b"\n"


def message_of(line: bytes) -> dict[str, Any]:
    """Return the message of one line. Raises `CodecError` where it is none of this version."""
    try:
        found = json.loads(line.decode(), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise CodecError(f"expected a line of JSON, found {line[:40]!r} ({error})") from error
    if not isinstance(found, dict) or found.get("v") != VERSION:
        raise CodecError(f"expected a message of version {VERSION}, found {line[:40]!r}")
    return found


def answer_line(answer: Answer) -> bytes:
    """Return a planner's answer as a line."""
    plan = answer.plan
    steps = [(s.stage, s.until_ms, s.clear_ms) for s in plan.steps] if plan is not None else []
    return line_of(
        id=answer.id,
        plan=[plan.planner, plan.made_ms, steps, plan.reason, json.loads(json_text(plan.detail))] if plan is not None else None,
        digest=answer.digest.hex(),
        solve_ms=answer.solve_ms,
        notes=[(n.kind, n.text, json.loads(json_text(n.detail))) for n in answer.notes],
        predicted=json.loads(json_text(answer.predicted)),
        memory=None if answer.memory is None else json.loads(json_text(answer.memory)),
    )


def answer_of(message: Mapping[str, Any], planner: str, now_ms: int, shape: Shape) -> Answer:
    """Return the answer in a message to a question of ``now_ms`` to ``planner``. Raises `CodecError` naming what is wrong with it."""
    try:
        plan = message["plan"]
        digest = bytes.fromhex(_text(message["digest"], 128))
        solve_ms = message["solve_ms"]
        return Answer(
            _whole(message["id"], 0, 1 << 62),
            None if plan is None else _plan(plan, planner, now_ms, shape),
            digest,
            None if solve_ms is None else _number(solve_ms),
            tuple(_note(*row) for row in _rows(message["notes"], MOST_NOTES)),
            tuple(_predicted(row, now_ms, shape) for row in _rows(message["predicted"], len(shape.movements))),
            None if message.get("memory") is None else _memory(message["memory"]),
        )
    except CodecError:
        raise
    except (LookupError, TypeError, ValueError, RecursionError) as error:
        raise CodecError(f"expected an answer, found {str(message)[:80]!r} ({error!r})") from error


def _plan(row: Sequence[Any], planner: str, now_ms: int, shape: Shape) -> Plan:
    name, made_ms, steps, reason, detail = row
    if name != planner or made_ms != now_ms:
        raise CodecError(f"expected a plan by {planner} of {now_ms} ms, found one by {str(name)[:40]!r} of {str(made_ms)[:40]} ms")
    rows = _rows(steps, MOST_STEPS)
    if not rows:
        raise CodecError("expected a plan with at least one step, found none")
    return Plan(planner, now_ms, tuple(_step(step, now_ms, shape) for step in rows), _text(reason, MOST_TEXT), _data(detail))


def _step(row: Any, now_ms: int, shape: Shape) -> PlanStep:
    stage, until_ms, clear_ms = row
    until = None if until_ms is None else _whole(until_ms, now_ms - AHEAD_MS, now_ms + AHEAD_MS)
    return PlanStep(_whole(stage, 0, shape.stages - 1), until, _whole(clear_ms, 0, CLEAR_MS))


def _note(kind: Any, text: Any, detail: Any) -> Note:
    return Note(_text(kind, 40), _text(text, MOST_TEXT), _data(detail))


def _predicted(row: Sequence[Any], now_ms: int, shape: Shape) -> Predicted:
    lane, made_ms, after, stages, served = row
    if lane not in shape.movements or made_ms != now_ms or len(after) != len(stages):
        raise CodecError(f"expected departures of one of our lanes, found {str(lane)[:40]!r}")
    moves = [[_whole(m, 0, shape.movements[lane] - 1) for m in _rows(stage, 100)] for stage in _rows(served, shape.stages)]
    return Predicted(lane, now_ms, [_whole(t, 0, AHEAD_MS) for t in _rows(after, 1_000)], [_whole(s, 0, len(moves) - 1) for s in stages], moves)


def _rows(value: Any, most: int) -> Sequence[Any]:
    if not isinstance(value, list) or len(value) > most:
        raise CodecError(f"expected a list of at most {most}, found {str(value)[:40]!r}")
    return value


def _whole(value: Any, low: int, high: int) -> int:
    if type(value) is not int or not low <= value <= high:
        raise CodecError(f"expected a whole number of {low} to {high}, found {str(value)[:40]!r}")
    return value


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not isfinite(value):
        raise CodecError(f"expected a number, found {str(value)[:40]!r}")
    return float(value)


def _text(value: Any, most: int) -> str:
    if not isinstance(value, str) or len(value) > most:
        raise CodecError(f"expected at most {most} characters, found {str(value)[:40]!r}")
    value.encode()  # a lone surrogate is no text
    return value


def _data(value: Any) -> dict[str, object]:
    """Return JSON data for the journal, in which 1e999 has become infinite."""
    if not isinstance(value, dict):
        raise CodecError(f"expected an object, found {str(value)[:40]!r}")
    json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    return value


def _memory(value: Any) -> dict[str, object]:
    found = _data(value)
    if (length := len(json_text(found))) > MOST_MEMORY:
        raise CodecError(f"expected a memory of at most {MOST_MEMORY} characters, found {length}")
    return found


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no number")
