"""Read TOML files and say what is wrong in them, the same way for all of them: key path, expected, found, how to mend."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from pydantic_core import ErrorDetails

from controller.errors import ConfigError

MAX_BYTES: Final = 20_000_000
_SHOWN_CHARS: Final = 80


def read_text(path: Path, kind: str, mend: str) -> str:
    """Return the text of a file. Raises `ConfigError`; ``kind`` says what is expected, ``mend`` how to get one where there is none."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{path}: expected a {kind}, found {path.stat().st_size} bytes. Check the path.")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: expected a {kind}, found none. {mend}") from error
    except IsADirectoryError as error:
        raise ConfigError(f"{path}: expected a {kind}, found a folder. Name the file in it.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: expected UTF-8 text, found other bytes ({error.reason}). Save it as UTF-8.") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}).") from error


def parse_toml(text: str, where: str) -> dict[str, Any]:
    """Return the data of a TOML text. Raises `ConfigError` naming line and column."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where}: not valid TOML: {error}. Mend the line; strings need quotes, lists need commas.") from error


def fault_text(error: ErrorDetails, data: dict[str, Any], prefix: Sequence[str | int] = ()) -> str:
    """Return one fault of form in words: key path (with the item's id), expected, found. ``data`` lies at ``prefix`` of the file."""
    path, item, owner = "", data, ""
    for part in prefix:
        path = _extended(path, part)
    for part in error["loc"]:
        path = _extended(path, part)
        try:
            item = item[part]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            item = {}
        if isinstance(item, dict) and isinstance(item.get("id"), str):
            owner = f" ({item['id']})"
    if error["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"{path}{owner}: expected no such key, found {_shown(error['input'])}. Remove it or correct its name."
    if error["type"] in ("missing", "missing_argument"):
        return f"{path}{owner}: expected a value, found none. Add the key."
    if error["type"] == "value_error":  # a check of our own, which says all of it
        return f"{path}{owner}: {error['msg'].removeprefix('Value error, ')}"
    message = error["msg"].removeprefix("Input should be ")
    return f"{path}{owner}: expected {message}, found {_shown(error['input'])}. Correct it."


def _shown(value: object) -> str:
    """Return a value as it stands in the file, the begin of it where it is long."""
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]} …"


def _extended(path: str, part: str | int) -> str:
    return path + (f"[{part}]" if isinstance(part, int) else f"{'.' if path else ''}{part}")


def faults_error(where: str, lines: Sequence[str], note: str = "") -> ConfigError:
    """Return the error that tells all faults of a file at once."""
    return ConfigError(f"{where}: {counted_faults(len(lines))}{note}\n" + "\n".join(f"  {line}" for line in lines))


def counted_faults(count: int) -> str:
    """Return the number of faults in words."""
    return f"{count} fault{'' if count == 1 else 's'}"
