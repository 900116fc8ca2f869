"""The table of detector faults: what each kind is, when it is found and when a loop is believed again.

Faults that one loop shows by itself stand in `Limits`; those that only others can tell of (`controller.detector_witness`) in `Evidence`.
The figures were chosen so that no loop of a healthy run loses trust (`benchmarks.detector_faults` measures both sides).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from controller.junction import Purpose
from hardware.ports import DetectorFault


class Fault(StrEnum):
    """Why a detector is not believed."""

    STUCK_ON = "stuck_on"
    STUCK_OFF = "stuck_off"
    CHATTER = "chatter"
    OPEN = "open"
    SHORT = "short"
    DEVICE = "device"  # any other fault that the device reports
    SILENT_LINE = "silent_line"  # all loops of one input source are silent: the bus, not the traffic
    OVERCOUNT = "overcount"
    UNDERCOUNT = "undercount"


MISCOUNTS: Final = frozenset({Fault.OVERCOUNT, Fault.UNDERCOUNT})


class Limits(NamedTuple):
    """When a loop loses trust by what it shows itself, whatever others see."""

    max_occupied_ms: int  # covered without a break
    max_silence_ms: int  # no edge at all
    chatter_edges: int  # edges within chatter_ms
    chatter_ms: int
    most_per_minute: int  # vehicles; a lane cannot carry more
    echo_ratio: float  # of the pulses that are followed by another one sooner than any vehicle can follow


class Evidence(NamedTuple):
    """When a loop loses trust by what the loops before and behind it, or all of its line, have seen."""

    beyond_veh: float  # so many must have passed it, beyond those who may stand between, while it did not change
    arrived_veh: float  # so many came to a free stop loop nearly three minutes ago, while it did not change
    between_veh: float  # so many passed the loops before it and those behind, while it did not change
    passed_veh: float  # so many fewer than before or behind it passed the road's loops in minutes, while this one was free and did not change
    covered_ms: int  # covered for so long, which is longer than any red, and
    covered_ratio: float  # this many times as long as ever before, while
    flows_ratio: float  # the rest of the junction flows at least at this part of its usual flow
    due_free_veh: float  # so many were due over it by its usual flow, or its profile, as far as its neighbours flow as usual, while it was free
    due_covered_veh: float  # and while it was covered
    over_ratio: float  # log-likelihood ratio for twice as many vehicles as the others saw
    under_ratio: float  # and for half as many
    no_follower_ratio: float  # log-likelihood ratio for every second vehicle missed, by the gaps between those who come soon after one another
    half_ratio: float  # and by the counts of the others, which convict where
    half_gaps_ratio: float  # so much is said by the gaps, too, if all of the others' vehicles pass the loop
    half_learned_gaps_ratio: float  # or so much if a share of them does that is learned
    half_unknown_gaps_ratio: float  # or so much if nothing is known of it
    few_ratio: float  # it counted less than this part of those who passed the loops before it and those behind
    learned_veh: int  # after so many vehicles the ratio between two stations is known
    line_edges: int  # so many edges were due from a line in its silence; traffic comes in platoons, and half as many were seen to be missing
    line_ms: int  # and the silence lasts at least so long
    line_learned_ms: int  # a line watched for less has no usual rate


LOOK_MS: Final = 5_000  # how often loops are compared with each other
_HOUR_MS: Final = 3_600_000
_USUAL: Final = Limits(_HOUR_MS // 2, 24 * _HOUR_MS, 12, 2_000, 60, 0.3)

# A stop loop may be covered through a long red or a blocked exit; the others only by a queue that reaches them. Side roads
# may stay empty for half a day, so silence alone is a weak sign.
LIMITS: Final[Mapping[Purpose, Limits]] = dict.fromkeys(Purpose, _USUAL)
LANE_FLOW_VEH_H: Final = 60 * _USUAL.most_per_minute
EVIDENCE: Final = Evidence(
    beyond_veh=4.0,
    arrived_veh=6.0,
    between_veh=12.0,
    passed_veh=14.0,
    covered_ms=180_000,
    covered_ratio=3.0,
    flows_ratio=0.6,
    due_free_veh=40.0,
    due_covered_veh=35.0,
    over_ratio=10.0,
    under_ratio=9.0,
    no_follower_ratio=15.0,
    half_ratio=9.0,
    half_gaps_ratio=1.5,
    half_learned_gaps_ratio=5.0,
    half_unknown_gaps_ratio=12.0,
    few_ratio=0.6,
    learned_veh=50,
    line_edges=200,
    line_ms=90_000,
    line_learned_ms=600_000,
)

# How long a loop must have been plausible before it is believed again; after each relapse twice as long, up to the longest.
HOLD_DOWN_MS: Final[Mapping[Fault, int]] = {
    Fault.STUCK_ON: 120_000,
    Fault.STUCK_OFF: 120_000,
    Fault.CHATTER: 60_000,
    Fault.OPEN: 0,  # the card measures the loop itself
    Fault.SHORT: 0,
    Fault.DEVICE: 0,
    Fault.SILENT_LINE: 10_000,
    Fault.OVERCOUNT: 120_000,
    Fault.UNDERCOUNT: 120_000,
}
LONGEST_HOLD_DOWN_MS: Final = _HOUR_MS // 2
RELAPSE_MS: Final = _HOUR_MS // 2  # a fault so soon after the last one is a relapse

OF_DEVICE: Final[Mapping[int, Fault]] = {
    DetectorFault.OTHER: Fault.DEVICE,
    DetectorFault.WATCHDOG: Fault.DEVICE,
    DetectorFault.OPEN: Fault.OPEN,
    DetectorFault.SHORT: Fault.SHORT,
    DetectorFault.EXCESSIVE_CHANGE: Fault.DEVICE,
}


def limits_of(purpose: Purpose, silence_h: int, flow_veh_h: int) -> Limits:
    """Return a loop's limits where it may be silent for ``silence_h``, and up to ``flow_veh_h`` pass it in the busiest minute.

    Where more pass than a lane can carry they pass side by side, so closely after each other that this alone is no sign of a fault.
    """
    usual, ratio = LIMITS[purpose], max(1.0, flow_veh_h / LANE_FLOW_VEH_H)
    return usual._replace(
        max_silence_ms=silence_h * _HOUR_MS,
        most_per_minute=round(flow_veh_h / 60),
        chatter_edges=round(ratio * usual.chatter_edges),
        echo_ratio=usual.echo_ratio if ratio == 1.0 else 1.0,
    )
