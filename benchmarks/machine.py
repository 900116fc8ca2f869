"""What a measurement must know of the machine that it runs on."""

from __future__ import annotations

import os
import resource


def cpu_s(who: int = resource.RUSAGE_SELF) -> float:
    """Return the processor time in s of this process, or of the children it waited for; other programs do not lengthen it much."""
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def busy_note() -> str:
    """Return a warning where more programs want to run than there are processors, else nothing."""
    load, processors = os.getloadavg()[0], os.cpu_count() or 1
    if load <= processors:
        return ""
    return f"the machine was busy (load {load:.1f} on {processors} processors): wall times are too long, compare the processor times"
