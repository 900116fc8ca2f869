"""Secrets come from files that nobody else may read, and stay out of messages."""

from __future__ import annotations

from pathlib import Path

from controller.errors import ConfigError


def secret_fault(path: Path) -> str | None:
    """Return what is wrong with a file of secrets, None where nothing is."""
    try:
        mode = path.stat().st_mode & 0o777
    except OSError as error:
        return f"{path}: expected a file that can be read, found none ({error.strerror}). Make it with: install -m 600 /dev/null {path}"
    return f"{path}: expected mode 0600, found {mode:04o}. Mend it with: chmod 600 {path}" if mode & 0o177 else None


def read_secret(path: Path) -> str:
    """Return the file's text. Raises `ConfigError` where others may read it, or it cannot be read."""
    fault = secret_fault(path)
    if fault is not None:
        raise ConfigError(fault)
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: expected a text file of ours, found one that cannot be read. Check its owner and encoding.") from error
