"""What a campaign's rows say: by setting the delays, the comparisons with the reference control, and how certain they are."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple

from benchmarks.cases import FAILED, FINISHED, NOT_APPLICABLE, why
from benchmarks.statistics import SIGNIFICANT, Mean, gridlocks, holm, mean_of, paired, paired_p
from benchmarks.tables import LAST, in_order

FLOOR: Final = "floor"
Row = Mapping[str, Any]


class Setting(NamedTuple):
    """What runs must have in common to be compared."""

    rules: str
    detection: str
    insertion: str
    begin_s: float | None
    end_s: float | None

    def __str__(self) -> str:
        """Return it in words."""
        window = "" if self.begin_s is None and self.end_s is None else f", window {_time(self.begin_s)} to {_time(self.end_s)}"
        return f"rules {self.rules}, detection {self.detection}, insertion {self.insertion}{window}"


class Verdict(StrEnum):
    """What a comparison shows."""

    AHEAD = "ahead"
    PROBABLY_AHEAD = "ahead, not certain among so many comparisons"
    LOCKED = "ahead on average, but a run locks up"
    OPEN = "no difference shown"
    PROBABLY_BEHIND = "behind, not certain among so many comparisons"
    BEHIND = "behind"
    UNKNOWN = "one seed, nothing can be said"


@dataclass(frozen=True)
class Cell:
    """One control on one scenario. ``above_floor``: mean delay above the no-signal floor over the seeds that both have."""

    scenario: str
    control: str
    delays_s: Mapping[int, float]
    failed: int
    why_not: str  # why the scenario does not take the control, else empty
    above_floor: Mean | None

    @property
    def mean(self) -> Mean | None:
        """Return the mean delay over the seeds, in s per vehicle."""
        return mean_of(list(self.delays_s.values())) if self.delays_s else None

    @property
    def median_s(self) -> float | None:
        """Return the median delay over the seeds, in s per vehicle."""
        return statistics.median(self.delays_s.values()) if self.delays_s else None

    @property
    def locked(self) -> list[int]:
        """Return the seeds that locked up."""
        return gridlocks(self.delays_s)


@dataclass(frozen=True)
class Comparison:
    """The reference minus one peer on one scenario, in s per vehicle; ``p_value`` is adjusted for all comparisons of the setting (Holm)."""

    scenario: str
    peer: str
    difference: Mean
    p_value: float | None
    verdict: Verdict


@dataclass(frozen=True)
class Block:
    """All of one setting."""

    setting: Setting
    scenarios: tuple[str, ...]
    controls: tuple[str, ...]
    cells: Mapping[tuple[str, str], Cell]
    reference: str
    comparisons: tuple[Comparison, ...]

    def holds(self, row: Row) -> bool:
        """Tell whether the row is of this setting."""
        return _setting(row) == self.setting

    @property
    def tested(self) -> int:
        """Return how many comparisons have a p value, among which each is judged."""
        return sum(c.p_value is not None for c in self.comparisons)


def analyse(rows: Sequence[Row], reference: str = "") -> list[Block]:
    """Return one block per setting, in a fixed order; the others are compared with ``reference``, else with `adaptive`, else with the first."""
    settings = dict.fromkeys(_setting(row) for row in rows)
    ordered = sorted(settings, key=lambda s: (s.rules, s.detection, s.insertion != "sumo", s.begin_s or 0.0, s.end_s or 0.0))
    return [_block(setting, [row for row in rows if _setting(row) == setting], reference) for setting in ordered]


def _setting(row: Row) -> Setting:
    return Setting(row["rules"], row["detection"], row["insertion"], row.get("begin_s"), row.get("end_s"))


def _block(setting: Setting, rows: Sequence[Row], asked: str) -> Block:
    scenarios = tuple(dict.fromkeys(row["scenario"] for row in rows))
    controls = tuple(in_order(row["control"] for row in rows))
    by_case: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        by_case.setdefault((row["scenario"], row["control"]), []).append(row)
    floors = {scenario: _delays(by_case.get((scenario, FLOOR), ())) for scenario in scenarios}
    cells = {key: _cell(*key, found, floors[key[0]]) for key, found in by_case.items()}
    measured = [c for c in controls if c not in LAST and any(cells[s, c].delays_s for s in scenarios if (s, c) in cells)]
    reference = asked if asked in measured else measured[0] if measured else controls[0]
    peers = [c for c in measured if c != reference]
    return Block(setting, scenarios, controls, cells, reference, _comparisons(scenarios, reference, peers, cells))


def _delays(rows: Iterable[Row]) -> dict[int, float]:
    return {row["seed"]: row["mean_delay_s"] for row in rows if row["status"] == FINISHED and row["mean_delay_s"] is not None}


def _cell(scenario: str, control: str, rows: Sequence[Row], floor_s: Mapping[int, float]) -> Cell:
    delays_s = _delays(rows)
    why_not = next((why(row) for row in rows if row["status"] == NOT_APPLICABLE), "")
    failed = sum(row["status"] == FAILED for row in rows)
    return Cell(scenario, control, delays_s, failed, why_not, paired(delays_s, floor_s))


def _comparisons(scenarios: Sequence[str], reference: str, peers: Sequence[str], cells: Mapping[tuple[str, str], Cell]) -> tuple[Comparison, ...]:
    found: list[tuple[Cell, Cell, Mean, float | None]] = []
    for scenario in scenarios:
        ours = cells.get((scenario, reference))
        for peer in peers:
            theirs = cells.get((scenario, peer))
            difference = paired(ours.delays_s, theirs.delays_s) if ours and theirs else None
            if ours and theirs and difference is not None:
                found.append((ours, theirs, difference, paired_p(ours.delays_s, theirs.delays_s)))
    adjusted = iter(holm([p for *_, p in found if p is not None]))
    return tuple(_compared(ours, theirs, difference, None if p is None else next(adjusted)) for ours, theirs, difference, p in found)


def _compared(ours: Cell, theirs: Cell, difference: Mean, p_value: float | None) -> Comparison:
    return Comparison(ours.scenario, theirs.control, difference, p_value, verdict_of(difference, p_value, locked=bool(ours.locked)))


def verdict_of(difference: Mean, p_value: float | None, *, locked: bool) -> Verdict:
    """Return what a difference shows: ahead needs an interval below zero and no run of the reference that locks up."""
    if p_value is None:
        return Verdict.UNKNOWN
    certain = p_value < SIGNIFICANT
    if difference.below_zero:
        return Verdict.LOCKED if locked else Verdict.AHEAD if certain else Verdict.PROBABLY_AHEAD
    if difference.above_zero:
        return Verdict.BEHIND if certain else Verdict.PROBABLY_BEHIND
    return Verdict.OPEN


def _time(value_s: float | None) -> str:
    return "the scenario's own" if value_s is None else f"{value_s:g} s"
