"""Writes the Indiana export: events, phases and detectors as CSV (standard library) or Parquet (extra ``export``)."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

from controller.errors import MissingError
from controller.indiana import Event, detector_rows, export_events, phase_rows
from controller.journal_reader import JournalReader

COLUMNS: Final = ("TimeStamp", "DeviceId", "EventId", "Parameter")
PHASES: Final = ("DeviceId", "Phase", "Group", "Kind")
DETECTORS: Final = ("DeviceId", "Phase", "Parameter", "Function", "Detector")


class Format(StrEnum):
    """How the events are written; the two small tables are always CSV."""

    CSV = "csv"
    PARQUET = "parquet"


def write_export(reader: JournalReader, folder: Path, form: Format) -> list[Path]:
    """Write ``events``, ``phases.csv`` and ``detector_config.csv`` into ``folder`` and return their paths.

    Raises `MissingError` where Parquet is asked for without polars, `OSError` where the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    junctions = [row.junction for row in reader.junctions.values()]
    events = folder / f"events.{form}"
    rows, zero = export_events(reader), midnight(reader)
    match form:
        case Format.CSV:
            _write_csv(events, COLUMNS, ((_text(zero, e.at_ms), e.device, int(e.code), e.parameter) for e in rows))
        case Format.PARQUET:
            _write_parquet(events, rows, zero)
    phases, detectors = folder / "phases.csv", folder / "detector_config.csv"
    _write_rows(phases, PHASES, phase_rows(junctions))
    _write_rows(detectors, DETECTORS, detector_rows(junctions))
    return [events, phases, detectors]


def midnight(reader: JournalReader) -> datetime:
    """Return the naive local time of millisecond 0: a simulation's clock counts from midnight of the day on which it ran."""
    return datetime.fromisoformat(str(reader.meta["created_utc"])).replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)


def _text(zero: datetime, at_ms: int) -> str:
    return (zero + timedelta(milliseconds=at_ms)).isoformat(sep=" ", timespec="milliseconds")


def _write_rows(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    _write_csv(path, columns, ([row[column] for column in columns] for row in rows))


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)


def _write_parquet(path: Path, rows: Sequence[Event], zero: datetime) -> None:
    try:
        import polars
    except ModuleNotFoundError as error:
        raise MissingError("Parquet needs polars; install it with: pip install 'umlauf[export]', or ask for --format csv") from error
    types: tuple[polars.DataType, ...] = (polars.Datetime("us"), polars.String(), polars.Int64(), polars.Int64())
    data = {
        "TimeStamp": [zero + timedelta(milliseconds=e.at_ms) for e in rows],
        "DeviceId": [e.device for e in rows],
        "EventId": [int(e.code) for e in rows],
        "Parameter": [e.parameter for e in rows],
    }
    polars.DataFrame(data, schema=dict(zip(COLUMNS, types, strict=True))).write_parquet(path)
