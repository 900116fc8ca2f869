"""The rows of a campaign: one per run, keyed by all that decides its outcome, kept in one JSON file."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from controller.errors import ConfigError
from scenarios.case import SUMO_DRIVEN

ROOT: Final = Path(__file__).resolve().parents[1]
PRODUCT: Final = ("controller", "hardware", "optimizer", "scenarios")
INPUTS: Final = ("scenario", "control", "seed", "rules", "detection", "insertion", "begin_s", "end_s")
DROPPED: Final = ("folder", "overridden")  # of a run's record: of this machine, or empty


@dataclass(frozen=True)
class Version:
    """Which code makes the rows. ``by_sumo`` names the code that matters where SUMO switches the lights itself."""

    commit: str
    dirty: bool
    ours: str
    by_sumo: str

    def code_of(self, control: str) -> str:
        """Return the hash of the code that decides what a run under this control gives."""
        return self.by_sumo if control in SUMO_DRIVEN else self.ours


def present_version() -> Version:
    """Return the version of the code in this tree; the commit is empty outside a git work tree."""
    commit = _git("rev-parse", "HEAD")
    dirty = bool(_git("status", "--porcelain", "--untracked-files=no", "--", *PRODUCT))
    return Version(commit, dirty, hash_of(PRODUCT), hash_of(("scenarios",)))


def hash_of(packages: Iterable[str]) -> str:
    """Return a hash of the packages' sources, of SUMO's version and of that of the RESCO files."""
    digest = hashlib.sha256()
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    for distribution in ("eclipse-sumo", "sumo-rl"):
        try:
            digest.update(f"{distribution} {metadata.version(distribution)}".encode())
        except metadata.PackageNotFoundError:
            digest.update(f"{distribution} none".encode())
    return digest.hexdigest()[:16]


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def key_of(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what tells a row from the others of the same code."""
    return tuple(row.get(name) for name in INPUTS)


class RowFile:
    """A campaign's file. Rows of the same inputs replace each other; every change is written at once, whole or not at all."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.command = ""
        self.rows: list[dict[str, Any]] = []
        if path.is_file():
            data = read_campaign(path)
            self.command, self.rows = data["command"], data["rows"]

    def done(self, inputs: Mapping[str, Any], code: str | None) -> bool:
        """Return whether a finished row of these inputs exists, made by ``code`` (None: by whatever code)."""
        key = key_of(inputs)
        return any(key_of(row) == key and row["status"] == "finished" and code in (None, row["code"]) for row in self.rows)

    def put(self, row: Mapping[str, Any]) -> None:
        """Add or replace a row and write the file."""
        key = key_of(row)
        self.rows = [old for old in self.rows if key_of(old) != key]
        self.rows.append({name: value for name, value in row.items() if name not in DROPPED})
        self.rows.sort(key=lambda r: tuple(str(part).zfill(6) for part in key_of(r)))
        partial = self.path.with_suffix(".part")
        lines = ",\n".join(json.dumps(r) for r in self.rows)
        partial.write_text(f'{{"command": {json.dumps(self.command)}, "rows": [\n{lines}\n]}}\n', encoding="utf-8")
        partial.replace(self.path)


def read_campaign(path: Path) -> dict[str, Any]:
    """Return what a campaign's file holds: ``command`` and ``rows``. Raises `ConfigError` where it is none."""
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); give the file that a campaign wrote") from error
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path}: expected the JSON of a campaign, found something else ({error})") from error
    if not isinstance(data.get("rows"), list):
        raise ConfigError(f"{path}: expected the JSON of a campaign with 'rows', found none")
    return data
