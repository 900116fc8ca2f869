"""The process of one episode, which holds libsumo: ``python -m benchmarks.environments.child READ_FD WRITE_FD``, one JSON line a message.

It answers ``{"open": case, "actions": ..., "interval_ms": ...}`` with the first observations, then ``{"act": {agent: action}}`` with the next, and
ends with its input. An error is told in one line.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import Any

from benchmarks.environments.agents import Actions
from benchmarks.environments.session import Session
from controller.errors import UmlaufError
from hardware.ports import FrameRefusedError, PortError
from scenarios.case import Case


class Child:
    """Answers messages about its episode."""

    def __init__(self) -> None:
        self._session: Session | None = None

    def answer(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer to one message. Raises `UmlaufError`, `PortError` or `FrameRefusedError`."""
        if self._session is None:
            self._session = Session(Case.from_json(message["open"]), Actions(message["actions"]), message["interval_ms"])
            return self._told(self._session)
        session = self._session
        followed = session.act(message["act"])
        reply = self._told(session) | {"reward": session.reward(), "followed": followed}
        return reply | session.finish() if session.ended else reply

    @staticmethod
    def _told(session: Session) -> dict[str, Any]:
        return {
            "agents": session.observations(),
            "at_ms": session.world.now_ms,
            "terminated": session.empty,
            "truncated": session.out_of_time,
        }


def main(arguments: list[str]) -> int:
    """Answer until the input ends; what SUMO prints goes to standard error."""
    read, write = (int(number) for number in arguments)
    child = Child()
    with os.fdopen(read, encoding="utf-8") as lines, os.fdopen(write, "w", encoding="utf-8") as answers:
        for line in lines:
            try:
                reply = child.answer(json.loads(line))
            except (UmlaufError, PortError, FrameRefusedError, OSError) as error:
                reply = {"error": f"{type(error).__name__}: {error}"}
            answers.write(json.dumps(reply) + "\n")
            answers.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
