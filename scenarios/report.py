"""The report of a run: one HTML file that needs nothing else, pictures as PNG and their data as CSV beside it.

`write_report` is called at the end of ``umlauf simulate``. It needs matplotlib (``pip install 'umlauf[report]'``).
"""

from __future__ import annotations

import csv
import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from controller.errors import MissingError
from scenarios.queues import COMPASS
from scenarios.report_data import (
    Run,
    Series,
    SignalRow,
    bin_s,
    busiest_light,
    by_control,
    delay_over_time,
    queues_over_time,
    read_run,
    read_states,
    row_label,
    shared_links,
    signal_rows,
)
from scenarios.report_html import Picture, page
from scenarios.report_text import ASPECT_WORDS, TEXTS, WAYS, Language

if TYPE_CHECKING:
    from matplotlib.figure import Figure

REPORT: Final = "report.html"
PICTURES: Final = "pictures"
DIAGRAM_S: Final = 300.0
MOST_PANELS: Final = 8


def write_report(folder: Path, summaries: Sequence[Mapping[str, Any]], lang: Language = "en") -> Path:
    """Write ``report.html`` and ``pictures/`` into ``folder`` from the records of its runs, and return the report's path.

    Raises `MissingError` where matplotlib is not installed, OSError where the folder takes no files.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingError("the report needs matplotlib, which is not installed; install it with: pip install 'umlauf[report]'")
    runs = [read_run(record) for record in summaries]
    pictures = folder / PICTURES
    pictures.mkdir(exist_ok=True)
    drawing = _Drawing(runs, pictures, lang)
    sections = [("delay", drawing.delay()), ("queues", drawing.queues()), ("signals", drawing.signals())]
    path = folder / REPORT
    path.write_text(page(summaries, sections, folder, lang), encoding="utf-8")
    return path


class _Drawing:
    """Draws the pictures of a set of runs of one scenario."""

    def __init__(self, runs: Sequence[Run], folder: Path, lang: Language) -> None:
        self._runs = runs
        self._controls = by_control(runs)
        self._folder = folder
        self._lang = lang
        self._text = TEXTS[lang]
        self._begin_s = min((run.begin_s for run in runs), default=0.0)
        self._queues = {name: queues_over_time(of) for name, of in self._controls.items()}
        self._light = busiest_light(self._queues)
        self._links = next((run.links[self._light] for run in runs if self._light in run.links), ()) if self._light else ()
        self._note = self._text["busiest"].format(count=len(runs[0].links)) if runs and len(runs[0].links) > 1 else ""

    def delay(self) -> list[Picture]:
        """Draw the mean delay over time."""
        from scenarios import plots

        width_s = bin_s(self._runs)
        series = {name: delay_over_time(of, width_s) for name, of in self._controls.items()}
        series = {name: of for name, of in series.items() if of}
        if not series:
            return []
        text = self._text
        figure = plots.lines(
            series,
            self._begin_s,
            width_s,
            x_label=text["x_minutes"],
            y_label=text["delay_y"],
            title=text["delay_title"],
            stretched=text["stretched"],
        )
        detail = " ".join(
            text["delay_detail"].format(control=name, low=min(of.values()), high=max(of.values()), at=(max(of, key=lambda x: of[x]) - self._begin_s) / 60)
            for name, of in series.items()
        )
        table = self._table({name: [of] for name, of in series.items()}, list(series))
        return [self._picture(figure, "delay", text["delay_alt"].format(detail=detail), "", [text["minutes"], *series], table)]

    def queues(self) -> list[Picture]:
        """Draw the standing vehicles per approach of the busiest light."""
        from scenarios import plots

        if self._light is None:
            return []
        text, light = self._text, self._light
        sides = {link.approach: COMPASS.index(link.side) for link in self._links if link is not None}
        approaches = {a: self._approach_name(a) for a in sorted(sides, key=lambda a: sides[a])}
        by_queue = sorted(approaches, key=lambda a: -sum(sum(of.get((light, a), {}).values()) for of in self._queues.values()))
        kept = [a for a in approaches if a in by_queue[:MOST_PANELS]]
        panels = {approaches[a]: {name: of.get((light, a), {}) for name, of in self._queues.items()} for a in kept}
        figure = plots.small_multiples(
            panels,
            self._begin_s,
            x_label=text["x_minutes"],
            y_label=text["queues_y"],
            title=text["queues_title"].format(light=short(light)),
            stretched=text["stretched"],
        )
        detail = " ".join(text["queues_detail"].format(control=name, parts="; ".join(self._queue_parts(panels, name))) for name in self._queues)
        heads = [f"{name}, {approach}" for name in self._queues for approach in panels]
        table = self._table({name: [panels[approach][name] for approach in panels] for name in self._queues}, list(self._queues))
        more = text["more_approaches"].format(count=len(kept)) if len(kept) < len(approaches) else ""
        alt = text["queues_alt"].format(light=light, detail=detail)
        return [self._picture(figure, "queues", alt, f"{self._note} {more}".strip(), [text["minutes"], *heads], table)]

    def _queue_parts(self, panels: Mapping[str, Mapping[str, Series]], name: str) -> list[str]:
        parts = []
        for approach, series in panels.items():
            values = list(series[name].values()) or [0.0]
            parts.append(self._text["queues_part"].format(approach=approach, mean=sum(values) / len(values), high=max(values)))
        return parts

    def signals(self) -> list[Picture]:
        """Draw five minutes from the middle of the first run of each control."""
        if self._light is None:
            return []
        firsts = {name: of[0] for name, of in self._controls.items()}
        recorded = {name: read_states(run, self._light, run.begin_s, run.end_s + 1) for name, run in firsts.items()}
        recorded = {name: states for name, states in recorded.items() if states}
        rows = [
            (row_label(indices, self._links, WAYS[self._lang]), indices[0])
            for indices in shared_links(list(recorded.values()), self._links)
            if any(self._links[index] is not None for index in indices) or _ever_green(recorded.values(), indices[0])
        ]
        return [self._diagram(name, firsts[name], states, rows) for name, states in recorded.items()]

    def _diagram(self, name: str, run: Run, states: Sequence[tuple[float, str]], rows: Sequence[tuple[str, int]]) -> Picture:
        from scenarios import plots

        text = self._text
        middle_s = (states[0][0] + states[-1][0]) / 2 // 60 * 60
        from_s = max(states[0][0], middle_s - DIAGRAM_S / 2)
        to_s = min(from_s + DIAGRAM_S, states[-1][0] + 1)
        step_s = float(run.record.get("step_length_s") or 1.0)
        drawn = signal_rows([(at, state) for at, state in states if from_s <= at < to_s], rows, step_s)
        title = text["signals_title"].format(light=short(str(self._light)), control=name, seed=run.record["seed"])
        x_label = text["signals_x"].format(at=f"{from_s:g}")
        figure = plots.signals(drawn, from_s, to_s, x_label=x_label, title=title, legend=ASPECT_WORDS[self._lang])
        shares = [text["signals_detail"].format(label=row.label, share=100 * _green_s(row) / (to_s - from_s), greens=_greens(row)) for row in drawn]
        alt = text["signals_alt"].format(light=self._light, control=name, seconds=to_s - from_s, detail="; ".join(shares) + ".")
        table = [[row.label, f"{begin:g}", f"{end:g}", letter] for row in drawn for begin, end, letter in row.spans]
        return self._picture(figure, f"signals-{name}", alt, "", ["signals", "from_s", "to_s", "letter"], table, shown=False)

    def _approach_name(self, approach: str) -> str:
        """Return the side that an approach comes from; with its edge where two come from one side."""
        sides = {link.approach: link.side for link in self._links if link is not None}
        side = self._text["from"].format(side=WAYS[self._lang][sides[approach]])
        alone = list(sides.values()).count(sides[approach]) == 1
        return side if alone else f"{side} ({short(approach)})"

    def _table(self, series: Mapping[str, Sequence[Series]], order: Sequence[str]) -> list[list[str]]:
        times = sorted({at for of in series.values() for one in of for at in one})
        return [[f"{(at - self._begin_s) / 60:g}", *(f"{one[at]:.1f}" if at in one else "" for name in order for one in series[name])] for at in times]

    def _picture(self, figure: Figure, name: str, alt: str, note: str, heads: list[str], table: list[list[str]], *, shown: bool = True) -> Picture:
        from scenarios import plots

        image, data = self._folder / f"{name}.png", self._folder / f"{name}.csv"
        plots.save(figure, image)
        with data.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([heads, *table])
        return Picture(image, data, alt, note, heads if shown else [], table if shown else [])


def short(name: str, most: int = 32) -> str:
    """Return a SUMO id cut to a length that fits a title."""
    return name if len(name) <= most else f"{name[: most - 8]}…{name[-6:]}"


def _ever_green(recorded: Any, index: int) -> bool:
    return any(state[index] in "Gg" for states in recorded for _, state in states)


def _greens(row: SignalRow) -> int:
    """Return how many greens a row shows; permitted and protected green in succession are one."""
    green = [letter in "Gg" for _, _, letter in row.spans]
    return sum(now and not before for before, now in zip([False, *green], green, strict=False))


def _green_s(row: SignalRow) -> float:
    return sum(end - begin for begin, end, letter in row.spans if letter in "Gg")
