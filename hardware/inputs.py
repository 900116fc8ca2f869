"""Inputs that outlive a lost link: the signals must go on without loops, too."""

from __future__ import annotations

from collections.abc import Sequence

from hardware.ports import InputEvent, InputPort, PortError


class LastingInputs:
    """An input port around another one. While that is lost there are no events, and `check` raises why."""

    def __init__(self, port: InputPort) -> None:
        self._port = port
        self._lost: PortError | None = None

    def poll(self, now_ms: int) -> Sequence[InputEvent]:
        """Return the port's events, none where its link is lost."""
        self._lost = None
        try:
            return self._port.poll(now_ms)
        except PortError as error:
            self._lost = error
            return ()

    def check(self) -> None:
        """Raise the `PortError` of the last `poll`, if it met one."""
        if self._lost is not None:
            raise self._lost
