"""An explanation as a picture: the believed vehicles of each lane before the green planned for it, and what each choice would have cost.

Every meaning has a letter or a hatch beside its colour. The file carries its text alternative; the command prints all as words.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from controller.errors import ConfigError
from controller.explain import Explanation
from controller.explain_bands import green_bands
from controller.explain_lanes import LEAST, SURE
from controller.explain_text import choice_name, told_at
from controller.explain_words import TEXTS
from controller.words import Lang, decimal, text_of

DPI: Final = 120
WIDTH_IN: Final = 11.0
LEAST_S: Final = -45.0  # who has waited longer stands at the left edge
GREEN, PART, DARK, BLUE, GREY = "#BFE3C9", "#E3F3E6", "#7A1F16", "#0B4F8A", "#8A8A8A"


def draw(one: Explanation, path: Path, lang: Lang) -> None:
    """Write the picture as PNG or SVG, by the file's name. Raises `ConfigError` where nothing is known that could be drawn."""
    if one.snapshot is None:
        raise ConfigError(f"{path}: nothing to draw, for what {one.control} knew cannot be rebuilt; leave out --output to read what is recorded")
    figure = Figure(figsize=(WIDTH_IN, 2.0 + 0.42 * len(one.lanes) + (1.0 + 0.36 * len(one.alternatives) if one.alternatives else 0.0)), layout="constrained")
    FigureCanvasAgg(figure)
    if one.alternatives:
        top, bottom = figure.subplots(2, 1, height_ratios=[1.2 + 0.42 * len(one.lanes), 0.8 + 0.36 * len(one.alternatives)])
        _costs(bottom, one, lang)
    else:
        top = figure.subplots()
    _lanes(top, one, lang)
    figure.legend(handles=_legend(lang), loc="outside lower center", ncols=6, frameon=False, fontsize=8.5, handlelength=1.6)
    svg = path.suffix.lower() == ".svg"
    title = text_of(TEXTS, "top", lang, junction=one.junction.id, time=told_at(one, one.now_ms))
    words = {"Title": title, "Description": alternative_text(one, lang), **({"Date": None} if svg else {})}
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "umlauf"}):
        figure.savefig(path, dpi=DPI, facecolor="white", format=path.suffix.lower()[1:], metadata=words)


def alternative_text(one: Explanation, lang: Lang) -> str:
    """Return what the picture shows, for those who cannot see it."""
    assert one.snapshot is not None
    parts = []
    for lane in one.lanes:
        b = one.snapshot.lanes[lane.id]
        coming = sum(w for a, w in zip(b.arrival_ms, b.weight, strict=True) if a > one.now_ms)
        parts.append(text_of(TEXTS, "alt_lane", lang, lane=lane.id, queue=decimal(b.queue_veh, lang), arriving=decimal(coming, lang)))
    choices = [text_of(TEXTS, "alt_choice", lang, name=name, more=decimal(more_s, lang)) for name, more_s, _ in _choices(one, lang)]
    return text_of(TEXTS, "alt_text", lang, lanes=" ".join(parts), alternatives=" ".join(choices))


def _choices(one: Explanation, lang: Lang) -> list[tuple[str, float, bool]]:
    base = one.chosen or (one.alternatives[0] if one.alternatives else None)
    return [(choice_name(one, a.stage, lang), (a.cost_ms - base.cost_ms) / 1000, a is one.chosen) for a in one.alternatives if base is not None]


def _lanes(axes: Any, one: Explanation, lang: Lang) -> None:
    assert one.snapshot is not None
    ends_s = [0.0]
    for y, lane in enumerate(one.lanes):
        belief = one.snapshot.lanes[lane.id]
        for k, (arrival_ms, weight) in enumerate(zip(belief.arrival_ms, belief.weight, strict=True)):
            if weight < LEAST:
                continue
            at_s = max((arrival_ms - one.now_ms) / 1000, LEAST_S)
            ends_s.append(at_s)
            letter, colour = ("?", GREY) if weight < SURE else ("Q", DARK) if at_s <= 0 else ("a", BLUE)
            lift = 0.13 if k % 2 else -0.13  # neighbours in time do not hide each other
            axes.plot([at_s], [y + lift - 0.06], marker=f"${letter}$", markersize=6.5, color=colour, linestyle="none", zorder=4)
    for y, times_ms in enumerate(one.path.departures_ms if one.path is not None else ()):
        axes.plot([t / 1000 for t in times_ms], [y + 0.34] * len(times_ms), marker="|", markersize=5, color="black", linestyle="none", zorder=4)
    _bands(axes, one)
    horizon_s = int(one.problem.grid_ms[-1]) / 1000 if one.problem is not None else 50.0
    axes.axvline(0, color="black", linewidth=1.2, zorder=3)
    axes.set_xlim(min(ends_s) - 1.5, horizon_s)
    queues = [decimal(one.snapshot.lanes[lane.id].queue_veh, lang) for lane in one.lanes]
    axes.set_yticks(range(len(one.lanes)), [f"{lane.id}   Q {queue}" for lane, queue in zip(one.lanes, queues, strict=True)], fontsize=8.5)
    axes.set_ylim(len(one.lanes) - 0.4, -1.1)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=12, steps=[1, 2, 5, 10]))
    _frame(axes, text_of(TEXTS, "x_axis", lang), text_of(TEXTS, "top", lang, junction=one.junction.id, time=told_at(one, one.now_ms)))


def _bands(axes: Any, one: Explanation) -> None:
    stages, bands = green_bands(one)
    for y, spans in enumerate(bands):
        for begin_s, end_s, whole in spans:
            width_s = end_s - begin_s
            axes.barh(y, width_s, left=begin_s, height=0.86, color=GREEN if whole else PART, hatch="" if whole else "//", edgecolor="#6FA67E", linewidth=0.5)
    for k, (name, begin_s, end_s) in enumerate(stages):
        axes.axvline(begin_s, ymax=0.985, color="#444444", linewidth=0.8, linestyle=(0, (4, 3)), zorder=2) if k else None
        if end_s - begin_s >= 1.5 or k == 0:
            axes.text((begin_s + end_s) / 2, -0.72, name, ha="center", va="center", fontsize=9, weight="bold", clip_on=True)


def _costs(axes: Any, one: Explanation, lang: Lang) -> None:
    rows = _choices(one, lang)
    most_s = max(max((abs(more) for _, more, _ in rows), default=0.0), 1.0)
    for y, (_, more_s, chosen) in enumerate(rows):
        axes.barh(y, more_s, height=0.6, color="#C9D8E6", hatch="\\\\" if more_s >= 0 else "..", edgecolor="#35556F", linewidth=0.6)
        text = text_of(TEXTS, "chosen", lang) + f": {decimal(one.alternatives[y].cost_ms / 1000, lang)}" if chosen else f"{more_s:+.1f}"
        text = text if lang is Lang.EN or chosen else text.replace(".", ",")
        axes.text(max(more_s, 0.0) + 0.012 * most_s, y, text, va="center", fontsize=9, weight="bold" if chosen else "normal")
    axes.axvline(0, color="black", linewidth=1.2)
    axes.set_yticks(range(len(rows)), [name for name, _, _ in rows], fontsize=9)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(min(min((more for _, more, _ in rows), default=0.0), 0.0) * 1.1, 1.22 * most_s)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8))
    _frame(axes, "", text_of(TEXTS, "bottom", lang))


def _frame(axes: Any, x_label: str, title: str) -> None:
    axes.set_xlabel(x_label, fontsize=9)
    axes.set_title(title, loc="left", fontsize=11)
    axes.grid(axis="x", color="#E3E3E3", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _legend(lang: Lang) -> list[Any]:
    def letter(key: str, marker: str, colour: str) -> Line2D:
        text = text_of(TEXTS, key, lang).split(" ", 1)[1]
        return Line2D([], [], marker=marker, color=colour, linestyle="none", markersize=6.5, label=text)

    return [
        letter("legend_queue", "$Q$", DARK),
        letter("legend_arriving", "$a$", BLUE),
        letter("legend_unsure", "$?$", GREY),
        letter("legend_leaves", "|", "black"),
        Patch(facecolor=GREEN, edgecolor="#6FA67E", label=text_of(TEXTS, "legend_green", lang)),
        Patch(facecolor=PART, hatch="//", edgecolor="#6FA67E", label=text_of(TEXTS, "legend_part", lang)),
    ]
