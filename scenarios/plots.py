"""The pictures of a report. Every meaning that a colour carries is also carried by a letter, a height, a dash or a marker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from scenarios.report_data import Series, SignalRow

DPI: Final = 110
WIDTH_IN: Final = 10.0
# Okabe and Ito's palette, told apart with any colour vision; dashes and markers tell the lines apart without colour.
COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#56B4E9", "#E69F00")
DASHES: Final[tuple[Any, ...]] = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (6, 2, 1, 2)), (0, (3, 1, 1, 1, 1, 1)))
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X")
# letter of SUMO: colour, height of the bar, letter shown, hatch
ASPECTS: Final = {
    "G": ("#2E9E5B", 0.80, "G", ""),
    "g": ("#8FCF9F", 0.80, "g", ""),
    "y": ("#F2B200", 0.50, "A", ""),
    "Y": ("#F2B200", 0.50, "A", ""),
    "u": ("#F08A4B", 0.50, "u", "////"),
    "o": ("#F2B200", 0.30, "f", "...."),
    "O": ("#9A9A9A", 0.10, "", ""),
    "r": ("#B03A2E", 0.14, "", ""),
    "s": ("#B03A2E", 0.14, "", ""),
}
FAR_RATIO: Final = 10.0  # how far one control's peak may be above another's before the scale is stretched
FAR_LEAST: Final = 50.0
MIN_LETTER_S: Final = 2.5  # a narrower bar has no room for its letter


def style(at: int) -> dict[str, Any]:
    """Return colour, dash and marker of the line of the control number ``at``."""
    return {"color": COLOURS[at % len(COLOURS)], "linestyle": DASHES[at % len(DASHES)], "marker": MARKERS[at % len(MARKERS)]}


def save(figure: Figure, target: Path | BinaryIO) -> None:
    """Write a figure as PNG."""
    FigureCanvasAgg(figure)
    figure.savefig(target, dpi=DPI, facecolor="white")


def lines(series: Mapping[str, Series], begin_s: float, width_s: float, *, x_label: str, y_label: str, title: str, stretched: str) -> Figure:
    """Return one line per control over the minutes since the begin; a marker stands in the middle of each bin of ``width_s``.

    Where one control is far beyond another the scale is logarithmic, and ``stretched`` is said in the title.
    """
    figure = Figure(figsize=(WIDTH_IN, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for at, (name, of) in enumerate(series.items()):
        axes.plot([(x + width_s / 2 - begin_s) / 60 for x in of], list(of.values()), label=name, markersize=5, linewidth=1.8, **style(at))
    far = _far_apart(series.values())
    _frame(axes, x_label, y_label)
    _scale(axes, series.values(), far=far)
    axes.set_xlim(left=0)
    axes.set_title(f"{title} ({stretched})" if far else title, loc="left", fontsize=11)
    figure.legend(loc="outside lower center", ncols=min(len(series), 5) or 1, frameon=False, handlelength=3.5)
    return figure


def small_multiples(panels: Mapping[str, Mapping[str, Series]], begin_s: float, *, x_label: str, y_label: str, title: str, stretched: str) -> Figure:
    """Return one panel per approach on a common scale, one line per control in each; ``stretched`` as for `lines`."""
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(WIDTH_IN, 1.2 + 2.3 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    far = any(_far_apart(series.values()) for series in panels.values())
    handles: dict[str, Any] = {}
    for at, (name, series) in enumerate(panels.items()):
        axes = grid[at // columns][at % columns]
        last = at + columns >= len(panels)
        _frame(axes, x_label if last else "", y_label if at % columns == 0 else "")
        axes.tick_params(labelbottom=last)
        axes.set_title(name, loc="left", fontsize=10)
        handles |= _panel_lines(axes, series, begin_s)
    _scale(grid[0][0], [of for series in panels.values() for of in series.values()], far=far)
    grid[0][0].set_xlim(left=0)
    for axes in list(grid.flat)[len(panels) :]:
        axes.set_visible(False)
    figure.suptitle(f"{title} ({stretched})" if far else title, x=0.01, ha="left", fontsize=11)
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=min(len(handles), 5) or 1, frameon=False, handlelength=3.5)
    return figure


def _panel_lines(axes: Any, series: Mapping[str, Series], begin_s: float) -> dict[str, Any]:
    """Draw one line per control; few markers, out of step with each other, so that none hides another."""
    handles: dict[str, Any] = {}
    for at, (control, of) in enumerate(series.items()):
        minutes = [(x - begin_s) / 60 for x in of]
        every = max(len(minutes) // 6, 1)
        start = at * every // max(len(series), 1)
        (handles[control],) = axes.plot(minutes, list(of.values()), markevery=(start, every), markersize=4.5, linewidth=1.4, **style(at))
    return handles


def _far_apart(series: Iterable[Series]) -> bool:
    """Tell whether the highest line would press the lowest one flat."""
    peaks = [max(of.values()) for of in series if of]
    return len(peaks) > 1 and max(peaks) > FAR_RATIO * max(min(peaks), 1.0) and max(peaks) > FAR_LEAST


def _scale(axes: Any, series: Iterable[Series], *, far: bool) -> None:
    """Begin the scale at 0; where ``far``, linear up to 10 and logarithmic beyond, with plain numbers."""
    most = max((max(of.values()) for of in series if of), default=0.0)
    if far:
        axes.set_yscale("symlog", linthresh=10, linscale=1.0)
        axes.yaxis.set_major_locator(FixedLocator([0, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000]))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylim(0, max(most * (1.5 if far else 1.08), 1.0))


def signals(rows: Sequence[SignalRow], from_s: float, to_s: float, *, x_label: str, title: str, legend: Mapping[str, str]) -> Figure:
    """Return a signal timing diagram: a row per group of links, a bar per aspect; ``legend`` gives the words for the letters found."""
    figure = Figure(figsize=(WIDTH_IN, 1.35 + 0.42 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    shown: dict[str, None] = {}
    for y, row in enumerate(rows):
        for begin_s, end_s, letter in row.spans:
            colour, height, text, hatch = ASPECTS.get(letter, ASPECTS["O"])
            shown[letter] = None
            axes.barh(y, end_s - begin_s, left=begin_s - from_s, height=height, color=colour, hatch=hatch, edgecolor="white", linewidth=0.4)
            if text and end_s - begin_s >= MIN_LETTER_S:
                dark = letter in "gyYuo"
                axes.text(
                    (begin_s + end_s) / 2 - from_s,
                    y,
                    text,
                    ha="center",
                    va="center_baseline",
                    fontsize=8,
                    weight="bold",
                    clip_on=True,
                    color="black" if dark else "white",
                )
    axes.set_yticks(range(len(rows)), [row.label for row in rows], fontsize=9)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(0, to_s - from_s)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=10, steps=[1, 2, 3, 6, 10]))
    axes.grid(axis="x", color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(x_label)
    axes.set_title(title, loc="left", fontsize=11)
    handles = [
        Patch(facecolor=ASPECTS[letter][0], hatch=ASPECTS[letter][3], edgecolor="white", label=word) for letter, word in legend.items() if letter in shown
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=5, frameon=False, fontsize=9)
    return figure


def _frame(axes: Any, x_label: str, y_label: str) -> None:
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 5, 10], integer=True))
    axes.margins(x=0.01)
    axes.grid(color="#E3E3E3", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
