"""One picture per scenario: every run a ring, each control's mean with its interval, the floor a dashed line.

No meaning hangs on colour alone: what is ours is filled, a locked run is a cross, and the table beside the picture has all numbers.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Final

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from benchmarks.analysis import FLOOR, Block, Cell
from scenarios.plots import COLOURS, WIDTH_IN, save

FAR_RATIO: Final = 8.0  # beyond it the scale is logarithmic, else the smallest values lie on each other
RUNS, MEAN, LOCKED = COLOURS[5], COLOURS[0], COLOURS[1]


def draw(block: Block, scenario: str) -> tuple[bytes, str]:
    """Draw a scenario's runs and return the PNG with its text alternative."""
    cells = [cell for c in block.controls if (cell := block.cells.get((scenario, c))) is not None and cell.delays_s and c != FLOOR]
    floor = block.cells.get((scenario, FLOOR))
    floor_s = floor.mean.value if floor is not None and floor.mean is not None else None
    figure = Figure(figsize=(WIDTH_IN, 1.3 + 0.42 * len(cells)), layout="constrained")
    axes = figure.add_subplot()
    for y, cell in enumerate(cells):
        _draw_cell(axes, y, cell)
    if floor_s is not None:
        axes.axvline(floor_s, color="black", linestyle=(0, (4, 3)), linewidth=1.2, label="floor (no signals)")
    axes.set_yticks(range(len(cells)), [cell.control for cell in cells])
    axes.set_ylim(len(cells) - 0.4, -0.6)
    far = _scale(axes, [v for cell in cells for v in cell.delays_s.values()] + ([floor_s] if floor_s is not None else []))
    axes.set_xlabel("mean delay, s per vehicle" + (" (logarithmic scale)" if far else ""))
    axes.set_title(f"{scenario}: {block.setting}", loc="left", fontsize=10)
    axes.grid(axis="x", color="#E3E3E3", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    handles, labels = axes.get_legend_handles_labels()
    shown = dict(zip(labels, handles, strict=True))
    figure.legend(shown.values(), shown.keys(), loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    content = io.BytesIO()
    save(figure, content)
    return content.getvalue(), _alternative(scenario, cells, floor_s)


def _draw_cell(axes: object, y: int, cell: Cell) -> None:
    locked = {seed: cell.delays_s[seed] for seed in cell.locked}
    others = [value for seed, value in cell.delays_s.items() if seed not in locked]
    plot = axes.plot  # type: ignore[attr-defined]
    plot(others, [y + 0.16] * len(others), "o", markerfacecolor="none", markeredgecolor=RUNS, markersize=5, label="one run")
    if locked:
        plot(list(locked.values()), [y + 0.16] * len(locked), "X", color=LOCKED, markersize=7, label="locked run")
    mean = cell.mean
    if mean is not None:
        margin = 0.0 if math.isnan(mean.margin_value) else mean.margin_value
        low, high = mean.value - margin, mean.value + margin
        cut = max(low, min(cell.delays_s.values()) / 2)  # what reaches to nothing would leave no room for the runs; a cut end has no stroke
        plot([cut, high], [y - 0.08] * 2, "-", color=MEAN, linewidth=2.2)
        ends = [x for x in (low, high) if x >= cut]
        plot(ends, [y - 0.08] * len(ends), "|", color=MEAN, markersize=8)
        plot([mean.value], [y - 0.08], "D", color=MEAN, markersize=6, label="mean and 95 % interval")


def _scale(axes: object, values: Sequence[float]) -> bool:
    """Set the scale of the delays and tell whether it is logarithmic."""
    axis = axes.xaxis  # type: ignore[attr-defined]
    positive = [value for value in values if value > 0]
    far = bool(positive) and max(positive) > FAR_RATIO * min(positive)
    if far:
        axes.set_xscale("log")  # type: ignore[attr-defined]
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_locator(NullLocator())
    else:
        axes.set_xlim(left=0)  # type: ignore[attr-defined]
        axis.set_major_locator(MaxNLocator(nbins=10, steps=[1, 2, 5, 10]))
    return far


def _alternative(scenario: str, cells: Sequence[Cell], floor_s: float | None) -> str:
    """Return the picture in words."""
    parts = []
    for cell in cells:
        low, high, mean = min(cell.delays_s.values()), max(cell.delays_s.values()), cell.mean
        parts.append(f"{cell.control}: mean {mean.value if mean else math.nan:.1f} s, runs from {low:.1f} to {high:.1f} s")
    floor = "" if floor_s is None else f" The floor is {floor_s:.1f} s."
    return f"Mean delay of each run on {scenario}, one row per control. {'; '.join(parts)}.{floor}"
