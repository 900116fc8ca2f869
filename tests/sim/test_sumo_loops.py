"""What SUMO keeps of those that crossed our loops: enough for each reading, and no more for a long run than for a short one."""

from __future__ import annotations

from pathlib import Path

import pytest
from support_sumo import cross, cross_junction

from hardware.ports import InputEvent
from hardware.sumo import SumoWorld
from scenarios.controls import loops_of
from scenarios.loops import PERIOD_S, write_loops

pytestmark = pytest.mark.sim
SECONDS = 5 * PERIOD_S


def edges_and_kept(folder: Path, period_s: int) -> tuple[list[InputEvent], int]:
    """Return what the loops told in some minutes, and how many vehicles SUMO still has in its loops' books."""
    loops, written = loops_of(cross_junction()), folder / "loops.add.xml"
    write_loops([cross_junction()], written)
    written.write_text(written.read_text(encoding="utf-8").replace(f'period="{PERIOD_S}"', f'period="{period_s}"'), encoding="utf-8")
    world = SumoWorld.start(["-c", str(cross().path), "--additional-files", str(written), "--no-step-log", "--seed", "1"])
    try:
        port = world.inputs(loops)
        events = []
        while world.now_ms < 1000 * SECONDS:
            world.step()
            events += port.poll(world.now_ms)
        e1 = world.api.inductionloop
        return events, sum(e1.getIntervalVehicleNumber(loop) + e1.getLastIntervalVehicleNumber(loop) for loop in loops.values())
    finally:
        world.close()


def test_sumo_forgets_who_has_long_passed_and_no_edge_is_missed(tmp_path: Path) -> None:
    events, kept = edges_and_kept(tmp_path, PERIOD_S)
    all_events, all_kept = edges_and_kept(tmp_path, 1_000_000)
    assert events == all_events
    assert all_kept > 100, "without a period SUMO keeps everybody: if it no longer did, no period of ours would be needed"
    assert kept < 2.5 * PERIOD_S / SECONDS * all_kept
