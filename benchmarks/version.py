"""Which code, libraries and files make a result: what a finished case is compared by, and what is written beside its figures."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from benchmarks.environments.policy import policies_code
from scenarios.case import OURS, PEERS, SUMO_DRIVEN
from scenarios.config import SumoConfig
from scenarios.own_controllers import code_of as own_code_of

ROOT: Final = Path(__file__).resolve().parents[1]
PRODUCT: Final = ("controller", "hardware", "optimizer", "scenarios")
PACKAGES: Final = {"umlauf_version": "umlauf", "numba_version": "numba", "numpy_version": "numpy", "scenario_package_version": "sumo-rl"}


@dataclass(frozen=True)
class Version:
    """Which code makes the rows. ``by_sumo`` names the code that matters where SUMO switches the lights itself."""

    commit: str
    dirty: bool
    ours: str
    by_sumo: str

    def code_of(self, control: str) -> str:
        """Return the hash of the code that decides what a run under this control gives.

        A user's own controller counts with its files, a learned one with its policies, too.
        """
        if control in SUMO_DRIVEN:
            return self.by_sumo
        if control in OURS or control in PEERS:
            return self.ours
        return hashlib.sha256(f"{self.ours} {own_code_of(control)} {policies_code(control)}".encode()).hexdigest()[:16]

    def origin(self, control: str) -> dict[str, Any]:
        """Return what is written beside the figures: the code, and the versions of all that they depend on."""
        versions = {column: version_of(name) for column, name in PACKAGES.items()}
        python = {"python_version": platform.python_version(), "machine": f"{platform.system()} {platform.machine()}"}
        return {"code": self.code_of(control), "commit": self.commit, "dirty": self.dirty, **versions, **python}


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
        digest.update(f"{distribution} {version_of(distribution) or 'none'}".encode())
    return digest.hexdigest()[:16]


def version_of(distribution: str) -> str | None:
    """Return the version of an installed distribution, None where it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def files_hash(config: SumoConfig) -> str:
    """Return a hash of the files that a user's scenario consists of."""
    digest = hashlib.sha256()
    for path in (config.path, config.net, *config.routes, *config.additional):
        digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()
