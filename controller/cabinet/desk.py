"""What an operator may ask and what is answered: JSON objects in, JSON objects out; no sockets here.

A request is one JSON object: ``do`` names it, ``id`` comes back with the answer. `REQUESTS` lists them with the role that each needs.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from datetime import timedelta
from importlib import metadata
from typing import Any, Final, NamedTuple

from controller.cabinet.audit import Head
from controller.cabinet.audit_log import AuditLog, Entry
from controller.cabinet.operated import OVERRIDES, Caller, Operated, Wish
from controller.cabinet.site_models import Role
from controller.cabinet.status import Status
from controller.clock import Clock
from controller.durations import text_of
from controller.errors import ConfigError, UmlaufError
from controller.supervisor import Mode
from controller.words import Lang

REQUESTS: Final[Mapping[str, Role]] = {
    "ping": Role.VIEWER,
    "status": Role.VIEWER,
    "subscribe": Role.VIEWER,
    "override": Role.OPERATOR,
    "end": Role.OPERATOR,
    "reset": Role.ENGINEER,
}
RANKS: Final = (Role.VIEWER, Role.OPERATOR, Role.ENGINEER)
MOST_REASON: Final = 300  # characters
SHORTEST_OVERRIDE_S: Final = 10
MOST_COMMANDS: Final = 20  # per caller and minute: each makes a line in the audit log
MINUTE_MS: Final = 60_000


class Answer(NamedTuple):
    """What is sent back, once ``durable`` (the command's line in the audit log) is on the disk; ``subscribe``: statuses follow.

    ``status``: the newest one in JSON, which becomes part of the answer as it is.
    """

    data: dict[str, Any]
    durable: Future[Head] | None = None
    subscribe: bool = False
    status: bytes = b""


class Desk:
    """Answers requests. One per running site; used in the guard's thread only."""

    def __init__(self, guard: Operated, audit: AuditLog, clock: Clock, *, site: str, longest_override_ms: int, language: Lang) -> None:
        self._guard, self._audit, self._clock = guard, audit, clock
        self._site, self._longest_ms, self._language = site, longest_override_ms, language
        self._status: Status | None = None
        self._words = b""  # the newest status in JSON, made when somebody asks, once for all who do
        self._commands: dict[str, deque[int]] = {}
        self._calls: Final[Mapping[str, Callable[[Mapping[str, Any], Caller, int], Answer]]] = {
            "ping": self._ping,
            "status": self._tell,
            "subscribe": self._subscribe,
            "override": self._override,
            "end": self._end,
            "reset": self._reset,
        }

    def publish(self, status: Status) -> None:
        """Take the newest status."""
        self._status, self._words = status, b""

    def newest(self) -> Answer:
        """Return the newest status as an answer; before the first, that there is none."""
        if self._status is None:
            return Answer({"ok": False, "error": "no status yet: the daemon has just started; ask again in a second"})
        self._words = self._words or json_of(self._status.to_object())
        return Answer({"ok": True}, status=self._words)

    def handle(self, line: bytes, caller: Caller, now_ms: int) -> Answer:
        """Answer one request. Never raises: what is wrong is the answer."""
        try:
            request = json.loads(line)
        except (ValueError, RecursionError):
            request = None
        if not isinstance(request, dict) or not isinstance(request.get("do"), str):
            return _refused({}, f'expected one JSON object a line with "do": one of {", ".join(REQUESTS)}')
        if request["do"] not in REQUESTS:
            return _refused(request, f"do: expected one of {', '.join(REQUESTS)}, found {request['do'][:40]!r}")
        claims = request.get("as")
        if isinstance(claims, str) and claims and claims != caller.who:
            caller = Caller(caller.who, caller.via, caller.role, one_line(claims)[:40])
        needed = REQUESTS[request["do"]]
        if needed is not Role.VIEWER and not self._within_rate(caller, now_ms):
            return _refused(request, f"expected at most {MOST_COMMANDS} commands a minute, found more; wait a minute")
        if RANKS.index(caller.role) < RANKS.index(needed):
            durable = self._audit.append(Entry(caller.name, caller.via, request["do"], result=f"refused: needs the role {needed}, has {caller.role}"))
            return _refused(request, f"{request['do']}: expected the role {needed}, {caller.who} has {caller.role}", durable)
        answer = self._calls[request["do"]](request, caller, now_ms)
        return answer._replace(data=_echoed(request, answer.data))

    def _within_rate(self, caller: Caller, now_ms: int) -> bool:
        self._commands = {who: times for who, times in self._commands.items() if now_ms - times[-1] < MINUTE_MS}
        times = self._commands.setdefault(caller.who, deque(maxlen=MOST_COMMANDS))
        if len(times) == MOST_COMMANDS and now_ms - times[0] < MINUTE_MS:
            return False
        times.append(now_ms)
        return True

    def _ping(self, _request: Mapping[str, Any], caller: Caller, _now_ms: int) -> Answer:
        known = {"site": self._site, "version": metadata.version("umlauf"), "language": self._language, "you": caller.name, "role": caller.role}
        return Answer({"ok": True, **known})

    def _tell(self, _request: Mapping[str, Any], _caller: Caller, _now_ms: int) -> Answer:
        return self.newest()

    def _subscribe(self, request: Mapping[str, Any], caller: Caller, now_ms: int) -> Answer:
        return self._tell(request, caller, now_ms)._replace(subscribe=True)

    def _override(self, request: Mapping[str, Any], caller: Caller, now_ms: int) -> Answer:
        until = self._clock.utc()
        mode = request.get("mode")

        def act(reason: str) -> str:
            nonlocal until
            if mode not in OVERRIDES:
                raise ConfigError(f"mode: expected one of {', '.join(OVERRIDES)}, found {str(mode)[:40]!r}")
            for_ms = self._duration_ms(request.get("for_s"))
            until += timedelta(milliseconds=for_ms)
            return self._guard.override(Wish(Mode(mode), now_ms + for_ms, until, caller.name, reason), now_ms)

        answer = self._command(f"override {one_line(str(mode))[:40]}", request, caller, act, lambda: until.isoformat(timespec="seconds"))
        return answer._replace(data={**answer.data, "until": until.isoformat(timespec="seconds")}) if answer.data["ok"] else answer

    def _duration_ms(self, for_s: object) -> int:
        longest_s = self._longest_ms // 1000
        if not isinstance(for_s, int) or isinstance(for_s, bool):
            raise ConfigError(f"for_s: expected a whole number of seconds, found {str(for_s)[:40]!r}")
        if not SHORTEST_OVERRIDE_S <= for_s <= longest_s:
            raise ConfigError(
                f"duration: expected {text_of(SHORTEST_OVERRIDE_S)} to {text_of(longest_s)}, found {text_of(for_s)[:40]}; "
                "every override ends, at the latest after the site file's longest_override_h"
            )
        return for_s * 1000

    def _end(self, request: Mapping[str, Any], caller: Caller, now_ms: int) -> Answer:
        return self._command("end override", request, caller, lambda reason: self._guard.end_override(caller.name, reason, now_ms))

    def _reset(self, request: Mapping[str, Any], caller: Caller, now_ms: int) -> Answer:
        return self._command("reset", request, caller, lambda reason: self._guard.reset(caller.name, reason, now_ms))

    def _command(self, what: str, request: Mapping[str, Any], caller: Caller, act: Callable[[str], str], until: Callable[[], str] = lambda: "") -> Answer:
        """Do it, and write what came of it to the audit log."""
        reason = request.get("reason")
        try:
            if not isinstance(reason, str) or not reason.strip():
                raise ConfigError("reason: expected why, in a few words; found nothing")
            if len(reason) > MOST_REASON:
                raise ConfigError(f"reason: expected at most {MOST_REASON} characters, found {len(reason)}")
            text = act(one_line(reason))
        except UmlaufError as error:
            entry = Entry(caller.name, caller.via, what, why=one_line(str(reason or ""))[:MOST_REASON], result=f"refused: {error}")
            return _refused({}, str(error), self._audit.append(entry))
        durable = self._audit.append(Entry(caller.name, caller.via, what, until(), one_line(reason), text))
        return Answer({"ok": True, "text": text}, durable)


def one_line(text: str) -> str:
    """Return the text without line breaks and control characters, so that no caller can write lines of its own into a log or a terminal."""
    return "".join(c if c.isprintable() else " " for c in text).strip()


def finished(answer: Answer) -> bytes:
    """Return the answer as a line, once its line in the audit log is written, or failed to be; the command holds all the same."""
    error = None if answer.durable is None else answer.durable.exception(timeout=0)
    words = json_of(answer.data if error is None else {**answer.data, "warning": f"not in the audit log: {error}"})
    return words + b"\n" if not answer.status else words.removesuffix(b"}") + b',"status":' + answer.status + b"}\n"


def json_of(data: object) -> bytes:
    """Return JSON without line breaks."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def _refused(request: Mapping[str, Any], error: str, durable: Future[Head] | None = None) -> Answer:
    return Answer(_echoed(request, {"ok": False, "error": error}), durable)


def _echoed(request: Mapping[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    number = request.get("id")
    return {"id": number, **data} if isinstance(number, int) else data
