"""The demo's folder, kept or not, and the lines that tell how to look at the demo while it runs and afterwards."""

from __future__ import annotations

import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from controller.errors import ConfigError
from controller.words import Lang, text_of

JOURNAL: Final = "journal"
STATE: Final = "state"
SOCKET: Final = "control.sock"

_TEXTS: Final = {
    "meanwhile": ("look at it meanwhile: {status}", "währenddessen ansehen: {status}"),
    "no socket": (
        "accelerated, it has no socket for umlauf status; the real daemon, which has, runs without --speed",
        "beschleunigt hat sie keinen Socket für umlauf status; der echte Dienst, der einen hat, läuft ohne --speed",
    ),
    "kept": ("kept in {folder}: {list}; why at any moment: {explain}", "aufgehoben in {folder}: {list}; warum zu jedem Zeitpunkt: {explain}"),
    "and audit": ("; who changed what: {audit}", "; wer was geändert hat: {audit}"),
    "removed": ("its records are removed; to keep them: --keep DIR, then: {list}", "ihre Aufzeichnungen sind gelöscht; zum Aufheben: --keep DIR, dann: {list}"),
}


@contextmanager
def demo_folder(keep: Path | None) -> Iterator[Path]:
    """Give the folder to keep, made where it is not there, or one that is removed at the end; absolute.

    Raises `ConfigError` where ``keep`` is no folder, cannot be written into, or holds anything: another run's records are never mixed in.
    """
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="umlauf-demo-") as folder:
            yield Path(folder).absolute()
        return
    try:
        keep.mkdir(parents=True, exist_ok=True)
        found = sorted(path.name for path in keep.iterdir())
        if not found:
            tempfile.TemporaryFile(dir=keep).close()
    except OSError as error:
        raise ConfigError(f"--keep {keep}: expected a folder to write into, found none ({error.strerror}). Name another.") from error
    if found:
        raise ConfigError(f"--keep {keep}: expected a new or empty folder, found {found[0]!r} in it. Name another, or move what is there away.")
    yield keep.absolute()


def at_start(folder: Path, *, accelerated: bool, lang: Lang) -> str:
    """Return how to look at the demo while it runs."""
    if accelerated:
        return text_of(_TEXTS, "no socket", lang)
    return text_of(_TEXTS, "meanwhile", lang, status=_command("status", "--watch", "--socket", folder / SOCKET))


def at_end(folder: Path, *, kept: bool, lang: Lang) -> str:
    """Return how to look at the demo's records, or how to have them kept the next time."""
    if not kept:
        return text_of(_TEXTS, "removed", lang, list=_command("journal", "list", Path("DIR") / JOURNAL))
    journal = folder / JOURNAL
    text = text_of(_TEXTS, "kept", lang, folder=folder, list=_command("journal", "list", journal), explain=_command("explain", journal, "--at", "HH:MM:SS"))
    audited = any((folder / STATE).glob("audit-*.jsonl"))  # nobody may have changed anything
    return text + (text_of(_TEXTS, "and audit", lang, audit=_command("journal", "audit", folder / STATE)) if audited else "")


def _command(*arguments: str | Path) -> str:
    """Return a command line to copy into a shell: with the path of this `umlauf` where the shell would find none or another."""
    called = Path(sys.argv[0])
    known = shutil.which(called.name)
    ours = called.name != "umlauf" or (known is not None and Path(known).samefile(called))
    return shlex.join(["umlauf" if ours else str(called.absolute()), *map(str, arguments)])
