"""The limits that the interlock's rules work with: a `SiteSpec`, checked and by index, fixed before the first frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from hardware.signals import Aspect, GroupKind, GroupSpec, SiteSpec

DARK, RED, RED_AMBER, GREEN, AMBER, FLASHING = Aspect
OFF: Final = frozenset((DARK, FLASHING))
GOING: Final = frozenset((RED_AMBER, GREEN))


class SiteSpecError(ValueError):
    """The limits themselves are wrong; nothing is shown until the site's data are mended."""


@dataclass(frozen=True)
class Rules:
    """A `SiteSpec` by index: ``foes[i]`` holds (j, intergreen j to i), ``heads[i]`` (priority, head start), ``tails[i]`` (yielding, head start)."""

    groups: tuple[GroupSpec, ...]
    foes: tuple[tuple[tuple[int, int], ...], ...]
    heads: tuple[tuple[tuple[int, int], ...], ...]
    tails: tuple[tuple[tuple[int, int], ...], ...]
    longest_ms: int
    order: tuple[Mapping[Aspect, frozenset[Aspect]], ...]


def _order(group: GroupSpec) -> Mapping[Aspect, frozenset[Aspect]]:
    """Return which aspect may follow which for the kind and limits of one group."""
    to_green = RED_AMBER if group.red_amber_ms else GREEN
    from_green = AMBER if group.amber_ms else RED
    return {
        RED: frozenset((RED, to_green)),
        RED_AMBER: frozenset((RED_AMBER, GREEN)),
        GREEN: frozenset((GREEN, from_green)),
        AMBER: frozenset((AMBER, RED)),
        DARK: frozenset(),
        FLASHING: frozenset(),
    }


def _check_groups(groups: tuple[GroupSpec, ...]) -> None:
    """Raise `SiteSpecError` where a group's own limits are wrong."""
    ids = [g.id for g in groups]
    if not ids or len(set(ids)) != len(ids):
        raise SiteSpecError(f"expected at least one group and every id once, found {ids}; mend the site's groups")
    for g in groups:
        for name, value in (("min_green_ms", g.min_green_ms), ("amber_ms", g.amber_ms), ("red_amber_ms", g.red_amber_ms)):
            if type(value) is not int or value < 0:
                raise SiteSpecError(f"group {g.id}: expected {name} as a whole number of milliseconds >= 0, found {value!r}")
        if g.kind is GroupKind.PEDESTRIAN and (g.amber_ms or g.red_amber_ms):
            raise SiteSpecError(f"group {g.id}: expected no amber and no red-amber for pedestrians, found {g.amber_ms} and {g.red_amber_ms} ms")


def _check_pairs(name: str, pairs: Mapping[tuple[str, str], int], ids: Mapping[str, int]) -> None:
    """Raise `SiteSpecError` where a pair names an unknown group, itself, or no whole number of milliseconds."""
    for (one, other), value in pairs.items():
        if one not in ids or other not in ids or one == other:
            raise SiteSpecError(f"{name} ({one}, {other}): expected two different groups out of {sorted(ids)}")
        if type(value) is not int or value < 0:
            raise SiteSpecError(f"{name} ({one}, {other}): expected a whole number of milliseconds >= 0, found {value!r}")


def compile_rules(spec: SiteSpec) -> Rules:
    """Return the rules of a site. Raises `SiteSpecError` where the data are incomplete or impossible."""
    _check_groups(spec.groups)
    ids = {g.id: i for i, g in enumerate(spec.groups)}
    _check_pairs("intergreen", spec.intergreen_ms, ids)
    _check_pairs("head start", spec.head_start_ms, ids)
    for one, other in spec.intergreen_ms:
        if (other, one) not in spec.intergreen_ms:
            raise SiteSpecError(f"intergreen ({other}, {one}): expected a value, since ({one}, {other}) has one; conflicts need both directions")
    for pair in spec.head_start_ms:
        if pair in spec.intergreen_ms:
            raise SiteSpecError(f"head start {pair}: expected compatible groups, found a conflict with an intergreen; drop one of both")

    def pick(pairs: Mapping[tuple[str, str], int], at: int, group: str) -> tuple[tuple[int, int], ...]:
        return tuple((ids[pair[1 - at]], value) for pair, value in pairs.items() if pair[at] == group)

    return Rules(
        groups=spec.groups,
        foes=tuple(pick(spec.intergreen_ms, 1, g.id) for g in spec.groups),
        heads=tuple(pick(spec.head_start_ms, 0, g.id) for g in spec.groups),
        tails=tuple(pick(spec.head_start_ms, 1, g.id) for g in spec.groups),
        longest_ms=max(spec.intergreen_ms.values(), default=0),
        order=tuple(_order(g) for g in spec.groups),
    )
