"""Virtual signal heads whose aspects are ours: they show what they are given, and flash when nobody gives them anything any more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hardware.ports import Observation, PortError
from hardware.signals import Aspect, Frame, SiteSpec

WATCHDOG_MS: Final = 1_000  # without a frame for so long, the heads flash by themselves


class VirtualHeads:
    """A `HeadPort`. `lamps` is what drivers see, `observe` what the device reports; ``mute`` makes it lose its link."""

    def __init__(self, spec: SiteSpec, *, watchdog_ms: int = WATCHDOG_MS) -> None:
        self._spec, self._watchdog_ms = spec, watchdog_ms
        self._off = tuple(Aspect.FLASHING_AMBER if g.amber_ms else Aspect.DARK for g in spec.groups)
        self._aspects = self._off
        self._shown_ms: int | None = None
        self.mute = False

    def show(self, frame: Frame, now_ms: int) -> None:
        """Show the frame. Raises `PortError` while mute, and for anything that is not one aspect per group."""
        self._listen()
        if len(frame.aspects) != len(self._spec.groups) or not all(isinstance(a, Aspect) for a in frame.aspects):
            raise PortError(f"virtual heads of {self._spec.id}: expected {len(self._spec.groups)} aspects, found {frame.aspects!r}")
        self._aspects, self._shown_ms = frame.aspects, now_ms

    def observe(self, now_ms: int) -> Observation:
        """Return what the heads show. Raises `PortError` while mute."""
        self._listen()
        return Observation(now_ms, self._seen(now_ms), "remote")

    def lamps(self, now_ms: int) -> Mapping[str, Aspect]:
        """Return what each group shows to the street."""
        return dict(zip((g.id for g in self._spec.groups), self._seen(now_ms), strict=True))

    def _seen(self, now_ms: int) -> tuple[Aspect, ...]:
        alone = self._shown_ms is None or now_ms - self._shown_ms > self._watchdog_ms
        return self._off if alone else self._aspects

    def _listen(self) -> None:
        if self.mute:
            raise PortError(f"virtual heads of {self._spec.id}: no answer; set mute to False")
