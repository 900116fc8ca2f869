"""The faults that the demo, the soak and the campaign provoke: names, when, and how a user writes them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from controller.errors import ConfigError
from hardware.virtual.loops import LoopFault


class Fault(StrEnum):
    """What can be provoked."""

    OPTIMIZER_KILL = "optimizer-kill"
    OPTIMIZER_STOP = "optimizer-stop"
    GUARD_KILL = "guard-kill"
    LOOP_STUCK_ON = "loop-stuck-on"
    LOOP_STUCK_OFF = "loop-stuck-off"
    LOOP_CHATTER = "loop-chatter"
    SERIAL_UNPLUG = "serial-unplug"
    SNMP_SILENT = "snmp-silent"
    CLOCK_STEP = "clock-step"
    DISK_FULL = "disk-full"


class Planned(NamedTuple):
    """A fault and when it begins, in s from the start."""

    at_s: float
    fault: Fault

    def __str__(self) -> str:
        """Return it as a user writes it."""
        return f"{self.fault}@{self.at_s:g}"


# How long each lasts before what broke is mended, in s; None: it is over in the moment, or whoever broke down is started again.
LASTS_S: Final = {
    Fault.OPTIMIZER_KILL: None,
    Fault.OPTIMIZER_STOP: None,
    Fault.GUARD_KILL: None,
    Fault.LOOP_STUCK_ON: 900.0,
    Fault.LOOP_STUCK_OFF: 3600.0,
    Fault.LOOP_CHATTER: 300.0,
    Fault.SERIAL_UNPLUG: 15.0,
    Fault.SNMP_SILENT: 20.0,
    Fault.CLOCK_STEP: None,
    Fault.DISK_FULL: 30.0,
}
LOOP_FAULTS: Final = {
    Fault.LOOP_STUCK_ON: LoopFault.STUCK_ON,
    Fault.LOOP_STUCK_OFF: LoopFault.STUCK_OFF,
    Fault.LOOP_CHATTER: LoopFault.CHATTER,
}
STEPS_S: Final = (-3_600, -1, 1, 3_600)  # of the wall clock: daylight saving, leap second, NTP


def parse_faults(text: str, duration_s: float) -> tuple[Planned, ...]:
    """Return the faults of ``NAME@T,NAME@T``, T in seconds, in order of time. Raises `ConfigError` naming all that is wrong."""
    found, wrong = [], []
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, _, at = part.partition("@")
        if name not in list(Fault):
            wrong.append(f"fault {name!r}: expected one of {', '.join(Fault)}. Correct the name.")
        try:
            at_s = float(at)
        except ValueError:
            wrong.append(f"fault {part!r}: expected NAME@T with T in seconds from the start, such as {Fault.OPTIMIZER_KILL}@10. Correct it.")
            continue
        if not 0.0 <= at_s < duration_s:
            wrong.append(f"fault {part!r}: expected T of 0 to below the duration of {duration_s:g} s, found {at_s:g}. Make it earlier or the run longer.")
        if name in list(Fault):
            found.append(Planned(at_s, Fault(name)))
    if wrong:
        raise ConfigError("\n".join(wrong))
    return tuple(sorted(found))


def random_faults(source: random.Random, duration_s: float, *, every_s: float, among: Sequence[Fault] = tuple(Fault)) -> tuple[Planned, ...]:
    """Return faults at random times, one in ``every_s`` on average."""
    found, at_s = [], 0.0
    while (at_s := at_s + source.expovariate(1.0 / every_s)) < duration_s:
        found.append(Planned(round(at_s, 1), source.choice(among)))
    return tuple(found)
