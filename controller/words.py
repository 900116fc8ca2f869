"""Numbers and names as an engineer reads them, in German (the terms of the RiLSA) and in English."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from controller.junction import Node


class Lang(StrEnum):
    """A language that texts exist in."""

    EN = "en"
    DE = "de"


VEHICLES: Final = {Lang.EN: ("vehicle", "vehicles"), Lang.DE: ("Fahrzeug", "Fahrzeuge")}
VEHICLE_SECONDS: Final = {Lang.EN: ("vehicle-second", "vehicle-seconds"), Lang.DE: ("Fahrzeugsekunde", "Fahrzeugsekunden")}


def language_of(environment: Mapping[str, str]) -> Lang | None:
    """Return the language that the environment asks for (LC_ALL, LC_MESSAGES, LANG, the first that says something), None where none does."""
    asked = next((environment[key] for key in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(key)), "")
    if asked.split(".")[0] in ("", "C", "POSIX"):
        return None
    return Lang.DE if asked.lower().startswith("de") else Lang.EN


def text_of(texts: Mapping[str, tuple[str, str]], key: str, lang: Lang, **parts: object) -> str:
    """Return the text of a table of (English, German) texts with its parts filled in."""
    return texts[key][lang is Lang.DE].format(**parts)


def counted(number: float, words: Mapping[Lang, tuple[str, str]], lang: Lang) -> str:
    """Return the number, rounded, with its word."""
    whole = round(number)
    return f"{whole} {words[lang][whole != 1]}"


def decimal(number: float, lang: Lang, places: int = 1) -> str:
    """Return the number with the language's decimal sign."""
    text = f"{number:.{places}f}"
    return text.replace(".", ",") if lang is Lang.DE else text


def seconds(time_ms: int, lang: Lang) -> str:
    """Return a duration, in tenths of a second where it has them."""
    return f"{time_ms // 1000} s" if time_ms % 1000 == 0 else f"{decimal(time_ms / 1000, lang)} s"


def clock(time_ms: int) -> str:
    """Return a time of day or of the simulation as HH:MM:SS."""
    whole_s = time_ms // 1000
    return f"{whole_s // 3600:02d}:{whole_s // 60 % 60:02d}:{whole_s % 60:02d}"


def stage_name(node: Node, stage: int) -> str:
    """Return the stage's id with its groups; once where they are the same word."""
    one = node.stages[stage]
    groups = ", ".join(one.green)
    return one.id if groups in ("", one.id) else f"{one.id} ({groups})"
