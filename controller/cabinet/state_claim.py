"""One daemon a state folder: two would write one audit log's chain over each other, and each would forget what the other learned."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from controller.errors import UmlaufError


class ClaimedError(UmlaufError, OSError):
    """Another daemon holds the folder, for as long as it runs."""


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Hold the folder for as long as this process lives, however it ends. Raises `ClaimedError` where another daemon holds it.

    A folder that cannot be made or opened is not held: whoever writes there tells of it, and control goes on.
    """
    descriptor: int | None = None
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    if descriptor is None:
        yield
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise ClaimedError(
            f"state.folder: {folder}: expected it for this site alone, found another daemon that uses it. Stop that, or name another."
        ) from error
    except OSError:  # a file system without locks
        pass
    try:
        yield
    finally:
        os.close(descriptor)
