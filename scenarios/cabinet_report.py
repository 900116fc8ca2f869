"""What a run of the demo cabinet tells at its end: one JSON object, or a summary to read in German or English."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, NamedTuple

from controller.words import Lang, decimal, text_of


class ModeChange(NamedTuple):
    """The guard's mode from ``at_s`` on, and why."""

    at_s: float
    mode: str
    why: str


class Provoked(NamedTuple):
    """A fault that was provoked, and what was done in words."""

    name: str
    at_s: float
    what: str


class Restart(NamedTuple):
    """A guard that was killed: when, how long until it ticked again after its new start, and when the controller ran its own plan."""

    killed_s: float
    resumed_after_s: float | None
    own_plan_after_s: float | None


@dataclass
class DemoReport:
    """All figures of one run; ``unsafe`` by kind of the checker's faults, ``lamp_frames``: how often it looked.

    ``driven_s``: how long something of ours was in force at the controller, None for heads, which are ours always.
    """

    duration_s: float
    speed_ratio: float
    seed: int
    signals: str
    ticks: int = 0
    late_ticks: int = 0
    missed_ticks: int = 0
    max_lateness_ms: float = 0.0
    detector_events: int = 0
    decisions: int = 0
    refusals: int = 0
    driven_s: float | None = None
    unsafe_frames: int = 0
    lamp_frames: int = 0
    unsafe: Mapping[str, int] = field(default_factory=dict)
    unsafe_texts: Sequence[str] = ()
    vehicles_served: int = 0
    mean_delay_s: float = 0.0
    journal_bytes: int = 0
    modes: list[ModeChange] = field(default_factory=list)
    faults: list[Provoked] = field(default_factory=list)
    restarts: list[Restart] = field(default_factory=list)
    exit_reason: str = ""

    def to_object(self) -> dict[str, Any]:
        """Return plain JSON data; the counts that a script wants first, then what explains them."""
        data = asdict(self)
        data["modes"] = [change._asdict() for change in self.modes]
        data["faults"] = [fault._asdict() for fault in self.faults]
        data["restarts"] = [restart._asdict() for restart in self.restarts]
        data["max_lateness_ms"] = round(self.max_lateness_ms, 1)
        data["driven_s"] = None if self.driven_s is None else round(self.driven_s, 1)
        data["mean_delay_s"] = round(self.mean_delay_s, 1)
        first = ("ticks", "late_ticks", "max_lateness_ms", "detector_events", "decisions")
        counts = {"mode_changes": len(self.modes), "faults_injected": [fault.name for fault in self.faults]}
        last = ("unsafe_frames", "exit_reason")
        return {**{k: data[k] for k in first}, **counts, **{k: data[k] for k in last}, **{k: v for k, v in data.items() if k not in (*first, *last)}}


_TEXTS: Final = {
    "ticks": (
        "guard: {ticks} ticks, {late} late (more than 50 ms), latest {worst} ms, {missed} missed",
        "Wächter: {ticks} Takte, {late} verspätet (mehr als 50 ms), höchstens {worst} ms, {missed} ausgefallen",
    ),
    "work": ("        {events} detector events, {decisions} decisions", "         {events} Detektorereignisse, {decisions} Entscheidungen"),
    "street": ("street: {vehicles} vehicles served, {delay} s mean delay", "Straße: {vehicles} Fahrzeuge bedient, mittlere Wartezeit {delay} s"),
    "safe": (
        "checker: {frames} states of the lamps looked at, {unsafe} unsafe",
        "Prüfer: {frames} Signalbilder betrachtet, {unsafe} unsicher",
    ),
    "driven": ("controller: driven for {s} s of {all_s} s", "Steuergerät: {s} s von {all_s} s geführt"),
    "refusals": ("interlock: {refusals} refusals", "Verriegelung: {refusals} Ablehnungen"),
    "modes": ("modes:", "Betriebsarten:"),
    "faults": ("faults provoked:", "herbeigeführte Fehler:"),
    "restart": (
        "guard killed at {killed} s: first tick within {resumed} of the new start; controller on its own plan: {own}",
        "Wächter beendet bei {killed} s: erster Takt {resumed} nach dem Neustart; Steuergerät im eigenen Plan: {own}",
    ),
    "after": ("{s} s", "{s} s"),
    "never": ("not needed", "nicht nötig"),
    "later": ("{s} s later", "{s} s danach"),
    "end": ("ended: {why}", "Ende: {why}"),
}


def summary(report: DemoReport, lang: Lang) -> str:
    """Return the summary that a person reads."""

    def say(key: str, **parts: object) -> str:
        return text_of(_TEXTS, key, lang, **parts)

    def after(time_s: float | None, key: str) -> str:
        return say("never") if time_s is None else say(key, s=decimal(time_s, lang))

    lines = [
        say("ticks", ticks=report.ticks, late=report.late_ticks, worst=decimal(report.max_lateness_ms, lang), missed=report.missed_ticks),
        say("work", events=report.detector_events, decisions=report.decisions),
        say("street", vehicles=report.vehicles_served, delay=decimal(report.mean_delay_s, lang)),
        *([] if report.driven_s is None else [say("driven", s=decimal(report.driven_s, lang), all_s=decimal(report.duration_s, lang))]),
        say("refusals", refusals=report.refusals),
        say("safe", frames=report.lamp_frames, unsafe=report.unsafe_frames),
        *(f"    {text}" for text in report.unsafe_texts[:10]),
    ]
    if report.faults:
        lines += [say("faults"), *(f"    {decimal(f.at_s, lang):>8} s  {f.name:<16} {f.what}" for f in report.faults)]
    lines += [say("modes"), *(f"    {decimal(m.at_s, lang):>8} s  {m.mode:<10} {m.why}" for m in report.modes)]
    for r in report.restarts:
        resumed, own = after(r.resumed_after_s, "after"), after(r.own_plan_after_s, "later")
        lines.append(say("restart", killed=decimal(r.killed_s, lang), resumed=resumed, own=own))
    return "\n".join([*lines, say("end", why=report.exit_reason)])
