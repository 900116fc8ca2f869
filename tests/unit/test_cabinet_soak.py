"""The soak: looks at memory and files each hour whatever the faults' times, and calls a part unsound for what it shows."""

from __future__ import annotations

from typing import Any

import pytest

from scenarios import cabinet_soak
from scenarios.cabinet_faults import Fault
from scenarios.cabinet_soak import GROWTH_MB, is_sound, soak_part, table

MINUTE_MS = 60_000
SOUND = {"crash": "", "unsafe_frames": 0, "growth_mb": 1.0, "open_files": [7, 7]}


def test_a_part_looks_at_memory_and_files_each_hour_though_faults_come_at_odd_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cabinet_soak, "HOUR_MS", MINUTE_MS)
    monkeypatch.setattr(cabinet_soak, "FAULT_EVERY_S", 20.0)
    part = soak_part(2, 4.0, [Fault.CLOCK_STEP, Fault.LOOP_CHATTER])
    assert sum(part["faults"].values()) > 3
    assert len(part["memory_mb"]) == 4
    assert part["lamp_frames"] == 2400
    assert part["crash"] == ""
    assert part["unsafe_frames"] == 0
    assert is_sound(part)


@pytest.mark.parametrize("wrong", [{"crash": "Traceback"}, {"unsafe_frames": 1}, {"growth_mb": GROWTH_MB + 1.0}, {"open_files": [7, 10]}])
def test_a_part_is_not_sound_for(wrong: dict[str, Any]) -> None:
    assert is_sound(SOUND)
    assert not is_sound({**SOUND, **wrong})


def test_what_a_part_raises_is_a_crash_and_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the program is wrong")

    monkeypatch.setattr(cabinet_soak.InProcessCabinet, "run_to", fail)
    part = soak_part(1, 1.0)
    assert "the program is wrong" in part["crash"]
    assert not is_sound(part)
    assert "1 crashes" in table([part])
