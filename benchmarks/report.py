"""The report of a campaign: ``report.html``, which needs nothing else, and ``report.md`` with its pictures beside it."""

from __future__ import annotations

import base64
import importlib.util
import re
from collections import Counter
from collections.abc import Collection, Sequence
from html import escape
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.analysis import Block, Cell, analyse
from benchmarks.cases import FINISHED
from benchmarks.columns import Row
from benchmarks.files import make_part, write_whole
from benchmarks.report_words import (
    CELL_HEADS,
    COMPARISON_HEADS,
    COMPARISON_WORDS,
    DELAYS,
    FAULT_HEADS,
    MEANING,
    cell_row,
    comparison_row,
    delay_rows,
    fault_rows,
    overview,
    short,
    statement,
)
from benchmarks.tables import LAST, markdown, missing
from scenarios.report_html import document, table_html

REPORT: Final = "report.html"
MARKDOWN: Final = "report.md"
PICTURES: Final = "pictures"


class _Picture(NamedTuple):
    path: Path
    alt: str


class _Text:
    """A report under way in both forms at once."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.html: list[str] = [f"<h1>{escape(title)}</h1>"]
        self.md: list[str] = [f"# {title}"]

    def head(self, text: str, level: int = 2) -> None:
        self.html.append(f"<h{level}>{escape(text)}</h{level}>")
        self.md.append(f"{'#' * level} {text}")

    def paragraph(self, text: str) -> None:
        self.html.append(f"<p>{escape(text)}</p>")
        self.md.append(text)

    def points(self, texts: Sequence[str]) -> None:
        self.html.append("<ul>" + "".join(f"<li>{escape(text)}</li>" for text in texts) + "</ul>")
        self.md.append("\n".join(f"* {text}" for text in texts))

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[str]], words: Collection[int] = ()) -> None:
        self.html.append(table_html(heads, rows, words))
        self.md.append(markdown(heads, rows, words=words))

    def picture(self, picture: _Picture) -> None:
        image = base64.b64encode(picture.path.read_bytes()).decode("ascii")
        self.html.append(f'<figure>\n<img alt="{escape(picture.alt)}" src="data:image/png;base64,{image}">\n</figure>')
        self.md.append(f"![{picture.alt}]({PICTURES}/{picture.path.name})")


def write_report(folder: Path, rows: Sequence[Row], commands: Sequence[str], verified: str = "", reference: str = "") -> Path:
    """Write the report of these rows into the folder and return the page's path. Without matplotlib it has no pictures, and says so.

    Raises `ResultsError`, and an earlier report stays as it is.
    """
    text = _Text("Umlauf: benchmark of traffic-signal control")
    _introduction(text, rows, commands, verified)
    drawn = importlib.util.find_spec("matplotlib") is not None
    if not drawn:
        text.paragraph("There are no pictures, for matplotlib is not installed; install it with: pip install 'umlauf[report]'.")
    for block in analyse(rows, reference):
        _block(text, block, [row for row in rows if block.holds(row)], folder if drawn else None)
    write_whole(folder / MARKDOWN, ("\n\n".join(text.md) + "\n").encode())
    path = folder / REPORT
    write_whole(path, document(text.title, text.html, "en").encode())
    return path


def _introduction(text: _Text, rows: Sequence[Row], commands: Sequence[str], verified: str) -> None:
    finished = [row for row in rows if row["status"] == FINISHED]
    sumo = ", ".join(sorted({str(row["sumo_version"]) for row in finished})) or "-"
    others = Counter(row["status"] for row in rows if row["status"] != FINISHED)
    rest = "".join(f", {count} {status}" for status, count in sorted(others.items()))
    text.paragraph(f"{len(finished)} finished runs of {len(rows)}{rest}; SUMO {sumo}.")
    text.paragraph(MEANING)
    codes = {(row["control"], str(row.get("code"))) for row in finished}
    commits = sorted({str(row.get("commit") or "unknown")[:10] for row in finished})
    versions = sorted({str(row["umlauf_version"]) for row in finished if row.get("umlauf_version")}) or ["of unknown version"]
    if commits:
        mixed = " Runs of several versions of the code are compared here." if len(commits) > 1 or len(codes) > len({row["control"] for row in finished}) else ""
        made = f"Code: umlauf {', '.join(versions)}, {_many(len({code for _, code in codes}), 'hash', 'hashes')}, {'commits' if len(commits) > 1 else 'commit'}"
        text.paragraph(f"{made} {', '.join(commits)}.{mixed}")
    dirty = sum(bool(row.get("dirty")) for row in finished)
    if dirty:
        text.paragraph(f"{_many(dirty, 'run', 'runs')} were made by a work tree with changes that are in no commit.")
    if verified:
        text.paragraph(f"Verified {verified}")
    if commands:
        text.paragraph("Made by:")
        text.points(commands)
    for word, found in missing(rows).items():
        if len(found) == 1:
            text.paragraph(f"{word}: {found[0]}.")
        else:
            text.paragraph(f"{word}:")
            text.points(found)


def _block(text: _Text, block: Block, rows: Sequence[Row], pictures: Path | None) -> None:
    text.head(str(block.setting)[0].upper() + str(block.setting)[1:])
    if len(block.scenarios) > 1:
        text.head("Mean delays", 3)
        text.paragraph(DELAYS)
        text.table(["control", *(short(scenario) for scenario in block.scenarios)], delay_rows(block))
    text.head("Who is ahead", 3)
    text.points(overview(block))
    if block.comparisons:
        text.table(COMPARISON_HEADS, [comparison_row(c) for c in block.comparisons], COMPARISON_WORDS)
    for scenario in block.scenarios:
        text.head(scenario, 3)
        cells = [block.cells[scenario, c] for c in block.controls if (scenario, c) in block.cells]
        if pictures is not None and any(cell.delays_s for cell in cells):
            text.picture(_drawn(block, scenario, pictures))
        text.table(CELL_HEADS, [cell_row(cell) for cell in cells])
        _not_measured(text, cells)
        mine = [c for c in block.comparisons if c.scenario == scenario]
        if mine:
            text.points([statement(c, block.reference, block.tested) for c in mine])
    text.head("Faults and the rest", 3)
    text.table(FAULT_HEADS, fault_rows(rows, [c for c in block.controls if c not in LAST]))


def _not_measured(text: _Text, cells: Sequence[Cell]) -> None:
    refused = [f"{cell.control} is not applicable: {cell.why_not}" for cell in cells if cell.why_not]
    if refused:
        text.points(refused)


def _drawn(block: Block, scenario: str, folder: Path) -> _Picture:
    from benchmarks.pictures import draw

    path = make_part(folder / PICTURES) / (re.sub(r"[^\w.-]+", "-", f"{scenario} {block.setting}").strip("-") + ".png")
    content, alt = draw(block, scenario)
    write_whole(path, content)
    return _Picture(path, alt)


def _many(count: int, one: str, more: str) -> str:
    return f"{count} {one if count == 1 else more}"
