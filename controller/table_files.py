"""Tables as files: CSV by the standard library, Parquet by polars (extra ``export``)."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from controller.errors import MissingError


class Format(StrEnum):
    """How tables are written."""

    CSV = "csv"
    PARQUET = "parquet"


class Table(NamedTuple):
    """A table: its name, the type of each column (datetime, str, int, float or bool), its rows."""

    name: str
    columns: Mapping[str, type]
    rows: Sequence[Sequence[object]]


def write_table(table: Table, folder: Path, form: Format) -> Path:
    """Write the table into a folder and return its path; times in CSV to the millisecond. Raises `MissingError` without polars, `OSError`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{table.name}.{form}"
    match form:
        case Format.CSV:
            _write_csv(path, table)
        case Format.PARQUET:
            _write_parquet(path, table)
    return path


def _write_csv(path: Path, table: Table) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(table.columns)
        writer.writerows([_text(value) for value in row] for row in table.rows)


def _text(value: object) -> object:
    return value.isoformat(sep=" ", timespec="milliseconds") if isinstance(value, datetime) else value


def _write_parquet(path: Path, table: Table) -> None:
    try:
        import polars
    except ModuleNotFoundError as error:
        raise MissingError("Parquet needs polars; install it with: pip install 'umlauf[export]', or ask for --format csv") from error
    types = {datetime: polars.Datetime("us"), str: polars.String(), int: polars.Int64(), float: polars.Float64(), bool: polars.Boolean()}
    schema = {name: types[kind] for name, kind in table.columns.items()}
    polars.DataFrame(list(map(tuple, table.rows)), schema=schema, orient="row").write_parquet(path)
