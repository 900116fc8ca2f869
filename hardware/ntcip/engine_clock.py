"""What SNMPv3 agents have said of their boots and their clock, so that none goes back within one engine (RFC 3414, 3.2 step 7b).

pysnmp 7 takes any authenticated message's clock for the right one before it compares the message with it, so that none is ever too old.
"""

from __future__ import annotations

from typing import Final, NamedTuple

WINDOW_S: Final = 150  # RFC 3414, 2.2.3


class _Heard(NamedTuple):
    """What an engine said last, and when that was by our own clock."""

    boots: int
    time_s: int
    at_s: float


class EngineClocks:
    """Remembers every engine that was heard; times are monotonic seconds."""

    def __init__(self) -> None:
        self._heard: dict[bytes, _Heard] = {}

    def take(self, engine: bytes, boots: int, time_s: int, at_s: float) -> str:
        """Return why an authenticated message is too old, empty where it is not. What it says is what the next one is compared with.

        So one that is too old is refused, and a controller whose board was replaced is heard by the next.
        """
        before = self._heard.get(engine)
        self._heard[engine] = _Heard(boots, time_s, at_s)
        if before is None or boots > before.boots:
            return ""
        if boots < before.boots:
            return f"expected at least {before.boots} boots of its engine {engine.hex()}, found {boots}"
        least_s = int(before.time_s + at_s - before.at_s) - WINDOW_S
        return f"expected at least {least_s} s since the boot of its engine {engine.hex()}, found {time_s} s" if time_s < least_s else ""
