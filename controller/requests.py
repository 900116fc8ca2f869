"""Who has asked for green by a button: pedestrians, bicycles, or whoever else stands where no loop sees him.

A request stands from the first press in red until the group's green. Who presses during the green is served by it. A button that
is held down, or whose device says that it is broken, asks again after each green: nobody must wait for ever behind a dead button.
And who pressed before the start is not known, so somebody is taken to have done so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from controller.junction import Junction
from hardware.ports import InputEvent, InputKind

LASTING: Final = (InputKind.PRESENCE, InputKind.DETECTOR_FAULT)  # value 0 ends them; a press of the other kinds is a moment
PRESSES: Final = (InputKind.PUSH_BUTTON, InputKind.ACCESSIBLE_REQUEST)


class Requests:
    """The standing requests of one junction."""

    def __init__(self, junction: Junction, start_ms: int) -> None:
        self._groups = {button.id: button.groups for button in junction.buttons}
        self._asking: set[tuple[str, InputKind]] = set()  # buttons that are held down or broken
        self._since_ms = {group: start_ms for groups in self._groups.values() for group in groups}

    @property
    def since_ms(self) -> Mapping[str, int]:
        """Return since when which groups have been asked for (monotonic), as of the last `stand`."""
        return self._since_ms

    def feed(self, events: Iterable[InputEvent]) -> None:
        """Take the events of one tick, those of buttons alone."""
        for event in events if self._groups else ():
            groups = self._groups.get(event.source)
            if groups is None or event.kind not in (*LASTING, *PRESSES):
                continue
            if event.value:
                self._ask(groups, event.at_ms)
            if event.kind in LASTING:
                how = (event.source, event.kind)
                if event.value:
                    self._asking.add(how)
                else:
                    self._asking.discard(how)

    def stand(self, green: Collection[str], now_ms: int) -> Mapping[str, int]:
        """Let go those whose groups are green now, and return since when which of the others have been asked for."""
        for source, _ in self._asking:
            self._ask(self._groups[source], now_ms)
        self._since_ms = {group: ms for group, ms in self._since_ms.items() if group not in green}
        return dict(self._since_ms)

    def _ask(self, groups: Iterable[str], at_ms: int) -> None:
        for group in groups:
            self._since_ms.setdefault(group, at_ms)
