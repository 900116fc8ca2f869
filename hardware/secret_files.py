"""Secrets come from files that nobody else may read, and appear nowhere else."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Final

from hardware.ports import PortError

MOST_BYTES: Final = 100_000
MOST_LINE_BYTES: Final = 1_000


def read_secret_text(file: str | Path, what: str = "text", *, most: int = MOST_BYTES) -> str:
    """Return a file's text of at most ``most`` bytes. Raises `PortError`, which never holds the secret, where others may read it, or it is no such file."""
    path = Path(file)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > most:
            raise PortError(f"{path}: expected a file with {what}, found something else. Check the path.")
        if status.st_mode & 0o077:
            raise PortError(f"{path}: expected mode 0600, found {stat.S_IMODE(status.st_mode):04o}: others can read the secret. Run: chmod 600 {path}")
        return path.read_text(encoding="utf-8")
    except PortError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise PortError(f"{path}: expected a readable file with {what}, found none ({why}). Write it, then: chmod 600 {path}") from None


def read_secret(file: str | Path) -> str:
    """Return a file's one line. Raises `PortError` as `read_secret_text` does, and where there are more lines or none."""
    text = read_secret_text(file, "one line", most=MOST_LINE_BYTES).strip()
    if not text or "\n" in text:
        raise PortError(f"{file}: expected one line, found {len(text.splitlines())}. Write the secret, and nothing else, into it.")
    return text
