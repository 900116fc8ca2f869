"""Why a detector is not trusted, in words: English and German, from one table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

WHY: Final[Mapping[str, tuple[str, str]]] = {
    "device": ("the device reports a fault: {said}", "das Gerät meldet eine Störung: {said}"),
    "unanswered": ("its device does not answer", "sein Gerät antwortet nicht"),
    "chatter": (
        "chatters: more than {edges} edges within {ms} ms or {most} vehicles within a minute",
        "flattert: mehr als {edges} Flanken in {ms} ms oder {most} Fahrzeuge in einer Minute",
    ),
    "echo": (
        "counts twice: {percent} % of its pulses are followed by another one sooner than any vehicle can follow",
        "zählt doppelt: {percent} % der Impulse folgt ein weiterer schneller, als ein Fahrzeug folgen kann",
    ),
    "covered": ("covered for {long} s, at most {most} s are plausible", "seit {long} s belegt, höchstens {most} s sind plausibel"),
    "silent": ("silent for {long} s, at most {most} s are plausible", "seit {long} s stumm, höchstens {most} s sind plausibel"),
    "covered_long": (
        "stuck on: covered for {long} s and never longer than {before} s before, while the junction flows",
        "dauernd belegt: seit {long} s und vorher nie länger als {before} s, während der Knoten fließt",
    ),
    "covered_missed": (
        "stuck on: it did not change while, by {seen}, vehicles must have passed",
        "dauernd belegt: ohne Änderung, obwohl nach {seen} Fahrzeuge gefahren sein müssen",
    ),
    "free_missed": (
        "stuck off: it did not change while, by {seen}, vehicles must have passed",
        "dauernd frei: ohne Änderung, obwohl nach {seen} Fahrzeuge gefahren sein müssen",
    ),
    "free_queue": (
        "stuck off: free for {long} s, while a queue stands on {seen}",
        "dauernd frei: seit {long} s frei, während auf {seen} ein Rückstau steht",
    ),
    "covered_due": (
        "stuck on: it did not change while {veh} vehicles were due by its usual flow",
        "dauernd belegt: ohne Änderung, obwohl nach dem üblichen Verkehr {veh} Fahrzeuge fällig waren",
    ),
    "free_due": (
        "stuck off: it did not change while {veh} vehicles were due by its usual flow",
        "dauernd frei: ohne Änderung, obwohl nach dem üblichen Verkehr {veh} Fahrzeuge fällig waren",
    ),
    "overcount": ("counts about twice as many vehicles as {seen} let expect", "zählt etwa doppelt so viele Fahrzeuge, wie {seen} erwarten lassen"),
    "undercount": ("counts about half as many vehicles as {seen} let expect", "zählt etwa halb so viele Fahrzeuge, wie {seen} erwarten lassen"),
    "few": (
        "counts about half as many vehicles as pass: {counted} where, by {seen}, {passed} have passed",
        "zählt etwa halb so viele Fahrzeuge, wie fahren: {counted}, wo nach {seen} {passed} gefahren sind",
    ),
    "no_followers": (
        "counts about half as many vehicles as pass: hardly any follows another one closely, as they did before",
        "zählt etwa halb so viele Fahrzeuge, wie fahren: kaum eines folgt dicht auf ein anderes, wie es vorher war",
    ),
    "half": (
        "counts about half as many vehicles as {seen} let expect, and hardly any follows another one closely",
        "zählt etwa halb so viele Fahrzeuge, wie {seen} erwarten lassen, und kaum eines folgt dicht auf ein anderes",
    ),
    "line": (
        "silent line: all its {loops} loops are silent for {long} s, in which {edges} edges were due",
        "Leitung stumm: alle {loops} Schleifen seit {long} s, in denen {edges} Flanken fällig waren",
    ),
    "plausible": ("plausible again", "wieder plausibel"),
}


def why(key: str, **parts: object) -> str:
    """Return a reason in English; whoever shows it to people translates it by the table."""
    return WHY[key][0].format(**parts)
