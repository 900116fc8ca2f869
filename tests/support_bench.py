"""Rows of a campaign for the tests of tables, statistics, folder and report, and installed controllers."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def row(control: str = "adaptive", seed: int = 1, delay_s: float | None = 15.0, scenario: str = "resco/cologne1", **other: Any) -> dict[str, Any]:
    """Return the row of a run."""
    return {
        "scenario": scenario,
        "control": control,
        "seed": seed,
        "rules": "published",
        "detection": "loops",
        "insertion": "sumo",
        "begin_s": None,
        "end_s": None,
        "status": "finished",
        "key": f"{scenario}-{control}-{seed}".replace("/", "-"),
        "code": "ours-1",
        "scenario_version": None,
        "mean_delay_s": delay_s,
        "sumo_version": "1.28.0",
        "teleports": 0,
        "collisions": 0,
        "interlock_refusals": 0 if control == "adaptive" else None,
        "emergency_brakings": 0,
        "never_inserted": 0,
        "stops_per_vehicle": 0.5,
        "max_wait_s": 90.0,
        "wall_s": 1.0,
        "solve_ms": {"mean": 1.0, "p99": 2.0, "max": 3.0} if control == "adaptive" else {"mean": None, "p99": None, "max": None},
        "longest_reds_s": {"A0": {"S1": 12.0}} if control == "adaptive" else None,
        "overridden": {},
        "notes": ["a note"],
        **other,
    }


# Controllers that are really installed have other names, and the tests must not find them in place of their own.
MODULE = "umlauf_test_module"
PREFIX = "umlauf-test-"


def install(folder: Path, source: str, points: dict[str, str], module: str = MODULE) -> Path:
    """Write what `pip install` leaves behind of a distribution with one module."""
    (folder / f"{module}.py").write_text(source, encoding="utf-8")
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[umlauf.controllers]\n" + "".join(f"{k} = {v}\n" for k, v in points.items()), encoding="utf-8")
    return folder


@contextmanager
def no_file_beyond(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond so many bytes; what goes beyond fails in mid-write, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
