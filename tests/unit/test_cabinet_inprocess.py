"""The accelerated cabinet: the daemon's own code against virtual devices, through each fault that can be provoked."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from controller.journal_reader import JournalReader
from controller.journal_schema import COMMAND
from controller.supervisor import Mode
from hardware.ports import Actuation, CommandKind
from scenarios.cabinet_fast import Schedule, finish
from scenarios.cabinet_faults import Fault, Planned
from scenarios.cabinet_inprocess import InProcessCabinet
from scenarios.cabinet_report import DemoReport

AT_S = 60.0


def run(folder: Path, faults: Sequence[Fault], duration_s: float = 160.0, **more: object) -> DemoReport:
    folder.mkdir(exist_ok=True)
    cabinet = InProcessCabinet(folder, **more)  # type: ignore[arg-type]
    report = DemoReport(duration_s, 1.0, 1, cabinet.signals)
    schedule = Schedule([Planned(AT_S, fault) for fault in faults])
    for now_ms in range(1_000, round(1000 * duration_s) + 1, 1_000):
        cabinet.run_to(now_ms)
        schedule.act(cabinet, now_ms, report, lambda text: None)
    return finish(cabinet, report, "the time is over")


def modes(report: DemoReport) -> list[str]:
    return [change.mode for change in report.modes]


@pytest.mark.parametrize("own_heads", [True, False], ids=["own heads", "controller"])
class TestBothSignals:
    def test_without_a_fault_it_controls_adaptively_and_shows_nothing_unsafe(self, tmp_path: Path, own_heads: bool) -> None:
        report = run(tmp_path, [], own_heads=own_heads)
        assert modes(report) == ["adaptive"]
        assert (report.unsafe_frames, report.refusals, report.late_ticks) == (0, 0, 0)
        assert report.ticks >= 1_590
        assert report.lamp_frames == 1_600
        assert report.decisions > 100
        assert report.vehicles_served > 50
        assert report.detector_events > 300

    @pytest.mark.parametrize("fault", [Fault.OPTIMIZER_KILL, Fault.OPTIMIZER_STOP])
    def test_without_its_optimizer_it_goes_on_without_a_missed_tick(self, tmp_path: Path, own_heads: bool, fault: Fault) -> None:
        report = run(tmp_path, [fault], own_heads=own_heads)
        assert modes(report) == ["adaptive", "actuated", "adaptive"]
        assert report.modes[1].at_s <= AT_S + 4.0
        assert report.ticks >= 1_590
        assert not report.unsafe_frames

    def test_a_killed_guard_is_back_with_its_next_start(self, tmp_path: Path, own_heads: bool) -> None:
        report = run(tmp_path, [Fault.GUARD_KILL], own_heads=own_heads)
        assert len(report.restarts) == 1
        assert 1_560 <= report.ticks < 1_590
        assert not report.unsafe_frames

    def test_silent_signals_and_an_unplugged_line_change_the_mode_and_mend(self, tmp_path: Path, own_heads: bool) -> None:
        report = run(tmp_path, [Fault.SNMP_SILENT, Fault.SERIAL_UNPLUG], 200.0, own_heads=own_heads)
        assert "release" in modes(report)
        assert modes(report)[-1] == "adaptive"
        assert not report.unsafe_frames

    def test_a_step_of_the_wall_clock_changes_nothing(self, tmp_path: Path, own_heads: bool) -> None:
        report = run(tmp_path, [Fault.CLOCK_STEP], 100.0, own_heads=own_heads)
        assert modes(report) == ["adaptive"]
        assert (report.unsafe_frames, report.late_ticks) == (0, 0)

    def test_a_full_disk_is_an_event_and_no_more(self, tmp_path: Path, own_heads: bool) -> None:
        report = run(tmp_path, [Fault.DISK_FULL], 120.0, own_heads=own_heads)
        assert modes(report) == ["adaptive"]
        assert (report.unsafe_frames, report.late_ticks) == (0, 0)
        files = sorted(tmp_path.glob("*.sqlite"))
        assert len(files) <= 2
        told = []
        for path in files:
            with closing(sqlite3.connect(path)) as file:
                told += [text for (text,) in file.execute("SELECT text FROM note")]
        assert any("the journal cannot be written" in text or "rows are lost" in text for text in told)
        assert any("the journal is written again" in text for text in told)

    def test_broken_loops_stop_nothing(self, tmp_path: Path, own_heads: bool) -> None:
        report = run(tmp_path, [Fault.LOOP_CHATTER, Fault.LOOP_STUCK_ON, Fault.LOOP_STUCK_OFF], own_heads=own_heads)
        assert report.vehicles_served > 50
        assert not report.unsafe_frames


@pytest.mark.parametrize("actuation", Actuation)
@pytest.mark.parametrize("mode", [Mode.FIXED, Mode.ACTUATED, Mode.CYCLE])
def test_every_mode_drives_the_controller_in_every_actuation(tmp_path: Path, actuation: Actuation, mode: Mode) -> None:
    report = run(tmp_path, [], 120.0, mode=mode, actuation=actuation)
    assert modes(report)[-1:] in ([], [str(mode)])
    assert report.vehicles_served > 20
    assert (report.unsafe_frames, report.refusals) == (0, 0)


def test_no_green_is_ended_and_held_a_tick_later(tmp_path: Path) -> None:
    cabinet = InProcessCabinet(tmp_path, actuation=Actuation.PHASE_CONTROL)
    cabinet.run_to(260_000)
    cabinet.close()
    (path,) = tmp_path.glob("*.sqlite")
    with JournalReader(path) as reader:
        asked = [(note.now_ms, note.text, note.detail.get("groups", ())) for note in reader.notes() if note.kind == COMMAND]
    ended = {(now_ms, group) for now_ms, kind, groups in asked if kind == CommandKind.FORCE_OFF for group in groups}
    held = {(now_ms, group) for now_ms, kind, groups in asked if kind == CommandKind.HOLD for group in groups}
    assert len(ended) > 20
    assert [(at_ms, group) for at_ms, group in sorted(ended) if (at_ms + 100, group) in held] == []


def test_the_same_seed_gives_the_same_run(tmp_path: Path) -> None:
    first, second = (run(tmp_path / name, [Fault.GUARD_KILL], 90.0, seed=7) for name in ("a", "b"))
    assert first.to_object() == {**second.to_object(), "journal_bytes": first.journal_bytes}
