"""The files of a campaign's folder: each is written whole or not at all, and a disk that takes no more is one message."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

from controller.errors import UmlaufError

NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT)


class ResultsError(UmlaufError, OSError):
    """A file of the campaign cannot be written, as on a full disk: going on would lose every further result."""


def not_written(path: Path, error: OSError, what: str = "") -> ResultsError:
    """Return the error of a file that cannot be written, in words, with what to do."""
    mend = "make room" if error.errno in NO_ROOM else "see to it that the folder can be written"
    why = error.strerror or str(error)
    return ResultsError(
        f"{path}: {what}cannot be written ({why}). What was finished before is kept; {mend} and give the same command again, it goes on where it stopped"
    )


def write_whole(path: Path, content: bytes) -> None:
    """Write a file in place of an earlier one, which stays as it is where there is no room. Raises `ResultsError`."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise not_written(path, error) from error


def make_part(path: Path) -> Path:
    """Create a folder inside the campaign's and return it. Raises `ResultsError`."""
    try:
        path.mkdir(exist_ok=True)
    except OSError as error:
        raise not_written(path, error) from error
    return path
