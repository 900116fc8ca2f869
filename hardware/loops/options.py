"""What the options of all detector buses have in common, and the checks on them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol


class _UnitOptions(Protocol):
    @property
    def unit(self) -> int: ...

    @property
    def detectors(self) -> Mapping[int, str]: ...


def checked_detectors(where: str, detectors: Mapping[int, str], most: int) -> None:
    """Raise `ValueError` unless there are detectors with names of their own on channels of 1 to ``most``."""
    if not detectors:
        raise ValueError(f'{where}: expected detectors by channel, such as detectors = {{ 1 = "D1" }}, found none')
    if wrong := sorted(channel for channel in detectors if not 1 <= channel <= most):
        raise ValueError(f"{where}: expected channels of 1 to {most}, found {wrong}")
    checked_once(f"{where}: detector", tuple(detectors.values()))


def checked_once(what: str, names: Collection[object]) -> None:
    """Raise `ValueError` where one of the names stands twice."""
    seen: set[object] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"{what} {name}: expected once, found twice")
        seen.add(name)


def checked_bus(units: Collection[_UnitOptions], interval_ms: int, timeout_ms: int, silent_sweeps: int) -> None:
    """Raise `ValueError` for a bus without units, with one twice, or with times that cannot be meant."""
    if not units:
        raise ValueError("units: expected at least one, found none")
    checked_once("unit", [unit.unit for unit in units])
    checked_once("detector", [name for unit in units for name in unit.detectors.values()])
    for name, value, least, most in (
        ("interval_ms", interval_ms, 0, 10_000),
        ("timeout_ms", timeout_ms, 10, 10_000),
        ("silent_sweeps", silent_sweeps, 1, 1_000),
    ):
        if not least <= value <= most:
            raise ValueError(f"{name}: expected {least} to {most}, found {value}")
