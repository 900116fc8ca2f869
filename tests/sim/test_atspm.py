"""The export read by others' eyes: `atspm` computes signal performance measures from it, and they are what our journal says by itself.

It runs in a virtual environment of its own, made from the package index, for it is no library of ours: a foreign oracle.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from controller.cli import main
from controller.indiana import detector_rows
from controller.journal_reader import JournalReader
from controller.journal_schema import FILE_NAME
from controller.journal_time import TimeBase
from hardware.ports import InputKind
from hardware.signals import Aspect

pytestmark = [pytest.mark.slow, pytest.mark.sim]

BIN = timedelta(minutes=15)
PACKAGES = ("atspm==2.6.1", "duckdb<2")  # with duckdb 2 it fails: relations there have no fetchone()
PROGRAM = """
import json, sys
from atspm import SignalDataProcessor

folder = sys.argv[1]
aggregations = [
    {"name": "has_data", "params": {"no_data_min": 5, "min_data_points": 3}},
    {"name": "actuations", "params": {}},
    {"name": "terminations", "params": {}},
    {"name": "arrival_on_green", "params": {"latency_offset_seconds": 0}},
    {"name": "timeline", "params": {"min_duration": 0, "cushion_time": 60, "max_event_gap_seconds": None}},
    {"name": "split_failures", "params": {
        "red_time": 5, "red_occupancy_threshold": 0.8, "green_occupancy_threshold": 0.8, "by_approach": True, "by_cycle": False}},
]
with SignalDataProcessor(
    raw_data=f"{folder}/events.parquet", detector_config=f"{folder}/detector_config.csv", bin_size=15, aggregations=aggregations, verbose=0
) as processor:
    processor.load()
    processor.aggregate()
    found = {a["name"]: processor.conn.query(f"SELECT * FROM {a['name']}").df().to_dict("records") for a in aggregations}
print(json.dumps(found, default=str))
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[JournalReader, dict[str, list[dict[str, Any]]]]]:
    """Simulate an hour, export it, and let atspm read it."""
    folder = tmp_path_factory.mktemp("atspm")
    environment = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    subprocess.run([environment / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES], check=True)
    assert main(["simulate", "resco/cologne1", "--control", "actuated", "--seed", "1", "--output", str(folder / "run")]) == 0
    assert main(["journal", "export", str(folder / "run"), "--format", "parquet", "--output", str(folder / "export")]) == 0
    done = subprocess.run([environment / "bin" / "python", "-c", PROGRAM, str(folder / "export")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with JournalReader(next((folder / "run").rglob(FILE_NAME))) as reader:
        yield reader, json.loads(done.stdout.splitlines()[-1])


def binned(at: datetime) -> str:
    return str(at - (at - datetime.min) % BIN)


def edges(reader: JournalReader) -> Iterator[tuple[datetime, int]]:
    """Yield when each loop, by number, begins to be covered."""
    base = TimeBase(reader)
    (row,) = reader.junctions.values()
    numbers = {detector.id: number for number, detector in enumerate(row.junction.detectors, 1)}
    for event in (one.event for one in reader.events()):
        if event.kind is InputKind.PRESENCE and event.value:
            yield base.at(event.at_ms), numbers[event.source]


def greens(reader: JournalReader) -> list[tuple[int, datetime, datetime]]:
    """Return phase, begin and end of each green that ends."""
    base = TimeBase(reader)
    since: dict[int, datetime] = {}
    found = []
    for frame in reader.frames():
        for phase, aspect in enumerate(frame.aspects, 1):
            if aspect is Aspect.GREEN:
                since.setdefault(phase, base.at(frame.now_ms))
            elif phase in since:
                found.append((phase, since.pop(phase), base.at(frame.now_ms)))
    return found


def open_greens(reader: JournalReader) -> Iterator[tuple[int, datetime, datetime]]:
    """Yield the greens that still stand when the journal ends."""
    ended = {(phase, end) for phase, _, end in greens(reader)}
    base = TimeBase(reader)
    last = list(reader.frames())[-1]
    for phase, aspect in enumerate(last.aspects, 1):
        if aspect is Aspect.GREEN:
            assert (phase, base.at(last.now_ms)) not in ended
            begun = [frame for frame in reader.frames() if frame.aspects[phase - 1] is not Aspect.GREEN][-1]
            after = next(frame for frame in reader.frames() if frame.now_ms > begun.now_ms)
            yield phase, base.at(after.now_ms), datetime.max


def test_actuations_are_the_loops_rising_edges(world: tuple[JournalReader, dict[str, list[dict[str, Any]]]]) -> None:
    reader, measures = world
    ours = Counter((binned(at), number) for at, number in edges(reader))
    theirs = {(row["TimeStamp"], row["Detector"]): row["Total"] for row in measures["actuations"]}
    assert theirs == ours
    assert sum(theirs.values()) > 5_000


def test_every_green_is_seen_with_its_begin_and_end(world: tuple[JournalReader, dict[str, list[dict[str, Any]]]]) -> None:
    reader, measures = world
    ours = sorted((phase, str(begin), str(end)) for phase, begin, end in greens(reader))
    theirs = sorted(
        (int(row["EventValue"]), row["StartTime"], row["EndTime"]) for row in measures["timeline"] if row["EventClass"] == "Green" and row["IsValid"]
    )
    assert theirs == ours
    assert len(theirs) > 100


def test_every_green_has_one_reason_to_end(world: tuple[JournalReader, dict[str, list[dict[str, Any]]]]) -> None:
    reader, measures = world
    theirs: Counter[int] = Counter()
    for row in measures["terminations"]:
        theirs[row["Phase"]] += row["Total"]
    assert theirs == Counter(phase for phase, _, _ in greens(reader))
    assert {row["PerformanceMeasure"] for row in measures["terminations"]} >= {"GapOut", "MaxOut"}


def test_arrivals_on_green_agree(world: tuple[JournalReader, dict[str, list[dict[str, Any]]]]) -> None:
    reader, measures = world
    (row,) = reader.junctions.values()
    advance = {(r["Parameter"], r["Phase"]) for r in detector_rows([row.junction]) if r["Function"] == "Advance"}
    total: Counter[tuple[str, int]] = Counter()
    on_green: Counter[tuple[str, int]] = Counter()
    spans = [*greens(reader), *open_greens(reader)]
    for at, number in edges(reader):
        for phase in (p for n, p in advance if n == number):
            total[binned(at), phase] += 1
            on_green[binned(at), phase] += any(p == phase and begin <= at < end for p, begin, end in spans)
    theirs = {(r["TimeStamp"], r["Phase"]): (r["Total_Actuations"], r["Percent_AOG"]) for r in measures["arrival_on_green"]}
    assert len(theirs) > 8
    for key, (count, ratio) in theirs.items():
        assert count == pytest.approx(total[key], abs=3), key  # the phase's state is not known before its first change
        assert ratio == pytest.approx(on_green[key] / total[key], abs=0.02), key


def test_no_time_is_taken_as_lost(world: tuple[JournalReader, dict[str, list[dict[str, Any]]]]) -> None:
    _, measures = world
    assert len(measures["has_data"]) == 4
    # Red clearances of 0 s begin and end in one millisecond, and atspm pairs events by time alone; greens and ambers must all be whole.
    lost = [row for row in measures["timeline"] if row["EventClass"] in ("Green", "Yellow") and not row["IsValid"]]
    assert lost == []
    assert len(measures["split_failures"]) > 8
