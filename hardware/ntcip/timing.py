"""The controller's timing tables as plain data, and where they disagree with what we were told of the junction.

The controller keeps these times whatever we ask. Where one of its minimums is longer than ours, our plans would count on greens that
cannot end; where a clearance is shorter than our intergreen, one of both was set up wrongly. So a difference keeps control from going active.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hardware.signals import GroupKind, GroupSpec, SiteSpec


@dataclass(frozen=True, slots=True)
class PhaseTiming:
    """One row of the phase table; ``concurrent``: the phases of other rings that may be green beside it; ``ring`` 0: not in use."""

    phase: int
    ring: int
    walk_ms: int
    ped_clear_ms: int
    min_green_ms: int
    max_green_ms: int
    passage_ms: int
    amber_ms: int
    red_clear_ms: int
    concurrent: tuple[int, ...]

    @property
    def least_ms(self) -> int:
        """Return the shortest time from its begin of green to the next phase's: vehicles and pedestrians, amber and red clearance."""
        return max(self.min_green_ms, self.walk_ms + self.ped_clear_ms) + self.amber_ms + self.red_clear_ms


@dataclass(frozen=True, slots=True)
class TimingTables:
    """What a controller was set up with; ``rings``: per ring, its phases in order of sequence; ``backup_ms``: its deadman, 0 where it has none."""

    phases: tuple[PhaseTiming, ...]
    rings: tuple[tuple[int, ...], ...]
    backup_ms: int

    def phase(self, number: int) -> PhaseTiming | None:
        """Return one phase in use, None where there is none of that number."""
        return next((p for p in self.phases if p.phase == number and p.ring > 0), None)


@dataclass(frozen=True, slots=True)
class Difference:
    """One disagreement between site and controller. ``grave``: control must not go active; ``text`` says what was expected and found."""

    what: str
    text: str
    grave: bool = True


@dataclass(frozen=True, slots=True)
class Served:
    """What a signal group is to the controller: the phase that serves it, as vehicles or as pedestrians (overlaps have no row to compare)."""

    phase: int
    walks: bool


def differences(tables: TimingTables, spec: SiteSpec, served: Mapping[str, Served]) -> list[Difference]:
    """Return every disagreement of the controller's tables with the site, the grave ones among them that forbid going active."""
    found = [] if tables.backup_ms > 0 else [Difference("unitBackupTime", "expected a deadman of at least 1 s, found 0 (it never falls back); set it")]
    mapped = {s.phase for s in served.values()}
    found += [
        Difference(f"phase {p.phase}", f"expected a signal group for each phase in use, found none for phase {p.phase}; map one or set the phase out of use")
        for p in tables.phases
        if p.ring > 0 and p.phase not in mapped
    ]
    groups = {g.id: g for g in spec.groups}
    for group, at in served.items():
        phase = tables.phase(at.phase)
        if phase is None:
            found.append(Difference(group, f"expected phase {at.phase} to be in use, found it is not; correct the map or the controller"))
        else:
            found += _of_group(groups[group], phase, walks=at.walks)
    return found + _of_pairs(tables, spec, served)


def _of_group(group: GroupSpec, phase: PhaseTiming, *, walks: bool) -> list[Difference]:
    found = []
    least_ms = phase.walk_ms if walks else phase.min_green_ms
    if least_ms > group.min_green_ms:
        name = "walk" if walks else "minimum green"
        text = f"expected a {name} of at most the site's minimum green {group.min_green_ms} ms, found {least_ms} ms in phase {phase.phase}; raise min_green_s"
        found.append(Difference(group.id, text))
    if not walks and group.kind is not GroupKind.PEDESTRIAN and phase.amber_ms != group.amber_ms:
        text = f"expected amber {group.amber_ms} ms, found {phase.amber_ms} ms in phase {phase.phase}; correct amber_s or the controller"
        found.append(Difference(group.id, text, grave=phase.amber_ms < group.amber_ms))
    return found


def _of_pairs(tables: TimingTables, spec: SiteSpec, served: Mapping[str, Served]) -> list[Difference]:
    """Compare concurrency and clearances of every pair of groups that the site calls conflicting."""
    found = []
    for (clearing, entering), intergreen_ms in spec.intergreen_ms.items():
        a, b = served.get(clearing), served.get(entering)
        if a is None or b is None:
            continue
        phase = tables.phase(a.phase)
        if phase is None or tables.phase(b.phase) is None:
            continue
        if a.phase == b.phase or b.phase in phase.concurrent:
            text = f"expected {clearing} and {entering} never green together, found phases {a.phase} and {b.phase} concurrent; correct one of both"
            found.append(Difference(f"{clearing}, {entering}", text))
            continue
        clear_ms = phase.red_clear_ms + (phase.ped_clear_ms if a.walks else 0) + phase.amber_ms
        if clear_ms < intergreen_ms:
            text = f"expected at least the intergreen {intergreen_ms} ms, found {clear_ms} ms of clearance in phase {a.phase}; lengthen its red clearance"
            found.append(Difference(f"{clearing}, {entering}", text))
    return found
