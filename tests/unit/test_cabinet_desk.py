"""What may be asked, by whom, and what is written down of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support_cabinet import PlayedGuard, status_of_day

from controller.cabinet.audit import audit_files
from controller.cabinet.audit_log import AuditLog
from controller.cabinet.desk import MOST_COMMANDS, Desk, finished
from controller.cabinet.operated import Caller
from controller.cabinet.site_models import Role
from controller.cabinet.status import from_object
from controller.clock import ManualClock
from controller.supervisor import Mode
from controller.words import Lang

HOUR_MS = 3_600_000
OVERRIDE = {"do": "override", "mode": "fixed", "for_s": 7200, "reason": "roadworks"}


class Room:
    """A desk with a played guard and a real audit log."""

    def __init__(self, folder: Path) -> None:
        self.clock, self.guard = ManualClock(1_000), PlayedGuard()
        self.folder = folder
        self.audit = AuditLog(folder, self.clock.utc)
        self.desk = Desk(self.guard, self.audit, self.clock, site="test", longest_override_ms=24 * HOUR_MS, language=Lang.DE)

    def ask(self, request: object, role: Role = Role.ENGINEER) -> dict[str, Any]:
        line = request if isinstance(request, bytes) else json.dumps(request).encode()
        answer = self.desk.handle(line, Caller("anna", "unix", role), self.clock.now_ms())
        if answer.durable is not None:
            answer.durable.exception(10)
        found: dict[str, Any] = json.loads(finished(answer))
        return found

    def written(self) -> list[dict[str, Any]]:
        return [json.loads(line) for path in audit_files(self.folder) for line in path.read_text().splitlines()]


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    room = Room(tmp_path)
    yield room
    room.audit.close()


def test_an_override_reaches_the_guard_and_the_audit_log(room: Room) -> None:
    answer = room.ask({**OVERRIDE, "id": 7, "as": "Anna Müller"})
    assert answer == {"id": 7, "ok": True, "text": "fixed is wanted", "until": "2026-01-05T08:00:00+00:00"}
    (wish,) = room.guard.wishes
    assert (wish.mode, wish.until_ms, wish.who, wish.reason) == (Mode.FIXED, 1_000 + 2 * HOUR_MS, "anna (for Anna Müller)", "roadworks")
    (entry,) = room.written()
    assert (entry["who"], entry["via"], entry["what"]) == ("anna (for Anna Müller)", "unix", "override fixed")
    assert (entry["until"], entry["why"], entry["result"]) == ("2026-01-05T08:00:00+00:00", "roadworks", "fixed is wanted")


@pytest.mark.parametrize(
    ("change", "needle"),
    [
        ({"mode": "manual"}, "mode: expected one of fixed, actuated, cycle, adaptive, release, flash, found 'manual'"),
        ({"mode": ["fixed"]}, "mode: expected one of"),
        ({"mode": None}, "mode: expected one of"),
        ({"for_s": None}, "for_s: expected a whole number of seconds, found 'None'"),
        ({"for_s": 9}, "duration: expected 10s to 24h, found 9s"),
        ({"for_s": -1}, "found -1s"),
        ({"for_s": 10**100}, "found 2"),
        ({"for_s": 86_401}, "found 24h1s; every override ends, at the latest after the site file's longest_override_h"),
        ({"for_s": True}, "found 'True'"),
        ({"for_s": 60.5}, "found '60.5'"),
        ({"for_s": "2h"}, "found '2h'"),
        ({"reason": ""}, "reason: expected why"),
        ({"reason": "  \n "}, "reason: expected why"),
        ({"reason": 5}, "reason: expected why"),
        ({"reason": "x" * 301}, "at most 300 characters, found 301"),
    ],
)
def test_a_wrong_override_is_refused_and_written_down(room: Room, change: dict[str, object], needle: str) -> None:
    answer = room.ask(OVERRIDE | change)
    assert answer["ok"] is False
    assert needle in answer["error"]
    assert room.guard.wishes == []
    assert room.written()[-1]["result"].startswith("refused: ")


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b"5", b"null", b'{"do": 5}', b'{"do": "format"}', b"\xff\xfe", b"[" * 4000])
def test_garbage_is_answered(room: Room, line: bytes) -> None:
    answer = room.ask(line)
    assert answer["ok"] is False
    assert "expected" in answer["error"]
    assert not list(room.folder.glob("audit-*"))


@pytest.mark.parametrize(
    ("do", "role", "allowed"),
    [
        ("ping", Role.VIEWER, True),
        ("status", Role.VIEWER, True),
        ("subscribe", Role.VIEWER, True),
        ("override", Role.VIEWER, False),
        ("end", Role.VIEWER, False),
        ("reset", Role.VIEWER, False),
        ("override", Role.OPERATOR, True),
        ("end", Role.OPERATOR, True),
        ("reset", Role.OPERATOR, False),
        ("reset", Role.ENGINEER, True),
    ],
)
def test_a_role_allows_what_it_says(room: Room, do: str, role: Role, allowed: bool) -> None:
    room.desk.publish(status_of_day())
    answer = room.ask({**OVERRIDE, "do": do}, role)
    assert answer["ok"] is allowed
    if not allowed:
        assert f"expected the role {'engineer' if do == 'reset' else 'operator'}, anna has {role}" in answer["error"]
        assert room.guard.calls == []
        assert room.written()[-1]["result"].startswith("refused: needs the role")


def test_the_status_comes_back_whole(room: Room) -> None:
    assert "no status yet" in room.ask({"do": "status"})["error"]
    status = status_of_day()
    room.desk.publish(status)
    assert from_object(json.loads(json.dumps(room.ask({"do": "status"})))["status"]) == status
    later = status_of_day(ticks=9)
    room.desk.publish(later)
    assert from_object(json.loads(json.dumps(room.ask({"do": "status"})))["status"]) == later


def test_what_the_guard_refuses_is_told_and_written_down(room: Room) -> None:
    room.guard.refuse = "no override is in force"
    assert room.ask({"do": "end", "reason": "done"}) == {"ok": False, "error": "no override is in force"}
    assert room.written()[-1]["result"] == "refused: no override is in force"


def test_nobody_writes_lines_of_his_own(room: Room) -> None:
    room.ask({**OVERRIDE, "reason": 'a\n{"n":2}\x1b[2J', "as": "root\r\n"})
    assert len(room.written()) == 1
    assert room.guard.wishes[0].reason == 'a {"n":2} [2J'
    assert room.guard.wishes[0].who == "anna (for root)"


def test_commands_are_rationed_questions_are_not(room: Room) -> None:
    answers = [room.ask(OVERRIDE)["ok"] for _ in range(MOST_COMMANDS + 1)]
    assert answers == [True] * MOST_COMMANDS + [False]
    assert len(room.written()) == MOST_COMMANDS
    assert room.ask({"do": "ping"})["ok"]
    room.clock.wait_until(70_000)
    assert room.ask(OVERRIDE)["ok"]


def test_a_disk_that_fails_does_not_keep_an_operator_from_acting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    room = Room(tmp_path / "file")
    answer = room.ask(OVERRIDE)
    room.audit.close()
    assert answer["ok"] is True
    assert answer["warning"].startswith("not in the audit log: ")
    assert len(room.guard.wishes) == 1


def test_ping_tells_who_one_is(room: Room) -> None:
    answer = room.ask({"do": "ping"}, Role.VIEWER)
    assert (answer["site"], answer["you"], answer["role"], answer["language"]) == ("test", "anna", "viewer", "de")
