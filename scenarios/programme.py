"""Turn a signal programme into groups and stages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from controller.errors import ScenarioError
from hardware.signals import GroupKind
from scenarios.net import LETTERS, MOTOR_CLASSES, TRANSIT_CLASSES, Connection, Logic, Net

GREEN: Final = frozenset("Gg")
CHANGING: Final = frozenset("yYu")
SHORT_MS: Final = 5000  # a phase shorter than any minimum green is no stage where a neighbour holds all its greens


@dataclass(frozen=True, slots=True)
class LinkGroup:
    """Links that always share their state. ``column`` is their letter in every phase."""

    id: str
    kind: GroupKind
    links: tuple[int, ...]
    column: str

    def green_in(self, phase: int) -> bool:
        """Tell whether the group is green in the programme's phase."""
        return self.column[phase] in GREEN


@dataclass(frozen=True, slots=True)
class StagePlan:
    """The stages of a programme: ``sets`` of group ids in order of appearance, ``steps`` (stage, phase), ``of_phase`` stage per phase or None."""

    sets: tuple[tuple[str, ...], ...]
    steps: tuple[tuple[int, int], ...]
    of_phase: tuple[int | None, ...]


def check_logic(logic: Logic, links: Sequence[int]) -> None:
    """Refuse a programme whose states do not fit the light. Raises `ScenarioError` naming light, phase, expected and found."""
    where = f"Light {logic.light!r}, programme {logic.programme!r}"
    if not logic.phases:
        raise ScenarioError(f"{where}: expected phases, found none. Give the light a programme (netedit, or an additional file).")
    if min(links, default=0) < 0:
        raise ScenarioError(f"{where}: expected a linkIndex from 0 on each of its connections, found {min(links)}. Write the net again with netconvert.")
    expected = max([*links, -1]) + 1
    length = len(logic.phases[0].state)
    for at, phase in enumerate(logic.phases):
        if len(phase.state) < expected or len(phase.state) != length:
            wanted = f"{length}, as in phase 0" if length >= expected else f"at least {expected}, one for each link index"
            raise ScenarioError(f"{where}, phase {at}: expected a state of {wanted}, found {len(phase.state)} characters: {phase.state!r}.")
        unknown = sorted(set(phase.state) - LETTERS)
        if unknown:
            link = phase.state.index(unknown[0])
            known = "".join(sorted(LETTERS))
            raise ScenarioError(f"{where}, phase {at}, link {link}: expected one of the letters {known}, found {unknown[0]!r} in {phase.state!r}.")
        if phase.duration_ms <= 0:
            raise ScenarioError(f"{where}, phase {at}: expected a duration above 0 s, found {phase.duration_ms / 1000} s.")


def link_kind(net: Net, connections: Sequence[Connection]) -> GroupKind:
    """Return whom the link serves. Where several connections share an index, the heaviest traffic decides."""
    kinds = {_kind(net, c) for c in connections}
    return next(k for k in (GroupKind.VEHICLE, GroupKind.TRANSIT, GroupKind.BICYCLE, GroupKind.PEDESTRIAN) if k in kinds)


def _kind(net: Net, connection: Connection) -> GroupKind:
    if net.function(connection.to_lane) == "crossing":
        return GroupKind.PEDESTRIAN
    lane = net.lanes[connection.from_lane]
    if any(lane.allows(c) for c in MOTOR_CLASSES):
        return GroupKind.VEHICLE
    if any(lane.allows(c) for c in TRANSIT_CLASSES):
        return GroupKind.TRANSIT
    if lane.allows("bicycle"):
        return GroupKind.BICYCLE
    return GroupKind.PEDESTRIAN if lane.allows("pedestrian") else GroupKind.VEHICLE


def find_groups(logic: Logic, kinds: dict[int, GroupKind], foes: Callable[[int, int], bool]) -> tuple[LinkGroup, ...]:
    """Join the links whose letters are the same in every phase, of one kind, and not foes. Ids count from S1 in order of the first link."""
    joined: list[tuple[str, GroupKind, list[int]]] = []
    for link in sorted(kinds):
        column = "".join(p.state[link] for p in logic.phases)
        for other, kind, members in joined:
            if other == column and kind == kinds[link] and not any(foes(link, m) or foes(m, link) for m in members):
                members.append(link)
                break
        else:
            joined.append((column, kinds[link], [link]))
    return tuple(LinkGroup(f"S{at}", kind, tuple(members), column) for at, (column, kind, members) in enumerate(joined, 1))


def find_stages(logic: Logic, groups: Sequence[LinkGroup]) -> StagePlan:
    """Return the stages that the programme shows.

    A stage is a phase with a green and without amber or red-amber in it. It is part of a transition instead where its greens
    are all held by both neighbours, or by one neighbour while it lasts less than `SHORT_MS`. Equal sets are one stage.
    """
    greens = [frozenset(g.id for g in groups if g.green_in(at)) for at in range(len(logic.phases))]
    ring = [at for at, p in enumerate(logic.phases) if greens[at] and not any(g.column[at] in CHANGING for g in groups)]
    if not ring:
        ring = [at for at in range(len(logic.phases)) if greens[at]]
    kept = [at for at in ring if not _is_transition(ring, greens, logic, at)]
    order = [g.id for g in groups]
    sets: list[frozenset[str]] = []
    of_phase: list[int | None] = [None] * len(logic.phases)
    steps: list[tuple[int, int]] = []
    for at in kept:
        if greens[at] not in sets:
            sets.append(greens[at])
        of_phase[at] = sets.index(greens[at])
        steps.append((sets.index(greens[at]), at))
    return StagePlan(tuple(tuple(g for g in order if g in s) for s in sets), tuple(steps), tuple(of_phase))


def _is_transition(ring: Sequence[int], greens: Sequence[frozenset[str]], logic: Logic, at: int) -> bool:
    mine = greens[at]
    k = ring.index(at)
    others = [greens[r] for r in (*ring[k + 1 :], *ring[:k])]
    following = next((s for s in others if s != mine), None)
    previous = next((s for s in reversed(others) if s != mine), None)
    if following is None or previous is None:
        return False
    if mine < following and mine < previous:
        return True
    run = sum(logic.phases[r].duration_ms for r in _run(ring, greens, k))
    return run < SHORT_MS and (mine < following or mine < previous)


def _run(ring: Sequence[int], greens: Sequence[frozenset[str]], k: int) -> set[int]:
    """Return the phases around ``ring[k]`` that show the same set without another between."""
    found = {ring[k]}
    for step in (1, -1):
        at = k
        while greens[ring[(at + step) % len(ring)]] == greens[ring[k]] and ring[(at + step) % len(ring)] not in found:
            at = (at + step) % len(ring)
            found.add(ring[at])
    return found
