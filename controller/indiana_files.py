"""Writes the Indiana export: events as CSV or Parquet, with the tables of phases and detectors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from controller.indiana import detector_rows, export_events, phase_rows
from controller.journal_reader import JournalReader
from controller.journal_time import TimeBase
from controller.table_files import Format, Table, write_table

EVENTS: Final = {"TimeStamp": datetime, "DeviceId": str, "EventId": int, "Parameter": int}
PHASES: Final = {"DeviceId": str, "Phase": int, "Group": str, "Kind": str}
DETECTORS: Final = {"DeviceId": str, "Phase": int, "Parameter": int, "Function": str, "Detector": str}


def write_export(reader: JournalReader, folder: Path, form: Format) -> list[Path]:
    """Write ``events``, ``phases.csv`` and ``detector_config.csv`` into ``folder`` and return their paths; the two small ones are always CSV.

    Raises `MissingError` where Parquet is asked for without polars, `OSError` where the folder cannot be written.
    """
    junctions = [row.junction for row in reader.junctions.values()]
    base = TimeBase(reader)
    events = Table("events", EVENTS, [(base.at(e.at_ms), e.device, int(e.code), e.parameter) for e in export_events(reader)])
    phases = Table("phases", PHASES, _rows(PHASES, phase_rows(junctions)))
    detectors = Table("detector_config", DETECTORS, _rows(DETECTORS, detector_rows(junctions)))
    return [write_table(events, folder, form), *(write_table(table, folder, Format.CSV) for table in (phases, detectors))]


def _rows(columns: Iterable[str], rows: Iterable[Mapping[str, object]]) -> list[list[object]]:
    return [[row[column] for column in columns] for row in rows]
