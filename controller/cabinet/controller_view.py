"""What a controller that owns its aspects was seen to show, looked at once a tick through the last gate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hardware.ports import ControllerPort, PortError
from hardware.signals import Aspect

Note = Callable[[int, Mapping[str, object]], None]
"""Records what was seen of a controller at this time, wherever it is new."""


class ControllerView:
    """Remembers since when each group shows what it shows, and when its green ended. ``lost``: why it cannot be seen now; then the rest is old."""

    def __init__(self, groups: tuple[str, ...], port: ControllerPort, now_ms: int, note: Note | None = None) -> None:
        self._groups, self._port, self._note = groups, port, note
        self._looked_ms: int | None = None
        self.lost: PortError | None = None
        self.mode = "local"
        self.aspects: dict[str, Aspect] = dict.fromkeys(groups, Aspect.DARK)
        self.since_ms: dict[str, int] = dict.fromkeys(groups, now_ms)
        self.ended_ms: dict[str, int] = {}

    @property
    def driven(self) -> bool:
        """Tell whether the controller can be asked for anything."""
        return self.lost is None and self.mode == "remote"

    def look(self, now_ms: int) -> None:
        """See what it shows at this tick, once."""
        if self._looked_ms == now_ms:
            return
        self._looked_ms = now_ms
        try:
            seen = self._port.observe(now_ms)
        except PortError as error:
            if self.lost is None and self._note is not None:
                self._note(now_ms, {"lost": str(error)})
            self.lost = error
            return
        if self._note is not None and (self.lost is not None or seen.mode != self.mode or (seen.aspects and seen.aspects != tuple(self.aspects.values()))):
            self._note(now_ms, {"at_ms": seen.at_ms, "mode": seen.mode})
        self.lost, self.mode = None, seen.mode
        for group, aspect in zip(self._groups, seen.aspects or (), strict=bool(seen.aspects)):
            self._set(group, aspect, seen.at_ms)

    def memory(self) -> dict[str, object]:
        """Return all that it remembers, as JSON data."""
        aspects = {g: int(a) for g, a in self.aspects.items()}
        return {"lost": None if self.lost is None else str(self.lost), "mode": self.mode, "aspects": aspects, "since": self.since_ms, "ended": self.ended_ms}

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Go on from what `memory` returned. Raises `KeyError` or `TypeError` where it is none."""
        self.lost = None if memory["lost"] is None else PortError(memory["lost"])
        self.mode = str(memory["mode"])
        self.aspects = {g: Aspect(memory["aspects"][g]) for g in self._groups}
        self.since_ms, self.ended_ms = dict(memory["since"]), dict(memory["ended"])

    def green(self, group: str) -> bool:
        """Tell whether a group is green."""
        return self.aspects[group] is Aspect.GREEN

    def _set(self, group: str, aspect: Aspect, at_ms: int) -> None:
        if self.aspects[group] is aspect:
            return
        if self.green(group):
            self.ended_ms[group] = at_ms
        self.aspects[group], self.since_ms[group] = aspect, at_ms
