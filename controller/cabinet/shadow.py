"""Shadow mode: everything is computed and journalled, nothing is sent, and what would have been done is compared with what is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from controller.grid import Grid
from controller.journal_schema import letters
from hardware.ports import ControllerCommand, HeadPort, Observation, PortError
from hardware.signals import Aspect, Frame

if TYPE_CHECKING:
    from controller.cabinet.guard import Guard

COMPARE_MS: Final = 1_000
TELL_MS: Final = 3_600_000


class ShadowHeads:
    """Heads that believe what they are told and show it to nobody; `seen` is what the real ones show."""

    def __init__(self, port: HeadPort) -> None:
        self.seen = port.observe
        self._aspects: tuple[Aspect, ...] | None = None

    def show(self, frame: Frame, now_ms: int) -> None:  # noqa: ARG002 - a port's signature
        """Keep the frame."""
        self._aspects = frame.aspects

    def observe(self, now_ms: int) -> Observation:
        """Return the frame that was kept."""
        return Observation(now_ms, self._aspects)


class ShadowController:
    """A controller's driver to which no request gets through; all else is the driver's own."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver

    def request(self, command: ControllerCommand, now_ms: int) -> None:
        """Ask for nothing."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)


class Comparison:
    """Compares, once a second, the greens that the plans want with those that are seen. Call it after each tick, and `tell` at the end."""

    def __init__(self, guard: Guard, seen: Callable[[int], Observation]) -> None:
        self._guard, self._seen = guard, seen
        self._grid, self._tell = Grid(COMPARE_MS), Grid(TELL_MS)
        self._before: tuple[Aspect, ...] = ()
        self.seconds = 0
        self.agreed = dict.fromkeys((g.id for g in guard.control.junction.groups), 0)

    def __call__(self, now_ms: int) -> None:
        """Look once a second, and tell once an hour, but not of the first second."""
        if not self._grid.due(now_ms):
            return
        try:
            aspects = self._seen(now_ms).aspects
        except PortError:
            return
        if aspects is None:
            return
        self.seconds += 1
        wanted = self._wanted()
        ids = [g.id for g in self._guard.control.junction.groups]
        for group, aspect in zip(ids, aspects, strict=True):
            self.agreed[group] += (aspect is Aspect.GREEN) == (group in wanted)
        if aspects != self._before and self._guard.journal is not None:
            self._before = aspects
            self._guard.journal.note(now_ms, "seen", f"{self._guard.site}: the controller shows {letters(aspects)}", {"aspects": letters(aspects)})
        if self._tell.due(now_ms) and self.seconds > 1:
            self.tell()

    def tell(self) -> None:
        """Tell how often both agreed so far, where anything was seen."""
        if self.seconds:
            self._guard.tell("shadow", self.words())

    def words(self) -> str:
        """Return in one sentence how often both agreed."""
        shares = ", ".join(f"{group} {100 * count // max(self.seconds, 1)} %" for group, count in self.agreed.items())
        return f"wanted and seen greens agree over {self.seconds} s: {shares}"

    def _wanted(self) -> set[str]:
        """Return the groups that are green in the stages that the plans want now."""
        wanted: set[str] = set()
        for node, model in zip(self._guard.control.nodes, self._guard.control.junction.nodes, strict=True):
            stage = node.plan.steps[0].stage if node.plan is not None else -1
            if stage >= 0:
                wanted.update(model.stages[stage].green)
        return wanted
