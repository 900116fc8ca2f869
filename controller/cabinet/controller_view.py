"""What a controller that owns its aspects was seen to show, looked at once a tick through the last gate."""

from __future__ import annotations

from hardware.ports import ControllerPort, PortError
from hardware.signals import Aspect


class ControllerView:
    """Remembers since when each group shows what it shows, and when its green ended. ``lost``: why it cannot be seen now; then the rest is old."""

    def __init__(self, groups: tuple[str, ...], port: ControllerPort, now_ms: int) -> None:
        self._groups, self._port = groups, port
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
            self.lost = error
            return
        self.lost, self.mode = None, seen.mode
        for group, aspect in zip(self._groups, seen.aspects or (), strict=bool(seen.aspects)):
            self._set(group, aspect, seen.at_ms)

    def green(self, group: str) -> bool:
        """Tell whether a group is green."""
        return self.aspects[group] is Aspect.GREEN

    def _set(self, group: str, aspect: Aspect, at_ms: int) -> None:
        if self.aspects[group] is aspect:
            return
        if self.green(group):
            self.ended_ms[group] = at_ms
        self.aspects[group], self.since_ms[group] = aspect, at_ms
