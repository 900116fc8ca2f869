"""The only way to signal ports: every backend is opened here, and everything opened here is behind the interlock.

A new device is one file, one line in a table below, and one run of its port's contract suite. Backends are imported when asked
for, with the libraries they need. A test shows that no module of the product builds raw heads or calls their ``show`` in any other place.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, cast

from hardware.interlock import STALE_MS, Interlock
from hardware.interlock_controller import ControllerInterlock
from hardware.ports import ControllerPort, HeadPort, InputPort, Observation, PortError
from hardware.signals import SiteSpec

if TYPE_CHECKING:
    from hardware.ntcip.timing import Difference, TimingTables

HEADS: Final[Mapping[str, str]] = {"fake": "hardware.fake:FakeHeads"}  # name -> module:factory, called with the site and the options
CONTROLLERS: Final[Mapping[str, str]] = {"fake": "hardware.fake:FakeController"}


class Driver(NamedTuple):
    """A device driver: where its factory and its options (a frozen dataclass of plain values, for the site file) stand.

    By two methods the options tell `umlauf check` what to compare with the junction: ``sources() -> tuple[str, ...]``, the detectors
    and inputs that they name, each as often as they name it, and ``groups() -> tuple[str, ...]``, the signal groups likewise; a driver that
    has neither leaves it out. Options named ``…_file`` are relative to the site file; those named ``…_secret_file`` must have mode 0600.
    """

    factory: str  # module:name
    options: str  # module:name
    extra: str = ""  # the extra that installs the libraries it needs

    def load_options(self) -> type[Any]:
        """Return the class of the driver's options. Raises `PortError` naming the extra where a library is missing."""
        return cast(type[Any], _load(self.options, self.extra))

    def load_factory(self) -> Callable[..., Any]:
        """Return the driver's factory. Raises as `load_options` does."""
        return cast(Callable[..., Any], _load(self.factory, self.extra))


# Input drivers: factory(options, now) -> InputPort with ``close()``; ``now`` returns monotonic ms. It stamps and counts, never blocks `poll`.
INPUTS: Final[Mapping[str, Driver]] = {
    "ab3418": Driver("hardware.loops.ab3418:ab3418_inputs", "hardware.loops.ab3418:Ab3418Options", "serial"),
    "canoga": Driver("hardware.loops.canoga:canoga_inputs", "hardware.loops.canoga:CanogaOptions", "serial"),
    "modbus": Driver("hardware.loops.modbus:modbus_inputs", "hardware.loops.modbus:ModbusOptions", "serial"),
}
# Signal drivers of the site file: factory(spec, options, now) -> ControllerPort or HeadPort with ``close()``.
SIGNALS: Final[Mapping[str, Driver]] = {
    "dry": Driver("hardware.dry_heads:open_dry", "hardware.dry_heads:DryOptions"),
    "ntcip": Driver("hardware.ntcip.opening:open_driver", "hardware.ntcip.options:NtcipOptions", "ntcip"),
}


def open_inputs(driver: str, options: object, now: Callable[[], int]) -> InputPort:
    """Return the inputs of a driver of `INPUTS`. Raises `PortError` for an unknown driver, a missing library or device."""
    return cast(InputPort, driver_of(INPUTS, driver).load_factory()(options, now))


class Reading(Protocol):
    """A controller to look at: what it was set up with, and what it shows. Nothing can be asked of it this way."""

    def timing_tables(self) -> TimingTables | None:
        """Return what the controller was set up with, None before it has answered."""
        ...

    def differences(self) -> Sequence[Difference]:
        """Return where that disagrees with the site."""
        ...

    def observe(self, now_ms: int) -> Observation:
        """Return what it shows. Raises `PortError` while there is no fresh answer."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


def open_for_reading(driver: str, spec: SiteSpec, options: object, now: Callable[[], int]) -> Reading:
    """Return a controller of `SIGNALS` to look at. Raises `PortError` for an unknown driver, a missing library, or one without timing tables."""
    opened = driver_of(SIGNALS, driver).load_factory()(spec, options, now)
    if not hasattr(opened, "timing_tables"):
        opened.close()
        raise PortError(f"driver {driver}: it has no timing tables to read; look at its heads with umlauf run SITE --shadow")
    return cast(Reading, opened)


def driver_of(known: Mapping[str, Driver], name: str) -> Driver:
    """Return a driver by name. Raises `PortError` naming those that there are."""
    if name not in known:
        raise PortError(f"driver {name}: expected one of {', '.join(sorted(known))}")
    return known[name]


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
    return cast(Callable[..., object], _load(known[name], ""))(spec, **options)


def _load(place: str, extra: str) -> object:
    module, name = place.split(":")
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        if not extra:
            raise
        raise PortError(f"{module} needs the Python module {error.name!r}, which is not installed; install it with: pip install 'umlauf[{extra}]'") from error
