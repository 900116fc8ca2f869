"""Replayed signals, and limits that are told when they are missed."""

from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from benchmarks import many, memory, overhead, startup
from controller.errors import ScenarioError

OUTSIDE = ("left", "right", "top", "bottom")


def test_replay_joins_equal_seconds_into_phases(tmp_path: Path) -> None:
    states = [("a", 100, "Gr"), ("a", 101, "Gr"), ("a", 102, "yr"), ("b", 100, "r"), ("b", 101, "r"), ("b", 102, "r"), ("a", 103, "rG"), ("b", 103, "G")]
    text = "\n".join(f'<tlsState time="{t}.00" id="{i}" programID="x" phase="0" state="{s}"/>' for i, t, s in states)
    source, target = tmp_path / "states.xml", tmp_path / "replay.add.xml"
    source.write_text(f"<tlsStates>{text}</tlsStates>", encoding="utf-8")
    overhead.write_replay(source, target, 100.0)
    root = ET.parse(target).getroot()
    found = {light.attrib["id"]: [(p.attrib["state"], p.attrib["duration"]) for p in light.findall("phase")] for light in root}
    assert found == {"a": [("Gr", "2"), ("yr", "1"), ("rG", "1")], "b": [("r", "3"), ("G", "1")]}
    assert {light.attrib["offset"] for light in root} == {"100"}


def test_overhead_names_what_is_missed() -> None:
    kept = {"scenario": "resco/ingolstadt21", "added_ms": 0.4, "added_to_replayed_ms": 0.5, "memory_mb": 600.0}
    assert overhead.misses([kept]) == []
    assert len(overhead.misses([{**kept, "added_ms": 0.6, "memory_mb": 601.0}])) == 2
    assert overhead.misses([{**kept, "scenario": "resco/cologne8", "memory_mb": 900.0}]) == []


def test_startup_names_what_is_missed() -> None:
    kept = {"scenario": "cross", "first_wall_s": 59.0, "later_wall_s": 2.9}
    assert startup.misses(kept) == []
    assert startup.misses({**kept, "later_wall_s": 3.1}) == ["cross: later_wall_s is 3.1 s, limit 3 s"]


def test_growth_is_that_of_the_second_half() -> None:
    assert memory.growth_mb([(0.0, 100.0), (50.0, 250.0), (51.0, 260.0), (100.0, 263.0)]) == 13.0
    assert memory.growth_mb([(0.0, 100.0), (49.0, 250.0), (100.0, 250.0)]) == 0.0


def test_a_day_has_the_trips_of_its_hours(tmp_path: Path) -> None:
    root = ET.parse(memory.write_day("cross", tmp_path, 24.0).parent / "day.rou.xml").getroot()
    departs_s = [float(trip.attrib["depart"]) for trip in root]
    assert departs_s == sorted(departs_s), "SUMO passes over those that come too late in the file"
    assert len({trip.attrib["id"] for trip in root}) == len(departs_s)
    by_hour = [sum(3600 * hour <= at_s < 3600 * (hour + 1) for at_s in departs_s) for hour in range(24)]
    full = by_hour[7]
    assert full == pytest.approx(2 * 750 + 2 * 350, rel=0.03)
    assert by_hour == [round(full * pct / 100) for pct in memory.DAY_PCT]
    morning, afternoon = (
        [(s.attrib["from"], round(float(s.attrib["depart"]) % 3600, 2)) for s in root if float(s.attrib["depart"]) // 3600 == h] for h in (7, 16)
    )
    assert morning == afternoon, "the peaks must be the same, or their difference in memory would say nothing"


def test_a_day_needs_trips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "no.rou.xml").write_text('<routes><flow id="a" from="x" to="y" end="9" number="1"/></routes>', encoding="utf-8")
    config = dataclasses.replace(memory.load_config(memory.find_scenario("cross")), routes=(tmp_path / "no.rou.xml",))
    monkeypatch.setattr(memory, "load_config", lambda found: config)
    with pytest.raises(ScenarioError, match="expected trips from edge to edge, found none"):
        memory.write_day("cross", tmp_path, 1.0)


def test_flows_of_a_grid_begin_and_end_outside(tmp_path: Path) -> None:
    config = many.write_grid(tmp_path, 3, 2, 60)
    net = ET.parse(config.parent / "grid.net.xml").getroot()
    ends = {e.attrib["id"]: (e.attrib["from"], e.attrib["to"]) for e in net.iter("edge") if "from" in e.attrib}
    flows = list(many.flows_of(3, 2))
    assert len(net.findall("tlLogic")) == 3 * 2
    assert len(flows) == 2 * 2 * (3 + 2)
    assert all(ends[begin][0].startswith(OUTSIDE) and ends[end][1].startswith(OUTSIDE) for begin, end, _ in flows)
