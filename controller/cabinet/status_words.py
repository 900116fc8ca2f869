"""The words of ``umlauf status`` as (English, German)."""

from __future__ import annotations

from typing import Final

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
    "remote": ("take our commands", "nehmen unsere Befehle an"),
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
    "late_tick": ("late tick", "verspäteter Takt"),
    "planner_failed": ("planner failed", "Planer versagt"),
    "optimizer_recovered": ("optimizer back", "Optimierer wieder da"),
    "detectors_recovered": ("detectors back", "Detektoren wieder da"),
    "link_recovered": ("link back", "Verbindung wieder da"),
    "reset": ("reset", "zurückgesetzt"),
    "preempt_begin": ("preempt", "Vorrang"),
    "preempt_end": ("preempt over", "Vorrang beendet"),
    "manual_begin": ("by hand", "Handbetrieb"),
    "manual_end": ("by hand, over", "Handbetrieb beendet"),
    "override": ("override", "Übersteuerung"),
    "recovered": ("recovered", "erholt"),
    "start": ("start", "Beginn"),
    "stopping": ("stopping", "hält an"),
    "stopped": ("stopped", "beendet"),
    "service": ("service", "Dienst"),
    "detector": ("detector", "Detektor"),
    "state": ("state", "Gelerntes"),
    "shadow": ("shadow", "Beobachtung"),
    "error": ("ERROR", "FEHLER"),
    "clock_step": ("clock moved", "Uhr verstellt"),
    "ignored": ("ignored", "übergangen"),
    "refusal": ("interlock refused; reset needed", "Verriegelung hat abgewiesen; Rücksetzen nötig"),
}


def say(key: str, lang: Lang, **parts: object) -> str:
    """Return a text of the view."""
    return text_of(TEXTS, key, lang, **parts)


def name(key: str, lang: Lang) -> str:
    """Return the name of a mode, aspect, state, part or fault; one that is not known as it is."""
    return NAMES[key][lang is Lang.DE] if key in NAMES else key
