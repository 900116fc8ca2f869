"""What the controller's states and alarm bits mean, in the words of NTCIP 1202 v02 and v03, and how masks hold eight things in a byte."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum, IntFlag
from typing import Final

from hardware.ntcip.objects import PHASES_PER_GROUP


class UnitControl(IntEnum):
    """``unitControlStatus``: who chooses the plan."""

    OTHER = 1
    SYSTEM_CONTROL = 2
    SYSTEM_STANDBY = 3
    BACKUP_MODE = 4
    MANUAL = 5
    TIMEBASE = 6
    INTERCONNECT = 7
    INTERCONNECT_BACKUP = 8


class UnitFlash(IntEnum):
    """``unitFlashStatus``: why the signals flash."""

    OTHER = 1
    NOT_FLASH = 2
    AUTOMATIC = 3
    LOCAL_MANUAL = 4
    FAULT_MONITOR = 5
    MMU = 6
    STARTUP = 7
    PREEMPT = 8


FLASH_WORDS: Final[Mapping[int, str]] = {int(flash): flash.name.lower().replace("_", " ") for flash in UnitFlash}
# Flash by relays behind the controller: what it reports of its phases meanwhile is not what the street sees.
RELAYED: Final = frozenset((UnitFlash.LOCAL_MANUAL, UnitFlash.FAULT_MONITOR, UnitFlash.MMU))


class ShortAlarm(IntFlag):
    """``shortAlarmStatus``."""

    PREEMPT = 1 << 0
    FLASH = 1 << 1
    CYCLE_ZERO = 1 << 2
    LOCAL_OVERRIDE = 1 << 3
    COORDINATION = 1 << 4
    DETECTOR_FAULT = 1 << 5
    NON_CRITICAL = 1 << 6
    CRITICAL = 1 << 7  # stop time


class Alarm2(IntFlag):
    """``unitAlarmStatus2``."""

    POWER_RESTART = 1 << 0
    LOW_BATTERY = 1 << 1
    RESPONSE_FAULT = 1 << 2
    EXTERNAL_START = 1 << 3
    STOP_TIME = 1 << 4


STANDBY: Final = 0  # of systemPatternControl: the controller's own plan
FLASHING: Final = 255


def masks_of(numbers: Iterable[int], count: int) -> list[int]:
    """Return ``count`` masks, one per group of eight, with the bits of the numbers (from 1 on) set. Raises `ValueError` for one that fits none."""
    masks = [0] * count
    for number in numbers:
        group, bit = divmod(number - 1, PHASES_PER_GROUP)
        if number < 1 or group >= count:
            raise ValueError(f"expected a number of 1 to {count * PHASES_PER_GROUP}, found {number}")
        masks[group] |= 1 << bit
    return masks


def numbers_of(masks: Sequence[int]) -> frozenset[int]:
    """Return the numbers whose bits are set in masks of eight each."""
    return frozenset(g * PHASES_PER_GROUP + bit + 1 for g, mask in enumerate(masks) for bit in range(PHASES_PER_GROUP) if mask >> bit & 1)
