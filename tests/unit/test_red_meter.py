"""How long a group was red while somebody stood at its stop line: measured by lamps and loops, told once, never towards a full exit."""

from __future__ import annotations

import pytest
from support_control import Scene, junction

from controller.red_meter import TOO_LONG_MS, LongRed, RedMeter

pytestmark = pytest.mark.quick

ONE = junction()
EW = 2


def watched(meter: RedMeter, now_ms: int, *, on_since_ms: int | None, blocked: frozenset[str] = frozenset(), stage: int = EW) -> list[LongRed]:
    """Let the meter look at a node that stands in ``stage`` since 5 s; the groups of other stages are red since 0."""
    scene = Scene(stage=stage, since_ms=5_000, now_ms=now_ms, blocked_exits=blocked)
    if on_since_ms is not None:
        scene.see("n1/1", occupied=True, changed_ms=on_since_ms)
    return meter.watch(scene.snapshot())


def test_a_red_counts_from_when_both_the_red_and_the_presence_have_begun() -> None:
    meter = RedMeter(ONE, ONE.nodes[0])
    watched(meter, 50_000, on_since_ms=None)
    assert set(meter.longest_ms.values()) == {0}
    watched(meter, 50_000, on_since_ms=20_000)
    assert meter.longest_ms == {"NS": 0, "NSL": 30_000, "EW": 0, "EWL": 0}
    watched(meter, 60_000, on_since_ms=-40_000)
    assert meter.longest_ms["NSL"] == 60_000, "red since 0"
    watched(meter, 70_000, on_since_ms=65_000)
    assert meter.longest_ms["NSL"] == 60_000, "another vehicle has come; the longest stays"


def test_green_ends_it() -> None:
    meter = RedMeter(ONE, ONE.nodes[0])
    watched(meter, 50_000, on_since_ms=20_000, stage=1)
    assert meter.longest_ms["NSL"] == 0


def test_a_full_exit_is_no_fault_of_the_light() -> None:
    meter = RedMeter(ONE, ONE.nodes[0])
    for now_ms in range(0, 100_000, 1_000):
        watched(meter, now_ms, on_since_ms=0, blocked=frozenset({"eout"}))
    assert meter.longest_ms["NSL"] == 0
    watched(meter, 110_000, on_since_ms=0)
    assert meter.longest_ms["NSL"] == 11_000, "from when it was seen to be full for the last time"


def test_a_red_that_is_too_long_is_told_once() -> None:
    meter = RedMeter(ONE, ONE.nodes[0])
    assert watched(meter, TOO_LONG_MS, on_since_ms=0) == []
    assert watched(meter, TOO_LONG_MS + 1_000, on_since_ms=0) == [LongRed("NSL", "n1/1", 0)]
    assert watched(meter, TOO_LONG_MS + 2_000, on_since_ms=0) == []
