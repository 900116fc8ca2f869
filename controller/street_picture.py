"""The time-space diagram of a street: greens of its lights over time and way, and a stroke for each vehicle over each loop, as steep as it drove."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from controller.street import LEAST_M_S, Passage, StreetLight, bands
from controller.words import Lang, text_of

DPI: Final = 110
WIDTH_IN: Final = 11.0
STROKE_M: Final = 34.0
BAND_M: Final = 9.0
GREEN, RED, DARK, GREY, BAND = "#2E9E5B", "#D9A9A3", "#0B4F8A", "#8A8A8A", "#DDF0E3"

TEXTS: Final = {
    "title": ("{first} to {last}, {way} m: {time} s of the journal", "{first} bis {last}, {way} m: {time} s aus dem Journal"),
    "time": ("time (s)", "Zeit (s)"),
    "way": ("way (m) and light", "Weg (m) und Lichtsignalanlage"),
    "green": ("green along the street", "Grün entlang der Straße"),
    "red": ("not green", "kein Grün"),
    "stroke": ("a vehicle over a loop, as steep as it drove", "ein Fahrzeug über einer Schleife, so steil wie es fuhr"),
    "stands": ("a vehicle that stands on a loop", "ein Fahrzeug, das auf einer Schleife steht"),
    "band": ("from green to green at the speed limit", "von Grün zu Grün mit der zulässigen Geschwindigkeit"),
    "alt": (
        "{light}, at {place} m: green {share} per cent of the time, {drove} of {count} vehicles over its loops drove at half the speed limit or more.",
        "{light}, bei {place} m: grün in {share} Prozent der Zeit, {drove} von {count} Fahrzeugen über seinen Schleifen fuhren mindestens halb so "
        "schnell wie zulässig.",
    ),
}


def draw_street(street: Sequence[StreetLight], from_ms: int, to_ms: int, path: Path, lang: Lang = Lang.EN) -> None:
    """Write the diagram as PNG or SVG, by the file's name."""
    first_m = min([p.place_m for light in street for p in light.passages], default=street[0].place_m) - STROKE_M
    last_m = street[-1].place_m + 2 * STROKE_M
    figure = Figure(figsize=(WIDTH_IN, 2.2 + (last_m - first_m) / 260.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for light in street:
        _bar(axes, light, from_ms, to_ms)
    passages = [p for light in street for p in light.passages]
    axes.add_collection(LineCollection([_stroke(p) for p in passages if p.speed_m_s > LEAST_M_S], colors=DARK, linewidths=0.9))
    axes.add_collection(LineCollection([_standing(p) for p in passages if p.speed_m_s <= LEAST_M_S], colors=GREY, linewidths=1.6))
    axes.add_collection(PolyCollection([band for one, other in pairwise(street) for band in _bands(one, other)], facecolors=BAND, edgecolors="none", zorder=0))
    axes.set_xlim(from_ms / 1000, to_ms / 1000)
    axes.set_ylim(first_m, last_m)
    axes.set_yticks([light.place_m for light in street], [f"{light.place_m:.0f}  {light.id}" for light in street])
    axes.xaxis.set_major_locator(MaxNLocator(nbins=12, integer=True))
    axes.set_xlabel(text_of(TEXTS, "time", lang))
    axes.set_ylabel(text_of(TEXTS, "way", lang))
    title = text_of(
        TEXTS, "title", lang, first=street[0].id, last=street[-1].id, way=f"{street[-1].place_m:.0f}", time=f"{from_ms / 1000:g} … {to_ms / 1000:g}"
    )
    axes.set_title(title, loc="left", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(handles=_legend(lang), loc="outside lower center", ncols=3, frameon=False, fontsize=8.5)
    words = {"Title": title, "Description": alternative_text(street, from_ms, to_ms, lang), **({"Date": None} if path.suffix.lower() == ".svg" else {})}
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "umlauf"}):
        figure.savefig(path, dpi=DPI, facecolor="white", format=path.suffix.lower()[1:], metadata=words)


def alternative_text(street: Sequence[StreetLight], from_ms: int, to_ms: int, lang: Lang) -> str:
    """Return what the diagram shows, for those who cannot see it."""
    lines = []
    for light in street:
        share = 100 * sum(b - a for a, b in light.greens_ms) / max(to_ms - from_ms, 1)
        drove = sum(p.speed_m_s >= light.speed_m_s / 2 for p in light.passages)
        parts = {"place": f"{light.place_m:.0f}", "share": f"{share:.0f}", "drove": drove, "count": len(light.passages)}
        lines.append(text_of(TEXTS, "alt", lang, light=light.id, **parts))
    return " ".join(lines)


def _bar(axes: Axes, light: StreetLight, from_ms: int, to_ms: int) -> None:
    axes.broken_barh([(from_ms / 1000, (to_ms - from_ms) / 1000)], (light.place_m - BAND_M / 4, BAND_M / 2), facecolor=RED, zorder=1)
    axes.broken_barh([(a / 1000, (b - a) / 1000) for a, b in light.greens_ms], (light.place_m - BAND_M, 2 * BAND_M), facecolor=GREEN, zorder=2)


def _bands(one: StreetLight, other: StreetLight) -> list[list[tuple[float, float]]]:
    """Return the corners of each band between two lights."""
    return [
        [(a / 1000, one.place_m), (b / 1000, one.place_m), ((b + travel_ms) / 1000, other.place_m), ((a + travel_ms) / 1000, other.place_m)]
        for a, b, travel_ms in bands(one, other)
    ]


def _stroke(p: Passage) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return a line through the passage as steep as the vehicle drove; who crawls gets a shorter one, for nobody crawls for that long."""
    half_s = min(STROKE_M / 2 / p.speed_m_s, 2.5)
    at_s = (p.at_ms + p.occupied_ms / 2) / 1000
    return (at_s - half_s, p.place_m - half_s * p.speed_m_s), (at_s + half_s, p.place_m + half_s * p.speed_m_s)


def _standing(p: Passage) -> tuple[tuple[float, float], tuple[float, float]]:
    return (p.at_ms / 1000, p.place_m), ((p.at_ms + p.occupied_ms) / 1000, p.place_m)


def _legend(lang: Lang) -> list[Patch | Line2D]:
    return [
        Patch(facecolor=GREEN, label=text_of(TEXTS, "green", lang)),
        Patch(facecolor=RED, label=text_of(TEXTS, "red", lang)),
        Line2D([], [], color=DARK, linewidth=1.2, label=text_of(TEXTS, "stroke", lang)),
        Line2D([], [], color=GREY, linewidth=1.6, label=text_of(TEXTS, "stands", lang)),
        Patch(facecolor=BAND, label=text_of(TEXTS, "band", lang)),
    ]
