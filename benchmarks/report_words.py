"""The report's sentences and table cells, the same in HTML and Markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from benchmarks.analysis import Block, Cell, Comparison, Verdict
from benchmarks.statistics import Mean
from benchmarks.tables import delay_text

MEANING: Final = (
    "Mean delay: time loss plus wait for insertion of every vehicle that was due to depart, divided by their number; vehicles under way "
    "count with their loss so far, vehicles never inserted with their wait until the end. Intervals are 95 % confidence intervals over "
    "the seeds (Student's t). Differences are paired by seed; p values are two-sided, of the paired t test, adjusted for the number of "
    "comparisons of the setting (Holm). Ahead: the interval of the difference lies below zero and no run of the reference locks up "
    "(costs more than twice the median of its control on the scenario). The floor is what the same traffic loses with all lights green "
    "and right of way ignored."
)
UNBROKEN: Final = "\u00a0"
CELL_HEADS: Final = ("control", "runs", "mean delay s", "95 % interval", "median", "above floor s", "locked seeds", "failed")
DELAYS: Final = (
    "Mean delay in s per vehicle ± half the 95 % interval, in brackets the number of runs. * marks a control with a locked run; "
    "- was not measured, n/a is not applicable."
)
COMPARISON_HEADS: Final = ("scenario", "against", "seeds", "difference s", "95 % interval", "p (Holm)", "verdict")
COMPARISON_WORDS: Final = (1, 6)  # the columns that hold no numbers
FAULT_HEADS: Final = (
    *("control", "runs", "teleports", "collisions", "interlock refusals", "emergency brakings", "never inserted", "stops per vehicle", "longest wait s"),
    "saturation flow veh/h",
)


def interval(mean: Mean) -> str:
    """Return the interval's ends, a dash for one value."""
    return "-" if math.isnan(mean.margin_value) else f"{mean.value - mean.margin_value:.1f} to {mean.value + mean.margin_value:.1f}"


def p_text(p_value: float | None) -> str:
    """Return a p value as people write it."""
    if p_value is None:
        return "-"
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def cell_row(cell: Cell) -> list[str]:
    """Return a control's row in the table of its scenario."""
    mean, median_s = cell.mean, cell.median_s
    if mean is None or median_s is None:
        return [cell.control, "0", *("-",) * 5, "not applicable" if cell.why_not else str(cell.failed)]
    floor = f"{cell.above_floor.value:.1f}" if cell.above_floor is not None else "-"
    locked = ", ".join(map(str, cell.locked)) or ("none" if mean.number > 1 else "-")  # one run cannot lie above twice its own median
    return [cell.control, str(mean.number), f"{mean.value:.1f}", interval(mean), f"{median_s:.1f}", floor, locked, str(cell.failed)]


def delay_rows(block: Block) -> list[list[str]]:
    """Return a row for each control with its mean delay on each scenario."""
    return [[control, *(_delay(block.cells.get((scenario, control))) for scenario in block.scenarios)] for control in block.controls]


def _delay(cell: Cell | None) -> str:
    if cell is None or (not cell.delays_s and not cell.why_not):
        return "-" if cell is None or not cell.failed else "failed"
    return delay_text(cell.delays_s).replace(" ±", UNBROKEN + "±").replace("± ", "±" + UNBROKEN).replace(" *", UNBROKEN + "*") if cell.delays_s else "n/a"


def comparison_row(c: Comparison) -> list[str]:
    """Return the row of a comparison."""
    return [c.scenario, c.peer, str(c.difference.number), f"{c.difference.value:+.1f}", interval(c.difference), p_text(c.p_value), c.verdict]


def fault_rows(rows: Sequence[Mapping[str, Any]], controls: Sequence[str]) -> list[list[str]]:
    """Return by control what is always told beside the delay: sums over the finished runs, the mean of the stops, the longest wait."""
    found = []
    for control in controls:
        mine = [row for row in rows if row["control"] == control and row["status"] == "finished"]
        if mine:
            sums = [_sum(mine, name) for name in ("teleports", "collisions", "interlock_refusals", "emergency_brakings", "never_inserted")]
            more = [_mean(mine, "stops_per_vehicle", ".2f"), _most(mine, "max_wait_s"), _mean(mine, "saturation_flow_veh_h", ".0f")]
            found.append([control, str(len(mine)), *sums, *more])
    return found


def _values(rows: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    return [row[name] for row in rows if row.get(name) is not None]


def _sum(rows: Sequence[Mapping[str, Any]], name: str) -> str:
    values = _values(rows, name)
    return f"{sum(values):g}" if values else "-"


def _mean(rows: Sequence[Mapping[str, Any]], name: str, form: str) -> str:
    values = _values(rows, name)
    return format(math.fsum(values) / len(values), form) if values else "-"


def _most(rows: Sequence[Mapping[str, Any]], name: str) -> str:
    values = _values(rows, name)
    return f"{max(values):.0f}" if values else "-"


def overview(block: Block) -> list[str]:
    """Return in plain sentences who is ahead of whom, one for each peer."""
    sentences = []
    for peer in dict.fromkeys(c.peer for c in block.comparisons):
        found = [c for c in block.comparisons if c.peer == peer]
        parts = []
        for verdict in Verdict:
            names = [short(c.scenario) for c in found if c.verdict is verdict]
            if names:
                parts.append(f"{verdict} on {_count(len(names), len(found))} ({', '.join(names)})")
        sentences.append(f"{block.reference} against {peer}: {'; '.join(parts)}.")
    return sentences or [f"Only {block.reference} has finished runs here, so there is nothing to compare it with."]


def statement(c: Comparison, reference: str, tested: int) -> str:
    """Return one comparison as a sentence with its certainty."""
    if c.verdict is Verdict.UNKNOWN:
        return f"{c.scenario}: {reference} minus {c.peer} is {c.difference.value:+.1f} s on one seed; one seed proves nothing."
    p_said = f"p {p_text(c.p_value)}" if p_text(c.p_value).startswith("<") else f"p = {p_text(c.p_value)}"
    sure = f"{c.difference.number} seeds, {p_said} among {tested} comparison{'s' if tested != 1 else ''}"
    amount = f"{abs(c.difference.value):.1f} s per vehicle (95 % interval of the difference {interval(c.difference)}; {sure})"
    match c.verdict:
        case Verdict.AHEAD | Verdict.PROBABLY_AHEAD:
            doubt = "" if c.verdict is Verdict.AHEAD else ", but among so many comparisons that is not certain"
            return f"{c.scenario}: {reference} is ahead of {c.peer} by {amount}{doubt}."
        case Verdict.LOCKED:
            return f"{c.scenario}: {reference} is ahead of {c.peer} on average by {amount}, but a run of it locks up, so it does not count as ahead."
        case Verdict.BEHIND | Verdict.PROBABLY_BEHIND:
            doubt = "" if c.verdict is Verdict.BEHIND else ", but among so many comparisons that is not certain"
            return f"{c.scenario}: {reference} is behind {c.peer} by {amount}{doubt}."
        case _:
            amount = f"{c.difference.value:+.1f} s per vehicle ({interval(c.difference)}; {sure})"
            return f"{c.scenario}: between {reference} and {c.peer} no difference is shown: {amount}."


def short(scenario: str) -> str:
    """Return what a scenario is called where there is little room."""
    return scenario.removeprefix("resco/")


def _count(some: int, total: int) -> str:
    return f"{'both' if total == 2 else f'all {total}'} scenarios" if some == total > 1 else f"{some} of {total} scenarios" if total > 1 else "the one scenario"
