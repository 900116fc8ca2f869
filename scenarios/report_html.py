"""The report's page: plain HTML with everything in it, readable without colour, pictures or scripts."""

from __future__ import annotations

import base64
import math
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Final

from scenarios.report_text import COLUMNS, TEXTS, Language
from scenarios.student import two_sided_quantile

STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; margin-top: 2.2rem; } .wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.88rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.3rem 0.6rem; border-bottom: 1px solid #ccc; text-align: right; } th { vertical-align: bottom; }
th:first-child, td:first-child, .words { text-align: left; } p, li { overflow-wrap: anywhere; } tbody th { font-weight: 600; vertical-align: inherit; }
figure { margin: 1rem 0 1.8rem; } img { max-width: 100%; height: auto; } figcaption { font-size: 0.9rem; color: #333; }
summary { cursor: pointer; } a { color: #004f9e; }
"""


@dataclass(frozen=True)
class Picture:
    """One picture with its text alternative, a note, and its data as a file and, where short enough to read, as a table."""

    image: Path
    data: Path
    alt: str
    note: str
    heads: Sequence[str]
    table: Sequence[Sequence[str]]


def page(records: Sequence[Mapping[str, Any]], sections: Sequence[tuple[str, Sequence[Picture]]], folder: Path, lang: Language) -> str:
    """Return the whole page. ``sections`` are keys of the texts with their pictures, which lie in or below ``folder``."""
    text = TEXTS[lang]
    first = records[0] if records else {}
    title = text["title"].format(scenario=first.get("scenario", "-"))
    parts = [f"<h1>{escape(title)}</h1>"]
    if records:
        parts += [f"<p>{escape(text['facts'].format(**first))}</p>", f"<p>{escape(text['delay_meaning'])}</p>", f"<p>{escape(text['peers'])}</p>"]
        parts += [f"<h2>{escape(text['runs'])}</h2>", _runs_table(records, lang), *_means(records, lang)]
    for key, pictures in sections:
        parts.append(f"<h2>{escape(text[key])}</h2>")
        if key == "signals" and pictures:
            parts.append(f"<p>{escape(text['signals_meaning'])}</p>")
        parts += [_figure(picture, folder, lang) for picture in pictures] or [f"<p>{escape(text['missing'])}</p>"]
    parts += [f"<h2>{escape(text['files'])}</h2>", f"<p>{escape(text['files_text'])}</p>", _files(records, folder)]
    return document(title, parts, lang)


def document(title: str, parts: Sequence[str], lang: Language) -> str:
    """Return a whole page of these parts."""
    body = "\n".join(parts)
    return (
        f'<!DOCTYPE html>\n<html lang="{lang}">\n<head>\n<meta charset="utf-8">\n<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _runs_table(records: Sequence[Mapping[str, Any]], lang: Language) -> str:
    rows = [[_cell(_value(record, key), form) for key, form, _ in COLUMNS] for record in records]
    return table_html([heading[lang] for _, _, heading in COLUMNS], rows)


def _means(records: Sequence[Mapping[str, Any]], lang: Language) -> list[str]:
    """Return the table of means with 95 % confidence intervals; with one seed a warning instead."""
    text = TEXTS[lang]
    delays: dict[str, list[float]] = {}
    for record in records:
        if record.get("mean_delay_s") is not None:
            delays.setdefault(str(record["control"]), []).append(float(record["mean_delay_s"]))
    if all(len(values) < 2 for values in delays.values()):
        return [f"<p>{escape(text['one_seed'])}</p>"]
    rows = []
    for control, values in delays.items():
        mean, half = mean_interval(values)
        rows.append([control, str(len(values)), f"{mean:.1f}", "-" if half is None else f"{mean - half:.1f} – {mean + half:.1f}"])
    return [f"<h2>{escape(text['means'])}</h2>", table_html(text["means_columns"].split("|"), rows)]


def mean_interval(values: Sequence[float]) -> tuple[float, float | None]:
    """Return the mean and the half width of its 95 % confidence interval (Student's t), None for a single value."""
    mean = math.fsum(values) / len(values)
    freedom = len(values) - 1
    if freedom == 0:
        return mean, None
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / freedom)
    return mean, two_sided_quantile(freedom) * deviation / math.sqrt(len(values))


def _figure(picture: Picture, folder: Path, lang: Language) -> str:
    text = TEXTS[lang]
    image = base64.b64encode(picture.image.read_bytes()).decode("ascii")
    link = f'<a href="{escape(_relative(picture.data, folder))}">{escape(text["data"])} (CSV)</a>'
    note = f"{escape(picture.note)} " if picture.note else ""
    shown = f"<details><summary>{escape(text['table'])}</summary>{table_html(picture.heads, picture.table)}</details>" if picture.table else ""
    return f'<figure>\n<img alt="{escape(picture.alt)}" src="data:image/png;base64,{image}">\n<figcaption>{note}{link}</figcaption>\n{shown}</figure>'


def table_html(heads: Sequence[str], rows: Sequence[Sequence[str]], words: Collection[int] = ()) -> str:
    """Return a table whose first column names its rows; it scrolls by itself where the page is too narrow.

    ``words``: further columns that hold words and not numbers.
    """
    kinds = [' class="words"' if at in words else "" for at in range(len(heads))]
    head = "".join(f'<th scope="col"{kind}>{escape(text)}</th>' for text, kind in zip(heads, kinds, strict=True))
    cells = ["".join(f"<td{kind}>{escape(cell)}</td>" for cell, kind in zip(row[1:], kinds[1:], strict=True)) for row in rows]
    body = "\n".join(f'<tr><th scope="row">{escape(row[0])}</th>{of_row}</tr>' for row, of_row in zip(rows, cells, strict=True))
    return f'<div class="wide"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div>'


def _files(records: Sequence[Mapping[str, Any]], folder: Path) -> str:
    names = [_relative(Path(record["folder"]), folder) for record in records]
    return "<ul>" + "".join(f'<li><a href="{escape(name)}/">{escape(name)}</a></li>' for name in names) + "</ul>"


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()


def _value(record: Mapping[str, Any], key: str) -> object:
    outer, _, inner = key.partition(".")
    value = record.get(outer)
    return value.get(inner) if inner and isinstance(value, dict) else value


def _cell(value: object, form: str) -> str:
    return "-" if value is None else format(value, form)
