"""Who is expected on a lane from beyond what its loops see: an even flow, and those whom the neighbours tell of."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Final

from controller.neighbours import sure_milli
from controller.snapshot import Coming, LaneBelief

STEP_MS: Final = 4_000  # of the packets of an even flow
LEAST_MILLI: Final = 20  # thinner packets are left out


def expected(belief: LaneBelief, coming: Coming | None, begin_ms: int, now_ms: int, horizon_ms: int) -> tuple[list[int], list[int]]:
    """Return times (relative to ``now_ms``) and weights (milli-vehicles) of the packets from ``begin_ms`` on, when the last known vehicle comes."""
    even_milli = int(STEP_MS * belief.flow_veh_s)
    steps = range(begin_ms + STEP_MS // 2, horizon_ms, STEP_MS) if even_milli >= LEAST_MILLI else range(0)
    if coming is None:
        return list(steps), [even_milli] * len(steps)
    # Beside those that the neighbours tell of, as far as they are to be believed, only a rest of the even flow is to be expected.
    told_ratio, since_ms = 1.0 - coming.rest_ratio, now_ms - coming.told_ms
    even = [(at_ms, int(even_milli * (1.0 - told_ratio * sure_milli(since_ms + at_ms) / 1000))) for at_ms in steps]
    first, last = bisect_right(coming.arrival_ms, now_ms + belief.known_ms), bisect_left(coming.arrival_ms, now_ms + horizon_ms)
    told = [(max(a - now_ms, begin_ms), w) for a, w in zip(coming.arrival_ms[first:last], coming.weight_milli[first:last], strict=True)]
    packets = sorted([packet for packet in even + told if packet[1] >= LEAST_MILLI])
    return [at_ms for at_ms, _ in packets], [w for _, w in packets]
