"""The table of the oracle ladder: one row a scenario, one column a rung."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from benchmarks.tables import markdown

DEFINITIONS: Final = """\
Mean delay in s per vehicle under `adaptive`, mean over the seeds, with one part of what it knows replaced by the truth: *lanes*: on which
of the lanes side by side the vehicles are that the loops know of; *positions*: who is there, where and on which lane; *ways*: which movement
each vehicle takes; *inside*: who waits for a gap inside the junction; *discharge*: each lane's headway and start-up loss, measured in the run
with loops; *coming*: who will come into view within the horizon, by the run with loops (exact only where no light is upstream). *seen*:
positions, ways and inside together, which is `--detection oracle`; *all*: discharge and coming too."""


def ladder_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the Markdown table with its definitions; a dash where a rung was not run."""
    rungs = list(dict.fromkeys(r["rung"] for r in rows))
    lines = []
    for scenario in dict.fromkeys(r["scenario"] for r in rows):
        mine = [r for r in rows if r["scenario"] == scenario]
        seeds = ", ".join(str(s) for s in sorted({r["seed"] for r in mine}))
        delays = [[r["mean_delay_s"] for r in mine if r["rung"] == rung] for rung in rungs]
        name = str(scenario).removeprefix("resco/").rsplit("/", maxsplit=1)[-1].removesuffix(".sumocfg")
        lines.append([name, seeds, *(f"{sum(d) / len(d):.1f}" if d else "-" for d in delays)])
    return DEFINITIONS + "\n\n" + markdown(["scenario", "seeds", *rungs], lines)
