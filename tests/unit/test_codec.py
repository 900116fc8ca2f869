"""What crosses the pipe: what is written is read again, and what is not a message of ours is refused, whatever it is."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import astuple, fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support_control import Scene, junction

from controller.cabinet.codec import Answer, CodecError, Shape, answer_line, answer_of, line_of, message_of
from controller.known import DIGITS, snapshot_of, snapshot_rows
from controller.plan import Plan, PlanStep
from controller.planner import Note, Predicted
from controller.snapshot import Coming, DetectorState, LaneBelief, SignalState, Snapshot

pytestmark = pytest.mark.quick

ONE = junction()
SHAPE = Shape(4, {x.id: sum(m.lane == x.id for m in ONE.movements) for x in ONE.lanes})
NOW_MS = 100_000
times = st.integers(-(1 << 41), 1 << 41)
finite = st.floats(allow_nan=False, allow_infinity=False)
names = st.text(max_size=8)
optional = st.one_of(st.none(), times)


def values_of(annotation: str) -> st.SearchStrategy[Any]:
    kinds = {"int": times, "float": finite, "bool": st.booleans()}
    if annotation.startswith("tuple["):
        return st.lists(kinds[annotation[6:-6]], max_size=4).map(tuple)
    return kinds[annotation]


def rows_of(kind: type) -> st.SearchStrategy[Any]:
    return st.builds(kind, **{f.name: values_of(str(f.type)) for f in fields(kind)})


signals = st.builds(
    SignalState,
    stage=st.integers(0, 5),
    from_stage=st.integers(0, 5),
    settled_ms=times,
    earliest_leave_ms=times,
    green_since_ms=st.dictionaries(names, optional, max_size=3),
    red_since_ms=st.dictionaries(names, optional, max_size=3),
    earliest_green_ms=st.dictionaries(names, times, max_size=3),
)
comings = st.builds(Coming, st.lists(times, max_size=3).map(tuple), st.lists(times, max_size=3).map(tuple), finite, times, times)
snapshots = st.builds(
    Snapshot,
    tick=st.integers(0, 1 << 40),
    now_ms=times,
    signals=signals,
    detectors=st.dictionaries(names, rows_of(DetectorState), max_size=3),
    lanes=st.dictionaries(names, rows_of(LaneBelief), max_size=3),
    blocked_exits=st.frozensets(names, max_size=3),
    coming=st.dictionaries(names, comings, max_size=2),
    exit_room_veh=st.dictionaries(names, times, max_size=2),
    shut_exits=st.frozensets(names, max_size=2),
)


def alike(found: Any, wanted: Any) -> bool:
    """Tell whether two values are the same but for what rounding takes."""
    if isinstance(wanted, float):
        return bool(found == pytest.approx(wanted, rel=1e-9, abs=0.51 * 10**-DIGITS))
    if isinstance(wanted, tuple):
        return len(found) == len(wanted) and all(map(alike, found, wanted))
    return type(found) is type(wanted) and bool(found == wanted)


@given(snapshots)
def test_a_snapshot_comes_back_equal_but_for_its_last_digits(snapshot: Snapshot) -> None:
    line = line_of(snapshot=snapshot_rows(snapshot))
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    back = snapshot_of(message_of(line)["snapshot"])
    assert snapshot_rows(back) == snapshot_rows(snapshot)
    assert replace(back, lanes={}, detectors={}, coming={}) == replace(snapshot, lanes={}, detectors={}, coming={})
    assert {x: Coming(c.arrival_ms, c.weight_milli, 0.0, c.told_ms, c.held_milli) for x, c in back.coming.items()} == {
        x: Coming(c.arrival_ms, c.weight_milli, 0.0, c.told_ms, c.held_milli) for x, c in snapshot.coming.items()
    }
    for kept, rows in ((back.lanes, snapshot.lanes), (back.detectors, snapshot.detectors)):
        assert kept.keys() == rows.keys()
        assert all(alike(astuple(kept[x]), astuple(row)) for x, row in rows.items())  # type: ignore[call-overload]


def test_what_was_known_before_neighbours_told_of_reds_and_buttons_asked_can_be_read() -> None:
    snapshot = replace(Scene(now_ms=NOW_MS).snapshot(), coming={"e0": Coming((1,), (2,), 0.5, 3)})
    *rows, coming, room, shut, asked = snapshot_rows(snapshot)
    assert (shut, asked) == ([], {})
    assert snapshot_of([*rows, coming, room, shut]) == snapshot
    assert snapshot_of([*rows, {name: row[:4] for name, row in coming.items()}, room]) == snapshot


def test_what_buttons_asked_for_is_kept() -> None:
    snapshot = replace(Scene(now_ms=NOW_MS).snapshot(), requests={"W": NOW_MS - 5_000})
    assert snapshot_of(snapshot_rows(snapshot)).requests == {"W": NOW_MS - 5_000}


def test_a_snapshot_of_the_control_comes_back_equal() -> None:
    snapshot = Scene(now_ms=NOW_MS).snapshot()
    assert snapshot_of(message_of(line_of(snapshot=snapshot_rows(snapshot)))["snapshot"]) == snapshot


def test_a_snapshot_with_a_nan_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        line_of(snapshot=[float("nan")])


def answer(**more: Any) -> Answer:
    plan = Plan(
        "adaptive", NOW_MS, (PlanStep(2, NOW_MS + 5_000), PlanStep(0, None, 1_000)), "queues in the west", {"cost_ms": 12, "alternatives_ms": {"NS": 3.5}}
    )
    predicted = (Predicted("e0", NOW_MS, [1_000, 3_000], [0, 1], [[0, 1], [1]]),)
    return Answer(7, plan, b"\x01\xff", 3.25, (Note("gate", "closes", {"lane": "e0"}),), predicted)._replace(**more)


@pytest.mark.parametrize("one", [answer(), answer(plan=None, notes=(), predicted=(), digest=b"", solve_ms=None)])
def test_an_answer_comes_back_equal(one: Answer) -> None:
    assert answer_of(message_of(answer_line(one)), "adaptive", NOW_MS, SHAPE) == one


def changed(path: list[Any], value: Any) -> bytes:
    """Return an answer's line with one thing replaced."""
    message = json.loads(answer_line(answer()))
    place = message
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    return json.dumps(message).encode()


BAD = [
    (["plan", 0], "cycle"),  # another planner's
    (["plan", 1], NOW_MS - 1),  # of another snapshot
    (["plan", 1], None),
    (["plan", 2], []),
    (["plan", 2], [[2, None, 0]] * 65),
    (["plan", 2, 0, 0], 4),  # an unknown stage
    (["plan", 2, 0, 0], -1),  # signals off are not the optimizer's to ask for
    (["plan", 2, 0, 0], 1.0),
    (["plan", 2, 0, 0], True),
    (["plan", 2, 0, 1], float("nan")),
    (["plan", 2, 0, 1], 1e300),
    (["plan", 2, 0, 1], 10**30),
    (["plan", 2, 0, 1], "soon"),
    (["plan", 2, 0, 2], -5),
    (["plan", 2, 0, 2], 10**9),
    (["plan", 2, 0], [1]),
    (["plan", 3], 5),
    (["plan", 3], "x" * 5_000),
    (["plan", 3], "\ud800"),
    (["plan", 4], []),
    (["plan", 4, "cost_ms"], float("inf")),
    (["plan"], "stay"),
    (["plan"], {}),
    (["digest"], "xyz"),
    (["digest"], 5),
    (["solve_ms"], float("inf")),
    (["solve_ms"], "fast"),
    (["id"], None),
    (["notes"], {}),
    (["notes", 0], []),
    (["notes"], [["a", "b", {}]] * 101),
    (["predicted", 0, 0], "nowhere"),
    (["predicted", 0, 0], []),
    (["predicted", 0, 2], [1]),
    (["predicted", 0, 3, 0], 9),
    (["predicted", 0, 4, 0, 0], 17),
    (["predicted"], None),
]


@pytest.mark.parametrize(("path", "value"), BAD, ids=[f"{path}={str(value)[:12]!r}" for path, value in BAD])
def test_a_wrong_answer_is_refused(path: list[Any], value: Any) -> None:
    with pytest.raises(CodecError):
        answer_of(message_of(changed(path, value)), "adaptive", NOW_MS, SHAPE)


def test_a_number_too_large_for_a_float_is_refused() -> None:
    line = answer_line(answer()).replace(b'"cost_ms":12', b'"cost_ms":1e999')
    with pytest.raises(CodecError):
        answer_of(message_of(line), "adaptive", NOW_MS, SHAPE)


@pytest.mark.parametrize(
    "line",
    [b"", b"\x00\xff", b"hello", b"[]", b"5", b"{}", b'{"v": 2}', b'{"v":1', b"[" * 100_000, b'{"v":1,"id":NaN}', b"1" * 10_000, '{"v":1}'.encode("utf-16")],
)
def test_what_is_no_message_is_refused(line: bytes) -> None:
    with pytest.raises(CodecError):
        message_of(line)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_refused(line: bytes) -> None:
    with suppress(CodecError):
        message_of(line)


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
anything = st.recursive(leaves, lambda x: st.lists(x, max_size=4) | st.dictionaries(st.text(max_size=4), x, max_size=3))


@given(st.fixed_dictionaries(dict.fromkeys(("id", "plan", "digest", "solve_ms", "notes", "predicted"), anything)))
def test_any_data_is_an_answer_or_refused(message: dict[str, Any]) -> None:
    try:
        found = answer_of(message, "adaptive", NOW_MS, SHAPE)
    except CodecError:
        return
    assert found.plan is None or all(0 <= step.stage < SHAPE.stages for step in found.plan.steps)
