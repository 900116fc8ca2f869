"""A cabinet on a bench: the guard on fake heads and scripted loops, on a clock that the test moves."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from typing import Any

from support_control import junction

from controller.assemble import inline_planners
from controller.cabinet.guard import Guard
from controller.cabinet.operated import Wish
from controller.clock import ManualClock
from controller.junction import Junction
from controller.supervisor import Mode
from hardware.fake import FakeHeads, FakeInputs
from hardware.interlock import Interlock
from hardware.ports import InputEvent
from hardware.registry import open_site
from hardware.signals import Aspect

ONE = junction()


class Cabinet:
    """The guard with all that stands around it."""

    def __init__(self, mode: Mode = Mode.ACTUATED, events: Iterable[InputEvent] = (), one: Junction = ONE, **more: Any) -> None:
        self.clock = ManualClock()
        self.heads = FakeHeads(one.site_spec())
        self.interlock: Interlock = open_site(one.site_spec(), self.heads, now_ms=0)
        self.inputs = FakeInputs(events)
        if "optimizer" not in more:
            more.setdefault("planners", partial(inline_planners, control=str(mode)))
        self.guard = Guard(one, mode, self.inputs, self.interlock, clock=self.clock, **more)

    def run_to(self, to_ms: int) -> None:
        """Tick on the grid up to this time, as `Guard.run` does."""
        while self.guard.due_ms <= to_ms and not self.guard.stopped:
            self.clock.wait_until(self.guard.due_ms)
            self.guard.tick()

    def override(self, mode: Mode, until_ms: int, reason: str) -> None:
        now_ms = self.clock.now_ms()
        self.guard.override(Wish(mode, until_ms, self.clock.utc() + timedelta(milliseconds=until_ms - now_ms), "kim", reason), now_ms)

    @property
    def mode(self) -> Mode:
        return self.guard.control.nodes[0].supervisor.mode

    @property
    def shown(self) -> tuple[Aspect, ...]:
        return self.heads.history[-1].aspects

    def kinds(self) -> list[str]:
        return [kind for _, kind, _ in self.guard.events]
