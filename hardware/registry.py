"""The only way to signal ports: every backend is opened here, and everything opened here is behind the interlock.

Backends are imported when asked for. A test shows that no module of the product builds raw heads or calls their
``show`` in any other place.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Final, cast

from hardware.interlock import STALE_MS, Interlock
from hardware.interlock_controller import ControllerInterlock
from hardware.ports import ControllerPort, HeadPort, PortError
from hardware.signals import SiteSpec

HEADS: Final[Mapping[str, str]] = {"fake": "hardware.fake:FakeHeads"}  # name -> module:factory, called with the site and the options
CONTROLLERS: Final[Mapping[str, str]] = {"fake": "hardware.fake:FakeController"}


def open_site(spec: SiteSpec, heads: HeadPort | str, *, now_ms: int, stale_ms: int = STALE_MS, **options: object) -> Interlock:
    """Return guarded heads: a backend's name with its options, or a raw port that a runner built.

    Raises `PortError` for an unknown backend and `SiteSpecError` for wrong limits.
    """
    raw = cast(HeadPort, _build(HEADS, heads, spec, options)) if isinstance(heads, str) else heads
    return Interlock(raw, spec, now_ms=now_ms, stale_ms=stale_ms)


def open_controller(spec: SiteSpec, controller: ControllerPort | str, *, now_ms: int, stale_ms: int = STALE_MS, **options: object) -> ControllerInterlock:
    """Return a guarded controller port, by a backend's name or around a raw port. Raises as `open_site` does."""
    raw = cast(ControllerPort, _build(CONTROLLERS, controller, spec, options)) if isinstance(controller, str) else controller
    return ControllerInterlock(raw, spec, now_ms=now_ms, stale_ms=stale_ms)


def _build(known: Mapping[str, str], name: str, spec: SiteSpec, options: Mapping[str, object]) -> object:
    if name not in known:
        raise PortError(f"backend {name}: expected one of {', '.join(sorted(known))}")
    module, factory = known[name].split(":")
    return getattr(importlib.import_module(module), factory)(spec, **options)
