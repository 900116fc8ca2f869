"""The objective CAPACITY: when it is entered, and when it is left.

More comes than can be served where one of these is seen for some time: the critical lanes need nearly all the green there is, a
queue stands over the farthest loop of an approach, or an exit is full. Each is a pure function of the beliefs (`EvidenceOf`);
`CapacityWatch` adds the time that it must last. Entry and exit have different limits, so that the objective does not flicker.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from controller.junction import Purpose
from controller.node_model import NodeModel
from controller.snapshot import DetectorState, Snapshot
from controller.words import Lang, text_of

CYCLE_MS: Final = 120_000  # what stands and comes within the longest usual cycle must be served in it
LOST_MS: Final = 4_000  # of each stage in use: intergreen and start-up, less the use of amber
ENTER_RATIO: Final = 0.95
LEAVE_RATIO: Final = 0.85
ENTRY_FULL_MS: Final = 20_000  # a loop covered for so long lies under a queue
EXIT_FULL_MS: Final = 10_000
LASTS_MS: Final = 20_000  # the evidence must last for this long
OVER_MS: Final = 60_000  # and must be gone for this long

TEXTS: Final = {
    "enter": ("objective CAPACITY: {why}", "Ziel KAPAZITÄT: {why}"),
    "leave": ("objective DELAY again: for {time} s {why}", "wieder Ziel WARTEZEIT: seit {time} s {why}"),
    "ratio": ("degree of saturation {ratio}", "Sättigungsgrad {ratio}"),
    "entries": ("queue over the farthest loop of {lanes}", "Rückstau über der fernsten Schleife von {lanes}"),
    "exits": ("no room in {lanes}", "kein Platz in {lanes}"),
}


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for more demand than can be served: the node's degree of saturation, lanes queued over their farthest loop, full exits."""

    saturation_ratio: float
    entries: tuple[str, ...] = ()
    exits: tuple[str, ...] = ()

    @property
    def enters(self) -> bool:
        """Return whether it speaks for the objective."""
        return self.saturation_ratio >= ENTER_RATIO or bool(self.entries or self.exits)

    @property
    def leaves(self) -> bool:
        """Return whether it speaks against it."""
        return self.saturation_ratio < LEAVE_RATIO and not self.entries and not self.exits


@dataclass(frozen=True, slots=True)
class CapacityChange:
    """The objective was entered or left at a tick, upon this evidence."""

    at_ms: int
    active: bool
    evidence: Evidence


class EvidenceOf:
    """Reads one node's evidence out of snapshots; what is fixed is worked out once."""

    def __init__(self, model: NodeModel) -> None:
        self._lanes = tuple(x.id for x in model.lanes)
        self._homes = homes(model)
        self._stages = len(model.green)
        self._entries = [(x.id, d.id) for x in model.lanes for d in model.detectors(x.id, Purpose.ENTRY)]
        self._exits = model.exit_loops()

    def __call__(self, snapshot: Snapshot) -> Evidence:
        """Return what the snapshot says."""
        seen, now_ms = snapshot.detectors, snapshot.now_ms
        entries = dict.fromkeys([lane for lane, loop in self._entries if _covered(seen[loop], now_ms, ENTRY_FULL_MS)])
        exits = [lane for loop, lanes in self._exits if _covered(seen[loop], now_ms, EXIT_FULL_MS) for lane in lanes]
        return Evidence(self._saturation_ratio(snapshot), tuple(entries), tuple(sorted(exits)))

    def _saturation_ratio(self, snapshot: Snapshot) -> float:
        """Return the green that the critical lanes need for what stands and comes within `CYCLE_MS`, against the green there is."""
        need_ms = [0.0] * self._stages
        for lane, home in zip(self._lanes, self._homes, strict=True):
            belief = snapshot.lanes[lane]
            if home is not None:
                vehicles = belief.queue_veh + belief.flow_veh_s * CYCLE_MS / 1000
                need_ms[home] = max(need_ms[home], vehicles * belief.headway_ms)
        used = sum(1 for ms in need_ms if ms > 0.0)
        return sum(need_ms) / max(CYCLE_MS - LOST_MS * used, LOST_MS)


def _covered(state: DetectorState, now_ms: int, for_ms: int) -> bool:
    return state.occupied and state.trusted and now_ms - state.changed_ms >= for_ms


def homes(model: NodeModel) -> list[int | None]:
    """Return for each lane the stage that serves it best: most of its movements, fewest that yield, most lanes; None where no stage does."""
    found: list[int | None] = []
    for lane in range(len(model.lanes)):
        serving = [s for s in range(len(model.green)) if model.service[s][lane]]
        found.append(max(serving, key=lambda s: _merit(model, s, lane), default=None))
    return found


def _merit(model: NodeModel, stage: int, lane: int) -> tuple[int, int, int, int]:
    served = model.service[stage]
    return len(served[lane]), -sum(1 for s in served[lane] if s.foes), sum(1 for x in served if x), -stage


class CapacityWatch:
    """Whether one node is to maximise throughput. It begins without."""

    def __init__(self) -> None:
        self.active = False
        self._since_ms: int | None = None  # since when the evidence speaks for a change

    def memory(self) -> list[Any]:
        """Return what it remembers, as JSON data."""
        return [self.active, self._since_ms]

    def recall(self, memory: Sequence[Any]) -> None:
        """Go on from what `memory` returned."""
        self.active, self._since_ms = memory

    def watch(self, now_ms: int, seen: Evidence) -> CapacityChange | None:
        """Take one tick's evidence; return the change that it completes, None where there is none."""
        if not (seen.leaves if self.active else seen.enters):
            self._since_ms = None
            return None
        if self._since_ms is None:
            self._since_ms = now_ms
        if now_ms - self._since_ms < (OVER_MS if self.active else LASTS_MS):
            return None
        self.active, self._since_ms = not self.active, None
        return CapacityChange(now_ms, self.active, seen)


def capacity_words(change: CapacityChange, lang: Lang = Lang.EN) -> str:
    """Return the change in words."""
    seen = change.evidence
    parts = [_say("ratio", lang, ratio=f"{round(100 * seen.saturation_ratio)} %")]
    parts += [_say("entries", lang, lanes=", ".join(seen.entries))] if seen.entries else []
    parts += [_say("exits", lang, lanes=", ".join(seen.exits))] if seen.exits else []
    return _say("enter" if change.active else "leave", lang, why="; ".join(parts), time=OVER_MS // 1000)


def _say(key: str, lang: Lang, **parts: object) -> str:
    return text_of(TEXTS, key, lang, **parts)
