"""The event codes of the Indiana high-resolution enumeration that we write.

Source: "Indiana Traffic Signal Hi Resolution Data Logger Enumerations", Purdue University / INDOT, 2012
(docs.lib.purdue.edu/jtrpdata/3), revised 2019-20 (.../4).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from hardware.ports import DetectorFault, InputKind


class Code(IntEnum):
    """What an event says; the parameter is a phase, a detector or a value as noted."""

    PHASE_ON = 0  # phase
    BEGIN_GREEN = 1
    GAP_OUT = 4
    MAX_OUT = 5
    FORCE_OFF = 6
    GREEN_TERMINATION = 7
    BEGIN_YELLOW = 8
    END_YELLOW = 9
    BEGIN_RED_CLEARANCE = 10
    END_RED_CLEARANCE = 11
    PHASE_INACTIVE = 12
    WALK = 21
    PEDESTRIAN_CLEARANCE = 22
    DONT_WALK = 23
    PEDESTRIAN_CALL = 45
    DETECTOR_OFF = 81  # detector
    DETECTOR_ON = 82
    DETECTOR_RESTORED = 83
    DETECTOR_FAULT = 84  # by the controller's own judgement, or a fault that the device does not name
    DETECTOR_WATCHDOG = 85
    DETECTOR_OPEN = 86
    DETECTOR_SHORTED = 87
    DETECTOR_EXCESSIVE_CHANGE = 88
    PREEMPT_CALL_ON = 102
    PREEMPT_CALL_OFF = 104
    TRANSIT_CHECK_IN = 112
    TRANSIT_CHECK_OUT = 115
    PATTERN = 131  # value: see PATTERNS
    CYCLE_LENGTH = 132  # seconds
    SPLIT_FIRST = 134  # value in seconds; 134 for the first phase to 149 for the sixteenth
    FLASH_STATUS = 173  # value: unitFlashStatus of NTCIP 1202
    MANUAL_CONTROL = 178
    STOP_TIME = 180


MOST_SPLITS: Final = 16

# unitFlashStatus (NTCIP 1202, asc.3.5): 2 notFlash, 3 automatic.
NOT_FLASHING: Final = 2
FLASHING: Final = 3

# Our planners as pattern numbers; 255 is NTCIP's flash, 254 its free running.
PATTERNS: Final = {"adaptive": 1, "cycle": 2, "actuated": 254, "fixed": 3, "flash": 255}
OTHER_PATTERN: Final = 9

# What a planner may tell in a plan's detail under "ended"; all other ends of green are forced by the plan.
TERMINATIONS: Final = {"gap_out": Code.GAP_OUT, "max_out": Code.MAX_OUT}

# (code where the event's value is 0, code where it is not); None: nothing is written.
INPUTS: Final[dict[InputKind, tuple[Code | None, Code | None]]] = {
    InputKind.PRESENCE: (Code.DETECTOR_OFF, Code.DETECTOR_ON),
    InputKind.DETECTOR_FAULT: (Code.DETECTOR_RESTORED, Code.DETECTOR_FAULT),
    InputKind.PUSH_BUTTON: (None, Code.PEDESTRIAN_CALL),
    InputKind.ACCESSIBLE_REQUEST: (None, Code.PEDESTRIAN_CALL),
    InputKind.TRANSIT_CHECK_IN: (None, Code.TRANSIT_CHECK_IN),
    InputKind.TRANSIT_CHECK_OUT: (None, Code.TRANSIT_CHECK_OUT),
    InputKind.PREEMPT_RAIL: (Code.PREEMPT_CALL_OFF, Code.PREEMPT_CALL_ON),
    InputKind.PREEMPT_EMERGENCY: (Code.PREEMPT_CALL_OFF, Code.PREEMPT_CALL_ON),
    InputKind.POLICE_PANEL: (Code.MANUAL_CONTROL, Code.MANUAL_CONTROL),
    InputKind.STOP_TIME: (Code.STOP_TIME, Code.STOP_TIME),
}
# What a device says of a loop: see `hardware.ports.DetectorFault`. Values that it does not know are faults of another kind.
DEVICE_FAULTS: Final[dict[int, Code]] = {
    DetectorFault.WATCHDOG: Code.DETECTOR_WATCHDOG,
    DetectorFault.OPEN: Code.DETECTOR_OPEN,
    DetectorFault.SHORT: Code.DETECTOR_SHORTED,
    DetectorFault.EXCESSIVE_CHANGE: Code.DETECTOR_EXCESSIVE_CHANGE,
}
VALUED: Final = frozenset({Code.MANUAL_CONTROL, Code.STOP_TIME})  # their parameter is 1 (on) or 0 (off)
