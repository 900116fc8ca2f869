"""Durations as people type them: 45s, 90m, 1h30m, 2.5d."""

from __future__ import annotations

import re
from typing import Final

from controller.errors import ConfigError

LONGEST_S: Final = 366 * 86_400
_UNITS_S: Final = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_PARTS: Final = re.compile("".join(rf"(?:(\d{{1,9}}(?:\.\d{{1,3}})?){unit})?" for unit in _UNITS_S), re.ASCII)
_BARE: Final = re.compile(r"\d{1,9}(?:\.\d{1,3})?", re.ASCII)


def seconds_of(text: str, option: str, *, bare: bool = True) -> float:
    """Return the seconds of a duration, more than 0 and at most a year; a ``bare`` number means seconds.

    Raises `ConfigError`, which names the option.
    """
    typed = text.strip()
    found = _PARTS.fullmatch(f"{typed}s" if bare and _BARE.fullmatch(typed) else typed)
    value_s = sum(float(count or 0) * unit_s for count, unit_s in zip(found.groups(), _UNITS_S.values(), strict=True)) if found else 0.0
    if not 0.0 < value_s <= LONGEST_S:
        raise ConfigError(f"{option}: expected a time such as 45s, 90m or 1h30m, more than 0 and at most 366 days, found {text!r}. Correct it.")
    return value_s


def text_of(seconds: int) -> str:
    """Return whole seconds as people type them, in hours, minutes and seconds."""
    parts = ((seconds // 3_600, "h"), (seconds // 60 % 60, "m"), (seconds % 60, "s"))
    return "".join(f"{count}{unit}" for count, unit in parts if count) if seconds > 0 else f"{seconds}s"
