"""What the report draws, read from the files of the runs. Files that are missing or cut off give what they have."""

from __future__ import annotations

import csv
import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from scenarios.arguments import TLS_STATES, TRIPINFO
from scenarios.metrics import TripFile
from scenarios.queues import LIGHTS, QUEUES, Link

BIN_S: Final = 300.0
SHORT_BIN_S: Final = 60.0  # where the run is shorter than SHORT_RUN_S
SHORT_RUN_S: Final = 1200.0
QUEUE_BIN_S: Final = 60.0

Series = dict[float, float]  # value by the begin of the bin, in seconds of simulation time


@dataclass(frozen=True)
class Run:
    """One run's figures and its folder; ``begin_s`` and ``links`` (by light) are what was noted at its start."""

    record: Mapping[str, Any]
    folder: Path
    begin_s: float
    links: Mapping[str, tuple[Link | None, ...]]

    @property
    def control(self) -> str:
        """Return the control's name."""
        return str(self.record["control"])

    @property
    def end_s(self) -> float:
        """Return the simulation time at the end."""
        return self.begin_s + float(self.record.get("simulation_s") or 0.0)


@dataclass(frozen=True)
class SignalRow:
    """One row of a signal diagram: links that share their letters; spans of (begin, end, letter) in seconds."""

    label: str
    spans: tuple[tuple[float, float, str], ...]


def read_run(record: Mapping[str, Any]) -> Run:
    """Return the run of a record; without what was noted at its start it has no lights and begins at 0."""
    folder = Path(record["folder"])
    try:
        about = json.loads((folder / LIGHTS).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        about = {"begin_s": 0.0, "lights": {}}
    links = {light: tuple(Link(**link) if link else None for link in of) for light, of in about["lights"].items()}
    return Run(record, folder, float(about["begin_s"]), links)


def by_control(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Return the runs by control, in the order given."""
    found: dict[str, list[Run]] = {}
    for run in runs:
        found.setdefault(run.control, []).append(run)
    return found


def bin_s(runs: Sequence[Run]) -> float:
    """Return how wide the bins of the delay are."""
    longest_s = max((run.end_s - run.begin_s for run in runs), default=0.0)
    return BIN_S if longest_s >= SHORT_RUN_S else SHORT_BIN_S


def delay_over_time(runs: Sequence[Run], width_s: float) -> Series:
    """Return the mean delay of the vehicles due to depart in each bin, over all runs given, those never inserted included."""
    values: dict[float, list[float]] = defaultdict(list)
    for run in runs:
        for trip in TripFile(run.folder / TRIPINFO):
            due_s = trip.depart_s - trip.depart_delay_s if trip.inserted else run.end_s - trip.depart_delay_s
            values[_bin(due_s, run.begin_s, width_s)].append(trip.time_loss_s + trip.depart_delay_s)
    return {at: sum(of) / len(of) for at, of in sorted(values.items())}


def queues_over_time(runs: Sequence[Run]) -> dict[tuple[str, str], Series]:
    """Return the standing vehicles by light and approach, mean over each minute and the runs given."""
    sums: dict[tuple[str, str], Series] = {}
    for run in runs:
        for at_s, light, approach, count in _queue_rows(run.folder / QUEUES):
            series = sums.setdefault((light, approach), {})
            at = _bin(at_s, run.begin_s, QUEUE_BIN_S)
            series[at] = series.get(at, 0.0) + count
    begin_s = min((run.begin_s for run in runs), default=0.0)
    bins = int(max((run.end_s - run.begin_s for run in runs), default=0.0) // QUEUE_BIN_S)
    samples = 6.0 * max(len(runs), 1)  # a bin holds six records of each run
    times = [begin_s + i * QUEUE_BIN_S for i in range(bins)]
    return {key: {at: series.get(at, 0.0) / samples for at in times} for key, series in sums.items()}


def _queue_rows(path: Path) -> list[tuple[float, str, str, int]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))[1:]
    except FileNotFoundError:
        return []
    return [(float(row[0]), row[1], row[2], int(row[3])) for row in rows if len(row) == 4 and row[3]]


def _bin(at_s: float, begin_s: float, width_s: float) -> float:
    return begin_s + (at_s - begin_s) // width_s * width_s


def busiest_light(queues: Mapping[str, Mapping[tuple[str, str], Series]]) -> str | None:
    """Return the light before which most vehicles stood, over all controls; None where nothing is recorded."""
    total: dict[str, float] = defaultdict(float)
    for of in queues.values():
        for (light, _), series in of.items():
            total[light] += sum(series.values())
    return max(sorted(total), key=lambda light: total[light]) if total else None


def read_states(run: Run, light: str, from_s: float, to_s: float) -> list[tuple[float, str]]:
    """Return the light's states in a window, as (time, state), in order."""
    try:
        text = (run.folder / TLS_STATES).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    found = re.findall(rf'<tlsState time="([\d.]+)" id="{re.escape(light)}"[^>]*? state="([^"]*)"', text)
    return [(float(at), state) for at, state in found if from_s <= float(at) < to_s]


def shared_links(states: Sequence[Sequence[tuple[float, str]]], links: Sequence[Link | None]) -> list[list[int]]:
    """Return the indices of one light that show the same letters in all the given recordings, in order of the first index."""
    columns: dict[tuple[str, ...], list[int]] = {}
    for index in range(len(links)):
        column = tuple("".join(state[index] for _, state in of if index < len(state)) for of in states)
        columns.setdefault(column, []).append(index)
    return list(columns.values())


def signal_rows(states: Sequence[tuple[float, str]], rows: Sequence[tuple[str, int]], step_s: float) -> list[SignalRow]:
    """Return the spans of equal letters per row, each row given by its label and one of its indices."""
    found: list[SignalRow] = []
    for label, index in rows:
        spans: list[tuple[float, float, str]] = []
        for at_s, state in states:
            letter = state[index]
            if spans and spans[-1][2] == letter and abs(spans[-1][1] - at_s) < step_s / 2:
                spans[-1] = (spans[-1][0], at_s + step_s, letter)
            else:
                spans.append((at_s, at_s + step_s, letter))
        found.append(SignalRow(label, tuple(spans)))
    return found


def row_label(indices: Sequence[int], links: Sequence[Link | None], word: Mapping[str, str]) -> str:
    """Return what a row of the diagram serves, in words: sides and directions; ``word`` translates both."""
    ways: dict[str, list[str]] = {}
    for index in indices:
        link = links[index]
        if link is None:
            ways.setdefault(word["crossing"], [])
        elif link.direction not in ("t", "T") or len(indices) == 1:
            known = ways.setdefault(word[link.side], [])
            turn = word[link.direction.lower()]
            if turn not in known:
                known.append(turn)
    sides: dict[tuple[str, ...], list[str]] = {}
    for side, turns in ways.items():
        sides.setdefault(tuple(sorted(turns)), []).append(side)
    return "; ".join(f"{' + '.join(of)}: {', '.join(turns)}" if turns else " + ".join(of) for turns, of in sides.items())
