"""Markdown tables out of a campaign's rows: means with intervals, differences to the peers, faults, targets."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from benchmarks.cases import FAILED, FINISHED, NOT_APPLICABLE, why
from benchmarks.statistics import Mean, gridlocks, mean_of, paired

# The traffic targets: mean delay over seeds 1-10 under `adaptive`, loops, published rules, by insertion.
TARGETS_S: Final[Mapping[str, Mapping[str, float]]] = {
    "sumo": {
        "resco/cologne1": 14.0,
        "resco/cologne3": 15.5,
        "resco/cologne8": 14.0,
        "resco/ingolstadt1": 11.0,
        "resco/ingolstadt7": 20.0,
        "resco/ingolstadt21": 50.0,
        "resco/grid4x4": 17.0,
        "resco/arterial4x4": 620.0,
    },
    "legacy": {
        "resco/cologne1": 21.5,
        "resco/cologne3": 18.0,
        "resco/cologne8": 17.0,
        "resco/ingolstadt1": 19.5,
        "resco/ingolstadt7": 23.5,
        "resco/ingolstadt21": 62.0,
        "resco/grid4x4": 21.0,
        "resco/arterial4x4": 620.0,
    },
}
PEERS: Final = ("sumo-actuated", "fixed")
STREET_PEERS: Final = ("actuated",)  # what stands in most streets
FAULTS: Final = ("teleports", "collisions", "interlock_refusals")
ORDER: Final = ("adaptive", "cycle", "actuated")
LAST: Final = ("floor",)  # what no control can reach
Row = Mapping[str, Any]


def campaign_table(campaign: Sequence[Row]) -> str:
    """Return the tables of a campaign's rows: one block for each combination of rules, detection and insertion."""
    rows = [row for row in campaign if row["status"] == FINISHED]
    settings = sorted({(row["rules"], row["detection"], row["insertion"]) for row in rows}, key=lambda s: (s[:2], s[2] != "sumo"))
    blocks = [_block([r for r in rows if (r["rules"], r["detection"], r["insertion"]) == s], s) for s in settings]
    return "\n\n".join([*blocks, *(f"{word}: {'; '.join(found)}." for word, found in missing(campaign).items())])


def missing(campaign: Sequence[Row]) -> dict[str, list[str]]:
    """Return what is not in the tables, as far as there is any: the runs that failed, and the controls that a scenario does not take."""
    failed = [f"{r['scenario']} {r['control']} seed {r['seed']}: {why(r)}" for r in campaign if r["status"] == FAILED]
    return {word: found for word, found in (("Failed", failed), ("Not applicable", _refused(campaign))) if found}


def _refused(campaign: Sequence[Row]) -> list[str]:
    """Return each reason once, with all scenarios that it holds for; the rules where there are several, for a reason may lie in them."""
    several = len({row["rules"] for row in campaign}) > 1
    found: dict[tuple[str, str, str], dict[str, None]] = {}
    for row in campaign:
        if row["status"] == NOT_APPLICABLE:
            found.setdefault((row["control"], row["rules"], why(row)), {})[row["scenario"]] = None
    return [f"{control} on {', '.join(on)}{f' (rules {rules})' if several else ''}: {reason}" for (control, rules, reason), on in found.items()]


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]], *, words: Collection[int] = ()) -> str:
    """Return a Markdown table; all but the first column and those that hold ``words`` are right-aligned."""
    rule = ["---" if i == 0 or i in words else "---:" for i in range(len(header))]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, rule, *rows))


def mean_text(mean: Mean | None, sign: str = "") -> str:
    """Return a mean with its interval's half width, a dash where there is none."""
    if mean is None:
        return "-"
    width = "" if math.isnan(mean.margin_value) else f" ± {mean.margin_value:.1f}"
    return f"{mean.value:{sign}.1f}{width}"


def delay_text(delays_s: Mapping[int, float]) -> str:
    """Return the mean over the seeds with its interval's half width, how many they are, and a mark where one locks up; a dash for none."""
    return f"{mean_text(mean_of(list(delays_s.values())))} ({len(delays_s)})" + (" *" if gridlocks(delays_s) else "") if delays_s else "-"


def delays_of(rows: Iterable[Row], scenario: str, control: str) -> dict[int, float]:
    """Return the mean delay in s by seed."""
    mine = (row for row in rows if row["scenario"] == scenario and row["control"] == control)
    return {row["seed"]: row["mean_delay_s"] for row in mine if row["mean_delay_s"] is not None}


def _block(rows: Sequence[Row], setting: tuple[str, str, str]) -> str:
    scenarios = list(dict.fromkeys(row["scenario"] for row in rows))
    controls = in_order(row["control"] for row in rows)
    rules, detection, insertion = setting
    seeds = sorted({row["seed"] for row in rows})
    sumo = ", ".join(sorted({row["sumo_version"] for row in rows}))
    title = (
        f"Mean delay in s per vehicle, mean ± half the 95 % confidence interval, in brackets how many of the seeds {seeds[0]} to {seeds[-1]} were run; "
        f"rules {rules}, detection {detection}, insertion {insertion}, SUMO {sumo}. * marks a control with a locked run (above twice its own median)."
    )
    body = [[_short(s), *(_delay_cell(rows, s, c) for c in controls)] for s in scenarios]
    parts = [title, markdown(["scenario", *controls], body)]
    if "adaptive" in controls:
        parts.append(_against_peers(rows, scenarios, setting))
    parts.append(_others(rows, controls))
    return "\n\n".join(parts)


def in_order(controls: Iterable[str]) -> list[str]:
    """Return the controls once each: ours, the others by name, the floor."""
    return sorted(set(controls), key=lambda c: (c in LAST, ORDER.index(c) if c in ORDER else len(ORDER), c))


def _short(scenario: str) -> str:
    return scenario.removeprefix("resco/")


def _delay_cell(rows: Sequence[Row], scenario: str, control: str) -> str:
    delays_s = delays_of(rows, scenario, control)
    return delay_text(delays_s)


def _against_peers(rows: Sequence[Row], scenarios: Sequence[str], setting: tuple[str, str, str]) -> str:
    whole = all(row["begin_s"] is None and row["end_s"] is None for row in rows)
    with_targets = whole and setting[:2] == ("published", "loops")
    peers = STREET_PEERS if setting[0] == "street" else PEERS
    header = ["adaptive minus", *peers, "ahead of all", "locked seeds", *(["target", "met"] if with_targets else [])]
    body: list[list[str]] = []
    for scenario in scenarios:
        ours = delays_of(rows, scenario, "adaptive")
        if not ours:
            continue
        differences = [paired(ours, delays_of(rows, scenario, peer)) for peer in peers]
        locked = gridlocks(ours)
        cells = [_short(scenario), *(mean_text(d, "+") for d in differences), _ahead(differences, locked=bool(locked)), ", ".join(map(str, locked)) or "none"]
        if with_targets:
            cells += _target_cells(TARGETS_S[setting[2]].get(scenario), ours)
        body.append(cells)
    note = "Differences in s per vehicle, paired by seed; ahead: the paired 95 % interval lies below zero and no seed locks up."
    return note + "\n\n" + markdown(header, body)


def _ahead(differences: Sequence[Mean | None], *, locked: bool) -> str:
    if any(d is None for d in differences):
        return "-"
    return "yes" if not locked and all(d is not None and d.below_zero for d in differences) else "no"


def _target_cells(target_s: float | None, ours: Mapping[int, float]) -> list[str]:
    if target_s is None:
        return ["-", "-"]
    return [f"{target_s:g}", "yes" if mean_of(list(ours.values())).value <= target_s else "no"]


def _others(rows: Sequence[Row], controls: Sequence[str]) -> str:
    """Return what is always printed beside the delay: faults summed over all runs, and the worst or mean of the rest."""
    header = ["all runs", "runs", *(name.replace("_", " ") for name in FAULTS), "emergency brakings", "never inserted", "stops per vehicle", "longest wait s"]
    body: list[list[str]] = []
    for control in (c for c in controls if c not in LAST):  # below the floor's green there is nothing to avoid
        mine = [row for row in rows if row["control"] == control]
        body.append(
            [
                control,
                str(len(mine)),
                *(_total(mine, name) for name in (*FAULTS, "emergency_brakings", "never_inserted")),
                f"{mean_of([row['stops_per_vehicle'] for row in mine]).value:.2f}",
                _over(mine, "max_wait_s", max),
            ]
        )
    return markdown(header, body)


def _total(rows: Iterable[Row], name: str) -> str:
    values = [row[name] for row in rows if row[name] is not None]
    return str(sum(values)) if values else "-"


def _over(rows: Iterable[Row], name: str, function: Callable[[list[float]], float]) -> str:
    values = [row[name] for row in rows if row[name] is not None]
    return f"{function(values):.0f}" if values else "-"
