"""Who owns the demo's signal heads and how they are driven, as a user names it, and which mode of the site makes use of it."""

from __future__ import annotations

from enum import StrEnum

from controller.errors import ConfigError
from controller.supervisor import Mode
from hardware.ports import Actuation


class DemoSignals(StrEnum):
    """The actuations of a controller, named as in a site file, or heads of our own behind the interlock."""

    PHASE_CONTROL = Actuation.PHASE_CONTROL.value
    SPLITS = Actuation.SPLITS.value
    CALLS = Actuation.CALLS.value
    HEADS = "heads"

    @property
    def actuation(self) -> Actuation:
        """Return how the controller is driven. Raises `ConfigError` for heads: no controller stands behind them, and no wire leads to them."""
        if self is DemoSignals.HEADS:
            wired = ", ".join(kind for kind in DemoSignals if kind is not self)
            raise ConfigError(f"signals {self}: expected one of {wired} in real time: no driver leads to heads over a wire. Choose one, or add --speed 10.")
        return Actuation(self.value)

    @property
    def mode(self) -> Mode:
        """Return the mode that the site wants: splits follow only a planner that shares out a cycle, all others take the best there is."""
        return Mode.CYCLE if self is DemoSignals.SPLITS else Mode.ADAPTIVE
