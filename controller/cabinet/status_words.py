"""The words of ``umlauf status`` as (English, German), and the daemon's own English sentences said in German.

The daemon writes English into its journal; what an operator reads is translated where it is shown, part by part, by the same tables
from which the English was made. What no table knows stays as it is.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from controller.reason_words import TEXTS as REASONS
from controller.words import Lang, text_of

TEXTS: Final = {
    "shadow": ("SHADOW: nothing is sent", "BEOBACHTUNG: nichts wird gesendet"),
    "up": ("up for {time}", "läuft seit {time}"),
    "node": ("Node {id}", "Teilknoten {id}"),
    "mode": ("Mode", "Betriebsart"),
    "why": ("Why", "Warum"),
    "since": ("since {time}", "seit {time}"),
    "wanted": ("wanted: {mode}", "gewünscht: {mode}"),
    "override": ("Override", "Übersteuerung"),
    "override_text": ("{mode} until {until}, by {who}: {reason}", "{mode} bis {until}, durch {who}: {reason}"),
    "faults": ("Faults", "Störungen"),
    "no_faults": ("none", "keine"),
    "stage": ("Stage", "Phase"),
    "plan": ("Plan by {planner}", "Plan von {planner}"),
    "next": ("Next", "Danach"),
    "next_step": ("{stage} in {time} s", "{stage} in {time} s"),
    "signals": ("Signals", "Signale"),
    "detectors": ("Detectors", "Detektoren"),
    "detector": ("Detector", "Detektor"),
    "purpose": ("Purpose", "Zweck"),
    "occupied": ("● occupied", "● belegt"),
    "free": ("○ free", "○ frei"),
    "health": ("Health", "Zustand"),
    "trusted": ("ok", "in Ordnung"),
    "distrusted": ("FAULT: {why}", "GESTÖRT: {why}"),
    "count": ("Vehicles", "Fahrzeuge"),
    "more": ("{count} more", "{count} weitere"),
    "lanes": ("Lanes", "Fahrstreifen"),
    "lane": ("Lane", "Fahrstreifen"),
    "queue": ("Queue", "Rückstau"),
    "flow": ("Flow /h", "Verkehrsstärke /h"),
    "saturation": ("Saturation /h", "Sättigung /h"),
    "watched": ("Watched", "Überwachung"),
    "optimizer": ("optimizer: {state}", "Optimierer: {state}"),
    "driven": ("signals: {state}", "Signale: {state}"),
    "age": ("{part} {age} s ago", "{part} vor {age} s"),
    "ticks": ("{ticks} ticks, {late} late, latest by {max} ms", "{ticks} Takte, {late} verspätet, höchstens um {max} ms"),
    "work": ("{decisions} plans, {events} detector events", "{decisions} Pläne, {events} Detektorereignisse"),
    "refusals": ("interlock refused {count}", "Verriegelung wies {count} ab"),
    "events": ("Newest events (UTC)", "Neueste Ereignisse (UTC)"),
    "lost": ("NO CONNECTION: {error}; trying again", "KEINE VERBINDUNG: {error}; neuer Versuch läuft"),
    "stale": ("NO NEWS for {time} s", "SEIT {time} s NICHTS NEUES"),
}

# Names of modes, aspects, states, parts and faults.
NAMES: Final = {
    "adaptive": ("adaptive", "adaptiv"),
    "cycle": ("cycle", "Umlauf"),
    "actuated": ("actuated", "verkehrsabhängig"),
    "fixed": ("fixed", "Festzeit"),
    "flash": ("flash", "Blinken"),
    "release": ("release", "Gerät allein"),
    "preempt": ("preempt", "Vorrang"),
    "manual": ("manual", "Handbetrieb"),
    "dark": ("dark", "dunkel"),
    "red": ("red", "rot"),
    "red_amber": ("red-amber", "rotgelb"),
    "green": ("green", "grün"),
    "amber": ("amber", "gelb"),
    "flashing_amber": ("flashing amber", "gelbblinken"),
    "stop": ("stop line", "Haltlinie"),
    "advance": ("advance", "Vorfeld"),
    "entry": ("entry", "Zufahrt"),
    "exit": ("exit", "Ausfahrt"),
    "ready": ("ready", "bereit"),
    "starting": ("starting", "startet"),
    "lost": ("LOST", "AUSGEFALLEN"),
    "off": ("off", "aus"),
    "remote": ("ours", "von uns gesteuert"),
    "local": ("controller's own plan", "Gerät steuert selbst"),
    "fault": ("FAULT", "GESTÖRT"),
    "inputs": ("inputs", "Eingänge"),
    "journal": ("journal", "Journal"),
    "optimizer": ("optimizer", "Optimierer"),
    "signals": ("signals", "Signale"),
    "systemd watchdog": ("watchdog", "Watchdog"),
    "optimizer_lost": ("optimizer lost", "Optimierer ausgefallen"),
    "detectors_lost": ("detectors lost", "Detektoren ausgefallen"),
    "link_lost": ("link lost", "Verbindung verloren"),
    "refusal": ("interlock refused; reset needed", "Verriegelung hat abgewiesen; Rücksetzen nötig"),
}

# What supervisor, planners and detection say of themselves.
SAID: Final = {
    **REASONS,
    "hold_down": ("the hold-down is over", "die Sperrzeit ist vorbei"),
    "expired": ("override of {who} to {mode} has expired", "die Übersteuerung von {who} auf {mode} ist abgelaufen"),
    "overridden": ("override by {who}: {reason}", "Übersteuerung durch {who}: {reason}"),
    "overridden_only": ("override by {who}", "Übersteuerung durch {who}"),
    "own": ("the site's own mode", "die eigene Betriebsart der Anlage"),
    "again": ("tried again after the hold-down", "neuer Versuch nach der Sperrzeit"),
    "device": ("the device reports a fault", "das Gerät meldet eine Störung"),
    "covered": ("covered for {long} s, at most {most} s are plausible", "seit {long} s belegt, höchstens {most} s sind plausibel"),
    "silent": ("silent for {long} s, at most {most} s are plausible", "seit {long} s stumm, höchstens {most} s sind plausibel"),
    "chatter": ("more than {edges} edges within {time} ms", "mehr als {edges} Flanken in {time} ms"),
    "plausible": ("plausible again", "wieder plausibel"),
    "takes_over": ("{planner} takes over and keeps the stage", "{planner} übernimmt und hält die Phase"),
    "due": ("programme: {stage} is due", "Programm: {stage} ist fällig"),
    "begins": ("begins with {stage}", "beginnt mit {stage}"),
    "called": ("{stage} is called", "{stage} ist angefordert"),
    "longest": (
        "serves {stage}: its stop line has waited for the longest time that is allowed",
        "bedient {stage}: an der Haltlinie wurde so lange gewartet wie höchstens erlaubt",
    ),
    "changed": ("{before} to {after}: {why}", "{before} zu {after}: {why}"),
}
_COUNTED: Final = (("vehicle-seconds", "Fahrzeugsekunden"), ("vehicle-second", "Fahrzeugsekunde"), ("vehicles", "Fahrzeuge"), ("vehicle", "Fahrzeug"))


def say(key: str, lang: Lang, **parts: object) -> str:
    """Return a text of the view."""
    return text_of(TEXTS, key, lang, **parts)


def name(key: str, lang: Lang) -> str:
    """Return the name of a mode, aspect, state, part or fault; one that is not known as it is."""
    return NAMES[key][lang is Lang.DE] if key in NAMES else key


def retold(text: str, lang: Lang) -> str:
    """Return one of the daemon's own sentences in the language, as far as the tables know it."""
    if lang is Lang.EN:
        return text
    return "; ".join(_german(part) for part in text.split("; "))


def _german(text: str) -> str:
    if text in NAMES:
        return NAMES[text][1]
    for pattern, german in _patterns():
        match = pattern.fullmatch(text)
        if match is not None:
            return german.format(**{key: _german(value) for key, value in match.groupdict().items()})
    head, colon, rest = text.partition(": ")
    if colon:
        return f"{_german(head)}: {_german(rest)}"
    if ", " in text:
        return ", ".join(_german(part) for part in text.split(", "))
    for english, german in _COUNTED:
        text = re.sub(rf"\b(\d+) {english}\b", rf"\1 {german}", text)
    return text


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Return the English templates as patterns with their German ones, the most particular first."""
    rows = sorted(SAID.values(), key=lambda row: -len(re.sub(r"\{\w+\}", "", row[0])))
    return tuple((re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+)", re.escape(english))), german) for english, german in rows)
