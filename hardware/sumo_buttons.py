"""Push buttons out of SUMO: who stands at a red crossing has pressed its button.

SUMO's person ids serve as keys inside this module only; nothing that leaves it says who pressed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from hardware.ports import InputEvent, InputKind

if TYPE_CHECKING:
    from hardware.sumo import SumoWorld

STANDS_M_S: Final = 0.1  # slower than this, as SUMO counts waiting


class _Button:
    """One button, and who has pressed it and still waits."""

    __slots__ = ("areas", "crossing", "id", "waiting")

    def __init__(self, button: str, crossing: str, areas: Sequence[str]) -> None:
        self.id, self.crossing, self.areas = button, crossing, tuple(areas)
        self.waiting: frozenset[str] = frozenset()


class SumoButtons:
    """The buttons of one junction: each who begins to stand before a crossing presses once."""

    def __init__(self, world: SumoWorld, places: Mapping[str, Sequence[str]]) -> None:
        """Take by button SUMO's crossing edge, followed by the walking areas at its ends."""
        self._world = world
        self._buttons = [_Button(button, crossing, areas) for button, (crossing, *areas) in places.items()]

    def collect(self) -> list[InputEvent]:
        """Return the presses of a step that has just been made. Raises the simulator's own error."""
        pressed = []
        for button in self._buttons:
            waiting = self._waiting(button)
            pressed += [InputEvent(self._world.now_ms, InputKind.PUSH_BUTTON, button.id, 1) for _ in waiting - button.waiting]
            button.waiting = waiting
        return pressed

    def _waiting(self, button: _Button) -> frozenset[str]:
        api = self._world.api
        near = [person for area in button.areas for person in api.edge.getLastStepPersonIDs(area)]
        return frozenset(p for p in near if api.person.getSpeed(p) < STANDS_M_S and api.person.getNextEdge(p) == button.crossing)
