"""The daemon's own sentences in German.

The daemon writes English into its journal; what an operator reads is translated where it is shown, part by part, by the same tables
from which the English was made. What no table knows stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Final

from controller.cabinet.status_words import NAMES
from controller.detector_words import WHY
from controller.reason_words import TEXTS as REASONS
from controller.words import Lang

SAID: Final = {
    **REASONS,
    "hold_down": ("the hold-down is over", "die Sperrzeit ist vorbei"),
    "expired": ("override of {who} to {mode} has expired", "die Übersteuerung von {who} auf {mode} ist abgelaufen"),
    "overridden": ("override by {who}: {reason}", "Übersteuerung durch {who}: {reason}"),
    "overridden_only": ("override by {who}", "Übersteuerung durch {who}"),
    "own": ("the site's own mode", "die eigene Betriebsart der Anlage"),
    "again": ("tried again after the hold-down", "neuer Versuch nach der Sperrzeit"),
    **{f"detector_{key}": words for key, words in WHY.items()},
    "takes_over": ("{planner} takes over and keeps the stage", "{planner} übernimmt und hält die Phase"),
    "none": ("nobody", "niemand"),
    "due": ("programme: {stage} is due", "Programm: {stage} ist fällig"),
    "begins": ("begins with {stage}", "beginnt mit {stage}"),
    "ends": ("ends {stage}: {why}", "beendet {stage}: {why}"),
    "max_out": ("its maximum green is over", "die höchste Freigabezeit ist um"),
    "gap_out": ("its queues have ended", "der Rückstau ist abgebaut"),
    "goes_on": ("{why}, but {groups} goes on", "{why}, aber {groups} läuft weiter"),
    "longest_green": ("its longest green is over", "die längste Freigabezeit ist um"),
    "gone": ("its queues are gone", "der Rückstau ist abgebaut"),
    "is_next": ("{stage} is next", "{stage} folgt"),
    "greens": ("greens of the cycle: {greens}", "Freigabezeiten des Umlaufs: {greens}"),
    "clears_all": (
        "clears the junction, all red for {time} s: {stage} is green and full, and nobody has left it for {stuck} s of green",
        "räumt den Knoten, {time} s lang alle rot: {stage} hat Grün und ist voll, und seit {stuck} s Grün fuhr niemand",
    ),
    "signals_off": ("signals off: the junction is cleared", "Signale aus: der Knoten ist geräumt"),
    "asked_to_flash": ("the controller is asked to flash", "das Steuergerät soll blinken"),
    "own_plan": ("left to the controller's own plan", "dem eigenen Programm des Steuergeräts überlassen"),
    "red_first": ("red for all before the signals go off", "Rot für alle, bevor die Signale ausgehen"),
    "called": ("{stage} is called", "{stage} ist angefordert"),
    "longest": (
        "serves {stage}: its stop line has waited for the longest time that is allowed",
        "bedient {stage}: an der Haltlinie wurde so lange gewartet wie höchstens erlaubt",
    ),
    "serves": ("serves {stage}: {why}", "bedient {stage}: {why}"),
    "pressed": ("the button for {group} was pressed {time} s ago", "die Taste für {group} wurde vor {time} s gedrückt"),
    "unseen": (
        "nobody can be seen to wait for {group}, and it has been red for {time} s",
        "wer für {group} wartet, ist nicht zu sehen, und dort ist seit {time} s Rot",
    ),
    "changed": ("{before} to {after}: {why}", "{before} zu {after}: {why}"),
    # the guard and its watch
    "site_mode": ("site {site}, mode {mode}", "Anlage {site}, Betriebsart {mode}"),
    "site_shadow": ("site {site}, mode {mode}, shadow", "Anlage {site}, Betriebsart {mode}, nur Beobachtung"),
    "late": ("the tick began {late} ms after it was due, at {at} ms", "der Takt begann {late} ms zu spät, bei {at} ms"),
    "failed": (
        "the tick failed: {kind}: {error}; the signals stay as they are until the next one",
        "der Takt schlug fehl: {kind}: {error}; die Signale bleiben bis zum nächsten, wie sie sind",
    ),
    "part_failed": ("{part} failed: {kind}: {error}; control goes on without", "{part} schlug fehl: {kind}: {error}; die Steuerung geht ohne weiter"),
    "clock_moved": ("the wall clock was moved by {time} s; timing is untouched", "die Uhrzeit wurde um {time} s verstellt; die Steuerung berührt das nicht"),
    "wish": ("{who}: {mode} until {until}: {reason}", "{who}: {mode} bis {until}: {reason}"),
    "own_again": ("{who}: the site's own mode again: {reason}", "{who}: wieder die eigene Betriebsart: {reason}"),
    "answer_again": ("the signals answer again", "die Signale antworten wieder"),
    "no_inputs": ("no inputs for {time} s: {lost}", "seit {time} s keine Eingänge: {lost}"),
    "few_loops": ("{some} of {all} loops are trusted, expected at least {least}", "{some} von {all} Detektoren vertrauenswürdig, mindestens {least} nötig"),
    "loops": ("{some} of {all} loops are trusted", "{some} von {all} Detektoren vertrauenswürdig"),
    "inputs_of": ("inputs {driver}", "Eingänge {driver}"),
    "over": ("{source}: over", "{source}: vorbei"),
    "no_reset": (
        "a refusal stood before the restart, and nobody has reset it",
        "vor dem Neustart hatte die Verriegelung abgewiesen, und niemand hat zurückgesetzt",
    ),
    # the optimizer
    "not_started": ("the optimizer cannot be started: {error}", "der Optimierer lässt sich nicht starten: {error}"),
    "pipe": ("the pipe is broken ({error})", "die Verbindung zum Optimierer ist unterbrochen ({error})"),
    "optimizer_failed": ("the optimizer failed: {error}", "der Optimierer hat versagt: {error}"),
    "optimizer_ready": ("the optimizer is ready, {time} s after its start", "der Optimierer ist bereit, {time} s nach seinem Start"),
    "not_ready": ("the optimizer was not ready after {time} s", "der Optimierer war nach {time} s nicht bereit"),
    "unanswered": (
        "the optimizer has not answered {count} times in a row, each within {time} ms",
        "der Optimierer hat {count}-mal nacheinander nicht binnen {time} ms geantwortet",
    ),
    "process_ended": ("the optimizer process has ended", "der Optimierer-Prozess hat geendet"),
    "killed": ("it was killed", "er wurde gewaltsam beendet"),
    "ended_by": ("it was ended by signal {count}", "er wurde durch Signal {count} beendet"),
    "ended_with": ("it ended with code {count}", "er endete mit Code {count}"),
    "long_line": ("expected lines of at most {count} bytes, found a longer one", "Zeilen von höchstens {count} Bytes erwartet, eine längere gefunden"),
    "started_anew": ("another one is started in {time} s", "ein neuer wird in {time} s gestartet"),
    "garbage": ("the optimizer's word was thrown away: {why}", "das Wort des Optimierers wurde verworfen: {why}"),
    # the journal and what was learned
    "journal_fails": (
        "the journal cannot be written ({error}); control goes on, and it is tried again",
        "das Journal lässt sich nicht schreiben ({error}); die Steuerung geht weiter, es wird wieder versucht",
    ),
    "journal_again": ("the journal is written again", "das Journal wird wieder geschrieben"),
    "expired_file": ("{file} was removed: it is older than {days} days", "{file} wurde entfernt: älter als {days} Tage"),
    "learned": ("goes on with what was learned until {time}", "geht weiter mit dem bis {time} Gelernten"),
    "saved_again": ("the learned state is saved again", "das Gelernte wird wieder gesichert"),
    "agree": ("wanted and seen greens agree over {time} s: {shares}", "gewollte und gesehene Freigaben stimmen überein, über {time} s: {shares}"),
}
_COUNTED: Final = (("vehicle-seconds", "Fahrzeugsekunden"), ("vehicle-second", "Fahrzeugsekunde"), ("vehicles", "Fahrzeuge"), ("vehicle", "Fahrzeug"))


def retold(text: str, lang: Lang) -> str:
    """Return one of the daemon's own sentences in the language, as far as the tables know it."""
    if lang is Lang.EN:
        return text
    whole = _matched(text, (row for row in _patterns() if "; " in row[0].pattern or r";\ " in row[0].pattern))
    return whole if whole is not None else "; ".join(_german(part) for part in text.split("; "))


def _german(text: str) -> str:
    if text in NAMES:
        return NAMES[text][1]
    matched = _matched(text, _patterns())
    if matched is not None:
        return matched
    head, colon, rest = text.partition(": ")
    if colon:
        return f"{_german(head)}: {_german(rest)}"
    if ", " in text:
        return ", ".join(_german(part) for part in text.split(", "))
    for english, german in _COUNTED:
        text = re.sub(rf"\b(\d+) {english}\b", rf"\1 {german}", text)
    return re.sub(r"^(\d+)\.(\d+)$", r"\1,\2", text)  # a number that stands alone


def _matched(text: str, rows: Iterable[tuple[re.Pattern[str], str]]) -> str | None:
    """Return the text by the first template that it was made of, its parts in German, too."""
    for pattern, german in rows:
        match = pattern.fullmatch(text)
        if match is not None:
            return german.format(**{key: _german(value) for key, value in match.groupdict().items()})
    return None


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Return the English templates as patterns with their German ones, the most particular first."""
    rows = sorted(SAID.values(), key=lambda row: -len(re.sub(r"\{\w+\}", "", row[0])))
    return tuple((re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+)", re.escape(english))), german) for english, german in rows)
