"""Inputs that outlive a lost link: the signals must go on without loops, too."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from hardware.ports import InputEvent, InputPort, PortError


class LastingInputs:
    """An input port around another one. While that is lost there are no events, and `check` raises why."""

    def __init__(self, port: InputPort) -> None:
        self._port = port
        self.lost: PortError | None = None  # what the last `poll` met
        self.events: Sequence[InputEvent] = ()  # what it returned

    def poll(self, now_ms: int) -> Sequence[InputEvent]:
        """Return the port's events, none where its link is lost."""
        self.lost, self.events = None, ()
        try:
            self.events = self._port.poll(now_ms)
        except PortError as error:
            self.lost = error
        return self.events

    def check(self) -> None:
        """Raise the `PortError` of the last `poll`, if it met one."""
        if self.lost is not None:
            raise self.lost


class DelayedInputs:
    """An input port around another one that keeps back the events of some sources, as a message's way from a neighbour does.

    The events keep their own times, so that what lasted how long is known exactly, only later; an event may therefore be older than one
    that was returned before. Exit loops alone are relayed, and of these only the present state counts.
    """

    def __init__(self, port: InputPort, sources: Collection[str], delay_ms: int) -> None:
        self._port, self._sources, self._delay_ms = port, frozenset(sources), delay_ms
        self._kept: list[InputEvent] = []

    def poll(self, now_ms: int) -> Sequence[InputEvent]:
        """Return the port's events, those of the delayed sources once their time is over. Raises `PortError` as the port does."""
        events = self._port.poll(now_ms)
        if not self._sources:
            return events
        self._kept += [event for event in events if event.source in self._sources]
        late = [event for event in self._kept if event.at_ms + self._delay_ms <= now_ms]
        self._kept = [event for event in self._kept if event.at_ms + self._delay_ms > now_ms]
        return sorted([*late, *(event for event in events if event.source not in self._sources)], key=lambda event: event.at_ms)
