"""The virtual cabinet's world: street, controller or heads, loop cards and the checker, moved on together in small steps.

Whoever calls `advance` decides what time is: a thread ten times in 100 ms, or an accelerated clock. Loops are felt by the controller and the
cards, the lamps are seen by the street and the checker.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from hardware.ports import InputKind
from hardware.signals import Aspect, SiteSpec
from hardware.virtual.checker import Checker
from hardware.virtual.controller import STEP_MS, VirtualController
from hardware.virtual.junction import VirtualJunction
from hardware.virtual.loops import LoopFault

BUTTON_S: Final = 90.0  # mean time between two pushes of one pedestrians' button


class LoopCard(Protocol):
    """A loop card that is told of its loops, by channel from 1."""

    def cover(self, occupied: bool, channel: int = 1) -> None:
        """Let a vehicle come or leave."""
        ...


class VirtualWorld:
    """All of it. ``cards``: which card and channel each loop hangs on; ``detectors``: the controller's detector number of a loop.

    ``lamps`` tells what the heads show at a time: those of the controller where there is one, else of whoever owns the heads. ``spec``
    lists the groups that the checker looks at.
    """

    def __init__(
        self,
        junction: VirtualJunction,
        spec: SiteSpec,
        *,
        start_ms: int = 0,
        controller: VirtualController | None = None,
        lamps: Callable[[int], Mapping[str, Aspect]] | None = None,
        cards: Mapping[str, tuple[LoopCard, int]] | None = None,
        detectors: Mapping[str, int] | None = None,
    ) -> None:
        if (controller is None) == (lamps is None):
            raise ValueError("a virtual world needs either a controller or lamps of its own")
        self.junction, self.controller = junction, controller
        self.checker = Checker(spec)
        self._ids = tuple(g.id for g in spec.groups)
        self._lamps = lamps or self._of_controller
        self._cards, self._detectors = dict(cards or {}), dict(detectors or {})
        self._now_ms = self._step_ms = start_ms
        self._random = random.Random(junction.street.seed)

    @property
    def now_ms(self) -> int:
        """Return the time that it was moved to."""
        return self._now_ms

    def advance(self, now_ms: int) -> None:
        """Let time pass until ``now_ms``: loops at once, lamps in steps of a tenth of a second; earlier times are ignored."""
        while self._step_ms + STEP_MS <= now_ms:
            self._step_ms += STEP_MS
            self._drive(self._step_ms)
            self._look(self._step_ms)
        self._drive(now_ms)
        self._now_ms = max(self._now_ms, now_ms)

    def fail(self, loop: str, fault: LoopFault | None) -> None:
        """Let a loop fail, or mend it with None."""
        self.junction.loops.fail(loop, fault, self._now_ms)

    def _drive(self, now_ms: int) -> None:
        for event in self.junction.poll(now_ms):
            if event.kind is not InputKind.PRESENCE:
                continue
            if event.source in self._cards:
                card, channel = self._cards[event.source]
                card.cover(bool(event.value), channel)
            if self.controller is not None and event.source in self._detectors:
                self.controller.detect(self._detectors[event.source], bool(event.value))

    def _look(self, now_ms: int) -> None:
        if self.controller is not None:
            self._push_buttons(self.controller)
            self.controller.advance(now_ms)
        lamps = self._lamps(now_ms)
        self.junction.light(lamps)
        self.checker.look(now_ms, [lamps.get(g) for g in self._ids])

    def _push_buttons(self, controller: VirtualController) -> None:
        """Let pedestrians come, one button as often as another."""
        walks = [p.phase for p in controller.setup.phases if p.walk_s]
        if walks and self._random.random() < STEP_MS / 1000 / BUTTON_S * len(walks):
            controller.push_button(self._random.choice(walks))

    def _of_controller(self, now_ms: int) -> Mapping[str, Aspect]:
        del now_ms
        return {} if self.controller is None else self.controller.lamps()
