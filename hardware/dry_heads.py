"""Signal heads that exist only in memory: to try a site file on a desk, and to measure the daemon without devices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hardware.ports import Observation, PortError
from hardware.signals import Aspect, Frame, SiteSpec


@dataclass(frozen=True, slots=True)
class DryOptions:
    """Nothing to say."""


class DryHeads:
    """A `HeadPort` that shows what it is given to nobody. It begins dark, as after a power return."""

    def __init__(self, spec: SiteSpec) -> None:
        self._spec = spec
        self._aspects = (Aspect.DARK,) * len(spec.groups)

    def show(self, frame: Frame, now_ms: int) -> None:  # noqa: ARG002 - a port's signature
        """Keep the frame. Raises `PortError` for anything that is not one aspect per group."""
        if len(frame.aspects) != len(self._spec.groups) or not all(isinstance(a, Aspect) for a in frame.aspects):
            raise PortError(f"dry heads of {self._spec.id}: expected {len(self._spec.groups)} aspects, found {frame.aspects!r}")
        self._aspects = frame.aspects

    def observe(self, now_ms: int) -> Observation:
        """Return the frame that was kept."""
        return Observation(now_ms, self._aspects)


def open_dry(spec: SiteSpec, options: DryOptions, now: Callable[[], int]) -> DryHeads:  # noqa: ARG001 - a driver's signature
    """Return the heads."""
    return DryHeads(spec)
