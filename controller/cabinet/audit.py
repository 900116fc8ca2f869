"""The audit log's form: one JSON object a line, each with the hash of the one before, so that no line can be changed or removed unseen.

The chain is not keyed: whoever may write the folder and all copies of the newest hash can forge it whole. Therefore the newest
number and hash stand beside the log (``audit.head``), in the daemon's structured log, and can be compared with a copy kept elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from controller.errors import ConfigError

FIRST_HASH: Final = "0" * 64
HEAD_NAME: Final = "audit.head"
FIELDS: Final = ("n", "at", "who", "via", "what", "until", "why", "result", "prev")


class Head(NamedTuple):
    """The newest line: its number and hash."""

    n: int = 0
    hash: str = FIRST_HASH


NOTHING: Final = Head()


@dataclass(slots=True)
class Verdict:
    """What a check of the chain found."""

    entries: int = 0
    head: Head = NOTHING
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def line_of(head: Head, at: str, who: str, via: str, what: str, until: str, why: str, result: str) -> tuple[bytes, Head]:
    """Return the next line after ``head``, with its newline, and the new head."""
    entry: dict[str, Any] = dict(zip(FIELDS, (head.n + 1, at, who, via, what, until, why, result, head.hash), strict=True))
    digest = _digest(entry)
    return _text({**entry, "hash": digest}) + b"\n", Head(head.n + 1, digest)


def _text(entry: dict[str, Any]) -> bytes:
    return json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def _digest(entry: dict[str, Any]) -> str:
    return hashlib.sha256(_text({key: entry[key] for key in FIELDS})).hexdigest()


def parse_line(line: bytes) -> dict[str, Any]:
    """Return one line's entry. Raises `ValueError` where it is none, or where it is not what its hash was made of."""
    try:
        entry = json.loads(line)
    except ValueError as error:
        raise ValueError("expected one JSON object, found something else") from error
    if not isinstance(entry, dict) or set(entry) != {*FIELDS, "hash"} or not isinstance(entry["n"], int):
        raise ValueError(f"expected the keys {', '.join((*FIELDS, 'hash'))}, found something else")
    if _digest(entry) != entry["hash"] or _text(entry) != line:
        raise ValueError("expected the text that its hash was made of, found a changed one")
    return entry


def audit_files(path: Path) -> list[Path]:
    """Return the log's files in order: ``path`` itself, or those of the folder. Raises `ConfigError` where there are none."""
    if path.is_file():
        return [path]
    found = sorted(path.glob("audit-*.jsonl")) if path.is_dir() else []
    if not found:
        raise ConfigError(f"{path}: expected an audit log (audit-*.jsonl) or the folder that holds it, found none; it stands in the site's [state] folder")
    return found


def read_lines(files: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    """Yield where each line stands and the line without its newline."""
    for path in files:
        for number, line in enumerate(path.read_bytes().splitlines(keepends=True), start=1):
            yield f"{path.name}:{number}", line


def read_head(folder: Path) -> Head | None:
    """Return the head that stands beside the log, None where there is none that can be read."""
    try:
        data = json.loads((folder / HEAD_NAME).read_bytes())
        return Head(int(data["n"]), str(data["hash"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def entries(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the entries that can be read, in order. Raises as `audit_files`."""
    for where, raw in read_lines(audit_files(path)):
        try:
            yield parse_line(raw.removesuffix(b"\n"))
        except ValueError as error:
            yield dict.fromkeys(FIELDS, "") | {"n": 0, "what": "unreadable", "result": f"{where}: {error}"}


def told(entry: dict[str, Any]) -> str:
    """Return an entry as one line."""
    if not entry["n"]:
        return f"{'-':>6}  {entry['what']}: {entry['result']}"
    until = f" until {entry['until']}" if entry["until"] else ""
    why = f" ({entry['why']})" if entry["why"] else ""
    return f"{entry['n']:>6}  {entry['at']}  {entry['who']} by {entry['via']}: {entry['what']}{until}{why}: {entry['result']}"


def verify(path: Path, kept: str | None = None) -> Verdict:
    """Check a log's chain: a folder from its first line to the head beside it, a single file within itself. Raises as `audit_files`.

    ``kept``: a hash that somebody has kept elsewhere; the log must hold its line.
    """
    whole = path.is_dir()
    head = read_head(path) if whole else None  # read first: the log may grow meanwhile, and is then ahead of it
    verdict = Verdict()
    expected: Head | None = Head() if whole else None
    met = head is None or head.n == 0
    wanted = kept
    for where, raw in read_lines(audit_files(path)):
        try:
            if not raw.endswith(b"\n"):
                raise ValueError("expected a whole line, found a torn one; the daemon mends it when it starts next")
            entry = parse_line(raw[:-1])
        except ValueError as error:
            verdict.faults.append(f"{where}: {error}")
            expected = None if expected is None else Head(expected.n + 1, "?")
            continue
        verdict.entries += 1
        verdict.head = Head(entry["n"], entry["hash"])
        verdict.faults += _link_faults(where, entry, expected)
        met |= verdict.head == head
        wanted = None if entry["hash"] == wanted else wanted
        expected = verdict.head
    _compare(verdict, path, head, met=met, whole=whole)
    if wanted is not None:
        verdict.faults.append(f"expected a line with the hash {wanted}, which was kept elsewhere, found none: lines were cut off or forged")
    return verdict


def _link_faults(where: str, entry: dict[str, Any], expected: Head | None) -> Iterator[str]:
    if expected is None:
        return
    if entry["n"] != expected.n + 1:
        yield f"{where}: expected entry {expected.n + 1}, found {entry['n']}: lines are missing, or out of order"
    elif expected.hash not in ("?", entry["prev"]):
        yield f"{where}: entry {entry['n']} does not continue the one before: it, or the one before, was replaced"


def _compare(verdict: Verdict, path: Path, head: Head | None, *, met: bool, whole: bool) -> None:
    if not whole:
        verdict.notes.append("a single file: lines cut off at its begin or end are seen only where the whole folder is checked")
    elif head is None:
        verdict.faults.append(f"{HEAD_NAME}: expected the newest number and hash, found none in {path}: lines cut off at the end would not be seen")
    elif not met:
        verdict.faults.append(f"{HEAD_NAME}: expected entry {head.n} with hash {head.hash[:12]}…, found the log to end at entry {verdict.head.n}")
